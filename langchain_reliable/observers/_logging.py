"""One line in the standard log for each retry, failover and end.

Wording and log levels live here. A line never holds a key, a prompt or a completion.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from langchain_reliable._text.kinds import words_for
from langchain_reliable._text.wording import describe_failure
from langchain_reliable.events import (
    AttemptFailed,
    CircuitClosed,
    CircuitOpened,
    EmptyAnswerReturned,
    FailedOver,
    GaveUp,
    Interrupted,
    Retried,
    Waiting,
)
from langchain_reliable.failures import FailureKind

if TYPE_CHECKING:
    from langchain_reliable.events import AttemptRecord, Event
    from langchain_reliable.failures import Failure

unheard: ContextVar[bool] = ContextVar("langchain_reliable_unheard", default=False)
"""True where calls are made whose failures are told elsewhere (`model.check()`)."""

_LOUD: Final = frozenset(
    {FailureKind.AUTH, FailureKind.QUOTA_EXHAUSTED, FailureKind.MODEL_NOT_FOUND}
)
"""Failures that do not pass by themselves: somebody has to act."""


class LoggingObserver:
    """Tells the logger `langchain_reliable` what happens.

    A retry and a failover are one line each: who failed, why, and who is asked next and
    when. It is told at INFO, at WARNING where a person has to act (a wrong key, an
    empty account, an unknown model) or a circuit has opened; a stream that broke and a
    call that nobody answered at WARNING.
    """

    event_types: ClassVar = frozenset(
        {
            AttemptFailed,
            Waiting,
            Retried,
            FailedOver,
            EmptyAnswerReturned,
            Interrupted,
            CircuitOpened,
            CircuitClosed,
            GaveUp,
        }
    )

    def __init__(self, logger: logging.Logger | str | None = None) -> None:
        """Choose the logger.

        Args:
            logger: Where the lines go: a logger or its name; by default the logger
                `langchain_reliable`.

        Raises:
            TypeError: It is neither.
        """
        if isinstance(logger, str) or logger is None:
            logger = logging.getLogger(logger or "langchain_reliable")
        if not hasattr(logger, "log"):
            kind = type(logger).__name__
            msg = f"got a value of type {kind}; write a logger or its name"
            raise TypeError(msg)
        self._logger = logger
        self._begun: dict[int, _Line] = {}

    def __call__(self, event: Event, /) -> None:
        """Write the line of one event, or begin one that the next event ends."""
        if unheard.get():
            return
        match event:
            case AttemptFailed(attempt=tried) if tried.failure is not None:
                self._begun[event.call] = _failed(tried, tried.failure)
            case CircuitOpened() if (line := self._begun.get(event.call)) is not None:
                said = f"{line.said}; left alone for {event.seconds:.0f} s"
                self._begun[event.call] = _Line(line.of, logging.WARNING, said)
            case Retried() | FailedOver() if event.call not in self._begun:
                pass  # told when the wait began
            case _:
                self._end(event)

    def _end(self, event: Event) -> None:
        """Write a line: what has happened, if something has, and what comes of it."""
        of, level, begun = self._begun.pop(event.call, _NOTHING)
        if end := _told(event, of):
            line = f"{begun}; {end}" if begun else end
            loud = isinstance(event, (CircuitOpened, GaveUp, Interrupted))
            self._logger.log(logging.WARNING if loud else level, "%s", line)


class _Line(NamedTuple):
    """The beginning of a line: whose it is, how loud, and what it says."""

    of: str
    level: int
    said: str


_NOTHING: Final = _Line("", logging.INFO, "")


def _failed(tried: AttemptRecord, failure: Failure) -> _Line:
    loud = failure.kind in _LOUD
    advice = f" ({words_for(failure.kind).advice})" if loud else ""
    said = (
        f"{tried.candidate} attempt {tried.nth} failed after {tried.seconds:.2f} s: "
        f"{describe_failure(failure)}{advice}"
    )
    return _Line(tried.candidate, logging.WARNING if loud else logging.INFO, said)


def _told(event: Event, failed: str) -> str:
    """Return what an event adds to a line, or says by itself."""
    said = ""
    match event:
        case Waiting(candidate=name, seconds=span):
            said = "retrying" if name == failed else f"asking {name}"
            said = f"{said} in {span:.2f} s"
        case Retried(source=source, target=target) if source == target:
            said = "retrying at once"
        case Retried() | FailedOver():
            said = f"switching to {event.target}"
        case EmptyAnswerReturned(candidate=name):
            said = f"returning the empty answer of {name}"
        case Interrupted(candidate=name, failure=failure):
            said = f"{name} broke off in mid-answer: {describe_failure(failure)}"
        case CircuitOpened(candidate=name, seconds=span):
            said = f"{name} left alone for {span:.0f} s: it failed too often in a row"
        case CircuitClosed(candidate=name):
            said = f"{name} answers again"
        case GaveUp(attempts=attempts):
            said = _nobody(len(attempts))
    return said


def _nobody(attempts: int) -> str:
    if not attempts:
        return "no model answered: none is free to be asked"
    return f"no model answered ({attempts} attempt{'s' if attempts > 1 else ''})"
