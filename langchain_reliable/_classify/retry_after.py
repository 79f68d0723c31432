"""How long a provider asked to wait, in all the spellings there are.

Headers, bodies and wording come in, seconds go out; the present moment is handed in.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from langchain_reliable._classify.findings import peek

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

LONGEST: Final = 7 * 86_400.0
"""Seconds; whatever asks for more is absurd and ignored."""

_EPOCH: Final = 1e9
_EPOCH_MS: Final = 1e11

_UNITS: Final = {
    "ms": 0.001,
    "millisecond": 0.001,
    "milliseconds": 0.001,
    "s": 1.0,
    "sec": 1.0,
    "secs": 1.0,
    "second": 1.0,
    "seconds": 1.0,
    "秒": 1.0,
    "m": 60.0,
    "min": 60.0,
    "mins": 60.0,
    "minute": 60.0,
    "minutes": 60.0,
    "h": 3600.0,
    "hour": 3600.0,
    "hours": 3600.0,
    "d": 86_400.0,
    "day": 86_400.0,
    "days": 86_400.0,
}
_NUMBER: Final = r"\d{1,12}(?:\.\d{1,12})?"
_PART: Final = re.compile(rf"({_NUMBER})\s?([a-z秒]{{1,12}})\s?")
_WORDING: Final = re.compile(
    r"(?:\b(?:try again|retry|retry your request|retrying|wait|available again|"
    r"available|resets?)|请)"
    r"(?: again)?(?: ?(?:in|after|for|at least|于|等待))?(?: about)? ?"
    rf"((?:{_NUMBER}\s?(?:milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|m|"
    r"hours?|h|days?|d|秒)(?![a-z])\s?){1,4})"
)
_NAMED: Final = re.compile(
    rf"\bretry[-_ ]?after(?:[-_ ]?seconds)?[\"']?\s?[:=]\s?[\"']?({_NUMBER})\b(?! ?ms)"
)
_LONE_RESETS: Final = (
    "ratelimit-reset",
    "x-ratelimit-reset",
    "x-ratelimit-reset-after",
    "x-rate-limit-reset",
)
_DRAFT_RESET: Final = re.compile(r"\b(?:reset|t)=(\d{1,12})\b")
_DRAFT_REST: Final = re.compile(r"\b(?:remaining|r)=(\d{1,12})\b")
_REPLENISHED: Final = re.compile(
    r"replenished in (?:(\d{1,3})\.)?(\d{1,2}):(\d{2}):(\d{2})"
)


def sane(seconds: float | None) -> float | None:
    """Return the seconds if they make sense: finite, not negative, not for ever."""
    if seconds is None or not math.isfinite(seconds) or not 0 <= seconds <= LONGEST:
        return None
    return seconds


def asked_for(
    headers: Mapping[str, str],
    waits: Iterable[tuple[str, object]],
    text: str,
    now: float | None,
    *,
    limited: bool = True,
) -> float | None:
    """Return the seconds a provider asked to wait, if it did.

    Args:
        headers: Of the response, names in lower case.
        waits: Names and values found in its body.
        text: The message in lower case.
        now: Seconds since the epoch, for dates where the response has none itself.
        limited: Whether a limit was met. Only then a reset that does not say what is
            left counts: some servers send one with every answer.
    """
    candidates = _candidates(headers, waits, text, now, limited=limited)
    return next((wait for wait in candidates if wait is not None), None)


def _candidates(
    headers: Mapping[str, str],
    waits: Iterable[tuple[str, object]],
    text: str,
    now: float | None,
    *,
    limited: bool,
) -> Iterator[float | None]:
    for name in ("retry-after-ms", "x-ms-retry-after-ms", "grpc-retry-pushback-ms"):
        yield sane(_scaled(_number(headers.get(name)), 0.001))
    for name in ("retry-after", "x-retry-after"):
        yield _seconds_or_date(headers.get(name), headers, now)
    for name, value in waits:
        if name.endswith("_at"):
            yield _reset(str(value), headers, now)
        else:
            yield sane(_in_body(name, value))
    yield sane(_in_text(text))
    yield _buckets(headers, now, limited=limited)
    if limited:
        yield sane(_draft(headers.get("ratelimit", "")))


def _number(value: object) -> float | None:
    try:
        return float(value)  # type: ignore[arg-type]  # anything; most of it raises
    except (TypeError, ValueError, OverflowError):
        return None


def _scaled(number: float | None, unit: float) -> float | None:
    return None if number is None else number * unit


def _seconds_or_date(
    value: str | None, headers: Mapping[str, str], now: float | None
) -> float | None:
    if value is None:
        return None
    seconds = _number(value)
    if seconds is None:
        seconds = spelled(value.strip().lower())
    if seconds is None:
        seconds = _until(_date(value), headers, now)
    return sane(seconds)


def _until(
    at: float | None, headers: Mapping[str, str], now: float | None
) -> float | None:
    """Count from the response's own date: it is the clock the provider goes by."""
    if at is None:
        return None
    sent = _date(headers.get("date"))
    start = now if sent is None else sent
    return None if start is None else at - start


