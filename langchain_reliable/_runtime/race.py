"""Two attempts at once in async: the first to begin its answer wins.

The first attempt runs in the caller's own task, as every attempt does, and costs one
timer. Only when that rings does the call ask for another beside it, and only that one
gets a task. Each stream is opened, read and closed in one task, because a child may
hold cancel scopes across its `yield`s; so a stream that wins in its own task stays
there and hands its chunks over.

Whom to ask, who wins and who pays is decided in `_core`.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from langchain_reliable._core.steps import Confirm, Launch, Wait
from langchain_reliable._runtime.closing import CLOSING
from langchain_reliable._runtime.peek import AsyncPeekedStream
from langchain_reliable._runtime.timer import WaitTimer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from langchain_core.outputs import ChatGenerationChunk

    from langchain_reliable._core.call import Call
    from langchain_reliable._core.steps import Attempt
    from langchain_reliable._runtime.clock import Clock

T = TypeVar("T")

_READ_AHEAD = 256
"""Chunks that a stream in its own task may be ahead of its consumer."""

_BRIEFLY = 0.01
"""Seconds that an answer in one piece waits for the loser to be gone. Mostly that takes
none; a stream waits at its end instead."""

_losers: set[asyncio.Task[None]] = set()
"""The event loop itself would hold them weakly."""


async def arun_hedged(
    call: Call[T],
    open_: Callable[[Attempt], Awaitable[T]],
    attempt: Attempt,
    clock: Clock,
) -> None:
    """Carry out an attempt beside which another may be asked; tell the call the end.

    Args:
        call: The state of the call.
        open_: Asks one candidate and returns its answer, committed.
        attempt: The attempt.
        clock: Time and chance.
    """
    # No function of ours is called here for the sake of what mostly does not happen.
    race: AsyncRace[T] = AsyncRace()
    race.call, race.open_, race.clock = call, open_, clock
    race.loop = asyncio.get_running_loop()
    race.owner = owner = cast("asyncio.Task[Any]", asyncio.current_task())
    before = owner.cancelling()
    race.timer = race.loop.call_later(attempt.hedge_after or 0.0, race.look)
    race.is_owner_asking = True
    try:
        answer = await open_(attempt)
    except BaseException as error:  # noqa: BLE001 - judged there
        await race.owners_attempt_ended(attempt, error, before)
    else:
        race.timer.cancel()
        race.is_owner_asking = False
        if race.beside is None:
            call.succeeded(attempt, answer, clock.now())
        else:
            await race.owners_attempt_committed(attempt, answer, before)
    if race.beside is not None:
        await race.until_it_ends()


class AsyncRace(Generic[T]):
    """At most two attempts of a call: one in its owner's task, and one beside it.

    Attributes:
        call: The state of the call.
        open_: Asks one candidate and returns its answer, committed.
        clock: Time and chance.
        loop: The event loop.
        owner: The task of the caller.
        is_owner_asking: Whether an attempt is under way in it.
        timer: When to look whether another may be asked.
        beside: The task of the attempt beside it, if there is one.
    """

    call: Call[T]
    open_: Callable[[Attempt], Awaitable[T]]
    clock: Clock
    loop: asyncio.AbstractEventLoop
    owner: asyncio.Task[Any]
    timer: asyncio.TimerHandle
    is_owner_asking: bool = False
    beside: asyncio.Task[None] | None = None
    _attempt: Attempt | None = None  # the one beside
    _broke_off: bool = False  # whether we have cancelled the owner's attempt
    _error: BaseException | None = None  # leaves at once
    _waiter: asyncio.Future[None] | None = None

    # --- the owner's side -----------------------------------------------------------

    async def owners_attempt_ended(
        self, attempt: Attempt, error: BaseException, before: int
    ) -> None:
        """Take note that the owner's attempt raised.

        Raises:
            BaseException: It is no provider's failure, or the caller was cancelled.
        """
        self.timer.cancel()
        self.is_owner_asking = False
        if self._broke_off and isinstance(error, (Exception, asyncio.CancelledError)):
            await self._unless_cancelled(before, error)
            return
        call, clock = self.call, self.clock
        if not isinstance(error, Exception) or self.owner.cancelling() > before:
            call.abandoned(attempt, clock.now())
            await self._close_other()
            if isinstance(error, Exception):  # a cancellation, until a child read it
                raise asyncio.CancelledError from error
            raise error
        if not call.failed(attempt, error, clock.now(), clock.chance()):
            await self._close_other()
            raise error

    async def owners_attempt_committed(
        self, attempt: Attempt, answer: T, before: int
    ) -> None:
        """Take note that the owner's attempt answers, while another was asked."""
        if self._broke_off:  # too late: the child took no notice of its cancellation
            if isinstance(answer, AsyncPeekedStream):
                await answer.aclose()
            await self._unless_cancelled(before, None)
            return
        self.call.succeeded(attempt, answer, self.clock.now())
        loser = self._cancel_other()
        if loser is not None and isinstance(answer, AsyncPeekedStream):
            answer.stack.append(cast("Any", _Loser(loser)))
        elif loser is not None:
            await asyncio.wait({loser}, timeout=_BRIEFLY)

    async def _unless_cancelled(self, before: int, error: BaseException | None) -> None:
        """Take our cancellation back, unless the caller was cancelled as well."""
        self._broke_off = False
        if self.owner.uncancel() <= before:
            return
        winner = self.call.trail.winner
        if winner is not None:
            self.call.abandoned(winner, self.clock.now())
        await self._close_other()
        raise asyncio.CancelledError from error

    async def until_it_ends(self) -> None:
        """Wait for the attempt beside, and ask another beside that where it is time.

        Raises:
            BaseException: What it raised is no provider's failure.
        """
        call, clock = self.call, self.clock
        while (
            self._error is None
            and not call.is_over
            and self._attempt is not None
            and call.is_in_flight(self._attempt)
        ):
            match call.what_now(clock.now()):
                case Launch(attempt):
                    await self._ask(attempt)
                case Wait(until):
                    self._waiter = self.loop.create_future()
                    if until < math.inf:
                        seconds = max(0.0, until - clock.now())
                        self.timer = self.loop.call_later(seconds, _wake, self._waiter)
                    await self._wait_for(self._waiter)
                case Confirm(question, seconds):
                    await self._wait_for(question.arrived(seconds))
        if self._error is not None:
            raise self._error
        if self._attempt is None or call.trail.winner is not self._attempt:
            self._cancel_other()

    async def _ask(self, attempt: Attempt) -> None:
        before = self.owner.cancelling()
        self.is_owner_asking = True
        try:
            answer = await self.open_(attempt)
        except BaseException as error:  # noqa: BLE001 - judged there
            await self.owners_attempt_ended(attempt, error, before)
        else:
            self.is_owner_asking = False
            await self.owners_attempt_committed(attempt, answer, before)

    async def _wait_for(self, something: Awaitable[None]) -> None:
        try:
            await something
        except BaseException:
            self.call.abandoned(self._attempt, self.clock.now())
            await self._close_other()
            raise
        finally:
            self.timer.cancel()

    def _cancel_other(self) -> asyncio.Task[None] | None:
        """Cancel the task beside; return it, if it takes time to end."""
        loser, self.beside = self.beside, None
        if loser is None or loser.done():
            return None
        loser.cancel()
        _losers.add(loser)
        loser.add_done_callback(_losers.discard)
        return loser

    async def _close_other(self) -> None:
        """Cancel the task beside, and wait until it has closed its stream."""
        if (loser := self._cancel_other()) is not None:
            await asyncio.wait({loser}, timeout=CLOSING)

    # --- the other side -------------------------------------------------------------

    def look(self) -> None:
        """Ask another beside the owner's attempt, if the call says so."""
        match self.call.what_now(self.clock.now()):
            case Launch(attempt):
                self._attempt = attempt
                self.beside = self.loop.create_task(self._run(attempt))
            case Wait(until) if until < math.inf:
                seconds = max(0.0, until - self.clock.now())
                self.timer = self.loop.call_later(seconds, self.look)
            case Confirm() as step:
                self.beside = self.loop.create_task(self._confirm(step))

    async def _confirm(self, step: Confirm) -> None:
        await step.question.arrived(step.seconds)
        self.look()

    async def _run(self, attempt: Attempt) -> None:
        call, clock = self.call, self.clock
        try:
            answer = await self.open_(attempt)
        except Exception as error:  # noqa: BLE001 - raised by the owner
            if call.is_in_flight(attempt):
                if not call.failed(attempt, error, clock.now(), clock.chance()):
                    self._error = error
                self._tell_owner()
        except asyncio.CancelledError as error:
            if not call.is_in_flight(attempt):
                raise
            call.abandoned(attempt, clock.now())  # nobody asked for it: the child's own
            self._error = error
            self._tell_owner()
        else:
            await self._answered(attempt, answer)

    async def _answered(self, attempt: Attempt, answer: T) -> None:
        """Win, unless the owner's attempt answers at this very moment, and serve."""
        if not isinstance(answer, AsyncPeekedStream):
            self.loop.call_soon(self._decide, attempt, answer)
            return
        answer.wait_timer.close()
        chunks = _HandedOver(cast("asyncio.Task[Any]", asyncio.current_task()))
        wait_timer = WaitTimer(answer.reading.timer, self.clock)
        shown = AsyncPeekedStream(
            answer.reading,
            answer.held,
            chunks,
            wait_timer,
            judged=answer.judged,
            written_into=answer.written_into,
        )
        self.loop.call_soon(self._decide, attempt, cast("T", shown))
        try:
            await chunks.serve(answer)
        finally:
            await answer.aclose()

    def _decide(self, attempt: Attempt, answer: T) -> None:
        """Let an attempt win that began to answer a moment ago, if none has by now."""
        if self.call.is_in_flight(attempt):
            self.call.succeeded(attempt, answer, self.clock.now())
            self._tell_owner()

    def _tell_owner(self) -> None:
        """Let the owner look what has come of the attempt beside it."""
        if not self.is_owner_asking:
            _wake(self._waiter)
        elif self._error is not None or self.call.is_over:
            self._broke_off = True
            self.owner.cancel()
        else:
            self.look()


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


