"""The one thread that talks to Redis, and the breaker that keeps calls from waiting.

    away ── greeted, and quick ──► up ── an error, or slow three times ──► away
      ▲                                                                     │
      └────── after 1 s, 2 s, ... 10 s (back to 1 s after a calm time) ─────┘

While it is away nobody is made to wait: a question is answered "don't know" at once.
While it is up a question is waited for at most `PATIENCE`, whatever the network, TLS or
redis-py do, because it is another thread that does it. Once somebody has waited in vain
nobody else does until Redis has answered quickly again: of all the calls in a freeze,
only those are held up that were asking when it began.

A call may be a thread or a task: one waits with `wait`, the other with `arrived`, which
leaves its event loop free.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import threading
import time
import weakref
from itertools import pairwise
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Protocol

from langchain_reliable._core.steps import Claim

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_logger = logging.getLogger("langchain_reliable")

PATIENCE: Final = 0.05
"""Seconds for which a call waits for an answer, all in all."""

_SCHEDULING: Final = 0.015
"""Seconds of these that are kept for this thread to be woken up again."""

_QUICK: Final = PATIENCE / 2
"""Seconds within which Redis must answer a greeting: else calls would wait in vain."""

_TRIES: Final = 3
"""How often in a row it must be slow to count as away: a busy machine is no outage."""

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 10.0

_CALM: Final = 60.0
"""Seconds of good service after which what was before is forgotten."""

_SPREAD: Final = random.SystemRandom()
"""Chance that leaves the program's own alone and differs in forks: a crowd spreads."""

THREAD: Final = "langchain_reliable redis"


class TooSlow(Exception):
    """Redis answers, but later than calls may be made to wait."""


class Question:
    """What a call asks Redis; it waits for the answer, but not for long.

    Attributes:
        answer: What Redis has said; `None` before that.
        is_withdrawn: Whether the call does not want any more what it asked for.
    """

    def __init__(self) -> None:
        """Begin without an answer."""
        self._answered = threading.Event()
        self._settled = threading.Lock()  # taken by whoever comes first
        self._wake: Callable[[], Any] | None = None
        self.answer: Any = None
        self.is_withdrawn = False

    # --- for the call that asks -----------------------------------------------------

    def is_over(self) -> bool:
        """Return whether there is an answer, or nobody waits for it any more."""
        return self._settled.locked()

    def wait(self, seconds: float) -> None:
        """Wait for the answer in this thread."""
        self._answered.wait(seconds)
        self.end()

    async def arrived(self, seconds: float) -> None:
        """Wait for the answer in this task; the twin of `wait`."""
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()
        timer = loop.call_later(seconds, woken.set)
        self._wake = lambda: loop.call_soon_threadsafe(woken.set)
        try:
            if not self._answered.is_set():
                await woken.wait()
        finally:
            timer.cancel()
        self.end()

    def end(self) -> bool:
        """Wait no longer; return whether an answer is still to come."""
        return self._settled.acquire(blocking=False)

    # --- for the thread that answers ------------------------------------------------

    def settle(self, answer: Any) -> bool:
        """Give the answer; return whether anybody still wants it."""
        if not self._settled.acquire(blocking=False):
            return False
        self.answer = answer
        self.dismiss()
        return True

    def dismiss(self) -> None:
        """Let the caller go on, with the answer if there is one."""
        self._answered.set()
        if (wake := self._wake) is not None:
            with contextlib.suppress(RuntimeError):  # its event loop is closed by now
                wake()


