"""Words for what was tried and what went wrong, for errors, notes and logs.

One line for a failure, a table for the attempts of a call, and advice where a person
can do something; never a key, a prompt or a completion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_reliable._text.kinds import words_for
from langchain_reliable.failures import FailureKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_reliable.events import AttemptRecord
    from langchain_reliable.failures import Failure

_ROWS_SHOWN = 8
_CELL = 88
_OVERLOADED = frozenset({503, 529})


def describe_failure(failure: Failure) -> str:
    """Say in one line what went wrong, for tables, notes and logs."""
    said = failure.summary.startswith(str(failure.status))
    known = failure.status not in (None, 200) and not said
    status = f" ({failure.status})" if known else ""
    wait = failure.retry_after
    asked = f", asked to wait {wait:.1f} s" if wait is not None else ""
    detail = f": {failure.summary}" if failure.summary else ""
    return _clipped(f"{words_for(failure.kind).says}{status}{asked}{detail}")


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
        f"  {name}: {advice}"
        for name, failure in last.items()
        if failure is not None and (advice := words_for(failure.kind).advice)
    ]


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _clipped(text: str) -> str:
    return text if len(text) <= _CELL else text[: _CELL - 1] + "…"


def failure_label(failure: Failure) -> str:
    """Return what went wrong in two or three words, such as `server error 529`."""
    status = f" {failure.status}" if failure.status not in (None, 200) else ""
    return f"{failure.kind.value.replace('_', ' ')}{status}"


def failure_phrase(failure: Failure) -> str:
    """Return what follows a candidate's name in a sentence for a person.

    `f"{name} {failure_phrase(failure)}"` reads "gpt-5.4 could not be reached". Status
    and code stand elsewhere.
    """
    if failure.kind is FailureKind.SERVER_ERROR and failure.status in _OVERLOADED:
        return "is overloaded"
    return words_for(failure.kind).phrase


def seconds(span: float) -> str:
    """Return a span of time with as many digits as help."""
    if span < 0.0995:  # noqa: PLR2004 - what would round to 0.10 s is told so
        digits = ".2g" if 0 < span < 0.00095 else ".0f"  # noqa: PLR2004 - as above
        return f"{span * 1000:{digits}} ms"
    return f"{span:.2f} s" if span < 10 else f"{span:.1f} s"  # noqa: PLR2004 - as above
