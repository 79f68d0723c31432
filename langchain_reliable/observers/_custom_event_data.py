"""What a chat UI is told of an event: a sentence for a person beside plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from langchain_reliable._text.wording import said_of, said_of_passed_over, seconds
from langchain_reliable.events import (
    AttemptFailed,
    AttemptLost,
    AttemptStarted,
    FailedOver,
    GaveUp,
    Hedged,
    Interrupted,
    Restarted,
    SlowCall,
    Waiting,
)

if TYPE_CHECKING:
    from langchain_reliable.events import AttemptRecord, Event, PassedOver
    from langchain_reliable.failures import Failure

Data: TypeAlias = "dict[str, str | int | float | None]"


def told(event: Event) -> Data | None:
    """Return the data of an event that is worth telling: plain JSON."""
    match event:
        case AttemptFailed(attempt=tried):
            text = said_of(tried.candidate, tried.failure)
            who, why, number = tried.candidate, tried.failure, tried.number
            return _data("attempt_failed", text, who, why, number)
        case Waiting(candidate=who, seconds=span, failure=why):
            limit = event.for_limit or why is None
            what = f"for a limit of {who}" if limit else f"before asking {who}"
            text = f"waiting {seconds(span)} {what}"
            return {**_data("waiting", text, who, why), "seconds": round(span, 3)}
        case FailedOver(source=who, target=target, failure=why, number=number):
            text = f"{said_of(who, why)}; asking {target}"
            data = _data("failed_over", text, who, why, number)
            return {**data, "target": target}
        case GaveUp(attempts=attempts):
            return _gave_up(attempts[-1] if attempts else None)
        case _:
            return _told_of_two(event)


def _gave_up(last: AttemptRecord | None) -> Data:
    text = "no model answered"
    if last is None:
        return _data("gave_up", text, None, None)
    return _data("gave_up", text, last.candidate, last.failure, last.number)


def _told_of_two(event: Event) -> Data | None:
    """Return the data of what happens though nothing has failed, or after a commit."""
    match event:
        case Hedged(source=who, target=target, after=span, number=number):
            text = f"{who} is slow to answer; asking {target} as well"
            data = _data("hedged", text, who, None, number)
            return {**data, "target": target, "seconds": round(span, 3)}
        case AttemptLost(attempt=tried):
            text = f"{tried.candidate} was slower and is no longer waited for"
            return _data("attempt_lost", text, tried.candidate, None, tried.number)
        case SlowCall(candidate=who, seconds=span, number=number):
            text = f"{who} took {seconds(span)} to begin its answer"
            data = _data("slow_call", text, who, None, number)
            return {**data, "seconds": round(span, 3)}
        case Interrupted(candidate=who, failure=why, number=number):
            text = f"{who} broke off in the middle of its answer"
            return _data("interrupted", text, who, why, number)
        case Restarted(source=who, target=target, number=number):
            text = f"{who} broke off; {target} answers in its place"
            data = _data("restarted", text, who, None, number)
            return {**data, "target": target, "message_id": event.message_id}
        case _:
            return None


def passed_over(event: PassedOver, after: Event) -> Data:
    """Return the data of one that was passed over.

    Args:
        event: Who was, and why.
        after: What came next: mostly another is asked.
    """
    text, target = said_of_passed_over(event), None
    if isinstance(after, AttemptStarted):
        target = after.candidate
        text = f"{text}; asking {target}"
    span = event.seconds
    return {
        **_data("passed_over", text, event.candidate, None),
        "reason": event.reason,
        "target": target,
        "seconds": None if span is None else round(span, 3),
    }


def _data(
    what: str,
    text: str,
    who: str | None,
    why: Failure | None,
    number: int | None = None,
) -> Data:
    return {
        "type": what,
        "text": text,
        "candidate": who,
        "attempt": number,
        "kind": why.kind.value if why is not None else None,
        "status": why.status if why is not None else None,
    }
