"""The peephole: open a stream and read it up to its commit.

Holding back what comes before the first word, and telling an answer from a stream that
only looks like one, lives here. Handing it on is `_relay`'s, and who is asked next
nobody's here.

The twins differ by `await` and by who breaks off a wait: in sync nobody here does (with
limits, all of this runs in a `ThreadReader`'s thread), in async one `WaitTimer` per
stream.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

from langchain_reliable._core.user_errors import is_user_error
from langchain_reliable._runtime.closing import GeneratorStack
from langchain_reliable._runtime.payload import (
    check_empty,
    check_finish,
    finish_reason_of,
    has_payload,
    is_reasoning_only,
)
from langchain_reliable._runtime.timer import WaitTimer
from langchain_reliable.errors import IncompleteStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from langchain_core.outputs import ChatGenerationChunk

    from langchain_reliable._core.steps import AttemptProgress
    from langchain_reliable._core.timeouts import AttemptTimer
    from langchain_reliable._runtime.clock import Clock

T = TypeVar("T")

CommitOn = Literal["first_chunk", "payload", "text", "complete"]
"""What a stream has to show before it is let out."""

MAX_HELD_CHUNKS = 512
"""Chunks held back before committing anyway; real streams have shown 128 silent ones
before they failed. Does not apply to `"complete"`."""

MAX_HELD_CHARACTERS = 1024 * 1024
"""The same in characters of what they hold."""


class ReadContext(NamedTuple):
    """How one attempt's stream is to be read.

    Attributes:
        timer: Its time limits.
        progress: Takes note of what comes before the commit.
        commit_on: What it has to show before it is let out.
        expects_finish: Whether an end without a finish reason is a cut.
        accepts_empty: Whether one that finished without a word is an answer.
    """

    timer: AttemptTimer
    progress: AttemptProgress
    commit_on: CommitOn = "payload"
    expects_finish: bool = False
    accepts_empty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitPolicy:
    """How a call reads its answers.

    Attributes:
        commit_on: What a stream has to show before it is let out.
        require_finish_reason: Whether a stream without one is a cut; `"auto"` goes by
            what is known of the child.
        accepts_empty: Whether one that finished without a word is an answer.
    """

    commit_on: CommitOn = "payload"
    require_finish_reason: bool | str = "auto"
    accepts_empty: bool = False

    @property
    def wholly(self) -> CommitPolicy:
        """The same for a stream that is not shown before its end."""
        return replace(self, commit_on="complete")

    def reading(
        self, timer: AttemptTimer, progress: AttemptProgress, *, sends_finish: bool
    ) -> ReadContext:
        """Return how a stream is to be read.

        Args:
            timer: Its time limits.
            progress: Takes note of what comes before the commit.
            sends_finish: Whether such streams are known to end with a finish reason.
        """
        required = self.require_finish_reason
        return ReadContext(
            timer=timer,
            commit_on=self.commit_on,
            expects_finish=sends_finish if required == "auto" else bool(required),
            accepts_empty=self.accepts_empty,
            progress=progress,
        )


@dataclass(slots=True)
class PeekedStream:
    """A stream up to its commit: what was held, and what is still to come."""

    reading: ReadContext
    held: list[ChatGenerationChunk]
    rest: Iterable[ChatGenerationChunk] = ()


@dataclass(slots=True)
class AsyncPeekedStream:
    """The async twin of `PeekedStream`, with what ends a wait and what closes it."""

    reading: ReadContext
    held: list[ChatGenerationChunk]
    rest: AsyncIterator[ChatGenerationChunk]
    wait_timer: WaitTimer
    stack: GeneratorStack = field(default_factory=GeneratorStack)

    async def aclose(self) -> None:
        """Close the stream to its bottom, and wait for it."""
        self.wait_timer.close()
        await self.stack.aclose(self.rest)


def open_stream(
    chunks: Iterator[ChatGenerationChunk], reading: ReadContext, clock: Clock
) -> PeekedStream:
    """Read a stream up to its commit.

    Args:
        chunks: A child's stream, not begun.
        reading: How to read it.
        clock: Time.

    Returns:
        The stream, committed.

    Raises:
        EmptyAnswer: It finished and said nothing.
        FinishedWithError: It says that it ended in an error.
        IncompleteStream: It ended without a word, or without its finish reason.
        TimeLimitExceeded: Nobody waits for it any more.
    """
    return Peek(reading, clock).of(chunks)


class Peek:
    """A stream on its way to its commit, read by one thread for another."""

    def __init__(self, reading: ReadContext, clock: Clock) -> None:
        """Begin; see `open_stream`."""
        self._reading = reading
        self._held = _HeldChunks(reading, clock)

    def of(self, chunks: Iterator[ChatGenerationChunk]) -> PeekedStream:
        """Read a stream up to its commit."""
        held = self._held
        try:
            for chunk in chunks:
                if held.commits_with(chunk):
                    return PeekedStream(self._reading, held.chunks, chunks)
        except BaseException as error:  # noqa: BLE001 - judged there
            close_stream(chunks)
            return self.cut_by(error)
        return held.whole(PeekedStream(self._reading, held.chunks))

    def cut_by(self, error: BaseException) -> PeekedStream:
        """Return what was held if that is all, whatever broke or took too long then.

        Raises:
            BaseException: The error, if more was to come.
        """
        if not self._held.is_complete(error):
            raise error
        return self._held.whole(PeekedStream(self._reading, [*self._held.chunks]))


async def aopen_stream(
    chunks: AsyncIterator[ChatGenerationChunk], reading: ReadContext, clock: Clock
) -> AsyncPeekedStream:
    """Read a stream up to its commit; the twin of `open_stream`."""
    held = _HeldChunks(reading, clock)
    wait_timer = WaitTimer(reading.timer, clock)
    opened = AsyncPeekedStream(reading, held.chunks, chunks, wait_timer)
    try:
        if await opened.stack.tracking(_commits(opened, held)):
            return opened
        await opened.aclose()
    except BaseException as error:
        late = reading.timer.error() if wait_timer.uncancelled() else None
        await opened.aclose()
        if not held.is_complete(late or error):
            if late is not None:
                raise late from error
            raise
    return held.whole(opened)


async def _commits(opened: AsyncPeekedStream, held: _HeldChunks) -> bool:
    """Read on until a stream commits; return whether it does, or ends before."""
    wait_timer = opened.wait_timer
    wait_timer.set()
    async for chunk in opened.rest:
        wait_timer.off()
        if held.commits_with(chunk):
            return True
        wait_timer.set()
    wait_timer.off()
    return False


class _HeldChunks:
    """Chunks held back until the stream commits."""

    __slots__ = ("_characters", "_clock", "_finish", "_reading", "_spoke", "chunks")

    def __init__(self, reading: ReadContext, clock: Clock) -> None:
        self.chunks: list[ChatGenerationChunk] = []
        reading.progress.parts = self.chunks
        self._characters = 0
        self._clock = clock
        self._finish: str | None = None
        self._reading = reading
        self._spoke = False

    def commits_with(self, chunk: ChatGenerationChunk) -> bool:
        """Take a chunk in; return whether the stream commits with it."""
        now, timer = self._clock.now(), self._reading.timer
        timer.chunk_arrived(now)  # if nobody waits any more, it is not taken
        if not self.chunks:
            self._reading.progress.opened_at = now
        self.chunks.append(chunk)
        if self._finish is None and (finish := finish_reason_of(chunk)) is not None:
            self._finish = finish
            timer.finish_arrived(now)
        commits = self._commits_with(chunk)
        if commits or self._spoke:
            timer.payload_arrived()
        if not commits:
            self._reading.progress.held += 1
        return commits

    def _commits_with(self, chunk: ChatGenerationChunk) -> bool:
        speaks = has_payload(chunk.message)
        self._spoke = self._spoke or speaks
        match self._reading.commit_on:
            case "complete":
                return False
            case "first_chunk":
                return True
            case "text":
                speaks = speaks and not is_reasoning_only(chunk.message)
        return speaks or self._is_full(chunk)

    def _is_full(self, chunk: ChatGenerationChunk) -> bool:
        self._characters += len(str(chunk.message.content))
        return (
            len(self.chunks) >= MAX_HELD_CHUNKS
            or self._characters >= MAX_HELD_CHARACTERS
        )

    def is_complete(self, error: BaseException) -> bool:
        """Return whether the answer was complete before something broke.

        A wire that breaks after the finish marker breaks nothing. An error that the
        provider itself tells of, after a marker and without a word, is the answer.
        """
        if not isinstance(error, Exception) or self._finish in (None, "error"):
            return False
        if is_user_error(error):
            return False
        if not self._spoke and getattr(error, "body", None):
            return False
        self._reading.progress.broke = error
        return True

    def whole(self, opened: T) -> T:
        """Return a stream that ended before its commit, if it is an answer."""
        check_finish(self._finish)
        if not self._spoke:
            accepted = self._reading.accepts_empty
            check_empty(self._finish, opened, accepted=accepted)
        elif self._finish is None and self._reading.expects_finish:
            raise IncompleteStream
        return opened


def close_stream(chunks: Iterable[ChatGenerationChunk]) -> None:
    """Close a child's stream; what it raises has no one left to hear it."""
    if (close := getattr(chunks, "close", None)) is not None:
        with contextlib.suppress(Exception):
            close()
