"""A process of its own with a model, told over a pipe what to do."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
import time
from typing import TYPE_CHECKING, Any

from langchain_reliable import (
    AllModelsFailed,
    Candidate,
    CircuitBreaker,
    RedisHealth,
    ReliableChatModel,
)
from langchain_reliable._runtime.shared_health import link as links
from langchain_reliable.testing import Gate, ScriptedChatModel, stalls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

FIRST, SECOND = "first of all", "second of all"
WAIT = 20.0
FAILURES = 3


def wait_until(holds: Callable[[], bool], seconds: float = WAIT) -> bool:
    """Look until something holds; return whether it came to that."""
    over, pause = time.monotonic() + seconds, threading.Event()
    while not (held := holds()) and time.monotonic() < over:
        pause.wait(0.002)
    return held


def written(health: RedisHealth) -> bool:
    """Wait until Redis holds all that was changed here."""
    mirror = health._mirror

    def holds() -> bool:
        with mirror.lock:
            records = mirror._records.values()
            late = any(one.pending or one.is_marked for one in records)
            return mirror.link.is_up and not late and not mirror._isolation

    return wait_until(holds)


class Server:
    """What a worker does."""

    def build(
        self,
        url: str,
        namespace: str,
        *,
        opens: bool,
        open_for: float = 600.0,
        patient: bool = True,
        **settings: Any,
    ) -> None:
        """Make a model of two candidates that share their health.

        The first fails until its circuit opens, where it `opens`; then it waits.
        """
        links.PATIENCE = 5.0 if patient else 0.05  # a machine may be busy
        links._QUICK = 5.0
        self.gate = Gate(limit=WAIT)
        down = ConnectionError("down")
        fails = FAILURES if opens else 0
        script = [*[down] * fails, stalls(self.gate)]
        self.first = ScriptedChatModel(model="a", script=script)
        self.second = ScriptedChatModel(model="b")
        self.health = RedisHealth(url, namespace=namespace, **settings)
        self.model = self._model(open_for)

    def _model(self, open_for: float, **candidate: Any) -> ReliableChatModel:
        return ReliableChatModel(
            models=[
                Candidate(self.first, name=FIRST, **candidate),
                Candidate(self.second, name=SECOND),
            ],
            health=self.health,
            circuit_breaker=CircuitBreaker(open_for=open_for),
            initial_backoff=0.001,
        )

    def connect(self) -> bool:
        """Meet the candidates, and wait until Redis was asked about them."""
        route = self.model._router.first_route
        self.health.available_at(route, time.monotonic())
        return wait_until(lambda: self.health._mirror.link.is_up)

    def call(self) -> str:
        """Make a call; return who answered."""
        answer = self.model.invoke("a question of somebody")
        return str(answer.response_metadata["reliable"]["attempts"][-1]["candidate"])

    def written(self) -> bool:
        return written(self.health)

    def state(self) -> str:
        known = {one.name: one.state for one in self.health.snapshot()}
        return known.get(FIRST, "unknown")

    def wait_for(self, state: str) -> float:
        """Return when a state has come, by the clock of the machine."""
        assert wait_until(lambda: self.state() == state), self.health
        return time.monotonic()

    def now(self) -> float:
        return time.monotonic()

    def storm(self, threads: int) -> int:
        """Ask in several threads at once; the first one is at its gate by now.

        Returns:
            How many requests have reached it when all other calls are answered.
        """
        before = self.first.request_count
        barrier = threading.Barrier(threads)
        self.answers: list[Any] = []

        def ask() -> None:
            barrier.wait(WAIT)
            self.answers.append(self.call())

        self.threads = [threading.Thread(target=ask) for _ in range(threads)]
        for one in self.threads:
            one.start()
        reached = lambda: self.first.request_count - before  # noqa: E731
        assert wait_until(lambda: len(self.answers) + reached() == threads)
        return reached()

    def calm(self) -> list[str]:
        """Let the first one answer; return who has answered."""
        self.gate.open()
        for one in self.threads:
            one.join(WAIT)
        return self.answers

    def isolate(self, name: str) -> None:
        self.health.isolate(name)

    def reset(self, name: str | None = None) -> None:
        self.health.reset(name)

    def limited(
        self, seconds: float, at_least: int, limits: dict[str, Any]
    ) -> tuple[list[float], int]:
        """Ask a limited candidate again and again.

        Returns:
            When it was asked, and how often without a word from Redis.
        """
        asked: list[float] = []
        questions: list[links.Question] = []
        link = self.health._mirror.link
        claim = link.claim

        def noted(question: links.Question, *args: Any) -> Any:
            questions.append(question)
            return claim(question, *args)

        link.claim = noted  # type: ignore[method-assign]

        class Counted(ScriptedChatModel):
            def _generate(self, *args: Any, **kwargs: Any) -> Any:
                asked.append(time.monotonic())
                return super()._generate(*args, **kwargs)

        self.first = Counted(model="a", script=["fine"])
        model = self._model(open_for=1.0, **limits)
        over, tries = time.monotonic() + seconds, 0
        while time.monotonic() < over or tries < at_least:
            tries += 1
            with contextlib.suppress(AllModelsFailed):
                model.invoke("hello?")
            threading.Event().wait(0.02)
        return asked, sum(one.answer is None for one in questions)

    def pid(self) -> int:
        return os.getpid()


def _serve(pipe: Connection) -> None:
    server = Server()
    while True:
        try:
            name, args = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            pipe.send((True, getattr(server, name)(**args)))
        except BaseException as error:  # noqa: BLE001 - told to the test
            pipe.send((False, repr(error)))


class Worker:
    """A process that does what it is told."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()

    def begin(self, what: str, **args: Any) -> None:
        self._pipe.send((what, args))

    def end(self, seconds: float = 60.0) -> Any:
        assert self._pipe.poll(seconds), "no word from a worker"
        went_well, result = self._pipe.recv()
        assert went_well, result
        return result

    def do(self, what: str, **args: Any) -> Any:
        self.begin(what, **args)
        return self.end()

    def close(self) -> None:
        self._pipe.close()
        self.process.join(5)
        self.process.kill()


class Workers(list[Worker]):
    """Several, which can be told the same at the same time."""

    def all(self, what: str, **args: Any) -> list[Any]:
        for one in self:
            one.begin(what, **args)
        return [one.end() for one in self]


@contextlib.contextmanager
def workers(count: int) -> Iterator[Workers]:
    """Run so many processes."""
    some = Workers(Worker() for _ in range(count))
    try:
        yield some
    finally:
        for one in some:
            one.close()
