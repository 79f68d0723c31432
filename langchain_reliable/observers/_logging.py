"""One line in the standard log for each retry, failover and end.

Wording and log levels live here. A line never holds a key, a prompt or a completion.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from langchain_reliable.errors import described
from langchain_reliable.events import (
    AttemptFailed,
    FailedOver,
    GaveUp,
    Interrupted,
    Waiting,
)
from langchain_reliable.failures import FailureKind

if TYPE_CHECKING:
    from langchain_reliable.events import Event

_LOUD = frozenset(
    {FailureKind.AUTH, FailureKind.QUOTA_EXHAUSTED, FailureKind.MODEL_NOT_FOUND}
)
"""Failures that do not pass by themselves: somebody has to do something."""


class LoggingObserver:
    """Tells the logger `langchain_reliable` what happens.

    Waits and failovers are told at INFO, failed attempts too, at WARNING where a person
    has to act (a wrong key, an empty account, an unknown model); a stream that broke
    and a call that nobody answered at WARNING.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        """Choose the logger.

        Args:
            logger: Where the lines go; by default the logger `langchain_reliable`.
        """
        self._logger = logger or logging.getLogger("langchain_reliable")

    def __call__(self, event: Event, /) -> None:
        """Write the line of one event, if it has one."""
        match event:
            case AttemptFailed(attempt=tried) if tried.failure is not None:
                level = logging.WARNING if tried.failure.kind in _LOUD else logging.INFO
                self._logger.log(
                    level,
                    "%s attempt %d failed after %.2f s: %s",
                    tried.candidate,
                    tried.nth,
                    tried.seconds,
                    described(tried.failure),
                )
            case Waiting():
                self._logger.info(
                    "waiting %.2f s for %s", event.seconds, event.candidate
                )
            case FailedOver():
                self._logger.info("moving on: %s -> %s", event.source, event.target)
            case Interrupted():
                self._logger.warning(
                    "%s broke off in mid-answer: %s",
                    event.candidate,
                    described(event.failure),
                )
            case GaveUp():
                self._logger.warning(
                    "no model answered after %d attempts", len(event.attempts)
                )
            case _:
                pass
