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
        self, policy: Policy, standings: CandidateQueue, bucket: RetryTokenBucket | None
    ) -> None:
        """Begin.

        Args:
            policy: What the call may spend.
            standings: Where its routes stand.
            bucket: The retries that all calls may still make; `None` for any number.
        """
        self._policy = policy
        self._standings = standings
        self._bucket = bucket

    def sentence(
        self, route: Route, failure: Failure, now: float, chance: float
    ) -> Verdict:
        """Note what a failure means for its route, and return the verdict on it."""
        standing = self._standings[route]
        standing.kinds.append(failure.kind)
        verdict = self._policy.verdict(failure)
        if verdict is Verdict.RETRY and self._may_try_again(route, failure.kind):
            standing.free_at = now + self._pause(standing, failure, chance)
        elif verdict is not Verdict.RAISE:
            standing.out = True
        if failure.kind is FailureKind.CONTEXT_OVERFLOW:
            self._standings.rule_out_smaller(route)
        return verdict

    def _may_try_again(self, route: Route, kind: FailureKind) -> bool:
        standing = self._standings[route]
        again = kind in RETRIED_ONCE and standing.kinds.count(kind) > 1
        if again or standing.attempts > route.max_retries:
            return False
        return self._can_pay(standing, kind)

    def _can_pay(self, standing: RouteState, kind: FailureKind) -> bool:
        """Pay for a retry out of what all calls may spend, if that is limited."""
        if self._bucket is None:
            return True
        cost = self._bucket.spend(kind)
        standing.paid = cost if cost is not None else 0.0
        return cost is not None

    def _pause(self, standing: RouteState, failure: Failure, chance: float) -> float:
        """Return Retry-After, or else a span of the backoff ("full jitter").

        Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
        """
        if failure.retry_after is not None:
            return failure.retry_after
        spans = backoff.expo(
            factor=self._policy.initial_backoff, max_value=self._policy.max_backoff
        )
        return chance * next(islice(spans, standing.attempts, None))
