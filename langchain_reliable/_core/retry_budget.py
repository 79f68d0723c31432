"""A token bucket: how many retries all calls of a model may still make.

Counting tokens behind one plain lock lives here. What a retry costs is the policy's.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from langchain_reliable.failures import FailureKind

if TYPE_CHECKING:
    from langchain_reliable.policies import RetryBudget


class RetryTokenBucket:
    """The tokens of one retry budget."""

    def __init__(self, budget: RetryBudget) -> None:
        """Begin full."""
        self._budget = budget
        self._lock = threading.RLock()  # a finalizer may come in between
        self._tokens = budget.tokens

    @property
    def tokens(self) -> float:
        """How many are left."""
        return self._tokens

    @property
    def success_credit(self) -> float:
        """What a call that needed no retry puts back."""
        return self._budget.success_credit

    def spend(self, kind: FailureKind) -> float | None:
        """Pay for a retry after a failure; return its cost, `None` if it's too much."""
        throttled = kind is FailureKind.RATE_LIMITED
        cost = self._budget.throttled_cost if throttled else self._budget.transient_cost
        with self._lock:
            if cost > self._tokens:
                return None
            self._tokens -= cost
            return cost

    def refill(self, tokens: float) -> None:
        """Put tokens back, up to what fits."""
        with self._lock:
            self._tokens = min(self._tokens + tokens, self._budget.tokens)
