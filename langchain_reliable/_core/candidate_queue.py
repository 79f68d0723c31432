"""Who may be asked: where each candidate stands in this call, and across calls.

One owner of a route's state: what a failure means is decided in `retry`, when the call
is over in `call`, and both change a state only through the methods here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from langchain_reliable._core.balancing.groups import GroupMembers
from langchain_reliable._core.balancing.needs import NO_NEEDS
from langchain_reliable._core.circuit import UNKNOWN
from langchain_reliable._core.rate_limits import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_reliable._core.balancing.needs import CallNeeds
    from langchain_reliable._core.circuit import Admission
    from langchain_reliable._core.health_store import HealthStore
    from langchain_reliable._core.rate_limits import Full
    from langchain_reliable._core.steps import Claim, Plan, Route
    from langchain_reliable.failures import FailureKind


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
        free_at: When the first may be asked that waits for what it said itself, or that
            is full.
        waiting: That one.
        limit: What it is full of; `None` where it waits for what it said itself.
        held: Those whom their health holds back.
        misfits: Those whom the request does not fit.
        full: Those that are full, and until when.
    """

    free: Route | None
    free_at: float
    waiting: Route | None
    limit: Full | None
    held: list[Route]
    misfits: list[Route]
    full: dict[Route, Full]


class CandidateQueue:
    """The candidates of one call, and how far it has come among them."""

    __slots__ = (
        "_at",
        "_health",
        "_needs",
        "_plan",
        "_states",
        "_sticky",
        "_streams",
        "last",
        "unasked",
    )

    def __init__(
        self,
        plan: Plan,
        health: HealthStore | None,
        needs: CallNeeds = NO_NEEDS,
        *,
        streams: bool = False,
    ) -> None:
        """Begin at the first tier.

        Args:
            plan: Who may be asked.
            health: What is known across calls; `None` for nothing.
            needs: What the call asks of its candidates.
            streams: Whether it asks for a stream.
        """
        self._at = 0
        self._health = health
        self._needs = needs
        self._plan = plan
        self._states: dict[Route, RouteState] = {}
        self._sticky: dict[int, tuple[Route, ...]] = {}
        self._streams = streams
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
        Who is full is never asked, and waited for only when nobody else is free.
        """
        free: Route | None = None
        soonest, waiting, limit = math.inf, None, None
        held: list[Route] = []
        misfits: list[Route] = []
        full: dict[Route, Full] = {}
        for route in self._to_look_at(only_unasked=only_unasked):
            state = self._states.get(route, _FRESH)
            fits = state.attempts or route not in self._needs.misfits
            is_held = self.held_until(route, now) > now
            if (lacks := self.full(route, now)) is not None:
                full[route] = lacks
            if not fits:
                misfits.append(route)
            elif is_held:
                held.append(route)
            elif lacks is not None:
                if self.at_last_tier and max(lacks.until, state.free_at) < soonest:
                    soonest, waiting = max(lacks.until, state.free_at), route
                    limit = lacks
            elif state.free_at <= now:
                free = route
                break
            elif state.free_at < soonest:
                soonest, waiting, limit = state.free_at, route, None
        return Outlook(free, soonest, waiting, limit, held, misfits, full)

    def full(self, route: Route, now: float) -> Full | None:
        """Return which of its limits keeps a route from being asked, and until when."""
        if route.allowance is None or self._health is None:
            return None
        allowance, demand = route.allowance, NOTHING
        if allowance.limits.counts_tokens:
            demand = self._needs.demand(route)
        return self._health.book.full(allowance, demand, now)

    def _to_look_at(self, *, only_unasked: bool) -> Iterator[Route]:
        put_off = []
        for route in self._in_order():
            state = self._states.get(route, _FRESH)
            if state.in_flight or (only_unasked and state.attempts):
                continue
            if state.put_off:
                put_off.append(route)
            else:
                yield route
        if self.at_last_tier:  # nobody else is left
            yield from put_off

    def _in_order(self) -> Iterator[Route]:
        """Iterate over those to look at, the one to prefer first.

        Of the present tier before those put off; who was not asked yet before who was;
        after the last asked before those before it.
        """
        yield from self._of_tier(self._routes_at(self._at))
        if self.at_last_tier:
            for earlier in range(self._at):
                yield from filter(self._is_alive, self._routes_at(earlier))

    def _routes_at(self, at: int) -> tuple[Route, ...]:
        """Return the routes of a tier, in the order of the conversation if it has one.

        A preference, never a pin: whoever is next is asked when the first is not free.
        """
        tier = self._plan.tiers[at]
        if self._needs.sticky is None or len(tier.routes) == 1 or tier.is_fixed:
            return tier.routes
        if (known := self._sticky.get(at)) is None:
            order = self._needs.sticky(tier.routes[0].entry)
            routes = map(tier.by_place.get, order)
            known = self._sticky[at] = tuple(filter(None, routes))
        return known

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
        for other in reversed(self._plan.routes):  # the last were not asked yet
            if other is route:
                continue
            if (state := states.get(other)) is None:  # mostly it is so: no call of ours
                if other not in self._needs.misfits and (
                    health is None
                    or (
                        health.available_at(other, now) <= now
                        and (other.allowance is None or not self.full(other, now))
                    )
                ):
                    return True
            elif self._could_be_asked(other, state, now):
                return True
        return False

    def _is_free(self, route: Route, now: float) -> bool:
        return self._could_be_asked(route, self._states.get(route, _FRESH), now)

    def _could_be_asked(self, route: Route, state: RouteState, now: float) -> bool:
        if state.out or state.put_off or state.free_at > now or state.in_flight:
            return False
        if route in self._needs.misfits and not state.attempts:
            return False
        if self.held_until(route, now) > now:
            return False
        return route.allowance is None or self.full(route, now) is None

    def soonest(self, now: float) -> float | None:
        """Return in how many seconds the first candidate may be asked by any call.

        `None` if they are isolated, which no time ends.
        """
        if self._health is None:
            return 0.0
        wait = math.inf
        for route in self._plan.routes:
            at = self._health.available_at(route, now)
            if (lacks := self.full(route, now)) is not None:
                at = max(at, lacks.until)
            wait = min(wait, max(0.0, at - now))
        return wait if math.isfinite(wait) else None

    # --- asking -------------------------------------------------------------------

    def first(self, now: float) -> Route | None:
        """Return who is asked first of all; whether it is free, `acquire` tells.

        `None` where that takes a look at several, as where a conversation is not at
        home: the trail tells why.
        """
        lead = self._plan.lead
        if self._needs.sticky is not None and not self._plan.tiers[self._at].is_fixed:
            home = self._routes_at(self._at)[0]
            return home if self._is_free(home, now) else None
        if lead is None:
            return self._whose_turn(now)
        return None if lead in self._needs.misfits else lead

    def in_turn(self, free: Route, now: float) -> Route:
        """Return whom to ask of a group that takes turns; taking one acts.

        Args:
            free: Who is asked where nobody takes turns.
            now: The moment.
        """
        if self._states and self._states.get(free, _FRESH).attempts:
            return free  # everybody else was asked as well
        return self._whose_turn(now) or free

    def _whose_turn(self, now: float) -> Route | None:
        """Return whose turn it is among those that were not asked yet."""
        tier = self._plan.tiers[self._at]
        if self._needs.sticky is not None and not tier.is_fixed:
            for route in self._routes_at(self._at):
                if self._is_new(route) and self._is_free(route, now):
                    return route
            return None
        if tier.turns is None:
            return None
        by_place = tier.by_place

        def is_free(place: int) -> bool:
            route = by_place.get(place)
            return (
                route is not None and self._is_new(route) and self._is_free(route, now)
            )

        book = None if self._health is None else self._health.book
        members = GroupMembers(by_place, is_free, book, streams=self._streams)
        place = tier.turns.pick(members, now, streams=self._streams)
        return None if place is None else by_place[place]

    def _is_new(self, route: Route) -> bool:
        return not self._states.get(route, _FRESH).attempts

    def acquire(self, route: Route, now: float) -> Admission | Claim | None:
        """Take or claim a route that is free; `None` if somebody was faster."""
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

    def admit_anyway(self, route: Route, now: float) -> Admission | Claim:
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

    def next_tier(self) -> None:
        """Go on to the next tier."""
        self._at += 1

    def beside(self, now: float) -> Iterator[Route]:
        """Iterate over those who may be asked beside one that is asked, siblings first.

        Only who was not asked in this call: a hedge is no retry. And nobody half-open,
        whose one request is too good to be lost.
        """
        for at in range(self._at, len(self._plan.tiers)):
            for route in self._of_tier(self._routes_at(at)):
                if self._states.get(route, _FRESH).attempts:
                    continue
                if not self._is_free(route, now):
                    continue
                if self._health is None or not self._health.would_probe(route, now):
                    yield route

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
