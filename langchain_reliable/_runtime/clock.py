"""The only source of time and chance, replaced in tests."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Protocol


def epoch() -> float:
    """Return the wall-clock time in seconds, for dates that a provider names."""
    return time.time()


class Clock(Protocol):
    """What the drivers need of time and chance."""

    def now(self) -> float:
        """Return seconds since an arbitrary moment, never going back."""

    def sleep_until(self, moment: float, /) -> None:
        """Block the thread until `moment`."""

    async def asleep_until(self, moment: float, /) -> None:
        """Suspend the task until `moment`."""

    def chance(self) -> float:
        """Return a number from 0 up to 1, evenly spread."""


class SystemClock:
    """The machine's monotonic clock and the process's random numbers."""

    now = staticmethod(time.monotonic)  # asked for several times a call

    def sleep_until(self, moment: float, /) -> None:
        """Sleep in this thread."""
        time.sleep(max(0.0, moment - time.monotonic()))

    async def asleep_until(self, moment: float, /) -> None:
        """Sleep in this task."""
        await asyncio.sleep(max(0.0, moment - time.monotonic()))

    def chance(self) -> float:
        """Return a random number; spreading load needs no secrecy."""
        return random.random()  # noqa: S311 - jitter is not a secret
