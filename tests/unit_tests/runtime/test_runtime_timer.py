"""The timer of an async stream looks by itself, never too early."""

from __future__ import annotations

import asyncio

import pytest

from langchain_reliable._core.timeouts import AttemptTimer, Timeouts
from langchain_reliable._runtime.clock import SystemClock
from langchain_reliable._runtime.timer import WaitTimer

LIMIT = 0.16


class CountingClock(SystemClock):
    asked = 0

    def now(self):
        self.asked += 1
        return super().now()


def timer(limits, clock, *, chunks):
    attempt = AttemptTimer(limits, clock.now(), streams=True)
    attempt.payload_arrived()
    one = WaitTimer(attempt, clock)
    one.counted = chunks
    return one


async def test_a_wait_is_ended_late_but_never_early():
    chunks, loop = ["a"], asyncio.get_running_loop()
    one = timer(Timeouts(idle=LIMIT), SystemClock(), chunks=chunks)
    one.set()
    await asyncio.sleep(LIMIT / 2)
    chunks.append("b")
    one.set_again()
    began = loop.time()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.sleep(5)
    assert LIMIT <= loop.time() - began < 4
    assert one.uncancelled()
    one.close()


async def test_chunks_that_come_in_time_are_waited_for_as_long_as_they_come():
    chunks = ["a"]
    one = timer(Timeouts(idle=LIMIT), SystemClock(), chunks=chunks)
    one.set()
    for _ in range(12):
        await asyncio.sleep(LIMIT / 8)
        chunks.append("b")
        one.task = None
        one.set_again()
    assert not one.fired
    one.close()


async def test_a_consumer_may_take_its_time():
    one = timer(Timeouts(idle=LIMIT), SystemClock(), chunks=["a"])
    one.set()
    one.task = None  # it has the chunk
    await asyncio.sleep(1.5 * LIMIT)
    assert not one.fired
    assert not one.armed
    one.set_again()
    await asyncio.sleep(LIMIT / 4)
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
