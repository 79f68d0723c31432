"""One timer for a whole async stream, and one daemon thread for a whole sync one.

Breaking off a wait that lasts too long lives here. How long is too long never does.

In async the wait happens in the caller's task: the timer cancels it and takes the
cancellation back, as `asyncio.timeout` does, but it is armed once and re-armed only
when it rings too early, which costs next to nothing per chunk. No scope is held across
a `yield`, so successive chunks may be asked for by different tasks.

In sync nothing can interrupt a thread that waits for a socket. So the child runs in a
daemon thread that hands its chunks over; when a wait lasts too long the caller goes on
and the thread is left behind: it stops at its next chunk, or when its client's own
read time-out ends the wait.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, cast

from langchain_reliable.errors import TooManyStuck

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from langchain_reliable._clock import Clock
    from langchain_reliable._patience import Patience

T = TypeVar("T")

Task: TypeAlias = "asyncio.Task[Any]"

MAX_ABANDONED = 256
"""Threads that may be left behind to silent sockets before no more are started."""

READ_AHEAD = 64
"""Chunks that a reader may be ahead of its consumer."""


_abandoned: set[object] = set()
_lock = threading.Lock()


def abandoned_readers() -> int:
    """Return how many threads still wait for sockets that nobody listens to."""
    return len(_abandoned)


class Alarm:
    """Ends a wait of an async stream that lasts too long.

    Attributes:
        armed: Whether it may be relied on; if not, `set` begins the next wait. If so,
            writing `since` and `task` by hand is enough, and costs a tenth.
        owner: The task that it was set for.
        rang: Whether it has ended a wait.
        since: When the present wait began, in the time of the event loop.
        task: The task that waits; `None` while nobody does.
    """

    __slots__ = (
        "_cancelling",
        "_clock",
        "_handle",
        "_loop",
        "_patience",
        "_span",
        "armed",
        "owner",
        "rang",
        "since",
        "task",
    )

    def __init__(self, patience: Patience, clock: Clock) -> None:
        """Begin silent.

        Args:
            patience: Says how long a wait may last.
            clock: Time.
        """
        self.armed = False
        self.owner: asyncio.Task[Any] | None = None
        self.rang = False
        self.since = 0.0
        self.task: asyncio.Task[Any] | None = None
        self._cancelling = 0
        self._clock = clock
        self._handle: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._patience = patience
        self._span: float | None = None

    @property
    def cancelled(self) -> bool:
        """Whether somebody else has cancelled the task since its wait began."""
        return self.owner is not None and self.owner.cancelling() > self._cancelling

    def set(self) -> None:
        """Begin a wait of the current task, and make sure that it can be ended.

        Raises:
            TimeLimitExceeded: There is no time left to wait.
        """
        left = self._patience.left(self._clock.now())
        if left is not None and left <= 0:
            raise self._patience.exceeded()
        self.since, self._span = self._loop.time(), left
        self.task = self.owner = task = asyncio.current_task()
        self._cancelling = task.cancelling() if task is not None else 0
        self.armed = not self._patience.has_deadlines
        if left is not None:
            self._arm(left)

    def off(self) -> None:
        """End a wait in time.

        Raises:
            CancelledError: It rang, and the child took no notice of it.
        """
        if self.rang:
            raise asyncio.CancelledError
        self.task = None

    def close(self) -> None:
        """Be done with."""
        self.task = None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def took_back(self) -> bool:
        """Take our cancellation back; return whether it was ours alone."""
        if not self.rang:
            return False
        self.rang = False
        return cast("Task", self.owner).uncancel() <= self._cancelling

    def _arm(self, seconds: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self._loop.call_later(seconds, self._ring)

    def _ring(self) -> None:
        """See how long the present wait has lasted; end it or look again later."""
        self._handle = None
        if self.task is None:
            self.armed = False  # nobody waits; the next wait will arm it again
            return
        left = self.since + cast("float", self._span) - self._loop.time()
        if left > 0:
            self._arm(left)
            return
        self.rang = True
        self.task.cancel()


async def within_limits(awaitable: Awaitable[T], patience: Patience, clock: Clock) -> T:
    """Wait for something as long as an attempt allows.

    Raises:
        TimeLimitExceeded: It took longer.
    """
    alarm = Alarm(patience, clock)
    try:
        alarm.set()
        answer = await awaitable
        alarm.off()
    except BaseException as error:
        if alarm.took_back():
            raise patience.exceeded() from error
        raise
    finally:
        alarm.close()
    return answer


class _Ended:
    """What a reader hands over last: how its child ended."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Reader(Generic[T]):
    """An iterator over a child's chunks that gives up when a wait lasts too long."""

    def __init__(
        self, chunks: Callable[[], Iterator[T]], patience: Patience, clock: Clock
    ) -> None:
        """Start reading.

        Args:
            chunks: Opens the child's stream; runs in the reader's thread.
            patience: The limits.
            clock: Time.

        Raises:
            TooManyStuck: Too many earlier ones were left behind.
        """
        if abandoned_readers() >= MAX_ABANDONED:
            raise TooManyStuck(MAX_ABANDONED)
        self._chunks = chunks
        self._patience = patience
        self._clock = clock
        self._out: queue.SimpleQueue[T | _Ended] = queue.SimpleQueue()
        self._handed_at: float | None = None
        self._taken = 0
        self._room = threading.Event()
        self._left = False
        self._over = False
        self._done = False
        run = copy_context().run
        threading.Thread(
            target=run, args=(self._read,), name="langchain_reliable", daemon=True
        ).start()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        """Return the next chunk, waiting as long as the limits allow."""
        if self._done:
            raise StopIteration
        item = self._waited()
        if isinstance(item, _Ended):
            self._done = True
            if item.error is not None:
                raise item.error
            raise StopIteration
        self._taken += 1
        if not self._room.is_set():
            self._room.set()
        return item

    def _waited(self) -> T | _Ended:
        now = self._clock.now()
        if self._handed_at is not None:
            self._patience.extend(now - self._handed_at)
        left = self._patience.left(now)
        try:
            if left is not None and left <= 0:
                raise queue.Empty  # noqa: TRY301 - as if it had been waited for
            item = self._out.get(timeout=left)
        except queue.Empty:
            self.close()
            raise self._patience.exceeded() from None
        if self._patience.has_deadlines:
            self._handed_at = self._clock.now()
        return item

    def close(self) -> None:
        """Leave the thread behind; it stops at its next chunk."""
        with _lock:
            if not self._over:
                _abandoned.add(self)
        self._done = self._left = True
        self._room.set()

    # --- in the thread ------------------------------------------------------------

    def _read(self) -> None:
        try:
            self._hand_over()
        except BaseException as error:  # noqa: BLE001 - handed over, raised there
            self._out.put(_Ended(error))
        else:
            self._out.put(_Ended(None))
        finally:
            with _lock:
                self._over = True
                _abandoned.discard(self)

    def _hand_over(self) -> None:
        stream = self._chunks()
        try:
            for given, chunk in enumerate(stream, start=1):
                if self._left:
                    return
                self._out.put(chunk)
                self._wait_for_room(given)
        finally:
            if (close := getattr(stream, "close", None)) is not None:
                close()

    def _wait_for_room(self, given: int) -> None:
        while given - self._taken >= READ_AHEAD and not self._left:
            self._room.clear()
            if given - self._taken >= READ_AHEAD and not self._left:
                self._room.wait()
