"""The bench's broken streams inside an agent whose tokens are watched.

With `on_interrupt="restart"` a UI, the graph's state and the tracer hold one whole
answer, whichever way the primary's stream breaks.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import pytest
from bench_pace import Pace
from bench_rules import SCENARIOS, TEXTS, answers
from failover_bench import _clients, forget_clients, ours
from langchain.agents import create_agent
from langchain_core.messages import AIMessageChunk, HumanMessage, RemoveMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph.message import add_messages

from langchain_reliable import CustomEventObserver
from langchain_reliable.testing import content_then_cut, says, simulator, tool_call

MIDWAY = ("cut after", "stall after", "tenth event malformed", "cut, and a backup")
FAULTS = [one for one in SCENARIOS if one.name.startswith(MIDWAY)]
ASKED = {"messages": [HumanMessage("hello?", id="asked")]}
THREAD: Any = {"configurable": {"thread_id": "1"}}
BROKEN, WHOLE = TEXTS


def test_the_scenarios_are_all_there():
    assert len(FAULTS) == len(MIDWAY)


@pytest.fixture(autouse=True)
def no_clients_left():
    yield
    forget_clients()


class World:
    """An agent over a primary that breaks off and a backup that is well."""

    def __init__(self, agent: Any, sim: Any) -> None:
        self.agent, self.sim = agent, sim

    async def streamed(self, surface: str, modes: list[str]) -> list[Any]:
        """Return what a stream of the agent gives, on either surface."""
        given = {"input": ASKED, "config": THREAD, "stream_mode": modes}
        if surface == "astream":
            return [piece async for piece in self.agent.astream(**given)]
        return await asyncio.to_thread(lambda: list(self.agent.stream(**given)))

    async def state(self) -> list[Any]:
        return (await self.agent.aget_state(THREAD)).values["messages"]


@asynccontextmanager
async def world(primary, backup, *, second=1.0, tools=()):
    """Give the simulator its script, and an agent whose time runs fast."""
    pace = Pace(second, fast=True)
    settings = {"on_interrupt": "restart", "idle_timeout": 10.0}
    with simulator() as sim:
        sim.script("primary", *primary(pace))
        sim.script("backup", *backup)
        async with _clients(sim, pace) as clients:
            model = ours(**settings)(*clients, pace)
            model.observers = [CustomEventObserver()]
            yield World(
                create_agent(model, [*tools], checkpointer=InMemorySaver()), sim
            )


@pytest.fixture(params=FAULTS, ids=lambda one: one.name)
def struck(request):
    scenario = request.param
    first, second = answers()
    return world(
        lambda pace: scenario.script(first, pace), [second], second=scenario.second
    )


class Bubbles:
    """What a UI makes of messages and chunks: each under its id, till it is removed."""

    def __init__(self) -> None:
        self.held: dict[str, AIMessageChunk] = {}
        self.seen: list[str] = []

    def take(self, message: Any) -> None:
        match message:
            case RemoveMessage():
                del self.held[message.id]
            case AIMessageChunk():
                known = self.held.get(message.id)
                self.held[message.id] = message if known is None else known + message
                self.seen.append(message.text)

    @property
    def texts(self) -> list[str]:
        return [one.text for one in self.held.values()]


@pytest.mark.parametrize("surface", ["stream", "astream"])
async def test_ui_state_and_tracer_hold_one_whole_answer(struck, surface, recorder):
    ui, values = Bubbles(), []
    async with struck as world:
        modes = ["messages", "values", "custom"]
        for mode, piece in await world.streamed(surface, modes):
            if mode == "messages":
                ui.take(piece[0])
            elif mode == "values":
                values.append(piece["messages"])
        kept = await world.state()
        assert (world.sim.count("primary"), world.sim.count("backup")) == (1, 1)
    assert "".join(ui.seen).startswith("first-0 first-1")  # it was really shown
    assert ui.texts == [WHOLE]
    [shown] = ui.held.values()
    assert [one.text for one in kept] == ["hello?", WHOLE]
    assert [one.text for one in values[-1]] == ["hello?", WHOLE]
    answer = kept[-1]
    assert answer.id == shown.id
    assert answer.response_metadata["model_name"] == "backup"
    assert answer.response_metadata["finish_reason"] == "stop"
    for message in (answer, shown):
        used = message.usage_metadata
        assert (used["input_tokens"], used["output_tokens"]) == (7, 60)
    check_trace(recorder)


def check_trace(recorder):
    """Look whether one run of a model is told, with the second answer alone."""
    ends = [one for one in recorder.ended if one["run_type"] == "llm"]
    assert len(ends) == 1
    assert ends[0]["error"] is None
    [[generation]] = ends[0]["outputs"]["generations"]
    assert generation["text"] == generation["message"]["kwargs"]["content"] == WHOLE
    used = ends[0]["extra"]["metadata"]["usage_metadata"]
    assert (used["input_tokens"], used["output_tokens"]) == (7, 60)
    assert not any("first-" in str(one["outputs"]) for one in recorder.ended)


async def test_who_reads_events_v2_holds_one_whole_answer(struck, recorder):
    ui, ends = Bubbles(), []
    async with struck as world:
        events = world.agent.astream_events(ASKED, THREAD, version="v2")
        async for event in events:
            match event:
                case {"event": "on_chat_model_stream", "data": {"chunk": chunk}}:
                    ui.take(chunk)
                case {
                    "event": "on_custom_event",
                    "data": {"type": "restarted"} as data,
                }:
                    ui.take(RemoveMessage(id=data["message_id"]))
                case {"event": "on_chat_model_end", "data": {"output": output}}:
                    ends.append(output.text)
    assert "".join(ui.seen).startswith("first-0 first-1")
    assert ui.texts == [WHOLE] == ends
    check_trace(recorder)


async def test_langgraphs_own_reducer_takes_the_removal(struck):
    """A client that keeps its messages by `add_messages`, as a graph does."""
    held: list[Any] = []
    ui = Bubbles()
    async with struck as world:
        for message, _ in await world.streamed("astream", "messages"):
            ui.take(message)
            if isinstance(message, RemoveMessage):
                held = add_messages(held, [message])
            elif isinstance(message, AIMessageChunk):
                held = add_messages(held, [ui.held[message.id]])
    assert [one.text for one in held] == [WHOLE]


@pytest.mark.parametrize("surface", ["stream", "astream"])
async def test_a_broken_tool_call_is_not_made(surface, recorder):
    asked_for = []

    def weather(city: str) -> str:
        """Say what the weather is like."""
        asked_for.append(city)
        return f"Sunny in {city}."

    calls = says("Let me look.", calls=[tool_call("weather", city="Oslo")])
    right = says(calls=[tool_call("weather", city="Rome")])
    ui = Bubbles()
    async with world(
        lambda _: [content_then_cut(calls, after=5)],
        [right, answers()[1]],
        tools=[weather],
    ) as made:
        for message, _ in await made.streamed(surface, "messages"):
            ui.take(message)
        kept = await made.state()
    assert asked_for == ["Rome"]
    assert [one.type for one in kept] == ["human", "ai", "tool", "ai"]
    assert "".join(ui.seen).startswith("Let me")
    assert ui.texts == ["", WHOLE]
    [call] = next(iter(ui.held.values())).tool_calls
    assert (call["name"], call["args"]) == ("weather", {"city": "Rome"})
    assert not any("Oslo" in str(one["outputs"]) for one in recorder.ended)


async def test_many_threads_at_once_hold_their_own_answers():
    def backup(request):
        return says(f"An answer to {request.body['messages'][-1]['content']}")

    async def one(agent, number):
        ui, given = Bubbles(), {"messages": [("user", f"question {number}")]}
        thread: Any = {"configurable": {"thread_id": f"t{number}"}}
        async for message, _ in agent.astream(given, thread, stream_mode="messages"):
            ui.take(message)
        return ui.texts

    first, _ = answers()
    async with world(lambda _: [content_then_cut(first, after=40)], [backup]) as made:
        texts = await asyncio.gather(*[one(made.agent, n) for n in range(8)])
    assert texts == [[f"An answer to question {n}"] for n in range(8)]
