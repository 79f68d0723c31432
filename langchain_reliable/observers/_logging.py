"""One line in the standard log for each retry, failover and end.

Wording and log levels live here. A line never holds a key, a prompt or a completion.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import TYPE_CHECKING

from langchain_reliable.errors import described
from langchain_reliable.events import (
    AttemptFailed,
    CircuitClosed,
    CircuitOpened,
    FailedOver,
    GaveUp,
    Interrupted,
    Waiting,
)
from langchain_reliable.failures import FailureKind

if TYPE_CHECKING:
    from langchain_reliable.events import Event

unheard: ContextVar[bool] = ContextVar("langchain_reliable_unheard", default=False)
"""True where calls are made whose failures are told elsewhere (`model.check()`)."""

_LOUD = {
    FailureKind.AUTH: "check its key and what that may do",
    FailureKind.QUOTA_EXHAUSTED: "check plan and billing of its account",
    FailureKind.MODEL_NOT_FOUND: "check its name and that the key may use it",
}
"""Failures that do not pass by themselves, and what somebody has to do about them."""


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
        if unheard.get():
            return
        match event:
            case AttemptFailed(attempt=tried) if tried.failure is not None:
                advice = _LOUD.get(tried.failure.kind)
                self._logger.log(
                    logging.INFO if advice is None else logging.WARNING,
                    "%s attempt %d failed after %.2f s: %s%s",
                    tried.candidate,
                    tried.nth,
                    tried.seconds,
                    described(tried.failure),
                    f" ({advice})" if advice else "",
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
            case CircuitOpened():
                self._logger.warning(
                    "%s is left alone for %.0f s: it failed too often in a row",
                    event.candidate,
                    event.seconds,
                )
            case CircuitClosed():
                self._logger.info("%s answers again", event.candidate)
            case GaveUp():
                self._logger.warning(
                    "no model answered after %d attempts", len(event.attempts)
                )
            case _:
                pass
