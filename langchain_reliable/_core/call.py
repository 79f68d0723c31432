"""The state of one call, and the one question `what_now`.

How a call goes:

    what_now(now) ─► Launch(attempt)   ask this candidate; tell me how it ended
                  ─► Wait(until)       nobody is free: sleep, then ask again
                  ─► Confirm(claim)    a shared store must say first whether it may go
                  ─► Return(answer)    this is the answer
                  ─► GiveUp(error)     there will be none

The plan is a row of *tiers*; a tier is a group of *routes* (candidates) that can stand
in for each other. A call works through the tiers from left to right and never goes on
while somebody in the current tier is free to answer. When it reaches the last tier,
whoever was only put off, because waiting for it would have taken longer than asking the
next one, may be asked again.

`Launch` books the attempt; every other answer is free to ask twice. Several attempts
may be in flight: each has its number from its start, and its end is told by it. While
one is, another may be asked beside it (`Route.hedge`): `what_now` says when. Who
succeeds first wins, and those still in flight have lost by that.
"""

from __future__ import annotations

import math
from dataclasses import replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar, cast
from weakref import ref

from langchain_reliable._core.balancing.load import slow_failure
from langchain_reliable._core.balancing.needs import NO_NEEDS
from langchain_reliable._core.candidate_queue import CandidateQueue
from langchain_reliable._core.endings import (
    final_error,
    kind_of_limits,
    why_full,
    why_it_ended,
)
from langchain_reliable._core.rate_limits import NOTHING, Full
from langchain_reliable._core.retry import decide
from langchain_reliable._core.steps import (
    Attempt,
    AttemptProgress,
    Claim,
    Confirm,
    GiveUp,
    Launch,
    Return,
    Starting,
    Wait,
)
from langchain_reliable._core.trail import Trail
from langchain_reliable._core.usage import UNKNOWN_USAGE
from langchain_reliable.errors import (
    AllModelsFailed,
    EmptyAnswer,
    is_candidates_doing,
    was_sent,
)
from langchain_reliable.failures import FailureKind, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langchain_reliable._core.balancing.needs import CallNeeds
    from langchain_reliable._core.candidate_queue import Outlook
    from langchain_reliable._core.circuit import Admission
    from langchain_reliable._core.health_store import HealthStore, RequestBook
    from langchain_reliable._core.retry_budget import RetryTokenBucket
    from langchain_reliable._core.steps import Plan, Route, Step
    from langchain_reliable._core.timeouts import Timeouts
    from langchain_reliable._core.trail import Observe
    from langchain_reliable._core.usage import Usage
    from langchain_reliable.failures import Failure
    from langchain_reliable.policies import Policy

T = TypeVar("T")

Classifier: TypeAlias = "Callable[[Exception], Failure | None]"

FEWEST_ATTEMPTS = 12
"""Requests that a call may make where `max_attempts` says nothing: the brake on long
lists. More, where there are more candidates: everybody has a turn."""

SILENT_STREAM, SILENT_ANSWER = 5.0, 30.0
"""Seconds of silence, before a stream's first word and before a whole answer, after
which a connection that breaks counts as a time-out: a load balancer gave up waiting,
and asking the same again would pay for the same silence again."""

_POLITE: Final = 0.01
"""Seconds by which a call that has just begun to wait for a limit lets others go first:
there is no queue, and without this some would starve while new ones are served."""

_UNTIL_ONE_ENDS = Wait(math.inf)

_MIDDLE: Final = 0.5
"""Chance where none is given: an open circuit then closes on time."""


