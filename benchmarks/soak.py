"""Minutes of mixed load, and what came of every call: `make soak`.

Threads and tasks of one process ask real `ChatOpenAI` and `ChatAnthropic` through a few
shared `ReliableChatModel`s, while a simulator in a process of its own fails in every
way it can. Each answer is compared with what the simulator was told to say; between the
rounds everything comes to rest, and what is still there was left behind.

```text
soak.py            the rounds: threads, tasks, rests
soak_load.py       chance: clients, models, faults, ways to ask and to leave
soak_stage.py      what a call shall meet, and the simulator
soak_calls.py      one call
soak_listeners.py  who hears one token by token, and sees it taken back
soak_judge.py      whether it was told the truth
soak_reuse.py      clients that reuse their chunks
soak_forks.py      calls in forked children
soak_signals.py    calls in signal handlers
soak_rest.py       what is left behind
soak_report.py     the report, as a table and as JSON
```

docs/soak.md says how to read it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import threading
import time
import traceback
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks import soak_rest
from benchmarks.soak_calls import Asking
from benchmarks.soak_forks import Forks
from benchmarks.soak_load import Load
from benchmarks.soak_report import Report, table
from benchmarks.soak_signals import Handler, signals
from benchmarks.soak_stage import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from benchmarks.soak_calls import Call
    from benchmarks.soak_stage import Stage

THREADS: Final = 4
TASKS: Final = 10
ROUND: Final = 10.0
"""Seconds of load between two rests."""
PAIRS: Final = 25
"""Healthy calls at the bare child and at ours in each rest, sync and async."""
LOST: Final = 30.0
"""Seconds after which a call is not waited for any more; a few are what one may take
with all its tries and limits."""


class Soak:
    """Threads and a loop full of tasks, which call and come to rest together."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.report = Report(seed)
        self._before = soak_rest.Before()
        self._stage = stage
        self._seed = seed
        self._load = Load(stage.url, seed)
        self._loop = asyncio.new_event_loop()
        runs = threading.Thread(target=self._loop.run_forever, name="loop", daemon=True)
        runs.start()
        self._before.threads.add(runs)

    def round(self, number: int, seconds: float) -> None:
        """Call for some seconds, come to rest, and look around."""
        until = time.monotonic() + seconds
        tasks = asyncio.run_coroutine_threadsafe(self._tasks(number, until), self._loop)
        threads = [
            threading.Thread(
                target=self._in_thread, args=(f"{number}-{at}", until), daemon=True
            )
            for at in range(THREADS)
        ]
        forks = self._forks(number)
        for thread in (*threads, forks):
            thread.start()
        self._in_main(number, until)
        forks.stop()
        for thread in threads:
            thread.join(seconds + 2 * LOST)
            if thread.is_alive():
                self.report.lose(_stack_of(thread))
                self._before.threads.add(thread)
        tasks.result(seconds + 4 * LOST)
        found = self._before.found(self._loop, self._stage)
        details = self._before.details(self._loop) if any(found.values()) else ""
        self.report.rest(found, soak_rest.memory(), details)
        self._compare(number)

    # --- threads and tasks --------------------------------------------------------

    def _forks(self, number: int) -> Forks:
        chance = self._load.chance(f"{self._seed}-fork-{number}")
        return Forks(
            lambda: self._load.call_in_fork(chance),
            lambda word, detail: self.report.note("in a fork", word, detail),
        )

    def _in_main(self, number: int, until: float) -> None:
        """Call in the main thread as well, where signal handlers run."""
        handler = Handler(self._load.model_for_handlers())
        with signals(handler):
            self._in_thread(f"{number}-main", until)
        for told in handler.told:
            word, _, detail = told.partition(": ")
            self.report.note("in a signal handler", word, detail)

    def _in_thread(self, name: str, until: float) -> None:
        chance = self._load.chance(f"{self._seed}-thread-{name}")
        while time.monotonic() < until:
            if self._load.compares(chance):
                for who, call in self._load.pair(chance, async_=False):
                    self._timed("under load", who, call)
                continue
            asking = Asking(self._load.call(chance, async_=False))
            asking.ask()
            self.report.take(asking)

    def _compare(self, number: int) -> None:
        """Make healthy calls, one at a time, while nothing else is under way."""
        chance = self._load.chance(f"{self._seed}-rest-{number}")
        for _ in range(PAIRS):
            for who, call in self._load.pair(chance, async_=False):
                self._timed("at rest", who, call)
        asyncio.run_coroutine_threadsafe(self._acompare(chance), self._loop).result()

    def _timed(self, when: str, who: str, call: Call) -> None:
        asking, began = Asking(call), time.perf_counter()
        asking.ask()
        self.report.time(when, who, call, time.perf_counter() - began)
        self.report.take(asking)

    async def _acompare(self, chance: Random) -> None:
        for _ in range(PAIRS):
            for who, call in self._load.pair(chance, async_=True):
                await self._awaited(call, who, "at rest")

    async def _tasks(self, number: int, until: float) -> None:
        names = [f"{number}-{at}" for at in range(TASKS)]
        await asyncio.gather(*(self._in_task(name, until) for name in names))
        for _ in range(20):  # what was dropped is closed by the loop
            await asyncio.sleep(0.005)

    async def _in_task(self, name: str, until: float) -> None:
        chance = self._load.chance(f"{self._seed}-task-{name}")
        while time.monotonic() < until:
            if self._load.compares(chance):
                for who, call in self._load.pair(chance, async_=True):
                    await self._awaited(call, who)
                continue
            await self._awaited(self._load.call(chance, async_=True))

    async def _awaited(
        self, call: Call, who: str = "", when: str = "under load"
    ) -> None:
        """Make a call in a task of its own, and wait for it as long as can be."""
        asking, began = Asking(call), time.perf_counter()
        task = asyncio.create_task(asking.aask())
        if call.leaves == "cancel":
            self._loop.call_later(call.after, task.cancel)
        done, _ = await asyncio.wait({task}, timeout=LOST)
        if not done:
            self.report.lose(f"{call}\n{task.get_stack()}")
            task.cancel()
            return
        if task.cancelled():  # before it had begun
            return
        task.result()
        if who:
            self.report.time(when, who, call, time.perf_counter() - began)
        self.report.take(asking)

    # --- the end ------------------------------------------------------------------

    def close(self) -> None:
        """Close the clients, and see that nothing of them is left."""
        clients = self._before.clients_since()
        asyncio.run_coroutine_threadsafe(_aclose(clients), self._loop).result(LOST)
        for client in clients:
            if hasattr(client, "close"):
                client.close()
        self._stop()
        until = time.monotonic() + soak_rest.SETTLE
        while time.monotonic() < until and self._before.sockets_since():
            time.sleep(0.05)
        self.report.closed(
            {
                "sockets": self._before.sockets_since(),
                "connections at the provider": self._stage.state()["connections"],
            }
        )

    def _stop(self) -> None:
        """End the loop and its thread."""
        asyncio.run_coroutine_threadsafe(
            self._loop.shutdown_default_executor(), self._loop
        ).result(LOST)
        self._loop.call_soon_threadsafe(self._loop.stop)
        while self._loop.is_running():
            time.sleep(0.01)
        self._loop.close()


