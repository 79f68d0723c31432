"""Threads for the blocking calls of one child in async code.

A chat model without async code of its own is called in a thread. LangChain takes the
loop's default executor, which has a handful of threads for everybody: a few calls that
hang there keep healthy children, and whatever else the program does, from starting.
So each candidate has daemon threads of its own, and never more than so many.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections import deque
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from langchain_reliable._runtime.sockets.left_behind import (
    WorkingThread,
    leave_behind,
)
from langchain_reliable._runtime.worker_threads import in_a_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

T = TypeVar("T")

MOST: Final = 64
"""Threads of one candidate; calls beyond wait for one of them to come free."""

_END: Final = object()


class OwnThreads:
    """The threads of one candidate, started when there is work for them."""

    def __init__(self, most: int = MOST) -> None:
        """Begin with none.

        Args:
            most: How many may be at work at once.
        """
        self._most = most
        self._renew()
        _all.add(self)

    def _renew(self) -> None:
        self._busy = 0
        self._waiting: deque[Callable[[], None]] = deque()
        self._lock = threading.RLock()  # a finalizer may come in between

    async def call(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Return what a function returns in a thread, in the caller's context.

        A caller that goes away leaves the thread behind, and what it reads is ended.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        work = partial(copy_context().run, function, *args, **kwargs)
        thread = WorkingThread()
        self._start(partial(_work, loop, future, thread, work))
        try:
            return await future
        finally:
            leave_behind(thread)  # nothing to do where it has ended

    async def stream(
        self, open_: Callable[..., Iterable[T]], /, *args: Any, **kwargs: Any
    ) -> AsyncIterator[T]:
        """Yield what a blocking iterable yields, each from a thread.

        It is closed at the end, and awaited unless a thread is still waiting in it,
        which then closes it.
        """
        steps = _Steps(partial(open_, *args, **kwargs))
        try:
            while (chunk := await self.call(steps.step)) is not _END:
                yield cast("T", chunk)
        finally:
            if steps.leave():
                await self.call(steps.close)

    def _start(self, work: Callable[[], None]) -> None:
        with self._lock:
            if self._busy >= self._most:
                self._waiting.append(work)
                return
            self._busy += 1
        in_a_thread(partial(self._go_on, work))

    def _go_on(self, work: Callable[[], None] | None) -> None:
        while work is not None:
            work()
            with self._lock:
                work = self._waiting.popleft() if self._waiting else None
                self._busy -= work is None


class _Steps:
    """A blocking iterable, whose consumer may go while a thread waits in it."""

    def __init__(self, open_: Callable[[], Iterable[Any]]) -> None:
        self._open = open_
        self._chunks: Iterator[Any] | None = None
        self._lock = threading.Lock()
        self._inside = self._left = False

    def step(self) -> object:
        """Return the next chunk, or that there is none."""
        with self._lock:
            self._inside = not self._left
        if not self._inside:
            return _END
        try:
            if self._chunks is None:
                self._chunks = iter(self._open())
            return next(self._chunks, _END)
        finally:
            with self._lock:
                self._inside, left = False, self._left
            if left:
                self.close()

    def leave(self) -> bool:
        """Take note that nobody wants more; return whether it is to be closed now."""
        with self._lock:
            self._left = True
            return not self._inside and self._chunks is not None

    def close(self) -> None:
        """Close it, if that can be done."""
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()


def _work(
    loop: asyncio.AbstractEventLoop,
    future: asyncio.Future[Any],
    thread: WorkingThread,
    work: Callable[[], Any],
) -> None:
    """Work, and tell the loop what came of it; nothing if nobody waits any more."""
    thread.begin()
    if future.cancelled():
        thread.end()
        return
    try:
        settle = partial(future.set_result, work())
    except StopIteration as error:  # which no future can hold
        settle = partial(future.set_exception, RuntimeError(str(error)))
    except BaseException as error:  # noqa: BLE001 - raised where it is awaited
        settle = partial(future.set_exception, error)
    finally:
        thread.end()
    with suppress(RuntimeError):  # the loop is closed
        loop.call_soon_threadsafe(_settled, future, settle)


def _settled(future: asyncio.Future[Any], settle: Callable[[], None]) -> None:
    if not future.done():
        settle()


_all: weakref.WeakSet[OwnThreads] = weakref.WeakSet()


def _forget() -> None:
    """A forked process has none of these threads, and nobody holds their locks."""
    for one in list(_all):
        one._renew()  # noqa: SLF001 - of this module


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
