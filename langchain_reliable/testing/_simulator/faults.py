"""The simulator's faults, one constructor each.

A constructor says what its fault is made of; the plans and the dialects know how that
looks on the wire.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from langchain_reliable.testing._answers import Answer, says, says_nothing
from langchain_reliable.testing._simulator.replies import (
    OVERLOADED,
    ErrorReply,
    Fault,
    Then,
    Until,
)
from langchain_reliable.testing._simulator.troubles import Trouble, trouble_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_reliable.testing._simulator.wire import Headers

_COUNT = says("one two three four five six seven eight")


def error_status(
    status: int,
    /,
    *,
    message: str | None = None,
    retry_after: float | str | None = None,
    retry_after_ms: float | None = None,
    should_retry: bool | None = None,
    headers: Mapping[str, str] | None = None,
    text: str | None = None,
) -> ErrorReply:
    """Return an error response with the body that providers send with `status`.

    Args:
        status: HTTP status.
        message: Text of the error, where it matters.
        retry_after: `Retry-After`, in seconds or as an HTTP date; Gemini says seconds
            in the body instead.
        retry_after_ms: `retry-after-ms`, as OpenAI and Azure send it.
        should_retry: `x-should-retry`; Anthropic's errors carry it anyway.
        headers: Any other headers.
        text: A plain-text body in place of JSON.
    """
    hints = _hints(retry_after, retry_after_ms, should_retry)
    given = tuple((name.lower(), value) for name, value in (headers or {}).items())
    trouble = replace(trouble_of(status, message), retry_after=_seconds(retry_after))
    return ErrorReply(trouble=trouble, headers=(*hints, *given), text=text)


def rate_limited(
    retry_after: float | str | None = None,
    *,
    retry_after_ms: float | None = None,
    should_retry: bool | None = None,
) -> ErrorReply:
    """Return a 429 that asks to come back later."""
    hints = _hints(retry_after, retry_after_ms, should_retry)
    trouble = Trouble(kind="rate_limited", retry_after=_seconds(retry_after))
    return ErrorReply(trouble=trouble, headers=hints)


def quota_exhausted() -> ErrorReply:
    """Return an error that no waiting mends, as OpenAI's 429 `insufficient_quota`."""
    return ErrorReply(trouble=Trouble(kind="quota_exhausted"))


def overloaded(retry_after: float | str | None = None) -> ErrorReply:
    """Return Anthropic's 529, or another API's 503, for an overloaded model."""
    trouble = replace(OVERLOADED, retry_after=_seconds(retry_after))
    return ErrorReply(trouble=trouble, headers=_hints(retry_after, None, None))


def context_overflow() -> ErrorReply:
    """Return a 400 that says the prompt is too long."""
    return ErrorReply(trouble=Trouble(kind="context_overflow"))


def content_policy() -> ErrorReply:
    """Return what a safety filter raises: mostly a 400, at Gemini a 200."""
    return ErrorReply(trouble=Trouble(kind="content_policy"))


def upstream_connect_error() -> ErrorReply:
    """Return a 503 of the proxy before the provider: plain text, no JSON."""
    return error_status(
        503,
        text="upstream connect error or disconnect/reset before headers. "
        "reset reason: connection timeout",
    )


def error_under_200() -> ErrorReply:
    """Return an error object as JSON under status 200, also where a stream is due."""
    return ErrorReply(trouble=Trouble(kind="server_error"), ok=True)


def reset() -> Fault:
    """Reset the connection before anything is sent."""
    return Fault(answer=_COUNT, until=Until.REQUEST, then=Then.RESET)


def hang_before_headers() -> Fault:
    """Read the request and never say anything."""
    return Fault(answer=_COUNT, until=Until.REQUEST, then=Then.HANG)


def hang_after_headers() -> Fault:
    """Send status and headers, and then nothing."""
    return Fault(answer=_COUNT, until=Until.HEADERS, then=Then.HANG)


def keep_alives_then_silence(*, every: float | None = None) -> Fault:
    """Send comments or pings for a moment, and then nothing.

    Args:
        every: In a stream, send them again and again instead, so many seconds apart,
            until the client leaves.
    """
    return Fault(answer=_COUNT, until=Until.HEADERS, then=Then.PING, seconds=every)


def empty_body() -> Fault:
    """Send status and headers, and end."""
    return Fault(answer=_COUNT, until=Until.HEADERS, then=Then.END)


def done_only() -> Fault:
    """Send what begins and ends a stream, and nothing between, as `[DONE]` alone."""
    return Fault(answer=_COUNT, until=Until.HEADERS, then=Then.BARE)


def error_first(*, trouble: Trouble = OVERLOADED) -> Fault:
    """Answer 200 and send an error event before anything else."""
    return Fault(answer=_COUNT, until=Until.HEADERS, then=Then.ERROR, trouble=trouble)


