"""Traffic of real providers, played through the wrapper on all four surfaces.

What an answer should be is never written here: the bare client is played the same
bytes in the same test, and the wrapper has to say what it says, chunk by chunk. Only
what a failure is called, and how often one asks again, stands in a table.

A recording that streamed is asked by a client that streams even under `invoke`, and
one that did not by a client that never does, so every file is heard on every surface.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from real_recordings import (
    FOLDER,
    Recording,
    all_names,
    bedrock_model,
    client_for,
    partner,
    playing,
)
from same_answer import pieces, said

from langchain_reliable import StreamInterrupted
from langchain_reliable.testing import ScriptedChatModel, says

if TYPE_CHECKING:
    from collections.abc import Iterator

if not FOLDER:
    pytest.skip(
        "RECORDINGS_DIR names no folder of real recordings", allow_module_level=True
    )

pytestmark = [
    # What partner packages and SDKs say about old models and odd answers, not we.
    pytest.mark.filterwarnings("ignore:The model .* is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),
    pytest.mark.filterwarnings("ignore:Received unexpected tool content:UserWarning"),
]


# --- what a recording comes to: calls, one after another --------------------------


@dataclass(frozen=True)
class Answers:
    """One call, one request: what the bare client says.

    Attributes:
        kind: What was found wrong with it, though it is returned for want of a better.
    """

    kind: str | None = None
    requests: int = 1


@dataclass(frozen=True)
class Fails:
    """One call that the backup answers, after so many requests to the recorded one.

    Attributes:
        kind: What went wrong, each time.
        requests: How often it was asked.
        retries: How often it might have been asked again.
    """

    kind: str
    requests: int = 1
    retries: int = 0


@dataclass(frozen=True)
class Recovers:
    """One call that the recorded one answers in the end.

    Attributes:
        kinds: What went wrong before.
        waits: How long was waited, each time.
    """

    kinds: tuple[str, ...]
    waits: tuple[float, ...]

    @property
    def requests(self) -> int:
        return len(self.kinds) + 1


@dataclass(frozen=True)
class BreaksOff:
    """One call that ends after the first word: nobody else may take over a stream."""

    kind: str
    requests: int = 1


@dataclass(frozen=True)
class EndsUnfinished:
    """One call whose stream ends as if it were whole, and never says that it is."""

    requests: int = 1


def never_asked_again(kind: str) -> Fails:
    return Fails(kind, requests=1, retries=2)


FIRST, SECOND = 0.25, 0.5  # half of each span of the backoff: the clock's chance

COMES_TO = {
    "anthropic/error_400_prompt_too_long": [never_asked_again("context_overflow")],
    "anthropic/error_401_stream": [never_asked_again("auth")],
    "anthropic/error_404_model": [never_asked_again("model_not_found")],
    "anthropic/error_429_retry_after_41": [never_asked_again("rate_limited")],
    "anthropic/error_429_should_not_retry": [never_asked_again("rate_limited")],
    "anthropic/error_429_then_200": [Recovers(("rate_limited",), (4.0,))],
    "anthropic/error_500_should_not_retry": [never_asked_again("server_error")],
    "anthropic/error_503_upstream_connect_then_200": [
        Recovers(("server_error",), (FIRST,))
    ],
    "anthropic/error_529_overloaded": [Fails("server_error")],
    "anthropic/error_529_then_200": [Recovers(("server_error",), (FIRST,))],
    "anthropic/stream_error_event_overloaded_first": [Fails("server_error")],
    "anthropic/stream_error_event_overloaded_midway_SPLICED": [
        BreaksOff("server_error")
    ],
    "anthropic/stream_ok_then_stream_error_event_overloaded": [
        Answers(),
        Fails("server_error"),
    ],
    # langchain-openai itself stumbles over a choice without a message
    "azure_openai/content_filter": [never_asked_again("unknown")],
    "azure_openai/error_429_retry_after_60": [never_asked_again("rate_limited")],
    "bedrock/error_403_token_expired": [never_asked_again("auth")],
    "bedrock/error_500_x5": [Fails("server_error", requests=5, retries=4)],
    "bedrock/error_503_capacity_then_200": [Recovers(("server_error",), (FIRST,))],
    "bedrock/stream_tools_429_between": [
        Answers(),
        Recovers(("rate_limited",), (FIRST,)),
    ],
    "evroc/stream_clean_eof_without_finish_reason": [EndsUnfinished()],
    "failover/anthropic_429_then_bedrock_200": [],  # has a test of its own
    "gemini/error_400_api_key_stream": [never_asked_again("auth")],
    "gemini/error_404_model": [never_asked_again("model_not_found")],
    "gemini/error_429_retry_info": [never_asked_again("rate_limited")],
    "gemini/error_500_internal": [Fails("server_error")],
    "gemini/error_503_overloaded": [Fails("server_error")],
    "gpustack/stream_error_chunk_after_long_stream": [EndsUnfinished()],
    "groq/error_400_tool_use_failed_then_200": [
        Recovers(("invalid_output",), (FIRST,)),
        Answers(),
    ],
    "groq/error_429_retry_after_7_then_200": [Recovers(("rate_limited",), (7.0,))],
    "groq/stream_error_event_midway_then_ok": [
        Recovers(("invalid_output",), (FIRST,)),
        Answers(),
    ],
    "huggingface/error_500_retry_after_1": [Fails("server_error")],
    "mistral/error_429": [Fails("rate_limited")],
    "mistral/error_500_unavailable": [Fails("server_error")],
    "openai_chat/error_400_then_200": [never_asked_again("bad_request"), Answers()],
    "openai_chat/error_401": [never_asked_again("auth")],
    "openai_chat/error_401_stream": [never_asked_again("auth")],
    "openai_chat/error_404_model_stream": [
        never_asked_again("model_not_found"),
        never_asked_again("model_not_found"),
    ],
    # langchain-openai drops `delta.refusal`, so nothing is left of this one
    "openai_chat/stream_refusal": [Answers("empty")],
    # larger than the limit per minute: no wait will help
    "openai_chat/error_429_request_too_large_tpm": [never_asked_again("bad_request")],
    "openai_chat/error_503_upstream_connect_then_200": [
        Recovers(("server_error",), (FIRST,))
    ],
    "openai_responses/error_400_context_length": [
        never_asked_again("context_overflow")
    ],
    "openai_responses/error_400_model_not_found_stream": [
        never_asked_again("model_not_found")
    ],
    "openai_responses/error_401": [never_asked_again("auth")],
    "openai_responses/error_429_insufficient_quota_x3": [
        never_asked_again("quota_exhausted")
    ]
    * 3,
    "openai_responses/error_500_server_error": [Fails("server_error")],
    "openai_responses/stream_error_event_insufficient_quota": [
        never_asked_again("quota_exhausted")
    ],
    "openrouter/error_429_x3": [Fails("rate_limited", requests=3, retries=2)],
    "openrouter/stream_error_429_then_200": [Recovers(("rate_limited",), (FIRST,))],
    "openrouter/stream_error_chunk_midway": [never_asked_again("bad_request")],
    "xai/error_400_api_key": [never_asked_again("auth")],
    "xai/error_503_capacity_then_200": [Recovers(("server_error",), (FIRST,))],
    # a 429 that says it is overloaded
    "zai/error_429_overloaded_x2_then_stream": [
        Recovers(("server_error", "server_error"), (FIRST, SECOND))
    ],
}
"""Every recording in which something fails; the others answer, request by request."""


def calls_of(name: str) -> list[Any]:
    """Return the calls that a recording is made of."""
    known = COMES_TO.get(name.removesuffix(".yaml"))
    return known if known is not None else [Answers() for _ in Recording(name).statuses]


def calls_to(kind: type) -> Any:
    """Parametrize a test over the calls of one kind, each with its part of a file."""
    found = [
        pytest.param(part, call, id=f"{part.name.removesuffix('.yaml')}-{part.first}")
        for name in all_names()
        for part, call in _parts(name)
        if isinstance(call, kind)
    ]
    return pytest.mark.parametrize(("recording", "call"), found)


def _parts(name: str) -> Iterator[tuple[Recording, Any]]:
    first = 0
    for call in calls_of(name):
        yield Recording(name).part(first, call.requests), call
        first += call.requests


@pytest.fixture(autouse=True)
def hearable(request: pytest.FixtureRequest) -> None:
    """Skip what a client cannot be made to ask for on this surface."""
    if not {"surface", "recording"} <= set(request.fixturenames):
        return
    surface = request.getfixturevalue("surface")
    recording = request.getfixturevalue("recording")
    if recording.url.endswith("/converse-stream") and not surface.streams:
        pytest.skip("ChatBedrockConverse has no way to stream under invoke")


def backup() -> ScriptedChatModel:
    return ScriptedChatModel(model="backup", script=[says("the backup answers")])


# --- the tests --------------------------------------------------------------------


@calls_to(Answers)
def test_an_answer_is_what_the_client_alone_says(surface, reliable, recording, call):
    with playing(recording):
        alone = surface(client_for(recording))
    assert alone.error is None, repr(alone.error)
    with playing(recording):
        outcome = surface(reliable(client_for(recording), max_retries=0))
    assert outcome.error is None, repr(outcome.error)
    assert said(outcome.message) == said(alone.message)
    assert pieces(outcome) == pieces(alone)
    assert outcome.usage == alone.usage
    assert (outcome.heard.starts, outcome.heard.ends) == (1, 1)
    assert [one["kind"] for one in outcome.trail["attempts"]] == [call.kind]
    if surface.streams:
        assert "".join(outcome.heard.tokens) == alone.text


@calls_to(Fails)
def test_the_backup_answers_for_one_that_fails(
    surface, reliable, clock, recording, call
):
    with playing(recording):
        child = client_for(recording)
        outcome = surface(reliable(child, backup(), max_retries=call.retries))
    assert outcome.error is None, repr(outcome.error)
    assert outcome.text == "the backup answers"
    assert outcome.trail["served_by"] == "backup"
    kinds = [one["kind"] for one in outcome.trail["attempts"]]
    assert kinds == [call.kind] * call.requests + [None]
    assert len(clock.slept) == call.requests - 1
    heard = outcome.heard
    assert (heard.starts, heard.ends, heard.errors) == (1, 1, 0)
    assert list(outcome.usage) == ["backup"]
    assert len({chunk.id for chunk in outcome.chunks}) <= 1
    if surface.streams:
        assert "".join(heard.tokens) == "the backup answers"


@calls_to(Recovers)
def test_one_that_recovers_is_asked_again(surface, reliable, clock, recording, call):
    answer = recording.part(recording.first + len(call.kinds), 1)
    with playing(answer):
        alone = surface(client_for(answer))
    with playing(recording):
        outcome = surface(reliable(client_for(recording)))
    assert outcome.error is None, repr(outcome.error)
    assert said(outcome.message) == said(alone.message)
    assert pieces(outcome) == pieces(alone)
    assert outcome.usage == alone.usage
    kinds = [one["kind"] for one in outcome.trail["attempts"]]
    assert kinds == [*call.kinds, None]
    assert clock.slept == list(call.waits)
    heard = outcome.heard
    assert (heard.starts, heard.ends, heard.errors) == (1, 1, 0)


@calls_to(BreaksOff)
def test_one_that_breaks_off_has_spoken(surface, reliable, recording, call):
    with playing(recording):
        model = reliable(client_for(recording), backup(), max_retries=0)
        outcome = surface(model)
    if not surface.streams:
        assert outcome.text == "the backup answers"
        assert outcome.attempts[0].endswith(call.kind)
        return
    assert isinstance(outcome.error, StreamInterrupted)
    assert outcome.error.kind == call.kind
    assert outcome.error.partial.text == "".join(outcome.heard.tokens) > ""


@calls_to(EndsUnfinished)
def test_a_silent_cut_is_noticed(surface, reliable, recording, call):
    with playing(recording):
        alone = surface(client_for(recording))
    with playing(recording):
        outcome = surface(reliable(client_for(recording), backup(), max_retries=0))
    if surface.streams and outcome.error is not None:
        assert isinstance(outcome.error, StreamInterrupted)
        assert outcome.error.kind == "bad_stream"
        assert outcome.error.partial.text == alone.text
    elif surface.streams:  # it said nothing in its first 512 chunks: not shown at all
        assert outcome.attempts[0].endswith("bad_stream")
        assert outcome.text == "the backup answers"
    else:
        assert outcome.text == "the backup answers"


def test_a_real_failover_from_anthropic_to_bedrock(surface, reliable, clock):
    recording = Recording("failover/anthropic_429_then_bedrock_200.yaml")
    if recording.name not in all_names():
        pytest.skip("this recording is not there")
    primary, second = recording.part(0, 1), recording.part(1, 1)
    with playing(primary):
        outcome = surface(reliable(client_for(primary), backup()))
    assert outcome.text == "the backup answers"
    assert clock.slept == []  # 65 s were asked for: longer than asking the next

    bedrock = partner("langchain_aws").ChatBedrock(
        model=bedrock_model(second),
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        disable_streaming=True,
    )
    with playing(second):
        alone = surface(bedrock)
    with playing(recording):
        outcome = surface(reliable(client_for(primary), bedrock))
    assert outcome.text == alone.text
    assert [one["kind"] for one in outcome.trail["attempts"]] == ["rate_limited", None]


def test_every_failure_that_was_recorded_is_in_the_table():
    for name in all_names():
        asked = sum(call.requests for call in calls_of(name))
        statuses = Recording(name).statuses
        if name.startswith("failover/"):
            continue
        assert asked == len(statuses), f"{name}: {statuses}"
        if any(isinstance(call, Answers) for call in calls_of(name)):
            assert 200 in statuses, f"{name}: {statuses}"


def test_the_table_knows_no_recording_that_is_not_there():
    assert set(COMES_TO) <= {name.removesuffix(".yaml") for name in all_names()}
