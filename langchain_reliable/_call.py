"""The study: the state of one call, and the one question `what_now`.

Deciding who is asked next, when, and when to stop lives here. Clocks, chance, loops,
threads, SDKs and the answers themselves never do: time and chance come in as numbers,
an answer is a sealed envelope.

How a call goes:

    what_now(now) ─► Launch(attempt)   ask this candidate; tell me how it ended
                  ─► Wait(until)       nobody is free: sleep, then ask again
                  ─► Settle(answer)    this is the answer
                  ─► GiveUp(error)     there will be none

The plan is a row of *items*; an item is a group of *routes* (candidates) that can
stand in for each other. A call works through the items from left to right and never
goes on while somebody in the current item is free to answer. When it reaches the last
item, whoever was only put off, because waiting for it would have taken longer than
asking the next one, may be asked again. `Launch` books the attempt; every other
answer is free to ask twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar, cast

import backoff

from langchain_reliable._steps import Attempt, GiveUp, Launch, Route, Settle, Wait
from langchain_reliable._trail import Trail
from langchain_reliable.errors import AllModelsFailed, EmptyAnswer, trail_note
from langchain_reliable.failures import RETRIED_ONCE, FailureKind, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from langchain_reliable._steps import Limits, Step
    from langchain_reliable._trail import Observe
    from langchain_reliable.failures import Failure
    from langchain_reliable.policies import Policy

T = TypeVar("T")

Judge: TypeAlias = "Callable[[Exception], Failure | None]"


@dataclass(slots=True)
class _Standing:
    """Where one route stands in this call."""

    attempts: int = 0
    out: bool = False
    free_at: float = float("-inf")
    kinds: list[FailureKind] = field(default_factory=list)


class Call(Generic[T]):
    """One call: what was tried, what it came to, and what is next."""

    def __init__(
        self,
        items: Sequence[Sequence[Route]],
        policy: Policy,
        judge: Judge,
        observe: Observe | None = None,
        number: int = 0,
    ) -> None:
        """Begin a call.

        Args:
            items: The plan: groups of equivalent routes, in the order to ask.
            policy: What the call may spend.
            judge: Says what an exception means; `None` lets it through.
            observe: Hears what happens.
            number: Tells this call's events from those of others.
        """
        self.trail = Trail(items, observe, number)
        self._items = items
        self._policy = policy
        self._judge = judge
        self._standing = {route.place: _Standing() for item in items for route in item}
        self._at = 0
        self._last: Route | None = None
        self._idle_since = float("inf")
        self._waited = 0.0
        self._waiting_until: float | None = None
        self._fatal: Exception | None = None
        self._deadline: float | None = None
        self._answer: Settle[T] | None = None
        self._empty: tuple[Attempt, Settle[T]] | None = None

    # --- the question -------------------------------------------------------------

    def what_now(self, now: float) -> Step[T]:
        """Return the next step."""
        if self._answer is not None:
            return self._answer
        if self._fatal is not None:
            return self._let_out(self._fatal, now)
        if over := self._is_over(now):
            return self._give_up(over, now)
        while True:
            pool = self._pool()
            if free := [route for route in pool if self._free_at(route) <= now]:
                return Launch(self._book(self._in_turn(free), now))
            if pool and self._may_wait(until := min(map(self._free_at, pool))):
                return self._wait(pool, until, now)
            if self._at_last_item:
                return self._give_up(self._too_long(pool) if pool else "", now)
            self._move_on()

    def _is_over(self, now: float) -> str:
        """Say why the call has nothing left to spend, if so; begin its time."""
        total = self._policy.total_timeout
        if self._deadline is None and total is not None:
            self._deadline = now + total
        if self._deadline is not None and now >= self._deadline:
            return f"total_timeout={total:g} is used up"
        if len(self.trail.records) >= self._policy.max_attempts:
            return f"max_attempts={self._policy.max_attempts} is used up"
        return ""

    # --- facts --------------------------------------------------------------------

    def succeeded(self, attempt: Attempt, answer: T, now: float) -> None:
        """Take note that an attempt has committed to an answer."""
        self._answer = Settle(answer)
        self.trail.committed(attempt, now)

    def failed(
        self, attempt: Attempt, error: Exception, now: float, chance: float
    ) -> bool:
        """Take note that an attempt failed.

        Args:
            attempt: The attempt.
            error: What its child raised.
            now: The moment it failed.
            chance: A number from 0 up to 1: where in its span the wait falls.

        Returns:
            Whether it was a provider's failure. If not, the error must leave at once.
        """
        failure = self._judge(error)
        if failure is None:
            return False
        if isinstance(error, EmptyAnswer) and self._empty is None:
            self._empty = attempt, Settle(cast("T", error.answer))
        self.trail.failed(attempt, failure, error, now)
        self._sentence(attempt.route, failure, error, now, chance)
        self._idle_since = now
        return True

    # --- what a failure means for its route ---------------------------------------

    def _sentence(
        self,
        route: Route,
        failure: Failure,
        error: Exception,
        now: float,
        chance: float,
    ) -> None:
        standing = self._standing[route.place]
        standing.kinds.append(failure.kind)
        match self._policy.verdict(failure):
            case Verdict.RAISE:
                self._fatal = error
            case Verdict.NEXT:
                standing.out = True
            case Verdict.RETRY if self._spent(route, failure.kind):
                standing.out = True
            case Verdict.RETRY:
                standing.free_at = now + self._pause(standing, failure, chance)
        if failure.kind is FailureKind.CONTEXT_OVERFLOW:
            self._rule_out_smaller(route)

    def _spent(self, route: Route, kind: FailureKind) -> bool:
        standing = self._standing[route.place]
        again = kind in RETRIED_ONCE and standing.kinds.count(kind) > 1
        return again or standing.attempts > route.max_retries

    def _pause(self, standing: _Standing, failure: Failure, chance: float) -> float:
        """Return Retry-After, or else a span of the backoff ("full jitter").

        Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
        """
        if failure.retry_after is not None:
            return failure.retry_after
        spans = backoff.expo(
            factor=self._policy.initial_backoff, max_value=self._policy.max_backoff
        )
        return chance * next(islice(spans, standing.attempts, None))

    def _rule_out_smaller(self, route: Route) -> None:
        """Rule out every window known as no larger than the one that overflowed."""
        if route.window is None:
            return
        for other in self._everyone():
            if other.window is not None and other.window <= route.window:
                standing = self._standing[other.place]
                standing.out = True

    # --- who is next --------------------------------------------------------------

    @property
    def _at_last_item(self) -> bool:
        return self._at >= len(self._items) - 1

    def _everyone(self) -> Iterable[Route]:
        return (route for item in self._items for route in item)

    def _pool(self) -> list[Route]:
        """Who may be asked from here: at the last item, also those put off before."""
        routes = self._everyone() if self._at_last_item else self._items[self._at]
        return [route for route in routes if not self._standing[route.place].out]

    def _free_at(self, route: Route) -> float:
        return self._standing[route.place].free_at

    def _in_turn(self, free: list[Route]) -> Route:
        """Pick a free one: of the current item, not yet asked, after the last asked."""
        last = self._last.place if self._last is not None else -1
        here = [route for route in free if route in self._items[self._at]]
        fresh = [route for route in here if not self._standing[route.place].attempts]
        later = [route for route in here if route.place > last]
        return (fresh or later or here or free)[0]

    def _may_wait(self, until: float) -> bool:
        """Whether waiting so long for the current item is still allowed."""
        if self._outlasts(until):
            return False
        return self._waited + (until - self._idle_since) <= self._patience

    def _outlasts(self, until: float) -> bool:
        return self._deadline is not None and until >= self._deadline

    @property
    def _patience(self) -> float:
        if self._at_last_item:
            return self._policy.max_last_wait
        return self._policy.max_retry_after

    def _move_on(self) -> None:
        self._at += 1
        self._waited = 0.0

    def _wait(self, pool: list[Route], until: float, now: float) -> Wait:
        if until != self._waiting_until:
            self._waiting_until = until
            soonest = min(pool, key=self._free_at)
            self.trail.waiting(soonest, until - now, now)
        return Wait(until)

    def _book(self, route: Route, now: float) -> Attempt:
        wait = max(0.0, now - self._idle_since)
        self._waited += wait
        standing = self._standing[route.place]
        standing.attempts += 1
        attempt = Attempt(
            number=len(self.trail.records) + 1,
            nth=standing.attempts,
            route=route,
            started_at=now,
            wait=wait,
            limits=self._limits(route, now),
        )
        self.trail.started(attempt, self._last, now)
        self._last = route
        return attempt

    def _limits(self, route: Route, now: float) -> Limits:
        """Return the limits of an attempt that begins now.

        Nobody is hurried over the first chunk for the sake of nobody else.
        """
        alone = not any(
            other is not route
            and not self._standing[other.place].out
            and self._free_at(other) <= now
            for other in self._everyone()
        )
        limits = route.limits
        last = len(self.trail.records) + 1 >= self._policy.max_attempts
        if (alone or last) and limits.first_chunk is not None:
            limits = replace(limits, first_chunk=None)
        if self._deadline is not None:
            limits = replace(limits, deadline=self._deadline)
        return limits

    # --- the end ------------------------------------------------------------------

    def _give_up(self, why: str, now: float) -> Settle[T] | GiveUp:
        if self._empty is not None:
            attempt, settled = self._empty
            self.trail.settled(attempt, now)
            return settled
        errors = self.trail.errors
        if len(errors) == 1 or self._all_overflowed():
            return self._let_out(errors[-1], now, why)
        self.trail.gave_up(now)
        return GiveUp(AllModelsFailed(self.trail.records, why))

    def _all_overflowed(self) -> bool:
        asked = [standing for standing in self._standing.values() if standing.kinds]
        overflow = FailureKind.CONTEXT_OVERFLOW
        return all(standing.kinds[-1] is overflow for standing in asked)

    def _let_out(self, error: Exception, now: float, why: str = "") -> GiveUp:
        """Let a child's own exception leave as it came, plus a note."""
        self.trail.gave_up(now)
        note = trail_note(self.trail.records, why)
        if note not in getattr(error, "__notes__", ()):
            error.add_note(note)
        return GiveUp(error)

    def _too_long(self, pool: list[Route]) -> str:
        limit = f"max_last_wait={self._policy.max_last_wait:g}"
        if self._outlasts(min(map(self._free_at, pool))):
            limit = f"what is left of total_timeout={self._policy.total_timeout:g}"
        return f"the wait that was asked for is longer than {limit}"