async def _aclose(clients: list[Any]) -> None:
    for client in clients:
        if hasattr(client, "aclose"):
            await client.aclose()


def _stack_of(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 - it hangs
    return "".join(traceback.format_stack(frame)) if frame else thread.name


@contextmanager
def _hearing(report: Report) -> Iterator[None]:
    """Hear of exceptions that are raised where nobody could catch them."""
    before = sys.unraisablehook

    def ignored(what: sys.UnraisableHookArgs) -> None:
        place = getattr(what.object, "__qualname__", type(what.object).__qualname__)
        report.ignored(f"{what.exc_value!r} in {place}")

    sys.unraisablehook = ignored
    try:
        yield
    finally:
        sys.unraisablehook = before


@contextmanager
def _quiet() -> Iterator[None]:
    """Let our own log lines be: every call is a failure."""
    logger = logging.getLogger("langchain_reliable")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():  # the bare ChatOpenAI makes it as well
            warnings.filterwarnings("ignore", message="Pydantic serializer warnings")
            yield
    finally:
        logger.setLevel(level)


def run(seconds: float, seed: int, round_: float = ROUND) -> Report:
    """Soak for so many seconds of load, and return what was seen."""
    with running() as stage, _quiet():
        stage.state()
        soak = Soak(stage, seed)
        rounds = max(1, round(seconds / round_))
        with _hearing(soak.report):
            for number in range(rounds):
                soak.round(number, seconds / rounds)
            soak.close()
        return soak.report


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak")
    parser.add_argument("--minutes", type=float, default=3.0, help="default: 3")
    parser.add_argument("--seed", type=int, default=1, help="default: 1")
    parser.add_argument("--json", type=Path, help="where the report goes as JSON")
    options = parser.parse_args()
    report = run(60 * options.minutes, options.seed).as_dict()
    print(table(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
