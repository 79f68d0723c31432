"""One daemon thread for a whole sync attempt.

Nothing can interrupt a thread that waits for a child. So the child runs in a daemon
thread; when a wait lasts too long the caller goes on and the thread is left behind. The
socket that it reads from is then shut down, which ends it at once. Where it waits for
something else, it stops at its next chunk, or when its client gives up.

A stream is opened in the thread up to its commit, so that what is held back wakes
nobody. What comes then is handed over chunk by chunk, or, once nothing is limited any
more, read by the caller itself.
"""

from __future__ import annotations

import os
import queue
import threading
from contextvars import copy_context
from functools import partial
from itertools import repeat
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar, cast

from langchain_reliable._runtime.channel import _LOOK_AGAIN, READ_AHEAD, Channel, _Ended
from langchain_reliable._runtime.peek import snapshot
from langchain_reliable._runtime.race_threads import GivenUpError
from langchain_reliable._runtime.sockets.shutdown import SocketShutdown
from langchain_reliable._runtime.worker_threads import in_a_thread
from langchain_reliable.errors import TimeLimitExceeded, TooManyAbandonedThreads

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

    from langchain_core.outputs import ChatGenerationChunk

    from langchain_reliable._core.timeouts import AttemptTimer
    from langchain_reliable._runtime.clock import Clock
    from langchain_reliable._runtime.peek import ChunkAndMessage, PeekedStream

    Chunks = Iterable[ChatGenerationChunk]

MAX_ABANDONED = 64
"""Threads that one candidate may leave behind before it is given no more."""


_abandoned: dict[Channel, Hashable] = {}  # to the candidate
_lock = threading.RLock()  # a finalizer may come in between


def abandoned_readers() -> int:
    """Return how many threads still wait for children that nobody listens to."""
    return len(_abandoned)


T = TypeVar("T")


class ThreadReader:
    """Waits for what a thread gets from a child, as long as the limits allow.

    Once a stream is open, it is an iterable over the chunks that are still to come.
    """

    def __init__(
        self, timer: AttemptTimer, clock: Clock, candidate: Hashable = None
    ) -> None:
        """Prepare to wait.

        Args:
            timer: The limits.
            clock: Time.
            candidate: Who is asked; the threads left behind are counted for each.

        Raises:
            TooManyAbandonedThreads: Too many earlier threads were left behind.
        """
        if _abandoned:  # nearly never
            with _lock:
                count = sum(one == candidate for one in _abandoned.values())
            if count >= MAX_ABANDONED:
                raise TooManyAbandonedThreads(MAX_ABANDONED)
        self._timer = timer
        self._clock = clock
        self._candidate = candidate
        self._channel = Channel(SocketShutdown(timer, clock))
        self._run = copy_context().run

    def answer(self, work: Callable[[], T]) -> T:
        """Return what `work` returns in the thread."""
        channel, run = self._channel, self._run

        def go() -> None:
            answer = run(work)
            channel.out.put([answer])

        return cast("list[T]", self._waited_for(go))[0]

    def opened(
        self,
        open_: Callable[[], PeekedStream],
        cut_by: Callable[[Exception], PeekedStream],
    ) -> PeekedStream:
        """Return a stream, its rest to be read from here.

        Args:
            open_: Opens it, in the thread.
            cut_by: Returns what there is of it when that takes too long, or raises.
        """
        channel, run, timer = self._channel, self._run, self._timer

        def go() -> None:
            opened = run(open_)
            rest = opened.rest
            if isinstance(rest, tuple) or not timer.limited:  # all, or not hurried
                _leave(channel, run, rest)
                channel.out.put(opened)
            else:
                reused = opened.written_into
                channel.out.put(opened)
                del opened  # or this reader would never be dropped
                run(_hand_over, channel, rest, reused)
                channel.out.put(_Ended(None))

        timer.watcher = partial(_look, channel, self._clock)
        try:
            opened = cast("PeekedStream", self._waited_for(go))
        except TimeLimitExceeded as error:
            if not channel.abandoned:
                raise  # a child's own, out of a model of ours
            return cut_by(error)
        finally:
            timer.watcher = None
        timer.pause(self._clock.now())
        opened.rest = self
        channel.make_room()
        return opened

    def __iter__(self) -> Iterator[ChatGenerationChunk]:
        """Iterate over the rest of the stream that was opened."""
        if self._channel.handed_back is None and not self._channel.abandoned:
            return self._handed_over()
        return self._by_itself()

    def _handed_over(self) -> Iterator[ChatGenerationChunk]:
        """Take chunks from the thread; those that are there are not waited for."""
        timer, get = self._timer, self._channel.out.get
        while True:
            try:
                item = self._waited() if timer.deadlines else get(False)
            except queue.Empty:
                item = self._waited()
            if item.__class__ is _Ended:
                self._channel.handed_back = ()
                _unless_ended(item)
                return
            yield item  # type: ignore[misc] # all else that it hands over is a chunk

    def _by_itself(self) -> Iterator[ChatGenerationChunk]:
        """Read in this thread, as if it were the other: what a stream keeps is there.

        (A context variable that it resets has to be reset where it was set.)
        """
        rest = iter(
            () if self._channel.handed_back is None else self._channel.handed_back
        )
        return map(self._run, repeat(next), repeat(rest))  # to its StopIteration

    def close(self) -> None:
        """Leave the thread behind, and end what it reads."""
        channel = self._channel
        self._timer.given_up = True
        try:
            with _lock:
                if not channel.finished:
                    _abandoned[channel] = self._candidate
                channel.abandoned = True
                rest, channel.handed_back = channel.handed_back, None
        finally:
            channel.make_room()
            if rest is None:
                channel.sockets.shut_down()
        if rest is not None:
            self._run(_close, rest)

    def give_up(self) -> None:
        """Let whoever waits here go on at once, from another thread."""
        self.close()
        self._channel.out.put(_Ended(GivenUpError()))

    def __del__(self) -> None:
        """Nobody is there any more who could take anything."""
        channel = getattr(self, "_channel", None)
        if channel is not None and not (
            channel.finished and channel.handed_back is None
        ):
            self.close()

    # --- waiting ------------------------------------------------------------------

    def _waited_for(self, go: Callable[[], None]) -> Any:
        """Let the thread go, and wait for the first that it hands over."""
        item = _LOOK_AGAIN
        try:
            self._channel.finished = False
            try:
                in_a_thread(partial(_work, self._channel, go))
            except BaseException:
                self._channel.finished = True  # no thread, so none is left behind
                raise
            while item is _LOOK_AGAIN:
                item = self._wait_for_first()
        except BaseException:
            self.close()
            raise
        return _unless_ended(item)

    def _wait_for_first(self) -> object:
        channel, timer = self._channel, self._timer
        channel.waits_until = inf  # so that nothing is noted unheard meanwhile
        before, now = _noted(timer), self._clock.now()
        left = timer.remaining_while_reading(now)
        channel.waits_until = inf if left is None else now + left
        try:
            return channel.take(left)
        except queue.Empty:
            if _noted(timer) == before:
                raise timer.error() from None
            return _LOOK_AGAIN

    def _waited(self) -> object:
        """Wait for another chunk."""
        channel, timer = self._channel, self._timer
        channel.make_room()
        now = self._clock.now()
        timer.resume(now)
        try:
            item = channel.take(timer.remaining(now))
        except queue.Empty:
            self.close()
            raise timer.error() from None
        if timer.deadlines:
            timer.pause(self._clock.now())
        return item


