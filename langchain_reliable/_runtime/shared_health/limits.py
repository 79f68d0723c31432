"""Limits that all processes keep together: the book of one process, tied to Redis.

A request is booked here first, so that a process that is alone with Redis away still
keeps the limits, and then in Redis with one script. What Redis refuses is given back
here, and known to be full until the time that Redis has named.
"""

from __future__ import annotations

import secrets
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

from langchain_reliable._core.metering.budgets import cost, window_end
from langchain_reliable._core.rate_limits import Full, tokens_used
from langchain_reliable._runtime.load_book import InFlight, LoadBook
from langchain_reliable._runtime.shared_health.entries import Errand
from langchain_reliable._runtime.shared_health.scripts import END, RENEW, TAKE

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from langchain_reliable._core.rate_limits import (
        Allowance,
        Demand,
        Lease,
        LimitName,
        RateLimits,
    )
    from langchain_reliable._core.steps import Claim
    from langchain_reliable._core.usage import Usage
    from langchain_reliable._runtime.shared_health.link import Link
    from langchain_reliable._runtime.shared_health.mirror import Mirror

_LEASE: Final = 30.0
"""Seconds after which a place of a process that was killed is free again."""

_KNOWN: Final = 1024
"""Candidates whose place in Redis is kept, made-up ones among them."""

How = Literal["settled", "failed", "unsent"]


class Take(Errand):
    """Books a request. Its answer is a `Booked`, or what is full and for how long."""

    def __init__(
        self, place: str, allowance: Allowance, lease: Lease, book: SharedBook
    ) -> None:
        """Say what is booked here already."""
        super().__init__()
        limits = allowance.limits
        self.booked = Booked(place, limits, lease, book.token, book.window_end(limits))
        self._book = book
        self._key = allowance.key

    def command(self) -> tuple[Any, ...]:
        """Return it for Redis."""
        booked = self.booked
        limits, budget = booked.limits, booked.limits.budget
        most, likely = booked.lease.booking
        return (
            *("EVALSHA", TAKE.sha, 1, booked.place),
            *(limits.request_interval, limits.request_burst),
            *(limits.tpm or 0, most, likely),
            *(limits.max_parallel_requests or 0, booked.token, _LEASE),
            _or_none(budget.tokens if budget else None),
            _or_none(budget.usd if budget else None),
            booked.window_ends,
        )

    def landed(self, reply: Any) -> None:
        """Take the reply.

        A call that has not waited for it has gone out all the same: it stays booked.
        """
        is_booked, first, second = reply
        if not is_booked:
            limit, wait = first.decode(), float(second)
            if not self.settle((limit, wait)):  # too late for this; others need not ask
                self._book.hold(self._key, limit, wait, self._book.now())
            return
        self.booked.requests_until, self.booked.slot = float(first), int(second)
        if not self.settle(self.booked):
            if self.is_withdrawn:
                self.booked.how = "unsent"
            self._book.link.post(End(self.booked))


class Booked:
    """What Redis has booked for a request, and how the request has ended."""

    def __init__(
        self,
        place: str,
        limits: RateLimits,
        lease: Lease,
        token: str,
        window_ends: float,
    ) -> None:
        """Begin without a word from Redis.

        Args:
            place: The key in Redis.
            limits: What the candidate may be asked.
            lease: What was booked in this process.
            token: Stands for this process.
            window_ends: When the window of the budget ends, by Redis's clock.
        """
        self.place = place
        self.limits = limits
        self.lease = lease
        self.token = token
        self.window_ends = window_ends
        self.how: How = "failed"
        self.requests_until = 0.0
        self.slot = 0
        self.used = (0, 0)

    def settled(self, usage: Usage) -> None:
        """Take note of what an answer has taken."""
        self.how = "settled"
        self.used = tokens_used(self.lease, usage)


class End(Errand):
    """Ends what was booked; nobody waits for that."""

    def __init__(self, booked: Booked) -> None:
        """Say what has ended."""
        super().__init__()
        self._booked = booked

    def command(self) -> tuple[Any, ...]:
        """Return it for Redis."""
        booked = self._booked
        most, likely = booked.lease.booking
        usd = cost(booked.used, booked.limits.price)
        return (
            *("EVALSHA", END.sha, 1, booked.place, booked.how, booked.token),
            *(booked.limits.request_interval, booked.requests_until),
            *(booked.limits.tpm or 0, booked.slot, most, likely, sum(booked.used)),
            *(booked.window_ends, f"{usd:.9f}"),
        )


