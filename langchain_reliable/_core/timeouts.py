"""How long one attempt may still keep us waiting, and for what.

The arithmetic of an attempt's time limits lives here, with time coming in as a number.
Timers and threads never do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from langchain_reliable.errors import (
    AttemptTimeout,
    FirstChunkTimeout,
    IdleTimeout,
    TotalTimeout,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_reliable.errors import TimeLimitExceeded

AFTER_FINISH = 5.0
"""Seconds spent on what may follow a finish marker (usage, `[DONE]`)."""

_MARGIN = 1.0
"""Seconds by which a client's read time-out is longer than our limit, so that ours is
the one that is told."""


_Deadline: TypeAlias = "tuple[float, type[TimeLimitExceeded], float]"
"""A moment, and of which limit: its error and its seconds."""


class AttemptTimer:
    """The limits of one attempt, and how far its answer has come.

    It is asked before each wait for the child, so limits run only while we wait: what
    the consumer does with a chunk takes nothing from them.

    Attributes:
        deadlines: What limits the answer besides silence; when that changes, another
            list.
        given_up: Whether nobody waits any more.
        quiet_since: When the last chunk came, or the attempt began.
        watcher: Called when there is less time than before, by whoever notes it: the
            one that waits may be another thread.
    """

    __slots__ = (
        "_handed_at",
        "_idle",
        "_missed",
        "_silence",
        "deadlines",
        "given_up",
        "quiet_since",
        "watcher",
    )

    def __init__(self, limits: Timeouts, now: float, *, streams: bool) -> None:
        """Begin when the request goes out.

        Args:
            limits: The limits of the attempt.
            now: The moment it begins.
            streams: Whether chunks are waited for; the limits on them apply only then.
        """
        self._idle = limits.idle if streams else None
        self._handed_at: float | None = None
        self.given_up = False
        self.quiet_since = now
        self._silence: float | None = None
        self.deadlines: list[_Deadline] = []
        self.watcher: Callable[[AttemptTimer], None] | None = None
        self._missed: _Deadline | None = None
        if (span := limits.attempt) is not None:
            self.deadlines.append((now + span, AttemptTimeout, span))
        if limits.deadline is not None:
            self.deadlines.append((limits.deadline, TotalTimeout, limits.total or 0.0))
        if streams and (span := limits.first_chunk) is not None:
            self.deadlines.append((now + span, FirstChunkTimeout, span))

    @property
    def limited(self) -> bool:
        """Whether any limit applies."""
        return self._idle is not None or bool(self.deadlines)

    def chunk_arrived(self, now: float) -> None:
        """Take note of a chunk, whatever it holds: from now on silence counts.

        Raises:
            TimeLimitExceeded: It came too late; nobody waits for it any more.
        """
        if self.given_up:
            raise self.error()
        self.quiet_since, self._silence = now, self._idle
        self._call_watcher()

    def payload_arrived(self) -> None:
        """Take note that a chunk has said something."""
        self.deadlines = [
            one for one in self.deadlines if one[1] is not FirstChunkTimeout
        ]

    def finish_arrived(self, now: float) -> None:
        """Take note of the finish marker on its way out: little may follow."""
        self.resume(now)
        self.pause(now)
        after = now + AFTER_FINISH, IdleTimeout, AFTER_FINISH
        self.deadlines = [*self.deadlines, after]
        self._call_watcher()

    def _call_watcher(self) -> None:
        if (watcher := self.watcher) is not None:
            watcher(self)

    def pause(self, now: float) -> None:
        """Take note that the consumer has a chunk; what it does takes its own time."""
        self._handed_at = now

    def resume(self, now: float) -> None:
        """Take note that it wants another, and give back the time it took."""
        if self._handed_at is None:
            return
        seconds, self._handed_at = now - self._handed_at, None
        self.deadlines = [
            (when + seconds, kind, span) for when, kind, span in self.deadlines
        ]

    def remaining(self, now: float) -> float | None:
        """Return how many seconds the next wait may last; `None` for any number."""
        span, self._missed = self._shortest(now, self._silence)
        return span

    def remaining_while_reading(self, now: float) -> float | None:
        """Return the same for a wait that goes on while chunks are noted elsewhere."""
        span, self._missed = self._shortest(now, self._rest_of_silence(now))
        return span

    def ends_before(self, moment: float, now: float) -> bool:
        """Return whether such a wait may not last until `moment`."""
        span, _ = self._shortest(now, self._rest_of_silence(now))
        return span is not None and now + span < moment

    def _rest_of_silence(self, now: float) -> float | None:
        if self._silence is None:
            return None
        return max(0.0, self._silence - (now - self.quiet_since))

    def _shortest(
        self, now: float, span: float | None
    ) -> tuple[float | None, _Deadline | None]:
        """Return the shortest of a span and the deadlines, and which of these it is."""
        which = None
        for deadline in self.deadlines:
            rest = deadline[0] - now
            if span is None or rest < span:
                span, which = max(0.0, rest), deadline
        return span, which

    def error(self) -> TimeLimitExceeded:
        """Return the error of the limit that `remaining` went by last."""
        if self._missed is None:
            return IdleTimeout(self._silence or 0.0)
        _, kind, span = self._missed
        return kind(span)


def read_timeout_for(limits: Timeouts, *, streams: bool) -> float | None:
    """Return after which silence a client may as well give up its socket."""
    silence = None
    if streams and limits.first_chunk is not None and limits.idle is not None:
        silence = max(limits.first_chunk, limits.idle)
    spans = limits.attempt, limits.total, silence
    return None if spans == _UNLIMITED else _rounded_up(spans)


_UNLIMITED = None, None, None


@lru_cache(maxsize=256)
def _rounded_up(spans: tuple[float | None, ...]) -> float:
    """Return the shortest of some spans and a margin, in steps of a fifth.

    A client is prepared once for each such step, and `CallOptions.total_timeout` may be
    another number in every call.
    """
    shortest = min(span for span in spans if span is not None)
    return 2 ** (math.ceil(4 * math.log2(shortest)) / 4) + _MARGIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long an attempt may take, in seconds; `None` for as long as it wants.

    Attributes:
        first_chunk: From the request to the first effective payload of a stream.
        idle: Between two chunks of a stream.
        attempt: For the whole attempt.
        total: For the whole call.
        deadline: When the whole call is over.
    """

    first_chunk: float | None = None
    idle: float | None = None
    attempt: float | None = None
    total: float | None = None
    deadline: float | None = None

    @property
    def any_on_answers(self) -> bool:
        """Whether anything limits an answer in one piece."""
        return self.attempt is not None or self.deadline is not None

    @property
    def of_the_call(self) -> Timeouts:
        """What limits the call as a whole."""
        return Timeouts(total=self.total, deadline=self.deadline)


NO_TIMEOUTS = Timeouts()
