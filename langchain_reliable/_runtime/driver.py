"""A pair of twins that carry out what the core says.

The only lines that sleep or await an attempt; the twins differ by `await`, and by
cancellation, which only async knows. Where another may be asked beside an attempt,
`race` and `race_threads` carry that out.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from langchain_reliable._core.steps import Confirm, GiveUp, Launch, Return, Wait
from langchain_reliable._runtime.race import arun_hedged
from langchain_reliable._runtime.race_threads import run_hedged

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from langchain_reliable._core.call import Call
    from langchain_reliable._core.steps import Attempt
    from langchain_reliable._runtime.clock import Clock

T = TypeVar("T")


def drive(  # noqa: C901, PLR0912 - a case for each step
    call: Call[T], open_: Callable[[Attempt], T], clock: Clock
) -> T:
    """Carry a call through in this thread.

    Args:
        call: Says what is next.
        open_: Asks one candidate and returns its answer, committed.
        clock: Time and chance.

    Returns:
        The answer that the call settled on.
    """
    while True:
        match call.what_now(clock.now()):
            case Launch(attempt):
                if attempt.hedge_after is not None:
                    run_hedged(call, open_, attempt, clock)
                    continue
                try:
                    answer = open_(attempt)
                except Exception as error:
                    if not call.failed(attempt, error, clock.now(), clock.chance()):
                        raise
                except BaseException:
                    call.abandoned(attempt, clock.now())
                    raise
                else:
                    call.succeeded(attempt, answer, clock.now())
            case Return(answer):
                return answer
            case Wait(until):
                try:
                    clock.sleep_until(until)
                except BaseException:
                    call.abandoned(None, clock.now())
                    raise
            case Confirm(question, seconds):
                try:
                    question.wait(seconds)
                except BaseException:
                    call.abandoned(None, clock.now())
                    raise
            case GiveUp(error):
                raise error


async def adrive(  # noqa: C901, PLR0912 - a case for each step
    call: Call[T], open_: Callable[[Attempt], Awaitable[T]], clock: Clock
) -> T:
    """Carry a call through in this task; the twin of `drive`."""
    while True:
        match call.what_now(clock.now()):
            case Launch(attempt):
                if attempt.hedge_after is not None:
                    await arun_hedged(call, open_, attempt, clock)
                    continue
                try:
                    answer = await _heeding_cancellation(open_(attempt))
                except Exception as error:
                    if not call.failed(attempt, error, clock.now(), clock.chance()):
                        raise
                except BaseException:
                    call.abandoned(attempt, clock.now())
                    raise
                else:
                    call.succeeded(attempt, answer, clock.now())
            case Return(answer):
                return answer
            case Wait(until):
                try:
                    await clock.asleep_until(until)
                except BaseException:
                    call.abandoned(None, clock.now())
                    raise
            case Confirm(question, seconds):
                try:
                    await question.arrived(seconds)
                except BaseException:
                    call.abandoned(None, clock.now())
                    raise
            case GiveUp(error):
                raise error


async def _heeding_cancellation(attempt: Awaitable[T]) -> T:
    """Wait for an attempt; a cancellation that became an error beneath it stays one."""
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    try:
        return await attempt
    except Exception as error:
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError from error
        raise
