"""Clocks that tests turn."""

from __future__ import annotations

import asyncio
import time


class TurnedClock:
    """Time that passes only where somebody waits on purpose."""

    def __init__(self, chance):
        self.time = 0.0
        self._chance = chance

    def now(self):
        return self.time

    def sleep_until(self, moment):
        self.time = max(self.time, moment)

    async def asleep_until(self, moment):
        self.sleep_until(moment)

    def chance(self):
        return self._chance


class JumpingClock:
    """The machine's clock, which jumps ahead where a test says so.

    Limits can be far longer than anything takes here, and still run out in no time.
    """

    def __init__(self):
        self._ahead = 0.0

    def jump(self, seconds):
        self._ahead += seconds

    def now(self):
        return time.monotonic() + self._ahead

    def sleep_until(self, moment):
        self.jump(max(0.0, moment - self.now()))

    async def asleep_until(self, moment):
        self.sleep_until(moment)

    def chance(self):
        return 0.5

    def run(self, work):
        """Run async work in a loop that lives by this clock, timers included."""
        with asyncio.Runner(loop_factory=lambda: _JumpingLoop(self)) as runner:
            return runner.run(work)


class _JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self, clock):
        self._jumping = clock
        super().__init__()

    def time(self):
        return self._jumping.now()
