"""Whoever listens hears one model run, each token once and the usage once."""

from __future__ import annotations

import asyncio
from collections import Counter
from operator import add
from typing import Annotated, TypedDict

import pytest
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.messages import AIMessageChunk
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langgraph.graph import START, StateGraph

from langchain_reliable import Candidate
from langchain_reliable.testing import FAULTS, says

ANSWER = "the answer in a few words"
SCRIPTS = {
    0: {"a": [says(ANSWER)]},
    1: {"a": [FAULTS["role-then-error"], says(ANSWER)]},
    2: {"a": [FAULTS["role-then-cut"]], "b": [FAULTS["error-529"], says(ANSWER)]},
}


class State(TypedDict):
    messages: Annotated[list, add]


@pytest.fixture(params=sorted(SCRIPTS), ids="{}_failed_before".format)
def model(request, reliable, clients):
    for name, script in SCRIPTS[request.param].items():
        clients.sim.script(name, *script)
    first = clients.openai("a")
    if request.param == 2:
        first = Candidate(first, max_retries=0)
    return reliable(first, clients.anthropic("b"))


@pytest.fixture
def graph(model):
    def node(state: State) -> State:
        return {"messages": [model.invoke(state["messages"])]}

    return StateGraph(State).add_node("node", node).add_edge(START, "node").compile()


@pytest.fixture
def agraph(model):
    async def node(state: State) -> State:
        return {"messages": [await model.ainvoke(state["messages"])]}

    return StateGraph(State).add_node("node", node).add_edge(START, "node").compile()


QUESTION = {"messages": [("user", "hello?")]}


def check_messages(pieces):
    chunks = [piece for piece, _ in pieces if isinstance(piece, AIMessageChunk)]
    assert "".join(chunk.text for chunk in chunks) == ANSWER
    assert sum(bool(chunk.usage_metadata) for chunk in chunks) == 1
    assert len({chunk.id for chunk in chunks}) == 1
    assert len(pieces) == len(chunks)


def test_langgraph_messages(graph):
    check_messages(list(graph.stream(QUESTION, stream_mode="messages")))


def test_langgraph_messages_async(agraph, run):
    async def go():
        stream = agraph.astream(QUESTION, stream_mode="messages")
        check_messages([piece async for piece in stream])

    run(go())


@pytest.mark.filterwarnings("ignore:astream_events version='v1' is deprecated")
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_astream_events(model, version, run):
    async def go():
        chain = (
            ChatPromptTemplate.from_template("{question}") | model | StrOutputParser()
        )
        events = [
            event
            async for event in chain.astream_events({"question": "?"}, version=version)
        ]
        count = Counter(event["event"] for event in events)
        assert (count["on_chat_model_start"], count["on_chat_model_end"]) == (1, 1)
        tokens = [
            event["data"]["chunk"].text
            for event in events
            if event["event"] == "on_chat_model_stream"
        ]
        assert "".join(tokens) == ANSWER

    run(go())


def test_astream_events_around_an_invoke(agraph, run):
    async def go():
        events = [
            event async for event in agraph.astream_events(QUESTION, version="v2")
        ]
        tokens = [
            event["data"]["chunk"].text
            for event in events
            if event["event"] == "on_chat_model_stream"
        ]
        assert "".join(tokens) == ANSWER

    run(go())


@pytest.mark.filterwarnings("ignore:.*v3.*")
@pytest.mark.filterwarnings(
    "ignore::langchain_core._api.beta_decorator.LangChainBetaWarning"
)
def test_stream_events_v3(model):
    stream = model.stream_events("hello?", version="v3")
    assert "".join(stream.text) == ANSWER
    assert stream.output.usage_metadata["output_tokens"] > 0


def test_usage_is_counted_once(surface, model):
    with get_usage_metadata_callback() as counted:
        outcome = surface(model)
    usage = outcome.message.usage_metadata
    [total] = counted.usage_metadata.values()
    assert total["total_tokens"] == usage["total_tokens"]
    assert outcome.usage == counted.usage_metadata


def test_a_consumer_that_leaves_closes_the_stream(model, clients, run):
    async def go():
        stream = model.astream("hello?")
        async for chunk in stream:
            if chunk.text:
                break
        await stream.aclose()
        await asyncio.wait_for(clients.sim.await_closed(), 2)

    run(go())
