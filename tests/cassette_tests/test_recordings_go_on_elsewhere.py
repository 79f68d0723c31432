"""What real providers said is read by the others: no request that they would refuse."""

from __future__ import annotations

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
from real_recordings import client_for, partner, playing
from test_recordings import Answers, calls_to, pytestmark

from langchain_reliable._children.messages import MessageAdapter
from langchain_reliable.testing._simulator.strict.complaint import complaint

__all__ = ["pytestmark"]


def conversation(recording):
    """Return a conversation that goes on from what was recorded."""
    with playing(recording):
        said = client_for(recording).invoke("hello?")
    results = [ToolMessage("3", tool_call_id=one["id"]) for one in said.tool_calls]
    return [HumanMessage("hello?"), said, *results, HumanMessage("and now?")]


@calls_to(Answers)
def test_others_would_take_it(recording, call):
    if recording.url.endswith("/converse-stream"):
        pytest.skip("ChatBedrockConverse has no way to stream under invoke")
    messages = conversation(recording)
    author = messages[1].response_metadata.get("model_provider")

    gpt = ChatOpenAI(model="m", api_key="x")
    if author != "openai":
        body = gpt._get_request_payload(MessageAdapter(gpt).adapt(messages))
        assert complaint("openai", body) is None

    claude = ChatAnthropic(model="m", api_key="x", max_tokens=1)
    if author != "anthropic":
        body = claude._get_request_payload(MessageAdapter(claude).adapt(messages))
        assert complaint("anthropic", body) is None


@calls_to(Answers)
def test_gemini_has_nothing_to_drop(recording, call, caplog):
    if recording.url.endswith("/converse-stream"):
        pytest.skip("ChatBedrockConverse has no way to stream under invoke")
    google = partner("langchain_google_genai")
    messages = conversation(recording)
    if messages[1].response_metadata.get("model_provider") == "google_genai":
        pytest.skip("its own")
    gemini = google.ChatGoogleGenerativeAI(model="gemini-3-pro", google_api_key="x")
    caplog.clear()
    request = gemini._prepare_request(MessageAdapter(gemini).adapt(messages))
    assert caplog.messages == []
    assert all(one.parts for one in request["contents"])
