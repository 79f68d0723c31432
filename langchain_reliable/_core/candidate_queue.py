"""Who may be asked: where each candidate stands in this call, and across calls.

The queue of one call lives here: who is out, who is free, who waits, whom its health
holds back. What a failure means, and when the call is over, is the study's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from langchain_reliable._core.circuit import Circuit
    from langchain_reliable._core.steps import Route
    from langchain_reliable.failures import Failure, FailureKind
    from langchain_reliable.policies import CircuitBreaker


class HealthStore(Protocol):
    """What a call asks of, and tells, the memory across calls."""

    def available_at(self, key: Hashable, name: str, now: float) -> float:
        """Return when a candidate may be asked; `now` if it may at once."""

    def is_healthy(self, key: Hashable, name: str) -> bool:
        """Return whether a candidate is known, and nothing speaks against it."""

    def try_acquire(self, key: Hashable, name: str, now: float) -> bool | None:
        """Take a free candidate; whether as a probe, `None` if it is taken."""

    def record_request(self, key: Hashable, name: str, now: float) -> bool:
        """Ask a candidate whether it is free or not; whether as a probe."""

    def failed(
        self,
        key: Hashable,
        failure: Failure,
        now: float,
        chance: float,
        breaker: CircuitBreaker | None,
        *,
        alone: bool,
    ) -> Circuit:
        """Take note of a failure."""

    def spoke(self, key: Hashable) -> bool:
        """Take note that an answer has begun; whether that closed a circuit."""

    def answered(self, key: Hashable) -> None:
        """Take note of a whole answer."""

    def abandoned(self, key: Hashable) -> None:
        """Take note that a probe was cancelled."""


@dataclass(slots=True)
class RouteState:
    """Where one route stands in this call.

    Attributes:
        attempts: How often it was asked.
        out: Whether it is not to be asked again.
        put_off: Whether it is asked again only when nobody else is left.
        last_resort: Whether it is asked although its health speaks against it.
        free_at: When it may be asked again, by what it said itself.
        kinds: How its attempts failed.
        paid: What its present retry has cost of the budget of all calls.
    """

    attempts: int = 0
    out: bool = False
    put_off: bool = False
    last_resort: bool = False
    available_at: float = float("-inf")
    kinds: list[FailureKind] = field(default_factory=list)
    paid: float = 0.0


_FRESH = RouteState()
"""Where a route stands that was not asked; never written to."""


class CandidateQueue:
    """The candidates of one call, and how far it has come among them."""

    def __init__(
        self, items: Sequence[Sequence[Route]], health: HealthStore | None
    ) -> None:
        """Begin at the first item.

        Args:
            items: The plan of the call.
            health: What is known across calls; `None` for nothing.
        """
        self._at = 0
        self._items = items
        self._last: Route | None = None
        self._health = health
        self._states: dict[int, RouteState] = {}

    def __getitem__(self, route: Route) -> RouteState:
        """Return where a route stands."""
        if (known := self._states.get(route.place)) is None:
            known = self._states[route.place] = RouteState()
        return known

    def __iter__(self) -> Iterator[Route]:
        """Iterate over all routes, in the order of the plan."""
        return (route for item in self._items for route in item)

    @property
    def alone(self) -> bool:
        """Whether the plan has but one candidate."""
        return sum(map(len, self._items)) == 1

    @property
    def asked(self) -> list[RouteState]:
        """Return where those stand that have failed in this call."""
        return [state for state in self._states.values() if state.kinds]

    @property
    def unasked(self) -> int:
        """How many may be asked and have not been."""
        return sum(not (self[one].attempts or self[one].out) for one in self)

    @property
    def at_last_item(self) -> bool:
        """Whether there is no item to move on to."""
        return self._at >= len(self._items) - 1

    @property
    def last(self) -> Route | None:
        """Who was asked last."""
        return self._last

    # --- who may be asked ---------------------------------------------------------

    def selectable(self, now: float) -> tuple[list[Route], list[Route]]:
        """Return who may be asked from here, and whom their health holds back.

        At the last item, those are meant as well who were put off before: for a long
        wait, or because their circuit opened in the middle of this call. Health holds
        back whom this call has not asked yet; a retry of its own is this call's affair.
        """
        at_last = self.at_last_item
        routes = self if at_last else self._items[self._at]
        free: list[Route] = []
        held: list[Route] = []
        for route in routes:
            state = self[route]
            if not state.out and (at_last or not state.put_off):
                (held if self.held_until(route, now) > now else free).append(route)
        return free, held

    def held_until(self, route: Route, now: float) -> float:
        """Return until when its health keeps a route out of this call; `now` if not."""
        if self._health is None:
            return now
        if self._states.get(route.place, _FRESH).attempts:
            return now
        return self._health.available_at(route.key, route.name, now)

    def available_at(self, route: Route) -> float:
        """Return when a route may be asked again, by what it said in this call."""
        return self[route].available_at

    def anyone_else(self, route: Route, now: float) -> bool:
        """Return whether another route could be asked this moment."""
        return any(other is not route and self._is_free(other, now) for other in self)

    def _is_free(self, route: Route, now: float) -> bool:
        state = self._states.get(route.place, _FRESH)
        if state.out or state.put_off or state.available_at > now:
            return False
        return self.held_until(route, now) <= now

    def soonest(self, now: float) -> float | None:
        """Return in how many seconds the first candidate may be asked by any call.

        `None` if they are isolated, which no time ends.
        """
        if self._health is None:
            return 0.0
        free = [self._health.available_at(one.key, one.name, now) for one in self]
        wait = max(0.0, min(free) - now)
        return wait if math.isfinite(wait) else None

    # --- asking -------------------------------------------------------------------

    def healthy_first(self) -> Route | None:
        """Return who is asked first, where there is nothing to think about.

        That is what `selectable`, `pick` and `try_acquire` come to if nobody was asked
        yet, and the only one in the first item is well; mostly it is so.
        """
        if self._last is not None or len(first := self._items[0]) > 1:
            return None
        [route] = first
        if self._health is None or self._health.is_healthy(route.key, route.name):
            return route
        return None

    def pick(self, free: list[Route]) -> Route:
        """Pick a free one: of the current item, not yet asked, after the last asked."""
        if len(free) == 1:
            return free[0]
        last = self._last.place if self._last is not None else -1
        here = [route for route in free if route in self._items[self._at]]
        fresh = [route for route in here if not self[route].attempts]
        later = [route for route in here if route.place > last]
        return (fresh or later or here or free)[0]

    def try_acquire(self, route: Route, now: float) -> bool | None:
        """Take a route; return whether as a probe, `None` if somebody was faster."""
        if self._health is None:
            return False
        if self[route].attempts:
            return self._health.record_request(route.key, route.name, now)
        return self._health.try_acquire(route.key, route.name, now)

    def claim_last_resort(self, held: list[Route], now: float) -> tuple[Route, bool]:
        """Take the soonest to return of those that are held back."""
        route = min(held, key=lambda one: self.held_until(one, now))
        self[route].last_resort = True
        health = self._health
        probe = health is not None and health.record_request(route.key, route.name, now)
        return route, probe

    def record_attempt(self, route: Route) -> int:
        """Note that a route is asked; return which attempt at it this is."""
        self._last = route
        state = self[route]
        state.attempts += 1
        return state.attempts

    def next_tier(self) -> None:
        """Go on to the next item."""
        self._at += 1

    def rule_out_smaller(self, route: Route) -> None:
        """Rule out every window known as no larger than the one that overflowed."""
        if (window := route.window) is None:
            return
        for other in self:
            if other.window is not None and other.window <= window:
                self[other].out = True