def _date(value: str | None) -> float | None:
    """Read an HTTP date or an ISO one as seconds since the epoch."""
    if value is None or not any(letter.isdigit() for letter in value[:40]):
        return None
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            at = read(value)
            aware = at if at.tzinfo else at.replace(tzinfo=UTC)
            return aware.timestamp()
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
    return None


def spelled(value: str) -> float | None:
    """Read `6.91s`, `7m12s`, `20ms`, `2 minutes`."""
    total, end = 0.0, 0
    for part in _PART.finditer(value[:60]):
        unit = _UNITS.get(part[2])
        if unit is None or part.start() != end:
            return None
        total, end = total + float(part[1]) * unit, part.end()
    return total if end and not value[end:].strip(" ,.") else None


def _in_body(name: str, value: object) -> float | None:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, str):
        number = _number(value)
        value = spelled(value.strip().lower()) if number is None else number
    if isinstance(value, dict):
        return _parts(value.get("seconds"), value.get("nanos"))
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value * 0.001 if name.endswith("ms") else float(value)
    return _parts(peek(value, "seconds"), peek(value, "nanos"))


def _parts(seconds: object, nanos: object) -> float | None:
    whole, part = _number(seconds), _number(nanos)
    if whole is None and part is None:
        return None
    return (whole or 0.0) + (part or 0.0) * 1e-9


def _in_text(text: str) -> float | None:
    """Read the wording of Azure, Groq, OpenAI, Gemini, LiteLLM and API Management."""
    if (match := _WORDING.search(text)) is not None:
        return spelled(match[1].strip())
    if (match := _NAMED.search(text)) is not None:
        return _number(match[1])
    if (match := _REPLENISHED.search(text)) is not None:
        days, hours, minutes, seconds = (int(group or 0) for group in match.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60.0 + seconds
    return None


def _buckets(
    headers: Mapping[str, str], now: float | None, *, limited: bool
) -> float | None:
    """Return when the last of the empty buckets is filled again.

    A reset by itself is of the bucket that is empty.
    """
    rests = {name: left for name, left in headers.items() if _is_rest(name)}
    names = [
        name.replace("remaining", "reset")
        for name, left in rests.items()
        if _number(left) == 0
    ]
    if not rests and limited:
        names = [name for name in _LONE_RESETS if name in headers]
    resets = (_reset(headers.get(name), headers, now) for name in names)
    return max((reset for reset in resets if reset is not None), default=None)


def _is_rest(name: str) -> bool:
    return "remaining" in name and "ratelimit" in name.replace("-", "")


def _draft(value: str) -> float | None:
    """Read the one field of the drafts: `limit=9, remaining=0, reset=5`, `"a";r=0;t=5`.

    A policy of which something remains is not the one that said no.
    """
    policies = [value] if "reset=" in value else value.split(",")
    resets = [
        float(reset[1])
        for policy in policies
        if (reset := _DRAFT_RESET.search(policy)) is not None
        and ((rest := _DRAFT_REST.search(policy)) is None or int(rest[1]) == 0)
    ]
    return max(resets, default=None)


def _reset(
    value: str | None, headers: Mapping[str, str], now: float | None
) -> float | None:
    """Read a reset: seconds, a duration, a date, or a moment of the epoch."""
    number = _number(value)
    if number is None or number < _EPOCH:
        return _seconds_or_date(value, headers, now)
    at = number * 0.001 if number > _EPOCH_MS else number
    return sane(_until(at, headers, now))
