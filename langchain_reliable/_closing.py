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

from langchain_reliable._within import within

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

T = TypeVar("T")

CLOSING = 1.0
"""Seconds that closing one generator may take; a stuck one is left to the loop."""


class StreamBottom:
    """The async generators that began to run while a stream was being opened."""

    __slots__ = ("_born",)

    def __init__(self) -> None:
        self._born: list[AsyncGenerator[Any, Any]] = []

    def noting(self, awaitable: Awaitable[T]) -> Awaitable[T]:
        """Wrap an awaitable so that generators born in it are noted."""
        return within(awaitable, self._run)

    async def aclose(self, stream: AsyncIterator[Any]) -> None:
        """Close a stream and all that it stands on, and wait for it.

        What a child raises while it is being closed has no one left to hear it. A
        cancellation that arrives meanwhile is heeded when all is closed.
        """
        cancelled: asyncio.CancelledError | None = None
        for generator in (stream, *self._born):
            try:
                await _closed(generator)
            except asyncio.CancelledError as error:
                cancelled = error
        self._born.clear()
        if cancelled is not None:
            raise cancelled

    def _run(self, step: Callable[[Any], Any], argument: Any) -> Any:
        hooks = sys.get_asyncgen_hooks()

        def note(generator: AsyncGenerator[Any, Any]) -> None:
            self._born.append(generator)
            if hooks.firstiter is not None:
                hooks.firstiter(generator)

        sys.set_asyncgen_hooks(firstiter=note)
        try:
            return step(argument)
        finally:
            sys.set_asyncgen_hooks(firstiter=hooks.firstiter)


async def _closed(generator: object) -> None:
    if getattr(generator, "ag_frame", generator) is None:
        return  # it has run to its end
    if (close := getattr(generator, "aclose", None)) is not None:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSING):
                await close()
