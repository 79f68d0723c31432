"""Who may be asked: from what the user wrote to the plan of one call.

The order of a plan is decided in `_core/plan.py`, and calling a child happens in
`_children`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from langchain_core.language_models import BaseChatModel, LangSmithParams

from langchain_reliable._children.base import ChildConfig
from langchain_reliable._children.identity import account_key, identity, limits_key
from langchain_reliable._children.prepare import bare_model, child_of, own_model
from langchain_reliable._core.balancing.hedging import hedge_rule
from langchain_reliable._core.balancing.sticky import StickyOrder
from langchain_reliable._core.circuit import MAX_PROBE
from langchain_reliable._core.fit import ANYTHING, capacity
from langchain_reliable._core.plan import only_its_own, plan_of, planned
from langchain_reliable._core.rate_limits import Allowance, RateLimits
from langchain_reliable._core.steps import Plan, Route
from langchain_reliable._core.timeouts import read_timeout_for
from langchain_reliable.candidates import Candidate, Group, members_of
from langchain_reliable.errors import StreamingUnavailable
from langchain_reliable.observers._forks import computes_after_fork

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from langchain_reliable._children.base import Child, Request
    from langchain_reliable._children.identity import CandidateKey
    from langchain_reliable._core.fit import Capacity
    from langchain_reliable._core.steps import Turns
    from langchain_reliable._core.timeouts import Timeouts


_MAX_TOKENS = ("max_tokens", "max_completion_tokens", "max_output_tokens")

_PLANS_KEPT = 256
"""Names of models asked for in calls whose plans and children are kept."""


@computes_after_fork
class Router:
    """The candidates of one model and the plans made of them."""

    def __init__(
        self,
        entries: Sequence[Candidate | Group],
        fallbacks: Mapping[str, Sequence[str]],
        max_retries: int,
        manage_retries: bool,  # noqa: FBT001 - named by its place in the fields
        timeouts: Timeouts,
        hedge: object = None,
    ) -> None:
        """Take the candidates in.

        Args:
            entries: What the user wrote in `models`, checked.
            fallbacks: Model name to further names.
            max_retries: Retries of candidates that have no number of their own.
            manage_retries: Whether the children's own retries are to be off.
            timeouts: Time limits of candidates that have none of their own.
            hedge: When another is asked beside one of them, likewise.
        """
        self._entries = entries
        self._fallbacks = fallbacks
        self._max_retries = max_retries
        self._manage_retries = manage_retries
        self._timeouts = timeouts
        self._hedge = hedge
        self._children: dict[tuple[Route, float | None], Child] = {}
        self._plans: dict[str | None, Plan] = {}
        self._usual: dict[tuple[Route, bool], Child] = {}
        self.told: dict[str, Any] | None = None
        """What the model tells of itself, kept here by the model."""

    @cached_property
    def candidates(self) -> list[Candidate]:
        """All candidates, in order."""
        return [one for entry in self._entries for one in members_of(entry)]

    @cached_property
    def first_model(self) -> BaseChatModel | None:
        """The chat model that is asked first, if it is one."""
        first = bare_model(self.candidates[0])
        return first if isinstance(first, BaseChatModel) else None

    @cached_property
    def first_route(self) -> Route:
        """Who is asked first, if nothing speaks against it."""
        return self.plan().routes[0]

    @cached_property
    def first_ls_params(self) -> LangSmithParams:
        """What the first model tells tracers of itself, if nothing is asked of it."""
        first = self.first_model
        return LangSmithParams() if first is None else first._get_ls_params()

    @cached_property
    def identifying_params(self) -> list[dict[str, Any]]:
        """What tells the candidates from others, as their classes say."""
        told = []
        for one in self.candidates:
            model, own = bare_model(one), {}
            if isinstance(model, BaseChatModel):
                own = dict(model._identifying_params)
            told.append(
                {"class": type(model).__qualname__, "kwargs": one.kwargs, **own}
            )
        return told

    @cached_property
    def model_name(self) -> str:
        """What the candidates are called, in the order of `models`."""
        return " | ".join(route.name for route in self.plan().routes)

    # --- plans --------------------------------------------------------------------

    def plan(self, asked: str | None = None) -> Plan:
        """Return who may be asked for a model."""
        if (plan := self._plans.get(asked)) is None:
            if len(self._plans) >= _PLANS_KEPT:  # of names that callers made up
                self._forget()
            declared = {route.own for route in self._declared} | {
                name for route in self._declared for name in route.serves
            }
            declared |= {name for names in self._fallbacks.values() for name in names}
            tiers = [
                [
                    self._completed(one, made_up=one.asked_for not in declared)
                    for one in tier
                ]
                for tier in planned(self._declared, self._fallbacks, asked)
            ]
            plan = self._plans.setdefault(asked, plan_of(tiers, self._turns_of))
        return plan

    def account_of(self, name: str) -> Hashable | None:
        """Return whose account a candidate uses, by its name; `None` if nobody knows.

        A name out of a call's `model=` may be that of several.
        """
        for plans in ([self.plan()], list(self._plans.values())):
            routes = [route for plan in plans for route in plan.routes]
            found = {account_key(one.candidate) for one in routes if one.name == name}
            if len(found) == 1:
                return found.pop()
        return None

    @cached_property
    def _sticky_orders(self) -> dict[int, StickyOrder]:
        """Who comes when in a conversation, by entry; by names, which last."""
        orders: dict[int, StickyOrder] = {}
        for entry, item in enumerate(self._entries):
            members = members_of(item)
            routes = [one for one in self.plan().routes if one.entry == entry]
            names = {one.place: one.name for one in routes if not one.round}
            orders[entry] = StickyOrder(
                [names[place] for place in range(len(members))],
                [one.weight for one in members],
            )
        return orders

    def sticky_places(self, value: str, entry: int) -> tuple[int, ...]:
        """Return the places of an entry's members in the order of a conversation."""
        return self._sticky_orders[entry].order(value)

    def _turns_of(self, entry: int) -> Turns | None:
        group = self._entries[entry]
        return group.turns if isinstance(group, Group) else None

    @cached_property
    def _declared(self) -> list[Route]:
        """The candidates as a plan begins with them."""
        return [
            Route(
                candidate=candidate,
                entry=at,
                place=place,
                own=own_model(candidate),
                serves=tuple(candidate.models),
                given_name=candidate.name,
                name=type(bare_model(candidate)).__name__,
            )
            for at, entry in enumerate(self._entries)
            for place, candidate in enumerate(members_of(entry))
        ]

    def _completed(self, route: Route, *, made_up: bool) -> Route:
        """Return a route of a plan with all that a call needs to know of it."""
        candidate, asked_for = route.candidate, route.asked_for
        retries = candidate.max_retries
        timeouts = candidate.timeouts(self._timeouts)
        child = bare_model(candidate)
        limiter = getattr(child, "rate_limiter", None)
        group = self._entries[route.entry]
        by_load = isinstance(group, Group) and group.order in ("least_busy", "fastest")
        return replace(
            route,
            max_retries=self._max_retries if retries is None else retries,
            max_probe=min(timeouts.answer or MAX_PROBE, MAX_PROBE),
            window=_window(candidate) if asked_for is None else None,
            timeouts=timeouts,
            key=_health_key(identity(candidate, asked_for)),
            made_up=made_up and asked_for is not None,
            model=asked_for or route.own,
            provider=_provider(candidate),
            take_turn=(
                None if limiter is None else partial(limiter.acquire, blocking=False)
            ),
            tags=frozenset(candidate.tags),
            capacity=_capacity(candidate, asked_for),
            max_tokens=max_tokens_among(getattr(child, "__dict__", {})),
            own_max_tokens=max_tokens_among(candidate.kwargs),
            allowance=(allowance := _allowance(candidate, asked_for)),
            is_booked=allowance is not None or by_load,
            hedge=hedge_rule(
                candidate.hedge
                if "hedge" in candidate.model_fields_set
                else self._hedge
            ),
        )

    def streaming_only(self, plan: Plan, request: Request, *, async_api: bool) -> Plan:
        """Return a plan without those that can't stream.

        Raises:
            StreamingUnavailable: None of them can.
        """
        able = [
            tier._replace(
                routes=tuple(
                    one
                    for one in tier.routes
                    if self.child(one).streams(request, async_api=async_api)
                )
            )
            for tier in plan.tiers
        ]
        if not any(tier.routes for tier in able):
            names = ", ".join(route.name for route in plan.routes)
            msg = f"`require_streaming` is on, but none of these can stream: {names}"
            raise StreamingUnavailable(msg)
        return Plan([only_its_own(tier) for tier in able if tier.routes])

    # --- children -----------------------------------------------------------------

    def child(self, route: Route, read_timeout: float | None = None) -> Child:
        """Return the child of a route, ready to be called."""
        if (known := self._children.get((route, read_timeout))) is not None:
            return known
        config = ChildConfig(route.asked_for, self._manage_retries, read_timeout)
        child = self._children[route, read_timeout] = child_of(route.candidate, config)
        return child

    def child_within(
        self,
        route: Route,
        timeouts: Timeouts,
        streams: bool,  # noqa: FBT001 - part of a key
    ) -> Child:
        """Return the child of a route, whose client gives a socket up in time."""
        if timeouts is not route.timeouts:  # a limit of this call alone
            return self.child(route, read_timeout_for(timeouts, streams=streams))
        if (known := self._usual.get((route, streams))) is None:
            known = self.child(route, read_timeout_for(timeouts, streams=streams))
            self._usual[route, streams] = known
        return known

    def children(self) -> list[Child]:
        """Return all children in the order of `models`, ready to be called."""
        return [self.child(route) for route in self.plan().routes]

    def _forget(self) -> None:
        self._plans.clear()
        self._children.clear()
        self._usual.clear()
        for candidate in self.candidates:
            candidate._kept.clear()