class SharedBook(LoadBook):
    """Requests, paces and limits, the limits together with other processes."""

    def __init__(
        self, mirror: Mirror, place_of: Callable[[Hashable, Hashable], str | None]
    ) -> None:
        """Begin with nothing in flight.

        Args:
            mirror: The ties to Redis.
            place_of: Says where in Redis the limits of a candidate are kept, by its key
                and that of its limits; `None` where nobody else can know them.
        """
        super().__init__(mirror.wall)
        self.link: Link = mirror.link
        self.token = secrets.token_hex(6)
        self.now = mirror.clock.now
        self._held: dict[Hashable, Full] = {}
        self._known: dict[tuple[Hashable, Hashable], str] = {}
        self._place_of = place_of
        self._places: dict[str, int] = {}  # requests in flight that Redis knows of
        self._renew_at = 0.0
        mirror.book = weakref.ref(self)

    def window_end(self, limits: RateLimits) -> float:
        """Return when the window of a budget ends; 0 where there is none."""
        return window_end(limits.budget.per, self._wall()) if limits.budget else 0.0

    def full(self, allowance: Allowance, demand: Demand, now: float) -> Full | None:
        """Return what keeps a request back, and until when; `None` if nothing does."""
        here = super().full(allowance, demand, now)
        elsewhere = self._held.get(allowance.key)
        if elsewhere is None or elsewhere.until <= now:
            return here
        return elsewhere if here is None or here.until < elsewhere.until else here

    def begin(
        self,
        key: Hashable,
        allowance: Allowance | None,
        demand: Demand,
        now: float,
        *,
        streams: bool,
    ) -> InFlight | Full | Claim:
        """Let a request out if there is room for it, here and in Redis."""
        request = super().begin(key, allowance, demand, now, streams=streams)
        if allowance is None or not isinstance(request, InFlight):
            return request
        if request.booked is None:
            return request
        place = self._place(key, allowance.key) if self.link.is_up else None
        if place is None:
            return request
        take = Take(place, allowance, request.booked, self)
        claim = self.link.claim(
            take,
            partial(self._begun, request, allowance, take),
            partial(self._withdrawn, request, take),
        )
        return request if claim is None else claim

    def _begun(
        self, request: InFlight, allowance: Allowance, take: Take, now: float
    ) -> InFlight | Full:
        """Return what came of a request that Redis was asked about."""
        if isinstance(take.answer, Booked):
            self._share(request, take.answer)
        elif take.answer is not None:
            limit, wait = take.answer
            self.never_sent(request, now)
            return self.hold(allowance.key, limit, wait, now)
        return request  # without an answer it is as if there were no Redis

    def hold(self, key: Hashable, limit: LimitName, wait: float, now: float) -> Full:
        """Take note of what is full in Redis, and for how many seconds."""
        held = self._held[key] = Full(limit, now + wait)
        return held

    def _withdrawn(self, request: InFlight, take: Take, now: float) -> None:
        """Give back what was booked for a request that nobody makes any more."""
        take.is_withdrawn = True
        if not take.end() and isinstance(take.answer, Booked):
            self._share(request, take.answer)
        self.never_sent(request, now)

    def _share(self, request: InFlight, booked: Booked) -> None:
        with self._lock:
            request.shared = booked
            self._places[booked.place] = self._places.get(booked.place, 0) + 1

    def _place(self, key: Hashable, shared: Hashable) -> str | None:
        """Return where in Redis limits are kept; worked out once."""
        if (place := self._known.get((key, shared))) is None:
            if len(self._known) >= _KNOWN:
                self._known.clear()
            place = self._place_of(key, shared)
            if place is not None:
                self._known[key, shared] = place
        return place

    def answered(self, request: InFlight, usage: Usage, now: float) -> None:
        """An answer is whole."""
        if (booked := request.shared) is not None:
            booked.settled(usage)
        super().answered(request, usage, now)

    def never_sent(self, request: InFlight, now: float) -> None:
        """A request did not go out."""
        if (booked := request.shared) is not None:
            booked.how = "unsent"
        super().never_sent(request, now)

    def _has_ended(self, request: InFlight) -> bool:
        if super()._has_ended(request):
            return True
        booked, request.shared = request.shared, None
        if booked is not None:
            self._places[booked.place] = max(self._places.get(booked.place, 0) - 1, 0)
            self.link.post(End(booked))
        return False

    def renewals(self, now: float) -> list[tuple[Any, ...]]:
        """Return the commands by which this process keeps its places."""
        if now < self._renew_at:
            return []
        self._renew_at = now + _LEASE / 3
        self._read_notes()
        with self._lock:
            places = dict(self._places)
            self._places = {place: count for place, count in places.items() if count}
        return [
            ("EVALSHA", RENEW.sha, 1, place, self.token, count, _LEASE)
            for place, count in places.items()
        ]

    def _begin_afresh(self) -> None:
        super()._begin_afresh()
        self.token = secrets.token_hex(6)
        self._places = {}


def _or_none(value: float | None) -> float:
    return -1 if value is None else value