def _noted(timer: AttemptTimer) -> tuple[float, int]:
    """Return what tells whether anything was noted meanwhile."""
    return timer.quiet_since, id(timer.deadlines)


def _unless_ended(item: object) -> object:
    """Return what was handed over, or raise what the child did."""
    if isinstance(item, _Ended) and item.error is not None:
        raise item.error
    return item


# --- the thread -------------------------------------------------------------------


def _look(channel: Channel, clock: Clock, timer: AttemptTimer) -> None:
    """Let who waits look again, if it set out to wait for too long."""
    if timer.ends_before(channel.waits_until, clock.now()):
        channel.out.put(_LOOK_AGAIN)


def _work(channel: Channel, go: Callable[[], None]) -> None:
    channel.sockets.begin()
    try:
        if not channel.abandoned:  # while the thread was starting
            go()
    except BaseException as error:  # noqa: BLE001 - handed over, raised there
        channel.out.put(_Ended(error))
    finally:
        channel.sockets.end()
        with _lock:
            channel.finished = True
            _abandoned.pop(channel, None)


def _leave(channel: Channel, run: Callable[..., Any], rest: Chunks) -> None:
    """Leave a stream to the consumer, if there still is one."""
    with _lock:
        if not channel.abandoned:
            channel.handed_back = rest
            return
    run(_close, rest)


def _hand_over(channel: Channel, rest: Chunks, written_into: ChunkAndMessage) -> None:
    """Hand over what is to come, never far ahead of its consumer.

    What the child writes into again is copied, since the consumer has not read it yet.
    """
    put, waiting = channel.out.put, channel.out.qsize
    reused, reused_message = written_into
    try:
        channel.wait_for_room()  # the first word waits for no lock
        if channel.abandoned:
            return
        for chunk in rest:
            if chunk is reused or chunk.message is reused_message:
                chunk = snapshot(chunk)  # noqa: PLW2901
            put(chunk)
            if waiting() >= READ_AHEAD:
                channel.wait_for_room()
            if channel.abandoned:
                break
    finally:
        _close(rest)


def _forget() -> None:
    """A forked process has none of these threads, and nobody holds its lock."""
    global _lock  # noqa: PLW0603 - the old one may be held for ever
    _abandoned.clear()
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _close(stream: object) -> None:
    if (close := getattr(stream, "close", None)) is not None:
        close()
