"""Two attempts at once in sync: each in threads of its own, the caller waits for both.

Nothing interrupts a thread that waits for a child. So the loser's reader is left behind
like one whose time is up, and what it reads is ended.

Whom to ask, who wins and who pays is decided in `_core`.
"""

from __future__ import annotations

import math
import queue
import threading
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from langchain_reliable._core.steps import Confirm, Launch, Wait
from langchain_reliable._runtime.peek import PeekedStream, close_stream
from langchain_reliable._runtime.worker_threads import in_a_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_reliable._core.call import Call
    from langchain_reliable._core.steps import Attempt
    from langchain_reliable._runtime.clock import Clock

T = TypeVar("T")


class Reader(Protocol):
    """What waits for a child in a thread."""

    def give_up(self) -> None:
        """Wait no longer, and end what is read."""


class GivenUpError(Exception):
    """Nobody waits for an attempt any more: another has won, or the caller left."""


class RacedAttempt:
    """An attempt that may be given up while a thread waits for it."""

    def __init__(self) -> None:
        """Begin to wait."""
        self._given_up = False
        self._lock = threading.RLock()  # a finalizer may come in between
        self._reader: Reader | None = None

    def reads_with(self, reader: Reader) -> None:
        """Take note of what waits for the child now.

        Raises:
            GivenUpError: Nobody waits any more, so nothing is to be asked.
        """
        with self._lock:
            if self._given_up:
                raise GivenUpError
            self._reader = reader

    def give_up(self) -> None:
        """Wait no longer."""
        with self._lock:
            self._given_up, reader = True, self._reader
        if reader is not None:
            reader.give_up()


class _Outcome(NamedTuple, Generic[T]):
    attempt: Attempt
    answer: T | None
    error: BaseException | None


def run_hedged(
    call: Call[T], open_: Callable[[Attempt], T], attempt: Attempt, clock: Clock
) -> None:
    """Carry out an attempt beside which another may be asked; tell the call the end.

    Args:
        call: The state of the call.
        open_: Asks one candidate and returns its answer, committed.
        attempt: The attempt.
        clock: Time and chance.

    Raises:
        BaseException: Something is no provider's failure.
    """
    race = _Race(call, open_, clock)
    try:
        race.ask(attempt)
        race.run()
    except BaseException:
        if race.asking:
            call.abandoned(next(iter(race.asking.values())), clock.now())
        raise
    finally:
        race.give_up_losers()


class _Race(Generic[T]):
    """At most two attempts of a call, each in a thread of its own.

    Attributes:
        asking: The attempts that the call waits for, by their numbers.
    """

    def __init__(
        self, call: Call[T], open_: Callable[[Attempt], T], clock: Clock
    ) -> None:
        self.asking: dict[int, Attempt] = {}
        self._call = call
        self._clock = clock
        self._begun: dict[int, RacedAttempt] = {}
        self._open = open_
        self._outcomes: queue.SimpleQueue[_Outcome[T]] = queue.SimpleQueue()

    def ask(self, attempt: Attempt) -> None:
        """Begin an attempt in a thread."""
        raced = attempt.progress.raced = RacedAttempt()
        self.asking[attempt.number] = attempt
        self._begun[attempt.number] = raced
        run = copy_context().run
        in_a_thread(partial(_open_in_thread, run, self._open, attempt, self._outcomes))

    def run(self) -> None:
        """Wait until the call is over, or nobody is asked any more.

        Raises:
            BaseException: What an attempt raised is no provider's failure.
        """
        while self.asking and not self._call.is_over:
            match self._call.what_now(self._clock.now()):
                case Launch(attempt):
                    self.ask(attempt)
                case Wait(until):
                    for outcome in self._waited(until):
                        self._ended(outcome)
                case Confirm(question, seconds):
                    question.wait(seconds)

    def _waited(self, until: float) -> list[_Outcome[T]]:
        """Return what has ended, at one moment the earlier launched first."""
        wait = None if until == math.inf else max(0.0, until - self._clock.now())
        outcomes = []
        try:
            outcomes.append(self._outcomes.get(timeout=wait))
            while True:
                outcomes.append(self._outcomes.get_nowait())
        except queue.Empty:
            return sorted(outcomes, key=_rank)

    def _ended(self, outcome: _Outcome[T]) -> None:
        call, clock = self._call, self._clock
        attempt, answer, error = outcome
        self._begun.pop(attempt.number)
        if not call.is_in_flight(attempt):  # another was let in a moment ago
            _close(answer)
            return
        del self.asking[attempt.number]
        if error is None:
            call.succeeded(attempt, answer, clock.now())  # type: ignore[arg-type] # no error: an answer
        elif not isinstance(error, Exception):
            call.abandoned(attempt, clock.now())
            self.asking.clear()
            raise error
        elif not call.failed(attempt, error, clock.now(), clock.chance()):
            self.asking.clear()
            raise error

    def give_up_losers(self) -> None:
        """Wait for nobody any more."""
        for raced in self._begun.values():
            raced.give_up()


def _rank(outcome: _Outcome[T]) -> tuple[bool, int]:
    return outcome.error is not None, outcome.attempt.number


def _open_in_thread(
    run: Callable[..., T],
    open_: Callable[[Attempt], T],
    attempt: Attempt,
    outcomes: queue.SimpleQueue[_Outcome[T]],
) -> None:
    try:
        answer = run(open_, attempt)
    except BaseException as error:  # noqa: BLE001 - raised by who waits
        outcomes.put(_Outcome(attempt, None, error))
        return
    outcomes.put(_Outcome(attempt, answer, None))


def _close(answer: object) -> None:
    if isinstance(answer, PeekedStream):
        close_stream(answer.rest)
