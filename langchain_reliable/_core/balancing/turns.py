"""Taking turns by weight among the members that are free.

Each member has a moment at which its turn comes, and the earliest is next; a turn puts
it 1/weight later. This is earliest-deadline-first as Envoy and WFQ have it: shares are
as the weights over a round, spread evenly, without chance, and a pick costs the
logarithm of the group. A member that is out lets its turns pass, so the others take
theirs in the same order as before: its share goes to all of them, by weight.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush, heapreplace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Turns:
    """Whose turn it is. Not safe without a lock around `pick`."""

    def __init__(self, weights: Sequence[float]) -> None:
        """Begin a round.

        Args:
            weights: A positive weight for each member; equal ones for round robin.
        """
        self._weights = tuple(weights)
        self._steps = [1.0 / weight for weight in weights]
        # Half a step before the first turn: a heavy member does not begin with a run.
        self._queue = [(step / 2, place) for place, step in enumerate(self._steps)]
        heapify(self._queue)

    def __reduce__(self) -> tuple[type[Turns], tuple[tuple[float, ...]]]:
        """Begin a round of its own in a deep or pickled copy."""
        return Turns, (self._weights,)

    def pick(self, is_free: Callable[[int], bool]) -> int | None:
        """Take the turn of a free member; return its place, `None` if none is free."""
        if not self._queue:  # a signal came in the middle of another pick
            return None
        turn, place = self._queue[0]
        if is_free(place):
            heapreplace(self._queue, (turn + self._steps[place], place))
            return place
        passed: list[tuple[float, int]] = []
        picked: int | None = None
        while self._queue and picked is None:
            turn, place = heappop(self._queue)
            passed.append((turn, place))
            if is_free(place):
                picked = place
        if picked is None:  # nobody's turn has come
            self._queue = passed  # popped in order, which is a heap
            return None
        for turn, place in passed:
            heappush(self._queue, (turn + self._steps[place], place))
        return picked
