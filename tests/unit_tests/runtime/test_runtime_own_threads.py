"""Blocking calls in async: threads of one's own, bounded, and never the loop's."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from contextvars import ContextVar

import pytest

from langchain_reliable._runtime import own_threads
from langchain_reliable._runtime.own_threads import OwnThreads

WHO = ContextVar("WHO", default="nobody")


async def test_work_sees_the_callers_context_and_returns():
    WHO.set("me")
    assert await OwnThreads().call(lambda at: (at, WHO.get()), 1) == (1, "me")


@pytest.mark.parametrize(
    ("raised", "seen"), [(ValueError, ValueError), (StopIteration, RuntimeError)]
)
async def test_what_is_raised_there_is_raised_here(raised, seen):
    def fail():
        raise raised("no")

    with pytest.raises(seen, match="no"):
        await OwnThreads().call(fail)


async def test_work_beyond_the_bound_waits_for_its_turn():
    threads, go = OwnThreads(most=2), threading.Event()
    began = []

    def work(number):
        began.append(number)
        go.wait(10)
        return number

    calls = [asyncio.ensure_future(threads.call(work, n)) for n in range(5)]
    while len(began) < 2:  # noqa: ASYNC110 - told by other threads
        await asyncio.sleep(0)
    assert sorted(began) == [0, 1]
    go.set()
    assert await asyncio.gather(*calls) == [0, 1, 2, 3, 4]


async def test_who_went_away_is_not_worked_for():
    threads, go, began = OwnThreads(most=1), threading.Event(), []
    first = asyncio.ensure_future(threads.call(go.wait, 10))
    second = asyncio.ensure_future(threads.call(began.append, 2))
    await asyncio.sleep(0)
    second.cancel()
    go.set()
    assert await first
    assert await threads.call(lambda: "third") == "third"
    assert not began


async def test_the_loops_own_threads_stay_free():
    threads, go = OwnThreads(), threading.Event()
    hung = [asyncio.ensure_future(threads.call(go.wait, 10)) for _ in range(20)]
    assert await asyncio.to_thread(lambda: "free") == "free"
    go.set()
    await asyncio.gather(*hung)


class Chunks:
    """An iterable that remembers how it was left."""

    def __init__(self, *chunks):
        self.rest = list(chunks)
        self.closed = False

    def __iter__(self):
        try:
            yield from self.rest
        finally:
            self.closed = True


async def test_a_stream_is_read_and_closed():
    chunks = Chunks(1, 2)
    assert [one async for one in OwnThreads().stream(lambda: chunks)] == [1, 2]
    assert chunks.closed


async def test_a_stream_that_is_left_is_closed_before_control_returns():
    chunks = Chunks(1, 2)
    stream = OwnThreads().stream(lambda: chunks)
    assert await anext(stream) == 1
    await stream.aclose()
    assert chunks.closed


async def test_a_stream_that_is_cancelled_while_it_waits_is_left_behind():
    go = threading.Event()

    def silent():
        go.wait(10)
        yield 1

    stream = OwnThreads().stream(silent)
    task = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()


async def test_what_comes_after_its_consumer_went_is_closed_by_its_thread():
    go, closed, began = threading.Event(), threading.Event(), threading.Event()

    def late():
        try:
            began.set()
            go.wait(10)
            yield 1
            yield 2
        finally:
            closed.set()

    task = asyncio.ensure_future(anext(OwnThreads().stream(late)))
    assert await asyncio.to_thread(began.wait, 5)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    go.set()
    assert await asyncio.to_thread(closed.wait, 5)


async def test_a_stream_that_is_left_before_its_thread_begins_is_not_opened():
    threads, go, opened = OwnThreads(most=1), threading.Event(), []
    first = asyncio.ensure_future(threads.call(go.wait, 10))
    stream = threads.stream(lambda: opened.append(1) or ())
    task = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    go.set()
    assert await first
    assert await threads.call(lambda: "next") == "next"
    assert not opened


async def test_nothing_is_read_for_nobody():
    steps = own_threads._Steps(lambda: iter([1]))
    assert not steps.leave()
    assert steps.step() is own_threads._END
