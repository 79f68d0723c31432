"""What a caller sees when a provider fails: bare, LangChain's own ways, LiteLLM, ours.

`python -m benchmarks.compare` (`make compare`) measures it on the provider simulator,
prints the table, keeps it in `compare.json` and puts it into the README. Everybody gets
a first model that fails and a healthy second one, the same time-out, and streams the
answer. LiteLLM lives in an environment of its own, `.venv-litellm`; where that is
missing its column says so.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

from benchmarks import machine
from benchmarks.compare_contestants import (
    CONTESTANTS,
    LITELLM,
    TIMEOUT,
    LiteLLMWorker,
    Seen,
)
from benchmarks.pages import put_between
from benchmarks.provider import ROOT
from langchain_reliable.testing import (
    ToolCall,
    error_status,
    hang_before_headers,
    role_then_cut,
    says,
    simulator,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from langchain_reliable.testing import Reply, Simulator

RESULTS = ROOT / "benchmarks" / "compare.json"
README = ROOT / "README.md"
BEGIN: Final = "<!-- comparison: written by `python -m benchmarks.compare` -->"
END: Final = "<!-- end of comparison -->"
TEXTS: Final = {
    "first": " ".join(f"first-{number}" for number in range(20)),
    "second": " ".join(f"second-{number}" for number in range(20)),
}
CALL: Final = {"path": "notes.txt", "content": "all that has to be kept, to the end"}
NOT_MEASURED: Final = "not measured here"


class _CutCall(ToolCall):
    """A call of a tool whose arguments end in the middle, as a full output ends it."""

    def pieces(self, count: int = 3) -> tuple[str, ...]:
        return super().pieces(count)[:-1]


def _calls(kind: type[ToolCall], finish: str) -> Reply:
    return says(calls=[kind("write_file", CALL)], finish=finish)


@dataclass(frozen=True)
class Trouble:
    """One row: what the first model does, and what is counted."""

    title: str
    first: tuple[Reply, ...]
    second: tuple[Reply, ...] = (says(TEXTS["second"]),)
    calls: int = 1
    processes: int = 1
    counts: bool = True
    retries: bool = False


TROUBLES: Final = {
    "breaks": Trouble("a stream breaks before the first word", (role_then_cut(),)),
    "silent": Trouble("the model goes silent", (hang_before_headers(),)),
    "cut": Trouble(
        "an answer is cut without an error",
        (says(TEXTS["first"][:90], finish=None),),
        counts=False,
    ),
    "retries": Trouble(
        "503, two retries asked for", (error_status(503),), retries=True
    ),
    "key": Trouble("a key is wrong, five calls", (error_status(401),), calls=5),
    "tool": Trouble(
        "a tool call is cut",
        (_calls(_CutCall, "length"), says(TEXTS["first"])),
        (_calls(ToolCall, "tool_calls"), says(TEXTS["second"])),
        counts=False,
    ),
    "eight": Trouble(
        "503 for eight processes, five calls each",
        (error_status(503),),
        calls=5,
        processes=8,
    ),
}


@dataclass
class Tally:
    """What a row's calls came to."""

    words: list[str] = field(default_factory=list)

    def add(self, seen: Seen, trouble: Trouble) -> None:
        """Put one call into words."""
        self.words.append(in_words(seen, asks_for_tool=trouble is TROUBLES["tool"]))

    @property
    def word(self) -> str:
        """The one thing that all calls came to, or each of them."""
        return " / ".join(dict.fromkeys(self.words))


def in_words(seen: Seen, *, asks_for_tool: bool) -> str:
    """Say what a caller has seen."""
    if not seen.ended:
        return "no end"
    if asks_for_tool and (said := _about_calls(seen)):
        return said
    for name, text in TEXTS.items():
        if seen.text == text:
            return f"the {name} answers" if seen.error is None else "all, then an error"
    begun = any(text.startswith(seen.text) for text in TEXTS.values())
    if not begun:
        return "two texts mixed"
    if seen.error is None:
        return "half an answer, no error" if seen.text else "nothing, no error"
    return f"half an answer, then {seen.error}" if seen.text else seen.error


def _about_calls(seen: Seen) -> str:
    if seen.error is not None:
        return f"{seen.error}, no tool is run"
    if not seen.arguments:
        return ""
    if seen.arguments[0] == CALL:
        return "the whole call"
    if isinstance(seen.arguments[0], str):  # JSON as it came, for its user to read
        return "half the arguments arrive, no error"
    return "the tool is run with half its arguments"


