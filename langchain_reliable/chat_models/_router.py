"""Who is in the house: from what the user wrote to the routes of one call.

Looking candidates up by their seat in a plan lives here. The order of the plan is
decided in `_plan`, and calling a child happens in `_children`.
"""

from __future__ import annotations

from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel, LangSmithParams

from langchain_reliable._children.base import ChildConfig
from langchain_reliable._children.identity import identity
from langchain_reliable._children.prepare import bare_model, child_of, own_model
from langchain_reliable._core.plan import Member, planned
from langchain_reliable._core.steps import Route
from langchain_reliable.candidates import Candidate, Group, members_of
from langchain_reliable.errors import StreamingUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_reliable._children.base import Child, Request
    from langchain_reliable._core.plan import Seat
    from langchain_reliable._core.timeouts import Timeouts

    Plan = list[list[Seat]]


_PLANS_KEPT = 256
"""Names of models asked for in calls whose plans and children are kept."""


class Router:
    """The candidates of one model and the plans made of them."""

    def __init__(
        self,
        items: Sequence[Candidate | Group],
        fallbacks: Mapping[str, Sequence[str]],
        max_retries: int,
        manage_retries: bool,  # noqa: FBT001 - named by its place in the fields
        limits: Timeouts,
    ) -> None:
        """Take the candidates in.

        Args:
            items: What the user wrote in `models`, checked.
            fallbacks: Model name to further names.
            max_retries: Retries of candidates that have no number of their own.
            manage_retries: Whether the children's own retries are to be off.
            limits: Time limits of candidates that have none of their own.
        """
        self._items = items
        self._fallbacks = fallbacks
        self._max_retries = max_retries
        self._manage_retries = manage_retries
        self._limits = limits
        self._children: dict[tuple[int, float | None], tuple[Seat, Child]] = {}
        self._plans: dict[str | None, Plan] = {}
        self._routes: dict[int, tuple[list[list[Route]], list[Seat]]] = {}
        self.told: dict[str, Any] | None = None
        """What the model tells of itself, kept here by the model."""

    @cached_property
    def candidates(self) -> list[Candidate]:
        """All candidates, in order."""
        return [one for item in self._items for one in members_of(item)]

    @cached_property
    def first_model(self) -> BaseChatModel | None:
        """The chat model that is asked first, if it is one."""
        first = bare_model(self.candidates[0])
        return first if isinstance(first, BaseChatModel) else None

    @cached_property
    def first_ls_params(self) -> LangSmithParams:
        """What the first model tells tracers of itself, if nothing is asked of it."""
        first = self.first_model
        return LangSmithParams() if first is None else first._get_ls_params()

    @cached_property
    def identifying_params(self) -> list[dict[str, Any]]:
        """What tells the candidates from others, as their classes say."""
        return [_identifying(one) for one in self.candidates]

    @cached_property
    def _turning(self) -> dict[int, Group]:
        """The groups whose order changes from call to call, by place."""
        return {
            at: item
            for at, item in enumerate(self._items)
            if isinstance(item, Group) and item.order != "ordered"
        }

    def plan(self, asked: str | None) -> Plan:
        """Return who may be asked for a model, each group in its order of this call."""
        plan = self.declared(asked)
        if not self._turning:
            return plan
        turns = {at: group.in_turn() for at, group in self._turning.items()}
        return [_turned(item, turns) for item in plan]

    @cached_property
    def model_name(self) -> str:
        """What the candidates are called, in the order of `models`."""
        return " | ".join(seat.label for item in self.declared() for seat in item)

    def declared(self, asked: str | None = None) -> Plan:
        """Return who may be asked for a model, in the order of `models`."""
        if (plan := self._plans.get(asked)) is None:
            if len(self._plans) >= _PLANS_KEPT:  # of names that callers made up
                self._forget()
            plan = planned(self._members(), self._fallbacks, asked)
            plan = self._plans.setdefault(asked, plan)
        return plan

    def candidate(self, seat: Seat) -> Candidate:
        """Return who sits there."""
        return members_of(self._items[seat.member.item])[seat.member.place]

    def _forget(self) -> None:
        for kept in (self._plans, self._routes, self._children):
            kept.clear()
        for candidate in self.candidates:
            candidate._kept.clear()

    def child(self, seat: Seat, read_timeout: float | None = None) -> Child:
        """Return the child of a seat, ready to be called."""
        if (known := self._children.get((id(seat), read_timeout))) is not None:
            return known[1]
        how = ChildConfig(seat.model, self._manage_retries, read_timeout)
        child = child_of(self.candidate(seat), how)
        self._children[id(seat), read_timeout] = seat, child  # kept, so the id stays
        return child

    def children(self) -> list[Child]:
        """Return all children in the order of `models`, ready to be called."""
        return [self.child(seat) for item in self.declared() for seat in item]

    def routes(self, plan: Plan) -> tuple[list[list[Route]], list[Seat]]:
        """Return what the study needs to know of a plan, and the seats by place."""
        if (known := self._routes.get(id(plan))) is None:
            known = self._made_routes(plan)
            if any(plan is one for one in self._plans.values()):
                self._routes[id(plan)] = known
        return known

    def _made_routes(self, plan: Plan) -> tuple[list[list[Route]], list[Seat]]:
        places = count()
        routes = [[self._route(seat, next(places)) for seat in item] for item in plan]
        return routes, [seat for item in plan for seat in item]

    def streaming_only(self, plan: Plan, request: Request, *, async_api: bool) -> Plan:
        """Return a plan without those that can't stream.

        Raises:
            StreamingUnavailable: None of them can.
        """
        able = [
            [
                one
                for one in item
                if self.child(one).streams(request, async_api=async_api)
            ]
            for item in plan
        ]
        if not any(able):
            names = ", ".join(seat.label for item in plan for seat in item)
            msg = f"`require_streaming` is on, but none of these can stream: {names}"
            raise StreamingUnavailable(msg)
        return [item for item in able if item]

    def _members(self) -> list[Member]:
        return [
            _member(candidate, at, place)
            for at, item in enumerate(self._items)
            for place, candidate in enumerate(members_of(item))
        ]

    def _route(self, seat: Seat, place: int) -> Route:
        candidate = self.candidate(seat)
        retries = candidate.max_retries
        return Route(
            place=place,
            name=seat.label,
            max_retries=self._max_retries if retries is None else retries,
            window=_window(candidate) if seat.model is None else None,
            limits=candidate.limits(self._limits),
            key=identity(candidate, seat.model),
            model=seat.model or seat.member.own,
            provider=_provider(candidate),
        )


def _member(candidate: Candidate, item: int, place: int) -> Member:
    return Member(
        item=item,
        place=place,
        own=own_model(candidate),
        serves=candidate.models,
        name=candidate.name,
        kind=type(bare_model(candidate)).__name__,
    )


def _identifying(candidate: Candidate) -> dict[str, Any]:
    model = bare_model(candidate)
    params = model._identifying_params if isinstance(model, BaseChatModel) else {}
    return {"class": type(model).__qualname__, "kwargs": candidate.kwargs, **params}


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


def _turned(item: list[Seat], turns: Mapping[int, tuple[int, ...]]) -> list[Seat]:
    if (turn := turns.get(item[0].member.item)) is None:
        return item
    return sorted(item, key=lambda seat: turn.index(seat.member.place))
