"""Words for what was tried and what went wrong, for errors, notes and logs.

One line for a failure, a table for the attempts of a call, and advice where a person
can do something live here. They never hold a key, a prompt or a completion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_reliable.failures import FailureKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_reliable.events import AttemptRecord, PassedOver
    from langchain_reliable.failures import Failure

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

ADVICE = {
    FailureKind.QUOTA_EXHAUSTED: "check plan and billing of this account",
    FailureKind.AUTH: "check the API key and what it may do",
    FailureKind.MODEL_NOT_FOUND: "check the model's name and that the key may use it",
    FailureKind.CONTEXT_OVERFLOW: "shorten the prompt or add a model with more room",
    FailureKind.BAD_REQUEST: "this model takes no such request: see its message",
    FailureKind.CONNECTION: "check the network, the base URL and the proxy",
    FailureKind.TIMEOUT: "check the route to it, or allow it more time",
}
"""What a person can do about it; the other kinds pass by themselves."""

SAID_OF = {
    FailureKind.RATE_LIMITED: "takes no more requests for now",
    FailureKind.QUOTA_EXHAUSTED: "has used up its quota",
    FailureKind.SERVER_ERROR: "has trouble of its own",
    FailureKind.TIMEOUT: "did not answer in time",
    FailureKind.CONNECTION: "could not be reached",
    FailureKind.BAD_STREAM: "sent a broken answer",
    FailureKind.EMPTY: "gave an empty answer",
    FailureKind.AUTH: "did not accept the API key",
    FailureKind.MODEL_NOT_FOUND: "is not available here",
    FailureKind.CONTEXT_OVERFLOW: "cannot take so long a prompt",
    FailureKind.CONTENT_POLICY: "declined to answer",
    FailureKind.BAD_REQUEST: "did not accept the request",
    FailureKind.INVALID_OUTPUT: "gave an answer in the wrong form",
    FailureKind.UNKNOWN: "failed",
}
"""What is said of a model that failed, after its name, to a person in a chat."""


def said_of(name: str, failure: Failure | None) -> str:
    """Return what became of a model, as the beginning of a sentence for a person."""
    kind = FailureKind.UNKNOWN if failure is None else failure.kind
    return f"{name} {SAID_OF.get(kind, SAID_OF[FailureKind.UNKNOWN])}"


_PASSED_OVER = {
    "health": "is left alone",
    "full": "has used up its limits",
    "fit": "cannot take this request",
    "tags": "lacks a tag that the call asks for",
}


def said_of_passed_over(event: PassedOver) -> str:
    """Return why a model is not asked, as the beginning of a sentence for a person."""
    said = f"{event.candidate} {_PASSED_OVER.get(event.reason, 'is passed over')}"
    if event.seconds is None:
        return said
    return f"{said} for another {seconds(event.seconds)}"


def describe_failure(failure: Failure) -> str:
    """Say in one line what went wrong, for tables, notes and logs."""
    said = failure.summary.startswith(str(failure.status))
    known = failure.status not in (None, 200) and not said
    status = f" ({failure.status})" if known else ""
    wait = failure.retry_after
    asked = f", asked to wait {wait:.1f} s" if wait is not None else ""
    detail = f": {failure.summary}" if failure.summary else ""
    return _clipped(f"{_SAYS[failure.kind]}{status}{asked}{detail}")


def attempt_note(attempts: Sequence[AttemptRecord], why: str = "") -> str:
    """Tell what was tried, as a note under a provider's own exception."""
    return attempt_table(tuple(attempts), why, verb="what langchain_reliable tried")


def attempt_table(
    attempts: tuple[AttemptRecord, ...], why: str, verb: str = "no model answered"
) -> str:
    """Tell what was tried, a line for each attempt, and what a person can do."""
    names = {tried.candidate for tried in attempts}
    count = f"{_counted(len(attempts), 'attempt')} on {_counted(len(names), 'model')}"
    seconds = sum(tried.seconds + tried.wait for tried in attempts)
    head = f"{verb} ({count}, {seconds:.1f} s)" + (f": {why}" if why else "")
    return "\n".join([head, *_table(attempts), *_advice(attempts)])


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
    return "answered" if tried.failure is None else describe_failure(tried.failure)


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
        f"  {name}: {ADVICE[failure.kind]}"
        for name, failure in last.items()
        if failure is not None and failure.kind in ADVICE
    ]


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _clipped(text: str) -> str:
    return text if len(text) <= _CELL else text[: _CELL - 1] + "…"


def failure_label(failure: Failure) -> str:
    """Return what went wrong in two or three words, such as `server error 529`."""
    status = f" {failure.status}" if failure.status not in (None, 200) else ""
    return f"{failure.kind.value.replace('_', ' ')}{status}"


def seconds(span: float) -> str:
    """Return a span of time with as many digits as help."""
    if span < 0.0995:  # noqa: PLR2004 - what would round to 0.10 s is told so
        digits = ".2g" if 0 < span < 0.00095 else ".0f"  # noqa: PLR2004 - as above
        return f"{span * 1000:{digits}} ms"
    return f"{span:.2f} s" if span < 10 else f"{span:.1f} s"  # noqa: PLR2004 - as above
