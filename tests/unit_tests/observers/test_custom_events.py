"""A chat UI hears of trouble while it happens, in order, and never waits for it."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import sys
import threading
from typing import Any, TypedDict

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_core.tracers._streaming import _StreamingCallbackHandler
from langgraph.graph import END, START, StateGraph

from langchain_reliable import AllModelsFailed, StreamInterrupted
from langchain_reliable.observers import CustomEventObserver, _dispatch
from langchain_reliable.testing import ScriptedChatModel, fails, says

DOWN = "gpt-5.4 could not be reached"
SWITCH = f"{DOWN}; asking claude-sonnet-5"


@pytest.fixture
def model(reliable):
    gpt = ScriptedChatModel(model="gpt-5.4", script=[ConnectionError("no route")])
    claude = ScriptedChatModel(model="claude-sonnet-5", script=["Hello there."])
    return reliable(gpt, claude, observers=[CustomEventObserver()], max_retries=1)


@pytest.fixture
def chain(model):
    return ChatPromptTemplate.from_template("Tell me of {animal}") | model


async def heard(runnable, question):
    """Return what a UI hears, in order: a word for each token, the trouble in full."""
    told = []
    async for event in runnable.astream_events(question, version="v2"):
        if event["event"] == "on_custom_event":
            assert event["name"] == "reliable"
            json.dumps(event["data"])
            told.append(event["data"]["text"])
        if event["event"] == "on_chat_model_stream":
            told.append("token")
        if event["event"] == "on_chat_model_start":
            told.append("starts")
    return told


def in_words(told):
    """Return the order of things: runs of tokens become one."""
    return [one for at, one in enumerate(told) if one != "token" or told[at - 1] != one]


STORY = [
    DOWN,
    "waiting 0.25 s before asking gpt-5.4",
    DOWN,
    SWITCH,
]


async def test_astream_events_tells_of_the_switch_before_the_first_token(chain):
    told = in_words(await heard(chain, {"animal": "bears"}))
    assert told == ["starts", *STORY, "token"]


async def test_so_it_does_around_sync_code_in_a_thread(chain):
    sync = RunnableLambda(lambda question: chain.invoke(question).text)
    told = in_words(await heard(sync, {"animal": "bears"}))
    assert [one for one in told if one not in ("starts", "token")] == STORY


async def test_and_around_async_code_of_yours(chain):
    async def ask(question: dict[str, str]) -> str:
        return (await chain.ainvoke(question)).text

    told = in_words(await heard(RunnableLambda(ask), {"animal": "bears"}))
    assert told == ["starts", *STORY, "token"]


def test_is_silent_without_a_run_around_it(surface, model, caplog):
    assert surface(model).text == "Hello there."
    assert "observer" not in caplog.text


def test_is_silent_where_nothing_goes_wrong(reliable, run):
    calm = reliable(ScriptedChatModel(), observers=[CustomEventObserver()])
    told = run(heard(ChatPromptTemplate.from_template("{a}") | calm, {"a": "b"}))
    assert in_words(told) == ["starts", "token"]


# --- LangGraph --------------------------------------------------------------------


class State(TypedDict, total=False):
    said: str


def graph(node):
    builder = StateGraph(State)
    builder.add_node("ask", node)
    builder.add_edge(START, "ask")
    builder.add_edge("ask", END)
    return builder.compile()


def test_a_langgraph_custom_stream_shows_it(model):
    def ask(state: State) -> State:
        return {"said": model.invoke("?").text}

    *told, last = graph(ask).stream({}, stream_mode=["custom", "updates"])
    assert [one["reliable"]["text"] for _, one in told] == STORY
    assert last == ("updates", {"ask": {"said": "Hello there."}})


async def test_so_does_its_async_twin_in_order_with_the_tokens(model):
    async def ask(state: State) -> State:
        return {"said": (await model.ainvoke("?")).text}

    told = [
        data["reliable"]["text"] if mode == "custom" else "token"
        async for mode, data in graph(ask).astream(
            {}, stream_mode=["custom", "messages"]
        )
    ]
    assert in_words(told) == [*STORY, "token"]


# --- who listens ------------------------------------------------------------------


class Plain(BaseCallbackHandler):
    def __init__(self) -> None:
        self.told: list[Any] = []

    def on_custom_event(self, name: str, data: Any, **facts: Any) -> None:
        assert facts["run_id"]
        self.told.append(data["type"])


class Waits(AsyncCallbackHandler):
    def __init__(self) -> None:
        self.told: list[Any] = []
        self.threads: set[int] = set()

    async def on_custom_event(self, name: str, data: Any, **facts: Any) -> None:
        await asyncio.sleep(0)
        self.threads.add(threading.get_ident())
        self.told.append(data["type"])


class Raises(BaseCallbackHandler):
    raise_error = True

    def on_custom_event(self, name: str, data: Any, **facts: Any) -> None:
        raise ValueError("not today")


TYPES = ["attempt_failed", "waiting", "attempt_failed", "failed_over"]


def test_handlers_of_all_kinds_hear_of_a_sync_call(chain):
    plain, waits = Plain(), Waits()
    chain.invoke({"animal": "bears"}, {"callbacks": [plain, waits]})
    assert plain.told == waits.told == TYPES


async def test_a_handler_that_waits_is_heard_in_its_own_loop_and_never_waited_for(
    chain,
):
    plain, waits = Plain(), Waits()
    await chain.ainvoke({"animal": "bears"}, {"callbacks": [plain, waits]})
    assert plain.told == TYPES
    for _ in range(100):
        await asyncio.sleep(0)
    assert waits.told == TYPES
    assert waits.threads == {threading.get_ident()}
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.filterwarnings("ignore")
def test_a_handler_that_raises_does_not_break_the_call(chain):
    said = chain.invoke({"animal": "bears"}, {"callbacks": [Raises()]})
    assert said.text == "Hello there."


# --- the rest ---------------------------------------------------------------------


def collected(model, how):
    plain = Plain()
    ask = RunnableLambda(lambda _: list(model.stream("?")))
    with pytest.raises(how):
        ask.invoke("", {"callbacks": [plain]})
    return plain.told


def test_tells_how_a_call_ended_badly(reliable):
    observers = [CustomEventObserver()]
    down = ScriptedChatModel(script=[ConnectionError("no")])
    model = reliable(down, down, max_retries=0, observers=observers)
    assert collected(model, AllModelsFailed)[-1] == "gave_up"
    cut = fails(ConnectionError, says("one two three"), after=2)
    model = reliable(ScriptedChatModel(script=[cut]), observers=observers)
    assert collected(model, StreamInterrupted) == ["interrupted"]


def test_has_the_name_that_was_chosen_and_survives_copies():
    observer = CustomEventObserver("llm")
    assert copy.deepcopy(observer) is observer
    assert pickle.loads(pickle.dumps(observer))._name == "llm"  # noqa: S301 - our own


def test_writes_to_no_graph_where_there_is_none(model, monkeypatch):
    monkeypatch.delitem(sys.modules, "langgraph.config")
    plain = Plain()
    RunnableLambda(lambda _: model.invoke("?")).invoke("", {"callbacks": [plain]})
    assert plain.told == TYPES


def test_a_streaming_handler_that_ignores_custom_events_is_not_called(model):
    class Deaf(BaseCallbackHandler, _StreamingCallbackHandler):
        ignore_custom_event = True

        def on_custom_event(self, *args: Any, **facts: Any) -> None:
            pytest.fail("called")

        def tap_output_iter(self, run_id: Any, output: Any) -> Any:
            return output

        def tap_output_aiter(self, run_id: Any, output: Any) -> Any:
            return output

    ask = RunnableLambda(lambda _: model.invoke("?").text)
    assert ask.invoke("", {"callbacks": [Deaf()]}) == "Hello there."


def test_one_of_langchain_that_begins_to_wait_is_reported(model, caplog):
    class Changed(BaseCallbackHandler, _StreamingCallbackHandler):
        async def on_custom_event(self, *args: Any, **facts: Any) -> None:
            await asyncio.sleep(0)

        def tap_output_iter(self, run_id: Any, output: Any) -> Any:
            return output

        def tap_output_aiter(self, run_id: Any, output: Any) -> Any:
            return output

    _dispatch._reported.clear()
    ask = RunnableLambda(lambda _: model.invoke("?").text)
    assert ask.invoke("", {"callbacks": [Changed()]}) == "Hello there."
    assert "an observer (CustomEventObserver) raised" in caplog.text
