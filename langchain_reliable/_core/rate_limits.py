"""Limits that a candidate's owner knows: requests and tokens a minute, and at once.

Full is not ill: it means "free at T". A request is checked and booked in one step
(`take`), and what was booked is corrected when its usage is known (`settle`).

    full(...)  ─► None, or what is full and until when
    take(...)  ─► the new state and a lease, or what is full
    settle(...), end_failed(...), give_back(...)  ─► the new state: the lease has ended

Requests are paced by GCRA (https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm)
with a burst of six seconds' worth, which bounds what goes out in any minute to 110 % of
the limit. That proof needs requests no larger than the burst, and bookings that stay as
they were. Tokens are neither, so they are also counted in a sliding minute.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from langchain_reliable._core.metering.budgets import (
    UNSPENT,
    free_from,
    spend,
    spent_share,
)
from langchain_reliable._core.metering.token_minute import (
    BURST,
    NO_TOKENS,
    Booking,
    aged,
    booked,
    corrected,
    room_at,
)

if TYPE_CHECKING:
    from collections.abc import Hashable

    from langchain_reliable._core.metering.budgets import BudgetTerms, Price, Spending
    from langchain_reliable._core.metering.token_minute import TokenMinute
    from langchain_reliable._core.usage import Usage

_ROUNDING: Final = 1 + 1e-9
"""Keeps the sum of many intervals from falling short of a minute by rounding."""

_NOTHING: Final = Booking(0, 0)

_new: Final = tuple.__new__
"""Makes what each request makes: calling a named tuple takes three times as long."""

_LOOK_AGAIN: Final = 0.1
"""Seconds after which to ask again where nobody knows when a request will end."""

_MINUTE: Final = 60.0

_REMEMBERED: Final = 50
"""Answers that the mean length of an answer is taken of."""

LimitName: TypeAlias = Literal["rpm", "tpm", "max_parallel_requests", "budget"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """What a candidate may be asked; `None` for any number.

    Attributes:
        rpm: Requests a minute.
        tpm: Tokens a minute, of questions and answers together.
        max_parallel_requests: Requests that are in flight at one moment.
        budget: What it may spend in a day or a month.
        price: What its tokens cost, where the budget counts dollars.
    """

    rpm: float | None = None
    tpm: int | None = None
    max_parallel_requests: int | None = None
    budget: BudgetTerms | None = None
    price: Price | None = None
    request_interval: float = field(init=False, repr=False, compare=False)
    request_burst: float = field(init=False, repr=False, compare=False)
    counts_tokens: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out the pace of requests, once.

        Where the limit is so low that not one request fits into the burst, a request
        goes out when the one before it has drained.
        """
        interval = 60.0 / self.rpm * _ROUNDING if self.rpm is not None else 0.0
        counts = self.tpm is not None or self.budget is not None
        object.__setattr__(self, "counts_tokens", counts)
        object.__setattr__(self, "request_interval", interval)
        object.__setattr__(self, "request_burst", max(BURST - interval, 0.0))


class Demand(NamedTuple):
    """The tokens that a request is expected to take.

    Attributes:
        input_tokens: Those of its question.
        output_tokens: Those of its answer at most; `None` where nobody said.
    """

    input_tokens: int = 0
    output_tokens: int | None = None


class Allowance(NamedTuple):
    """The limits of a candidate, and the key by which others share them."""

    key: Hashable
    limits: RateLimits


NOTHING: Final = Demand()
"""What a request takes of limits that count no tokens."""


class Lease(NamedTuple):
    """What was booked for a request that is on its way.

    Attributes:
        input_tokens: Booked for its question.
        booking: All its tokens, at most and likely.
        slot: The slot of the minute in which they were booked.
        requests_until: When the requests booked up to it will have drained.
    """

    input_tokens: int
    booking: Booking
    slot: int
    requests_until: float


class Full(NamedTuple):
    """Why a candidate is not asked now, and when to ask again."""

    limit: LimitName
    until: float


class LimitState(NamedTuple):
    """How much of its limits a candidate has used.

    Attributes:
        in_flight: Requests that have not ended.
        requests_until: When the requests so far will have drained.
        tokens: The tokens so far.
        spending: What was spent of the budget.
        mean_output: How long its answers are, in tokens.
        answers: How many answers that is the mean of.
        even_until: Until when requests go out without bursts.
    """

    in_flight: int = 0
    requests_until: float = float("-inf")
    tokens: TokenMinute = NO_TOKENS
    spending: Spending = UNSPENT
    mean_output: float = 0.0
    answers: int = 0
    even_until: float = float("-inf")


UNUSED: Final = LimitState()


# --- asking ---------------------------------------------------------------------------


def full(
    limits: RateLimits, state: LimitState, demand: Demand, now: float, wall: float = 0.0
) -> Full | None:
    """Return which limit keeps a request back longest; `None` if it may go out.

    Args:
        limits: What the candidate may be asked.
        state: What it was asked.
        demand: What the request will take.
        now: The present moment.
        wall: The same moment in seconds since 1970, for budgets.
    """
    booking = _booking(state, demand) if limits.counts_tokens else _NOTHING
    return _full(limits, state, booking, now, wall)


def take(
    limits: RateLimits, state: LimitState, demand: Demand, now: float, wall: float = 0.0
) -> tuple[LimitState, Lease] | Full:
    """Book a request, if every limit has room for it at this very moment."""
    booking = _booking(state, demand) if limits.counts_tokens else _NOTHING
    if (held := _full(limits, state, booking, now, wall)) is not None:
        return held
    in_flight, requests_until, minute, *seen = state
    if limits.rpm is not None:
        requests_until = max(requests_until, now) + limits.request_interval
    if limits.tpm is not None:
        minute = booked(minute, limits.tpm, booking, now)
    lease = _new(Lease, (demand[0], booking, minute[2], requests_until))
    return _new(LimitState, (in_flight + 1, requests_until, minute, *seen)), lease


