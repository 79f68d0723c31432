"""Agents within agents: each call is seen once, trouble is told as it happens."""

from __future__ import annotations

from collections import Counter
from typing import Any, TypedDict

import pytest
from langchain.agents import AgentState, create_agent
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import START, StateGraph

from langchain_reliable.observers import CustomEventObserver
from langchain_reliable.testing import overloaded, reset, says, tool_call

QUESTION: Any = {"messages": [("user", "how is it in Rome?")]}
ASKS = says(calls=[tool_call("weather_desk", question="Rome?")])
LOOKS = says(calls=[tool_call("thermometer", city="Rome")])
SWITCH = "gpt is overloaded; asking claude"


@tool
def thermometer(city: str) -> str:
    """Read it."""
    return f"30 degrees in {city}"


@pytest.fixture
def model(reliable, clients):
    """Breaks down in the middle of the inner agent's work."""
    clients.sim.script("gpt", ASKS, LOOKS, overloaded())
    clients.sim.script("claude", "Hot, says the desk.", "It is hot.")
    watched = {"observers": [CustomEventObserver()], "max_retries": 0}
    return reliable(clients.openai("gpt"), clients.anthropic("claude"), **watched)


@pytest.fixture
def agent(model):
    """An agent with another one as its tool."""
    inner = create_agent(model, [thermometer], name="inner")

    @tool
    def weather_desk(question: str) -> str:
        """Ask the desk."""
        said = inner.invoke({"messages": [("user", question)]})
        return said["messages"][-1].text

    @tool
    async def aweather_desk(question: str) -> str:
        """Ask the desk."""
        said = await inner.ainvoke({"messages": [("user", question)]})
        return said["messages"][-1].text

    weather_desk.coroutine = aweather_desk.coroutine
    return create_agent(model, [weather_desk], name="outer")


@pytest.fixture
def graph(model, clients):
    """A graph with an agent as one of its nodes."""
    clients.sim.script("gpt", LOOKS, overloaded())
    clients.sim.script("claude", "It is hot.")
    desk = create_agent(model, [thermometer], name="desk")
    return StateGraph(AgentState).add_node("desk", desk).add_edge(START, "desk")


def served(messages):
    return [
        one.response_metadata["reliable"]["served_by"]
        for one in messages
        if isinstance(one, AIMessage)
    ]


def test_an_agent_as_the_tool_of_another(agent):
    messages = agent.invoke(QUESTION)["messages"]
    assert messages[2].text == "Hot, says the desk."
    assert messages[-1].text == "It is hot."
    assert served(messages) == ["gpt", "claude"]


def test_the_same_in_async(agent, run):
    async def go():
        return await agent.ainvoke(QUESTION)

    assert run(go())["messages"][-1].text == "It is hot."


def test_an_agent_as_a_node(graph):
    messages = graph.compile().invoke(QUESTION)["messages"]
    assert messages[-1].text == "It is hot."
    assert served(messages) == ["gpt", "claude"]


MODES = ["messages", "updates", "custom"]


class Seen:
    """What came out of a stream with several modes."""

    def __init__(self, pieces):
        by_mode: dict[str, list[Any]] = {mode: [] for mode in MODES}
        for _, mode, piece in pieces:
            by_mode[mode].append(piece)
        told = [chunk for chunk, _ in by_mode["messages"]]
        self.words = "".join(one.text for one in told if isinstance(one, AIMessage))
        self.usages = sum(bool(getattr(one, "usage_metadata", 0)) for one in told)
        self.steps = [name for update in by_mode["updates"] for name in update]
        self.texts = [one["reliable"]["text"] for one in by_mode["custom"]]


@pytest.fixture(params=["stream", "astream"])
def seen(request, run):
    """Stream a graph in all modes, in sync and async."""
    settings: Any = {"stream_mode": MODES, "subgraphs": True}

    async def go(graph):
        return [piece async for piece in graph.astream(QUESTION, **settings)]

    def seen_(graph):
        if request.param == "stream":
            return Seen(graph.stream(QUESTION, **settings))
        return Seen(run(go(graph)))

    return seen_


def test_all_stream_modes_of_an_agent_in_an_agent(seen, agent, clients):
    story = seen(agent)
    assert story.words == "Hot, says the desk.It is hot."
    assert story.usages == 4
    assert story.steps == [
        *("model", "model", "tools", "model"),
        *("tools", "model"),
    ]
    assert story.texts[:2] == ["gpt is overloaded", SWITCH]
    assert clients.sim.count("claude") == 2


def test_all_stream_modes_of_an_agent_in_a_graph(seen, graph):
    story = seen(graph.compile())
    assert story.words == "It is hot."
    assert story.steps == ["model", "tools", "model", "desk"]
    assert story.texts == ["gpt is overloaded", SWITCH]


@pytest.mark.parametrize(
    ("mode", "words", "steps", "told"),
    [
        ("messages", "It is hot.", 0, []),
        ("updates", "", 4, []),
        ("custom", "", 0, [SWITCH]),
    ],
)
def test_one_stream_mode_alone(graph, mode, words, steps, told):
    alone = graph.compile().stream(QUESTION, stream_mode=mode, subgraphs=True)
    story = Seen((space, mode, piece) for space, piece in alone)
    assert (story.words, len(story.steps), story.texts[1:]) == (words, steps, told)


def test_events_of_an_agent_in_an_agent(agent, run):
    async def go():
        return [one async for one in agent.astream_events(QUESTION, version="v2")]

    events = run(go())
    count = Counter(one["event"] for one in events)
    assert (count["on_chat_model_start"], count["on_chat_model_end"]) == (4, 4)
    assert count["on_chain_error"] == count["on_chat_model_error"] == 0
    words = "".join(
        one["data"]["chunk"].text
        for one in events
        if one["event"] == "on_chat_model_stream"
    )
    assert words == "Hot, says the desk.It is hot."
    told = [one["data"]["text"] for one in events if one["event"] == "on_custom_event"]
    assert SWITCH in told
    ends = [one for one in events if one["event"] == "on_chat_model_end"]
    usages = [one["data"]["output"].usage_metadata for one in ends]
    assert all(usages)


class Asked(TypedDict):
    """The state of a graph of your own."""

    question: str
    answer: str


def test_a_node_that_calls_an_agent(model, clients, seen):
    clients.sim.script("gpt", LOOKS, reset())
    clients.sim.script("claude", "It is hot.")
    desk = create_agent(model, [thermometer])

    def ask(state: Asked) -> dict[str, Any]:
        said = desk.invoke({"messages": [("user", state.get("question", "?"))]})
        return {"answer": said["messages"][-1].text}

    graph = StateGraph(Asked).add_node("ask", ask).add_edge(START, "ask").compile()
    story = seen(graph)
    assert story.words == "It is hot."
    assert story.steps == ["model", "tools", "model", "ask"]
    assert story.texts[-1].endswith("; asking claude")
