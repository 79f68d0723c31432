"""Words for what was tried and what went wrong, for errors, notes, logs and chats.

One line for a failure, a table for the attempts of a call, advice where a person can do
something, and sentences for a chat; never a key, a prompt or a completion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from langchain_reliable._text.kinds import words_for
from langchain_reliable._text.redact import clip, harmless
from langchain_reliable._text.tables import fold, padded, widths_of
from langchain_reliable._text.terminal import cells
from langchain_reliable.failures import FailureKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_reliable.events import AttemptRecord, PassedOver
    from langchain_reliable.failures import Failure

_ROWS_SHOWN: Final = 8
_CELL: Final = 88
_WIDTH: Final = 88
"""Of an error's text: what a traceback, a review and half a screen can show."""
_NAME: Final = 30
_NARROWEST: Final = 32
_HANGING: Final = " " * 6
"""Before the rest of a line that was folded; `folded_table` knows it."""
_OVERLOADED: Final = frozenset({503, 529})
_PASSED_OVER: Final = {
    "health": "is left alone",
    "full": "has used up its limits",
    "fit": "cannot take this request",
    "tags": "lacks a tag that the call asks for",
}


def describe_failure(failure: Failure) -> str:
    """Say in one line what went wrong, for notes, logs and health."""
    said = _said(failure)
    return said if len(said) <= _CELL else said[: _CELL - 1] + "…"


def _said(failure: Failure) -> str:
    said = failure.summary.startswith(str(failure.status))
    known = failure.status not in (None, 200) and not said
    status = f" ({failure.status})" if known else ""
    wait = failure.retry_after
    asked = f", asked to wait {wait:.1f} s" if wait is not None else ""
    detail = f": {harmless(failure.summary)}" if failure.summary else ""
    return f"{words_for(failure.kind).says}{status}{asked}{detail}"


def attempt_note(attempts: Sequence[AttemptRecord], why: str = "") -> str:
    """Tell what was tried, as a note under a provider's own exception."""
    return attempt_table(tuple(attempts), why, verb="what langchain_reliable tried")


def attempt_table(
    attempts: tuple[AttemptRecord, ...], why: str, verb: str = "no model answered"
) -> str:
    """Tell what was tried, a row for each attempt, and what a person can do.

    What was done stands before what the provider said: it is short, and says who came
    next. No line is wider than 88 columns.
    """
    names = {tried.candidate for tried in attempts}
    count = f"{_counted(len(attempts), 'attempt')} on {_counted(len(names), 'model')}"
    spent = sum(tried.seconds + tried.wait for tried in attempts)
    head = f"{verb} ({count}, {spent:.1f} s)" + (f": {why}" if why else "")
    if cells(head) > _WIDTH:
        head = "\n".join([head.removesuffix(f" {why}"), *_hanging(why)])
    advice = [line for said in _advice(attempts) for line in _hanging(said)]
    return "\n".join([head, *_table(attempts), *advice])


def _hanging(text: str) -> list[str]:
    first, *further = fold(text, _WIDTH - len(_HANGING))
    return [f"  {first}", *(_HANGING + line for line in further)]


def _table(attempts: tuple[AttemptRecord, ...]) -> list[str]:
    nexts = (*attempts[1:], None)[: len(attempts)]
    rows = [
        (clip(tried.candidate, _NAME), f"attempt {tried.nth}", _then(tried, after))
        for tried, after in zip(attempts, nexts, strict=True)
    ]
    said = ["" if one.failure is None else _said(one.failure) for one in attempts]
    left_out = len(rows) - _ROWS_SHOWN
    if left_out > 0:
        half = _ROWS_SHOWN // 2
        rows = [*rows[:half], ("...", f"{left_out} more", ""), *rows[-half:]]
        said = [*said[:half], "", *said[-half:]]
    widths = widths_of(rows) if rows else []
    starts = ["  " + "  ".join(map(padded, row, widths)) for row in rows]
    return [
        line
        for start, what in zip(starts, said, strict=True)
        for line in _row(start, what)
    ]


def _row(start: str, said: str) -> list[str]:
    """Put what was said beside what was done, or below where there is no room."""
    margin = cells(start) + 2
    if _WIDTH - margin < _NARROWEST:
        below = fold(said, _WIDTH - len(_HANGING), most=2) if said else []
        return [start.rstrip(), *(_HANGING + line for line in below)]
    first, *further = fold(said, _WIDTH - margin, most=2)
    return [f"{start}  {first}".rstrip(), *(" " * margin + line for line in further)]


def _then(tried: AttemptRecord, after: AttemptRecord | None) -> str:
    if tried.failure is None:
        return "lost" if tried.lost else "answered"
    if after is None:
        return "gave up"
    done = "retried" if after.candidate == tried.candidate else "moved on"
    waited = f" after {after.wait:.1f} s" if after.wait >= 0.05 else ""  # noqa: PLR2004 - what rounds to 0.0 is not worth saying
    return f"{done}{waited}"


def _advice(attempts: tuple[AttemptRecord, ...]) -> list[str]:
    last = {tried.candidate: tried.failure for tried in attempts}
    return [
        f"{name}: {advice}"
        for name, failure in last.items()
        if failure is not None and (advice := words_for(failure.kind).advice)
    ]


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


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


def said_of(name: str, failure: Failure | None) -> str:
    """Return what became of a model, as the beginning of a sentence for a person."""
    return f"{name} {'did not answer' if failure is None else failure_phrase(failure)}"


def said_of_passed_over(event: PassedOver) -> str:
    """Return why a model is not asked, as the beginning of a sentence for a person."""
    said = f"{event.candidate} {_PASSED_OVER.get(event.reason, 'is passed over')}"
    if event.seconds is None:
        return said
    return f"{said} for another {seconds(event.seconds)}"


def seconds(span: float) -> str:
    """Return a span of time with as many digits as help."""
    if span < 0.0995:  # noqa: PLR2004 - what would round to 0.10 s is told so
        digits = ".2g" if 0 < span < 0.00095 else ".0f"  # noqa: PLR2004 - as above
        return f"{span * 1000:{digits}} ms"
    return f"{span:.2f} s" if span < 10 else f"{span:.1f} s"  # noqa: PLR2004 - as above
