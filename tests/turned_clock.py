"""A clock that only waits and tests turn."""

from __future__ import annotations


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
