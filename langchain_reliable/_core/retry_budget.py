"""A token bucket: how many retries all calls of a model may still make."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from langchain_reliable.failures import FailureKind

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from langchain_reliable.policies import RetryBudget


class RetryTokenBucket:
    """The tokens of one retry budget.

    Attributes:
        lock: Held while tokens change; whoever shares the bucket puts a real one here.
    """

    def __init__(self, budget: RetryBudget) -> None:
        """Begin full."""
        self.lock: AbstractContextManager[object] = nullcontext()
        self._budget = budget
        self._tokens = budget.tokens

    @property
    def tokens(self) -> float:
        """How many are left."""
        return self._tokens

    @property
    def success_credit(self) -> float:
        """What a call that needed no retry puts back."""
        return self._budget.success_credit

    def can_pay(self, kind: FailureKind) -> bool:
        """Return whether a retry after such a failure could be paid for now."""
        return self._cost(kind) <= self._tokens

    def spend(self, kind: FailureKind) -> float | None:
        """Pay for a retry after a failure; return its cost, `None` if it's too much."""
        cost = self._cost(kind)
        with self.lock:
            if cost > self._tokens:
                return None
            self._tokens -= cost
            return cost

    def refill(self, tokens: float) -> None:
        """Put tokens back, up to what fits."""
        with self.lock:
            self._tokens = min(self._tokens + tokens, self._budget.tokens)

    def _cost(self, kind: FailureKind) -> float:
        throttled = kind is FailureKind.RATE_LIMITED
        return self._budget.throttled_cost if throttled else self._budget.transient_cost
