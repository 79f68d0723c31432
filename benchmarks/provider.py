"""The provider simulator in a process of its own, so that it shares no lock with us.

Starting it and what it says live here. `python -m benchmarks.provider` is what runs
there: it prints its address and serves until its standard input is closed.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
LENGTHS = (3, 20, 1_000)
"""The answers that it gives, in chunks."""
MISSING = "missing"
"""A model that it does not know."""
BROKEN = "broken"
"""A model that answers 503."""
SILENT = "silent"
"""A model that says nothing once its headers are there."""


def saying(chunks: int) -> str:
    """Return the name of the model that answers in so many chunks."""
    if chunks not in LENGTHS:
        raise ValueError(f"add {chunks} to LENGTHS: the simulator says {LENGTHS}")
    return f"says-{chunks}"


@cache
def refusing() -> str:
    """Return an address at which every connection is refused."""
    bound = socket.socket()  # and never listening; open until the process ends
    bound.bind(("127.0.0.1", 0))
    _BOUND.append(bound)
    return f"http://127.0.0.1:{bound.getsockname()[1]}"


_BOUND: list[socket.socket] = []


@contextmanager
def running(module: str = __name__) -> Iterator[str]:
    """Run a module that serves the simulator, as this one does; yields its address."""
    with subprocess.Popen(  # noqa: S603 - a module of ours
        [sys.executable, "-m", module],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            if process.stdin is None or process.stdout is None:
                raise RuntimeError("no pipes")
            if not (url := process.stdout.readline().strip()):
                raise RuntimeError("the simulator did not start; it said why above")
            yield url
        finally:
            process.terminate()


def main() -> None:
    """Serve until standard input is closed."""
    from langchain_reliable.testing import (  # noqa: PLC0415 - only in its process
        error_status,
        hang_after_headers,
        says,
        simulator,
    )

    with simulator() as sim:
        sim.script(MISSING, error_status(404))
        sim.script(BROKEN, error_status(503))
        sim.script(SILENT, hang_after_headers())
        for count in LENGTHS:
            sim.script(saying(count), says("word " * count, chunks=count))
        print(sim.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
