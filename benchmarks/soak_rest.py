"""What is still there when nothing is under way: leaks and memory.

Counting tasks, threads, sockets, streams and blocks of memory lives here. It is done
between the rounds of a soak, when every call is over, so that whatever is found was
left behind by one.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
import traceback
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx2

from langchain_reliable._runtime.reader_thread import abandoned_readers
from langchain_reliable._runtime.worker_threads import IDLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.soak_stage import Stage

SETTLE: Final = 10.0
"""Seconds that what was left behind gets to end: a client's own time-out is 1 s, a busy
machine takes longer, and who is done waits no longer."""
_TOLD_FRAMES: Final = 15
"""Frames that are told of each thread that was left behind."""
_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024
_OURS = ("langchain_reliable", "langchain_core", "openai", "anthropic", "httpx")


class Before:
    """What was there before any call, and is no call's."""

    def __init__(self) -> None:
        gc.collect()
        self.threads = {*threading.enumerate()}
        self.sockets = sockets()
        self._clients = http_clients()
        self._generators = _open_generators()

    def found(self, loop: asyncio.AbstractEventLoop, stage: Stage) -> dict[str, int]:
        """Return what calls have left behind, once it had time to end.

        Args:
            loop: Where the tasks ran.
            stage: Whom they asked.
        """
        until = time.monotonic() + SETTLE
        while any((left := self._left(loop, stage)).values()):
            if time.monotonic() > until:
                break
            time.sleep(0.05)
        return left

    def _left(self, loop: asyncio.AbstractEventLoop, stage: Stage) -> dict[str, int]:
        tasks = asyncio.run_coroutine_threadsafe(_tasks(), loop).result()
        return {
            "tasks": len(tasks),
            "threads": len(self._threads()),
            "abandoned readers": abandoned_readers(),
            "generators": max(0, _open_generators() - self._generators),
            "streams at the provider": stage.state()["streams"],
            "busy connections": sum(len(_busy(one)) for one in self.clients_since()),
        }

    def details(self, loop: asyncio.AbstractEventLoop) -> str:
        """Say what is there now that was not before: where it waits, and for what."""
        frames = sys._current_frames()  # noqa: SLF001 - nothing else tells
        told = []
        for one in self._threads():
            told.append(f"thread {one.name}")
            told += traceback.format_stack(frames.get(one.ident or 0))[-_TOLD_FRAMES:]
        told += asyncio.run_coroutine_threadsafe(_told_of_tasks(), loop).result()
        told += [f"generator {one!r}" for one in gc.get_objects() if _is_open(one)]
        for client in self.clients_since():
            told += [f"connection {one!r} of {client!r}" for one in _busy(client)]
        return "\n".join(told)

    def _threads(self) -> list[threading.Thread]:
        executor = "asyncio_"  # the loop's own threads, kept for its next call
        return [
            one
            for one in set(threading.enumerate()) - self.threads
            if not one.name.startswith((executor, IDLE))
        ]

    def clients_since(self) -> list[Any]:
        """Return the HTTP clients that were made since."""
        known = set(map(id, self._clients))
        return [one for one in http_clients() if id(one) not in known]

    def sockets_since(self) -> int:
        """Return how many more sockets are open."""
        return max(0, sockets() - self.sockets)


async def _tasks() -> set[asyncio.Task[Any]]:
    gc.collect()  # here, where no generator of the loop is running meanwhile
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


async def _told_of_tasks() -> list[str]:
    told = []
    for task in await _tasks():
        told.append(f"task {task!r}")
        told += [str(frame) for frame in task.get_stack()]
    return told


def _open_generators() -> int:
    return sum(map(_is_open, gc.get_objects()))


def _is_open(one: Any) -> bool:
    """Return whether something is a generator that began and was not closed."""
    kind = type(one)  # not `isinstance`: it would wake the SDKs' lazy proxies
    if kind is types.AsyncGeneratorType:
        frame, code = one.ag_frame, one.ag_code
    elif kind is types.GeneratorType:
        frame, code = one.gi_frame, one.gi_code
    else:
        return False
    return frame is not None and any(f"/{name}" in code.co_filename for name in _OURS)


def http_clients() -> list[Any]:
    """Return the HTTP clients of this process; the partner packages hide theirs."""
    kinds = httpx2.Client, httpx2.AsyncClient
    return [one for one in gc.get_objects() if issubclass(type(one), kinds)]


def _busy(client: Any) -> list[Any]:
    """Return the connections of a client that are still in use by nobody."""
    pool = getattr(client._transport, "_pool", None)  # noqa: SLF001 - nothing tells
    known = getattr(pool, "connections", ())
    return [one for one in known if not one.is_idle() and not one.is_closed()]


def sockets() -> int:
    """Return how many sockets this process has open."""
    count = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            count += descriptor.readlink().name.startswith("socket:")
        except OSError:  # the one that was open for listing them
            continue
    return count


def memory() -> dict[str, int]:
    """Return how much memory is in use: pages in kB, and Python's own blocks."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return {"kB": pages * _PAGE_KB, "blocks": sys.getallocatedblocks()}


# --- numbers ----------------------------------------------------------------------


def slope(points: Sequence[tuple[float, float]]) -> float | None:
    """Return by how much a value grows with each thousand calls, by a linear fit."""
    count = len(points)
    if count < 3:
        return None
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if not spread:
        return None
    return 1000 * sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


def quantile(values: Sequence[float], share: float) -> float | None:
    """Return the value below which a share of all values lies."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
