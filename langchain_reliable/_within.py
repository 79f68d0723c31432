"""Running an awaitable step by step in surroundings of ours.

A coroutine runs in synchronous steps between its waits. Here each step can be run
inside something (a context, a hook), or its waits be kept out of reach of
cancellations, in the same task and without a task of its own. What the surroundings
are for is never known here.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

T = TypeVar("T")


class Surrounding(Protocol):
    """Calls a function inside something, such as `Context.run`."""

    def __call__(self, step: Callable[[Any], Any], argument: Any, /) -> Any:
        """Return what the step returns."""


def within(awaitable: Awaitable[T], surrounding: Surrounding) -> Awaitable[T]:
    """Return an awaitable whose every step runs inside `surrounding`."""
    return _Within(awaitable, surrounding)


def shielded(awaitable: Awaitable[object], seconds: float) -> Awaitable[None]:
    """Return an awaitable that no cancellation reaches, for so many seconds.

    It runs in the task that awaits it, so that cancel scopes and context stay what they
    were (`asyncio.shield` would need a task of its own). What it raises has no one to
    hear it. A cancellation that arrives meanwhile is raised when it is done; when it
    takes longer than it may, it is cancelled and left.
    """
    return _Shielded(awaitable, seconds)


class _Within(Generic[T]):
    __slots__ = ("_awaitable", "_run")

    def __init__(self, awaitable: Awaitable[T], surrounding: Surrounding) -> None:
        self._awaitable = awaitable
        self._run = surrounding

    def __await__(self) -> Generator[Any, Any, T]:
        steps = self._awaitable.__await__()
        resume, argument = steps.send, None
        while True:
            try:
                waits_for = self._run(resume, argument)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return] # a generator's return
            try:
                argument = yield waits_for
                resume = steps.send
            except BaseException as error:  # noqa: BLE001 - handed on to the awaited
                resume, argument = steps.throw, error


class _Shielded:
    __slots__ = ("_awaitable", "_cancelled", "_late", "_loop", "_until")

    def __init__(self, awaitable: Awaitable[object], seconds: float) -> None:
        self._awaitable = awaitable
        self._cancelled: asyncio.CancelledError | None = None
        self._late = False
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + seconds

    def __await__(self) -> Generator[Any, Any, None]:
        steps = self._awaitable.__await__()
        with contextlib.suppress(StopIteration, Exception, asyncio.CancelledError):
            while not self._late:
                yield from self._wait(steps.send(None))
            steps.throw(asyncio.CancelledError())
            steps.close()
        if self._cancelled is not None:
            raise self._cancelled

    def _wait(self, future: asyncio.Future[Any] | None) -> Generator[Any, Any, None]:
        """Wait for what a step waits for, whoever cancels us meanwhile."""
        if future is None:
            yield from self._noting_cancellation(_pause())
            return
        future._asyncio_future_blocking = False  # noqa: SLF001 - taken over, as a task would
        while not future.done() and not self._late:
            outer = asyncio.shield(future)
            left = self._until - self._loop.time()
            handle = self._loop.call_later(left, self._give_up, outer)
            yield from self._noting_cancellation(outer.__await__())
            handle.cancel()

    def _noting_cancellation(
        self, wait: Generator[Any, Any, Any]
    ) -> Generator[Any, Any, None]:
        try:
            yield from wait
        except asyncio.CancelledError as error:
            if not self._late:
                self._cancelled = error
        except Exception:  # noqa: BLE001, S110 - the step that waited will raise it
            pass

    def _give_up(self, outer: asyncio.Future[Any]) -> None:
        self._late = True
        outer.cancel()


def _pause() -> Generator[None]:
    yield
