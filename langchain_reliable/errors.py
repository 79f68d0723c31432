"""Every exception of ours that may leave the house.

Their texts, and the table that tells what was tried, are made here. Exceptions of
providers are carried along as they came and are never rewritten.

    ModelError (langchain_core)
    ├── AllModelsFailed        nobody answered
    ├── StreamInterrupted      a stream broke after its first word
    ├── StreamingUnavailable   `require_streaming`, and no model can stream
    └── AnswerRejected         one answer that is none; a cause, never the end
        ├── EmptyAnswer        finished, with nothing in it
        ├── IncompleteStream   ended without saying that it ends
        ├── FinishedWithError  ended saying that something broke
        ├── TooManyStuck       not even asked: too many threads wait already
        ├── ToolsNotBound      not even asked: its `bind_tools` failed
        └── TimeLimitExceeded  also TimeoutError and ModelTimeoutError
            ├── FirstChunkTimeout, IdleTimeout
            └── AttemptTimeout, TotalTimeout
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeAlias

from langchain_core.exceptions import ModelError, ModelTimeoutError

from langchain_reliable.failures import Failure, FailureKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_core.messages import AIMessage

    from langchain_reliable.events import AttemptRecord

Pickled: TypeAlias = "tuple[Callable[..., ModelError], tuple[object, ...]]"

_ROWS_SHOWN = 8
_CELL = 88

_SAYS = {
    FailureKind.RATE_LIMITED: "rate limited",
    FailureKind.QUOTA_EXHAUSTED: "quota exhausted",
    FailureKind.SERVER_ERROR: "server error",
    FailureKind.TIMEOUT: "timed out",
    FailureKind.CONNECTION: "connection failed",
    FailureKind.BAD_STREAM: "broken stream",
    FailureKind.EMPTY: "empty answer",
    FailureKind.AUTH: "not authorized",
    FailureKind.MODEL_NOT_FOUND: "model not found",
    FailureKind.CONTEXT_OVERFLOW: "prompt too long",
    FailureKind.CONTENT_POLICY: "refused by a content policy",
    FailureKind.BAD_REQUEST: "request rejected",
    FailureKind.INVALID_OUTPUT: "output did not parse",
    FailureKind.UNKNOWN: "unknown failure",
}

_ADVICE = {
    FailureKind.QUOTA_EXHAUSTED: "check plan and billing of this account",
    FailureKind.AUTH: "check the API key and what it may do",
    FailureKind.MODEL_NOT_FOUND: "check the model's name and that the key may use it",
    FailureKind.CONTEXT_OVERFLOW: "shorten the prompt or add a model with more room",
    FailureKind.BAD_REQUEST: "this model takes no such request: see its message",
    FailureKind.CONNECTION: "check the network, the base URL and the proxy",
    FailureKind.TIMEOUT: "check the route to it, or allow it more time",
}
"""What a person can do about it; the other kinds pass by themselves."""


class AllModelsFailed(ModelError):
    """No model answered, and there is none left to ask.

    Its text is a table of what was tried. `is_retryable` is false, so that outer
    layers do not multiply the attempts that were already made here.

    Attributes:
        attempts: What was tried, in order; each with its `failure` and `error`.
        retry_after: Seconds until the first candidate may be asked again, where their
            health holds all of them back.
    """

    is_retryable = False

    def __init__(
        self,
        attempts: Sequence[AttemptRecord],
        why: str = "",
        retry_after: float | None = None,
    ) -> None:
        """Tell what was tried; the originals become the cause.

        Args:
            attempts: All attempts of the call, in order.
            why: What ended the call, where it was not simply the last failure.
            retry_after: Seconds until it is worth trying again, where known.
        """
        self.attempts = tuple(attempts)
        self.why = why
        self.retry_after = retry_after
        super().__init__("\n".join(_told(self.attempts, why)))
        if errors := [tried.error for tried in self.attempts if tried.error]:
            self.__cause__ = ExceptionGroup("what each attempt raised", errors)
            # SDKs' errors carry the HTTP response; LangChain's tracers look for it.
            if (response := getattr(errors[-1], "response", None)) is not None:
                self.response = response

    def __reduce__(self) -> Pickled:
        state = {name: v for name, v in self.__dict__.items() if name != "response"}
        return _restored, (type(self), self.args, state)


class StreamInterrupted(ModelError):
    """A stream broke after its first word had been handed over.

    What was shown can't be taken back, so nothing is tried again. The cause is the
    exception of the child.

    Attributes:
        partial: The message so far.
        served_by: The candidate that was speaking.
        attempts: What was tried, the broken attempt last.
        kind: What went wrong.
    """

    is_retryable = False

    def __init__(
        self,
        *,
        partial: AIMessage,
        served_by: str,
        attempts: Sequence[AttemptRecord],
        failure: Failure,
    ) -> None:
        """Tell who was interrupted, by what, and after how much."""
        self.partial = partial
        self.served_by = served_by
        self.attempts = tuple(attempts)
        self.failure = failure
        self.kind = failure.kind
        super().__init__(
            f"the answer of {served_by} broke off after {len(partial.text)} "
            f"characters ({described(failure)}); what had arrived is in `.partial`"
        )

    def __reduce__(self) -> Pickled:
        return _restored, (type(self), self.args, self.__dict__)


class StreamingUnavailable(ModelError):
    """`require_streaming` is on, and no model of the call can stream."""


class AnswerRejected(ModelError):
    """An answer that is none, found by us and not by the provider.

    Attributes:
        failure: What is wrong with it.
    """

    is_retryable = True
    kind: ClassVar[FailureKind] = FailureKind.BAD_STREAM

    def __init__(self, message: str) -> None:
        """Tell what is wrong, without a word of the answer itself."""
        super().__init__(message)
        self.failure = Failure(kind=self.kind, summary=message)

    def __reduce__(self) -> Pickled:
        return _restored, (type(self), self.args, self.__dict__)


class EmptyAnswer(AnswerRejected):
    """The model finished and said nothing.

    Attributes:
        answer: The answer all the same, to be returned if nobody says more.
    """

    kind: ClassVar[FailureKind] = FailureKind.EMPTY
    replaces_earlier: ClassVar[bool] = False

    def __init__(self, answer: object) -> None:
        """Keep the empty answer in case nobody says more."""
        super().__init__("finished without text, tool call, reasoning or refusal")
        self.answer = answer


class IncompleteStream(AnswerRejected):
    """The stream ended without the finish reason that its kind sends at the end."""

    def __init__(self, what: str = "without a finish reason: it was cut") -> None:
        """Tell what is missing."""
        super().__init__(f"the stream ended {what}")


class FinishedWithError(AnswerRejected):
    """The finish reason says that the provider broke in mid-answer (OpenRouter)."""

    def __init__(self) -> None:
        """Tell what it says."""
        super().__init__('the provider ended the answer with finish reason "error"')


class ToolsNotBound(AnswerRejected):
    """A child can't bind the tools of this call, so it was not asked."""

    is_retryable = False
    kind: ClassVar[FailureKind] = FailureKind.BAD_REQUEST

    def __init__(self, model: str) -> None:
        """Tell whose `bind_tools` failed; why is in the cause."""
        super().__init__(f"bind_tools of {model} does not take these tools")


