"""What happened, as frozen records for people, logs and pictures.

Records of attempts and the events shown to observers live here. Deciding anything,
and any text of a prompt or a completion, never does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from langchain_reliable.failures import Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One request to one candidate, after it has ended.

    Attributes:
        number: Its place among the call's attempts, from 1.
        candidate: The name of the candidate that was asked.
        nth: Which attempt at this candidate it was, from 1.
        wait: Seconds that the call waited before it.
        seconds: Seconds from the request to the answer's commit, or to the failure.
        opened: Seconds from the request to the first chunk of its stream, whatever that
            held; `None` if none came, or if the answer came in one piece.
        held: How many chunks were held back before the commit, or before the failure.
        input_tokens: What a failed attempt is known to have cost, if it is.
        output_tokens: The same; what an answer has cost stands in its message alone.
        failure: What went wrong; `None` for an attempt that succeeded.
        error: The exception as it came; `None` for an attempt that succeeded.
    """

    number: int
    candidate: str
    nth: int
    wait: float
    seconds: float
    opened: float | None = None
    held: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    failure: Failure | None = None
    error: Exception | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened in a call.

    Attributes:
        call: A number that is the same for all events of one call.
        at: When it happened, in seconds of the monotonic clock.
    """

    call: int
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStarted(Event):
    """A request goes out to a candidate.

    `model` and `provider` are what the child says of itself, where it does.
    """

    candidate: str
    number: int
    nth: int
    model: str | None = None
    provider: str | None = None
    streams: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed(Event):
    """An attempt ended without an answer, unseen by the caller."""

    attempt: AttemptRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting(Event):
    """Nobody is free to ask: the call waits before its next attempt.

    `failure` is what the last attempt came to; `None` before the first.
    """

    candidate: str
    seconds: float
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried(Event):
    """The call asks the same candidate again, or one that stands in for it.

    `failure` is why: what the last attempt came to.
    """

    source: str
    target: str
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedOver(Event):
    """The call moves on to another item of `models`.

    `failure` is why: what the last attempt came to.
    """

    source: str
    target: str
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed(Event):
    """A candidate has said its first word (or given its answer)."""

    attempt: AttemptRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyAnswerReturned(Event):
    """Nobody has said more: an answer that was put aside is returned, though empty."""

    candidate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered(Event):
    """The answer has been handed over to its last chunk.

    `input_tokens` and `output_tokens` are what the child reports, where it does.
    """

    candidate: str
    input_tokens: int | None = None
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted(Event):
    """A stream broke after its commit.

    `input_tokens` and `output_tokens` are what it is known to have cost, if it is.
    """

    candidate: str
    failure: Failure
    input_tokens: int | None = None
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Abandoned(Event):
    """Nobody waits for the answer any more: a `break`, a cancellation, a bug.

    `opened` is when its first chunk had come, in seconds from its request, if it had.
    """

    candidate: str
    opened: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GaveUp(Event):
    """No candidate answered, and none is left to ask."""

    attempts: tuple[AttemptRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitOpened(Event):
    """A candidate failed too often in a row; it is left alone for a while."""

    candidate: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitClosed(Event):
    """A candidate that was left alone answers again."""

    candidate: str


class Observer(Protocol):
    """Anything that wants to hear what happens.

    Observers are called where the call runs, between its steps: be quick. One that
    raises is logged once and never breaks a call.

    One that has an attribute `event_types`, a set of event classes, is called with
    these alone, and what nobody wants to hear of is never made.
    """

    def __call__(self, event: Event, /) -> None:
        """Take notice of one event."""
