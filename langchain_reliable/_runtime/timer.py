"""One timer for a whole async stream.

Breaking off a wait of a task that lasts too long lives here. How long is too long never
does; what a thread waits for is `_reader`'s.

The wait happens in the caller's task: the timer cancels it and takes the cancellation
back, as `asyncio.timeout` does, but it is armed once and re-armed only when it rings
too early, which costs next to nothing per chunk. No scope is held across a `yield`, so
successive chunks may be asked for by different tasks.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from langchain_reliable._core.timeouts import AttemptTimer
    from langchain_reliable._runtime.clock import Clock

T = TypeVar("T")

Task: TypeAlias = "asyncio.Task[Any]"


class WaitTimer:
    """Ends a wait of an async stream that lasts too long.

    Attributes:
        armed: Whether it may be relied on; if not, `set` begins the next wait. If so,
            writing `since`, `task` and `cancelling` by hand is enough, and costs a
            tenth.
        cancelling: How many cancellations the task had when its wait began.
        owner: The task that it was set for.
        rang: Whether it has ended a wait.
        since: When the present wait began, in the time of the event loop.
        task: The task that waits; `None` while nobody does.
        time: Tells the time of the event loop.
    """

    __slots__ = (
        "_clock",
        "_handle",
        "_loop",
        "_rings_at",
        "_span",
        "_timer",
        "armed",
        "cancelling",
        "fired",
        "owner",
        "since",
        "task",
        "time",
    )

    def __init__(self, timer: AttemptTimer, clock: Clock) -> None:
        """Begin silent.

        Args:
            timer: Says how long a wait may last.
            clock: Time.
        """
        self.armed = False
        self.cancelling = 0
        self.owner: asyncio.Task[Any] | None = None
        self.fired = False
        self.since = 0.0
        self.task: asyncio.Task[Any] | None = None
        self._clock = clock
        self._handle: asyncio.TimerHandle | None = None
        self._rings_at = 0.0
        self._loop = loop = asyncio.get_running_loop()
        self._timer = timer
        self._span: float | None = None
        usual = getattr(loop.time, "__func__", None) is asyncio.BaseEventLoop.time
        self.time = time.monotonic if usual else loop.time  # what it calls, directly

    @property
    def cancelled(self) -> bool:
        """Whether somebody else has cancelled the task since its wait began."""
        return self.owner is not None and self.owner.cancelling() > self.cancelling

    def set(self) -> None:
        """Begin a wait of the current task, and make sure that it can be ended.

        Raises:
            TimeLimitExceeded: There is no time left to wait.
        """
        left = self._timer.remaining(self._clock.now())
        if left is not None and left <= 0:
            raise self._timer.error()
        self.since, self._span = self.time(), left
        self.task = self.owner = task = asyncio.current_task()
        self.cancelling = task.cancelling() if task is not None else 0
        self.armed = not self._timer.deadlines
        if left is not None:
            self._arm(self.since + left)

    def off(self) -> None:
        """End a wait in time.

        Raises:
            CancelledError: It rang, and the child took no notice of it.
        """
        if self.fired:
            raise asyncio.CancelledError
        self.task = None

    def close(self) -> None:
        """Be done with."""
        self.task = None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def uncancelled(self) -> bool:
        """Take our cancellation back; return whether it was ours alone."""
        if not self.fired:
            return False
        self.fired = False
        return cast("Task", self.owner).uncancel() <= self.cancelling

    def _arm(self, rings_at: float) -> None:
        """Ring at that moment, or before: too early is looked at again."""
        if self._handle is not None:
            if self._rings_at <= rings_at:
                return
            self._handle.cancel()
        self._rings_at = rings_at
        self._handle = self._loop.call_at(rings_at, self._ring)

    def _ring(self) -> None:
        """See how long the present wait has lasted; end it or look again later."""
        self._handle = None
        if self.task is None or self._span is None:
            self.armed = False  # nobody waits, or for ever; the next wait arms it again
            return
        until = self.since + self._span
        if until > self.time():
            self._arm(until)
            return
        self.armed, self.fired = False, True
        self.task.cancel()


async def within_limits(
    awaitable: Awaitable[T], timer: AttemptTimer, clock: Clock
) -> T:
    """Wait for something as long as an attempt allows.

    Raises:
        TimeLimitExceeded: It took longer.
    """
    wait_timer = WaitTimer(timer, clock)
    try:
        wait_timer.set()
        answer = await awaitable
        wait_timer.off()
    except BaseException as error:
        if wait_timer.uncancelled():
            raise timer.error() from error
        raise
    finally:
        wait_timer.close()
    return answer
