"""Real traffic of providers, replayed through the real chat models.

The recordings are not part of this repository: set `RECORDINGS_DIR` to their folder.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import vcr
import yaml
from langchain_anthropic import ChatAnthropic
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI

from langchain_reliable._classify.interpreter import classify

FOLDER = os.environ.get("RECORDINGS_DIR")
pytestmark = [
    pytest.mark.skipif(not FOLDER, reason="RECORDINGS_DIR is not set"),
    pytest.mark.filterwarnings("ignore:The model:DeprecationWarning"),
]

NEVER = None
ROWS = [
    ("anthropic/error_400_prompt_too_long", "context_overflow", None, False),
    ("anthropic/error_401_stream", "auth", None, False),
    ("anthropic/error_404_model", "model_not_found", None, NEVER),
    ("anthropic/error_429_retry_after_41", "rate_limited", 41.0, True),
    ("anthropic/error_429_should_not_retry", "rate_limited", None, False),
    ("anthropic/error_429_then_200", "rate_limited", 4.0, NEVER),
    ("anthropic/error_500_should_not_retry", "server_error", None, False),
    ("anthropic/error_503_upstream_connect_then_200", "server_error", None, NEVER),
    ("anthropic/error_529_overloaded", "server_error", None, True),
    ("anthropic/stream_error_event_overloaded_first", "server_error", None, NEVER),
    (
        "anthropic/stream_error_event_overloaded_midway_SPLICED",
        "server_error",
        None,
        NEVER,
    ),
    ("azure_openai/content_filter", "unknown", None, NEVER),
    ("azure_openai/error_429_retry_after_60", "rate_limited", 60.0, NEVER),
    ("gemini/error_400_api_key_stream", "auth", None, NEVER),
    ("gemini/error_404_model", "model_not_found", None, NEVER),
    ("gemini/error_429_retry_info", "rate_limited", 48.0, NEVER),
    ("gemini/error_500_internal", "server_error", None, NEVER),
    ("gemini/error_503_overloaded", "server_error", None, NEVER),
    ("groq/error_400_tool_use_failed_then_200", "invalid_output", None, NEVER),
    ("groq/error_429_retry_after_7_then_200", "rate_limited", 7.0, NEVER),
    ("groq/stream_error_event_midway_then_ok", "invalid_output", None, NEVER),
    ("huggingface/error_500_retry_after_1", "server_error", 1.0, NEVER),
    ("mistral/error_429", "rate_limited", None, NEVER),
    ("mistral/error_500_unavailable", "server_error", None, NEVER),
    ("openai_chat/error_400_then_200", "bad_request", None, NEVER),
    ("openai_chat/error_401", "auth", None, NEVER),
    ("openai_chat/error_401_stream", "auth", None, NEVER),
    ("openai_chat/error_404_model_stream", "model_not_found", None, NEVER),
    ("openai_chat/error_429_request_too_large_tpm", "bad_request", None, NEVER),
    ("openai_chat/error_503_upstream_connect_then_200", "server_error", None, NEVER),
    ("openai_responses/error_400_context_length", "context_overflow", None, NEVER),
    (
        "openai_responses/error_400_model_not_found_stream",
        "model_not_found",
        None,
        NEVER,
    ),
    ("openai_responses/error_401", "auth", None, NEVER),
    (
        "openai_responses/error_429_insufficient_quota_x3",
        "quota_exhausted",
        None,
        NEVER,
    ),
    ("openai_responses/error_500_server_error", "server_error", None, NEVER),
    (
        "openai_responses/stream_error_event_insufficient_quota",
        "quota_exhausted",
        None,
        NEVER,
    ),
    ("openrouter/error_429_x3", "rate_limited", None, NEVER),
    ("openrouter/stream_error_429_then_200", "rate_limited", None, NEVER),
    ("openrouter/stream_error_chunk_midway", "bad_request", None, NEVER),
    ("xai/error_400_api_key", "auth", None, NEVER),
    ("xai/error_503_capacity_then_200", "server_error", None, NEVER),
    ("zai/error_429_overloaded_x2_then_stream", "server_error", None, NEVER),
]


def model_for(name, request):
    uri = request["uri"]
    body = yaml.safe_load(request["body"] or "{}")  # JSON is YAML
    named = body.get("model", "m")
    if name.startswith("anthropic"):
        return ChatAnthropic(model=named, api_key="x", max_tokens=50, max_retries=0)
    if name.startswith("gemini"):
        version, _, rest = uri.split("/", 3)[3].partition("/models/")
        return ChatGoogleGenerativeAI(
            model=rest.partition(":")[0],
            api_version=version,
            google_api_key="x",
            max_retries=1,
        )
    base = uri.split("?")[0].removesuffix("/responses")
    responses = uri.endswith("/responses")
    return ChatOpenAI(
        model=named,
        base_url=base.removesuffix("/chat/completions"),
        api_key="x",
        max_retries=0,
        use_responses_api=responses,
    )


@pytest.mark.parametrize(
    ("name", "kind", "wait", "again"), ROWS, ids=[row[0] for row in ROWS]
)
def test_recorded_failures(name, kind, wait, again):
    path = Path(FOLDER or "") / f"{name}.yaml"
    recorded = yaml.safe_load(path.read_text())["interactions"][0]
    model = model_for(name, recorded["request"])
    streams = "stream" in name
    with (
        vcr.use_cassette(
            str(path), record_mode="none", match_on=["method", "scheme", "host", "path"]
        ),
        pytest.raises(Exception) as caught,  # noqa: PT011 - any, and all are looked at
    ):
        list(model.stream("hi")) if streams else model.invoke("hi")
    failure = classify(caught.value)
    assert failure.kind == kind
    assert failure.retry_after == wait
    assert failure.should_retry is again
    assert len(failure.summary) <= 200
