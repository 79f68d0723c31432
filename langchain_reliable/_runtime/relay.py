"""Handing a committed stream on to its end.

In order and unmodified, with the trail on the last chunk, and closed whatever happens.
Opening a stream is `_streams`' work; how a broken one ends is decided by its call.

The twins differ by `await` and by the alarm. Per chunk the relay remembers it, looks
whether it is the last, and hands it on; it does so without a call of its own, which
would cost more than all the rest.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, Protocol

from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from langchain_reliable._core.usage import usage_at_end
from langchain_reliable._core.user_errors import is_user_error
from langchain_reliable._runtime.payload import check_finish, finish_reason_of
from langchain_reliable._runtime.peek import close_stream
from langchain_reliable.errors import IncompleteStream

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        Awaitable,
        Callable,
        Generator,
        Iterator,
    )

    from langchain_reliable._core.usage import Usage
    from langchain_reliable._runtime.clock import Clock
    from langchain_reliable._runtime.peek import (
        AsyncPeekedStream,
        PeekedStream,
        ReadContext,
    )
    from langchain_reliable._runtime.timer import WaitTimer

if sys.version_info >= (3, 12):
    _current_task = asyncio.current_task
else:  # what it does, without a frame that costs as much as all else that we do
    _current_task = asyncio.tasks._current_tasks.get  # type: ignore[attr-defined] # noqa: SLF001

_LAST = 8
"""Chunks among which a finish marker and usage are looked for at the end."""


class RelayListener(Protocol):
    """What a relay asks about its call when it comes to its end."""

    def trail(self) -> dict[str, object]:
        """Return what happened, for the last chunk."""

    def use_winner(self) -> None:
        """Take note that the call has settled on a stream."""

    def is_complete(self, shown: list[ChatGenerationChunk]) -> bool:
        """Return whether what was shown is all, though the wire broke after it."""

    def interruption(
        self, error: Exception, shown: list[ChatGenerationChunk]
    ) -> Exception | None:
        """Return what to raise instead of `error`; `None` lets it through."""

    def answered(self, *, finished: bool, usage: Usage) -> None:
        """Take note that the last chunk is out, whether it said why, and its usage."""

    def abandoned(self) -> None:
        """Take note that the caller went away in mid-answer."""


def relay(
    open_: Callable[[], PeekedStream], ending: RelayListener, clock: Clock
) -> Generator[ChatGenerationChunk]:
    """Hand on a committed stream to its end, and close it whatever happens.

    Args:
        open_: Returns the stream, committed.
        ending: What is asked at its end.
        clock: Time.
    """
    opened = open_()
    ending.use_winner()
    relayed = _RelayState(ending, opened.reading, clock)
    keep = relayed.chunks.append
    try:
        yield from map(relayed.noted, opened.held)
        for chunk in opened.rest:
            keep(chunk)
            try:
                last = chunk.message.chunk_position  # type: ignore[attr-defined] # its
            except AttributeError:
                last = None
            if last is not None or chunk.generation_info is not None:
                relayed.look_for_the_end(chunk)
            yield chunk
        relayed.check_end()
    except Exception as error:  # noqa: BLE001 - judged there
        relayed.broke_off(error)
    except BaseException:
        ending.abandoned()
        raise
    finally:
        close_stream(opened.rest)
    yield from relayed.end()


async def arelay(
    open_: Callable[[], Awaitable[AsyncPeekedStream]],
    ending: RelayListener,
    clock: Clock,
) -> AsyncGenerator[ChatGenerationChunk]:
    """Hand on a committed stream to its end; the twin of `relay`."""
    opened = await open_()
    ending.use_winner()
    wait_timer, now = opened.wait_timer, opened.wait_timer.time
    timer = opened.reading.timer
    this_task, loop = _current_task, asyncio.get_running_loop()
    relayed = _RelayState(ending, opened.reading, clock, wait_timer)
    keep = relayed.chunks.append
    try:
        for chunk in opened.held:
            yield relayed.noted(chunk)
            timer.resume(clock.now())
        wait_timer.set()
        async for chunk in opened.rest:
            wait_timer.task = None
            if not wait_timer.armed:
                if wait_timer.fired:
                    break
                timer.pause(clock.now())
            keep(chunk)
            try:
                last = chunk.message.chunk_position  # type: ignore[attr-defined] # its
            except AttributeError:
                last = None
            if last is not None or chunk.generation_info is not None:
                relayed.look_for_the_end(chunk)
            yield chunk
            task = this_task(loop)
            if wait_timer.armed and wait_timer.owner is task is not None:
                wait_timer.since, wait_timer.task = now(), task
                wait_timer.cancelling = task.cancelling()
            else:
                timer.resume(clock.now())
                wait_timer.set()
        wait_timer.off()
        relayed.check_end()
    except BaseException as error:  # noqa: BLE001 - judged there
        relayed.stopped(error, wait_timer)
    finally:
        await opened.aclose()
    for chunk in relayed.end():
        yield chunk


class _RelayState:
    """What has been handed on of a stream."""

    __slots__ = (
        "_clock",
        "_ending",
        "_finish",
        "_marked",
        "_reading",
        "_wait_timer",
        "chunks",
    )

    def __init__(
        self,
        ending: RelayListener,
        reading: ReadContext,
        clock: Clock,
        wait_timer: WaitTimer | None = None,
    ) -> None:
        self.chunks: list[ChatGenerationChunk] = []
        self._wait_timer = wait_timer
        self._clock = clock
        self._ending = ending
        self._finish: str | None = None
        self._marked = False
        self._reading = reading

    def noted(self, chunk: ChatGenerationChunk) -> ChatGenerationChunk:
        """Take note of a chunk on its way out, as the loops do for most by hand."""
        self.chunks.append(chunk)
        last = getattr(chunk.message, "chunk_position", None)
        if last is not None or chunk.generation_info is not None:
            self.look_for_the_end(chunk)
        if self._wait_timer is not None:
            self._reading.timer.pause(self._clock.now())
        return chunk

    def look_for_the_end(self, chunk: ChatGenerationChunk) -> None:
        """See whether a chunk tells why the model stopped; stamp the last one."""
        if self._finish is None and (finish := finish_reason_of(chunk)) is not None:
            self._finish = finish
            self._reading.timer.finish_arrived(self._clock.now())
            if self._wait_timer is not None:
                self._wait_timer.armed = False  # for less time than it was set for
        if getattr(chunk.message, "chunk_position", None) == "last":
            self._marked = True
            chunk.message.response_metadata["reliable"] = self._ending.trail()

    @property
    def _finished(self) -> str | None:
        """Why the model stopped; some say it in the metadata of any chunk."""
        return self._finish or _finish_among(self.chunks)

    def check_end(self) -> None:
        """Raise if a stream that ended by itself was cut, or ended in an error."""
        check_finish(finish := self._finished)
        if finish is None and self._reading.expects_finish:
            raise IncompleteStream

    def broke_off(self, error: Exception) -> None:
        """Raise what the caller shall see, unless the answer was complete by then."""
        finished = self._finished not in (None, "error") and not is_user_error(error)
        if finished and self._ending.is_complete(self.chunks):
            return
        interrupted = self._ending.interruption(error, self.chunks)
        if interrupted is None:
            raise error
        raise interrupted from error

    def stopped(self, error: BaseException, wait_timer: WaitTimer) -> None:
        """Raise what the caller shall see of what ended an async relay."""
        if wait_timer.uncancelled():
            self.broke_off(self._reading.timer.error())
        elif isinstance(error, Exception) and not wait_timer.cancelled:
            self.broke_off(error)
        else:
            self._ending.abandoned()
            if wait_timer.cancelled and isinstance(error, Exception):
                raise asyncio.CancelledError from error
            raise error

    def end(self) -> Iterator[ChatGenerationChunk]:
        """Yield the chunk that marks the end, where the child has not."""
        finished = self._finished is not None
        if not self._marked and self.chunks:
            yield self.noted(_last_chunk(self.chunks[-1]))
        usage = usage_at_end(self.chunks, _LAST)
        self._ending.answered(finished=finished, usage=usage)


def _last_chunk(before: ChatGenerationChunk) -> ChatGenerationChunk:
    """Make the chunk that LangChain would add to mark the end (seen in 1.7.2)."""
    content: str | list[str | dict[Any, Any]]
    content = "" if isinstance(before.message.content, str) else []
    message = AIMessageChunk(content=content, chunk_position="last")
    return ChatGenerationChunk(message=message)


def _finish_among(chunks: list[ChatGenerationChunk]) -> str | None:
    """Return why the model stopped, if one of its last chunks says so."""
    last = reversed(chunks[-_LAST:])
    return next(filter(None, map(finish_reason_of, last)), None)
