"""What the simulator is told to reply, and what it saw.

Scripts, requests and counts, behind one lock: the server's thread and the tests share
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from langchain_reliable.testing._signals import Signal

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_reliable.testing._simulator.replies import Reply
    from langchain_reliable.testing._simulator.wire import SimulatedRequest


@dataclass(slots=True)
class Counts:
    """How many of what, now or so far."""

    connections: int = 0
    responses: int = 0
    abandoned: int = 0


class Board:
    """The simulator's memory."""

    def __init__(self) -> None:
        self.requests: list[SimulatedRequest] = []
        self.counts = Counts()
        self._scripts: dict[str, tuple[Reply, ...]] = {}
        self._told: dict[str, int] = {}
        self._watches: list[tuple[Callable[[], bool], Signal]] = []
        self._lock = Lock()

    def script(self, model: str, replies: tuple[Reply, ...]) -> None:
        """Begin a script for `model`, in place of any other."""
        with self._lock:
            self._scripts[model] = replies
            self._told[model] = 0

    def next_number(self) -> int:
        """Return the number of the request that is coming in."""
        return len(self.requests) + 1  # only the server's thread adds any

    def begin(self, request: SimulatedRequest) -> None:
        """Note a request, and its response as begun."""
        with self._lock:
            self.requests.append(request)
            self.counts.responses += 1
        self._look()

    def next_reply(self, model: str) -> Reply:
        """Return what the script of `model` replies now."""
        with self._lock:
            script = self._scripts.get(model)
            if script is None:
                return f"Hello from {model}."
            place = self._told[model]
            self._told[model] += 1
            return script[min(place, len(script) - 1)]

    def end(self, *, abandoned: bool) -> None:
        """Note the end of a response."""
        with self._lock:
            self.counts.responses -= 1
            self.counts.abandoned += abandoned
        self._look()

    def connect(self, change: int) -> None:
        """Note a new connection, or the end of one."""
        with self._lock:
            self.counts.connections += change
        self._look()

    def count(self, model: str | None) -> int:
        """Return how often `model`, or any, was asked."""
        with self._lock:
            return sum(model in (None, request.model) for request in self.requests)

    def when(self, holds: Callable[[], bool]) -> Signal:
        """Return a signal that is set as soon as `holds()` is true."""
        signal = Signal()
        with self._lock:
            self._watches.append((holds, signal))
        self._look()
        return signal

    def _look(self) -> None:
        with self._lock:
            watches = tuple(self._watches)
        come = [watch for watch in watches if watch[0]()]
        with self._lock:
            self._watches = [w for w in self._watches if w not in come]
        for _, signal in come:
            signal.set()
