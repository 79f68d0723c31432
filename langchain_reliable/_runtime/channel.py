"""What a reader thread and whoever waits for it share."""

from __future__ import annotations

import queue
import threading
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langchain_core.outputs import ChatGenerationChunk

    from langchain_reliable._runtime.sockets.shutdown import SocketShutdown

    Chunks = Iterable[ChatGenerationChunk]


READ_AHEAD = 256
"""Chunks that a thread may be ahead of its consumer at most. Each time it is, the two
change places, so fewer cost more: with 64 a stream of instant chunks takes 1.28 times
the bare one's time, with 256 it takes 1.14, with 1,024 1.13."""


class _Ended:
    """What a thread hands over last: how its child ended."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


_LOOK_AGAIN = object()
"""Handed over where a wait may not last as long as it was begun for."""


class Channel:
    """What a thread and whoever waits for it share.

    Attributes:
        abandoned: Whether nobody waits any more.
        out: What the thread hands over.
        finished: Whether no thread is at work, or none any more.
        handed_back: A stream that is now its consumer's, to read and to close.
        sockets: What the thread reads from.
        waits_until: How long the consumer means to wait.
    """

    __slots__ = (
        "_room",
        "abandoned",
        "finished",
        "handed_back",
        "out",
        "sockets",
        "waits_until",
    )

    def __init__(self, sockets: SocketShutdown) -> None:
        self.abandoned, self.finished = False, True
        self.sockets = sockets
        self.out: queue.SimpleQueue[object] = queue.SimpleQueue()
        self.handed_back: Chunks | None = None
        self.waits_until = inf
        self._room = threading.Lock()
        self._room.acquire()

    def take(self, seconds: float | None) -> object:
        """Wait so long for something; what comes too late is not taken.

        Raises:
            Empty: Nothing came.
        """
        if seconds is not None and seconds <= 0:
            raise queue.Empty
        return self.out.get(timeout=seconds)

    def make_room(self) -> None:
        """Let the thread go on."""
        if self._room.locked():
            with suppress(RuntimeError):  # somebody else has just done so
                self._room.release()

    def wait_for_room(self) -> None:
        """Wait until the consumer has nothing more to take."""
        self._room.acquire()
        while self.out.qsize() >= READ_AHEAD and not self.abandoned:
            self._room.acquire()
