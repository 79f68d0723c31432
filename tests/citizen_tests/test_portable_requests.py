"""A conversation goes on with another provider, and back."""

from __future__ import annotations

import copy

import pytest
from langchain_core.messages import (
    AIMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from langchain_reliable._portable import Reader
from langchain_reliable.testing import ScriptedChatModel, simulator

THOUGHT = AIMessage(
    content=[
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "xxx"},
        {"type": "text", "text": "Let me look."},
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
        {
            "type": "tool_use",
            "id": "toolu_1",
            "name": "weather",
            "input": {"city": "x"},
        },
    ],
    tool_calls=[{"name": "weather", "args": {"city": "x"}, "id": "toolu_1"}],
    response_metadata={"model_provider": "anthropic"},
    id="msg_1",
)
REASONED = AIMessage(
    content=[
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "text", "text": "Let me look.", "annotations": [], "id": "msg_2"},
        {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "call|2",
            "name": "weather",
            "arguments": "{}",
        },
    ],
    tool_calls=[{"name": "weather", "args": {}, "id": "call|2"}],
    response_metadata={"model_provider": "openai"},
    id="resp_1",
)
MARKED = {"type": "text", "text": "hello", "cache_control": {"type": "ephemeral"}}


def conversation(said, call_id):
    return [
        SystemMessage([dict(MARKED)]),
        HumanMessage([dict(MARKED)]),
        said,
        ToolMessage("sunny", tool_call_id=call_id),
        HumanMessage("and now?"),
    ]


@pytest.fixture
def sim():
    with simulator(strict=True) as running:
        yield running


@pytest.mark.parametrize(
    ("family", "said", "call_id"),
    [
        ("openai", THOUGHT, "toolu_1"),
        ("openai", REASONED, "call|2"),
        ("anthropic", THOUGHT, "toolu_1"),
        ("anthropic", REASONED, "call|2"),
    ],
    ids=[
        "thought to openai",
        "own to openai",
        "own to anthropic",
        "other to anthropic",
    ],
)
def test_a_strict_provider_takes_the_conversation(
    surface, reliable, clients, family, said, call_id
):
    if family == "anthropic" and said is THOUGHT:
        said = said.model_copy(
            update={
                "content": [b for b in said.content if b["type"] != "server_tool_use"]
            }
        )
    messages = conversation(said, call_id)
    before = copy.deepcopy(messages)
    settings = {"thinking": {"type": "enabled", "budget_tokens": 50}}
    child = clients.of(family, "m", **(settings if family == "anthropic" else {}))
    outcome = surface(reliable(child), messages)
    assert outcome.error is None
    assert messages == before
    body = str(clients.sim.requests[-1].body)
    assert ("cache_control" in body) is (family == "anthropic")
    assert ("'signature': 'sig'" in body) is (
        family == "anthropic" and said is not REASONED
    )
    assert "Let me look." in body


def test_what_is_its_own_stays_as_it_is(clients):
    own = [HumanMessage("hi"), THOUGHT]
    assert Reader(clients.anthropic("m")).readable(own) is own
    assert Reader(ScriptedChatModel()).readable(own)[0] is own[0]


def test_who_said_nothing_portable_is_left_out(clients):
    silent = AIMessage(
        [{"type": "thinking", "thinking": "hm", "signature": "s"}],
        response_metadata={"model_provider": "anthropic"},
    )
    assert Reader(clients.openai("m")).readable([silent]) == []


def test_ids_fit_their_reader(clients):
    long = "x" * 60
    said = AIMessage("", tool_calls=[{"name": "t", "args": {}, "id": long}])
    told, result = Reader(clients.openai("m")).readable(
        [said, ToolMessage("ok", tool_call_id=long)]
    )
    assert told.tool_calls[0]["id"] == result.tool_call_id
    assert len(result.tool_call_id) <= 40
