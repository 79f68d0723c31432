"""Whatever a child finishes with, no tool call is handed out that is not whole.

And all surfaces agree: what was not shown is asked for again, in each of them alike;
what was shown leaves as it is, or as an interrupted stream if a tool could run with it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.output_parsers.openai_tools import (
    make_invalid_tool_call,
    parse_tool_call,
)
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langgraph.graph import START, MessagesState, StateGraph
from turned_clock import TurnedClock

from langchain_reliable import AllModelsFailed, ReliableChatModel, StreamInterrupted

LENGTHS = ("length", "max_tokens")
FILTERS = ("content_filter", "refusal", "SAFETY")
ODD = ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL")
WITHOUT_LIMITS = {"first_chunk_timeout": None, "idle_timeout": None}


@pytest.fixture(autouse=True)
def _quiet(caplog):
    """What is logged of hundreds of failing calls helps nobody."""
    caplog.set_level(logging.CRITICAL, logger="langchain_reliable")


@dataclass(frozen=True)
class Finished:
    """What a child has said by its end.

    `dialect` is how its calls arrive: `text` in pieces by index, `at_once` as text in
    one piece each, `mapping` as already read.
    """

    text: str = ""
    thoughts: str = ""
    calls: tuple[str, ...] = ()
    finish: str = "stop"
    dialect: str = "text"
    at: int = 5

    @property
    def provider(self):
        return "mine" if self.dialect == "mapping" else "openai"

    @property
    def read(self):
        return [_read(text) for text in self.calls]

    @property
    def is_broken(self):
        """Whether a tool call must not run, as the contract says."""
        if self.finish in ODD or None in self.read:
            return True
        if not self.calls or self.finish not in (*LENGTHS, *FILTERS):
            return False
        return self.dialect == "mapping" or not self.read[-1]

    @property
    def is_silent(self):
        return not self.text.strip() and not self.calls and self.finish == "stop"

    @property
    def shows_something(self):
        return bool(self.text.strip() or self.thoughts or self.calls)


def _read(text):
    if not text.strip():
        return {}
    try:
        args = json.loads(text, strict=False)
    except ValueError:
        return None
    return args if isinstance(args, dict) else None


class Ended(BaseChatModel):
    """A child that ends so, in pieces as in one."""

    said: Finished

    @property
    def _llm_type(self):
        return "ended"

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        calls, invalid = [], []
        for at, text in enumerate(self.said.calls):
            raw = {"id": f"call_{at}", "function": {"name": "f", "arguments": text}}
            try:
                calls.append(parse_tool_call(raw))
            except Exception as error:  # noqa: BLE001 - as partner packages do
                invalid.append(make_invalid_tool_call(raw, str(error)))
        message = AIMessage(
            content=self.said.text,
            additional_kwargs=self._thoughts,
            response_metadata=self._metadata,
            tool_calls=calls,
            invalid_tool_calls=invalid,
        )
        info = {"finish_reason": self.said.finish}
        return ChatResult(
            generations=[ChatGeneration(message=message, generation_info=info)]
        )

    def _stream(self, messages, stop=None, run_manager=None, **kwargs):
        yield self._chunk()
        if self.said.thoughts:
            yield self._chunk(additional_kwargs=self._thoughts)
        if self.said.text:
            yield self._chunk(self.said.text)
        for at, text in enumerate(self.said.calls):
            yield from self._call(at, text)
        yield self._chunk(info={"finish_reason": self.said.finish})

    def _call(self, at, text):
        named = {"name": "f", "args": "", "id": f"call_{at}", "index": at}
        if self.said.dialect != "text":
            yield self._chunk(tool_call_chunks=[{**named, "args": text}])
            return
        yield self._chunk(tool_call_chunks=[named])
        for n in range(0, len(text), self.said.at):
            args = text[n : n + self.said.at]
            told = [{"name": None, "args": args, "id": None, "index": at}]
            yield self._chunk(tool_call_chunks=told)

    def _chunk(self, content="", info=None, **fields):
        message = AIMessageChunk(
            content=content, response_metadata=self._metadata, **fields
        )
        return ChatGenerationChunk(message=message, generation_info=info)

    @property
    def _metadata(self):
        return {"model_provider": self.said.provider}

    @property
    def _thoughts(self):
        said = self.said.thoughts
        return {"reasoning_content": said} if said else {}


BACKUP = Finished(text="from the backup", calls=('{"from": "backup"}',))


def our_model(said, **fields):
    models = [Ended(said=said), Ended(said=BACKUP)]
    model = ReliableChatModel(models=models, **{**WITHOUT_LIMITS, **fields})
    model._clock = TurnedClock(chance=0.5)
    return model


# --- surfaces -------------------------------------------------------------------------


def _sum(chunks):
    whole = None
    for chunk in chunks:
        whole = chunk if whole is None else whole + chunk
    return whole


async def _astream(model):
    return _sum([chunk async for chunk in model.astream("?")])


async def _events_v2(model):
    async for event_ in model.astream_events("?", version="v2"):
        if event_["event"] == "on_chat_model_end":
            return event_["data"]["output"]
    return None


def _events_v3(model):
    stream = model.stream_events("?", version="v3")
    for _ in stream:
        pass
    return stream.output


def _graph(model):
    def node(state):
        return {"messages": [model.invoke(state["messages"])]}

    graph = StateGraph(MessagesState).add_node("node", node).add_edge(START, "node")
    given = {"messages": [("user", "?")]}
    modes = ["messages", "values"]
    seen = list(graph.compile().stream(given, stream_mode=modes))
    return [piece for mode, piece in seen if mode == "values"][-1]["messages"][-1]


UNSHOWN = {
    "invoke": lambda model: model.invoke("?"),
    "ainvoke": lambda model: asyncio.run(model.ainvoke("?")),
    "batch": lambda model: model.batch(["?"])[0],
}
SHOWN = {
    "stream": lambda model: _sum(model.stream("?")),
    "astream": lambda model: asyncio.run(_astream(model)),
    "events v2": lambda model: asyncio.run(_events_v2(model)),
    "events v3": _events_v3,
    "messages": _graph,
}


def outcome(ask, model) -> Any:
    try:
        return ask(model)
    except (AllModelsFailed, StreamInterrupted) as error:
        return error


def args_of(message):
    return [call["args"] for call in message.tool_calls]


# --- the property ---------------------------------------------------------------------

values = st.one_of(st.integers(), st.text(max_size=6), st.booleans())
objects = st.dictionaries(st.text(max_size=4), values, max_size=3).map(json.dumps)


@st.composite
def texts(draw):
    """Arguments: an object, none, one that was cut, or one that broke."""
    text = draw(objects)
    match draw(st.sampled_from(["whole", "whole", "none", "cut", "broken"])):
        case "none":
            return draw(st.sampled_from(["", "{}"]))
        case "cut":
            return text[: draw(st.integers(0, len(text)))]
        case "broken":
            return text.replace('"', "", 1) + draw(st.sampled_from(["", "}", "x"]))
    return text


@st.composite
def answers(draw):
    dialect = draw(st.sampled_from(["text", "text", "at_once", "mapping"]))
    calls = draw(st.lists(objects if dialect == "mapping" else texts(), max_size=3))
    for text in calls:  # what else LangChain takes for an object, it does before us
        assume(_read(text) is not None or not _is_json(text))
    return Finished(
        text=draw(st.sampled_from(["", "", " \n", "hello"])),
        thoughts=draw(st.sampled_from(["", "hm"])),
        calls=tuple(calls),
        finish=draw(st.sampled_from(["stop", "stop", *LENGTHS, *FILTERS, *ODD])),
        dialect=dialect,
        at=draw(st.integers(1, 9)),
    )


def _is_json(text):
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


QUIETLY = {"suppress_health_check": [HealthCheck.function_scoped_fixture]}
policies = st.sampled_from([{}, {"verdicts": {"content_policy": "next"}}])


@settings(max_examples=30, deadline=None, **QUIETLY)
@given(said=answers(), policy=policies)
def test_no_surface_hands_out_a_call_that_is_not_whole(said, policy):
    for surfaces, fields, shown in (
        (UNSHOWN, policy, False),
        (SHOWN, {**policy, "commit_on": "complete"}, False),
        (SHOWN, policy, True),
    ):
        for name, ask in surfaces.items():
            told = outcome(ask, our_model(said, **fields))
            where = f"{name}, {fields}: {told!r}"
            assert fits(said, told, policy, shown=shown and said.shows_something), where


def fits(said, told, policy, *, shown):
    """Return whether an outcome is what the contract says of an answer."""
    filtered = said.finish in FILTERS and bool(policy)
    if shown and said.is_broken:
        event("interrupted")
        assert isinstance(told, StreamInterrupted), told
        return all(args in said.read for args in args_of(told.partial))
    if not shown and (said.is_broken or filtered or said.is_silent):
        event("asked elsewhere")
        return args_of(told) == [{"from": "backup"}]
    event("handed out")
    return told.text.strip() == said.text.strip() and args_of(told) == said.read


@settings(max_examples=20, deadline=None, **QUIETLY)
@given(said=answers().filter(lambda said: said.is_broken))
@pytest.mark.parametrize("way", UNSHOWN)
def test_where_nobody_is_better_the_answer_is_in_the_error(way, said):
    model = ReliableChatModel(models=[Ended(said=said)])
    model._clock = TurnedClock(chance=0.5)
    error = outcome(UNSHOWN[way], model)
    assert isinstance(error, AllModelsFailed)
    cut = said.finish in LENGTHS
    assert len(error.attempts) == (1 if cut else 2)  # the same limit would cut it again
    for attempt in error.attempts:
        assert attempt.failure.kind == "invalid_output"
        assert all(args in said.read for args in args_of(attempt.error.answer))