def role_then_error(*, trouble: Trouble = OVERLOADED, silent: int = 0) -> Fault:
    """Begin the message, say nothing, and send an error event."""
    answer = says_nothing(silent=silent)
    return Fault(answer=answer, until=Until.OPENING, then=Then.ERROR, trouble=trouble)


def role_then_cut(*, silent: int = 0) -> Fault:
    """Begin the message, say nothing, and close the connection."""
    answer = says_nothing(silent=silent)
    return Fault(answer=answer, until=Until.OPENING, then=Then.CUT)


def role_then_silence(*, silent: int = 0) -> Fault:
    """Begin the message, and say nothing."""
    answer = says_nothing(silent=silent)
    return Fault(answer=answer, until=Until.OPENING, then=Then.HANG)


def content_then_error(
    answer: Answer | str = _COUNT,
    /,
    *,
    after: int = 2,
    trouble: Trouble = OVERLOADED,
) -> Fault:
    """Tell `after` pieces of the answer, and send an error event."""
    return _broken(answer, after, Then.ERROR, trouble)


def content_then_cut(answer: Answer | str = _COUNT, /, *, after: int = 2) -> Fault:
    """Tell `after` pieces of the answer, and close the connection."""
    return _broken(answer, after, Then.CUT)


def content_then_stall(
    answer: Answer | str = _COUNT, /, *, after: int = 2, seconds: float | None = None
) -> Fault:
    """Tell `after` pieces of the answer, and then nothing.

    Args:
        answer: What is begun.
        after: How many of its pieces are told.
        seconds: After how long a silence the connection is closed; never unless given.
    """
    return replace(_broken(answer, after, Then.HANG), seconds=seconds)


def malformed_event(answer: Answer | str = _COUNT, /, *, after: int = 2) -> Fault:
    """Break the event that follows `after` pieces, and go on."""
    return _broken(answer, after, Then.GARBLE)


def no_finish(answer: Answer | str = _COUNT, /) -> Fault:
    """Tell the whole answer and end cleanly, without any finish marker.

    `says(..., finish=None)` is its sibling: it still sends the end-of-stream marker.
    """
    return Fault(answer=_answer(answer), until=Until.PIECES, then=Then.END)


def no_done(answer: Answer | str = _COUNT, /) -> Fault:
    """Tell the whole answer and its finish, without the end-of-stream marker."""
    return Fault(answer=_answer(answer), until=Until.FINISH, then=Then.END)


def finish_then_cut(answer: Answer | str = _COUNT, /) -> Fault:
    """Tell the whole answer and its finish, and close the connection."""
    return Fault(answer=_answer(answer), until=Until.FINISH, then=Then.CUT)


def finish_then_stall(answer: Answer | str = _COUNT, /) -> Fault:
    """Tell the whole answer and its finish, and never end the stream."""
    return Fault(answer=_answer(answer), until=Until.FINISH, then=Then.HANG)


def reasoning_then_silence(thinks: str = "Let me think about that.", /) -> Fault:
    """Think aloud, and then say nothing."""
    answer = says(thinks=thinks)
    return _broken(answer, len(answer.thoughts), Then.HANG)


def content_filtered(text: str = "", /) -> Answer:
    """Return an answer ended by a filter: `content_filter`, or `refusal`."""
    return says(text, finish="content_filter")


def trickle(text: str = "one two three four", /, *, pause: float = 0.3) -> Answer:
    """Return a healthy answer that comes slowly, `pause` seconds before each piece."""
    return says(text, pause=pause)


def _broken(
    answer: Answer | str, after: int, then: Then, trouble: Trouble = OVERLOADED
) -> Fault:
    told = _answer(answer)
    pieces = len(told.fragments(""))
    if not 0 <= after <= pieces:
        raise ValueError(f"after={after}, but the answer has {pieces} pieces")
    return Fault(
        answer=told, until=Until.PIECES, after=after, then=then, trouble=trouble
    )


def _answer(answer: Answer | str) -> Answer:
    return says(answer) if isinstance(answer, str) else answer


def _seconds(retry_after: float | str | None) -> float | None:
    return None if isinstance(retry_after, str) else retry_after


def _hints(
    retry_after: float | str | None,
    retry_after_ms: float | None,
    should_retry: bool | None,  # noqa: FBT001 - passed on, never decided upon
) -> Headers:
    seconds = f"{retry_after:g}" if isinstance(retry_after, (int, float)) else None
    named = {
        "retry-after": seconds if seconds is not None else retry_after,
        "retry-after-ms": None if retry_after_ms is None else f"{retry_after_ms:g}",
        "x-should-retry": None if should_retry is None else str(should_retry).lower(),
    }
    return tuple((name, str(v)) for name, v in named.items() if v is not None)
