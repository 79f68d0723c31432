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

from dataclasses import replace
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar, cast

from langchain_reliable._core.candidate_queue import CandidateQueue
from langchain_reliable._core.retry import Court
from langchain_reliable._core.steps import (
    Attempt,
    AttemptProgress,
    GiveUp,
    Launch,
    Return,
    Wait,
)
from langchain_reliable._core.trail import Trail
from langchain_reliable._core.usage import UNKNOWN_USAGE
from langchain_reliable._text.wording import attempt_note
from langchain_reliable.errors import AllModelsFailed, EmptyAnswer, ToolsNotSupported
from langchain_reliable.failures import FailureKind, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_reliable._core.candidate_queue import HealthStore
    from langchain_reliable._core.retry_budget import RetryTokenBucket
    from langchain_reliable._core.steps import Route, Step
    from langchain_reliable._core.timeouts import Timeouts
    from langchain_reliable._core.trail import Observe
    from langchain_reliable._core.usage import Usage
    from langchain_reliable.failures import Failure
    from langchain_reliable.policies import Policy

T = TypeVar("T")

Classifier: TypeAlias = "Callable[[Exception], Failure | None]"


class Call(Generic[T]):
    """One call: what was tried, what it came to, and what is next."""

    def __init__(
        self,
        items: Sequence[Sequence[Route]],
        policy: Policy,
        judge: Classifier,
        observe: Observe | None = None,
        number: int = 0,
        ledger: HealthStore | None = None,
        bucket: RetryTokenBucket | None = None,
        *,
        streams: bool = False,
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
            streams: Whether the call asks for a stream.
        """
        self.trail = Trail(items, observe, number, streams=streams)
        self._streams = streams
        self._policy = policy
        self._judge = judge
        self._ledger = ledger
        self._bucket = bucket
        self._standings = CandidateQueue(items, ledger)
        self._idle_since = float("inf")
        self._waited = 0.0
        self._waiting_until: float | None = None
        self._fatal: Exception | None = None
        self._deadline: float | None = None
        self._answer: Return[T] | None = None
        self._empty: tuple[Attempt, Return[T]] | None = None

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
            return self._raise_original(self._fatal, now)
        over = self._is_over(now)
        return self._give_up(over, now) if over else None

    def _next_step(self, now: float) -> Step[T] | None:
        """Return what to do from the current item; `None` to look again from the next.

        Also `None` where somebody else was faster at a candidate that takes one.
        """
        standings = self._standings
        if (healthy_first := standings.healthy_first()) is not None:
            return self._booked(healthy_first, now, probe=False)
        pool, held = standings.pool(now)
        if self.trail.records and self._reserve_for_unasked():
            pool = [route for route in pool if not standings[route].attempts]
        for route in held:
            self.trail.held_back(route, standings.held_until(route, now) - now)
        if free := [route for route in pool if standings.free_at(route) <= now]:
            return self._launch(standings.in_turn(free), now)
        if pool and self._may_wait(until := min(map(standings.free_at, pool))):
            return self._wait(pool, until, now)
        if not standings.at_last_item:
            standings.move_on()
            self._waited = 0.0
            return None
        if held and not self._policy.fail_fast:
            route, probe = standings.claim_last_resort(held, now)
            return self._booked(route, now, probe=probe)
        return self._give_up(self._why(pool, held, now), now)

    def _reserve_for_unasked(self) -> bool:
        """Whether what is left of `max_attempts` is for those not asked yet."""
        left = self._policy.max_attempts - len(self.trail.records)
        return left <= self._standings.unasked

    def _launch(self, route: Route, now: float) -> Launch | None:
        probe = self._standings.claim(route, now)
        return None if probe is None else self._booked(route, now, probe=probe)

    def _booked(self, route: Route, now: float, *, probe: bool) -> Launch:
        """Book an attempt; if that is interrupted, give a probe's slot back."""
        try:
            return Launch(self._book(route, now, probe=probe))
        except BaseException:
            if probe and self._ledger is not None:
                self._ledger.abandoned(route.key)
            raise

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
        self._answer = Return(answer)
        closed = self._ledger is not None and self._ledger.spoke(attempt.route.key)
        self.trail.committed(attempt, now)
        if closed:
            self.trail.circuit_closed(attempt.route, now)
        if self._bucket is not None:
            paid = self._standings[attempt.route].paid
            self._bucket.refill(
                paid if attempt.nth > 1 else self._bucket.success_credit
            )

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
            self.abandoned(attempt, now)
            return False
        if isinstance(error, EmptyAnswer) and (
            self._empty is None or error.replaces_earlier
        ):
            self._empty = attempt, Return(cast("T", error.answer))
        self.trail.failed(attempt, failure, error, now)
        court = Court(self._policy, self._standings, self._bucket)
        verdict = court.sentence(attempt.route, failure, now, chance)
        if verdict is Verdict.RAISE:
            self._fatal = error
        standing = self._standings[attempt.route]
        ill = self._report_to_health(attempt.route, failure, now, chance)
        if attempt.probe or (ill and standing.last_resort):
            standing.out = True  # known to be ill before: one request is enough
        elif ill:
            standing.put_off = True
        self._idle_since = now
        return True

    def abandoned(self, attempt: Attempt | None, now: float) -> None:
        """Take note that nobody waits any more, for an attempt or for the next."""
        self.trail.left(attempt, now)
        if attempt is None or attempt is self.trail.winner:
            return  # nobody's probe, or one that has closed the circuit
        if attempt.probe and self._ledger is not None:
            self._ledger.abandoned(attempt.route.key)

    def answered(self, now: float, usage: Usage = UNKNOWN_USAGE) -> None:
        """Take note that the caller has the whole answer."""
        winner = cast("Attempt", self.trail.winner)  # only a committed one ends
        self.trail.answered(now, usage)
        if self._ledger is not None:
            self._ledger.answered(winner.route.key)

    def interrupted(
        self, failure: Failure, error: Exception, now: float, chance: float
    ) -> None:
        """Take note that the stream of the winner broke after its commit."""
        winner = cast("Attempt", self.trail.winner)  # only a committed one relays
        self.trail.interrupted(failure, error, now)
        self._report_to_health(winner.route, failure, now, chance)

    def _report_to_health(
        self, route: Route, failure: Failure, now: float, chance: float
    ) -> bool:
        """Tell the ledger of a failure; return whether it opened the circuit."""
        if self._ledger is None:
            return False
        alone = self._standings.alone
        breaker = self._policy.breaker
        circuit = self._ledger.failed(
            route.key, failure, now, chance, breaker, alone=alone
        )
        if circuit.open_until is None:
            return False
        self.trail.circuit_opened(route, circuit.open_until - now, now)
        return True

    # --- waiting and asking -------------------------------------------------------

    def _may_wait(self, until: float) -> bool:
        """Whether waiting so long for the current item is still allowed."""
        if self._exceeds_deadline(until):
            return False
        return self._waited + (until - self._idle_since) <= self._patience

    def _exceeds_deadline(self, until: float) -> bool:
        return self._deadline is not None and until >= self._deadline

    @property
    def _patience(self) -> float:
        if self._standings.at_last_item:
            return self._policy.max_last_wait
        return self._policy.max_retry_after

    def _wait(self, pool: list[Route], until: float, now: float) -> Wait:
        if until != self._waiting_until:
            self._waiting_until = until
            soonest = min(pool, key=self._standings.free_at)
            self.trail.waiting(soonest, until - now, now)
        return Wait(until)

    def _book(self, route: Route, now: float, *, probe: bool) -> Attempt:
        wait = max(0.0, now - self._idle_since)
        self._waited += wait
        last = self._standings.last
        attempt = Attempt(
            number=len(self.trail.records) + 1,
            nth=self._standings.book(route),
            route=route,
            started_at=now,
            wait=wait,
            limits=self._limits(route, now),
            probe=probe,
            seen=AttemptProgress(),
        )
        self.trail.started(attempt, last, now)
        return attempt

    def _limits(self, route: Route, now: float) -> Timeouts:
        """Return the limits of an attempt that begins now.

        Nobody is hurried over the first chunk for the sake of nobody else.
        """
        limits = route.limits
        hurried = self._streams and limits.first_chunk is not None
        if hurried and not self._may_ask_another(route, now):
            limits = replace(limits, first_chunk=None)
        if self._deadline is not None:
            limits = replace(limits, deadline=self._deadline)
        return limits

    def _may_ask_another(self, route: Route, now: float) -> bool:
        spent = len(self.trail.records) + 1 >= self._policy.max_attempts
        return not spent and self._standings.anyone_else(route, now)

    # --- the end ------------------------------------------------------------------

    def _give_up(self, why: str, now: float) -> Return[T] | GiveUp:
        if self._empty is not None:
            attempt, settled = self._empty
            self.trail.settled(attempt, now)
            return settled
        errors = self.trail.errors
        if errors and all(isinstance(one, ToolsNotSupported) for one in errors):
            return self._raise_original(_why_not_bound(errors[0]), now, why)
        if len(errors) == 1 or self._all_overflowed():
            return self._raise_original(errors[-1], now, why)
        self.trail.gave_up(now)
        retry_after = self._standings.soonest(now) if self._policy.fail_fast else None
        return GiveUp(AllModelsFailed(self.trail.records, why, retry_after))

    def _all_overflowed(self) -> bool:
        asked = self._standings.asked
        overflow = FailureKind.CONTEXT_OVERFLOW
        return bool(asked) and all(one.kinds[-1] is overflow for one in asked)

    def _raise_original(self, error: Exception, now: float, why: str = "") -> GiveUp:
        """Let a child's own exception leave as it came, plus a note."""
        self.trail.gave_up(now)
        note = attempt_note(self.trail.records, why)
        if note not in getattr(error, "__notes__", ()):
            error.add_note(note)
        return GiveUp(error)

    def _why(self, pool: list[Route], held: list[Route], now: float) -> str:
        """Say what ended the call, where it was not simply the last failure."""
        if held:
            names = ", ".join(route.name for route in held)
            if (soonest := self._standings.soonest(now)) is None:
                return f"{names} held back until reset"
            return f"{names} held back; the soonest returns in {soonest:.0f} s"
        return self._too_long(pool) if pool else ""

    def _too_long(self, pool: list[Route]) -> str:
        limit = f"max_last_wait={self._policy.max_last_wait:g}"
        if self._exceeds_deadline(min(map(self._standings.free_at, pool))):
            limit = f"what is left of total_timeout={self._policy.total_timeout:g}"
        return f"the wait that was asked for is longer than {limit}"


def _why_not_bound(error: Exception) -> Exception:
    """Return what a child itself said: nobody was asked, so it is told as it came."""
    cause = error.__cause__
    return cause if isinstance(cause, Exception) else error
