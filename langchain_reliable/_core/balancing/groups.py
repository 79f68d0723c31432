"""Who is asked first in a group, for all threads: its order behind a lock."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from langchain_reliable._core.balancing.orders import pickers
from langchain_reliable.observers._forks import renewed_after_fork

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from langchain_reliable._core.balancing.load import Pace
    from langchain_reliable._core.balancing.orders import Members
    from langchain_reliable._core.health_store import RequestBook
    from langchain_reliable._core.metering.budgets import Price
    from langchain_reliable._core.steps import Route
    from langchain_reliable.policies import Order

_GOLDEN: Final = 0.6180339887498949
"""Multiples of it, without their whole parts, are spread more evenly than chance."""


class GroupTurns:
    """Puts the members of a group in order, call by call."""

    def __init__(
        self, order: Order, weights: Sequence[float], prices: Sequence[Price | None]
    ) -> None:
        """Begin a round.

        Args:
            order: How the first member is picked.
            weights: A positive weight for each member.
            prices: What its tokens cost, where known.
        """
        self._given = order, tuple(weights), tuple(prices)
        self._lock = renewed_after_fork(threading.RLock, self, "_lock")
        self._whole, self._streams = pickers(order, weights, prices)
        self._chance = (id(self) >> 4) * _GOLDEN % 1.0  # not the same in each process

    def __reduce__(self) -> tuple[type[GroupTurns], tuple[object, ...]]:
        """Begin a round of its own in a deep or pickled copy."""
        return GroupTurns, self._given

    def pick(self, members: Members, now: float, *, streams: bool) -> int | None:
        """Take a turn; return the place of a free member, `None` if nobody is free."""
        picker = self._streams if streams else self._whole
        with self._lock:
            self._chance = (self._chance + _GOLDEN) % 1.0
            return picker.pick(members, now, self._chance)


class GroupMembers:
    """A group as its order sees it, at one moment of a call."""

    __slots__ = ("_book", "_routes", "_streams", "is_free")

    def __init__(
        self,
        routes: Mapping[int, Route],
        is_free: Callable[[int], bool],
        book: RequestBook | None,
        *,
        streams: bool,
    ) -> None:
        """Look at a group.

        Args:
            routes: Its members that are in the plan, by their places.
            is_free: Says of a place whether its member may be asked now.
            book: What is in flight; `None` if nobody knows.
            streams: Whether the call asks for a stream.
        """
        self._book = book
        self._routes = routes
        self._streams = streams
        self.is_free = is_free

    def in_flight(self, place: int) -> int:
        """Return how many requests of a member have not ended."""
        route = self._routes.get(place)
        if self._book is None or route is None:
            return 0
        return self._book.in_flight(route.key)

    def unspoken(self, place: int) -> int:
        """Return how many of these have not said a word yet."""
        route = self._routes.get(place)
        if self._book is None or route is None:
            return 0
        return self._book.unspoken(route.key)

    def pace(self, place: int) -> Pace | None:
        """Return its time to the first word, of streams or of whole answers."""
        route = self._routes.get(place)
        if self._book is None or route is None:
            return None
        return self._book.pace(route.key, streams=self._streams)
