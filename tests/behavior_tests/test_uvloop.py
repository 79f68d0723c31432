"""The same on an event loop that is not asyncio's own.

Limits stand on a loop's timers and tasks, so another loop is where they could differ.
"""

from __future__ import annotations

import asyncio

import pytest
from langchain_openai import ChatOpenAI

from langchain_reliable import ReliableChatModel, StreamInterrupted
from langchain_reliable._children.chat_model import ChatChild
from langchain_reliable.errors import AttemptTimeout
from langchain_reliable.testing import (
    Gate,
    ScriptedChatModel,
    hang_after_headers,
    stalls,
)

uvloop = pytest.importorskip("uvloop", reason="there is no uvloop for Windows")
SOON = 0.05


@pytest.fixture
def run():
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield runner.run


@pytest.fixture
def gate():
    with Gate() as gate:
        yield gate


def model_of(*script, **settings):
    first = ScriptedChatModel(model="first", script=list(script))
    second = ScriptedChatModel(model="second", script=["the second"])
    return first, ReliableChatModel(models=[first, second], **settings)


async def heard(model):
    return "".join([chunk.text async for chunk in model.astream("?")])


def test_a_silent_model_is_left_for_the_next(run, gate):
    first, model = model_of(stalls(gate), first_chunk_timeout=SOON)
    assert run(heard(model)) == "the second"
    assert first.open_streams == 0


def test_silence_in_mid_answer_is_an_interruption(run, gate):
    first, model = model_of(stalls(gate, "one two three", after=1), idle_timeout=SOON)
    with pytest.raises(StreamInterrupted) as caught:
        run(heard(model))
    assert caught.value.kind == "timeout"
    assert first.open_streams == 0


def test_a_whole_answer_is_limited_too(run, gate):
    silent = ScriptedChatModel(script=[stalls(gate)])
    alone = ReliableChatModel(models=[silent], attempt_timeout=SOON)
    with pytest.raises(AttemptTimeout):
        run(alone.ainvoke("?"))


def test_a_cancellation_stays_one_and_closes_what_was_open(run, gate):
    first, model = model_of(stalls(gate))

    async def go():
        task = asyncio.create_task(heard(model))
        while not first.open_streams:  # noqa: ASYNC110 - it tells of no event
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return first.open_streams

    assert run(go()) == 0


def test_a_real_client_at_a_silent_provider(run, clients):
    clients.sim.script("gpt", hang_after_headers())
    clients.sim.script("backup", "the backup")
    silent, backup = (
        ChatOpenAI(model=name, base_url=clients.sim.openai_url, api_key="x")
        for name in ("gpt", "backup")
    )
    model = ReliableChatModel(models=[silent, backup], first_chunk_timeout=SOON)

    async def go():
        text = await heard(model)
        for candidate in model.models:
            for child in candidate._kept.values():
                if isinstance(child, ChatChild):  # what else is known of it is kept too
                    await child._model.root_async_client.close()
        return text

    assert run(go()) == "the backup"
