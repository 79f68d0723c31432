"""Hands a committed stream on to its end.

In order and unmodified, with the trail on the last chunk, and closed whatever happens.
Before the last chunk is out, the whole is judged: with a broken tool call it ends as an
interrupted one, so that no tool runs with half its arguments.

The twins differ by `await` and by the timer. Per chunk the relay remembers it, looks
whether it is the last, and hands it on; it does so without a call of its own, which
would cost more than all the rest.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol

from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from langchain_reliable._core.usage import usage_at_end
from langchain_reliable._core.user_errors import is_user_error
from langchain_reliable._runtime.payload import PROVIDER_BROKE
from langchain_reliable._runtime.peek import ENDED, close_stream, snapshot
from langchain_reliable.errors import BrokenToolCall, EmptyAnswer, FilteredAnswer
from langchain_reliable.observers._logging import unheard

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
    )
    from langchain_reliable._runtime.timer import WaitTimer
    from langchain_reliable.errors import AnswerRejected

logger = logging.getLogger("langchain_reliable")

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

    def answered(
        self, *, finished: bool, usage: Usage, shown: list[ChatGenerationChunk]
    ) -> None:
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
    relayed = _RelayState(ending, opened, clock)
    keep, usual = relayed.chunks.append, relayed.usual_metadata
    reused, reused_message = opened.written_into
    try:
        yield from map(relayed.noted, opened.held)
        for chunk in opened.rest:
            message = chunk.message
            if chunk is reused or message is reused_message:
                chunk = snapshot(chunk)  # noqa: PLW2901
                message = chunk.message
            keep(chunk)
            try:
                last = message.chunk_position  # type: ignore[attr-defined] # its own
            except AttributeError:
                last = None
            if (
                last is not None
                or chunk.generation_info is not None
                or message.response_metadata != usual
            ):
                relayed.look_for_the_end(chunk)
            yield chunk
        if not relayed.judged:
            relayed.check_end()
    except Exception as error:  # noqa: BLE001 - judged there
        relayed.broke_off(error)
    except BaseException:
        ending.abandoned()
        raise
    finally:
        close_stream(opened.rest)
    yield from relayed.end()


async def arelay(  # noqa: C901 - no calls of its own per chunk
    open_: Callable[[], Awaitable[AsyncPeekedStream]],
    ending: RelayListener,
    clock: Clock,
) -> AsyncGenerator[ChatGenerationChunk]:
    """Hand on a committed stream to its end; the twin of `relay`."""
    opened = await open_()
    ending.use_winner()
    wait_timer = opened.wait_timer
    relayed = _RelayState(ending, opened, clock, wait_timer)
    keep, usual = relayed.chunks.append, relayed.usual_metadata
    reused, reused_message = opened.written_into
    wait_timer.counted, wait_timer.armed = relayed.chunks, False
    wait_again = wait_timer.set_again
    try:
        for chunk in opened.held:
            yield relayed.noted(chunk)
        wait_again()
        async for chunk in opened.rest:
            wait_timer.task = None
            if not wait_timer.armed:
                wait_timer.arrived()
            message = chunk.message
            if chunk is reused or message is reused_message:
                chunk = snapshot(chunk)  # noqa: PLW2901
                message = chunk.message
            keep(chunk)
            try:
                last = message.chunk_position  # type: ignore[attr-defined] # its own
            except AttributeError:
                last = None
            if (
                last is not None
                or chunk.generation_info is not None
                or message.response_metadata != usual
            ):
                relayed.look_for_the_end(chunk)
            yield chunk
            wait_again()
        wait_timer.off()
        if not relayed.judged:
            relayed.check_end()
    except BaseException as error:
        if relayed.is_stopped_by(error, wait_timer):
            raise
    finally:
        await opened.aclose()
    for chunk in relayed.end():
        yield chunk


class _RelayState:
    """What has been handed on of a stream.

    Attributes:
        chunks: All of it.
        judged: Whether the whole was judged.
        usual_metadata: What the metadata of its chunks says that say nothing new.
    """

    __slots__ = (
        "_clock",
        "_ending",
        "_finish",
        "_marked",
        "_reading",
        "_wait_timer",
        "chunks",
        "judged",
        "usual_metadata",
    )

    def __init__(
        self,
        ending: RelayListener,
        opened: PeekedStream | AsyncPeekedStream,
        clock: Clock,
        wait_timer: WaitTimer | None = None,
    ) -> None:
        self.chunks: list[ChatGenerationChunk] = []
        held = opened.held
        self.usual_metadata = {**held[-1].message.response_metadata} if held else {}
        self._wait_timer = wait_timer
        self._clock = clock
        self._ending = ending
        self._finish: str | None = None
        self.judged = opened.judged
        self._marked = False
        self._reading = opened.reading

    def noted(self, chunk: ChatGenerationChunk) -> ChatGenerationChunk:
        """Take note of a chunk on its way out, as the loops do for most by hand."""
        times = self._wait_timer is not None and self._reading.timer.deadlines
        if times:
            self._reading.timer.resume(self._clock.now())  # from the one before it
        self.chunks.append(chunk)
        message = chunk.message
        last = getattr(message, "chunk_position", None)
        if last or chunk.generation_info is not None or message.response_metadata:
            self.look_for_the_end(chunk)
        if times:
            self._reading.timer.pause(self._clock.now())
        return chunk

    def look_for_the_end(self, chunk: ChatGenerationChunk) -> None:
        """See whether a chunk tells why the model stopped; stamp the last one.

        Raises:
            AnswerRejected: It is the last, and nobody may have the whole.
        """
        if self._finish is None:
            self._finish = self._reading.finish_of(chunk)
            if self._finish is not None:
                self._reading.timer.finish_arrived(self._clock.now())
                if self._wait_timer is not None:
                    self._wait_timer.armed = False  # for less time than it was set for
        if getattr(chunk.message, "chunk_position", None) == "last":
            known = self._finish is not None or not self._reading.expects_finish
            if known and (fault := self._fault()) is not None:
                raise fault
            self._marked = True
            chunk.message.response_metadata["reliable"] = self._ending.trail()

    def check_end(self) -> None:
        """Raise if a stream was cut, ended in an error, or with a broken tool call.

        Raises:
            AnswerRejected: What is wrong with it.
        """
        if (fault := self._fault()) is not None:
            raise fault

    def _fault(self) -> AnswerRejected | None:
        """Return what is wrong with the whole; asked once.

        What says nothing, or was ended by a filter, has been shown, and no harm comes
        of it: a line in the log says so.
        """
        if self.judged:
            return None
        self.judged, reading = True, self._reading
        fault = reading.judge.fault_of_stream(
            self.chunks,
            self._finish,
            expects_finish=reading.expects_finish,
            shown=True,
        )
        if not isinstance(fault, (EmptyAnswer, FilteredAnswer)):
            return fault
        if not unheard.get():
            served_by = self._ending.trail()["served_by"]
            logger.warning("%s: %s; shown by then, and so returned", served_by, fault)
        return None

    def broke_off(self, error: Exception) -> None:
        """Raise what the caller shall see, unless the answer was complete by then."""
        if (  # nothing was missing when the wire broke
            self._finish is not None
            and self._finish not in PROVIDER_BROKE
            and not is_user_error(error)
            and not isinstance(error, BrokenToolCall)
            and self._ending.is_complete(self.chunks)
        ):
            if (fault := self._fault()) is None:
                return
            error = fault
        interrupted = self._ending.interruption(error, self.chunks)
        if interrupted is None:
            raise error
        raise interrupted from error

    def is_stopped_by(self, error: BaseException, wait_timer: WaitTimer) -> bool:
        """Return whether an async relay ends with what was raised in it.

        Raised here it would hold this frame, and that all that was handed on.
        """
        if wait_timer.uncancelled():
            self.broke_off(self._reading.timer.error())
            return False
        if isinstance(error, Exception):
            if not wait_timer.cancelled:
                self.broke_off(error)
                return False
            self._ending.abandoned()
            raise asyncio.CancelledError from error
        self._ending.abandoned()
        return True

    def end(self) -> Iterator[ChatGenerationChunk]:
        """Yield the chunk that marks the end, where the child has not."""
        finished = self._finish is not None and self._finish != ENDED
        if not self._marked and self.chunks:
            is_text = isinstance(self.chunks[-1].message.content, str)
            # As LangChain would add it to mark the end (seen in 1.7.2).
            message = AIMessageChunk(
                content="" if is_text else [], chunk_position="last"
            )
            self.chunks.append(last := ChatGenerationChunk(message=message))
            message.response_metadata["reliable"] = self._ending.trail()
            yield last
        usage = usage_at_end(self.chunks, _LAST)
        self._ending.answered(finished=finished, usage=usage, shown=self.chunks)
