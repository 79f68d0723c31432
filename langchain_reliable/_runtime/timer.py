"""One timer for a whole async stream.

The wait happens in the caller's task: the timer cancels it and takes the cancellation
back, as `asyncio.timeout` does, but it is armed once and looks by itself, which costs
next to nothing per chunk. No scope is held across a `yield`, so successive chunks may
be asked for by different tasks. How long a wait may last is said by `AttemptTimer`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sized

    from langchain_reliable._core.timeouts import AttemptTimer
    from langchain_reliable._runtime.clock import Clock

T = TypeVar("T")

Task: TypeAlias = "asyncio.Task[Any]"

if sys.version_info >= (3, 12):
    _current_task = asyncio.current_task
else:  # what it does, without a frame that costs as much as all else that we do
    _current_task = asyncio.tasks._current_tasks.get  # type: ignore[attr-defined] # noqa: SLF001

_LOOKS = 16
"""How often the timer looks within a limit, at least."""

_TICK = 0.5
"""Seconds between two looks at most. A limit may be late by so much."""


class WaitTimer:
    """Ends a wait of an async stream that lasts too long.

    Where chunks are counted, a wait is known by how many came before it: beginning one
    asks for no time. The timer looks some times within a limit whether the count has
    changed, so a limit is late by at most a sixteenth of it, and never early.

    Attributes:
        armed: Whether the next wait is limited as this one is, by silence alone.
        counted: What grows with each chunk, if anything does.
        fired: Whether it has ended a wait.
        task: The task that waits; `None` while nobody does.
    """

    __slots__ = (
        "_cancelling",
        "_clock",
        "_handle",
        "_loop",
        "_owner",
        "_rings_at",
        "_seen",
        "_since",
        "_span",
        "_ticks",
        "_time",
        "_timer",
        "armed",
        "counted",
        "fired",
        "task",
    )

    def __init__(
        self, timer: AttemptTimer, clock: Clock, *, ticks: bool = True
    ) -> None:
        """Begin silent.

        Args:
            timer: Says how long a wait may last.
            clock: Time.
            ticks: Whether chunks will be counted: then it looks so often from the
                first, which is cheaper than to be set anew when they are.
        """
        self.armed = self.fired = False
        self.counted: Sized = ()
        self.task: Task | None = None
        self._cancelling = 0  # cancellations that the task had when its wait began
        self._clock = clock
        self._handle: asyncio.TimerHandle | None = None
        self._loop = loop = asyncio.get_running_loop()
        self._owner: Task | None = None
        self._rings_at = self._since = 0.0
        self._seen = 0
        self._span: float | None = None
        self._ticks = ticks
        self._timer = timer
        usual = getattr(loop.time, "__func__", None) is asyncio.BaseEventLoop.time
        self._time = time.monotonic if usual else loop.time  # what it calls, directly

    @property
    def cancelled(self) -> bool:
        """Whether somebody else has cancelled the task since its wait began."""
        return self._owner is not None and self._owner.cancelling() > self._cancelling

    def set(self) -> None:
        """Begin a wait of the current task, and make sure that it can be ended.

        Raises:
            TimeLimitExceeded: There is no time left to wait.
        """
        timer = self._timer
        left = timer.remaining(self._clock.now())
        if left is not None and left <= 0:
            raise timer.error()
        self._since, self._span, self._seen = self._time(), left, len(self.counted)
        self.task = self._owner = task = _current_task(self._loop)
        self._cancelling = task.cancelling() if task is not None else 0
        self.armed = not timer.deadlines
        if left is None:
            return
        if self._ticks:
            counts = self.armed and self.counted
            left = min(left / _LOOKS if counts else left, _TICK)
        if self._handle is None or self._since + left < self._rings_at:
            self._arm(self._since + left)

    def set_again(self) -> None:
        """Begin the next wait of a stream, of which mostly nothing else is new.

        Raises:
            TimeLimitExceeded: There is no time left to wait.
        """
        task = _current_task(self._loop)
        if self.armed and self._owner is task is not None:
            self.task, self._cancelling = task, task.cancelling()
            return
        if self._timer.deadlines:
            self._timer.resume(self._clock.now())
        self.set()

    def arrived(self) -> None:
        """Take note of a chunk that ends a wait for which it was not armed.

        Raises:
            CancelledError: It rang, and the child took no notice of it.
        """
        if self.fired:
            raise asyncio.CancelledError
        if self._timer.deadlines:
            self._timer.pause(self._clock.now())

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
        return cast("Task", self._owner).uncancel() <= self._cancelling

    def _arm(self, rings_at: float) -> None:
        """Ring at that moment: too early is looked at again."""
        if self._handle is not None:
            self._handle.cancel()
        self._rings_at = rings_at
        self._handle = self._loop.call_at(rings_at, self._ring)

    def _ring(self) -> None:
        """See how long the present wait has lasted; end it or look again later."""
        self._handle = None
        if self.task is None or self._span is None:
            self.armed = False  # nobody waits, or for ever; the next wait arms it again
            return
        now = self._time()
        if (count := len(self.counted)) != self._seen:
            self._seen, self._since = count, now  # it began by now at the latest
        until = self._since + self._span
        if until > now:
            if self.armed and self.counted:
                until = min(until, now + min(self._span / _LOOKS, _TICK))
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
    wait_timer = WaitTimer(timer, clock, ticks=False)
    try:
        wait_timer.set()
        answer = await awaitable
        wait_timer.off()
    except BaseException as error:
        if asyncio.iscoroutine(awaitable):
            awaitable.close()  # with no time left it has not begun: Python would warn
        if wait_timer.uncancelled():
            raise timer.error() from error
        raise
    finally:
        wait_timer.close()
    return answer
