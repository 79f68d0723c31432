"""Who may be asked: where each candidate stands in this call, and across calls.

One owner of a route's state: what a failure means is decided in `retry`, when the call
is over in `call`, and both change a state only through the methods here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from langchain_reliable._core.circuit import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from langchain_reliable._core.circuit import Admission, Opened
    from langchain_reliable._core.fallback_watch import FallbackWatch
    from langchain_reliable._core.steps import Plan, Route
    from langchain_reliable.failures import Failure, FailureKind
    from langchain_reliable.policies import CircuitBreaker


class HealthStore(Protocol):
    """What a call asks of, and tells, the memory across calls."""

    fallback_watch: FallbackWatch

    def available_at(self, route: Route, now: float, /) -> float:
        """Return when a candidate may be asked; `now` if it may at once."""

    def admission_if_healthy(self, route: Route, /) -> Admission | None:
        """Return the admission of a candidate that nothing speaks against."""

    def try_acquire(self, route: Route, now: float, /) -> Admission | None:
        """Take a free candidate; `None` if somebody else was faster."""

    def record_request(self, route: Route, now: float, /) -> Admission:
        """Note that a candidate is asked, whether it is free or not."""

    def failed(
        self,
        route: Route,
        failure: Failure,
        admission: Admission,
        now: float,
        chance: float,
        breaker: CircuitBreaker | None,
        *,
        took: float = 0.0,
        alone: bool,
    ) -> Opened:
        """Take note of a failure; return whether the circuit is open now."""

    def began_answering(
        self, route: Route, admission: Admission, now: float, /
    ) -> bool:
        """Take note that an answer has begun; whether that closed a circuit."""

    def answered(self, route: Route, admission: Admission, /) -> None:
        """Take note of a whole answer."""

    def abandoned(self, route: Route, admission: Admission, /) -> None:
        """Take note that a request was given up."""

    def nobody_reached(self, routes: Iterable[Route], /) -> None:
        """Take note that no candidate of a call could be reached."""


@dataclass(slots=True)
class RouteState:
    """Where one route stands in this call.

    Attributes:
        attempts: How often it was asked.
        in_flight: How many of these are on their way.
        out: Whether it is not to be asked again.
        put_off: Whether it is asked again only when nobody else is left.
        last_resort: Whether it is asked although its health speaks against it.
        free_at: When it may be asked again, by what it said itself.
        kinds: How its attempts failed.
        broke_in_words: How many of them after a first word that nobody saw.
        paid: What its present retry has cost of the budget of all calls.
    """

    attempts: int = 0
    in_flight: int = 0
    out: bool = False
    put_off: bool = False
    last_resort: bool = False
    free_at: float = -math.inf
    kinds: list[FailureKind] = field(default_factory=list)
    broke_in_words: int = 0
    paid: float = 0.0


_FRESH = RouteState()
"""Where a route stands that was not asked; never written to."""


class Outlook(NamedTuple):
    """Who may be asked from here.

    Attributes:
        free: The one to ask now, if anybody may be.
        free_at: When the first may be asked that waits for what it said itself.
        waiting: That one.
        held: Those whom their health holds back.
    """

    free: Route | None
    free_at: float
    waiting: Route | None
    held: list[Route]


class CandidateQueue:
    """The candidates of one call, and how far it has come among them."""

    __slots__ = ("_at", "_health", "_plan", "_states", "last", "unasked")

    def __init__(self, plan: Plan, health: HealthStore | None) -> None:
        """Begin at the first tier.

        Args:
            plan: Who may be asked.
            health: What is known across calls; `None` for nothing.
        """
        self._at = 0
        self._health = health
        self._plan = plan
        self._states: dict[Route, RouteState] = {}
        self.last: Route | None = None
        self.unasked = len(plan.routes)

    def __getitem__(self, route: Route) -> RouteState:
        """Return where a route stands."""
        if (known := self._states.get(route)) is None:
            known = self._states[route] = RouteState()
        return known

    @property
    def alone(self) -> bool:
        """Whether the plan has but one candidate."""
        return len(self._plan.routes) == 1

    @property
    def asked(self) -> list[RouteState]:
        """Return where those stand that have failed in this call."""
        return [state for state in self._states.values() if state.kinds]

    @property
    def at_last_tier(self) -> bool:
        """Whether there is no tier to move on to."""
        return self._at >= len(self._plan.tiers) - 1

    # --- who may be asked ---------------------------------------------------------

    def look(self, now: float, *, only_unasked: bool = False) -> Outlook:
        """Return who may be asked from here; a question that changes nothing.

        At the last tier, those are meant as well who were put off before: for a long
        wait, or because their circuit opened in the middle of this call. Health holds
        back whom this call has not asked yet; a retry of its own is this call's affair.
        """
        free: Route | None = None
        soonest, waiting, held = math.inf, None, []
        for route in self._in_order():
            state = self._states.get(route, _FRESH)
            if state.in_flight or (only_unasked and state.attempts):
                continue
            if state.put_off and not self.at_last_tier:
                continue
            if self.held_until(route, now) > now:
                held.append(route)
            elif state.free_at <= now:
                free = route
                break
            elif state.free_at < soonest:
                soonest, waiting = state.free_at, route
        return Outlook(free, soonest, waiting, held)

    def _in_order(self) -> Iterator[Route]:
        """Iterate over those to look at, the one to prefer first.

        Of the present tier before those put off; who was not asked yet before who was;
        after the last asked before those before it.
        """
        yield from self._of_tier(self._plan.tiers[self._at].routes)
        if self.at_last_tier:
            for earlier in self._plan.tiers[: self._at]:
                yield from filter(self._is_alive, earlier.routes)

    def _of_tier(self, routes: tuple[Route, ...]) -> Iterator[Route]:
        at = routes.index(self.last) + 1 if self.last in routes else 0
        turned = (*routes[at:], *routes[:at]) if at else routes
        asked = []
        for route in filter(self._is_alive, turned):
            if route in self._states and self._states[route].attempts:
                asked.append(route)
            else:
                yield route
        yield from asked

    def _is_alive(self, route: Route) -> bool:
        return not self._states.get(route, _FRESH).out

    def held_until(self, route: Route, now: float) -> float:
        """Return until when its health keeps a route out of this call; `now` if not."""
        if self._health is None or self._states.get(route, _FRESH).attempts:
            return now
        return self._health.available_at(route, now)

    def anyone_else(self, route: Route, now: float) -> bool:
        """Return whether another route could be asked this moment."""
        states, health = self._states, self._health
        for other in self._plan.routes:
            if other is route:
                continue
            if (state := states.get(other)) is None:  # mostly it is so: no call of ours
                if health is None or health.available_at(other, now) <= now:
                    return True
            elif self._could_be_asked(other, state, now):
                return True
        return False

    def _is_free(self, route: Route, now: float) -> bool:
        return self._could_be_asked(route, self._states.get(route, _FRESH), now)

    def _could_be_asked(self, route: Route, state: RouteState, now: float) -> bool:
        if state.out or state.put_off or state.free_at > now or state.in_flight:
            return False
        return self.held_until(route, now) <= now

    def soonest(self, now: float) -> float | None:
        """Return in how many seconds the first candidate may be asked by any call.

        `None` if they are isolated, which no time ends.
        """
        if self._health is None:
            return 0.0
        free = [self._health.available_at(one, now) for one in self._plan.routes]
        wait = max(0.0, min(free) - now)
        return wait if math.isfinite(wait) else None

    # --- asking -------------------------------------------------------------------

    def first(self, now: float) -> Route | None:
        """Return who is asked first of all; whether it is free, `acquire` tells.

        `None` where that takes a look at several.
        """
        if self._plan.only is not None:
            return self._plan.only
        return self._whose_turn(now)

    def in_turn(self, free: Route, now: float) -> Route:
        """Return whom to ask of a group that takes turns; taking one acts.

        Args:
            free: Who is asked where nobody takes turns.
            now: The moment.
        """
        tier = self._plan.tiers[self._at]
        if tier.turns is None or any(route in self._states for route in tier.routes):
            return free
        return self._whose_turn(now) or free

    def _whose_turn(self, now: float) -> Route | None:
        tier = self._plan.tiers[self._at]
        if tier.turns is None:
            return None
        by_place = tier.by_place

        def is_free(place: int) -> bool:
            route = by_place.get(place)
            return route is not None and self._is_free(route, now)

        place = tier.turns.first(is_free)
        return None if place is None else by_place[place]

    def acquire(self, route: Route, now: float) -> Admission | None:
        """Take a route that is free; `None` if it is not, or somebody was faster."""
        if self._health is None:
            return UNKNOWN
        if route in self._states and self._states[route].attempts:
            return self._health.record_request(route, now)
        admission = self._health.admission_if_healthy(route)
        return admission or self._health.try_acquire(route, now)

    def last_resort(self, held: list[Route], now: float) -> Route:
        """Return the soonest to return of those that are held back."""
        tier_of = self._plan.tier_of
        route = min(held, key=lambda one: (self.held_until(one, now), tier_of[one]))
        self[route].last_resort = True
        return route

    def admit_anyway(self, route: Route, now: float) -> Admission:
        """Take a route although its health holds it back."""
        if self._health is None:
            return UNKNOWN
        return self._health.record_request(route, now)

    def started(self, route: Route) -> int:
        """Note that a route is asked; return which attempt at it this is."""
        if (state := self._states.get(route)) is None:
            state = self._states[route] = RouteState()
        if not state.attempts and not state.out:
            self.unasked -= 1
        state.attempts += 1
        state.in_flight += 1
        return state.attempts

    def ended(self, route: Route) -> None:
        """Note that an attempt at a route is no longer on its way."""
        self._states[route].in_flight -= 1

    def withdrawn(self, route: Route) -> None:
        """Note that a route was not asked after all."""
        state = self[route]
        state.attempts -= 1
        state.in_flight -= 1
        if not state.attempts and not state.out:
            self.unasked += 1

    def next_tier(self) -> None:
        """Go on to the next tier."""
        self._at += 1

    # --- what failures come to ----------------------------------------------------

    def retry_at(self, route: Route, moment: float) -> None:
        """Let a route be asked again, from a moment on."""
        self[route].free_at = moment

    def put_off(self, route: Route) -> None:
        """Let a route be asked again only when nobody else is left."""
        self[route].put_off = True

    def rule_out(self, route: Route) -> None:
        """Let a route not be asked again in this call."""
        state = self[route]
        if not state.out:
            state.out = True
            if not state.attempts:
                self.unasked -= 1

    def rule_out_smaller(self, route: Route) -> None:
        """Rule out every window known as no larger than the one that overflowed."""
        if (window := route.window) is None:
            return
        for other in self._plan.routes:
            if other.window is not None and other.window <= window:
                self.rule_out(other)
