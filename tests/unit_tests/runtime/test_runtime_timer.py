"""The timer of an async stream looks by itself, never too early."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from langchain_reliable._core.timeouts import AttemptTimer, Timeouts
from langchain_reliable._runtime.clock import SystemClock
from langchain_reliable._runtime.timer import WaitTimer, within_limits
from langchain_reliable.errors import AttemptTimeout

LIMIT = 0.16


class CountingClock(SystemClock):
    asked = 0

    def now(self):
        self.asked += 1
        return super().now()


class Turned(WaitTimer):
    """One that only looks when a test lets it."""

    def _arm(self, rings_at):
        self._rings_at = rings_at


def timer(limits, clock, *, chunks, kind=WaitTimer):
    attempt = AttemptTimer(limits, clock.now(), streams=True)
    attempt.payload_arrived()
    one = kind(attempt, clock)
    one.counted = chunks
    return one


async def test_a_wait_is_ended_late_but_never_early():
    chunks, loop = ["a"], asyncio.get_running_loop()
    one = timer(Timeouts(idle=LIMIT), SystemClock(), chunks=chunks)
    one.set()
    chunks.append("b")
    one.set_again()
    began = loop.time()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.sleep(5)
    assert LIMIT <= loop.time() - began < 4
    assert one.uncancelled()
    one.close()


async def test_chunks_that_come_in_time_are_waited_for_as_long_as_they_come():
    chunks, now = ["a"], [0.0]
    one = timer(Timeouts(idle=60), SystemClock(), chunks=chunks, kind=Turned)
    one._time = lambda: now[0]
    one.set()
    for _ in range(12):
        now[0] += 40
        chunks.append("b")
        one.task = None
        one.set_again()
        one._ring()
        now[0] += 19
        one._ring()
    assert not one.fired
    now[0] += 42
    one._ring()
    assert one.fired
    with pytest.raises(asyncio.CancelledError):
        await asyncio.sleep(5)
    assert one.uncancelled()
    one.close()


async def test_a_consumer_may_take_its_time():
    now = [0.0]
    one = timer(Timeouts(idle=60), SystemClock(), chunks=["a"], kind=Turned)
    one._time = lambda: now[0]
    one.set()
    one.task = None  # it has the chunk
    now[0] += 100
    one._ring()
    assert not one.armed
    one.set_again()
    now[0] += 59
    one._ring()
    assert not one.fired
    one.close()


async def test_nothing_asks_for_the_time_per_chunk():
    clock, chunks = CountingClock(), ["a"]
    one = timer(Timeouts(idle=60), clock, chunks=chunks)
    one.set()
    asked = clock.asked
    for _ in range(100):
        chunks.append("b")
        one.set_again()
    assert clock.asked == asked
    one.close()


async def test_a_deadline_is_met_to_the_moment():
    clock = SystemClock()
    one = timer(Timeouts(idle=60, attempt=LIMIT), clock, chunks=["a"])
    began = asyncio.get_running_loop().time()
    one.set_again()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.sleep(5)
    assert asyncio.get_running_loop().time() - began < 4
    assert one.uncancelled()
    with pytest.raises(TimeoutError):
        one.set()


async def test_another_task_may_ask_for_the_next_chunk():
    one = timer(Timeouts(idle=60), SystemClock(), chunks=["a"])
    one.set()

    async def other():
        one.set_again()
        return one.task is asyncio.current_task()

    assert await asyncio.create_task(other())
    assert not one.cancelled
    one.close()


async def test_a_child_that_takes_no_notice_is_left_all_the_same():
    one = timer(Timeouts(idle=0.01), SystemClock(), chunks=["a"])
    one.set()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.sleep(5)
    with pytest.raises(asyncio.CancelledError):
        one.arrived()
    assert one.uncancelled()


async def test_what_has_no_time_left_is_not_begun_and_python_does_not_warn():
    async def work():
        raise AssertionError

    clock = SystemClock()
    over = AttemptTimer(Timeouts(attempt=1), clock.now() - 2, streams=False)
    never_begun = work()
    with pytest.raises(AttemptTimeout):
        await within_limits(never_begun, over, clock)
    assert inspect.getcoroutinestate(never_begun) == inspect.CORO_CLOSED
