"""The words between the core and its drivers: routes, attempts and steps.

Frozen values that say what to do next, and the one note that an attempt takes along.
What every call makes is a named tuple: a frozen dataclass takes twice the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    NamedTuple,
    Protocol,
    TypeAlias,
    TypeVar,
)

from langchain_reliable._core.circuit import MAX_PROBE, UNKNOWN, Admission
from langchain_reliable._core.fit import ANYTHING
from langchain_reliable._core.timeouts import NO_TIMEOUTS, AttemptTimer, Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from langchain_core.outputs import ChatGeneration

    from langchain_reliable._core.balancing.hedging import HedgeRule
    from langchain_reliable._core.balancing.orders import Members
    from langchain_reliable._core.fit import Capacity
    from langchain_reliable._core.rate_limits import Allowance

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Route:
    """A candidate for one model in the plan of a call; equal to itself alone.

    Attributes:
        name: What people call it; unique in the plan.
        entry: The place of its entry in `models`.
        place: Its place within that entry, where it is a group.
        round: 0 for what was asked, n for the n-th fallback.
        asked_for: The model to ask it for; `None` means as it is.
        own: Its own model's name, where it has one.
        serves: Further names that it was said to serve.
        given_name: What the user called it, if anything.
        max_retries: How often it may be asked again after its first attempt.
        max_probe: Seconds after which a probe of it lends its slot to another.
        window: Tokens that fit into its context, where known.
        timeouts: How long its attempts may take.
        key: Who it is across calls.
        made_up: Whether a caller named its model and nobody declared it.
        model: The model that it is asked for, where known.
        provider: Whose model it is, as LangChain calls it, where known.
        take_turn: Asks its rate limiter without blocking, where it has one.
        tags: What its owner says of it.
        capacity: What is known of the requests that fit it.
        max_tokens: The most that its answers take, where the call says nothing.
        own_max_tokens: The same, whatever the call says.
        allowance: What it may be asked, where its owner says.
        is_booked: Whether its requests are counted as they begin and end.
        hedge: When another is asked beside it; `None` for never.
        candidate: Whom the router finds its child by; sealed for the core.
    """

    name: str = ""
    entry: int = 0
    place: int = 0
    round: int = 0
    asked_for: str | None = None
    own: str | None = None
    serves: tuple[str, ...] = ()
    given_name: str | None = None
    max_retries: int = 2
    max_probe: float = MAX_PROBE
    window: int | None = None
    timeouts: Timeouts = NO_TIMEOUTS
    key: Hashable = None
    made_up: bool = False
    model: str | None = None
    provider: str | None = None
    take_turn: Callable[[], bool] | None = None
    tags: frozenset[str] = frozenset()
    capacity: Capacity = ANYTHING
    max_tokens: int | None = None
    own_max_tokens: int | None = None
    allowance: Allowance | None = None
    is_booked: bool = False
    hedge: HedgeRule | None = None
    candidate: Any = None


class Turns(Protocol):
    """Says which member of a group is asked first; taking a turn changes the next."""

    def pick(self, members: Members, now: float, *, streams: bool) -> int | None:
        """Take a turn; return the place of a free member, `None` if nobody is free."""


class Tier(NamedTuple):
    """Routes that can stand in for each other, in the order to ask.

    Attributes:
        routes: A candidate alone, or the members of a group.
        turns: Says who is asked first, where that changes from call to call.
        by_place: The routes of a group by their places.
        is_fixed: Whether the call says itself in which order to ask.
    """

    routes: tuple[Route, ...]
    turns: Turns | None = None
    by_place: Mapping[int, Route] = MappingProxyType({})
    is_fixed: bool = False


class Plan:
    """Who may be asked in a call: tiers from the first to the last.

    Attributes:
        tiers: Groups of equivalent routes, in the order to ask.
        routes: All of them, in that order.
        lead: Who is asked first where nobody takes turns, if nothing speaks against it.
        tier_of: The place of each route's tier.
        is_sized: Whether a request may fit some of them and others not.
        counts_tokens: Whether it has to be known what a request takes.
    """

    __slots__ = ("counts_tokens", "is_sized", "lead", "routes", "tier_of", "tiers")

    def __init__(self, tiers: Sequence[Tier]) -> None:
        """Look at what does not change from call to call."""
        self.tiers = tuple(tiers)
        self.routes = tuple(route for tier in self.tiers for route in tier.routes)
        first = self.tiers[0]
        self.lead = first.routes[0] if first.turns is None else None
        self.tier_of = {
            route: at for at, tier in enumerate(self.tiers) for route in tier.routes
        }
        self.is_sized = len(self.routes) > 1 and any(
            route.capacity is not ANYTHING for route in self.routes
        )
        self.counts_tokens = any(
            route.allowance is not None and route.allowance.limits.counts_tokens
            for route in self.routes
        )


class Raced(Protocol):
    """What an attempt is told that runs beside another, in a thread."""

    def reads_with(self, reader: Any, /) -> None:
        """Take note of what waits for the child, and could be told to stop."""


@dataclass(slots=True, eq=False, weakref_slot=True)
class AttemptProgress:
    """What has come of an attempt so far, written down by whoever reads its answer.

    Attributes:
        opened_at: When the first chunk of its stream came, whatever it held.
        held: How many chunks were held back.
        parts: What has come before the commit: chunks, or an answer in one piece.
        broke: What broke after the last word of an answer that is whole all the same.
        timer: Its time limits, once they run.
        is_over: Whether nothing more is to come of it.
        raced: By what it may be given up, where it runs beside another in a thread.
    """

    opened_at: float | None = None
    held: int = 0
    parts: Sequence[ChatGeneration] = ()
    broke: Exception | None = None
    timer: AttemptTimer | None = None
    is_over: bool = False
    raced: Raced | None = None

    @property
    def has_spoken(self) -> bool:
        """Whether a first word has come, though nothing was let out yet."""
        return self.timer is not None and self.timer.has_payload


class Attempt(NamedTuple):
    """One request to one candidate, on its way.

    Attributes:
        number: Its number in the call, from 1, given when it starts.
        nth: Which attempt at its candidate it is, from 1.
        route: Whom it asks.
        started_at: When it began.
        wait: Seconds that the call waited before it.
        timeouts: How long it may take.
        progress: What has come of it so far.
        admission: What its candidate's health admitted it as.
        has_turn: Whether its rate limiter has already let it pass.
        request: What it was booked as, if it was; sealed for the core.
        hedge_after: Seconds without a word after which another may be asked beside it.
        hedged: Whether it is asked beside another.
    """

    number: int
    nth: int
    route: Route
    started_at: float
    wait: float
    timeouts: Timeouts
    progress: AttemptProgress
    admission: Admission = UNKNOWN
    has_turn: bool = False
    request: Any = None
    hedge_after: float | None = None
    hedged: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request needs of a store that others share, and no answer yet.

    Attributes:
        question: What the driver waits for; sealed for the core.
        patience: Seconds that a call may wait for all its claims together.
        is_over: Says whether there is an answer, or nobody waits for it any more.
        outcome: Ends the waiting; returns what came of the claim, answered or not.
        withdraw: Gives back what was claimed, whether or not there is an answer.
    """

    question: Any
    patience: float
    is_over: Callable[[], bool]
    outcome: Callable[[float], Any]
    withdraw: Callable[[float], None]


class Starting(NamedTuple):
    """An attempt that waits for its claim.

    Attributes:
        claim: What it waits for.
        since: When the claim was made.
        route: Whom it will ask.
        admission: What it was admitted as; `None` where that is what is claimed.
        has_turn: Whether its rate limiter has already let it pass.
        beside: The attempt in flight beside which it is made, if there is one.
    """

    claim: Claim
    since: float
    route: Route
    admission: Admission | None
    has_turn: bool
    beside: Attempt | None


@dataclass(frozen=True, slots=True)
class Launch:
    """Ask this candidate now."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is to be done before this moment, unless an attempt ends."""

    until: float


@dataclass(frozen=True, slots=True)
class Confirm:
    """Wait for the answer to a claim, so many seconds at most; then ask again."""

    question: Any
    seconds: float


@dataclass(frozen=True, slots=True)
class Return(Generic[T]):
    """This is the answer."""

    answer: T


@dataclass(frozen=True, slots=True)
class GiveUp:
    """There will be no answer; raise this."""

    error: Exception


Step: TypeAlias = Launch | Wait | Confirm | Return[T] | GiveUp