class TooManyStuck(AnswerRejected):
    """Too many earlier requests still wait for silent sockets to start another."""

    is_retryable = False
    kind: ClassVar[FailureKind] = FailureKind.TIMEOUT

    def __init__(self, number: int) -> None:
        """Tell how many there are."""
        super().__init__(f"{number} earlier requests still wait for silent sockets")


class TimeLimitExceeded(AnswerRejected, ModelTimeoutError, TimeoutError):
    """A model took longer than one of our limits allows.

    Attributes:
        seconds: The limit.
    """

    kind: ClassVar[FailureKind] = FailureKind.TIMEOUT
    text: ClassVar[str]

    def __init__(self, seconds: float) -> None:
        """Name the limit and how long it is."""
        self.seconds = seconds
        super().__init__(self.text.format(f"{seconds:g} s"))


class FirstChunkTimeout(TimeLimitExceeded):
    """A stream said nothing within `first_chunk_timeout`."""

    text = "nothing was said within first_chunk_timeout={}"


class IdleTimeout(TimeLimitExceeded):
    """A stream stood still for `idle_timeout`."""

    text = "no chunk came within idle_timeout={}"


class AttemptTimeout(TimeLimitExceeded):
    """One attempt took longer than `attempt_timeout`."""

    text = "the attempt took longer than attempt_timeout={}"


