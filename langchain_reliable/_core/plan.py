"""Who may be asked in one call, and in which order: providers and models in rounds.

Turning items, fallbacks and a call-time `model=` into a plan lives here. What happens
on the way through the plan never does.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from langchain_reliable._core.steps import Route
    from langchain_reliable.policies import CallOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What the plan needs to know of a candidate.

    Attributes:
        item: The place of its item in `models`.
        place: Its place within the item.
        own: Its own model's name, where it has one.
        serves: Further names that it was said to serve.
        name: What the user called it, if anything.
        kind: What it is called where nothing better is known.
    """

    item: int
    place: int
    own: str | None
    serves: tuple[str, ...] = ()
    name: str | None = None
    kind: str = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A candidate in the plan: whom to ask, for which model, and what to call it.

    Attributes:
        member: The candidate.
        model: The model to ask it for; `None` means as it is.
        label: Its name in errors, logs and metadata; unique in the plan.
        round: 0 for what was asked, n for the n-th fallback.
    """

    member: Member
    model: str | None
    label: str
    round: int


def planned(
    members: Sequence[Member],
    fallbacks: Mapping[str, Sequence[str]],
    asked: str | None = None,
) -> list[list[Seat]]:
    """Return the items to ask, each a list of equivalent candidates.

    Round 0 asks every item for its own model (or for `asked`); round n asks those
    whose model of round 0 has an n-th fallback. So all providers are tried with the
    asked model, then all with its first fallback, and so on.

    Args:
        members: All candidates, in the order of `models`.
        fallbacks: Model name to further names.
        asked: A call-time `model=`. It takes the place of the own model for those who
            name it, and for all if nobody does.
    """
    first = _first_round(members, fallbacks, asked)
    later = [
        Seat(member=seat.member, model=name, label="", round=number)
        for seat in first
        for number, name in enumerate(_fallbacks_of(seat, fallbacks), start=1)
    ]
    seats = _without_repeats([*first, *sorted(later, key=lambda seat: seat.round)])
    return _by_item(_labeled(seats))


def _first_round(
    members: Sequence[Member],
    fallbacks: Mapping[str, Sequence[str]],
    asked: str | None,
) -> list[Seat]:
    named = [asked is not None and _names(one, asked, fallbacks) for one in members]
    for_all = asked is not None and not any(named)
    models = [asked if hit or for_all else None for hit in named]
    return [
        Seat(member=one, model=model if model != one.own else None, label="", round=0)
        for one, model in zip(members, models, strict=True)
    ]


def _names(member: Member, asked: str, fallbacks: Mapping[str, Sequence[str]]) -> bool:
    return asked in (
        member.own,
        *member.serves,
        *fallbacks.get(member.own or "", ()),
    )


def _fallbacks_of(seat: Seat, fallbacks: Mapping[str, Sequence[str]]) -> Sequence[str]:
    return fallbacks.get(seat.model or seat.member.own or "", ())


def _without_repeats(seats: Iterable[Seat]) -> list[Seat]:
    """Drop what would ask the same candidate for the same model again."""
    kept: dict[tuple[Member, str | None], Seat] = {}
    for seat in seats:
        kept.setdefault((seat.member, seat.model or seat.member.own), seat)
    return list(kept.values())


def _labeled(seats: list[Seat]) -> list[Seat]:
    """Name the seats, telling those of the same name apart (`gpt-5.4 #2`)."""
    seen: Counter[str] = Counter()
    labeled = []
    for seat in seats:
        label = _label(seat)
        seen[label] += 1
        number = f" #{seen[label]}" if seen[label] > 1 else ""
        labeled.append(replace(seat, label=label + number))
    return labeled


def _label(seat: Seat) -> str:
    member = seat.member
    if member.name is None:
        return seat.model or member.own or member.kind
    return f"{member.name} ({seat.model})" if seat.model else member.name


def _by_item(seats: list[Seat]) -> list[list[Seat]]:
    items: dict[tuple[int, int], list[Seat]] = {}
    for seat in seats:
        items.setdefault((seat.round, seat.member.item), []).append(seat)
    return list(items.values())


# --- what `reliable=CallOptions(...)` changes ---------------------------------------


def plan_for(plan: list[list[Seat]], options: CallOptions) -> list[list[Seat]]:
    """Return the part of a plan that a call may use.

    Raises:
        ValueError: Nobody is called as `start_at` says; the text says who there is.
    """
    plan = _from(plan, options.start_at) if options.start_at is not None else plan
    return plan if options.failover else plan[:1]


def _from(plan: list[list[Seat]], name: str) -> list[list[Seat]]:
    for at, item in enumerate(plan):
        for place, seat in enumerate(item):
            if name in (seat.label, seat.member.name):
                return [[*item[place:], *item[:place]], *plan[at + 1 :]]
    known = ", ".join(seat.label for item in plan for seat in item)
    msg = f"start_at={name!r} is none of this model's candidates: {known}"
    raise ValueError(msg)


def within_total(routes: Sequence[Sequence[Route]], total: float) -> list[list[Route]]:
    """Return the routes of a plan with another limit for the whole call."""
    return [
        [replace(one, limits=replace(one.limits, total=total)) for one in item]
        for item in routes
    ]
