"""The simulator with limits that hold: 60 requests a minute, and a 429 beyond them.

Providers count in two ways. Some look at the last minute. Others spread it: what Azure
documents is that a limit for a minute is watched in windows of one or ten seconds.
`python -m benchmarks.limits.provider` serves until its standard input is closed, and
then tells how often each deployment was asked and refused.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Final

from benchmarks.limits.load import RPM, WARM_UP
from langchain_reliable.testing import rate_limited, says, simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_reliable.testing import Reply, SimulatedRequest

WINDOWS: Final = {"minute": 60.0, "ten seconds": 10.0}
"""How far back a provider looks."""
ANSWER_TAKES: Final = 0.5
_TEXT: Final = "A short answer, of about ten words as they come."


class Limit:
    """One deployment's limit: refused requests do not count."""

    def __init__(
        self, window: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._most = round(RPM * window / 60)
        self._window = window
        self._sent: deque[float] = deque()
        self.asked: Counter[str] = Counter()

    def reply(self, request: SimulatedRequest) -> Reply:
        """Answer, or say when to come back."""
        if request.body["messages"][-1]["content"] == WARM_UP:
            return _TEXT
        now = self._clock()
        while self._sent and self._sent[0] <= now - self._window:
            self._sent.popleft()
        if len(self._sent) >= self._most:
            self.asked["429"] += 1
            return rate_limited(math.ceil(self._sent[0] + self._window - now))
        self.asked["answered"] += 1
        self._sent.append(now)
        return says(_TEXT, delay=ANSWER_TAKES)


def main(window: str, deployments: Sequence[str]) -> None:
    """Serve until standard input is closed, then tell what was asked."""
    limits = {name: Limit(WINDOWS[window]) for name in deployments}
    with simulator() as sim:
        for name, limit in limits.items():
            sim.script(name, limit.reply)
        print(sim.openai_url, flush=True)
        sys.stdin.read()
    asked = {name: dict(limit.asked) for name, limit in limits.items()}
    print(json.dumps(asked), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
