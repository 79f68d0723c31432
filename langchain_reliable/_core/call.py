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
        classifier: Classifier,
        observe: Observe | None = None,
        number: int = 0,
        health: HealthStore | None = None,
        bucket: RetryTokenBucket | None = None,
        *,
        streams: bool = False,
    ) -> None:
        """Begin a call.

        Args:
            items: The plan: groups of equivalent routes, in the order to ask.
            policy: What the call may spend.
            classifier: Says what an exception means; `None` lets it through.
            observe: Hears what happens.
            number: Tells this call's events from those of others.
            health: What is known across calls; `None` for nothing.
            bucket: The retries that all calls may still make; `None` for any number.
            streams: Whether the call asks for a stream.
        """
        self.trail = Trail(items, observe, number, streams=streams)
        self._streams = streams
        self._policy = policy
        self._classifier = classifier
        self._health = health
        self._bucket = bucket
        self._queue = CandidateQueue(items, health)
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
        queue = self._queue
        if (healthy_first := queue.healthy_first()) is not None:
            return self._launch_attempt(healthy_first, now, probe=False)
        selectable, held = queue.selectable(now)
        if self.trail.records and self._reserve_for_unasked():
            selectable = [route for route in selectable if not queue[route].attempts]
        for route in held:
            self.trail.held_back(route, queue.held_until(route, now) - now)
        if free := [route for route in selectable if queue.available_at(route) <= now]:
            return self._launch(queue.pick(free), now)
        if selectable and self._wait_allowed(
            until := min(map(queue.available_at, selectable))
        ):
            return self._wait(selectable, until, now)
        if not queue.at_last_item:
            queue.next_tier()
            self._waited = 0.0
            return None
        if held and not self._policy.fail_fast:
            route, probe = queue.claim_last_resort(held, now)
            return self._launch_attempt(route, now, probe=probe)
        return self._give_up(self._why(selectable, held, now), now)

    def _reserve_for_unasked(self) -> bool:
        """Whether what is left of `max_attempts` is for those not asked yet."""
        left = self._policy.max_attempts - len(self.trail.records)
        return left <= self._queue.unasked

    def _launch(self, route: Route, now: float) -> Launch | None:
        probe = self._queue.try_acquire(route, now)
        return None if probe is None else self._launch_attempt(route, now, probe=probe)

    def _launch_attempt(self, route: Route, now: float, *, probe: bool) -> Launch:
        """Book an attempt; if that is interrupted, give a probe's slot back."""
        try:
            return Launch(self._start_attempt(route, now, probe=probe))
        except BaseException:
            if probe and self._health is not None:
                self._health.abandoned(route.key)
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
        closed = self._health is not None and self._health.spoke(attempt.route.key)
        self.trail.committed(attempt, now)
        if closed:
            self.trail.circuit_closed(attempt.route, now)
        if self._bucket is not None:
            paid = self._queue[attempt.route].paid
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
        failure = self._classifier(error)
        if failure is None:
            self.abandoned(attempt, now)
            return False
        if isinstance(error, EmptyAnswer) and (
            self._empty is None or error.replaces_earlier
        ):
            self._empty = attempt, Return(cast("T", error.answer))
        self.trail.failed(attempt, failure, error, now)
        court = Court(self._policy, self._queue, self._bucket)
        verdict = court.sentence(attempt.route, failure, now, chance)
        if verdict is Verdict.RAISE:
            self._fatal = error
        state = self._queue[attempt.route]
        ill = self._report_to_health(attempt.route, failure, now, chance)
        if attempt.probe or (ill and state.last_resort):
            state.out = True  # known to be ill before: one request is enough
        elif ill:
            state.put_off = True
        self._idle_since = now
        return True

    def abandoned(self, attempt: Attempt | None, now: float) -> None:
        """Take note that nobody waits any more, for an attempt or for the next."""
        self.trail.abandoned(attempt, now)
        if attempt is None or attempt is self.trail.winner:
            return  # nobody's probe, or one that has closed the circuit
        if attempt.probe and self._health is not None:
            self._health.abandoned(attempt.route.key)

    def answered(self, now: float, usage: Usage = UNKNOWN_USAGE) -> None:
        """Take note that the caller has the whole answer."""
        winner = cast("Attempt", self.trail.winner)  # only a committed one ends
        self.trail.answered(now, usage)
        if self._health is not None:
            self._health.answered(winner.route.key)

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
        if self._health is None:
            return False
        alone = self._queue.alone
        breaker = self._policy.breaker
        circuit = self._health.failed(
            route.key, failure, now, chance, breaker, alone=alone
        )
        if circuit.open_until is None:
            return False
        self.trail.circuit_opened(route, circuit.open_until - now, now)
        return True

    # --- waiting and asking -------------------------------------------------------

    def _wait_allowed(self, until: float) -> bool:
        """Whether waiting so long for the current item is still allowed."""
        if self._exceeds_deadline(until):
            return False
        return self._waited + (until - self._idle_since) <= self._patience

    def _exceeds_deadline(self, until: float) -> bool:
        return self._deadline is not None and until >= self._deadline

    @property
    def _patience(self) -> float:
        if self._queue.at_last_item:
            return self._policy.max_last_wait
        return self._policy.max_retry_after

    def _wait(self, selectable: list[Route], until: float, now: float) -> Wait:
        if until != self._waiting_until:
            self._waiting_until = until
            soonest = min(selectable, key=self._queue.available_at)
            self.trail.waiting(soonest, until - now, now)
        return Wait(until)

    def _start_attempt(self, route: Route, now: float, *, probe: bool) -> Attempt:
        wait = max(0.0, now - self._idle_since)
        self._waited += wait
        last = self._queue.last
        attempt = Attempt(
            number=len(self.trail.records) + 1,
            nth=self._queue.record_attempt(route),
            route=route,
            started_at=now,
            wait=wait,
            limits=self._limits(route, now),
            probe=probe,
            progress=AttemptProgress(),
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
        return not spent and self._queue.anyone_else(route, now)

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
        retry_after = self._queue.soonest(now) if self._policy.fail_fast else None
        return GiveUp(AllModelsFailed(self.trail.records, why, retry_after))

    def _all_overflowed(self) -> bool:
        asked = self._queue.asked
        overflow = FailureKind.CONTEXT_OVERFLOW
        return bool(asked) and all(one.kinds[-1] is overflow for one in asked)

    def _raise_original(self, error: Exception, now: float, why: str = "") -> GiveUp:
        """Let a child's own exception leave as it came, plus a note."""
        self.trail.gave_up(now)
        note = attempt_note(self.trail.records, why)
        if note not in getattr(error, "__notes__", ()):
            error.add_note(note)
        return GiveUp(error)

    def _why(self, selectable: list[Route], held: list[Route], now: float) -> str:
        """Say what ended the call, where it was not simply the last failure."""
        if held:
            names = ", ".join(route.name for route in held)
            if (soonest := self._queue.soonest(now)) is None:
                return f"{names} held back until reset"
            return f"{names} held back; the soonest returns in {soonest:.0f} s"
        return self._too_long(selectable) if selectable else ""

    def _too_long(self, selectable: list[Route]) -> str:
        limit = f"max_last_wait={self._policy.max_last_wait:g}"
        if self._exceeds_deadline(min(map(self._queue.available_at, selectable))):
            limit = f"what is left of total_timeout={self._policy.total_timeout:g}"
        return f"the wait that was asked for is longer than {limit}"


def _why_not_bound(error: Exception) -> Exception:
    """Return what a child itself said: nobody was asked, so it is told as it came."""
    cause = error.__cause__
    return cause if isinstance(cause, Exception) else error
