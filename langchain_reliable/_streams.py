"""The peephole: open a stream up to its first word, then relay it.

Holding back what comes before the commit, and handing everything on in order and
unmodified after it, lives here. Who is asked next never does.

The twins differ by `await` and by who breaks off a wait: in sync the iterator itself
does (a `Reader`, where limits apply), in async one `Alarm` for the whole stream. Per
chunk the relay remembers it, looks whether it is the last, and hands it on.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, cast

from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from langchain_reliable._alarm import Alarm
from langchain_reliable._closing import StreamBottom
from langchain_reliable._speech import (
    finish_of,
    is_reasoning_only,
    may_end_without_words,
    says_something,
)
from langchain_reliable.errors import EmptyAnswer, FinishedWithError, IncompleteStream

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Awaitable,
        Callable,
        Generator,
        Iterator,
    )

    from langchain_reliable._clock import Clock
    from langchain_reliable._patience import Patience

T = TypeVar("T")

CommitOn = Literal["first_chunk", "payload", "text", "complete"]
"""What a stream has to show before it is let out."""

MAX_HELD_CHUNKS = 512
"""Chunks held back before committing anyway; real streams have shown 128 silent ones
before they failed. Does not apply to `"complete"`."""

MAX_HELD_CHARACTERS = 1024 * 1024
"""The same in characters of what they hold."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How one attempt's stream is to be read.

    Attributes:
        patience: Its time limits.
        commit_on: What it has to show before it is let out.
        expects_finish: Whether an end without a finish reason is a cut.
    """

    patience: Patience
    commit_on: CommitOn = "payload"
    expects_finish: bool = False


@dataclass(slots=True)
class Opened:
    """A stream up to its commit: what was held, and what is still to come."""

    reading: Reading
    held: list[ChatGenerationChunk]
    rest: Iterator[ChatGenerationChunk] = field(default_factory=lambda: iter(()))


@dataclass(slots=True)
class AsyncOpened:
    """The async twin of `Opened`, with what breaks off a wait and what closes it."""

    reading: Reading
    held: list[ChatGenerationChunk]
    rest: AsyncIterator[ChatGenerationChunk]
    alarm: Alarm
    bottom: StreamBottom = field(default_factory=StreamBottom)

    async def aclose(self) -> None:
        """Close the stream to its bottom, and wait for it."""
        self.alarm.close()
        await self.bottom.aclose(self.rest)


class Ending(Protocol):
    """What a relay asks about its call when it comes to its end."""

    def trail(self) -> dict[str, object]:
        """Return what happened, for the last chunk."""

    def broken_off(
        self, error: Exception, shown: list[ChatGenerationChunk]
    ) -> Exception | None:
        """Return what to raise instead of `error`; `None` lets it through."""

    def handed_over(self, *, finished: bool) -> None:
        """Take note that the last chunk is out, and whether it said why."""


# --- opening ----------------------------------------------------------------------


def open_stream(
    chunks: Iterator[ChatGenerationChunk], reading: Reading, clock: Clock
) -> Opened:
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
        TimeLimitExceeded: A wait for it lasted too long.
    """
    held = _Held(reading, clock)
    try:
        for chunk in chunks:
            if held.commits_with(chunk):
                return Opened(reading, held.chunks, chunks)
    except BaseException as error:
        _close(chunks)
        if not held.is_complete(error):
            raise
    return held.whole(Opened(reading, held.chunks))


async def aopen_stream(
    chunks: AsyncIterator[ChatGenerationChunk], reading: Reading, clock: Clock
) -> AsyncOpened:
    """Read a stream up to its commit; the twin of `open_stream`."""
    held = _Held(reading, clock)
    alarm = Alarm(reading.patience, clock)
    opened = AsyncOpened(reading, held.chunks, chunks, alarm)
    try:
        while (chunk := await _first(opened)) is not None:
            if held.commits_with(chunk):
                return opened
        await opened.aclose()
    except BaseException as error:
        await opened.aclose()
        if not held.is_complete(error):
            raise
    return held.whole(opened)