def measured(trouble: Trouble, name: str, worker: LiteLLMWorker | None) -> str:
    """Return what one contestant makes of one trouble, in words."""
    if name == LITELLM and worker is None:
        return NOT_MEASURED
    tally = Tally()
    with simulator() as sim, _quick_sdk():
        for _ in range(trouble.processes):
            ask = _asker(sim, trouble, name, worker)
            for _ in range(trouble.calls):
                sim.script("second", *trouble.second)
                if trouble.calls == 1 or not sim.count():
                    sim.script("first", *trouble.first)
                tally.add(ask(), trouble)
        requests = sim.count("first")
    asked = f"{requests} request{'' if requests == 1 else 's'}"
    return f"{tally.word}; {asked}" if trouble.counts else tally.word


def _asker(
    sim: Simulator, trouble: Trouble, name: str, worker: LiteLLMWorker | None
) -> Callable[[], Seen]:
    if name == LITELLM:
        if worker is None:
            raise RuntimeError("LiteLLM is not here")
        return worker.asker(sim.openai_url)
    return CONTESTANTS[name].asker(sim.openai_url, retries=trouble.retries)


@contextmanager
def _quick_sdk() -> Iterator[None]:
    """Let the SDK's own backoff pass quickly: only requests are counted here."""
    with mock.patch.multiple(
        "openai._base_client", INITIAL_RETRY_DELAY=0.02, MAX_RETRY_DELAY=0.1
    ):
        yield


def compared() -> dict[str, Any]:
    """Return the whole table as plain data."""
    with LiteLLMWorker.running() as worker:
        cells = {
            trouble.title: {
                name: measured(trouble, name, worker)
                for name in (*CONTESTANTS, LITELLM)
            }
            for trouble in TROUBLES.values()
        }
        litellm = worker.version if worker else None
    facts = machine.described()
    return {
        "date": facts["date"],
        "commit": facts["commit"],
        "versions": facts["versions"] | machine.versions("langchain", "langgraph"),
        "litellm": litellm,
        "cells": cells,
    }


COLUMNS: Final = {
    "bare": "bare",
    "with_fallbacks": "with_fallbacks",
    "ModelFallbackMiddleware": "fallback middleware",
    LITELLM: LITELLM,
    "ours": "ours",
}


def _shortened(cell: str) -> str:
    """Return what is told of a cell, so that six columns fit on a page.

    Which error another one raises is in the file of results; it is an error.
    """
    cell = cell.replace("the second answers; ", "answered, ")
    cell = cell.replace("the tool is run", "tool run")
    cell = re.sub(r"`(?!StreamInterrupted)\w+`; ", "error, ", cell)
    return re.sub(r"`(?!StreamInterrupted)\w+`", "an error", cell)


def section(result: dict[str, Any]) -> str:
    """Return what stands in the README: the table, and what it was measured with."""
    lines = [
        f"| | {' | '.join(COLUMNS.values())} |",
        "| --- " * (len(COLUMNS) + 1) + "|",
    ]
    for title, cells in result["cells"].items():
        told = (_shortened(cells[name]) for name in COLUMNS)
        lines.append(f"| {title} | {' | '.join(told)} |")
    known = result["versions"]
    used = ", ".join(
        f"{name} {known[name]}"
        for name in ("langchain", "langchain-core", "langchain-openai")
    )
    litellm = f"LiteLLM {result['litellm']}" if result["litellm"] else "no LiteLLM"
    dated = (
        f"Measured {result['date']} at commit {result['commit']} with {used}, "
        f"{litellm}. Answered: by the second model. Requests: those that the failing "
        "model got. The middleware is `ModelFallbackMiddleware`, in an agent."
    )
    return "\n".join([*lines, "", dated])


def write_readme(readme: Path, result: dict[str, Any]) -> None:
    """Put the table between the markers.

    Raises:
        ValueError: The markers are missing.
    """
    put_between(readme, BEGIN, END, section(result))


def main() -> None:
    """Measure, print, keep, and write into the README."""
    os.environ["LANGSMITH_TRACING"] = os.environ["LANGCHAIN_TRACING_V2"] = "false"
    logging.getLogger("langchain_reliable").addHandler(logging.NullHandler())
    result = compared()
    print(section(result))
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    write_readme(README, result)
    if result["litellm"] is None:
        print(f"LiteLLM was {NOT_MEASURED}: make compare installs it", file=sys.stderr)


__all__ = ["TIMEOUT", "compared", "main", "section", "write_readme"]

if __name__ == "__main__":
    main()
