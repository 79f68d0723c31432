"""What `reliable=CallOptions(...)` changes in one call.

Cutting the plan and the time of a call lives here. Checking the options happens at the
door, and nothing of them reaches a child.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_reliable._core.plan import Seat
    from langchain_reliable._core.steps import Route
    from langchain_reliable.policies import CallOptions


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