async def _first(opened: AsyncOpened) -> ChatGenerationChunk | None:
    """Wait for a chunk, noting the generators that begin to run meanwhile."""
    alarm = opened.alarm
    try:
        alarm.set()
        chunk = await opened.bottom.noting(_next(opened.rest))
        alarm.off()
    except BaseException as error:
        if alarm.took_back():
            raise opened.reading.patience.exceeded() from error
        raise
    return chunk


async def _next(
    chunks: AsyncIterator[ChatGenerationChunk],
) -> ChatGenerationChunk | None:
    return await anext(chunks, None)


class _Held:
    """Chunks held back until the stream commits."""

    __slots__ = ("_characters", "_clock", "_finish", "_reading", "_spoke", "chunks")

    def __init__(self, reading: Reading, clock: Clock) -> None:
        self.chunks: list[ChatGenerationChunk] = []
        self._characters = 0
        self._clock = clock
        self._finish: str | None = None
        self._reading = reading
        self._spoke = False

    def commits_with(self, chunk: ChatGenerationChunk) -> bool:
        """Take a chunk in; return whether the stream commits with it."""
        self.chunks.append(chunk)
        patience = self._reading.patience
        patience.arrived()
        if self._finish is None and (finish := finish_of(chunk)) is not None:
            self._finish = finish
            patience.finished(self._clock.now())
        commits = self._commits_with(chunk)
        if commits or self._spoke:
            patience.spoke()
        return commits

    def _commits_with(self, chunk: ChatGenerationChunk) -> bool:
        speaks = says_something(chunk.message)
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
        """Return whether the answer was complete before something broke."""
        return isinstance(error, Exception) and self._finish not in (None, "error")

    def whole(self, opened: T) -> T:
        """Return a stream that ended before its commit, if it is an answer."""
        check_finish(self._finish)
        if not self._spoke:
            check_wordless(self._finish, opened)
        elif self._finish is None and self._reading.expects_finish:
            raise IncompleteStream
        return opened


def check_finish(finish: str | None) -> None:
    """Raise if the finish reason itself tells of an error (OpenRouter)."""
    if finish == "error":
        raise FinishedWithError


def check_wordless(finish: str | None, answer: object) -> None:
    """Raise unless an answer without a word is valid with this finish reason."""
    if finish is None:
        raise IncompleteStream
    if not may_end_without_words(finish):
        raise EmptyAnswer(answer)


# --- relaying ---------------------------------------------------------------------


def relay(
    open_: Callable[[], Opened], ending: Ending, clock: Clock
) -> Generator[ChatGenerationChunk]:
    """Hand on a committed stream to its end, and close it whatever happens.

    Args:
        open_: Returns the stream, committed.
        ending: What is asked at its end.
        clock: Time.
    """
    opened = open_()
    relayed = _Relayed(ending, opened.reading, clock)
    try:
        for chunk in opened.held:
            yield relayed.noted(chunk)
        for chunk in opened.rest:
            yield relayed.noted(chunk)
        relayed.check_end()
    except Exception as error:  # noqa: BLE001 - judged there
        relayed.broke_off(error)
    finally:
        _close(opened.rest)
    yield from relayed.end()


async def arelay(
    open_: Callable[[], Awaitable[AsyncOpened]], ending: Ending, clock: Clock
) -> AsyncGenerator[ChatGenerationChunk]:
    """Hand on a committed stream to its end; the twin of `relay`."""
    opened = await open_()
    alarm, this_task = opened.alarm, asyncio.current_task
    now = asyncio.get_running_loop().time
    relayed = _Relayed(ending, opened.reading, clock, alarm)
    try:
        for chunk in opened.held:
            yield relayed.noted(chunk)
        alarm.set()
        async for chunk in opened.rest:
            if alarm.rang:
                break
            alarm.task = None
            yield relayed.noted(chunk)
            if alarm.armed and alarm.owner is (task := this_task()):
                alarm.since, alarm.task = now(), task
            else:
                relayed.resumed()
        alarm.off()
        relayed.check_end()
    except BaseException as error:
        if alarm.took_back():
            relayed.broke_off(opened.reading.patience.exceeded())
        elif isinstance(error, Exception) and not alarm.cancelled:
            relayed.broke_off(error)
        else:
            raise
    finally:
        await opened.aclose()
    for chunk in relayed.end():
        yield chunk