class TotalTimeout(TimeLimitExceeded):
    """The whole call took longer than `total_timeout`."""

    text = "the call took longer than total_timeout={}"


def _restored(
    kind: type[ModelError], args: tuple[object, ...], state: dict[str, object]
) -> ModelError:
    """Make an error again from what was pickled of it, without telling it anew."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


def described(failure: Failure) -> str:
    """Say in one line what went wrong, for tables, notes and logs."""
    said = failure.summary.startswith(str(failure.status))
    known = failure.status not in (None, 200) and not said
    status = f" ({failure.status})" if known else ""
    wait = failure.retry_after
    asked = f", asked to wait {wait:.1f} s" if wait is not None else ""
    detail = f": {failure.summary}" if failure.summary else ""
    return _clipped(f"{_SAYS[failure.kind]}{status}{asked}{detail}")


def trail_note(attempts: Sequence[AttemptRecord], why: str = "") -> str:
    """Tell what was tried, as a note under a provider's own exception."""
    told = _told(tuple(attempts), why, verb="what langchain_reliable tried")
    return "\n".join(told)


def _told(
    attempts: tuple[AttemptRecord, ...], why: str, verb: str = "no model answered"
) -> list[str]:
    names = {tried.candidate for tried in attempts}
    count = f"{_counted(len(attempts), 'attempt')} on {_counted(len(names), 'model')}"
    seconds = sum(tried.seconds + tried.wait for tried in attempts)
    head = f"{verb} ({count}, {seconds:.1f} s)" + (f": {why}" if why else "")
    return [head, *_table(attempts), *_advice(attempts)]


def _table(attempts: tuple[AttemptRecord, ...]) -> list[str]:
    nexts = (*attempts[1:], None)[: len(attempts)]
    rows = [
        (tried.candidate, f"attempt {tried.nth}", _fate(tried), _then(tried, after))
        for tried, after in zip(attempts, nexts, strict=True)
    ]
    left_out = len(rows) - _ROWS_SHOWN
    if left_out > 0:
        half = _ROWS_SHOWN // 2
        hidden = ("...", f"{left_out} more", "", "")
        rows = [*rows[:half], hidden, *rows[-half:]]
    widths = [max((len(row[at]) for row in rows), default=0) for at in range(3)]
    return ["  " + "  ".join(_padded(row, widths)).rstrip() for row in rows]


def _padded(row: tuple[str, ...], widths: list[int]) -> list[str]:
    return [
        *(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)),
        row[3],
    ]


def _fate(tried: AttemptRecord) -> str:
    return "answered" if tried.failure is None else described(tried.failure)


def _then(tried: AttemptRecord, after: AttemptRecord | None) -> str:
    if after is None:
        return "-> no further attempt"
    waited = f" after {after.wait:.1f} s" if after.wait >= 0.05 else ""  # noqa: PLR2004 - what rounds to 0.0 is not worth saying
    if after.candidate == tried.candidate:
        return f"-> retried{waited}"
    return f"-> moved on{waited}"


def _advice(attempts: tuple[AttemptRecord, ...]) -> list[str]:
    last = {tried.candidate: tried.failure for tried in attempts}
    return [
        f"  {name}: {_ADVICE[failure.kind]}"
        for name, failure in last.items()
        if failure is not None and failure.kind in _ADVICE
    ]


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _clipped(text: str) -> str:
    return text if len(text) <= _CELL else text[: _CELL - 1] + "…"
