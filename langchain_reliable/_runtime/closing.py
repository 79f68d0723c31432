"""Closing an async stream to its bottom, before going on.

Python closes only the async generator it is told to; those beneath it (a partner
package's, the SDK's, the HTTP client's, which holds the socket) are left to the event
loop's finalizer, some time later. Here they are noted while the stream is being opened
(PEP 525 hooks, set only around the single steps of the awaited code) and closed one
by one, outermost first. Deciding when to close never happens here.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING, Any, TypeVar

from langchain_reliable._runtime.stepwise import within

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
    from types import FrameType

T = TypeVar("T")

CLOSING = 1.0
"""Seconds that closing one generator may take before it is cancelled."""


class GeneratorStack:
    """The async generators that began to run while a stream was being opened."""

    __slots__ = ("_born",)

    def __init__(self) -> None:
        self._born: list[AsyncGenerator[Any, Any]] = []

    def add(self, generator: AsyncGenerator[Any, Any]) -> None:
        """Take note of a generator beneath, where it is known."""
        self._born.append(generator)

    def tracking(self, awaitable: Awaitable[T]) -> Awaitable[T]:
        """Wrap an awaitable so that generators born in it are noted."""
        return within(awaitable, self._run)

    async def aclose(self, stream: AsyncIterator[Any]) -> None:
        """Close a stream and all that it stands on, and wait for it.

        In this task, so that cancel scopes held across a `yield` are left where they
        were entered. A cancellation of the caller that arrives meanwhile reaches the
        generator that is being closed; the others are closed all the same, and then it
        is heeded. What a child raises while it is being closed has no one to hear it.
        """
        cancelled = None
        for generator in (stream, *self._born):
            if _is_open(generator):
                cancelled = await _closed(generator) or cancelled
        self._born.clear()
        if cancelled is not None:
            raise cancelled

    def _run(self, step: Callable[[Any], Any], argument: Any) -> Any:
        hooks = sys.get_asyncgen_hooks()

        def note(generator: AsyncGenerator[Any, Any]) -> None:
            if not _is_entered(_asker()):
                self._born.append(generator)
            if hooks.firstiter is not None:
                hooks.firstiter(generator)

        sys.set_asyncgen_hooks(firstiter=note)
        try:
            return step(argument)
        finally:
            sys.set_asyncgen_hooks(firstiter=hooks.firstiter)


def _asker() -> FrameType | None:
    """Return the frame whose code lets a generator begin to run."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - there is no other way
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    return frame


def _is_entered(by: FrameType | None) -> bool:
    """Return whether a generator begins to run as a context manager.

    What enters it leaves it; one that is left open is a session that outlives the
    stream.
    """
    return by is not None and by.f_globals.get("__name__") == "contextlib"


def _is_open(generator: object) -> bool:
    """Return whether something may be left to close; one that ended has no frame."""
    return getattr(generator, "ag_frame", generator) is not None


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
    except asyncio.CancelledError as error:
        # One that nobody asked for is the child's own.
        return error if task is not None and task.cancelling() > before else None
    return None
