"""What leaves when nobody has answered: one error of ours, or a child's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_reliable._text.wording import attempt_note
from langchain_reliable.errors import (
    AllModelsFailed,
    BrokenToolCall,
    FilteredAnswer,
    NotAccepted,
    ToolsNotSupported,
)
from langchain_reliable.failures import FailureKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from langchain_reliable._core.candidate_queue import RouteState
    from langchain_reliable._core.rate_limits import Full
    from langchain_reliable.events import AttemptRecord

_OVERFLOW = FailureKind.CONTEXT_OVERFLOW

_OUR_WORD = BrokenToolCall, FilteredAnswer, NotAccepted
"""What we say of an answer, which no child has raised: it does not leave as it is."""


def final_error(
    records: Sequence[AttemptRecord],
    asked: Sequence[RouteState],
    why: str,
    retry_after: float | None,
    fatal: Exception | None,
) -> Exception:
    """Return what to raise.

    The child's own exception leaves as it came, plus a note, where a verdict says so,
    where only one attempt was made, and where the prompt is too long for everybody:
    agents know what to do about that one.

    Args:
        records: What was tried.
        asked: Where those stand that were asked.
        why: What ended the call, where it was not simply the last failure.
        retry_after: Seconds until it is worth trying again, where known.
        fatal: What a verdict says is to leave as it came.
    """
    errors = [record.error for record in records if record.error is not None]
    if fatal is None and errors:
        if all(isinstance(one, ToolsNotSupported) for one in errors):
            # Nobody was asked, so what a child itself said is told as it came.
            cause = errors[0].__cause__
            fatal = cause if isinstance(cause, Exception) else errors[0]
        elif (asked and all(one.kinds[-1] is _OVERFLOW for one in asked)) or (
            len(errors) == 1 and not isinstance(errors[0], _OUR_WORD)
        ):
            fatal = errors[-1]
    if fatal is None:
        return AllModelsFailed(records, why, retry_after)
    note = attempt_note(tuple(records), why)
    if note not in getattr(fatal, "__notes__", ()):
        fatal.add_note(note)
    return fatal


def kind_of_limits(full: Iterable[Full]) -> FailureKind:
    """Return what a call ends as that nobody was free to answer."""
    if all(one.limit == "budget" for one in full):
        return FailureKind.QUOTA_EXHAUSTED
    return FailureKind.RATE_LIMITED


def why_full(names: Sequence[str], soonest: float | None, limit: str) -> str:
    """Say that a call ended on the limits of its own candidates.

    Args:
        names: Who is full, and of what.
        soonest: Seconds until the first candidate is free; `None` for never.
        limit: The limit that a wait would have gone past.
    """
    told = f"{', '.join(names)} used up"
    if soonest is not None:
        told += f"; the soonest is free in {soonest:.0f} s"
    return f"{told}, longer than {limit}" if limit else told


def why_it_ended(held: Sequence[str], soonest: float | None, limit: str) -> str:
    """Say what ended a call, where it was not simply the last failure.

    Args:
        held: The names of those whom their health holds back.
        soonest: Seconds until the first of them returns; `None` for never.
        limit: The limit that a wait would have gone past, if that was it.
    """
    if held:
        names = ", ".join(held)
        if soonest is None:
            return f"{names} held back until reset"
        return f"{names} held back; the soonest returns in {soonest:.0f} s"
    return f"the wait that was asked for is longer than {limit}" if limit else ""