def settle(
    limits: RateLimits,
    state: LimitState,
    lease: Lease,
    usage: Usage,
    now: float,
    wall: float = 0.0,
) -> LimitState:
    """End a lease, and replace what was booked by what it has really taken.

    Args:
        limits: What the candidate may be asked.
        state: What it was asked.
        lease: What was booked. A lease ends once: that is its owner's care.
        usage: What the answer says it took. What it does not say stays as booked.
        now: The present moment.
        wall: The same moment in seconds since 1970, for budgets.
    """
    in_flight, requests_until, minute, spending, mean, answers, even = state
    if in_flight:
        in_flight -= 1
    if not limits.counts_tokens:
        return _new(LimitState, (in_flight, *state[1:]))
    used = tokens_used(lease, usage)
    if limits.tpm is not None:
        tokens = used[0] + used[1]
        minute = corrected(minute, limits.tpm, lease.slot, lease.booking, tokens, now)
    if limits.budget is not None:
        spending = spend(limits.budget, spending, used, limits.price, wall)
    if (took := usage[1]) is not None:
        if answers < _REMEMBERED:
            answers += 1
        mean += (took - mean) / answers
    settled = in_flight, requests_until, minute, spending, mean, answers, even
    return _new(LimitState, settled)


def give_back(
    limits: RateLimits, state: LimitState, lease: Lease, now: float
) -> LimitState:
    """End the lease of a request that never went out, as if it had not been booked.

    Of the pace of requests only what has not drained since comes back: the rest of its
    place in the queue has passed unused.
    """
    requests_until, minute = state.requests_until, state.tokens
    if limits.rpm is not None:
        undrained = max(lease.requests_until - now, 0.0)
        requests_until -= min(limits.request_interval, undrained)
    if limits.tpm is not None:
        minute = corrected(minute, limits.tpm, lease.slot, lease.booking, 0, now)
    return state._replace(
        in_flight=max(state.in_flight - 1, 0),
        requests_until=requests_until,
        tokens=minute,
    )


def end_failed(state: LimitState) -> LimitState:
    """End the lease of a request that went out and failed.

    What was booked stays booked, since providers count what they refuse; a budget is
    spent for answers alone.
    """
    return state._replace(in_flight=max(state.in_flight - 1, 0))


def end_refused(state: LimitState, retry_after: float | None, now: float) -> LimitState:
    """End the lease of a request that the provider has refused: it is full, it says.

    So it counts otherwise than we do: in shorter windows, or others as well. For a
    minute requests go out evenly, with no burst, from when it may be asked again. A
    wait beyond a burst is the affair of its health.
    """
    wait = retry_after or 0.0
    return end_failed(state)._replace(
        requests_until=max(state.requests_until, now + min(wait, BURST)),
        even_until=now + min(wait, _MINUTE) + _MINUTE,
    )


def used_shares(
    limits: RateLimits, state: LimitState, now: float, wall: float = 0.0
) -> dict[LimitName, float]:
    """Return how full each limit is, from 0 to 1 and above.

    Of requests it is the share of the burst that is used, of tokens that of the minute.
    """
    shares: dict[LimitName, float] = {}
    if limits.rpm is not None:
        span = max(BURST, limits.request_interval)
        shares["rpm"] = max(state.requests_until - now, 0.0) / span
    if limits.tpm is not None:
        shares["tpm"] = aged(state.tokens, now).total / limits.tpm
    if limits.max_parallel_requests is not None:
        shares["max_parallel_requests"] = state.in_flight / limits.max_parallel_requests
    if limits.budget is not None:
        shares["budget"] = spent_share(limits.budget, state.spending, wall)
    return shares


def _full(
    limits: RateLimits, state: LimitState, booking: Booking, now: float, wall: float
) -> Full | None:
    last = now
    name: LimitName | None = None
    if limits.rpm is not None:
        at = state.requests_until
        if state.even_until <= now:
            at -= limits.request_burst
        if at > last:
            last, name = at, "rpm"
    if limits.tpm is not None:
        at = room_at(state.tokens, limits.tpm, booking, now)
        if at > last:
            last, name = at, "tpm"
    most = limits.max_parallel_requests
    if most is not None and state.in_flight >= most and now + _LOOK_AGAIN > last:
        last, name = now + _LOOK_AGAIN, "max_parallel_requests"
    if limits.budget is not None:
        # Rounding: now + wall - wall is not always now.
        at = now + (free_from(limits.budget, state.spending, wall) - wall)
        if at > last:
            last, name = at, "budget"
    return None if name is None else Full(name, last)


# --- how long answers are -------------------------------------------------------------


def _booking(state: LimitState, demand: Demand) -> Booking:
    """Return the tokens to book: the answer is likely to be as long as those before."""
    tokens_in, most_out = demand
    mean = round(state.mean_output)
    if most_out is None:
        return _new(Booking, (tokens_in + mean, tokens_in + mean))
    likely = min(mean, most_out) if state.answers else most_out
    return _new(Booking, (tokens_in + most_out, tokens_in + likely))


def tokens_used(lease: Lease, usage: Usage) -> tuple[int, int]:
    """Return what an answer took; what it does not say is taken as booked."""
    tokens_in, tokens_out = usage
    return (
        lease.input_tokens if tokens_in is None else tokens_in,
        lease.booking.most - lease.input_tokens if tokens_out is None else tokens_out,
    )
