"""How fast a candidate begins to answer, as far as anybody knows.

A peak-sensitive moving average (Finagle's Peak EWMA): a slower answer counts at once
and in full, faster ones are believed little by little. What nobody has measured for a
while fades, so that a candidate that was slow once is tried again.
"""

from __future__ import annotations

from math import exp
from typing import Final, NamedTuple

from langchain_reliable.failures import Failure, FailureKind

_MEMORY: Final = 10.0
"""Seconds in which two thirds of an older, slower measurement are forgotten, if faster
ones come in."""

_FRESH: Final = 30.0
"""Seconds for which a measurement counts in full; then two thirds fade in as many."""


class Pace(NamedTuple):
    """The time to the first word.

    Attributes:
        seconds: The average.
        at: When it was measured last.
    """

    seconds: float
    at: float


def measured(pace: Pace | None, seconds: float, now: float) -> Pace:
    """Return the pace after an answer that has begun after so many seconds."""
    if pace is None:
        return Pace(seconds, now)
    before = expected(pace, now)
    if seconds >= before:
        return Pace(seconds, now)
    kept = exp((pace.at - now) / _MEMORY)
    return Pace(before * kept + seconds * (1 - kept), now)


def waited(pace: Pace | None, seconds: float, now: float) -> Pace | None:
    """Return the pace after an attempt that ended without a word after so many seconds.

    Nobody knows how long it would have taken; it would have been longer. An attempt
    that ended sooner than expected says nothing.
    """
    if pace is None or seconds <= expected(pace, now):
        return pace
    return Pace(seconds, now)


def expected(pace: Pace, now: float) -> float:
    """Return the seconds to expect of the next attempt."""
    faded = now - pace.at - _FRESH
    return pace.seconds if faded <= 0 else pace.seconds * exp(-faded / _FRESH)


def slow_failure(
    seconds: float, slow_after: float | None, *, others: bool
) -> Failure | None:
    """Return what an answer counts as that has begun late; `None` if it is in time.

    It is handed over as ever, and counts as one failure of its candidate all the same.
    So whoever counts it must not count the same answer as a recovery, neither as it
    begins nor when it is whole.

    Args:
        seconds: From the request to the first word, or to the whole answer.
        slow_after: From when on an answer is late; `None` for never.
        others: Whether somebody else could have been asked; a slow answer is better
            than none.
    """
    if slow_after is None or seconds <= slow_after or not others:
        return None
    told = f"began to answer after {seconds:.1f} s (slow_after={slow_after:g})"
    return Failure(kind=FailureKind.TIMEOUT, summary=told)
