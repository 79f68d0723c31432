"""How long one attempt may still keep us waiting, and for what.

The arithmetic of an attempt's time limits lives here, with time coming in as a number.
Timers and threads never do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_reliable.errors import (
    AttemptTimeout,
    FirstChunkTimeout,
    IdleTimeout,
    TotalTimeout,
)

if TYPE_CHECKING:
    from langchain_reliable._steps import Limits
    from langchain_reliable.errors import TimeLimitExceeded

AFTER_FINISH = 5.0
"""Seconds spent on what may follow a finish marker (usage, `[DONE]`)."""


class Patience:
    """The limits of one attempt, and how far its answer has come.

    It is asked before each wait for the child, so limits run only while we wait: what
    the consumer does with a chunk takes nothing from them.
    """

    __slots__ = ("_exceeded", "_idle", "_silence", "_until")

    def __init__(self, limits: Limits, now: float, *, streams: bool) -> None:
        """Begin when the request goes out.

        Args:
            limits: The limits of the attempt.
            now: The moment it begins.
            streams: Whether chunks are waited for; the limits on them apply only then.
        """
        self._idle = limits.idle if streams else None
        self._silence: float | None = None
        self._until: list[tuple[float, TimeLimitExceeded]] = []
        self._exceeded: TimeLimitExceeded | None = None
        if limits.attempt is not None:
            error: TimeLimitExceeded = AttemptTimeout(limits.attempt)
            self._until.append((now + limits.attempt, error))
        if limits.deadline is not None:
            error = TotalTimeout(limits.total or 0.0)
            self._until.append((limits.deadline, error))
        if streams and limits.first_chunk is not None:
            error = FirstChunkTimeout(limits.first_chunk)
            self._until.append((now + limits.first_chunk, error))

    @property
    def limited(self) -> bool:
        """Whether any limit applies."""
        return self._idle is not None or bool(self._until)

    def arrived(self) -> None:
        """Take note of a chunk, whatever it holds: from now on silence counts."""
        self._silence = self._idle

    def spoke(self) -> None:
        """Take note that a chunk has said something."""
        first = FirstChunkTimeout
        self._until = [one for one in self._until if not isinstance(one[1], first)]

    def finished(self, now: float) -> None:
        """Take note of the finish marker: little may follow."""
        self._until.append((now + AFTER_FINISH, IdleTimeout(AFTER_FINISH)))

    @property
    def has_deadlines(self) -> bool:
        """Whether anything but silence is limited from here."""
        return bool(self._until)

    def extend(self, seconds: float) -> None:
        """Give back the time in which the consumer worked."""
        self._until = [(moment + seconds, error) for moment, error in self._until]

    def left(self, now: float) -> float | None:
        """Return how many seconds the next wait may last; `None` for any number."""
        span, self._exceeded = self._silence, None
        for moment, error in self._until:
            if span is None or moment - now < span:
                span, self._exceeded = max(0.0, moment - now), error
        return span

    def exceeded(self) -> TimeLimitExceeded:
        """Return the error of the limit that `left` went by last."""
        return self._exceeded or IdleTimeout(self._silence or 0.0)
