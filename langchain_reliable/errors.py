"""Every exception of ours.

Exceptions of providers are carried along as they came and are never rewritten.

    ModelError (langchain_core)
    ├── AllModelsFailed        nobody answered
    ├── StreamInterrupted      a stream broke after its first word
    ├── StreamingUnavailable   `require_streaming`, and no model can stream
    └── AnswerRejected         one answer that is none; a cause, never the end
        ├── EmptyAnswer        finished, with nothing in it
        │   └── OutputNotParsed  not in the form that was asked for
        ├── BrokenToolCall     finished, with a tool call that is cut or broken
        ├── NotAccepted        finished, and `accept` said no
        ├── FilteredAnswer     a filter ended it, and `verdicts` calls that a failure
        ├── IncompleteStream   ended without saying that it ends
        ├── FinishedWithError  ended saying that something broke
        ├── TooManyAbandonedThreads  not even asked: too many threads wait already
        ├── ToolsNotSupported  not even asked: its `bind_tools` failed
        │   └── SchemaNotBound the same of its `with_structured_output`
        └── TimeLimitExceeded  also TimeoutError and ModelTimeoutError
            ├── FirstChunkTimeout, LastChanceTimeout, IdleTimeout
            └── AnswerTimeout, AttemptTimeout, TotalTimeout
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, TypeAlias, cast

from langchain_core.exceptions import ModelError, ModelTimeoutError

from langchain_reliable._text.redact import clip, redact_line
from langchain_reliable._text.wording import attempt_table, describe_failure
from langchain_reliable.failures import Failure, FailureKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from langchain_core.messages import AIMessage

    from langchain_reliable.events import AttemptRecord

Pickled: TypeAlias = "tuple[Callable[..., ModelError], tuple[object, ...]]"


_LONGEST_REASON = 120
"""Characters of the reason that an `accept` gives."""


class AllModelsFailed(ModelError):
    """No model answered, and there is none left to ask.

    Its text is a table of what was tried, and its cause the last original exception;
    the others stand in `attempts`. `is_retryable` is false, so that outer layers do not
    multiply the attempts that were already made here.

    Attributes:
        attempts: What was tried, in order; each with its `failure` and `error`.
        retry_after: Seconds until the first candidate may be asked again, where their
            health holds all of them back, or their own limits are used up.
        kind: `RATE_LIMITED` or `QUOTA_EXHAUSTED` where the call ended on the limits
            that the candidates were given (`rpm=`, `budget=` and so on); else `None`.
    """

    is_retryable = False
    kind: FailureKind | None = None

    def __init__(
        self,
        attempts: Sequence[AttemptRecord],
        why: str = "",
        retry_after: float | None = None,
    ) -> None:
        """Tell what was tried; the last original becomes the cause.

        Args:
            attempts: All attempts of the call, in order.
            why: What ended the call, where it was not simply the last failure.
            retry_after: Seconds until it is worth trying again, where known.
        """
        self.attempts = tuple(attempts)
        self.why = why
        self.retry_after = retry_after
        super().__init__(attempt_table(self.attempts, why))
        if errors := [tried.error for tried in self.attempts if tried.error]:
            error = errors[-1]
            # Its traceback begins where the child was called. How that came about
            # stands below, in the traceback of the error that it causes.
            trace = error.__traceback__
            while trace is not None:
                path = trace.tb_frame.f_code.co_filename
                if not path.startswith(_HERE) or path.startswith(_CHILDREN):
                    break
                trace = trace.tb_next
            self.__cause__ = error if trace is None else error.with_traceback(trace)
            # SDKs' errors carry the HTTP response; LangChain's tracers look for it.
            if (response := getattr(errors[-1], "response", None)) is not None:
                self.response = response

    def __reduce__(self) -> Pickled:
        return _restored, (type(self), self.args, _without_originals(self.__dict__))


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
            f"the answer of {served_by} broke off after {len(partial.text)} characters "
            f"({describe_failure(failure)}); what had arrived is in `.partial`"
        )

    def __reduce__(self) -> Pickled:
        return _restored, (type(self), self.args, _without_originals(self.__dict__))


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
        message = redact_line(message)  # it may name what a caller has named
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
        super().__init__("finished without text, tool call or refusal")
        self.answer = answer


class OutputNotParsed(EmptyAnswer):
    """The answer did not parse, and is to be returned if nobody says better."""

    kind: ClassVar[FailureKind] = FailureKind.INVALID_OUTPUT
    replaces_earlier: ClassVar[bool] = True

    def __init__(self, answer: object) -> None:
        """Keep the answer in case nobody says better."""
        AnswerRejected.__init__(self, "the answer does not fit the schema")
        self.answer = answer


class BrokenToolCall(AnswerRejected):
    """The model finished with a tool call that must not run.

    Attributes:
        answer: The message, its broken calls among its `invalid_tool_calls`.
    """

    kind: ClassVar[FailureKind] = FailureKind.INVALID_OUTPUT

    def __init__(
        self, what: str, answer: AIMessage | None = None, *, cut: bool = False
    ) -> None:
        """Tell what is wrong with the call.

        Args:
            what: How it came about.
            answer: The message.
            cut: Whether the output limit cut it, as it would the next time.
        """
        super().__init__(what)
        self.answer = answer
        self.cut = cut
        if cut:
            self.failure = replace(self.failure, should_retry=False)


class NotAccepted(AnswerRejected):
    """The answer is whole, and the user's `accept` said no.

    Attributes:
        answer: The message.
    """

    kind: ClassVar[FailureKind] = FailureKind.REJECTED

    def __init__(self, reason: str, answer: AIMessage | None = None) -> None:
        """Tell what `accept` said of it; nothing of the answer itself."""
        said = clip(reason, _LONGEST_REASON)
        super().__init__(f"not accepted: {said}" if said else "not accepted")
        reason = self.failure.summary.removeprefix("not accepted").removeprefix(": ")
        self.failure = Failure(kind=self.kind, summary=reason)  # its kind says the rest
        self.answer = answer


class FilteredAnswer(AnswerRejected):
    """A filter, or the model itself, ended the answer, and that counts as a failure.

    Attributes:
        answer: What was left of it.
    """

    is_retryable = False
    kind: ClassVar[FailureKind] = FailureKind.CONTENT_POLICY

    def __init__(self, finish: str, answer: AIMessage | None = None) -> None:
        """Tell how it ended."""
        super().__init__(f'the answer ended with finish reason "{finish}"')
        self.answer = answer


class IncompleteStream(AnswerRejected):
    """The stream ended without the finish reason that its kind sends at the end."""

    def __init__(self, what: str = "ended without a finish reason: it was cut") -> None:
        """Tell what is missing."""
        super().__init__(f"the stream {what}")


class FinishedWithError(AnswerRejected):
    """The finish reason says that the provider broke in mid-answer (OpenRouter)."""

    def __init__(self, finish: str = "error") -> None:
        """Tell what it says."""
        super().__init__(f'the provider ended the answer with finish reason "{finish}"')


class ToolsNotSupported(AnswerRejected):
    """A child can't bind the tools of this call, so it was not asked."""

    is_retryable = False
    kind: ClassVar[FailureKind] = FailureKind.BAD_REQUEST

    def __init__(self, model: str) -> None:
        """Tell whose `bind_tools` failed; why is in the cause."""
        super().__init__(f"bind_tools of {model} does not take these tools")


