"""Closing an async stream to its bottom, before going on.

Python closes only the async generator it is told to; those beneath it (a partner
package's, the SDK's, the HTTP client's, which holds the socket) are left to the event
loop's finalizer, some time later. Here they are noted while the stream is being opened
(PEP 525 hooks, set only around the single steps of the awaited code) and closed one
by one, outermost first. Deciding when to close never happens here.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any, TypeVar

from langchain_reliable._within import shielded, within

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

T = TypeVar("T")

CLOSING = 1.0
"""Seconds that closing a stream may take; a stuck one is left."""

_OURS = 2
"""References to a generator that only we still hold: one of ours, and the question."""


class StreamBottom:
    """The async generators that began to run while a stream was being opened."""

    __slots__ = ("_born",)

    def __init__(self) -> None:
        self._born: list[AsyncGenerator[Any, Any]] = []

    def noting(self, awaitable: Awaitable[T]) -> Awaitable[T]:
        """Wrap an awaitable so that generators born in it are noted."""
        return within(awaitable, self._run)

    async def aclose(self, stream: AsyncIterator[Any]) -> None:
        """Close a stream and all that it alone stands on, and wait for it.

        Out of reach of cancellations, in this task, for at most a second. What a child
        raises while it is being closed has no one left to hear it.
        """
        if _is_open(stream) or any(map(_is_open, self._born)):
            await shielded(self._close(stream), CLOSING)

    async def _close(self, stream: AsyncIterator[Any]) -> None:
        await _closed(stream)
        del stream
        self._born.reverse()
        while self._born:
            generator = self._born.pop()
            # Who holds another reference still uses it: a session that outlives us.
            if sys.getrefcount(generator) <= _OURS and _is_open(generator):
                await _closed(generator)

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


def _is_open(generator: object) -> bool:
    """Return whether something may be left to close; one that ended has no frame."""
    return getattr(generator, "ag_frame", generator) is not None


async def _closed(generator: object) -> None:
    if (close := getattr(generator, "aclose", None)) is not None:
        with contextlib.suppress(BaseException):  # even a cancellation of its own
            await close()
