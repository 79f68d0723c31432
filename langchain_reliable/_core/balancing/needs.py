"""What one call asks of its candidates: room, abilities, and who to prefer.

Worked out once, before anybody is asked, and only where some candidate's limits, window
or abilities are known, or the conversation is to stay where it was.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from langchain_reliable._core.fit import misfit
from langchain_reliable._core.rate_limits import Demand

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from langchain_reliable._core.fit import Content
    from langchain_reliable._core.steps import Plan, Route


class CallNeeds(NamedTuple):
    """What a call needs.

    Attributes:
        input_tokens: What its question is likely to take.
        max_tokens: The most that its answer may take, if the call says so.
        misfits: The candidates that it does not fit, and why.
        untagged: Those that lack a tag which the call asks for.
        sticky: Says for an entry's place in which order its members are tried, where
            the conversation is to stay with one.
    """

    input_tokens: int = 0
    max_tokens: int | None = None
    misfits: Mapping[Route, str] = MappingProxyType({})
    untagged: Sequence[Route] = ()
    sticky: Callable[[int], Sequence[int]] | None = None

    def demand(self, route: Route) -> Demand:
        """Return the tokens to book at a candidate."""
        return Demand(self.input_tokens, most_tokens(route, self.max_tokens))


NO_NEEDS: Final = CallNeeds()
"""Of a call that anybody can answer."""


def most_tokens(route: Route, asked: int | None) -> int | None:
    """Return the most that an answer of a candidate may take; `None` if nobody says."""
    if route.own_max_tokens is not None:
        return route.own_max_tokens
    return route.max_tokens if asked is None else asked


def misfits(
    plan: Plan, content: Content, *, tools: bool, max_tokens: int | None
) -> dict[Route, str]:
    """Return the candidates that a request is known not to fit, and why."""
    found: dict[Route, str] = {}
    for route in plan.routes:
        most = most_tokens(route, max_tokens) or 0
        why = misfit(content, route.capacity, tools=tools, max_tokens=most)
        if why:
            found[route] = why
    return found
