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
from typing import TYPE_CHECKING, Generic, Protocol, TypeAlias, TypeVar, cast

import backoff

from langchain_reliable._steps import Attempt, GiveUp, Launch, Route, Settle, Wait
from langchain_reliable._trail import Trail
from langchain_reliable.errors import AllModelsFailed, EmptyAnswer, trail_note
from langchain_reliable.failures import RETRIED_ONCE, FailureKind, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from langchain_reliable._bucket import Bucket
    from langchain_reliable._circuit import Circuit
    from langchain_reliable._steps import Limits, Step
    from langchain_reliable._trail import Observe
    from langchain_reliable.failures import Failure
    from langchain_reliable.policies import CircuitBreaker, Policy

T = TypeVar("T")

Judge: TypeAlias = "Callable[[Exception], Failure | None]"


@dataclass(slots=True)
class _Standing:
    """Where one route stands in this call."""

    attempts: int = 0
    out: bool = False
    free_at: float = float("-inf")
    kinds: list[FailureKind] = field(default_factory=list)
    paid: float = 0.0


class Ledger(Protocol):
    """What the study asks of, and tells, the memory across calls."""

    def free_at(self, key: Hashable, name: str, now: float) -> float:
        """Return when a candidate may be asked; `now` if it may at once."""

    def claim(self, key: Hashable, name: str, now: float) -> bool | None:
        """Take a free candidate; whether as a probe, `None` if it is taken."""

    def admit(self, key: Hashable, name: str, now: float) -> bool:
        """Ask a candidate whether it is free or not; whether as a probe."""

    def failed(
        self,
        key: Hashable,
        failure: Failure,
        now: float,
        chance: float,
        breaker: CircuitBreaker | None,
        *,
        alone: bool,
    ) -> Circuit:
        """Take note of a failure."""

    def spoke(self, key: Hashable) -> bool:
        """Take note that an answer has begun; whether that closed a circuit."""

    def answered(self, key: Hashable) -> None:
        """Take note of a whole answer."""

    def abandoned(self, key: Hashable) -> None:
        """Take note that a probe was cancelled."""


