"""The command line: `python -m benchmarks.limits`, or `make limits`."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from benchmarks import machine
from benchmarks.limits import litellm, ours, page
from benchmarks.limits.contest import run
from benchmarks.limits.load import Load
from benchmarks.limits.provider import WINDOWS
from benchmarks.provider import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

RESULTS: Final = ROOT / "benchmarks" / "limits" / "results.json"
NUMBERS: Final = ROOT / "docs" / "numbers.md"
TWO_MINUTES: Final = 120.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, keep, and write into docs/numbers.md."""
    options = _parser().parse_args(arguments)
    if options.page:
        page.write(NUMBERS, json.loads(RESULTS.read_text(encoding="utf-8")))
        return
    result = measured(Load(options.seconds, options.fleets))
    print(page.section(result))
    if options.seconds < TWO_MINUTES:
        print("shorter than two minutes: not kept", file=sys.stderr)
        return
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    page.write(NUMBERS, result)
    if result["litellm"] is None:
        print(f"LiteLLM was {page.NOT_MEASURED}: make limits installs it")


def measured(load: Load) -> dict[str, Any]:
    """Return all runs as plain data."""
    facts = machine.described()
    facts["machine"] = {
        name: facts["machine"][name] for name in ("cpu", "cores", "load")
    }
    return {
        **{name: facts[name] for name in ("date", "commit", "machine", "versions")},
        "litellm": _litellm_version(),
        "load": asdict(load),
        "ours": ours.SETTING,
        "retries": litellm.RETRIES,
        "runs": run(WINDOWS, load),
    }


def _litellm_version() -> str | None:
    if (python := litellm.python()) is None:
        return None
    code = "from importlib.metadata import version; print(version('litellm'))"
    told = subprocess.run(  # noqa: S603 - its own interpreter
        [str(python), "-c", code], capture_output=True, text=True, check=True
    )
    return told.stdout.strip()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limits")
    parser.add_argument("--seconds", type=float, default=TWO_MINUTES)
    parser.add_argument("--fleets", type=int, default=3)
    parser.add_argument(
        "--page", action="store_true", help="only write the last run into the page"
    )
    return parser


if __name__ == "__main__":
    main()
