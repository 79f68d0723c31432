"""The orders of a group: each picks the free member that is asked first.

A picker keeps what it needs from call to call; what is known of the members across
calls comes in with the question, as do time and chance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, assert_never

from langchain_reliable._core.balancing.load import expected
from langchain_reliable._core.balancing.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_reliable._core.balancing.load import Pace
    from langchain_reliable._core.metering.budgets import Price
    from langchain_reliable.policies import Order

_INPUT_SHARE: Final = 3
"""Tokens of a question for each token of its answer, where prices are compared."""


class Members(Protocol):
    """What a picker asks of the members of its group, known by their places."""

    def is_free(self, place: int) -> bool:
        """Return whether a member may be asked at this moment."""

    def in_flight(self, place: int) -> int:
        """Return how many requests of a member have not ended."""

    def unspoken(self, place: int) -> int:
        """Return how many of these have not said a word yet."""

    def pace(self, place: int) -> Pace | None:
        """Return its time to the first word, of streams or of whole answers."""


class Picker(Protocol):
    """Whose turn it is. Not safe without a lock around `pick`."""

    def pick(self, members: Members, now: float, chance: float) -> int | None:
        """Return the place of the free member to ask; `None` if none is free.

        Args:
            members: The members, as they are now.
            now: The present moment.
            chance: A number from 0 up to 1.
        """


class InOrder:
    """`"ordered"`: always the first."""

    def __init__(self, count: int) -> None:
        """Take the members in."""
        self._count = count

    def pick(self, members: Members, now: float, chance: float) -> int | None:  # noqa: ARG002 - a picker's signature
        """Return the first free member."""
        return next(filter(members.is_free, range(self._count)), None)


class InTurn:
    """`"round_robin"`, and `"weighted"`: each in turn."""

    def __init__(self, weights: Sequence[float]) -> None:
        """Begin a round."""
        self._turns = Turns(weights)

    def pick(self, members: Members, now: float, chance: float) -> int | None:  # noqa: ARG002 - a picker's signature
        """Return the free member whose turn it is."""
        return self._turns.pick(members.is_free)


class Cheapest:
    """`"cheapest"`: the lowest price; members of the same price take turns."""

    def __init__(
        self, prices: Sequence[Price | None], weights: Sequence[float]
    ) -> None:
        """Take the members in.

        Args:
            prices: What their tokens cost; one without a price is asked last.
            weights: Their shares among members of the same price.
        """
        costs = [  # of a usual call: its question is longer than its answer
            float("inf") if price is None else _INPUT_SHARE * price[0] + price[1]
            for price in prices
        ]
        self._levels = [
            _Level([place for place, one in enumerate(costs) if one == cost], weights)
            for cost in sorted(set(costs))
        ]

    def pick(self, members: Members, now: float, chance: float) -> int | None:  # noqa: ARG002 - a picker's signature
        """Return the free member that costs least."""
        picks = (level.pick(members.is_free) for level in self._levels)
        return next((place for place in picks if place is not None), None)


class _Level:
    """Members of the same price."""

    def __init__(self, places: list[int], weights: Sequence[float]) -> None:
        self._places = places
        self._turns = Turns([weights[place] for place in places])

    def pick(self, is_free: Callable[[int], bool]) -> int | None:
        places = self._places
        picked = self._turns.pick(lambda at: is_free(places[at]))
        return None if picked is None else places[picked]


class LeastBusy:
    """`"least_busy"`: the fewest requests in flight over weight."""

    def __init__(self, weights: Sequence[float]) -> None:
        """Take the members in."""
        self._weights = tuple(weights)
        self._next = 0

    def __reduce__(self) -> tuple[type[LeastBusy], tuple[tuple[float, ...]]]:
        """Begin with the first in a deep or pickled copy."""
        return LeastBusy, (self._weights,)

    def pick(self, members: Members, now: float, chance: float) -> int | None:  # noqa: ARG002 - a picker's signature
        """Return the free member with the least to do; equals take turns."""
        best, least = None, float("inf")
        for place in (*range(self._next, len(self._weights)), *range(self._next)):
            busy = members.in_flight(place) / self._weights[place]
            if (best is None or busy < least) and members.is_free(place):
                best, least = place, busy
                if not busy:
                    break
        if best is not None:
            self._next = (best + 1) % len(self._weights)
        return best


class Fastest:
    """`"fastest"`: the first word soonest, as measured and with who waits for theirs.

    Two members are drawn by chance and the better one is picked ("the power of two
    choices"): nearly as good as the best of all, and a crowd of calls does not run to
    the same one before its slowness shows. Who was never measured is asked first.
    """

    def __init__(self, count: int) -> None:
        """Take the members in."""
        self._count = count
        self._unknown = list(range(count))

    def pick(self, members: Members, now: float, chance: float) -> int | None:
        """Return the better one of two free members."""
        if self._unknown:
            self._unknown = [one for one in self._unknown if members.pace(one) is None]
        for place in self._unknown:  # and of which nothing will be known soon
            if not members.unspoken(place) and members.is_free(place):
                return place
        one, other = _two_of(self._count, chance)
        if members.is_free(one) and members.is_free(other):
            return _better(one, other, members, now)
        free = list(filter(members.is_free, range(self._count)))
        if not free:
            return None
        one, other = _two_of(len(free), chance)
        return _better(free[one], free[other], members, now)


def pickers(
    order: Order, weights: Sequence[float], prices: Sequence[Price | None]
) -> tuple[Picker, Picker]:
    """Return who picks for whole answers and for streams.

    It is the same picker, except where the two are measured apart.

    Args:
        order: How members are picked.
        weights: Their weights.
        prices: What their tokens cost.
    """
    count = len(weights)
    picker: Picker
    match order:
        case "ordered":
            picker = InOrder(count)
        case "round_robin":
            picker = InTurn([1.0] * count)
        case "weighted":
            picker = InTurn(weights)
        case "least_busy":
            picker = LeastBusy(weights)
        case "cheapest":
            picker = Cheapest(prices, weights)
        case "fastest":
            return Fastest(count), Fastest(count)
        case _:
            assert_never(order)
    return picker, picker


def _two_of(count: int, chance: float) -> tuple[int, int]:
    """Draw two different places; the same twice if there is but one."""
    if count == 1:
        return 0, 0
    one = int(chance * count)
    other = int((chance * count - one) * (count - 1))
    return one, other + (other >= one)


def _better(one: int, other: int, members: Members, now: float) -> int:
    """Return which of two is likely to answer first; at the same cost, the less busy.

    Of one that was never measured only the first request is worth a try; with that on
    its way it counts as fast as the other one.
    """
    paces = members.pace(one), members.pace(other)
    times = [None if pace is None else expected(pace, now) for pace in paces]
    known = [time for time in times if time is not None]
    costs = [
        _cost(members.unspoken(place), time, min(known, default=1.0))
        for place, time in zip((one, other), times, strict=True)
    ]
    return other if costs[1] < costs[0] else one


def _cost(unspoken: int, seconds: float | None, default: float) -> float:
    if seconds is None:
        return default * (unspoken + 1) if unspoken else 0.0
    return seconds * (unspoken + 1)
