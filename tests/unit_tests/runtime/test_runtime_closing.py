"""An async stream closes what it stands on, once, and makes no noise at the end."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from inspect import isasyncgen

import pytest

from langchain_reliable import ReliableChatModel
from langchain_reliable._runtime.closing import ClosingStream, GeneratorStack
from langchain_reliable.testing import ScriptedChatModel, says


class Layers:
    """A stream that stands on another, which closes slowly."""

    def __init__(self) -> None:
        self.closed: list[str] = []

    async def upper(self):
        async for one in self.lower():
            yield one

    async def lower(self):
        try:
            for number in range(3):
                yield number
        finally:
            await asyncio.sleep(0)
            self.closed.append("lower")


def stream(layers, *, is_told=False):
    return ClosingStream(layers.upper(), GeneratorStack(), is_told=is_told)


@pytest.mark.parametrize("is_told", [False, True])
async def test_it_hands_on_what_it_stands_on(is_told):
    layers = Layers()
    assert [one async for one in stream(layers, is_told=is_told)] == [0, 1, 2]
    assert layers.closed == ["lower"]


async def test_what_begins_with_the_first_chunk_is_closed_to_the_bottom():
    layers = Layers()
    async with aclosing(stream(layers)) as chunks:
        assert await anext(chunks) == 0
        assert not layers.closed
    assert layers.closed == ["lower"]
    assert [one async for one in chunks] == []


async def test_a_stream_of_nothing_ends_at_once():
    async def nothing():
        return
        yield

    chunks = ClosingStream(nothing(), GeneratorStack(), is_told=False)
    assert await anext(chunks, "end") == "end"


def model():
    child = ScriptedChatModel(script=[says("a b c d e f g h", pause=0.05)])
    return ReliableChatModel(models=[child])


async def test_a_models_stream_is_no_generator_that_a_loop_would_close():
    chunks = model().astream("hi")
    assert not isasyncgen(chunks)
    await chunks.aclose()


@pytest.mark.parametrize("moment", [0.06, 0.1, 0.15])
def test_a_loop_that_ends_in_mid_stream_ends_quietly(moment):
    told = []

    async def read():
        async for _ in model().astream("hi"):
            await asyncio.sleep(0.05)

    async def leave():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(context))
        task = asyncio.create_task(read())
        await asyncio.sleep(moment)
        assert not task.done()

    asyncio.run(leave())
    assert not told


async def test_after_a_break_python_closes_the_child_a_little_later():
    gone = asyncio.Event()

    class Child(ScriptedChatModel):
        async def _astream(self, *args, **kwargs):
            try:
                async for chunk in super()._astream(*args, **kwargs):
                    yield chunk
            finally:
                gone.set()

    reliable = ReliableChatModel(models=[Child(script=[says("a b c")])])
    async for _ in reliable.astream("hi"):
        break
    await asyncio.wait_for(gone.wait(), 5)
