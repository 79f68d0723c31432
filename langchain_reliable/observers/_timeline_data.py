"""What one call came to, told from its events: tries with a beginning and an end.

Turning events into spans of seconds, and into the words beside them, lives here.
Drawing never does, and no exception is kept: its traceback would hold a prompt.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from langchain_reliable._text.terminal import printable
from langchain_reliable._text.wording import describe_failure, failure_label, seconds
from langchain_reliable.events import (
    Abandoned,
    Answered,
    AttemptFailed,
    AttemptStarted,
    Committed,
    GaveUp,
    Interrupted,
)
from langchain_reliable.failures import FailureKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_reliable.events import Event
    from langchain_reliable.failures import Failure

Outcome: TypeAlias = Literal["answered", "interrupted", "gave up", "left", "open"]

_WORTH_TELLING = 0.01
"""Seconds from which on a pause is a wait, and speaking takes time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSpan:
    """One request to one candidate; moments are seconds since the call began.

    Attributes:
        candidate: Who was asked.
        nth: Which attempt at this candidate it was, from 1.
        wait: Seconds that the call waited before it.
        start: When the request went out.
        streams: Whether chunks were waited for, and not a whole answer.
        opened: When its first chunk came, whatever that held; `None` if none did.
        held: How many chunks were held back.
        spoke: When the first word (or the answer) was let out, if it was.
        end: When it was over; `None` if that was not heard of.
        failure: What went wrong.
        left: Whether nobody waited for its end: a `break`, a cancellation, a bug.
    """

    candidate: str
    nth: int
    wait: float
    start: float
    streams: bool = False
    opened: float | None = None
    held: int = 0
    committed: float | None = None
    end: float | None = None
    failure: Failure | None = None
    left: bool = False

    @property
    def failed(self) -> bool:
        """Whether it came to nothing that the caller has seen."""
        return self.failure is not None and self.committed is None

    @property
    def waits_at_length(self) -> bool:
        """Whether there is time between its first chunk and its first word, or end."""
        until = self.end if self.committed is None else self.committed
        known = self.opened is not None and until is not None
        return known and (until or 0.0) - (self.opened or 0.0) >= _WORTH_TELLING

    @property
    def speaks_at_length(self) -> bool:
        """Whether there is time between its first word and its last."""
        end = self.committed if self.end is None else self.end
        return (
            self.committed is not None
            and (end or 0.0) - self.committed >= _WORTH_TELLING
        )

    @property
    def what(self) -> str:
        """What came of it, in a few words."""
        if self.failure is not None:
            kind = failure_label(self.failure)
            if self.committed is None:
                return kind
            empty = self.failure.kind is FailureKind.EMPTY
            return "answered, empty" if empty else f"broke off: {kind}"
        if self.left:
            return "left early"
        if self.committed is None:
            return "asked"
        return "speaking" if self.end is None else "answered"

    @property
    def detail(self) -> str:
        """The same at more length."""
        what = describe_failure(self.failure) if self.failure is not None else self.what
        if not self.streams or (self.end is None and self.committed is None):
            return what
        return f"{what}; {self._arrival}"

    @property
    def _arrival(self) -> str:
        if self.opened is None:
            return "not a chunk came"
        first = f"first chunk after {seconds(self.opened - self.start)}"
        if not self.held:
            return first
        return f"{first}, {self.held} chunk{'s' if self.held > 1 else ''} held back"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSummary:
    """One call; moments are seconds since it began.

    Attributes:
        number: Tells it from other calls.
        tries: Its attempts, in order.
        end: When the last was heard of it.
        fate: How it ended; `"left"` if nobody waited for that, `"open"` while it runs.
    """

    number: int
    tries: tuple[AttemptSpan, ...]
    end: float
    fate: Outcome

    @property
    def committed(self) -> AttemptSpan | None:
        """The try whose words the caller has seen."""
        return next((one for one in self.tries if one.committed is not None), None)

    @property
    def title(self) -> str:
        """How it went, in one line."""
        count = len(self.tries)
        parts = [self._head, f"{count} attempt{'s' if count > 1 else ''}"]
        if (winner := self.committed) is not None and winner.speaks_at_length:
            parts.append(f"first word at {seconds(winner.committed or 0.0)}")
        whole = "so far" if self.fate == "open" else "in all"
        return ", ".join((*parts, f"{seconds(self.end)} {whole}"))

    @property
    def commit_word(self) -> str:
        """What the caller saw first: a word, or the answer at once."""
        winner = self.committed
        ended = winner is not None and winner.end is not None
        at_once = winner is not None and ended and not winner.speaks_at_length
        return "answer" if at_once else "first word"

    @property
    def _head(self) -> str:
        winner = self.committed
        if self.fate == "left":
            last = self.tries[-1]
            return f"{last.candidate} was left early" if last.left else "left in a wait"
        if winner is None:
            return "nobody answered" if self.fate == "gave up" else "no word yet"
        if self.fate == "interrupted":
            return f"{winner.candidate} broke off"
        return f"{winner.candidate} {'speaks' if winner.end is None else 'answered'}"


