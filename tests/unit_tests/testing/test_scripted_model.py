"""A model that follows its script on all four surfaces, and remembers."""

from __future__ import annotations

import asyncio
import copy

import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage
from langchain_core.runnables import ConfigurableField
from langchain_core.tools import tool

from langchain_reliable.testing import (
    Gate,
    Pause,
    ScriptedChatModel,
    Usage,
    fails,
    metadata_chunks,
    refuses,
    says,
    says_nothing,
    stalls,
    streams,
    tool_call,
)

everywhere = pytest.mark.parametrize(
    "surface", ["invoke", "ainvoke", "stream", "astream"]
)


class Boom(Exception):
    pass


class FakeClock:
    def __init__(self):
        self.time = 0.0

    def now(self):
        return self.time

    def sleep_until(self, moment, /):
        self.time = moment

    async def asleep_until(self, moment, /):
        self.time = moment


@everywhere
async def test_the_script_is_told_in_order_and_its_end_repeats(hear, surface):
    model = ScriptedChatModel(script=[Boom("first"), "second", says("third")])
    heard = [str(await hear(model, surface)) for _ in range(4)]
    assert heard == ["!Boom", "second|stop", "third|stop", "third|stop"]
    assert model.request_count == 4
    assert model.open_streams == 0


@everywhere
async def test_an_empty_script_answers_with_the_name(hear, surface):
    heard = await hear(ScriptedChatModel(model="backup"), surface)
    assert str(heard) == "Hello from backup.|stop"
    assert heard.message.response_metadata["model_name"] == "backup"
    assert heard.message.response_metadata["model_provider"] == "scripted"


@everywhere
async def test_everything_an_answer_can_hold(hear, surface):
    calls = [tool_call("add", a=1, b=2), tool_call("multiply", id="mine", a=3)]
    usage = Usage(input_tokens=4, output_tokens=2)
    script = says("so be it", thinks="let me see", calls=calls, usage=usage)
    message = (await hear(ScriptedChatModel(script=script), surface)).message
    assert message.text == "so be it"
    assert message.additional_kwargs["reasoning_content"] == "let me see"
    assert [(c["name"], c["args"]) for c in message.tool_calls] == [
        ("add", {"a": 1, "b": 2}),
        ("multiply", {"a": 3}),
    ]
    assert message.tool_calls[1]["id"] == "mine"
    assert message.response_metadata["finish_reason"] == "tool_calls"
    assert message.usage_metadata["total_tokens"] == 6


@everywhere
async def test_a_refusal(hear, surface):
    heard = await hear(ScriptedChatModel(script=refuses("no no")), surface)
    assert heard.message.additional_kwargs["refusal"] == "no no"


@everywhere
async def test_an_error_after_some_pieces(hear, surface):
    error = Boom("halfway")
    model = ScriptedChatModel(script=fails(error, says("a b c", silent=2), after=2))
    heard = await hear(model, surface)
    assert heard.error is error
    texts = [chunk.text for chunk in heard.chunks]
    assert texts == (["", "", "a", " b"] if "stream" in surface else [])
    assert model.opened_streams == (1 if "stream" in surface else 0)
    assert model.open_streams == 0


@pytest.mark.parametrize("after", [0, 1, 3])
async def test_an_error_strikes_where_it_was_told(hear, after):
    model = ScriptedChatModel(script=fails(Boom, "a b c", after=after))
    heard = await hear(model, "stream")
    assert len(heard.chunks) == after
    assert isinstance(heard.error, Boom)


def test_an_error_beyond_the_answer_is_refused():
    with pytest.raises(ValueError, match="after=4, but the answer has 3 pieces"):
        fails(Boom, "a b c", after=4)


@everywhere
async def test_an_error_class_gives_a_new_error_each_time(hear, surface):
    model = ScriptedChatModel(script=[Boom])
    first, second = await hear(model, surface), await hear(model, surface)
    assert isinstance(first.error, Boom)
    assert first.error is not second.error


async def test_the_closing_chunk_looks_like_a_partners(hear):
    model = ScriptedChatModel(model="m", script="one two")
    first, *_, last = (await hear(model, "stream")).chunks
    assert first.response_metadata == {"model_provider": "scripted"}
    assert last.response_metadata == {
        "finish_reason": "stop",
        "model_name": "m",
        "model_provider": "scripted",
    }
    assert last.usage_metadata is not None
    assert last.chunk_position == "last"


