"""What a failure means for the route that failed, in this call.

Whether it may be asked again, when, and who pays for that is decided here. What the
whole call does next is the study's.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import backoff

from langchain_reliable.failures import RETRIED_ONCE, FailureKind, Verdict

if TYPE_CHECKING:
    from langchain_reliable._core.candidate_queue import CandidateQueue, RouteState
    from langchain_reliable._core.retry_budget import RetryTokenBucket
    from langchain_reliable._core.steps import Route
    from langchain_reliable.failures import Failure
    from langchain_reliable.policies import Policy


class Court:
    """Sentences the routes of one call."""

    def __init__(
        self, policy: Policy, queue: CandidateQueue, bucket: RetryTokenBucket | None
    ) -> None:
        """Begin.

        Args:
            policy: What the call may spend.
            queue: Where its routes stand.
            bucket: The retries that all calls may still make; `None` for any number.
        """
        self._policy = policy
        self._queue = queue
        self._bucket = bucket

    def sentence(
        self, route: Route, failure: Failure, now: float, chance: float
    ) -> Verdict:
        """Note what a failure means for its route, and return the verdict on it."""
        state = self._queue[route]
        state.kinds.append(failure.kind)
        verdict = self._policy.verdict(failure)
        if verdict is Verdict.RETRY and self._may_try_again(route, failure.kind):
            state.available_at = now + self._pause(state, failure, chance)
        elif verdict is not Verdict.RAISE:
            state.out = True
        if failure.kind is FailureKind.CONTEXT_OVERFLOW:
            self._queue.rule_out_smaller(route)
        return verdict

    def _may_try_again(self, route: Route, kind: FailureKind) -> bool:
        state = self._queue[route]
        again = kind in RETRIED_ONCE and state.kinds.count(kind) > 1
        if again or state.attempts > route.max_retries:
            return False
        return self._can_pay(state, kind)

    def _can_pay(self, state: RouteState, kind: FailureKind) -> bool:
        """Pay for a retry out of what all calls may spend, if that is limited."""
        if self._bucket is None:
            return True
        cost = self._bucket.spend(kind)
        state.paid = cost if cost is not None else 0.0
        return cost is not None

    def _pause(self, state: RouteState, failure: Failure, chance: float) -> float:
        """Return Retry-After, or else a span of the backoff ("full jitter").

        Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
        """
        if failure.retry_after is not None:
            return failure.retry_after
        spans = backoff.expo(
            factor=self._policy.initial_backoff, max_value=self._policy.max_backoff
        )
        return chance * next(islice(spans, state.attempts, None))
