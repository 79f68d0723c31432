"""One line in the standard log for each retry, failover and end.

A line begins with what has failed and ends with what comes of it, so it is written when
the next thing happens; where another attempt is under way meanwhile, it is written at
once. A line never holds a key, a prompt or a completion.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from langchain_reliable._text.kinds import words_for
from langchain_reliable._text.wording import (
    describe_failure,
    said_of_passed_over,
    seconds,
)
from langchain_reliable.events import (
    Abandoned,
    AttemptFailed,
    AttemptLost,
    CircuitClosed,
    CircuitOpened,
    EmptyAnswerReturned,
    FailedOver,
    GaveUp,
    Hedged,
    Interrupted,
    PassedOver,
    Restarted,
    Retried,
    SlowCall,
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
    call that nobody answered at WARNING. Who was passed over, and which of two attempts
    that were under way at once was slower, is told at DEBUG.
    """

    event_types: ClassVar = frozenset(
        {
            AttemptFailed,
            AttemptLost,
            PassedOver,
            Waiting,
            Retried,
            FailedOver,
            Hedged,
            SlowCall,
            EmptyAnswerReturned,
            Restarted,
            Interrupted,
            Abandoned,
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
        self._hedged: set[int] = set()

    def __call__(self, event: Event, /) -> None:
        """Write the line of one event, or begin one that the next event ends."""
        if unheard.get():
            return
        match event:
            case AttemptFailed(attempt=tried) if tried.failure is not None:
                self._failed(event, tried, tried.failure)
            case CircuitOpened() if self._is_about(event):
                of, _, said = self._begun[event.call]
                said = f"{said}; left alone for {event.seconds:.0f} s"
                self._begun[event.call] = _Line(of, logging.WARNING, said)
            case Retried() | FailedOver() if event.call not in self._begun:
                pass  # told when the wait began
            case PassedOver() | AttemptLost() | Abandoned():
                self._quietly(event)
            case _:
                self._end(event)

    def _failed(
        self, event: AttemptFailed, tried: AttemptRecord, failure: Failure
    ) -> None:
        if event.call in self._begun:
            self._write(event.call, "")
        self._begun[event.call] = _failed(tried, failure)
        if event.call in self._hedged:  # nothing comes of it: the other is waited for
            self._hedged.discard(event.call)
            self._write(event.call, "another attempt is still under way")

    def _is_about(self, event: CircuitOpened) -> bool:
        line = self._begun.get(event.call)
        return line is not None and line.of == event.candidate

    def _quietly(self, event: Event) -> None:
        """Tell at DEBUG what calls for nobody's attention."""
        if not isinstance(event, PassedOver):
            self._hedged.discard(event.call)
        if isinstance(event, Abandoned):
            self._write(event.call, "")
        else:
            self._logger.log(logging.DEBUG, "%s", _told_quietly(event))

    def _end(self, event: Event) -> None:
        """Write a line: what has happened, if something has, and what comes of it."""
        if isinstance(event, Hedged):
            self._hedged.add(event.call)
        elif isinstance(event, (GaveUp, Interrupted)):
            self._hedged.discard(event.call)
        of = self._begun[event.call].of if event.call in self._begun else ""
        if end := _told(event, of):
            loud = isinstance(event, (CircuitOpened, GaveUp, Interrupted))
            self._write(event.call, end, loud=loud)

    def _write(self, call: int, end: str, *, loud: bool = False) -> None:
        """Write the line that a call has begun, if it has, and its end."""
        _, level, begun = self._begun.pop(call, _NOTHING)
        if line := "; ".join(part for part in (begun, end) if part):
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
        case Waiting(candidate=name, seconds=span) if event.for_limit or not failed:
            said = f"waiting {span:.2f} s for a limit of {name}"
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
        case _:
            said = _told_of_two(event)
    return said


def _told_of_two(event: Event) -> str:
    """Return what is said though nothing has failed, or after a first word."""
    match event:
        case Hedged(source=source, target=target, after=span):
            return f"{source} is silent for {span:.2f} s; asking {target} as well"
        case SlowCall(candidate=name, seconds=span, limit=limit):
            what = "first word" if event.streams else "answer"
            return f"{name} was slow: its {what} took {span:.2f} s, over {limit:.2f} s"
        case Restarted(source=source, target=target):
            return f"the words of {source} are taken back; {target} answers instead"
        case _:
            return ""


def _told_quietly(event: Event) -> str:
    match event:
        case PassedOver():
            return f"{said_of_passed_over(event)}; passed over"
        case AttemptLost(attempt=tried):
            took = seconds(tried.seconds)
            who = f"{tried.candidate} attempt {tried.nth}"
            return f"{who} was slower than another; ended after {took}"
        case _:
            return ""


def _nobody(attempts: int) -> str:
    if not attempts:
        return "no model answered: none is free to be asked"
    return f"no model answered ({attempts} attempt{'s' if attempts > 1 else ''})"
