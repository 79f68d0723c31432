"""After any mix of calls: as many tasks, threads, sockets and streams as before.

`LANGCHAIN_RELIABLE_LEAK_CALLS=2000` makes the mix larger than the suite has time for.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import threading
import time
from collections import Counter
from contextlib import aclosing, closing
from pathlib import Path

import pytest
from our_threads import at_work, others, wait_for_rest

from langchain_reliable import ReliableChatModel
from langchain_reliable._core import timeouts
from langchain_reliable._runtime.worker_threads import IDLE, MAX_IDLE
from langchain_reliable.testing import FAULTS

CALLS = int(os.environ.get("LANGCHAIN_RELIABLE_LEAK_CALLS", "300"))
AT_ONCE = 10
LIMIT = 0.05
CLIENTS_OWN = 0.2
"""The clients' own read time-out: how long an abandoned reader may live."""

REPLIES = sorted(FAULTS)
LIMITS = {
    "first_chunk_timeout": LIMIT,
    "idle_timeout": LIMIT,
    "attempt_timeout": 2 * LIMIT,
}


class Broken(Exception):
    """What the caller's own code raises."""


class Mix:
    """Models over every fault, and a choice among everything that may happen."""

    def __init__(self, clients):
        self.sim = clients.sim
        self.chance = random.Random(4)  # noqa: S311 - the same mix each time
        for name, reply in FAULTS.items():
            self.sim.script(name, reply)
        self.clients = {
            (family, name): clients.of(family, name, timeout=CLIENTS_OWN)
            for family in ("openai", "anthropic")
            for name in (*FAULTS, "healthy")
        }
        self.came_to = Counter()

    def model(self):
        """Return one with a fault (or none) before a healthy or a failing backup."""
        names = [*REPLIES, *["healthy"] * (len(REPLIES) // 3)]
        family, other = self.chance.choices(["openai", "anthropic"], k=2)
        first = self.clients[family, self.chance.choice(names)]
        second = self.clients[other, self.chance.choice(["healthy", "error-503"])]
        commit_on = self.chance.choice(["payload", "complete"])
        return ReliableChatModel(
            models=[first, second],
            max_retries=self.chance.choice([0, 1]),
            initial_backoff=0,
            max_retry_after=0,
            max_last_wait=0,
            circuit_breaker=None,
            commit_on=commit_on,
            **LIMITS,
        )

    def way(self, *ways):
        return self.chance.choice(ways)


def sync_call(mix):
    model = mix.model()
    match mix.way("invoke", "stream", "stream", "break", "raise"):
        case "invoke":
            model.invoke("hello?")
        case "stream":
            for _ in model.stream("hello?"):
                pass
        case "break":
            with closing(model.stream("hello?")) as stream:
                next(stream)
        case "raise":
            with closing(model.stream("hello?")) as stream:
                for _ in stream:
                    raise Broken


async def async_call(mix):
    model = mix.model()
    match mix.way("ainvoke", "astream", "astream", "break", "raise", "cancel", "drop"):
        case "ainvoke":
            await model.ainvoke("hello?")
        case "astream":
            async for _ in model.astream("hello?"):
                pass
        case "break":
            async with aclosing(model.astream("hello?")) as stream:
                await anext(stream)
        case "raise":
            async with aclosing(model.astream("hello?")) as stream:
                async for _ in stream:
                    raise Broken
        case "cancel":
            async with asyncio.timeout(mix.chance.uniform(0.001, LIMIT)):
                async for _ in model.astream("hello?"):
                    pass
        case "drop":
            await anext(model.astream("hello?"))


def sockets():
    """Return how many files this process has open, sockets above all."""
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def come_down_to(before):
    """Wait for the simulator, which closes its own ends in a thread of its own."""
    over = time.monotonic() + 2
    while sockets() > before and time.monotonic() < over:
        threading.Event().wait(0.01)
    return sockets() <= before


@pytest.fixture
def mix(clients, monkeypatch, caplog):
    monkeypatch.setattr(timeouts, "AFTER_FINISH", LIMIT)
    caplog.set_level("CRITICAL", logger="langchain_reliable")
    return Mix(clients)


def test_sync_calls_leave_nothing_behind(mix):
    threads = others()
    before = sockets()
    for _ in range(CALLS // 2):
        try:
            sync_call(mix)
        except (Exception, StopIteration) as error:  # noqa: BLE001 - counted
            mix.came_to[type(error).__name__] += 1
        else:
            mix.came_to["ended well"] += 1
    print(f"{mix.came_to}, {len(at_work())} readers left behind")  # noqa: T201 - with -s
    assert wait_for_rest(2 * CLIENTS_OWN)
    assert others() == threads
    assert sum(one.name == IDLE for one in threading.enumerate()) <= MAX_IDLE
    mix.sim.wait_closed()
    for client in mix.clients.values():
        sdk = getattr(client, "root_client", None) or client._client
        sdk.close()
    assert come_down_to(before)


async def several(mix, count):
    for _ in range(count):
        try:
            await async_call(mix)
        except Exception as error:  # noqa: BLE001 - counted
            mix.came_to[type(error).__name__] += 1
        else:
            mix.came_to["ended well"] += 1


def test_async_calls_leave_nothing_behind(mix, run):
    threads = others()
    before = sockets()

    async def calls():
        each = CALLS // 2 // AT_ONCE
        await asyncio.gather(*(several(mix, each) for _ in range(AT_ONCE)))
        for _ in range(20):  # what was dropped is closed by the loop
            await asyncio.sleep(0)
        await mix.sim.await_closed()
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert run(calls()) == set()
    print(mix.came_to)  # noqa: T201 - with -s
    assert others() - threads == set()
    assert come_down_to(before)
