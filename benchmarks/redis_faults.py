"""How long calls wait for a Redis that is anything but well.

    python -m benchmarks.redis_faults --calls 100000

A real `redis-server` is frozen, thawed, slowed, filled, emptied, killed and started
again, all the time. Meanwhile threads and tasks make calls that need it: each attempt
books its place in a limit, and circuits open and are probed. What is told:

- errors of calls (there must be none);
- the longest time a call waited for Redis, all its waits together;
- how much later than it had asked for it was woken up, and how far a thread overslept
  that does nothing but sleep: what the machine itself makes everybody wait. A span that
  overlaps with such a stall is told without it;
- how long the same calls take whose health is in memory alone.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import logging
import os
import random
import sys
import threading
import time
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

from langchain_reliable import (
    Candidate,
    CircuitBreaker,
    Health,
    RedisHealth,
    ReliableChatModel,
)
from langchain_reliable._runtime.shared_health import link
from langchain_reliable.testing import ScriptedChatModel

ROOT = Path(__file__).parent.parent
BOUND = 0.05
THREADS = TASKS = 4


@dataclass
class Machine:
    """A thread that only sleeps, and by how much it oversleeps."""

    stalls: list[tuple[float, float]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        while not self.over.is_set():
            began = time.monotonic()
            time.sleep(0.001)
            ended = time.monotonic()
            if ended - began > 0.005:
                self.stalls.append((began, ended))

    def stalled_within(self, began: float, ended: float) -> float:
        stalls = self.stalls  # in the order of time
        at = max(0, bisect_left(stalls, (began, 0.0)) - 1)
        return sum(
            max(0.0, min(ended, to) - max(began, since))
            for since, to in takewhile(
                lambda one: one[0] < ended, islice(stalls, at, None)
            )
        )


class Waits:
    """How long each call has waited for Redis: in its thread, or in its task."""

    def __init__(self) -> None:
        self.spans: list[tuple[float, float]] = []
        self.late: list[float] = []
        wait, arrived = link.Question.wait, link.Question.arrived

        def timed(question: Any, seconds: float) -> None:
            began = time.monotonic()
            wait(question, seconds)
            self._note(began, seconds)

        async def atimed(question: Any, seconds: float) -> None:
            began = time.monotonic()
            await arrived(question, seconds)
            self._note(began, seconds)

        link.Question.wait = timed  # type: ignore[method-assign]
        link.Question.arrived = atimed  # type: ignore[method-assign]

    def _note(self, began: float, seconds: float) -> None:
        ended = time.monotonic()
        self.spans.append((began, ended))
        self.late.append(max(0.0, ended - began - seconds))


def faults(server: Any, over: threading.Event, done: Counter[str]) -> None:
    """Let a server flap, until all calls are made."""
    chance = random.Random(7)
    while not over.wait(chance.uniform(0.02, 0.2)):
        fault = chance.choice(["frozen", "frozen", "slow", "full", "emptied", "killed"])
        done[fault] += 1
        with contextlib.suppress(Exception):
            if fault == "killed":
                server.stop()
                over.wait(chance.uniform(0.02, 0.3))
                server.start()
            elif fault == "frozen":
                server.freeze()
                over.wait(chance.uniform(0.01, 0.3))
                server.thaw()
            else:
                with server.client() as client:
                    bend(client, fault, chance, over)


def bend(client: Any, fault: str, chance: Any, over: threading.Event) -> None:
    if fault == "emptied":
        client.flushall()
    elif fault == "full":
        client.config_set("maxmemory", "1")
        over.wait(chance.uniform(0.02, 0.2))
        client.config_set("maxmemory", "0")
    else:
        for _ in range(10):
            client.execute_command("DEBUG", "SLEEP", chance.uniform(0.02, 0.09))


def a_model(health: Health) -> ReliableChatModel:
    down = ConnectionError
    first = ScriptedChatModel(model="a", script=[*["fine"] * 20, down, down, down])
    return ReliableChatModel(
        models=[
            Candidate(first, name="first", rpm=10**7, max_parallel_requests=1000),
            Candidate(ScriptedChatModel(model="b"), name="second", rpm=10**7),
        ],
        health=health,
        circuit_breaker=CircuitBreaker(failures=2, open_for=0.05),
        initial_backoff=0,
        retry_budget=None,
    )


def in_threads(model: ReliableChatModel, calls: int, ends: list[Any]) -> None:
    def run() -> None:
        for _ in range(calls // THREADS):
            began = time.monotonic()
            try:
                model.invoke("hi")
            except Exception as error:  # noqa: BLE001 - counted
                ends.append(error)
            else:
                ends.append((began, time.monotonic()))

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()


async def in_tasks(model: ReliableChatModel, calls: int, ends: list[Any]) -> None:
    async def run() -> None:
        for _ in range(calls // TASKS):
            began = time.monotonic()
            try:
                await model.ainvoke("hi")
            except Exception as error:  # noqa: BLE001 - counted
                ends.append(error)
            else:
                ends.append((began, time.monotonic()))
            await asyncio.sleep(0)

    await asyncio.gather(*(run() for _ in range(TASKS)))


def told(name: str, spans: list[tuple[float, float]], machine: Machine) -> str:
    """Say how long spans were, as they were and without stalls of the machine."""
    raw = sorted(to - since for since, to in spans)
    slow = [span for span in spans if span[1] - span[0] > BOUND * 0.6]
    rest = [to - since - machine.stalled_within(since, to) for since, to in slow]
    longest = max(rest, default=raw[-1] if raw else 0.0)
    above = sum(one > BOUND for one in raw)
    return (
        f"{name:<22} {len(raw):>7}  median {raw[len(raw) // 2] * 1e3:.2f} ms, 99.9 % "
        f"{raw[int(len(raw) * 0.999)] * 1e3:.1f} ms, longest {raw[-1] * 1e3:.1f} ms "
        f"({above} above {BOUND * 1e3:.0f}); without stalls of the machine "
        f"{longest * 1e3:.1f} ms ({sum(one > BOUND for one in rest)} above)"
    )


def asked(surface: str, health: Health, calls: int, machine: Machine) -> int:
    """Make calls, and tell how long they took; return how many failed."""
    ends: list[Any] = []
    model = a_model(health)
    began = time.monotonic()
    if surface == "invoke":
        in_threads(model, calls, ends)
    else:
        asyncio.run(in_tasks(model, calls, ends))
    took = time.monotonic() - began
    errors = [one for one in ends if isinstance(one, Exception)]
    good = [one for one in ends if not isinstance(one, Exception)]
    print(f"\n{surface}: {len(ends)} calls in {took:.0f} s")
    print(f"errors {len(errors)}", *{repr(one) for one in errors})
    print(told("calls", good, machine), flush=True)
    return len(errors)


def measured(calls: int) -> int:
    """Make the calls, and tell; return how many failed."""
    sys.path.insert(0, str(ROOT / "tests"))
    running = importlib.import_module("redis_server").running
    machine, waits, done, over = Machine(), Waits(), Counter(), threading.Event()
    failed = 0
    vars(link).update(_FIRST_PAUSE=0.1, _LONGEST_PAUSE=0.1)  # it is asked all the time
    logging.getLogger("langchain_reliable").setLevel(logging.CRITICAL)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")
    with running("--enable-debug-command", "local") as server:
        helpers = [
            threading.Thread(target=machine.watch),
            threading.Thread(target=faults, args=(server, over, done)),
        ]
        for one in helpers:
            one.start()
        try:
            for surface in ("invoke", "ainvoke"):
                waits.spans.clear()
                waits.late.clear()
                shared = RedisHealth(server.url, refresh=0.2)
                failed += asked(surface, shared, calls // 2, machine)
                print(told("waits for Redis", [*waits.spans], machine))
                print(f"woken up late: {max(waits.late) * 1e3:.1f} ms at the most")
                print("\nin memory alone", end="")
                failed += asked(surface, Health(), calls // 2, machine)
        finally:
            over.set()
            machine.over.set()
            for one in helpers:
                one.join()
    longest = max((to - since for since, to in machine.stalls), default=0.0)
    print(f"\nfaults: {dict(done)}")
    print(f"the machine alone overslept {longest * 1e3:.0f} ms at the most")
    print(f"load {os.getloadavg()[0]:.1f}")
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=100_000)
    return 1 if measured(parser.parse_args().calls) else 0


if __name__ == "__main__":
    sys.exit(main())
