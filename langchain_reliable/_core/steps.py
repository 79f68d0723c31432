"""The words between the study and the engine room: routes, attempts and steps.

Frozen values that say what to do next live here, and the one note that an attempt
takes along. Deciding and doing never do. What every call makes is a named tuple: a
frozen dataclass takes twice the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeAlias, TypeVar

from langchain_reliable._core.timeouts import NO_TIMEOUTS, Timeouts

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from langchain_core.outputs import ChatGeneration

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A candidate in the plan of one call.

    Attributes:
        place: Its place in the plan, by which the hallway finds its child.
        name: What people call it; unique in the plan.
        max_retries: How often it may be asked again after its first attempt.
        window: Tokens that fit into its context, where known.
        limits: How long its attempts may take.
        key: Who it is across calls.
        model: The model that it is asked for, where known.
        provider: Whose model it is, as LangChain calls it, where known.
    """

    place: int
    name: str
    max_retries: int
    window: int | None = None
    limits: Timeouts = NO_TIMEOUTS
    key: Hashable = None
    model: str | None = None
    provider: str | None = None


@dataclass(slots=True, eq=False)
class AttemptProgress:
    """What has come of an attempt so far, written down by whoever reads its answer.

    Attributes:
        opened_at: When the first chunk of its stream came, whatever it held.
        held: How many chunks were held back.
        parts: What has come before the commit: chunks, or an answer in one piece.
        broke: What broke after the last word of an answer that is whole all the same.
    """

    opened_at: float | None = None
    held: int = 0
    parts: Sequence[ChatGeneration] = ()
    broke: Exception | None = None


class Attempt(NamedTuple):
    """One request to one candidate, on its way."""

    number: int
    nth: int
    route: Route
    started_at: float
    wait: float
    limits: Timeouts
    probe: bool
    progress: AttemptProgress


@dataclass(frozen=True, slots=True)
class Launch:
    """Ask this candidate now."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Wait:
    """Nobody is free before this moment."""

    until: float


@dataclass(frozen=True, slots=True)
class Return(Generic[T]):
    """This is the answer."""

    answer: T


@dataclass(frozen=True, slots=True)
class GiveUp:
    """There will be no answer; raise this."""

    error: Exception


Step: TypeAlias = Launch | Wait | Return[T] | GiveUp