class _HealthKey:
    """An identity as one object, so that looking it up costs no call of ours."""

    __slots__ = ("__weakref__", "identity")

    def __init__(self, identity: CandidateKey) -> None:
        self.identity = identity


_health_keys: WeakValueDictionary[CandidateKey, _HealthKey] = WeakValueDictionary()


def _health_key(identity: CandidateKey) -> _HealthKey:
    """Return the one object of an identity; as long as anybody holds it."""
    return _health_keys.setdefault(identity, _HealthKey(identity))


def _allowance(candidate: Candidate, asked_for: str | None) -> Allowance | None:
    """Return what a candidate may be asked; `None` where its owner says nothing."""
    given = candidate.rpm, candidate.tpm, candidate.max_parallel_requests
    if given == (None, None, None) and candidate.budget is None:
        return None
    rpm, tpm, at_once = given
    limits = RateLimits(
        rpm=rpm,
        tpm=tpm,
        max_parallel_requests=at_once,
        budget=candidate.budget,
        price=candidate.price,
    )
    key = candidate.limits_key
    if key is not None:
        return Allowance(("limits_key", key), limits)
    return Allowance(_health_key(limits_key(candidate, asked_for)), limits)


def _capacity(candidate: Candidate, asked_for: str | None) -> Capacity:
    """Return what is known of the requests that fit; of another model, nothing."""
    if asked_for is not None:
        return ANYTHING
    profile = getattr(bare_model(candidate), "profile", None)
    known = capacity(candidate.context_window, profile)
    return ANYTHING if known == ANYTHING else known


def max_tokens_among(settings: Mapping[str, Any]) -> int | None:
    """Return the most tokens that an answer may take, as settings say."""
    for name in _MAX_TOKENS:
        value = settings.get(name)
        if isinstance(value, int) and value > 0:
            return value
    return None


def _window(candidate: Candidate) -> int | None:
    """Return how many tokens fit: as the user said, else the child's profile."""
    if candidate.context_window is not None:
        return candidate.context_window
    profile = getattr(bare_model(candidate), "profile", None) or {}
    window = profile.get("max_input_tokens")
    return window if isinstance(window, int) else None


def _provider(candidate: Candidate) -> str | None:
    """Return whose model a candidate is, as its LangChain class says in traces."""
    try:
        provider = bare_model(candidate)._get_ls_params().get("ls_provider")  # type: ignore[attr-defined]
    except Exception:  # noqa: BLE001 - for traces only; a Runnable has none
        return None
    return str(provider) if provider else None
