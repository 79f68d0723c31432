"""Time for the bench: real, or running fast.

Running fast, waits on purpose (a backoff, a Retry-After, the pause to the next call)
turn the clock at once, at their full length, and only what is spent at a socket passes,
in seconds that are shorter.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from langchain_reliable.testing import Gate

if TYPE_CHECKING:
    from langchain_reliable.testing import Answer, Reply, SimulatedRequest


class Pace:
    """A clock for the model under test and for the bench.

    Attributes:
        second: How many real seconds one second at a socket lasts.
    """

    def __init__(self, second: float, *, fast: bool) -> None:
        self.second = second if fast else 1.0
        self._fast = fast
        self._turned = 0.0
        self._began = time.monotonic()

    def begin(self) -> None:
        """Begin to count."""
        self._turned, self._began = 0.0, time.monotonic()

    def seconds(self) -> float:
        """Return the bench's seconds since the beginning."""
        return self._turned + (time.monotonic() - self._began) / self.second

    @property
    def grace(self) -> float:
        """Return by how much a busy machine may be late: `late` waits for longer."""
        return 12.0 if self._fast else 0.0

    def late(self, answer: Answer, seconds: float, when_fast: float) -> Reply:
        """Return an answer whose headers come at once and whose first word does not."""
        seconds = when_fast if self._fast else seconds

        def reply(_: SimulatedRequest) -> Answer:
            gate = Gate(limit=2 * seconds)
            opener = threading.Timer(seconds * self.second, gate.open)
            opener.daemon = True
            opener.start()
            return replace(answer, gates={0: gate})

        return reply

    async def wait_for(self, moment: float) -> None:
        """Wait until so many of the bench's seconds have passed."""
        rest = max(0.0, moment - self.seconds())
        await self.asleep_until(self.now() + rest)

    # what the model under test asks of its clock

    def now(self) -> float:
        return self._turned + time.monotonic()

    def sleep_until(self, moment: float) -> None:
        rest = max(0.0, moment - self.now())
        if self._fast:
            self._turned += rest
        else:
            time.sleep(rest)

    async def asleep_until(self, moment: float) -> None:
        if self._fast:
            self.sleep_until(moment)
        else:
            await asyncio.sleep(max(0.0, moment - self.now()))

    def chance(self) -> float:
        return random.random()  # noqa: S311 - jitter is not a secret
