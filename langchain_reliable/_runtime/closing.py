"""Closing an async stream to its bottom, before going on.

Python closes only the async generator it is told to; those beneath it (a partner
package's, the SDK's, the HTTP client's, which holds the socket) are left to the event
loop's finalizer, some time later. Here they are noted while the stream is being opened
(PEP 525 hooks, set only around the single steps of the awaited code) and closed one
by one, outermost first.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from langchain_reliable._runtime.stepwise import within

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from types import FrameType
    from typing import Self

T = TypeVar("T")

CLOSING = 1.0
"""Seconds that closing one generator may take before it is cancelled."""


class GeneratorStack(list["AsyncGenerator[Any, Any]"]):
    """The async generators that began to run while a stream was being opened.

    One that is known is appended; others are found by `track`.
    """

    __slots__ = ()

    async def aclose(self, stream: AsyncIterator[Any]) -> None:
        """Close a stream and all that it stands on, and wait for it.

        In this task, so that cancel scopes held across a `yield` are left where they
        were entered. A cancellation of the caller that arrives meanwhile reaches the
        generator that is being closed; the others are closed all the same, and then it
        is heeded. What a child raises while it is being closed has no one to hear it.
        """
        cancelled = None
        for generator in (stream, *self):
            # One that ended has no frame any more, and nothing left to close.
            if getattr(generator, "ag_frame", generator) is not None:
                cancelled = await _closed(generator) or cancelled
        self.clear()
        if cancelled is not None:
            raise cancelled

    def track(self, step: Callable[[Any], Any], argument: Any) -> Any:
        """Take one step of an awaitable, noting generators that begin in it."""
        hooks = sys.get_asyncgen_hooks()

        def note(generator: AsyncGenerator[Any, Any]) -> None:
            if not _is_entered():
                self.append(generator)
            if hooks.firstiter is not None:
                hooks.firstiter(generator)

        sys.set_asyncgen_hooks(firstiter=note)
        try:
            return step(argument)
        finally:
            sys.set_asyncgen_hooks(firstiter=hooks.firstiter)


class ClosingStream(Generic[T]):
    """A stream that closes all that it stands on when it is closed.

    It is no generator. Its `__anext__` is that of what it stands on, kept in a slot, so
    that a chunk passes without a frame of ours. And at the end of a loop, which closes
    all generators at once, there is none of ours that closes another a second time.
    """

    __slots__ = ("__anext__", "__weakref__", "_chunks", "_stack")

    def __init__(
        self, chunks: AsyncIterator[T], stack: GeneratorStack, *, is_told: bool
    ) -> None:
        """Stand on a stream that was not begun.

        Args:
            chunks: The stream.
            stack: Closes it, and what was appended.
            is_told: Whether all that it stands on will be appended. A subclass's hooks
                can't be asked for that; what begins with the first chunk is noted then.
        """
        self._chunks = chunks
        self._stack = stack
        self.__anext__ = chunks.__anext__ if is_told else self._first

    def __aiter__(self) -> Self:
        return self

    async def _first(self) -> T:
        self.__anext__ = self._chunks.__anext__
        first = await within(anext(self._chunks, _NOTHING), self._stack.track)
        if first is _NOTHING:
            raise StopAsyncIteration
        return cast("T", first)

    async def aclose(self) -> None:
        """Close it to its bottom, and wait for that."""
        await self._stack.aclose(self._chunks)


_NOTHING = object()


def _is_entered() -> bool:
    """Return whether a generator begins to run as a context manager.

    What enters it leaves it; one that is left open is a session that outlives the
    stream.
    """
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - who lets it run
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    return frame is not None and frame.f_globals.get("__name__") == "contextlib"


async def _closed(generator: object) -> asyncio.CancelledError | None:
    """Close a generator; return a cancellation of the caller that arrived meanwhile."""
    if (close := getattr(generator, "aclose", None)) is None:
        return None
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    try:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSING):
                await close()
    except BaseExceptionGroup as group:
        # A task group held across a `yield` packs what closes the generator.
        if group.split((Exception, GeneratorExit))[1] is not None:
            raise
    except asyncio.CancelledError as error:
        # One that nobody asked for is the child's own.
        return error if task is not None and task.cancelling() > before else None
    return None
