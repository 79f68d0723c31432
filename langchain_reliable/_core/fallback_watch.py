"""Notices a first candidate that refuses call after call while a fallback answers.

Nothing fails, so nobody looks; yet the model that was chosen is never used. A request
that one candidate refuses (`bad_request`) says nothing against its health, so it is
asked, and paid for with a round trip, each time.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from langchain_reliable._text.wording import describe_failure
from langchain_reliable.failures import FailureKind

if TYPE_CHECKING:
    from collections.abc import Hashable

    from langchain_reliable._core.steps import Route
    from langchain_reliable.failures import Failure

_logger = logging.getLogger("langchain_reliable")

_CALLS: Final = 5
_PAUSE: Final = 300.0
_ROWS_KEPT: Final = 256


@dataclass(slots=True)
class _Row:
    calls: int = 0
    said_at: float = float("-inf")


class FallbackWatch:
    """Counts calls in a row whose first candidate refused them."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.rows: dict[Hashable, _Row] = {}
        """Candidates that refused the last call; empty as long as all is well."""

    def failed(self, route: Route, failure: Failure, now: float) -> None:
        """Take note that the first attempt of a call failed; say so if it is time."""
        if failure.kind is not FailureKind.BAD_REQUEST:
            self.answered(route, now)
            return
        if len(self.rows) >= _ROWS_KEPT:
            self.rows.clear()
        row = self.rows.setdefault(route.key, _Row())
        row.calls += 1
        if row.calls >= _CALLS and now - row.said_at >= _PAUSE:
            row.said_at = now
            _logger.warning(
                "%s refused %d calls in a row, each of which went on to the next: %s",
                route.name,
                row.calls,
                describe_failure(failure),
            )

    def answered(self, route: Route, now: float) -> None:
        """Take note that the first attempt of a call was not refused."""
        if (row := self.rows.get(route.key)) is not None:
            row.calls = 0
            if now - row.said_at >= _PAUSE:
                self.rows.pop(route.key, None)
