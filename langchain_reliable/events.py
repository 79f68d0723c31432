"""What happened, as frozen records for people, logs and pictures.

A call tells its observers what it does: requests and how they ended, waits, moves from
one candidate to another, and the end. Several attempts of one call may be under way at
once: what concerns one attempt carries that attempt's number. No record holds text of a
prompt or a completion.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from langchain_reliable.failures import Failure

PassedOverReason: TypeAlias = Literal["health", "full", "fit", "tags"]
"""Why a candidate is not asked: its health holds it back, its own limits are used up,
the request does not fit it, or it lacks a tag that the call asks for."""


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
        hedged: Whether it was sent while an earlier attempt was still under way.
        lost: Whether another attempt that was under way was faster; that is no failure.
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
    hedged: bool = False
    lost: bool = False


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

    Attributes:
        candidate: Who is asked.
        number: The attempt's place among those of the call, from 1.
        nth: Which attempt at this candidate it is, from 1.
        model: What the child says is its model, where it does.
        provider: What the child says is its provider, where it does.
        streams: Whether a stream is asked for, and not a whole answer.
        hedged: Whether an earlier attempt is still under way.
    """

    candidate: str
    number: int
    nth: int
    model: str | None = None
    provider: str | None = None
    streams: bool = False
    hedged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed(Event):
    """An attempt ended without an answer, unseen by the caller."""

    attempt: AttemptRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLost(Event):
    """Another attempt that was under way was faster; that is no failure of this one.

    Its record has `lost` set, and nothing was seen of what it said.
    """

    attempt: AttemptRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver(Event):
    """A candidate whose turn it would be is not asked.

    A call tells this at most once of each candidate and reason.

    Attributes:
        candidate: Who is not asked.
        reason: Why not.
        seconds: How long until it may be asked; `None` if no time ends that, or if
            nobody knows.
    """

    candidate: str
    reason: PassedOverReason
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting(Event):
    """Nobody is free to ask: the call waits before its next attempt.

    Attributes:
        candidate: Who is expected to be free first.
        seconds: How long the call waits.
        failure: What the last attempt came to; `None` before the first, where only a
            candidate's own limits can be what is waited for.
        for_limit: Whether such a limit is waited for, also after a failure.
    """

    candidate: str
    seconds: float
    failure: Failure | None = None
    for_limit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried(Event):
    """The call asks the same candidate again, or one that stands in for it.

    Attributes:
        source: Who was asked before.
        target: Who is asked now.
        failure: Why: what the last attempt came to.
        number: The attempt that begins with it, where known.
    """

    source: str
    target: str
    failure: Failure | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedOver(Event):
    """The call moves on to another entry of `models`.

    Attributes:
        source: Who was asked before.
        target: Who is asked now.
        failure: Why: what the last attempt came to.
        number: The attempt that begins with it, where known.
    """

    source: str
    target: str
    failure: Failure | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hedged(Event):
    """One that is asked has said nothing yet, so another is asked beside it.

    Attributes:
        source: Who was asked before, and still is.
        target: Who is asked as well.
        after: How long the first had said nothing, in seconds.
        number: The attempt that begins with it, where known.
    """

    source: str
    target: str
    after: float
    number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed(Event):
    """A candidate has said its first word (or given its answer).

    Attributes:
        attempt: The attempt whose answer it is.
        failed_over: Whether its candidate stands in another than the first entry of
            this call's plan, whatever the reason.
    """

    attempt: AttemptRecord
    failed_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowCall(Event):
    """An answer took longer to begin than its circuit breaker takes for healthy.

    It is handed over as ever, and counts as a failure for the candidate's health.

    Attributes:
        candidate: Whose answer it is.
        seconds: From the request to its first word, or to the whole answer.
        limit: What `CircuitBreaker(slow_after=...)` allows.
        streams: Whether it was a stream, and not a whole answer.
        number: The attempt, where known.
    """

    candidate: str
    seconds: float
    limit: float
    streams: bool
    number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyAnswerReturned(Event):
    """No candidate did better: an empty answer that was put aside is returned.

    Attributes:
        candidate: Whose answer it is.
        number: The attempt it came from, where known.
    """

    candidate: str
    number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered(Event):
    """The answer has been handed over to its last chunk.

    Attributes:
        candidate: Whose answer it is.
        input_tokens: What the child reports, where it does.
        output_tokens: The same.
        number: The attempt it came from, where known.
        failed_over: As in `Committed`.
    """

    candidate: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    number: int | None = None
    failed_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted(Event):
    """A stream broke after its commit, and that is how the call ends.

    Attributes:
        candidate: Whose stream it was.
        failure: What went wrong.
        input_tokens: What it is known to have cost, if it is.
        output_tokens: The same.
        number: The attempt, where known.
    """

    candidate: str
    failure: Failure
    input_tokens: int | None = None
    output_tokens: int | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarted(Event):
    """A stream that broke after its commit is taken back; another takes its place.

    Before it, `AttemptFailed` tells of the broken attempt, and `Committed` of the one
    that takes its place.

    Attributes:
        source: Whose words are taken back.
        target: Whose words are shown now.
        message_id: The id of the message that is taken back, where it has one.
        number: The attempt that takes its place, where known.
    """

    source: str
    target: str
    message_id: str | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Abandoned(Event):
    """Nobody waits for the answer any more: a `break`, a cancellation, a bug.

    Attributes:
        candidate: Who was asked last, or whose answer it was.
        opened: When its first chunk had come, in seconds from its request, if it had.
        number: The attempt that was under way; `None` between two attempts, or where
            it is not known. Whatever else was under way has ended with it.
    """

    candidate: str
    opened: float | None = None
    number: int | None = None


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

    if not TYPE_CHECKING:  # a plain function is an observer too
        event_types = None
        """The event classes to be called with; `None` for all."""

    def __call__(self, event: Event, /) -> None:
        """Take notice of one event."""