class Connection:
    """A client of redis-py, and how commands are sent with it."""

    def __init__(self, client: Any) -> None:
        """Take the client."""
        self._client = client
        self._one_by_one = not hasattr(client, "connection_pool")  # of a cluster

    def run(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Send commands in one go, and return their replies."""
        if not commands:
            return []
        if self._one_by_one or len(commands) == 1:
            replies = [self._client.execute_command(*one) for one in commands]
        else:
            with self._client.pipeline(transaction=False) as pipe:
                for one in commands:
                    pipe.execute_command(*one)
                replies = pipe.execute()
        return [_as_bytes(one) for one in replies]

    def load(self, script: str) -> None:
        """Let Redis know a script, on every node."""
        self._client.script_load(script)

    def close(self) -> None:
        """Close what is open."""
        try:
            self._client.close()
        except Exception:  # it is gone either way
            _logger.debug("closing the connection to Redis failed", exc_info=True)


def _as_bytes(reply: Any) -> Any:
    """Return a reply as it is without `decode_responses`, which a client may have."""
    if isinstance(reply, str):
        return reply.encode()
    if isinstance(reply, (list, tuple, set, frozenset)):
        return [_as_bytes(one) for one in reply]
    return reply


class Served(Protocol):
    """Whose errands the thread runs."""

    def greet(self, connection: Connection) -> None:
        """Begin with a new connection; raise if it is of no use."""

    def refresh(self, connection: Connection) -> None:
        """Look at what Redis holds."""

    def exchange(self, connection: Connection, questions: Sequence[Any]) -> bool:
        """Ask and write; return whether there is more to write."""

    def lost(self) -> None:
        """Redis is away."""

    def forked(self) -> None:
        """This is a forked process: nothing runs here yet."""


class Link:
    """The thread, its connection and its breaker."""

    def __init__(
        self,
        connect: Callable[[], Any],
        place: str,
        served: Served,
        refresh: float,
        *,
        closes: bool,
    ) -> None:
        """Open nothing yet.

        Args:
            connect: Makes the client.
            place: How Redis is called in logs; without a password.
            served: Whose errands the thread runs. It ends when that is gone.
            refresh: Seconds from one look to the next.
            closes: Whether the client is ours to close.
        """
        self.is_up = False
        self.refresh = refresh
        self._closes = closes
        self._connect = connect
        self._place = place
        self._served = weakref.ref(served, lambda _: self.hurry())
        self._said_away = False
        self._forget_all()
        _links.add(self)

    def _forget_all(self) -> None:
        self.is_up = False
        self._connection: Connection | None = None
        self._look_at = self._retry_at = float("-inf")
        self._pause = _FIRST_PAUSE
        # What a signal handler or a collected object puts in, in the middle of another
        # put, does no harm: an event's lock would be held for ever.
        self._mail: SimpleQueue[Question | None] = SimpleQueue()
        self._in_vain = False  # whether a call has waited in vain, and nothing since
        self._slow = 0  # how often in a row
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._up_since = float("-inf")

    # --- for the calls ------------------------------------------------------------

    def start(self) -> None:
        """Start the thread, where it does not run in this process."""
        if self._thread is None and self._starting.acquire(blocking=False):
            self._thread = threading.Thread(
                target=self._run, args=(os.getpid(),), name=THREAD, daemon=True
            )
            self._thread.start()

    def hurry(self) -> None:
        """Let the thread look for work now."""
        self._mail.put(None)

    def look_soon(self) -> None:
        """Let the thread look at what Redis holds now: there is somebody new."""
        self._look_at = float("-inf")
        self.hurry()

    def claim(
        self,
        question: Question,
        outcome: Callable[[float], Any],
        withdraw: Callable[[float], None],
    ) -> Claim | None:
        """Ask; return what to wait for, `None` where there is nobody to ask.

        While waiting is in vain Redis is told all the same: so limits count what goes
        out.

        Args:
            question: What Redis is asked.
            outcome: Says what comes of it, with or without an answer.
            withdraw: Gives back what was asked for.
        """
        if not self.is_up:
            return None

        def ended(now: float) -> Any:
            question.end()
            if question.answer is None and not self._in_vain:
                self._in_vain = True
                self.look_soon()
            return outcome(now)

        self._mail.put(question)
        patience = 0.0 if self._in_vain else PATIENCE - _SCHEDULING
        return Claim(question, patience, question.is_over, ended, withdraw)

    def post(self, question: Question) -> None:
        """Ask, and do not wait; where Redis is away, it is not asked."""
        if self.is_up:
            self._mail.put(question)

    # --- the thread ---------------------------------------------------------------

    def _run(self, pid: int) -> None:
        while os.getpid() == pid:
            is_away = self._connection is None
            questions = self._mail_until(self._retry_at if is_away else self._look_at)
            served = self._served()
            if served is None:
                break
            if self._connection is not None or time.monotonic() >= self._retry_at:
                self._serve(served, questions)
            else:
                _dismiss(questions)
            del served  # while it waits the thread keeps nobody alive
        self._drop()

    def _mail_until(self, moment: float) -> list[Question]:
        """Wait until a moment or until there is mail; return all of it."""
        mail: list[Question | None] = []
        try:
            mail.append(self._mail.get(timeout=max(0.0, moment - time.monotonic())))
            while True:
                mail.append(self._mail.get_nowait())
        except Empty:
            return [one for one in mail if one is not None]

    def _serve(self, served: Served, questions: list[Question]) -> None:
        began = time.monotonic()
        try:
            if (connection := self._connection) is None:
                connection = self._greeted(served)
            if time.monotonic() >= self._look_at:
                self._look_at = time.monotonic() + self.refresh
                served.refresh(connection)
            if served.exchange(connection, questions):
                self.hurry()
            self._check_speed(time.monotonic() - began)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no call's affair
            self._went_away(served, error)
            _dismiss(questions)

    def _greeted(self, served: Served) -> Connection:
        """Open a connection; it counts once Redis has answered, and quickly."""
        self._connection = connection = Connection(self._connect())
        served.greet(connection)
        times = [time.monotonic()]
        for _ in range(_TRIES):
            connection.run([("TIME",)])
            times.append(time.monotonic())
        if min(after - before for before, after in pairwise(times)) > _QUICK:
            raise TooSlow
        served.refresh(connection)
        self._look_at = time.monotonic() + self.refresh
        self._up_since = time.monotonic()
        self._in_vain, self.is_up = False, True
        if self._said_away:
            self._said_away = False
            _logger.info("Redis at %s is back; health is shared again", self._place)
        return connection

    def _check_speed(self, took: float) -> None:
        self._slow = self._slow + 1 if took > PATIENCE else 0
        if took <= _QUICK:
            self._in_vain = False
        if self._slow >= _TRIES:
            raise TooSlow

    def _went_away(self, served: Served, error: Exception) -> None:
        self.is_up, self._slow = False, 0
        if time.monotonic() - self._up_since > _CALM:
            self._pause = _FIRST_PAUSE
        chance = _SPREAD.uniform(0.8, 1.2)
        self._retry_at = time.monotonic() + self._pause * chance
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        self._drop()
        served.lost()
        if not self._said_away:
            _logger.warning(
                "Redis at %s is away (%s); until it is back each process goes by what "
                "it knows itself",
                self._place,
                type(error).__name__,
            )
            self._said_away = True

    def _drop(self) -> None:
        self.is_up = False
        connection, self._connection = self._connection, None
        if connection is not None and self._closes:
            connection.close()

    def after_fork(self) -> None:
        """Begin anew in a forked process: thread and sockets are the parent's."""
        self._forget_all()
        if (served := self._served()) is not None:
            served.forked()


def _dismiss(questions: Sequence[Question]) -> None:
    for one in questions:
        one.dismiss()


_links: weakref.WeakSet[Link] = weakref.WeakSet()


def _renew() -> None:
    for link in list(_links):
        link.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
