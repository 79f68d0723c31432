"""One run: everybody gets the same calls at the same moments, side by side."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import asdict
from typing import IO, TYPE_CHECKING, Any, Final

from benchmarks.limits import litellm
from benchmarks.limits.load import deployments_of
from benchmarks.provider import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.limits.load import Load

OURS: Final = "ours"


def contestants() -> dict[str, tuple[str, str]]:
    """Return who takes part, each with its interpreter and its module."""
    found = {OURS: (sys.executable, "benchmarks.limits.ours")}
    if (python := litellm.python()) is not None:
        found |= dict.fromkeys(
            litellm.SETTINGS, (str(python), "benchmarks.limits.litellm")
        )
    return found


def run(windows: Iterable[str], load: Load) -> dict[str, dict[str, Any]]:
    """Let all take part once for each way in which a provider counts.

    Args:
        windows: Keys of `provider.WINDOWS`.
        load: The calls.

    Returns:
        For each way, and each contestant, what became of its calls.
    """
    with ExitStack() as stack:
        racers = {name: _process(stack, *how) for name, how in contestants().items()}
        return {window: _once(racers, window, load) for window in windows}


def _once(
    racers: dict[str, subprocess.Popen[str]], window: str, load: Load
) -> dict[str, Any]:
    fleets = {
        name: [one for at in range(load.fleets) for one in deployments_of(name, at)]
        for name in racers
    }
    served = [one for deployments in fleets.values() for one in deployments]
    with ExitStack() as stack:
        serving = _process(
            stack, sys.executable, "benchmarks.limits.provider", window, *served
        )
        url = _line(serving)
        for name, racer in racers.items():
            _say(racer, json.dumps([name, url, asdict(load)]))
        for racer in racers.values():
            _line(racer)  # ready
        for racer in racers.values():
            _say(racer, "go")
        told = {name: json.loads(_line(racer)) for name, racer in racers.items()}
        _pipe(serving.stdin).close()
        asked = json.loads(_line(serving))
    return {
        name: summed_up(one, [asked[at] for at in fleets[name]])
        for name, one in told.items()
    }


def summed_up(told: dict[str, Any], asked: Sequence[dict[str, int]]) -> dict[str, Any]:
    """Return a contestant's row as plain data; who is lost is never answered."""
    seconds = sorted(told["seconds"])
    lost = sum(told["lost"].values())
    calls = len(seconds) + lost

    def within(share: int) -> float | None:
        """Return the seconds in which so many of a hundred calls were answered."""
        place = -(-share * calls // 100) - 1
        return round(seconds[place], 3) if place < len(seconds) else None

    return {
        "calls": calls,
        "refused": sum(one.get("429", 0) for one in asked),
        "requests": [sum(one.values()) for one in asked],
        "lost": lost,
        "errors": told["lost"],
        "p50": within(50),
        "p99": within(99),
        "longest": round(seconds[-1], 3) if seconds else None,
    }


def _process(
    stack: ExitStack, python: str, module: str, *words: str
) -> subprocess.Popen[str]:
    process = subprocess.Popen(  # noqa: S603 - modules of ours
        [python, "-m", module, *words],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    stack.enter_context(process)
    stack.callback(process.terminate)
    return process


def _say(process: subprocess.Popen[str], words: str) -> None:
    _pipe(process.stdin).write(f"{words}\n")
    _pipe(process.stdin).flush()


def _line(process: subprocess.Popen[str]) -> str:
    if not (line := _pipe(process.stdout).readline().strip()):
        raise RuntimeError("a contestant has ended; it said why above")
    return line


def _pipe(pipe: IO[str] | None) -> IO[str]:
    if pipe is None:
        raise RuntimeError("no pipe")
    return pipe
