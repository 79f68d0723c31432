"""The command line: `python -m benchmarks`, or `make bench`.

It reads the options, runs the rows and says where the results went.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import machine, report, summary
from benchmarks.contestants import LITELLM
from benchmarks.litellm_router import MISSING
from benchmarks.provider import ROOT
from benchmarks.rounds import Stage
from benchmarks.rows import ROWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.rounds import Run
    from benchmarks.rows import Row

RESULTS = ROOT / "benchmarks" / "results.json"
README = ROOT / "README.md"
NUMBERS = ROOT / "docs" / "numbers.md"


def main(arguments: Sequence[str] | None = None, *, run: Run | None = None) -> int:
    """Measure, or write the tables of the README and docs/numbers.md.

    Args:
        arguments: The command line; `sys.argv` unless given.
        run: Runs async work; by default in one event loop.

    Returns:
        The exit status: 1 if a target was missed and `--strict` is on.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.readme:
        source = options.json or RESULTS
        result = json.loads(source.read_text(encoding="utf-8"))
        report.write_pages(README, NUMBERS, result)
        return 0
    if not (rows := _chosen(options)):
        parser.error(f"no such row; there are: {', '.join(row.name for row in ROWS)}")
    result = measured(rows, options, run)
    print(report.heading(result), report.table(result["lines"]), sep="\n\n")
    for skipped in result["skipped"]:
        print(skipped)
    if target := options.json or (None if result["partial"] else RESULTS):
        target.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        print(f"written to {target}")
    misses = summary.missed(result["lines"])
    print(f"{len(misses)} targets missed", *misses, sep="\n  ")
    return 1 if misses and options.strict else 0


def measured(
    rows: Sequence[Row], options: argparse.Namespace, run: Run | None
) -> dict[str, Any]:
    """Return the numbers of some rows, and what they depend on."""
    result = machine.described()
    lines: list[dict[str, Any]] = []
    began = time.perf_counter()
    with Stage(run) as stage:
        for row in rows:
            then = time.perf_counter()
            rounds = row.measuring.rounds(options.rounds or row.rounds, stage)
            lines += summary.lines(row, rounds)
            spent = time.perf_counter() - then
            print(f"{row.name}: {spent:.1f} s", file=sys.stderr, flush=True)
        litellm = stage.litellm if _races(rows) else None
        skipped = [MISSING] if litellm is None and _races(rows) else []
        if litellm is not None:
            result["versions"]["litellm"] = litellm.version
    seconds = round(time.perf_counter() - began, 1)
    return {
        **result,
        "tiny": options.tiny,
        "partial": options.tiny or bool(options.only),
        "seconds": seconds,
        "skipped": skipped,
        "lines": lines,
    }


def _races(rows: Sequence[Row]) -> bool:
    """Return whether LiteLLM's Router is to take part."""
    return any(LITELLM in getattr(row.measuring, "contestants", ()) for row in rows)


def _chosen(options: argparse.Namespace) -> list[Row]:
    wanted = options.only or ["*"]
    rows = [row for row in ROWS if any(fnmatch(row.name, one) for one in wanted)]
    return [row.tiny() for row in rows] if options.tiny else rows


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="What langchain_reliable costs beside the model called directly.",
    )
    parser.add_argument(
        "--only",
        metavar="ROW",
        action="append",
        help="run this row alone; a pattern such as 'stream-*' will do, and so will "
        "several. Nothing is written then, unless --json says where",
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="instead of each row's")
    parser.add_argument(
        "--json", type=Path, metavar="PATH", help=f"default: {RESULTS.name} beside this"
    )
    parser.add_argument("--strict", action="store_true", help="exit 1 on a miss")
    parser.add_argument(
        "--tiny", action="store_true", help="see that all of it runs; no real numbers"
    )
    parser.add_argument(
        "--readme",
        action="store_true",
        help="write the tables of the README and docs/numbers.md from the JSON",
    )
    return parser


if __name__ == "__main__":
    os.environ["LANGSMITH_TRACING"] = os.environ["LANGCHAIN_TRACING_V2"] = "false"
    logging.getLogger("langchain_reliable").addHandler(logging.NullHandler())
    raise SystemExit(main())