class _Loser:
    """Stands among what a stream closes at its end: by then its loser is gone."""

    def __init__(self, task: asyncio.Task[None]) -> None:
        self._task = task

    async def aclose(self) -> None:
        await asyncio.wait({self._task})


class _HandedOver:
    """The rest of a stream that another task reads."""

    def __init__(self, reader: asyncio.Task[Any]) -> None:
        self._chunks: deque[ChatGenerationChunk] = deque()
        self._error: BaseException | None = None
        self._is_over = False
        self._reader = reader
        self._arrived: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None

    async def serve(self, opened: AsyncPeekedStream) -> None:
        """Read a stream to its end, in the task that has opened it."""
        try:
            async for chunk in opened.rest:
                self._chunks.append(chunk)
                _wake(self._arrived)
                while len(self._chunks) >= _READ_AHEAD:
                    self._room = asyncio.get_running_loop().create_future()
                    await self._room
        except BaseException as error:
            self._error = error
            if not isinstance(error, Exception):
                raise
        finally:
            self._is_over = True
            _wake(self._arrived)

    def __aiter__(self) -> _HandedOver:
        return self

    async def __anext__(self) -> ChatGenerationChunk:
        while not self._chunks:
            if self._is_over:
                error, self._error = self._error, None
                raise error or StopAsyncIteration
            self._arrived = asyncio.get_running_loop().create_future()
            await self._arrived
        if self._room is not None:
            _wake(self._room)
        return self._chunks.popleft()

    async def aclose(self) -> None:
        """Let the reader close its stream, and wait for it."""
        if not self._reader.done():
            if not self._is_over:
                self._reader.cancel()
            await asyncio.wait({self._reader})
