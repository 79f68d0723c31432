"""The sockets of one attempt, as views of HTTP clients tell them.

A server that only pings keeps the thread that reads from it for ever. Shutting the
socket down wakes the reader at once; closing it would not, and would free a descriptor
that the next connection of another call is given. So a response is closed only by the
thread that reads it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any

from langchain_reliable._runtime.sockets.left_behind import (
    WorkingThread,
    leave_behind,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from langchain_reliable._core.timeouts import AttemptTimer
    from langchain_reliable._runtime.clock import Clock

_here = threading.local()


class SocketShutdown:
    """The sockets on which the requests of one attempt are being answered.

    Attributes:
        shut: Whether nobody waits for the answer any more.
    """

    __slots__ = ("_clock", "_find", "_lock", "_sockets", "_thread", "_timer", "shut")

    def __init__(self, timer: AttemptTimer, clock: Clock) -> None:
        """Begin without a socket.

        Args:
            timer: The limits of the attempt.
            clock: Time.
        """
        self.shut = False
        self._timer = timer
        self._clock = clock
        self._find: Callable[[], socket.socket | None] | None = None
        self._lock = threading.RLock()  # a finalizer may come in between
        self._sockets: list[HeldSocket] = []
        self._thread = WorkingThread()

    def time_left(self) -> float | None:
        """Return for how many seconds somebody waits yet; `None` for any number."""
        return 0.0 if self.shut else self._timer.time_left(self._clock.now())

    def hold(self, sock: socket.socket) -> HeldSocket:
        """Take note of a socket from which an answer is about to be read."""
        held = HeldSocket(sock, self._lock)
        with self._lock:
            self._sockets = [*filter(HeldSocket.is_held, self._sockets), held]
            if self.shut:
                held.shut_down()
        return held

    @contextlib.contextmanager
    def found_by(self, find: Callable[[], socket.socket | None]) -> Iterator[None]:
        """Let the socket be looked for while a request has no headers yet."""
        self._find = find
        try:
            yield
        finally:
            with self._lock:  # whoever ends it now has done so
                self._find = None

    def shut_down(self) -> None:
        """End what is being read now, and whatever would be read later."""
        with self._lock:
            self.shut = True
            for held in self._sockets:
                held.shut_down()
            if self._find is not None and (sock := self._find()) is not None:
                held = HeldSocket(sock, self._lock)
                held.shut_down()
                held.release()
        leave_behind(self._thread)

    def begin(self) -> None:
        """Take note that this thread works for the attempt."""
        _here.attempt = self
        self._thread.begin()
        if self.shut:  # while the thread was starting
            leave_behind(self._thread)

    def end(self) -> None:
        """Take note that it does so no longer."""
        self._thread.end()
        _here.attempt = None


def attempt_here() -> SocketShutdown | None:
    """Return the attempt that this thread works for, if others wait for it."""
    return getattr(_here, "attempt", None)


class HeldSocket:
    """A socket while an answer is read from it; released before it is used again.

    It is held by a descriptor of our own. The reader may close its socket at any
    moment, and the number of a closed one soon belongs to another connection.
    """

    __slots__ = ("_descriptor", "_kind", "_lock")

    def __init__(self, sock: socket.socket, lock: AbstractContextManager[Any]) -> None:
        """Hold a socket; the lock is that of its attempt."""
        self._kind = sock.family, sock.type, sock.proto
        self._lock = lock
        self._descriptor = socket.dup(sock.fileno())

    def is_held(self) -> bool:
        """Return whether it was not released yet."""
        return self._descriptor >= 0

    def release(self) -> None:
        """Let go of it: from now on nobody shuts it down."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            socket.close(descriptor)

    def shut_down(self) -> None:
        """End whatever is read from it, while the attempt is locked."""
        if self._descriptor < 0:
            return
        ours = socket.socket(*self._kind, fileno=self._descriptor)
        try:
            with contextlib.suppress(OSError):  # the server was faster
                ours.shutdown(socket.SHUT_RDWR)
        finally:
            ours.detach()

    def __del__(self) -> None:
        """Nobody reads from it any more."""
        if getattr(self, "_descriptor", -1) >= 0:
            socket.close(self._descriptor)
