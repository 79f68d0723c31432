"""Whose turn it is in a group: the place of a group in its round."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, assert_never

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from langchain_reliable.policies import Order


class Rotation:
    """Puts the members of a group in order, call by call.

    `weighted` is the smooth weighted round robin of nginx
    (https://nginx.org/en/docs/http/ngx_http_upstream_module.html): shares are exact
    over a round and spread as evenly as they can be, without chance.

    Attributes:
        lock: Held while a turn is taken; whoever shares it puts a real one here.
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
        self._spilled = 0
        self.lock: AbstractContextManager[object] = nullcontext()

    def __reduce__(self) -> tuple[type[Rotation], tuple[Order, tuple[float, ...]]]:
        """Begin a round of its own in a deep or pickled copy."""
        return Rotation, (self._order, self._weights)

    @property
    def turns(self) -> bool:
        """Whether the order changes from call to call."""
        return self._order != "ordered"

    def first(self, is_free: Callable[[int], bool]) -> int | None:
        """Take a turn; return the place of the member to ask first.

        The share of a member that is out is spread over all the others: its turns go
        round among those that are free.

        Args:
            is_free: Says of a place whether its member may be asked now.

        Returns:
            A place; `None` if nobody is free.
        """
        if is_free(place := self._first()):
            return place
        free = [one for one in range(len(self._weights)) if is_free(one)]
        if not free:
            return None
        with self.lock:
            self._spilled += 1
            return free[self._spilled % len(free)]

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
        with self.lock:
            self._turn = (self._turn + 1) % len(self._weights)
            return self._turn

    def _by_weight(self) -> int:
        with self.lock:
            for place, weight in enumerate(self._weights):
                self._credit[place] += weight
            first = max(range(len(self._credit)), key=self._credit.__getitem__)
            self._credit[first] -= sum(self._weights)
            return first