async def test_some_partners_mark_no_last_chunk(hear):
    model = ScriptedChatModel(script="one", marks_last=False, provider="openai")
    *chunks, added = (await hear(model, "stream")).chunks
    assert [chunk.chunk_position for chunk in chunks] == [None, None]
    assert added.chunk_position == "last"  # by LangChain
    assert chunks[0].response_metadata["model_provider"] == "openai"


@everywhere
async def test_message_ids_are_unique_per_request(hear, surface):
    model = ScriptedChatModel(model="m", script="one", message_ids=True)
    ids = [(await hear(model, surface)).message.id for _ in range(2)]
    assert ids == ["msg_m_1", "msg_m_2"]


async def test_a_missing_end(hear):
    model = ScriptedChatModel(script=says("one two", finish=None))
    heard = await hear(model, "stream")
    assert str(heard) == "one two|None"
    assert heard.message.usage_metadata is None


async def test_no_usage(hear):
    heard = await hear(ScriptedChatModel(script=says("one", usage=False)), "stream")
    assert heard.message.usage_metadata is None


async def test_nothing_at_all(hear):
    model = ScriptedChatModel(script=says_nothing(finish=None))
    assert str(await hear(model, "stream")) == "!ValueError"  # LangChain's
    assert str(await hear(model, "invoke")) == "|None"


@everywhere
async def test_a_turn_made_by_hand(hear, surface):
    model = ScriptedChatModel(
        script=streams(*metadata_chunks(2), "one", AIMessageChunk(" two"), Pause(3)),
        clock=(clock := FakeClock()),
    )
    assert str(await hear(model, surface)) == "one two|None"
    assert clock.time == 3


@everywhere
async def test_delays_and_pauses_pass_on_the_clock(hear, surface):
    clock = FakeClock()
    script = [says("one two", delay=5, pause=1), stalls(60, "one two", after=1)]
    model = ScriptedChatModel(script=script, clock=clock)
    assert str(await hear(model, surface)) == "one two|stop"
    assert clock.time == 7
    assert str(await hear(model, surface)) == "one two|stop"
    assert clock.time == 67


@everywhere
async def test_without_a_clock_real_time_passes(hear, surface):
    model = ScriptedChatModel(script=says("one", pause=0.001))
    assert str(await hear(model, surface)) == "one|stop"


async def test_a_gate_holds_a_stream_until_it_opens():
    with Gate() as gate:
        model = ScriptedChatModel(script=says("one two", gates={1: gate}))
        stream = model.astream("Hi")
        assert (await anext(stream)).text == "one"
        rest = asyncio.ensure_future(anext(stream))
        await gate.await_reached()
        assert gate.is_reached
        assert not gate.is_open
        assert model.open_streams == 1
        gate.open()
        assert (await rest).text == " two"
        await stream.aclose()
        assert model.open_streams == 0


async def test_a_stall_can_be_cancelled():
    gate = Gate()
    model = ScriptedChatModel(script=stalls(gate, "one two", after=1))
    call = asyncio.create_task(model.ainvoke("Hi"))
    await gate.await_reached()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    gate.open()
    assert (await model.ainvoke("Hi")).text == "one two"


def test_a_gate_opens_at_the_end_of_its_block():
    with Gate() as gate:
        model = ScriptedChatModel(script=says("one", gates={1: gate}))
        stream = model.stream("Hi")
        assert next(stream).text == "one"
    assert gate.is_open
    assert not gate.is_reached
    assert [chunk.text for chunk in stream] == [""]
    gate.wait_reached()


@everywhere
async def test_a_forgotten_gate_gives_up(hear, surface):
    model = ScriptedChatModel(script=stalls(Gate(limit=0.01), "one two"))
    heard = await hear(model, surface)
    assert isinstance(heard.error, TimeoutError)


