"""What a failure means for the route that failed, in this call.

Whether it may be asked again, and when. What the whole call does next is `call`'s.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import backoff

from langchain_reliable.failures import RETRIED_ONCE, Verdict

if TYPE_CHECKING:
    from langchain_reliable._core.candidate_queue import RouteState
    from langchain_reliable._core.retry_budget import RetryTokenBucket
    from langchain_reliable._core.steps import Route
    from langchain_reliable.failures import Failure
    from langchain_reliable.policies import Policy


class Decision(NamedTuple):
    """What is done about a failure.

    Attributes:
        verdict: What the policy says of such a failure.
        pause: Seconds until its route may be asked again; `None` for never.
    """

    verdict: Verdict
    pause: float | None = None


def decide(
    route: Route,
    state: RouteState,
    failure: Failure,
    policy: Policy,
    bucket: RetryTokenBucket | None,
    chance: float,
    *,
    others: bool,
) -> Decision:
    """Decide what a failure means for its route; nothing is changed or paid.

    Args:
        route: The route that failed.
        state: Where it stands, this failure included.
        failure: How it failed.
        policy: What the call may spend.
        bucket: The retries that all calls may still make; `None` for any number.
        chance: A number from 0 up to 1: where in its span the wait falls.
        others: Whether somebody else could be asked this moment.
    """
    verdict = policy.verdict(failure)
    had_its_tries = (
        state.attempts > route.max_retries
        or (failure.kind in RETRIED_ONCE and state.kinds.count(failure.kind) > 1)
        or (others and state.broke_in_words > 1)  # a long answer is not paid for again
    )
    if verdict is not Verdict.RETRY or had_its_tries:
        return Decision(verdict)
    if bucket is not None and not bucket.can_pay(failure.kind):
        return Decision(verdict)
    return Decision(verdict, _pause(state, failure, policy, chance))


def _pause(state: RouteState, failure: Failure, policy: Policy, chance: float) -> float:
    """Return Retry-After, or else a span of the backoff ("full jitter").

    Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    if failure.retry_after is not None:
        return failure.retry_after
    spans = backoff.expo(factor=policy.initial_backoff, max_value=policy.max_backoff)
    return chance * next(islice(spans, state.attempts, None))