def begins(event: Event) -> bool:
    """Return whether a call begins with this event."""
    return isinstance(event, AttemptStarted) and event.number == 1


def without_exceptions(event: Event) -> Event:
    """Return an event as it may be kept: without the exceptions it carries."""
    match event:
        case AttemptFailed() | Committed():
            return replace(event, attempt=replace(event.attempt, error=None))
        case GaveUp():
            return replace(event, attempts=())
        case _:
            return event


def summarize(events: Sequence[Event]) -> CallSummary:
    """Tell a call from its events.

    Args:
        events: The events of one call, in order; the first is its beginning.
    """
    zero = events[0].at
    tries: list[AttemptSpan] = []
    fate: Outcome = "open"
    for event in events:
        at = event.at - zero
        match event:
            case AttemptStarted():
                tries.append(_begun(event, at, tries[-1] if tries else None))
            case AttemptFailed(attempt=tried):
                tries[-1] = _arrived(tries[-1], tried.opened, tried.held)
                tries[-1] = replace(tries[-1], end=at, failure=tried.failure)
            case Committed(attempt=tried):
                place = min(tried.number, len(tries)) - 1
                tries[place] = _arrived(tries[place], tried.opened, tried.held)
                tries[place] = _raise_original(tries[place], at)
            case Interrupted():
                fate = "interrupted"
                _end_winner(tries, at, event.failure)
            case Answered():
                fate = "answered"
                _end_winner(tries, at, None)
            case Abandoned(opened=opened):
                fate = "left"
                if tries[-1].end is None:
                    last = _arrived(tries[-1], opened, tries[-1].held)
                    tries[-1] = replace(last, end=at, left=True)
            case GaveUp():
                fate = "gave up"
            case _:
                pass
    end = events[-1].at - zero
    return CallSummary(number=events[0].call, tries=tuple(tries), end=end, fate=fate)


def _begun(event: AttemptStarted, at: float, before: AttemptSpan | None) -> AttemptSpan:
    pause = at - before.end if before is not None and before.end is not None else 0.0
    return AttemptSpan(
        candidate=" ".join(printable(event.candidate).split()),
        nth=event.nth,
        wait=pause if pause >= _WORTH_TELLING else 0.0,
        start=at,
        streams=event.streams,
    )


def _arrived(tried: AttemptSpan, opened: float | None, held: int) -> AttemptSpan:
    if opened is None:
        return tried
    return replace(tried, opened=tried.start + opened, held=held)


def _raise_original(tried: AttemptSpan, at: float) -> AttemptSpan:
    """Mark the try that was let out; an empty answer only after the others failed."""
    return replace(tried, committed=at if tried.end is None else tried.end)


def _end_winner(tries: list[AttemptSpan], at: float, failure: Failure | None) -> None:
    for place, one in enumerate(tries):
        if one.committed is not None and one.end is None:
            tries[place] = replace(one, end=at, failure=failure)