class _Relayed:
    """What has been handed on of a stream."""

    __slots__ = (
        "_alarm",
        "_chunks",
        "_clock",
        "_ending",
        "_finish",
        "_handed_at",
        "_marked",
        "_reading",
    )

    def __init__(
        self, ending: Ending, reading: Reading, clock: Clock, alarm: Alarm | None = None
    ) -> None:
        self._alarm = alarm
        self._chunks: list[ChatGenerationChunk] = []
        self._clock = clock
        self._ending = ending
        self._finish: str | None = None
        self._handed_at = 0.0
        self._marked = False
        self._reading = reading

    def noted(self, chunk: ChatGenerationChunk) -> ChatGenerationChunk:
        """Take note of a chunk on its way out; most are like any other."""
        self._chunks.append(chunk)
        last = getattr(chunk.message, "chunk_position", None)
        if last is not None or chunk.generation_info is not None:
            self._look_for_the_end(chunk)
        if self._alarm is not None and not self._alarm.armed:
            self._handed_at = self._clock.now()
        return chunk

    def resumed(self) -> None:
        """The consumer wants another chunk; what it took for itself is not counted."""
        alarm = cast("Alarm", self._alarm)
        if not alarm.armed:
            self._reading.patience.extend(self._clock.now() - self._handed_at)
        alarm.set()

    def _look_for_the_end(self, chunk: ChatGenerationChunk) -> None:
        """See whether a chunk tells why the model stopped; stamp the last one."""
        if self._finish is None and (finish := finish_of(chunk)) is not None:
            self._finish = finish
            self._reading.patience.finished(self._clock.now())
            if self._alarm is not None:
                self._alarm.armed = False  # for less time than it was set for
        if getattr(chunk.message, "chunk_position", None) == "last":
            self._marked = True
            chunk.message.response_metadata["reliable"] = self._ending.trail()

    @property
    def _finished(self) -> str | None:
        """Why the model stopped; some say it in the metadata of any chunk."""
        return self._finish or _finish_among(self._chunks)

    def check_end(self) -> None:
        """Raise if a stream that ended by itself was cut, or ended in an error."""
        check_finish(finish := self._finished)
        if finish is None and self._reading.expects_finish:
            raise IncompleteStream

    def broke_off(self, error: Exception) -> None:
        """Raise what the caller shall see, unless the answer was complete by then."""
        if self._finished not in (None, "error"):
            return
        interrupted = self._ending.broken_off(error, self._chunks)
        if interrupted is None:
            raise error
        raise interrupted from error

    def end(self) -> Iterator[ChatGenerationChunk]:
        """Yield the chunk that marks the end, where the child has not."""
        finished = self._finished is not None
        if not self._marked and self._chunks:
            yield self.noted(_last_chunk(self._chunks[-1]))
        self._ending.handed_over(finished=finished)


def _last_chunk(before: ChatGenerationChunk) -> ChatGenerationChunk:
    """Make the chunk that LangChain would add to mark the end (seen in 1.7.2)."""
    content: str | list[str | dict[Any, Any]]
    content = "" if isinstance(before.message.content, str) else []
    message = AIMessageChunk(content=content, chunk_position="last")
    return ChatGenerationChunk(message=message)


def _finish_among(chunks: list[ChatGenerationChunk]) -> str | None:
    return next(filter(None, map(finish_of, reversed(chunks))), None)


def _close(chunks: Iterator[ChatGenerationChunk]) -> None:
    """Close a child's stream; what it raises has no one left to hear it."""
    if (close := getattr(chunks, "close", None)) is not None:
        with contextlib.suppress(Exception):
            close()
