"""What can go wrong with one attempt, and what is done about it.

The nouns that `_classify` produces and `_core` acts on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping


class FailureKind(StrEnum):
    """What went wrong with one attempt: a closed list."""

    RATE_LIMITED = "rate_limited"
    """Too many requests for now: 429, throttling."""
    QUOTA_EXHAUSTED = "quota_exhausted"
    """No money or plan left: `insufficient_quota`, weekly limits, billing, 402."""
    SERVER_ERROR = "server_error"
    """The provider broke or is overloaded: 5xx, 529."""
    TIMEOUT = "timeout"
    """Nothing came in time: our limits, the SDK's, 408, 504."""
    CONNECTION = "connection"
    """No way through: refused, reset, DNS, TLS, a broken body."""
    BAD_STREAM = "bad_stream"
    """An answer that cannot be parsed, or a stream not read to its end."""
    EMPTY = "empty"
    """A finished answer with nothing in it, or nothing but reasoning."""
    AUTH = "auth"
    """The key is missing, wrong or not allowed: 401, 403."""
    MODEL_NOT_FOUND = "model_not_found"
    """Unknown, retired or not in the plan: 404."""
    CONTEXT_OVERFLOW = "context_overflow"
    """The prompt is longer than the model's window."""
    CONTENT_POLICY = "content_policy"
    """A filter or a safety refusal raised as an error; asked for, its finish too."""
    BAD_REQUEST = "bad_request"
    """The request can't be served as it is: other 4xx."""
    INVALID_OUTPUT = "invalid_output"
    """Structured output that did not parse, or a tool call that is cut or broken."""
    REJECTED = "rejected"
    """Your `accept` said no to an answer that was finished and whole."""
    UNKNOWN = "unknown"
    """A provider's exception that nobody knows."""


class Verdict(StrEnum):
    """What to do about a failure."""

    RETRY = "retry"
    """Ask the same candidate again, while its retries last; then the next."""
    NEXT = "next"
    """Do not ask this candidate again in this call; move on."""
    RAISE = "raise"
    """Stop: the exception leaves as it came."""


KindName: TypeAlias = Literal[
    "rate_limited",
    "quota_exhausted",
    "server_error",
    "timeout",
    "connection",
    "bad_stream",
    "empty",
    "auth",
    "model_not_found",
    "context_overflow",
    "content_policy",
    "bad_request",
    "invalid_output",
    "rejected",
    "unknown",
]
"""A kind as it may be written."""

VerdictName: TypeAlias = Literal["retry", "next", "raise"]
"""A verdict as it may be written."""

VERDICTS: Final[Mapping[FailureKind, Verdict]] = {
    FailureKind.RATE_LIMITED: Verdict.RETRY,
    FailureKind.QUOTA_EXHAUSTED: Verdict.NEXT,
    FailureKind.SERVER_ERROR: Verdict.RETRY,
    FailureKind.TIMEOUT: Verdict.NEXT,
    FailureKind.CONNECTION: Verdict.RETRY,
    FailureKind.BAD_STREAM: Verdict.RETRY,
    FailureKind.EMPTY: Verdict.RETRY,
    FailureKind.AUTH: Verdict.NEXT,
    FailureKind.MODEL_NOT_FOUND: Verdict.NEXT,
    FailureKind.CONTEXT_OVERFLOW: Verdict.NEXT,
    FailureKind.CONTENT_POLICY: Verdict.RAISE,
    FailureKind.BAD_REQUEST: Verdict.NEXT,
    FailureKind.INVALID_OUTPUT: Verdict.RETRY,
    FailureKind.REJECTED: Verdict.NEXT,
    FailureKind.UNKNOWN: Verdict.NEXT,
}
"""What is done about each kind unless the user says otherwise."""

RETRIED_ONCE: Final = frozenset(
    {FailureKind.EMPTY, FailureKind.INVALID_OUTPUT, FailureKind.REJECTED}
)
"""Kinds that another try may mend, but not a third: the model answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What one exception of a provider means.

    Attributes:
        kind: What went wrong.
        retry_after: Seconds that the provider asked to wait, if it did.
        status: HTTP status, where one is known. An error event inside a stream
            may carry 200.
        code: The provider's own error code or type, where there is one.
        summary: One short line for people, without keys, prompts or completions.
        should_retry: What the provider said about trying again
            (`x-should-retry`); `None` where it said nothing.
        request_sent: False where it is known that nothing reached the provider
            (refused, DNS, TLS); `None` where that is unknown.
    """

    kind: FailureKind
    retry_after: float | None = None
    status: int | None = None
    code: str | None = None
    summary: str = ""
    should_retry: bool | None = None
    request_sent: bool | None = None


class Propagate(Enum):
    """The type of `PROPAGATE`."""

    PROPAGATE = "propagate"

    def __repr__(self) -> str:
        return "PROPAGATE"


PROPAGATE: Final = Propagate.PROPAGATE
"""Said by a `classify` callback: not a provider's failure, let it through."""