@pytest.mark.parametrize("closing", ["close", "exhaust", "drop"])
def test_streams_are_counted_until_they_are_closed(closing):
    model = ScriptedChatModel(script="one two")
    stream = model.stream("Hi")
    assert model.opened_streams == 0  # nothing is asked before the first chunk
    next(stream)
    assert (model.opened_streams, model.open_streams) == (1, 1)
    if closing == "close":
        stream.close()
    elif closing == "exhaust":
        list(stream)
    del stream
    assert (model.opened_streams, model.open_streams) == (1, 0)


@everywhere
async def test_requests_are_remembered(hear, surface):
    model = ScriptedChatModel(model="m")
    await hear(model.bind(stop=["x"], temperature=0.5), surface, "What?")
    (request,) = model.requests
    assert request.messages == (HumanMessage("What?"),)
    assert request.stop == ("x",)
    assert request.kwargs == {"temperature": 0.5}
    assert request.streaming is ("stream" in surface)
    assert request.model == "m"


@everywhere
async def test_a_call_time_model_puts_its_name_to_the_answer(hear, surface):
    heard = await hear(ScriptedChatModel(model="m").bind(model="other"), surface)
    assert heard.message.response_metadata["model_name"] == "other"


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


async def test_bound_tools_are_remembered_and_converted():
    model = ScriptedChatModel(script=says(calls=[tool_call("add", a=1, b=2)]))
    answer = await model.bind_tools([add], tool_choice="any", strict=True).ainvoke("?")
    assert answer.tool_calls[0]["args"] == {"a": 1, "b": 2}
    (binding,) = model.bindings
    assert binding.tools == (add,)
    assert binding.kwargs == {"tool_choice": "any", "strict": True}
    (request,) = model.requests
    assert request.kwargs["tools"][0]["function"]["name"] == "add"
    assert request.kwargs["tool_choice"] == "any"


def test_binding_without_a_choice_passes_none():
    model = ScriptedChatModel()
    model.bind_tools([add]).invoke("?")
    assert "tool_choice" not in model.requests[0].kwargs


@pytest.mark.parametrize(
    "copied",
    [
        lambda model: model.model_copy(),
        lambda model: model.model_copy(update={"model": "other"}),
        lambda model: model.model_copy(deep=True),
        copy.copy,
        copy.deepcopy,
        lambda model: type(model)(**{name: getattr(model, name) for name in FIELDS}),
    ],
)
def test_copies_share_the_script_and_the_record(copied):
    gate = Gate()
    gate.open()
    model = ScriptedChatModel(script=["one", says("two", gates={0: gate}), "three"])
    other = copied(model)
    assert model.invoke("?").text == "one"
    assert other.invoke("?").text == "two"
    assert model.invoke("?").text == "three"
    assert model.request_count == other.request_count == 3


FIELDS = ("model", "script", "clock", "record")


def test_configured_instances_share_the_record():
    model = ScriptedChatModel(script=["one", "two"])
    field = ConfigurableField(id="name")
    chosen = model.configurable_fields(model=field).with_config(
        configurable={"name": "other"}
    )
    assert model.invoke("?").text == "one"
    assert chosen.invoke("?").text == "two"
    assert [request.model for request in model.requests] == ["scripted", "other"]


def test_dumps_and_reprs_leave_the_record_out():
    model = ScriptedChatModel(script="one")
    model.invoke("a secret question")
    assert "record" not in model.model_dump()
    assert "a secret question" not in repr(model)
    assert model._identifying_params == {"model": "scripted"}
    assert model._llm_type == "scripted-chat-model"


@pytest.mark.parametrize("entry", [3, None, object()])
def test_only_entries_belong_in_a_script(entry):
    with pytest.raises(ValueError, match="a script holds texts"):
        ScriptedChatModel(script=[entry])


class Tokens:
    """A run manager, as far as a model knows one."""

    def __init__(self):
        self.heard = []

    def on_llm_new_token(self, token, *, chunk):
        self.heard.append(token)


class AsyncTokens(Tokens):
    async def on_llm_new_token(self, token, *, chunk):
        self.heard.append(token)


async def test_a_run_manager_hears_each_token():
    model = ScriptedChatModel(script="one two")
    told, atold = Tokens(), AsyncTokens()
    list(model._stream([], run_manager=told))
    _ = [chunk async for chunk in model._astream([], run_manager=atold)]
    assert told.heard == atold.heard == ["one", " two", ""]
