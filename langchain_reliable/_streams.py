"""The peephole: open a stream up to its first word, then relay it.

Holding back what comes before the first effective payload, and handing everything on
in order and unmodified after it, lives here. Who is asked next never does.

The twins differ by `async`. Per chunk the relay does three things: remember it, look
whether it is marked as the last, hand it on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from langchain_reliable._closing import StreamBottom
from langchain_reliable._speech import finish_of, may_end_without_words, says_something
from langchain_reliable.errors import EmptyAnswer, IncompleteStream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator

T = TypeVar("T")

MAX_HELD_CHUNKS = 512
"""Chunks held back before committing anyway; real streams have shown 128 silent ones
before they failed."""

MAX_HELD_CHARACTERS = 1024 * 1024
"""The same in characters of what they hold."""


async def _nothing() -> AsyncIterator[ChatGenerationChunk]:
    return
    yield


@dataclass(slots=True)
class Opened:
    """A stream up to its first word: what was held, and what is still to come."""

    held: list[ChatGenerationChunk]
    rest: Iterator[ChatGenerationChunk] = field(default_factory=lambda: iter(()))


@dataclass(slots=True)
class AsyncOpened:
    """The async twin of `Opened`."""

    held: list[ChatGenerationChunk]
    rest: AsyncIterator[ChatGenerationChunk] = field(default_factory=_nothing)
    bottom: StreamBottom = field(default_factory=StreamBottom)


class Ending(Protocol):
    """What a relay asks about its call when it comes to its end."""

    def trail(self) -> dict[str, object]:
        """Return what happened, for the last chunk."""

    def broken_off(
        self, error: Exception, shown: list[ChatGenerationChunk]
    ) -> Exception | None:
        """Return what to raise instead of `error`; `None` lets it through."""

    def handed_over(self) -> None:
        """Take note that the last chunk is out."""


# --- opening ----------------------------------------------------------------------


def open_stream(chunks: Iterator[ChatGenerationChunk]) -> Opened:
    """Read a stream up to its first word.

    Args:
        chunks: A child's stream, not begun.

    Returns:
        The stream, committed.

    Raises:
        EmptyAnswer: It finished and said nothing.
        IncompleteStream: It ended without a word and without a finish reason.
    """
    held = _Held()
    try:
        for chunk in chunks:
            if held.commits_with(chunk):
                return Opened(held.chunks, chunks)
    except BaseException:
        _close(chunks)
        raise
    return held.wordless(Opened(held.chunks))


async def aopen_stream(chunks: AsyncIterator[ChatGenerationChunk]) -> AsyncOpened:
    """Read a stream up to its first word; the twin of `open_stream`."""
    held, bottom = _Held(), StreamBottom()
    try:
        while (chunk := await bottom.noting(_next(chunks))) is not None:
            if held.commits_with(chunk):
                return AsyncOpened(held.chunks, chunks, bottom)
    except BaseException:
        await bottom.aclose(chunks)
        raise
    return held.wordless(AsyncOpened(held.chunks))


async def _next(
    chunks: AsyncIterator[ChatGenerationChunk],
) -> ChatGenerationChunk | None:
    return await anext(chunks, None)


class _Held:
    """Chunks held back until one of them says something."""

    __slots__ = ("_characters", "chunks")

    def __init__(self) -> None:
        self.chunks: list[ChatGenerationChunk] = []
        self._characters = 0

    def commits_with(self, chunk: ChatGenerationChunk) -> bool:
        """Take a chunk in; return whether the stream commits with it."""
        self.chunks.append(chunk)
        if says_something(chunk.message):
            return True
        self._characters += len(str(chunk.message.content))
        return (
            len(self.chunks) >= MAX_HELD_CHUNKS
            or self._characters >= MAX_HELD_CHARACTERS
        )

    def wordless(self, opened: T) -> T:
        """Return a stream that ended without a word, if that is an answer."""
        check_wordless(_finish_among(self.chunks), opened)
        return opened


def check_wordless(finish: str | None, answer: object) -> None:
    """Raise unless an answer without a word is valid with this finish reason."""
    if finish is None:
        raise IncompleteStream
    if not may_end_without_words(finish):
        raise EmptyAnswer(answer)


# --- relaying ---------------------------------------------------------------------


def relay(opened: Opened, ending: Ending) -> Generator[ChatGenerationChunk]:
    """Hand on a committed stream to its end, and close it whatever happens."""
    relayed = _Relayed(ending)
    try:
        for chunk in opened.held:
            yield relayed.next(chunk)
        for chunk in opened.rest:
            yield relayed.next(chunk)
    except Exception as error:  # noqa: BLE001 - judged there
        relayed.broke_off(error)
    finally:
        _close(opened.rest)
    yield from relayed.end()


async def arelay(
    opened: AsyncOpened, ending: Ending
) -> AsyncGenerator[ChatGenerationChunk]:
    """Hand on a committed stream to its end; the twin of `relay`."""
    relayed = _Relayed(ending)
    try:
        for chunk in opened.held:
            yield relayed.next(chunk)
        async for chunk in opened.rest:
            yield relayed.next(chunk)
    except Exception as error:  # noqa: BLE001 - judged there
        relayed.broke_off(error)
    finally:
        await opened.bottom.aclose(opened.rest)
    for chunk in relayed.end():
        yield chunk


class _Relayed:
    """What has been handed on of a stream."""

    __slots__ = ("_chunks", "_ending", "_marked")

    def __init__(self, ending: Ending) -> None:
        self._chunks: list[ChatGenerationChunk] = []
        self._ending = ending
        self._marked = False

    def next(self, chunk: ChatGenerationChunk) -> ChatGenerationChunk:
        """Take note of a chunk on its way out; the one marked last gets the trail."""
        self._chunks.append(chunk)
        if getattr(chunk.message, "chunk_position", None) == "last":
            self._marked = True
            chunk.message.response_metadata["reliable"] = self._ending.trail()
        return chunk

    def broke_off(self, error: Exception) -> None:
        """Raise what the caller shall see, unless the answer was complete by then."""
        if _finish_among(self._chunks) is not None:
            return
        interrupted = self._ending.broken_off(error, self._chunks)
        if interrupted is None:
            raise error
        raise interrupted from error

    def end(self) -> Iterator[ChatGenerationChunk]:
        """Yield the chunk that marks the end, where the child has not."""
        if not self._marked and self._chunks:
            yield self.next(_last_chunk(self._chunks[-1]))
        self._ending.handed_over()


def _last_chunk(before: ChatGenerationChunk) -> ChatGenerationChunk:
    """Make the chunk that LangChain would add to mark the end (seen in 1.7.2)."""
    content: str | list[str | dict[Any, Any]]
    content = "" if isinstance(before.message.content, str) else []
    message = AIMessageChunk(content=content, chunk_position="last")
    return ChatGenerationChunk(message=message)


def _finish_among(chunks: list[ChatGenerationChunk]) -> str | None:
    return next(filter(None, map(finish_of, reversed(chunks))), None)


def _close(chunks: Iterator[ChatGenerationChunk]) -> None:
    """Close a child's stream; one that is no generator has nothing to close."""
    if (close := getattr(chunks, "close", None)) is not None:
        close()
