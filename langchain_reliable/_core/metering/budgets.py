"""What a candidate may spend in a day or a month, counted in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from langchain_reliable._core.usage import Usage

Price: TypeAlias = tuple[float, float]
"""Dollars for a million tokens, of questions and of answers."""

_MILLION: Final = 1_000_000.0


class BudgetTerms(Protocol):
    """What was agreed; the one of the two amounts that is `None` is not counted."""

    @property
    def tokens(self) -> int | None:
        """Tokens, of questions and answers together."""

    @property
    def usd(self) -> float | None:
        """Dollars."""

    @property
    def per(self) -> Literal["day", "month"]:
        """The window in which that may be spent."""


class Spending(NamedTuple):
    """What was spent in a window.

    Attributes:
        tokens: Tokens so far.
        usd: Dollars so far.
        window_ends: When the window ends, in seconds since 1970.
    """

    tokens: int = 0
    usd: float = 0.0
    window_ends: float = float("-inf")


UNSPENT: Final = Spending()


def free_from(budget: BudgetTerms, spending: Spending, wall: float) -> float:
    """Return from when on there is something to spend, in seconds since 1970.

    A moment that has passed means at once. The answers that are in flight when the last
    token is spent are not cut off: a budget is exceeded by these at most.
    """
    if spending.window_ends <= wall or not is_spent(budget, spending):
        return wall
    return spending.window_ends


def is_spent(budget: BudgetTerms, spending: Spending) -> bool:
    """Return whether nothing is left of a budget in the window of the spending."""
    if budget.tokens is not None and spending.tokens >= budget.tokens:
        return True
    return budget.usd is not None and spending.usd >= budget.usd


def spent_share(budget: BudgetTerms, spending: Spending, wall: float) -> float:
    """Return how much of a budget is spent in the present window, from 0 to 1."""
    if spending.window_ends <= wall:
        return 0.0
    of_tokens = spending.tokens / budget.tokens if budget.tokens is not None else 0.0
    of_usd = spending.usd / budget.usd if budget.usd is not None else 0.0
    return max(of_tokens, of_usd)


def spend(
    budget: BudgetTerms,
    spending: Spending,
    usage: tuple[int, int],
    price: Price | None,
    wall: float,
) -> Spending:
    """Return what is spent with an answer more; it counts when it ends."""
    if spending.window_ends <= wall:
        spending = Spending(window_ends=window_end(budget.per, wall))
    return Spending(
        spending.tokens + sum(usage),
        spending.usd + cost(usage, price),
        spending.window_ends,
    )


def cost(usage: Usage, price: Price | None) -> float:
    """Return the dollars that an answer has cost; what is not known costs nothing."""
    if price is None:
        return 0.0
    tokens_in, tokens_out = usage
    for_input, for_output = price
    return ((tokens_in or 0) * for_input + (tokens_out or 0) * for_output) / _MILLION


def window_end(per: Literal["day", "month"], wall: float) -> float:
    """Return when the day or month of a moment ends in UTC, in seconds since 1970."""
    midnight = datetime.fromtimestamp(wall, UTC).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    if per == "day":
        return (midnight + timedelta(days=1)).timestamp()
    in_next_month = midnight.replace(day=1) + timedelta(days=32)
    return in_next_month.replace(day=1).timestamp()
