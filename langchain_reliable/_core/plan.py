"""Who may be asked in one call, and in which order: providers and models in rounds."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from langchain_reliable._core.fit import places_with_tags
from langchain_reliable._core.steps import Plan, Tier
from langchain_reliable._text.redact import plain_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from langchain_reliable._core.steps import Route, Turns
    from langchain_reliable.policies import CallOptions


def planned(
    candidates: Sequence[Route],
    fallbacks: Mapping[str, Sequence[str]],
    asked: str | None = None,
) -> list[list[Route]]:
    """Return the tiers to ask, each a list of equivalent routes.

    Round 0 asks every entry for its own model; round n asks those whose model of
    round 0 has an n-th fallback. So all providers are tried with the first model, then
    all with its first fallback, and so on.

    Args:
        candidates: All candidates, in the order of `models`.
        fallbacks: Model name to further names.
        asked: A call-time `model=`. Whoever has it as its own model comes first, then
            who was said to serve it, then who has it as a fallback; the others follow
            with their own models. If nobody names it, all are asked for it.
    """
    first = _first_round(candidates, fallbacks, asked)
    later = []
    for route in first:
        of = route.asked_for or route.own or ""
        further = fallbacks.get(of, ()) if asked is None or of == asked else ()
        later += [
            replace(route, asked_for=name, round=number)
            for number, name in enumerate(further, start=1)
        ]
    # Nobody is asked twice for the same model.
    kept: dict[tuple[int, int, str | None], Route] = {}
    for one in (*first, *sorted(later, key=lambda route: route.round)):
        kept.setdefault((one.entry, one.place, one.asked_for or one.own), one)
    # Those of the same name are told apart: `gpt-5.4 #2`.
    seen: Counter[str] = Counter()
    tiers: dict[tuple[int, int], list[Route]] = {}
    for one in kept.values():
        label = _label(one)
        seen[label] += 1
        nth = f" #{seen[label]}" if seen[label] > 1 else ""
        named = replace(one, name=label + nth)
        tiers.setdefault((one.round, one.entry), []).append(named)
    return list(tiers.values())


def _first_round(
    candidates: Sequence[Route],
    fallbacks: Mapping[str, Sequence[str]],
    asked: str | None,
) -> list[Route]:
    if asked is None:
        return [replace(one, round=0) for one in candidates]
    ranks = {one: _rank(one, asked, fallbacks) for one in candidates}
    nobody = min(ranks.values(), default=_UNNAMED) == _UNNAMED
    first = [
        replace(one, asked_for=asked if nobody or rank < _UNNAMED else None)
        for one, rank in ranks.items()
    ]
    first = [
        replace(one, asked_for=None) if one.asked_for == one.own else one
        for one in first
    ]
    if nobody:
        return first
    rank_of = dict(zip(first, ranks.values(), strict=True))
    best = {one.entry: _UNNAMED for one in first}
    for one, rank in rank_of.items():
        best[one.entry] = min(best[one.entry], rank)
    # A group is one entry: it stands where its best member does, that one first.
    return sorted(first, key=lambda one: (best[one.entry], one.entry, rank_of[one]))


_UNNAMED = 3


def _rank(route: Route, asked: str, fallbacks: Mapping[str, Sequence[str]]) -> int:
    """Return how nearly a candidate names a model."""
    if route.own == asked:
        return 0
    if asked in route.serves:
        return 1
    return 2 if asked in fallbacks.get(route.own or "", ()) else _UNNAMED


def _label(route: Route) -> str:
    if route.given_name is None:
        return plain_name(route.asked_for or route.own or route.name or "model")
    name = route.given_name
    return plain_name(f"{name} ({route.asked_for})" if route.asked_for else name)


def plan_of(
    tiers: Iterable[Iterable[Route]], turns_of: Callable[[int], Turns | None]
) -> Plan:
    """Return a plan of tiers.

    Args:
        tiers: Equivalent routes, in the order to ask.
        turns_of: Says for an entry's place who says which member comes first.
    """
    made = []
    for one in tiers:
        routes = tuple(one)
        if len(routes) == 1:
            made.append(Tier(routes))
            continue
        by_place = {route.place: route for route in routes}
        made.append(Tier(routes, turns_of(routes[0].entry), by_place))
    return Plan(made)


# --- what `reliable=CallOptions(...)` changes -------------------------------------


def plan_for(plan: Plan, options: CallOptions) -> Plan:
    """Return the part of a plan that a call may use.

    Raises:
        ValueError: Nobody is called as `start_at` says; the text says who there is.
    """
    if options.start_at is None and options.failover:
        return plan
    start = options.start_at
    tiers = list(plan.tiers) if start is None else _from(plan, start)
    return Plan(tiers if options.failover else tiers[:1])


def with_tags(plan: Plan, tags: Collection[str]) -> Plan:
    """Return the part of a plan that has all of some tags.

    Raises:
        ValueError: Nobody has; the text says which tags there are.
    """
    places = places_with_tags([route.tags for route in plan.routes], tags)
    able = {plan.routes[place] for place in places}
    if len(able) == len(plan.routes):
        return plan
    tiers = [
        tier._replace(routes=tuple(one for one in tier.routes if one in able))
        for tier in plan.tiers
    ]
    return Plan([only_its_own(tier) for tier in tiers if tier.routes])


def only_its_own(tier: Tier) -> Tier:
    """Return a tier that finds by their places only those that are left in it."""
    places = {route.place: route for route in tier.routes}
    return tier._replace(by_place=places) if tier.by_place else tier


def _from(plan: Plan, name: str) -> list[Tier]:
    for at, tier in enumerate(plan.tiers):
        routes = tier.routes
        for place, route in enumerate(routes):
            if name in (route.name, route.given_name):
                first = Tier((*routes[place:], *routes[:place]), is_fixed=True)
                return [first, *plan.tiers[at + 1 :]]
    known = ", ".join(route.name for route in plan.routes)
    msg = f"start_at={name!r} is none of this model's candidates: {known}"
    raise ValueError(msg)