class SchemaNotBound(ToolsNotSupported):
    """A child can't be asked for this schema, so it was not asked."""

    def __init__(self, model: str) -> None:
        """Tell whose `with_structured_output` failed; why is in the cause."""
        AnswerRejected.__init__(
            self, f"with_structured_output of {model} does not take this schema"
        )


class TooManyAbandonedThreads(AnswerRejected):
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


class LastChanceTimeout(TimeLimitExceeded):
    """The last candidate stayed silent for `last_chance_timeout`."""

    text = "nothing came within last_chance_timeout={}, and nobody else is left"


class AnswerTimeout(TimeLimitExceeded):
    """An answer in one piece did not come within `answer_timeout`."""

    text = "no answer came within answer_timeout={}"


class IdleTimeout(TimeLimitExceeded):
    """A stream stood still for `idle_timeout`."""

    text = "no chunk came within idle_timeout={}"


class AttemptTimeout(TimeLimitExceeded):
    """One attempt took longer than `attempt_timeout`."""

    text = "the attempt took longer than attempt_timeout={}"


class TotalTimeout(TimeLimitExceeded):
    """The whole call took longer than `total_timeout`."""

    text = "the call took longer than total_timeout={}"


def is_candidates_doing(error: Exception) -> bool:
    """Return whether a failure says something of its candidate's health.

    What ends the whole call, and what happened before a request went out, does not.
    """
    ours = (TotalTimeout, TooManyAbandonedThreads, ToolsNotSupported)
    return not isinstance(error, ours)


def was_sent(error: Exception) -> bool:
    """Return whether a request went out that came to this, as far as we know."""
    return not isinstance(error, (TooManyAbandonedThreads, ToolsNotSupported))


_HERE = __file__.removesuffix("errors.py")
_CHILDREN = f"{_HERE}testing"
"""Models for tests are children like any other."""


def _without_originals(state: Mapping[str, object]) -> dict[str, object]:
    """Leave out what SDKs raised: many of their errors can't be unpickled."""
    attempts = cast("tuple[AttemptRecord, ...]", state["attempts"])
    told = tuple(replace(tried, error=None) for tried in attempts)
    kept = {name: value for name, value in state.items() if name != "response"}
    return {**kept, "attempts": told}


def _restored(
    kind: type[ModelError], args: tuple[object, ...], state: dict[str, object]
) -> ModelError:
    """Make an error again from what was pickled of it, without telling it anew."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error
