"""Threads that nobody waits for: whatever client they read with, the read is ended.

A thread that waits for bytes stands in a frame of `socket`, `ssl` or httpcore, and that
frame holds the socket. So nothing need be known of the client above: `requests`,
botocore, a client inside a client, before the headers and after. Only a connection of
HTTP/1 is shut down, which belongs to one request until this very thread gives it back;
one of HTTP/2 answers others as well.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import FrameType

_WAITS: Final = frozenset(
    {
        "http.client",
        "httpcore._backends.sync",
        "httpcore2._backends.sync",
        "socket",
        "ssl",
        "urllib3.connection",
    }
)
"""Modules in which a thread waits for bytes; `self` is or has the socket."""

_ONE_AT_A_TIME: Final = frozenset(
    {
        "http.client",
        "httpcore._sync.connection",
        "httpcore._sync.http11",
        "httpcore2._sync.connection",
        "httpcore2._sync.http11",
        "urllib3.connection",
        "urllib3.response",
    }
)
_SHARED: Final = frozenset(
    {"httpcore._sync.http2", "httpcore2._sync.http2", "urllib3.http2.connection"}
)

WATCHER: Final = "langchain_reliable (ends reads)"
"""The name of the thread that looks; there is none while none is left behind."""

_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 0.5
_LOOKS: Final = 120
"""Then a thread is no longer looked at: it waits for something else (a minute)."""


class WorkingThread:
    """A thread, for as long as it works for one attempt.

    Threads are kept and reused, so what one reads belongs to an attempt only between
    these two moments.
    """

    __slots__ = ("_ident",)

    def __init__(self) -> None:
        """Begin without a thread."""
        self._ident: int | None = None

    def begin(self) -> None:
        """Take note that this thread works for the attempt."""
        self._ident = threading.get_ident()

    def end(self) -> None:
        """Take note that it does so no longer."""
        self._ident = None

    def is_at_work(self) -> bool:
        """Return whether it still does."""
        return self._ident is not None

    def end_read(self) -> None:
        """Shut down the connection that it is reading from now, if it is."""
        if (ident := self._ident) is None:
            return
        frame = sys._current_frames().get(ident)  # noqa: SLF001 - where it stands
        if frame is None or (sock := _socket_in(frame)) is None:
            return
        at = frame.f_lasti
        # Still in the same read, and for the same attempt: it has not given the
        # connection back. While it waits it needs us to let go of the interpreter
        # before it can, and a pool looks at a connection before it uses it again.
        if (
            self._ident == ident
            and sys._current_frames().get(ident) is frame  # noqa: SLF001
            and frame.f_lasti == at
        ):
            with suppress(OSError):  # the server was faster
                sock.shutdown(socket.SHUT_RDWR)


def _socket_in(frame: FrameType | None) -> socket.socket | None:
    """Return the socket that a thread waits for; `None` if others may need it."""
    found: socket.socket | None = None
    while frame is not None:
        module = frame.f_globals.get("__name__")
        if module in _SHARED:
            return None
        if found is None and module in _WAITS:
            owner = frame.f_locals.get("self")
            values = getattr(owner, "__dict__", {})
            near = (owner, values.get("_sock"), values.get("sock"))
            found = next((one for one in near if isinstance(one, socket.socket)), None)
        if found is not None and module in _ONE_AT_A_TIME:
            return found
        frame = frame.f_back
    return None


# --- until it has come to its end -----------------------------------------------------

_left: dict[WorkingThread, int] = {}
"""Threads left behind, and how often they were looked at."""

_watching = False
_lock = threading.RLock()  # a finalizer may come in between


def leave_behind(thread: WorkingThread) -> None:
    """End what a thread reads now, and whatever it reads later, until it ends.

    Between two reads there is nothing to shut down, and a client that retries by
    itself opens another connection: so it is looked at again for a while.
    """
    global _watching
    if not thread.is_at_work():
        return
    thread.end_read()
    with _lock:
        _left[thread] = 0
        starts, _watching = not _watching, True
    if starts:
        with suppress(RuntimeError):  # Python is about to end
            threading.Thread(target=_watch, name=WATCHER, daemon=True).start()


def _watch() -> None:
    global _watching  # noqa: PLW0603
    pause = _FIRST_PAUSE
    while True:
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
        for thread, looks in list(_left.items()):
            thread.end_read()
            if looks == 0:
                pause = _FIRST_PAUSE
            if looks >= _LOOKS or not thread.is_at_work():
                _left.pop(thread, None)
            else:
                _left[thread] = looks + 1
        with _lock:
            if not _left:
                _watching = False
                return


def _forget() -> None:
    """A forked process has none of these threads, and nobody holds its lock."""
    global _lock, _watching
    _left.clear()
    _lock, _watching = threading.RLock(), False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