class Call(Generic[T]):
    """One call: what was tried, what it came to, and what is next."""

    def __init__(  # noqa: PLR0913 - all that a call is made of
        self,
        plan: Plan,
        policy: Policy,
        classifier: Classifier,
        observe: Observe | None = None,
        number: int = 0,
        health: HealthStore | None = None,
        bucket: RetryTokenBucket | None = None,
        *,
        needs: CallNeeds = NO_NEEDS,
        streams: bool = False,
    ) -> None:
        """Begin a call.

        Args:
            plan: Who may be asked, in tiers of equivalent routes.
            policy: What the call may spend.
            classifier: Says what an exception means; `None` lets it through.
            observe: Hears what happens.
            number: Tells this call's events from those of others.
            health: What is known across calls; `None` for nothing.
            bucket: The retries that all calls may still make; `None` for any number.
            needs: What it asks of its candidates.
            streams: Whether the call asks for a stream.
        """
        self.trail = Trail(plan, observe, number, streams=streams)
        self._bucket = bucket
        self._classifier = classifier
        self._deadline: float | None = None
        self._empty: tuple[Attempt, Return[T]] | None = None
        self._end: Step[T] | None = None
        self._fatal: Exception | None = None
        self._health = health
        self._hedged: set[int] = set()  # attempts beside which another was asked
        self._idle_since = math.inf
        self._in_flight: dict[int, Attempt] = {}
        self._launched = 0
        self._looks_at_all = False  # no more at the first alone
        self._plan = plan
        self._policy = policy
        self._needs = needs
        self._queue = CandidateQueue(plan, health, needs, streams=streams)
        breaker = policy.breaker
        self._is_slow = False
        self._slow_after = (
            None
            if breaker is None
            else breaker.slow_after
            if streams
            else breaker.slow_whole_after
        )
        self._streams = streams
        self._starting: Starting | None = None
        self._waited = 0.0
        self._waited_for_claims = 0.0
        self._waiting_for: object = None
        if needs.untagged or needs.misfits:
            self.trail.unsuited(needs)
        most = policy.max_attempts
        self._max_attempts = (
            max(FEWEST_ATTEMPTS, len(plan.routes)) if most is None else most
        )

    # --- the question -------------------------------------------------------------

    def what_now(self, now: float) -> Step[T]:
        """Return the next step."""
        step = self._end
        if (starting := self._starting) is not None:
            step = self._wait_for(starting, now)
            if step is None:
                self._looks_at_all = True
                self._refund(starting.route, starting.beside)
        if step is None and self._in_flight:
            return self._hedge(now)
        if step is None:
            step = self._over(now)
        while step is None:
            step = self._next_step(now)
        return step

    def _hedge(self, now: float) -> Step[T]:
        """Return when another may be asked beside the one in flight, or ask it.

        While two are in flight nobody else is asked, and each is hedged once at most.
        """
        if len(self._in_flight) > 1:
            return _UNTIL_ONE_ENDS
        (attempt,) = self._in_flight.values()
        if attempt.hedge_after is None or attempt.number in self._hedged:
            return _UNTIL_ONE_ENDS
        due = attempt.started_at + attempt.hedge_after
        if now < due:
            return Wait(due)
        return self._asked_beside(attempt, now) or _UNTIL_ONE_ENDS

    def _asked_beside(self, attempt: Attempt, now: float) -> Launch | Confirm | None:
        """Ask another beside an attempt, if somebody is free and it can be paid for.

        The request of a half-open circuit is hedged for nothing: so it costs its user
        nothing to see whether a candidate is well again.
        """
        rule, health = attempt.route.hedge, self._health
        if rule is None or health is None or self._exceeds_deadline(now):
            return None
        if self._max_attempts - self._launched < max(1, self._queue.unasked):
            return None
        free = attempt.admission.probe
        if not free and not health.hedges.pay(rule.share):
            return None
        for route in self._queue.beside(now):
            has_turn = route.take_turn is not None and route.take_turn()
            if route.take_turn is not None and not has_turn:
                continue
            admission = self._queue.acquire(route, now)
            if admission is None:
                continue
            step = self._started(
                route, admission, now, has_turn=has_turn, beside=attempt
            )
            if step is not None:
                return step
        self._refund(attempt.route, attempt)
        return None

    def _over(self, now: float) -> Step[T] | None:
        """Return the end of the call, if it has come to one; begin its time."""
        if self._fatal is not None:
            return self._give_up("", now, self._fatal)
        if self._idle_since == math.inf:
            self._idle_since = now
        total = self._policy.total_timeout
        if total is not None:
            if self._deadline is None:
                self._deadline = now + total
            if now >= self._deadline:
                return self._give_up(f"total_timeout={total:g} is used up", now)
        if self._launched >= self._max_attempts:
            return self._give_up(f"max_attempts={self._max_attempts} is used up", now)
        return None

    def _next_step(self, now: float) -> Step[T] | None:
        """Return what to do from the current tier; `None` to look again from the next.

        Also `None` where somebody else was faster at a candidate that takes one.
        """
        queue = self._queue
        if (
            queue.last is None
            and not self._looks_at_all
            and (first := queue.first(now)) is not None
            and first.take_turn is None
            and (admission := queue.acquire(first, now)) is not None
            and (step := self._started(first, admission, now)) is not None
        ):
            return step
        left = self._max_attempts - self._launched
        reserved = self._launched > 0 and left <= queue.unasked
        outlook = queue.look(now, only_unasked=reserved)
        for route in outlook.held:
            self.trail.held_back(route, queue.held_until(route, now) - now)
        for route, lacks in outlook.full.items():
            self.trail.held_back(route, lacks.until - now, "full")
        if outlook.free is not None:
            return self._launch(queue.in_turn(outlook.free, now), now)
        if outlook.waiting is not None and self._wait_allowed(
            outlook.free_at, outlook.limit
        ):
            return self._wait(outlook.waiting, outlook.free_at, now, outlook.limit)
        if not queue.at_last_tier:
            queue.next_tier()
            self._waited = 0.0
            return None
        if (anyway := self._able_anyway(outlook, now)) is not None:
            return self._started(anyway, queue.admit_anyway(anyway, now), now)
        return self._wait_for_full(outlook, now) or self._give_up(
            self._why(outlook, now), now, full=outlook.full
        )

    def _able_anyway(self, outlook: Outlook, now: float) -> Route | None:
        """Return whom to ask although something speaks against it; nobody that is full.

        First whom their health holds back, then whom the request does not fit.
        """
        held = [] if self._policy.fail_fast else outlook.held
        for routes in (held, outlook.misfits):
            if able := [route for route in routes if route not in outlook.full]:
                return self._queue.last_resort(able, now)
        return None

    def _wait_for_full(self, outlook: Outlook, now: float) -> Wait | None:
        """Wait for the soonest of those that are full and could be asked but for that.

        Health holds them back, or the request does not fit them.
        """
        anyway = (*outlook.held, *outlook.misfits)
        full = [(outlook.full[one].until, one) for one in anyway if one in outlook.full]
        if not full:
            return None
        until, route = min(full, key=itemgetter(0))
        if not self._wait_allowed(until, outlook.full[route]):
            return None
        return self._wait(route, until, now, outlook.full[route])

    # --- asking -------------------------------------------------------------------

    def _launch(self, route: Route, now: float) -> Launch | Confirm | None:
        """Start an attempt, if its rate limiter, the budget and its health let it."""
        asks = route.take_turn is not None and self._queue.anyone_else(route, now)
        has_turn = asks and route.take_turn is not None and route.take_turn()
        if asks and not has_turn:
            self._queue.put_off(route)
            self.trail.held_back(route, None, "full")
            return None
        state = self._queue[route]
        if self._bucket is not None and state.kinds:
            cost = self._bucket.spend(state.kinds[-1])
            state.paid = cost or 0.0
            if cost is None:
                self._queue.rule_out(route)
                return None
        admission = self._queue.acquire(route, now)
        step = (
            self._started(route, admission, now, has_turn=has_turn)
            if admission is not None
            else None
        )
        if step is None:
            self._refund(route, None)
        return step

    def _refund(self, route: Route, beside: Attempt | None) -> None:
        """Take back what was paid for an attempt: somebody else was faster."""
        if beside is not None:
            rule, health = beside.route.hedge, self._health
            if rule and health and not beside.admission.probe:
                health.hedges.give_back(rule.share)
        elif self._bucket is not None:
            state = self._queue[route]
            self._bucket.refill(state.paid)
            state.paid = 0.0

    def _started(  # noqa: C901 - all that may keep it from starting
        self,
        route: Route,
        admission: Admission | Claim,
        now: float,
        *,
        has_turn: bool = False,
        beside: Attempt | None = None,
        request: Any = None,
    ) -> Launch | Confirm | None:
        """Book an attempt; `None` if a limit was reached in the meantime.

        If that is interrupted, a probe's slot and what was booked are given back.
        """
        if isinstance(admission, Claim):
            return self._wait_for(
                Starting(admission, now, route, None, has_turn, beside), now
            )
        try:
            if route.is_booked and self._health is not None:
                if request is None:
                    request = self._booked(route, self._health.book, now)
                if isinstance(request, Claim):
                    return self._wait_for(
                        Starting(request, now, route, admission, has_turn, beside), now
                    )
                if isinstance(request, Full):
                    self._health.abandoned(route, admission)
                    return None
            attempt = self._attempt(
                route,
                admission,
                now,
                has_turn=has_turn,
                request=request,
                hedged=beside is not None,
            )
            if request is None and self._health is not None:
                noted = self._health.book.noted[route.key]
                noted.add(ref(attempt.progress, noted.discard))
            self._in_flight[attempt.number] = attempt
            if beside is not None:
                self._hedged.add(beside.number)
                self.trail.hedged(attempt, beside, now)
            else:
                last, self._queue.last = self._queue.last, route
                self.trail.started(attempt, last, now)
        except BaseException:
            if self._health is not None:
                self._health.abandoned(route, admission)
                if request is not None:
                    self._health.book.never_sent(request, now)
            raise
        return Launch(attempt)

    def _wait_for(self, starting: Starting, now: float) -> Launch | Confirm | None:
        """Wait for the claim of an attempt that is about to start.

        All claims of a call together are waited for no longer than their store says;
        then it goes by what is known in this process.
        """
        claim = starting.claim
        left = claim.patience - self._waited_for_claims
        if left > 0 and not claim.is_over():
            self._starting = starting
            return Confirm(claim.question, left)
        self._starting = None
        _, since, route, admission, has_turn, beside = starting
        self._waited_for_claims += now - since
        if not self._in_flight:
            self._idle_since += now - since  # that was no waiting for a candidate
        outcome, step = claim.outcome(now), None
        if admission is None:
            admission, outcome = outcome, None
        if admission is not None:
            step = self._started(
                route, admission, now, has_turn=has_turn, beside=beside, request=outcome
            )
        return step

    def _booked(self, route: Route, book: RequestBook, now: float) -> Any:
        """Take a place among a candidate's requests, or claim one."""
        allowance, demand = route.allowance, NOTHING
        if allowance is not None and allowance.limits.counts_tokens:
            demand = self._needs.demand(route)
        return book.begin(route.key, allowance, demand, now, streams=self._streams)

    def _attempt(
        self,
        route: Route,
        admission: Admission,
        now: float,
        *,
        has_turn: bool,
        request: Any,
        hedged: bool,
    ) -> Attempt:
        wait = 0.0 if hedged else max(0.0, now - self._idle_since)
        self._waited += wait
        nth = self._queue.started(route)
        self._launched = number = self._launched + 1
        rule, hedge_after = route.hedge, None
        if rule is not None and self._health is not None:
            hedges = self._health.hedges
            hedges.calls += number == 1
            hedge_after = rule.stream if self._streams else rule.whole
            if rule.measured and hedge_after is None:
                hedge_after = hedges.slow_after(route.key, streams=self._streams)
        return Attempt(
            number,
            nth,
            route,
            now,
            wait,
            self._timeouts(route, now),
            AttemptProgress(),
            admission,
            has_turn,
            request,
            hedge_after=hedge_after,
            hedged=hedged,
        )

    def _timeouts(self, route: Route, now: float) -> Timeouts:
        """Return the limits of an attempt that begins now.

        Nobody is hurried for the sake of nobody else.
        """
        others = self._launched < self._max_attempts and self._queue.anyone_else(
            route, now
        )
        timeouts = route.timeouts if others else route.timeouts.unhurried()
        if self._deadline is None:
            return timeouts
        return timeouts.within(
            self._deadline,
            self._policy.total_timeout,
            now,
            self._queue.unasked if others else 0,
            streams=self._streams,
        )

    def may_ask_another(self, route: Route, now: float) -> bool:
        """Return whether somebody else could be asked in a route's place."""
        spent = self._launched >= self._max_attempts
        return not spent and self._queue.anyone_else(route, now)

    # --- facts --------------------------------------------------------------------

    def succeeded(self, attempt: Attempt, answer: T, now: float) -> None:
        """Take note that an attempt has committed to an answer."""
        self._ended(attempt, now)
        route, admission = attempt.route, attempt.admission
        self._end = Return(answer)
        if self._in_flight:
            self._lose_others(now)
        health = self._health
        spoke_at, timer = now, attempt.progress.timer
        if timer is not None and timer.spoke_at is not None and self._streams:
            spoke_at = timer.spoke_at
        if attempt.request is not None and health is not None:
            health.book.spoke(attempt.request, spoke_at)
        elif health is not None:
            words = health.book.first_words[route.key, self._streams]
            words.append((spoke_at, spoke_at - attempt.started_at))
        if route.hedge is not None and route.hedge.measured:
            self._measured(attempt, now)
        if health is not None and health.fallback_watch.rows and attempt.number == 1:
            health.fallback_watch.answered(route, now)
        self.trail.committed(attempt, now)
        limit = self._slow_after
        self._is_slow = limit is not None and self._counts_as_slow(
            attempt, limit, spoke_at, now
        )
        if (
            health is not None
            and not self._is_slow
            and health.began_answering(route, admission, now)
        ):
            self.trail.circuit_closed(route, now)
        if self._bucket is not None:
            paid = self._queue[route].paid
            self._bucket.refill(
                paid if attempt.nth > 1 else self._bucket.success_credit
            )

    def _counts_as_slow(
        self, attempt: Attempt, limit: float, spoke_at: float, now: float
    ) -> bool:
        """Count an answer that has begun too late as a failure, handed over as it is.

        Returns:
            Whether it was late.
        """
        timer = attempt.progress.timer
        began_at = attempt.started_at if timer is None else timer.began_at
        seconds = spoke_at - began_at
        others = self._queue.anyone_else(attempt.route, now)
        failure = slow_failure(seconds, limit, others=others)
        if failure is None:
            return False
        self.trail.slow(attempt, seconds, limit, now)
        self._count_failure(attempt, failure, now, _MIDDLE)
        return True

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
        self._ended(attempt, now)
        others = self._queue.anyone_else(attempt.route, now)
        failure = self._judged_by_silence(attempt, failure, now, others=others)
        if isinstance(error, EmptyAnswer) and (
            self._empty is None or error.replaces_earlier
        ):
            self._empty = attempt, Return(cast("T", error.answer))
        self._give_place_back(attempt, failure, error, now)
        self.trail.failed(attempt, failure, error, now)
        if (
            attempt.number == 1
            and self._health is not None
            and len(self._plan.routes) > 1
        ):
            self._health.fallback_watch.failed(attempt.route, failure, now)
        self._decide(attempt, error, failure, now, chance, others=others)
        return True

    def _decide(
        self,
        attempt: Attempt,
        error: Exception,
        failure: Failure,
        now: float,
        chance: float,
        *,
        others: bool,
    ) -> None:
        """Apply what a failure means for its route, here and across calls."""
        queue, route = self._queue, attempt.route
        state = queue[route]
        state.kinds.append(failure.kind)
        state.broke_in_words += attempt.progress.has_spoken
        decision = decide(
            route, state, failure, self._policy, self._bucket, chance, others=others
        )
        if decision.verdict is Verdict.RAISE:
            self._fatal = error
            self._lose_others(now)
        elif decision.pause is None:
            queue.rule_out(route)
        else:
            queue.retry_at(route, now + decision.pause)
            if failure.request_sent is False and others:
                queue.put_off(route)  # nothing was sent: the next can be asked at once
        if failure.kind is FailureKind.CONTEXT_OVERFLOW:
            queue.rule_out_smaller(route)
        ill = self._report_to_health(attempt, failure, error, now, chance)
        if attempt.admission.probe or (ill and state.last_resort):
            queue.rule_out(route)  # known to be ill before: one request is enough
        elif ill:
            queue.put_off(route)

    def _judged_by_silence(
        self, attempt: Attempt, failure: Failure, now: float, *, others: bool
    ) -> Failure:
        """Return a connection that broke after a long silence as a time-out."""
        if failure.kind is not FailureKind.CONNECTION or not others:
            return failure
        if failure.status is not None or failure.retry_after is not None:
            return failure
        progress = attempt.progress
        timer = progress.timer
        since = attempt.started_at if timer is None else timer.quiet_since
        longest = SILENT_STREAM if self._streams else SILENT_ANSWER
        if (
            failure.request_sent is False
            or progress.has_spoken
            or now - since <= longest
        ):
            return failure
        return replace(failure, kind=FailureKind.TIMEOUT)

    def abandoned(self, attempt: Attempt | None, now: float) -> None:
        """Take note that nobody waits any more, for an attempt or for the next."""
        self.trail.abandoned(attempt, now)
        self._withdraw(now)
        if attempt is None:
            return
        if attempt is self.trail.winner:
            self._book_lost(attempt, now)
            return  # its probe has closed the circuit
        others = [one for one in self._in_flight.values() if one is not attempt]
        for one in (attempt, *others):
            self._let_go(one, now)

    @property
    def is_over(self) -> bool:
        """Whether the call has come to its end, told or not."""
        return self._end is not None or self._fatal is not None

    def is_in_flight(self, attempt: Attempt) -> bool:
        """Return whether an attempt has neither ended nor lost."""
        return attempt.number in self._in_flight

    def _lose_others(self, now: float) -> None:
        """The call has its end: whoever else is in flight has lost."""
        for attempt in [*self._in_flight.values()]:
            self._let_go(attempt, now)
            if self._health is not None and self._fatal is None:
                self._health.outrun(attempt.route, attempt.admission, now)
            self.trail.lost(attempt, now)
            if attempt.route.hedge is not None and attempt.route.hedge.measured:
                self._measured(attempt, now)  # it would have taken longer

    def _let_go(self, attempt: Attempt, now: float) -> None:
        """An attempt is given up; a probe's slot is free again."""
        self._book_lost(attempt, now)
        self._ended(attempt, now)
        if self._health is not None:
            self._health.abandoned(attempt.route, attempt.admission)

    def _measured(self, attempt: Attempt, now: float) -> None:
        """Note how long an answer took to begin, for those who go by that."""
        if self._health is not None:
            self._health.hedges.took(
                attempt.route.key, now - attempt.started_at, streams=self._streams
            )

    def _give_place_back(
        self, attempt: Attempt, failure: Failure, error: Exception, now: float
    ) -> None:
        """End a failed attempt's place among its candidate's requests."""
        attempt.progress.is_over = True
        if attempt.request is None or self._health is None:
            return
        if failure.request_sent is False or not was_sent(error):
            self._health.book.never_sent(attempt.request, now)
        elif failure.kind is FailureKind.RATE_LIMITED:
            self._health.book.refused(attempt.request, failure.retry_after, now)
        else:
            self._book_lost(attempt, now)

    def _book_lost(self, attempt: Attempt, now: float) -> None:
        attempt.progress.is_over = True
        if attempt.request is not None and self._health is not None:
            spoke = attempt.progress.has_spoken
            self._health.book.failed(attempt.request, now, spoke=spoke)

    def answered(
        self, now: float, usage: Usage = UNKNOWN_USAGE, likely: Usage | None = None
    ) -> None:
        """Take note that the caller has the whole answer.

        Args:
            now: The moment.
            usage: What it says that it has cost.
            likely: What limits go by, where it does not say.
        """
        winner = cast("Attempt", self.trail.winner)  # only a committed one ends
        winner.progress.is_over = True
        self.trail.answered(now, usage)
        if self._health is not None:
            if not self._is_slow:
                self._health.answered(winner.route, winner.admission)
            if winner.request is not None:
                self._health.book.answered(winner.request, likely or usage, now)

    def interrupted(
        self, failure: Failure, error: Exception, now: float, chance: float
    ) -> None:
        """Take note that the stream of the winner broke after its commit."""
        winner = cast("Attempt", self.trail.winner)  # only a committed one relays
        self._book_lost(winner, now)
        self.trail.interrupted(failure, error, now)
        self._report_to_health(winner, failure, error, now, chance)

    def taken_back(
        self, failure: Failure, error: Exception, now: float, chance: float
    ) -> None:
        """Take note that the winner's stream broke, and that the call goes on.

        What was shown of it can be taken back, so it is a failed attempt like others.
        That is done once, so the next answer should be whole: whoever has just broken
        off is asked again only when nobody else is left.
        """
        winner = cast("Attempt", self.trail.winner)  # only a committed one relays
        self._end, self._idle_since = None, now
        self._book_lost(winner, now)
        self.trail.taken_back(failure, error, now)
        others = self._queue.anyone_else(winner.route, now)
        self._decide(winner, error, failure, now, chance, others=others)
        if others:
            self._queue.put_off(winner.route)

    def _withdraw(self, now: float) -> None:
        """Give back what is claimed for an attempt that will not start."""
        starting, self._starting = self._starting, None
        if starting is None:
            return
        starting.claim.withdraw(now)
        if starting.admission is not None and self._health is not None:
            self._health.abandoned(starting.route, starting.admission)
        self._refund(starting.route, starting.beside)

    def _ended(self, attempt: Attempt, now: float) -> None:
        if self._starting is not None:  # beside this one
            self._withdraw(now)
        if self._in_flight.pop(attempt.number, None) is not None:
            self._queue.ended(attempt.route)
            self._idle_since = now

    def _report_to_health(
        self,
        attempt: Attempt,
        failure: Failure,
        error: Exception,
        now: float,
        chance: float,
    ) -> bool:
        """Tell what a candidate did; return whether its circuit is open now."""
        if self._health is None:
            return False
        route, admission = attempt.route, attempt.admission
        if not is_candidates_doing(error):
            self._health.abandoned(route, admission)
            return False
        return self._count_failure(attempt, failure, now, chance)

    def _count_failure(
        self, attempt: Attempt, failure: Failure, now: float, chance: float
    ) -> bool:
        """Count a failure of a candidate; return whether its circuit is open now."""
        if self._health is None:
            return False
        route = attempt.route
        opened = self._health.failed(
            route,
            failure,
            attempt.admission,
            now,
            chance,
            self._policy.breaker,
            took=now - attempt.started_at,
            alone=self._queue.alone,
        )
        if opened.by_this and opened.until is not None:
            self.trail.circuit_opened(route, opened.until - now, now)
        return opened.until is not None

    # --- waiting ------------------------------------------------------------------

    def _wait_allowed(self, until: float, limit: Full | None = None) -> bool:
        """Whether waiting so long for the current tier is still allowed."""
        if self._exceeds_deadline(until):
            return False
        if limit is not None and self._policy.fail_fast:
            return False
        return self._waited_by(until) <= self._longest_wait

    def _exceeds_deadline(self, until: float) -> bool:
        return self._deadline is not None and until >= self._deadline

    def _wait(self, route: Route, until: float, now: float, limit: Full | None) -> Wait:
        """Wait, and say so once: nobody knows when a request in flight will end."""
        looks_again = limit is not None and limit.limit == "max_parallel_requests"
        what = (route, limit.limit) if looks_again and limit is not None else until
        if what != self._waiting_for:
            self._waiting_for = what
            self.trail.waiting(route, until - now, now, for_limit=limit is not None)
        if limit is not None:  # the longest waiting looks first
            until += _POLITE * max(1 - self._waited_by(until) / self._longest_wait, 0.0)
        return Wait(until)

    def _waited_by(self, moment: float) -> float:
        return self._waited + (moment - self._idle_since)

    @property
    def _longest_wait(self) -> float:
        policy = self._policy
        at_last = self._queue.at_last_tier
        return policy.max_last_wait if at_last else policy.max_retry_after

    # --- the end ------------------------------------------------------------------

    def _give_up(
        self,
        why: str,
        now: float,
        fatal: Exception | None = None,
        full: Mapping[Route, Full] | None = None,
    ) -> Return[T] | GiveUp:
        """End the call, once: asked again, it says the same."""
        if fatal is None and self._empty is not None:
            attempt, answer = self._empty
            self.trail.returned_empty(attempt, now)
            self._end = answer
            return answer
        asked, routes = self._queue.asked, self._plan.routes
        if (
            self._health is not None
            and len(asked) == len(routes)
            and all(one.kinds[-1] is FailureKind.CONNECTION for one in asked)
        ):
            self._health.nobody_reached(routes)
        tells = self._policy.fail_fast or full
        retry_after = self._queue.soonest(now) if tells else None
        error = final_error(
            self.trail.records, self._queue.asked, why, retry_after, fatal
        )
        if full and isinstance(error, AllModelsFailed):
            error.kind = kind_of_limits(full.values())
        self.trail.gave_up(now)
        end = self._end = GiveUp(error)
        return end

    def _why(self, outlook: Outlook, now: float) -> str:
        """Say what ended the call, where it was not simply the last failure."""
        limit = ""
        if outlook.waiting is not None and not self._policy.fail_fast:
            limit = f"max_last_wait={self._policy.max_last_wait:g}"
            if self._exceeds_deadline(outlook.free_at):
                limit = f"what is left of total_timeout={self._policy.total_timeout:g}"
        if outlook.full:
            names = [f"{one.name} ({it.limit})" for one, it in outlook.full.items()]
            return why_full(names, self._queue.soonest(now), limit)
        names = [route.name for route in outlook.held]
        return why_it_ended(names, self._queue.soonest(now) if names else 0.0, limit)
