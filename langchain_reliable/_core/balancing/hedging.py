"""When another candidate is asked beside one that says nothing yet, and who pays.

Two things last longer than a call: how many extra requests the calls of a model may
still make, and how long each candidate took to begin its answers, for `"p95"`. Both are
kept here without a clock; the lock comes from whoever shares the object.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final, NamedTuple

from langchain_reliable.policies import checked_hedge

if TYPE_CHECKING:
    from collections.abc import Hashable
    from contextlib import AbstractContextManager

    from langchain_reliable.policies import Hedge

TOKENS: Final = 10.0
"""Extra requests that calls may make at once: the bucket begins full."""

FEWEST_ANSWERS: Final = 20
"""Answers of a candidate before anybody can say which of them are slow."""

SHORTEST_MEASURED: Final = 0.5
"""Seconds that `"p95"` waits at least: a fast candidate is not slow by being less
fast, and a request that begins to answer soon is not worth another."""

_ROUNDING: Final = 1e-9
_ANSWERS_KEPT: Final = 200
_SLOW: Final = 0.95


class HedgeRule(NamedTuple):
    """When a route's requests are hedged, as a call reads it.

    Attributes:
        stream: Seconds without a first word; `None` for never, or where it is measured.
        whole: The same for answers in one piece.
        share: How many extra requests there are for each call.
        measured: Whether the seconds are found in what its answers took.
    """

    stream: float | None
    whole: float | None
    share: float
    measured: bool = False


def hedge_rule(written: object) -> HedgeRule | None:
    """Return a user's wish as a call reads it."""
    hedge: Hedge | None = checked_hedge(written)
    if hedge is None:
        return None
    if hedge.after == "p95":
        return HedgeRule(None, hedge.whole_after, hedge.max_share, measured=True)
    return HedgeRule(hedge.after, hedge.whole_after, hedge.max_share)


class HedgeBook:
    """What all calls know and may spend together.

    Attributes:
        calls: How many calls have begun that may be hedged. Counted without a lock, for
            it is done in each: that one is lost now and then does no harm.
        lock: Held while anything else changes.
    """

    def __init__(self) -> None:
        """Begin full, and with nothing measured."""
        self.calls = 0
        self.lock: AbstractContextManager[object] = nullcontext()
        self._buckets: dict[float, tuple[float, int]] = {}  # tokens, calls counted
        self._times: dict[tuple[Hashable, bool], _AnswerTimes] = {}

    # --- who pays -----------------------------------------------------------------

    def tokens(self, share: float) -> float:
        """Return how many extra requests may be made now."""
        tokens, counted = self._buckets.get(share, (TOKENS, 0))
        return min(TOKENS, tokens + (self.calls - counted) * share)

    def pay(self, share: float) -> bool:
        """Pay for an extra request; return whether there was enough."""
        with self.lock:
            tokens = self.tokens(share)
            if tokens < 1 - _ROUNDING:
                return False
            self._buckets[share] = tokens - 1, self.calls
            return True

    def give_back(self, share: float) -> None:
        """Take back the payment for a request that was not made."""
        with self.lock:
            tokens = min(TOKENS, self.tokens(share) + 1)
            self._buckets[share] = tokens, self.calls

    # --- what is slow -------------------------------------------------------------

    def slow_after(self, key: Hashable, *, streams: bool) -> float | None:
        """Return after how many seconds an answer is among the slowest of twenty."""
        times = self._times.get((key, streams))
        return None if times is None else times.slow_after

    def took(self, key: Hashable, seconds: float, *, streams: bool) -> None:
        """Note how long an answer took to begin, or how long one was waited for."""
        with self.lock:
            if (times := self._times.get((key, streams))) is None:
                times = self._times[key, streams] = _AnswerTimes()
            times.add(seconds)

    def forget(self, key: Hashable) -> None:
        """Forget what a candidate's answers took."""
        for streams in (True, False):
            self._times.pop((key, streams), None)


class _AnswerTimes:
    """What the last answers of a candidate took, also in order of length."""

    __slots__ = ("_by_age", "_by_length")

    def __init__(self) -> None:
        self._by_age: deque[float] = deque()
        self._by_length: list[float] = []

    def add(self, seconds: float) -> None:
        if len(self._by_age) >= _ANSWERS_KEPT:
            oldest = self._by_age.popleft()
            del self._by_length[bisect_left(self._by_length, oldest)]
        self._by_age.append(seconds)
        insort(self._by_length, seconds)

    @property
    def slow_after(self) -> float | None:
        known = len(self._by_length)
        if known < FEWEST_ANSWERS:
            return None
        slow = self._by_length[math.ceil(known * _SLOW) - 1]
        return max(SHORTEST_MEASURED, slow)
