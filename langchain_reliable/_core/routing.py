"""Whose turn it is in a group.

The place of a group in its round lives here, behind one plain lock. What a member is,
and whether it is free, is never known here.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, assert_never

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_reliable.policies import Order


class Rotation:
    """Puts the members of a group in order, call by call.

    `weighted` is the smooth weighted round robin of nginx
    (https://nginx.org/en/docs/http/ngx_http_upstream_module.html): shares are exact
    over a round and spread as evenly as they can be, without chance.
    """

    def __init__(self, order: Order, weights: Sequence[float]) -> None:
        """Begin a round.

        Args:
            order: How the first member is picked.
            weights: A positive weight for each member.
        """
        self._order = order
        self._weights = tuple(weights)
        self._credit = [0.0] * len(weights)
        self._turn = -1
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[Rotation], tuple[Order, tuple[float, ...]]]:
        """Begin a round of its own in a deep or pickled copy."""
        return Rotation, (self._order, self._weights)

    def next(self) -> tuple[int, ...]:
        """Return the members' places, the one whose turn it is first."""
        first = self._first()
        count = len(self._weights)
        return tuple((first + step) % count for step in range(count))

    def _first(self) -> int:
        match self._order:
            case "ordered":
                return 0
            case "round_robin":
                return self._in_turn()
            case "weighted":
                return self._by_weight()
            case _:
                assert_never(self._order)

    def _in_turn(self) -> int:
        with self._lock:
            self._turn = (self._turn + 1) % len(self._weights)
            return self._turn

    def _by_weight(self) -> int:
        with self._lock:
            for place, weight in enumerate(self._weights):
                self._credit[place] += weight
            first = max(range(len(self._credit)), key=self._credit.__getitem__)
            self._credit[first] -= sum(self._weights)
            return first
