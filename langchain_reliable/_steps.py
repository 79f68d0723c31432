"""The words between the study and the engine room: routes, attempts and steps.

Frozen values that say what to do next live here. Deciding and doing never do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A candidate in the plan of one call.

    Attributes:
        place: Its place in the plan, by which the hallway finds its child.
        name: What people call it; unique in the plan.
        max_retries: How often it may be asked again after its first attempt.
        window: Tokens that fit into its context, where known.
    """

    place: int
    name: str
    max_retries: int
    window: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One request to one candidate, on its way."""

    number: int
    nth: int
    route: Route
    started_at: float
    wait: float


@dataclass(frozen=True, slots=True)
class Launch:
    """Ask this candidate now."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Wait:
    """Nobody is free before this moment."""

    until: float


@dataclass(frozen=True, slots=True)
class Settle(Generic[T]):
    """This is the answer."""

    answer: T


@dataclass(frozen=True, slots=True)
class GiveUp:
    """There will be no answer; raise this."""

    error: Exception


Step: TypeAlias = Launch | Wait | Settle[T] | GiveUp
