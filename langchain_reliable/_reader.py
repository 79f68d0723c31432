"""One daemon thread for a whole sync stream.

Handing chunks over from a thread that may wait for a socket for ever, to one that must
not, lives here. How long is too long never does.

Nothing can interrupt a thread that waits for a socket. So the child runs in a daemon
thread that hands its chunks over; when a wait lasts too long the caller goes on and the
thread is left behind: it stops at its next chunk, or when its client's own read
time-out ends the wait. Once nothing is limited any more, the caller reads on by itself.
"""

from __future__ import annotations

import queue
import threading
from contextvars import copy_context
from typing import TYPE_CHECKING, Generic, TypeVar

from langchain_reliable._workers import in_a_thread
from langchain_reliable.errors import TooManyStuck

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langchain_reliable._clock import Clock
    from langchain_reliable._patience import Patience

T = TypeVar("T")

MAX_ABANDONED = 256
"""Threads that may be left behind to silent sockets before no more are started."""

READ_AHEAD = 64
"""Chunks that a reader may be ahead of its consumer at most."""


_abandoned: set[object] = set()
_lock = threading.RLock()  # a finalizer may come in between


def abandoned_readers() -> int:
    """Return how many threads still wait for sockets that nobody listens to."""
    return len(_abandoned)


class _Ended:
    """What a reader hands over last: how its child ended."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Reader(Generic[T]):
    """An iterator over a child's chunks that gives up when a wait lasts too long."""

    def __init__(
        self,
        chunks: Callable[[], Iterator[T]],
        patience: Patience,
        clock: Clock,
        *,
        ahead: int = 0,
    ) -> None:
        """Start reading.

        Args:
            chunks: Opens the child's stream; runs in the reader's thread.
            patience: The limits.
            clock: Time.
            ahead: Chunks that it may read before they are asked for. None until
                `go_ahead`, so that the first word does not have to wait for the
                interpreter's lock while the second is read.

        Raises:
            TooManyStuck: Too many earlier ones were left behind.
        """
        if abandoned_readers() >= MAX_ABANDONED:
            raise TooManyStuck(MAX_ABANDONED)
        self._chunks = chunks
        self._patience = patience
        self._clock = clock
        self._out: queue.SimpleQueue[T | _Ended] = queue.SimpleQueue()
        self._ahead = ahead
        self._asked_for = 0
        self._room = threading.Event()
        self._room_for = 1
        self._left = False
        self._over = False
        self._done = False
        self._is_free = False
        self._rest: Iterator[T] | None = None
        self._run = copy_context().run
        in_a_thread(self._read)

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        """Return the next chunk, waiting as long as the limits allow.

        One that is there already is not waited for, so silence has no part in it.
        """
        if self._done:
            if self._rest is None:
                raise StopIteration
            return self._run(next, self._rest)
        self._asked_for += 1
        if not self._room.is_set():
            self._room.set()
        if self._patience.has_deadlines or self._out.empty():
            item = self._waited()
        else:
            item = self._out.get()
        if isinstance(item, _Ended):
            self._done = True
            if item.error is not None:
                raise item.error
            return next(self)
        return item

    def _waited(self) -> T | _Ended:
        now = self._clock.now()
        self._patience.asked(now)
        left = self._patience.left(now)
        try:
            if left is not None and left <= 0:
                raise queue.Empty  # noqa: TRY301 - as if it had been waited for
            item = self._out.get(timeout=left)
        except queue.Empty:
            self.close()
            raise self._patience.exceeded() from None
        if self._patience.has_deadlines:
            self._patience.handed(self._clock.now())
        return item

    def go_ahead(self) -> None:
        """The first word is out: read on while the consumer is busy with it.

        If nothing is limited any more, the consumer reads by itself.
        """
        self._ahead = 1
        self._is_free = not self._patience.limited
        self._room.set()

    def close(self) -> None:
        """Leave the thread behind; it stops at its next chunk."""
        with _lock:
            if not self._over:
                _abandoned.add(self)
            self._done = self._left = True
            rest, self._rest = self._rest, None
        self._room.set()
        if rest is not None:
            self._run(_close, rest)

    # --- in the thread ------------------------------------------------------------

    def _read(self) -> None:
        try:
            self._leave(self._run(self._hand_over))
        except BaseException as error:  # noqa: BLE001 - handed over, raised there
            self._out.put(_Ended(error))
        else:
            self._out.put(_Ended(None))
        finally:
            with _lock:
                self._over = True
                _abandoned.discard(self)

    def _hand_over(self) -> Iterator[T] | None:
        """Hand chunks over; return the rest once no thread is needed for it."""
        stream = self._chunks()
        try:
            for given, chunk in enumerate(stream, start=1):
                if self._left:
                    break
                self._out.put(chunk)
                if given >= self._room_for:
                    self._wait_for_room(given)
                if self._left:
                    break
                if self._is_free:
                    return stream
        except BaseException:
            _close(stream)
            raise
        _close(stream)
        return None

    def _leave(self, rest: Iterator[T] | None) -> None:
        """Leave the rest of a stream to the consumer, if there still is one."""
        with _lock:
            if not self._left:
                self._rest, rest = rest, None
        if rest is not None:
            self._run(_close, rest)

    def _wait_for_room(self, given: int) -> None:
        while not self._has_room(given):
            self._room.clear()
            if not self._has_room(given):
                self._room.wait()
        self._ahead = min(READ_AHEAD, 2 * self._ahead)

    def _has_room(self, given: int) -> bool:
        self._room_for = self._asked_for + self._ahead
        return given < self._room_for or self._left or self._is_free


def _close(stream: object) -> None:
    if (close := getattr(stream, "close", None)) is not None:
        close()
