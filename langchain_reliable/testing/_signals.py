"""Moments that one thread or event loop makes and another waits for.

Every wait is bounded, and none polls or sleeps.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class Signal:
    """Set once, waited for from any thread or event loop."""

    def __init__(self) -> None:
        self._future: Future[None] = Future()

    @property
    def is_set(self) -> bool:
        """Whether the moment has come."""
        return self._future.done()

    def set(self) -> None:
        """Let everybody who waits go on; setting twice is harmless."""
        with suppress(InvalidStateError):
            self._future.set_result(None)

    def wait(self, timeout: float) -> None:
        """Block this thread until the signal is set, or raise `TimeoutError`."""
        self._future.result(timeout)

    async def await_(self, timeout: float) -> None:  # noqa: ASYNC109 - as `wait`
        """Suspend this task until the signal is set, or raise `TimeoutError`."""
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()

        def wake(_: Future[None]) -> None:
            with suppress(RuntimeError):  # that loop is gone, and its waiter with it
                loop.call_soon_threadsafe(woken.set)

        self._future.add_done_callback(wake)
        async with asyncio.timeout(timeout):
            await woken.wait()


class Gate:
    """A place in an answer where the model waits until the test opens it.

    Usable in scripted models and in the simulator, in sync and async tests. As a
    context manager it opens at the end of the block, whatever happens in it.

    Example:
        ```python
        with Gate() as gate:
            model = ScriptedChatModel(script=[says("one two", gates={1: gate})])
            stream = model.stream("Count")
            assert next(stream).text == "one"
            gate.open()
            assert next(stream).text == " two"
        ```

    Args:
        limit: Seconds after which waiting at the gate fails with `TimeoutError`, so
            that a forgotten gate cannot hang a test run.
    """

    def __init__(self, *, limit: float = 10.0) -> None:
        self._limit = limit
        self._reached = Signal()
        self._opened = Signal()

    @property
    def is_open(self) -> bool:
        """Whether the gate has been opened."""
        return self._opened.is_set

    @property
    def is_reached(self) -> bool:
        """Whether somebody has come to the gate."""
        return self._reached.is_set

    def open(self) -> None:
        """Let everybody through, now and later."""
        self._opened.set()

    def wait(self) -> None:
        """Wait in this thread until the gate is open."""
        self._reached.set()
        self._opened.wait(self._limit)

    async def await_open(self) -> None:
        """Wait in this task until the gate is open."""
        self._reached.set()
        await self._opened.await_(self._limit)

    def wait_reached(self, timeout: float = 5.0) -> None:
        """Wait in this thread until a model has come to the gate."""
        self._reached.wait(timeout)

    async def await_reached(self, timeout: float = 5.0) -> None:  # noqa: ASYNC109
        """Wait in this task until a model has come to the gate."""
        await self._reached.await_(timeout)

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self  # a copied script waits at the same gate

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.open()
