"""How long one attempt may still keep us waiting, and for what.

The arithmetic of an attempt's time limits, with time coming in as a number; what ends a
wait is in `_runtime`.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from langchain_reliable.errors import (
    AnswerTimeout,
    AttemptTimeout,
    FirstChunkTimeout,
    IdleTimeout,
    LastChanceTimeout,
    TotalTimeout,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_reliable.errors import TimeLimitExceeded

AFTER_FINISH = 5.0
"""Seconds spent on what may follow a finish marker (usage, `[DONE]`)."""

SHORTEST_SHARE = 5.0
"""Seconds below which no share of `total_timeout` is kept for those not asked yet: no
model could answer in what is left then."""

_KEPT_FOR_EACH = 10.0
"""Seconds kept for each candidate that was not asked yet, at most a third of the rest:
what a whole answer of some length takes."""

_FIRST_WORD_SHARE = 2 / 3
"""Share of what is left that a stream may wait for its first word. The rest is for
those not asked yet, who need about as long for theirs."""

_MARGIN = 1.0
"""Seconds by which a client's read time-out is longer than our limit, so that ours is
the one that is told."""


class Timeouts(NamedTuple):
    """How long an attempt may take, in seconds; `None` for as long as it wants.

    Attributes:
        first_chunk: From the request to the first effective payload of a stream.
        idle: Between two chunks of a stream, from its first payload on.
        last_chance: Silence before the first payload where `first_chunk` is `None`.
        answer: From the request to an answer in one piece.
        answer_is_soft: Whether that is worth a timer, but no thread.
        attempt: For the whole attempt.
        total: For the whole call.
        deadline: When the whole call is over.
    """

    first_chunk: float | None = None
    idle: float | None = None
    last_chance: float | None = None
    answer: float | None = None
    answer_is_soft: bool = False
    attempt: float | None = None
    total: float | None = None
    deadline: float | None = None

    @property
    def of_the_call(self) -> Timeouts:
        """What limits the call as a whole."""
        return Timeouts(total=self.total, deadline=self.deadline)

    def unhurried(self) -> Timeouts:
        """Return the same for the last candidate: nobody is hurried for nobody."""
        return self._replace(first_chunk=None, answer=None)

    def within(
        self,
        deadline: float,
        total: float | None,
        now: float,
        unasked: int,
        *,
        streams: bool,
    ) -> Timeouts:
        """Return the same in a call that ends at a moment.

        Args:
            deadline: The moment.
            total: The seconds that the whole call may take.
            now: The moment at which the attempt begins.
            unasked: How many others may be asked and have not been: each is left a
                share of the time.
            streams: Whether a stream is waited for.
        """
        mine = self._replace(deadline=deadline, total=total)
        if not unasked:
            return mine
        rest = deadline - now
        if streams:
            share = rest * _FIRST_WORD_SHARE
            if share < SHORTEST_SHARE:
                return mine
            own = self.first_chunk
            return mine._replace(first_chunk=share if own is None else min(own, share))
        kept = unasked * min(_KEPT_FOR_EACH, rest / 3)
        share = rest - min(kept, rest * 2 / 3)
        if share < SHORTEST_SHARE or (self.answer or math.inf) <= share:
            return mine
        return mine._replace(answer=share, answer_is_soft=False)


NO_TIMEOUTS = Timeouts()


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
        has_payload: Whether a chunk has said something.
        began_at: When the request went out.
        spoke_at: When a chunk has said something.
        quiet_since: When the last chunk came, or the attempt began.
        watcher: Called when there is less time than before, by whoever notes it: the
            one that waits may be another thread.
    """

    __slots__ = (
        "_handed_at",
        "_idle",
        "_missed",
        "_silence",
        "began_at",
        "deadlines",
        "given_up",
        "has_payload",
        "quiet_since",
        "spoke_at",
        "watcher",
    )

    def __init__(
        self, timeouts: Timeouts, now: float, *, streams: bool, soft_too: bool = True
    ) -> None:
        """Begin when the request goes out.

        Args:
            timeouts: The limits of the attempt.
            now: The moment it begins.
            streams: Whether chunks are waited for; the limits on them apply only then.
            soft_too: Whether limits count that are not worth a thread.
        """
        self._handed_at: float | None = None
        self._idle = timeouts.idle if streams else None
        self._missed: _Deadline | None = None
        self._silence: float | None = None
        self.deadlines: list[_Deadline] = []
        self.given_up = False
        self.has_payload = False
        self.quiet_since = self.began_at = now
        self.spoke_at: float | None = None
        self.watcher: Callable[[AttemptTimer], None] | None = None
        if (span := timeouts.attempt) is not None:
            self.deadlines.append((now + span, AttemptTimeout, span))
        if (end := timeouts.deadline) is not None:
            self.deadlines.append((end, TotalTimeout, timeouts.total or 0.0))
        if not streams:
            soft = timeouts.answer_is_soft and not soft_too
            if (span := timeouts.answer) is not None and not soft:
                self.deadlines.append((now + span, AnswerTimeout, span))
        elif (span := timeouts.first_chunk) is not None:
            self.deadlines.append((now + span, FirstChunkTimeout, span))
        else:
            self._silence = timeouts.last_chance

    @property
    def limited(self) -> bool:
        """Whether any limit applies, now or later."""
        return (
            self._idle is not None or self._silence is not None or bool(self.deadlines)
        )

    def chunk_arrived(self, now: float) -> None:
        """Take note of a chunk, whatever it holds.

        Raises:
            TimeLimitExceeded: It came too late; nobody waits for it any more.
        """
        if self.given_up:
            raise self.error()
        self.quiet_since = now

    def payload_arrived(self) -> None:
        """Take note that a chunk has said something: from now on silence counts."""
        self.has_payload, self._silence = True, self._idle
        self.spoke_at = self.quiet_since
        for at, one in enumerate(self.deadlines):
            if one[1] is FirstChunkTimeout:
                self.deadlines = self.deadlines[:at] + self.deadlines[at + 1 :]
                break
        if self.watcher is not None:
            self.watcher(self)

    def finish_arrived(self, now: float) -> None:
        """Take note of the finish marker on its way out: little may follow."""
        if self._handed_at is not None:
            self.resume(now)
        self._handed_at = now  # what its consumer does takes its own time
        after = now + AFTER_FINISH, IdleTimeout, AFTER_FINISH
        self.deadlines = [*self.deadlines, after]
        if self.watcher is not None:
            self.watcher(self)

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
        if not self.deadlines:
            self._missed = None
            return self._silence
        span, self._missed = self._shortest(now, self._silence)
        return span

    def remaining_while_reading(self, now: float) -> float | None:
        """Return the same for a wait that goes on while chunks are noted elsewhere."""
        span, self._missed = self._shortest(now, self._rest_of_silence(now))
        return span

    def time_left(self, now: float) -> float | None:
        """Return the same for who does not wait: no limit is missed by asking."""
        return self._shortest(now, self._rest_of_silence(now))[0]

    def ends_before(self, moment: float, now: float) -> bool:
        """Return whether such a wait may not last until `moment`."""
        span = self.time_left(now)
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
            kind = IdleTimeout if self.has_payload else LastChanceTimeout
            return kind(self._silence or 0.0)
        _, missed, span = self._missed
        return missed(span)


def read_timeout_for(timeouts: Timeouts, *, streams: bool) -> float | None:
    """Return after which silence a client may as well give up its socket."""
    silence = timeouts.answer
    if streams:
        first, idle = timeouts.first_chunk, timeouts.idle
        first = timeouts.last_chance if first is None else first
        silence = None if first is None or idle is None else max(first, idle)
    spans = timeouts.attempt, timeouts.total, silence
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