class Call(Generic[T]):
    """One call: what was tried, what it came to, and what is next."""

    def __init__(
        self,
        items: Sequence[Sequence[Route]],
        policy: Policy,
        judge: Judge,
        observe: Observe | None = None,
        number: int = 0,
        ledger: Ledger | None = None,
        bucket: Bucket | None = None,
    ) -> None:
        """Begin a call.

        Args:
            items: The plan: groups of equivalent routes, in the order to ask.
            policy: What the call may spend.
            judge: Says what an exception means; `None` lets it through.
            observe: Hears what happens.
            number: Tells this call's events from those of others.
            ledger: What is known across calls; `None` for nothing.
            bucket: The retries that all calls may still make; `None` for any number.
        """
        self.trail = Trail(items, observe, number)
        self._items = items
        self._policy = policy
        self._judge = judge
        self._ledger = ledger
        self._bucket = bucket
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
        step = self._end(now)
        while step is None:
            step = self._next_step(now)
        return step

    def _end(self, now: float) -> Step[T] | None:
        """Return the end of the call, if it has come to one."""
        if self._answer is not None:
            return self._answer
        if self._fatal is not None:
            return self._let_out(self._fatal, now)
        over = self._is_over(now)
        return self._give_up(over, now) if over else None

    def _next_step(self, now: float) -> Step[T] | None:
        """Return what to do from the current item; `None` to look again from the next.

        Also `None` where somebody else was faster at a candidate that takes one.
        """
        pool, held = self._pool(now)
        if free := [route for route in pool if self._free_at(route) <= now]:
            route = self._in_turn(free)
            probe = self._claim(route, now)
            return (
                None if probe is None else Launch(self._book(route, now, probe=probe))
            )
        if pool and self._may_wait(until := min(map(self._free_at, pool))):
            return self._wait(pool, until, now)
        if not self._at_last_item:
            self._move_on()
            return None
        if held and not self._policy.fail_fast:
            return Launch(self._book_anyway(held, now))
        return self._give_up(self._why(pool, held, now), now)

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
        if self._ledger is not None and self._ledger.spoke(attempt.route.key):
            self.trail.circuit_closed(attempt.route, now)
        if self._bucket is not None:
            paid = self._standing[attempt.route.place].paid
            self._bucket.refill(paid if attempt.nth > 1 else self._bucket.thanks)

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
            self.abandoned(attempt)
            return False
        if isinstance(error, EmptyAnswer) and (
            self._empty is None or error.replaces_earlier
        ):
            self._empty = attempt, Settle(cast("T", error.answer))
        self.trail.failed(attempt, failure, error, now)
        self._sentence(attempt.route, failure, error, now, chance)
        if self._fell_ill(attempt.route, failure, now, chance) or attempt.probe:
            self._standing[attempt.route.place].out = True
        self._idle_since = now
        return True

    def abandoned(self, attempt: Attempt) -> None:
        """Take note that nobody waits for an attempt any more."""
        if attempt.probe and self._ledger is not None:
            self._ledger.abandoned(attempt.route.key)

    def answered(self, now: float) -> None:
        """Take note that the caller has the whole answer."""
        self.trail.answered(now)
        if self._ledger is not None and self.trail.winner is not None:
            self._ledger.answered(self.trail.winner.route.key)

    def interrupted(
        self, failure: Failure, error: Exception, now: float, chance: float
    ) -> None:
        """Take note that the stream of the winner broke after its commit."""
        self.trail.interrupted(failure, error, now)
        if self.trail.winner is not None:
            self._fell_ill(self.trail.winner.route, failure, now, chance)

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
            case Verdict.RETRY if not self._can_pay(standing, failure.kind):
                standing.out = True
            case Verdict.RETRY:
                standing.free_at = now + self._pause(standing, failure, chance)
        if failure.kind is FailureKind.CONTEXT_OVERFLOW:
            self._rule_out_smaller(route)

    def _spent(self, route: Route, kind: FailureKind) -> bool:
        standing = self._standing[route.place]
        again = kind in RETRIED_ONCE and standing.kinds.count(kind) > 1
        return again or standing.attempts > route.max_retries

    def _can_pay(self, standing: _Standing, kind: FailureKind) -> bool:
        """Pay for a retry out of what all calls may spend, if that is limited."""
        if self._bucket is None:
            return True
        cost = self._bucket.spend(kind)
        standing.paid = cost if cost is not None else 0.0
        return cost is not None

    def _fell_ill(
        self, route: Route, failure: Failure, now: float, chance: float
    ) -> bool:
        """Tell the ledger of a failure; return whether it opened the circuit."""
        if self._ledger is None:
            return False
        alone = sum(1 for _ in self._everyone()) == 1
        breaker = self._policy.breaker
        circuit = self._ledger.failed(
            route.key, failure, now, chance, breaker, alone=alone
        )
        if circuit.open_until is None:
            return False
        self.trail.circuit_opened(route, circuit.open_until - now, now)
        return True

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

    def _pool(self, now: float) -> tuple[list[Route], list[Route]]:
        """Who may be asked from here, and whom their health holds back.

        At the last item, those are meant as well who were put off before. Health holds
        back whom this call has not asked yet; a retry of its own is this call's affair.
        """
        routes = self._everyone() if self._at_last_item else self._items[self._at]
        alive = [route for route in routes if not self._standing[route.place].out]
        held = [route for route in alive if self._is_held(route, now)]
        return [route for route in alive if route not in held], held

    def _is_held(self, route: Route, now: float) -> bool:
        if self._ledger is None or self._standing[route.place].attempts:
            return False
        free_at = self._ledger.free_at(route.key, route.name, now)
        if free_at > now:
            self.trail.held_back(route, free_at - now)
        return free_at > now

    def _claim(self, route: Route, now: float) -> bool | None:
        """Take a candidate before somebody else does, if it has only one place."""
        if self._ledger is None:
            return False
        if self._standing[route.place].attempts:
            return self._ledger.admit(route.key, route.name, now)
        return self._ledger.claim(route.key, route.name, now)

    def _book_anyway(self, held: list[Route], now: float) -> Attempt:
        """Ask one that is held back, the soonest to return: there is nobody else."""
        ledger = cast("Ledger", self._ledger)
        route = min(held, key=lambda one: ledger.free_at(one.key, one.name, now))
        probe = ledger.admit(route.key, route.name, now)
        return self._book(route, now, probe=probe)

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

    def _book(self, route: Route, now: float, *, probe: bool) -> Attempt:
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
            probe=probe,
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
            and not self._is_held(other, now)
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
        if len(errors) == 1 or (errors and self._all_overflowed()):
            return self._let_out(errors[-1], now, why)
        self.trail.gave_up(now)
        retry_after = self._soonest(now) if self._policy.fail_fast else None
        return GiveUp(AllModelsFailed(self.trail.records, why, retry_after))

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

    def _why(self, pool: list[Route], held: list[Route], now: float) -> str:
        """Say what ended the call, where it was not simply the last failure."""
        if held:
            names = ", ".join(route.name for route in held)
            return (
                f"{names} held back; the soonest returns in {self._soonest(now):.0f} s"
            )
        return self._too_long(pool) if pool else ""

    def _soonest(self, now: float) -> float | None:
        """Return in how many seconds the first candidate may be asked again."""
        ledger = self._ledger
        if ledger is None:
            return None
        free = [ledger.free_at(one.key, one.name, now) for one in self._everyone()]
        return max(0.0, min(free) - now)

    def _too_long(self, pool: list[Route]) -> str:
        limit = f"max_last_wait={self._policy.max_last_wait:g}"
        if self._outlasts(min(map(self._free_at, pool))):
            limit = f"what is left of total_timeout={self._policy.total_timeout:g}"
        return f"the wait that was asked for is longer than {limit}"
