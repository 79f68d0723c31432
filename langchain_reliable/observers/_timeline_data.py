"""What one call came to: rows with a beginning and an end, and words beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from langchain_reliable._text.wording import describe_failure, failure_label, seconds
from langchain_reliable.failures import FailureKind

if TYPE_CHECKING:
    from langchain_reliable.failures import Failure

Outcome: TypeAlias = Literal["answered", "interrupted", "gave up", "left", "open"]

WORTH_TELLING = 0.01
"""Seconds from which on a pause is a wait, and speaking takes time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSpan:
    """One request to one candidate; moments are seconds since the call began.

    Attributes:
        candidate: Who was asked.
        nth: Which attempt at this candidate it was, from 1.
        wait: Seconds that the call waited before it.
        start: When the request went out.
        number: Its place among the attempts of the call, from 1.
        streams: Whether chunks were waited for, and not a whole answer.
        opened: When its first chunk came, whatever that held; `None` if none did.
        held: How many chunks were held back.
        committed: When the first word (or the answer) was let out, if it was.
        end: When it was over; `None` if that was not heard of.
        failure: What went wrong.
        left: Whether nobody waited for its end: a `break`, a cancellation, a bug.
        hedged: Whether it was sent while an earlier attempt was still under way.
        lost: Whether another attempt that was under way was faster.
        taken_back: Whether what was shown of it was taken back for another's answer.
        for_limit: Whether the wait before it was for a limit such as `rpm`, and not
            after a failure.
        slow: Whether its answer began later than `CircuitBreaker(slow_after=...)`.
    """

    candidate: str
    nth: int
    wait: float
    start: float
    number: int = 1
    streams: bool = False
    opened: float | None = None
    held: int = 0
    committed: float | None = None
    end: float | None = None
    failure: Failure | None = None
    left: bool = False
    hedged: bool = False
    lost: bool = False
    taken_back: bool = False
    for_limit: bool = False
    slow: bool = False

    @property
    def failed(self) -> bool:
        """Whether it came to nothing that the caller has seen."""
        return self.failure is not None and self.committed is None

    @property
    def is_under_way(self) -> bool:
        """Whether it has said nothing yet and may still."""
        return self.end is None and self.committed is None

    @property
    def waits_at_length(self) -> bool:
        """Whether there is time between its first chunk and its first word, or end."""
        until = self.end if self.committed is None else self.committed
        known = self.opened is not None and until is not None
        return known and (until or 0.0) - (self.opened or 0.0) >= WORTH_TELLING

    @property
    def speaks_at_length(self) -> bool:
        """Whether there is time between its first word and its last."""
        end = self.committed if self.end is None else self.end
        return (
            self.committed is not None
            and (end or 0.0) - self.committed >= WORTH_TELLING
        )

    @property
    def what(self) -> str:
        """What came of it, in a few words."""
        if self.failure is not None:
            return self._what_failed(self.failure)
        if self.lost:
            return "lost the race"
        if self.left:
            return "left early"
        if self.committed is None:
            return "asked"
        said = "speaking" if self.end is None else "answered"
        return f"{said}, slow" if self.slow else said

    def _what_failed(self, failure: Failure) -> str:
        kind = failure_label(failure)
        if self.committed is None:
            return kind
        if failure.kind is FailureKind.EMPTY:
            return "answered, empty"
        return f"broke off: {kind}{', taken back' if self.taken_back else ''}"

    @property
    def waited(self) -> str:
        """How long the call waited before it, and for what, in a few words."""
        if not self.wait:
            return ""
        return f"waited {seconds(self.wait)}{' for a limit' if self.for_limit else ''}"

    @property
    def detail(self) -> str:
        """What came of it at more length."""
        what = describe_failure(self.failure) if self.failure is not None else self.what
        if self.lost:
            what = "lost the race: another attempt was faster"
        if self.hedged:
            what = f"asked beside another; {what}"
        if not self.streams or self.is_under_way:
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
class PassedOverMark:
    """A candidate that was not asked.

    Attributes:
        candidate: Who was not asked.
        at: When it was passed over, in seconds since the call began.
        what: Why, in a few words.
        detail: Why, at more length.
    """

    candidate: str
    at: float
    what: str
    detail: str


Entry: TypeAlias = AttemptSpan | PassedOverMark


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSummary:
    """One call; moments are seconds since it began.

    Attributes:
        number: Tells it from other calls.
        tries: Its attempts, in the order in which they began.
        end: When the last was heard of it.
        fate: How it ended; `"left"` if nobody waited for that, `"open"` while it runs.
        entries: Its attempts and those who were passed over, in order.
    """

    number: int
    tries: tuple[AttemptSpan, ...]
    end: float
    fate: Outcome
    entries: tuple[Entry, ...] = ()

    @property
    def committed(self) -> AttemptSpan | None:
        """The try whose words the caller has seen, and has kept."""
        shown = [one for one in self.tries if one.committed is not None]
        kept = [one for one in shown if not one.taken_back]
        return next(iter(kept or shown), None)

    @property
    def title(self) -> str:
        """How it went, in one line."""
        count = len(self.tries)
        parts = [self._head, f"{count} attempt{'' if count == 1 else 's'}"]
        if any(one.taken_back for one in self.tries):
            parts.append("one restart")
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
            left = next((one for one in self.tries if one.left), None)
            return f"{left.candidate} was left early" if left else "left in a wait"
        if winner is None:
            return "nobody answered" if self.fate == "gave up" else "no word yet"
        if self.fate == "interrupted":
            return f"{winner.candidate} broke off"
        return f"{winner.candidate} {'speaks' if winner.end is None else 'answered'}"
