"""The table, for the terminal, for docs/numbers.md, and five rows of it for the README.

All are made of what the JSON says, so the pages show what was printed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from benchmarks.contestants import BARE, CONTESTANTS, OURS, WITH_FALLBACKS
from benchmarks.pages import put_between

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BEGIN = "<!-- numbers: written by `python -m benchmarks --readme` -->"
END = "<!-- end of numbers -->"
SHORT = (
    *("astream-1000", "astream-openai", "afirst-openai", "invoke-openai"),
    "failover-known",
)
"""The rows of the README: streams, the first word, an answer, and an outage."""


def table(lines: Sequence[dict[str, Any]]) -> str:
    """Return the lines as a table that reads well as text and as Markdown."""
    shown = [one for one in CONTESTANTS if any(one in line["cells"] for line in lines)]
    head = ["", *(CONTESTANTS[one].title for one in shown), "targets"]
    rows = [
        [
            line["title"],
            *(_cell(line, one) for one in shown),
            _verdict(line),
        ]
        for line in lines
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    rule = ["-" * width for width in widths]
    return "".join(_row(row, widths) for row in (head, rule, *rows))


def heading(result: dict[str, Any]) -> str:
    """Return what the numbers depend on, in one sentence."""
    machine, versions = result["machine"], dict(result["versions"])
    python = versions.pop("python")
    packages = ", ".join(f"{name} {version}" for name, version in versions.items())
    changed = " with changes" if result["changed"] else ""
    where = f"{machine['cpu']} with {machine['cores']} cores, {machine['system']}"
    return (
        f"{result['date']}, commit {result['commit'] or 'unknown'}{changed}, {where}, "
        f"load {machine['load']} at the start, Python {python}, {packages}."
    )


def short_table(lines: Sequence[dict[str, Any]]) -> str:
    """Return the five rows of the README, with the columns that everybody knows."""
    rows = []
    for name in SHORT:
        line = next((one for one in lines if one["row"] == name), None)
        if line is not None:
            shown = (
                _cell(line, one, short=True) for one in (BARE, WITH_FALLBACKS, OURS)
            )
            rows.append([line["title"], *shown])
    head = ["", "bare", "with_fallbacks", "ours"]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    rule = ["-" * width for width in widths]
    return "".join(_row(row, widths) for row in (head, rule, *rows))


def write_pages(readme: Path, numbers: Path, result: dict[str, Any]) -> None:
    """Put five rows into the README and all of them into the page of numbers.

    Raises:
        ValueError: The markers are missing, or the numbers are those of a tiny or
            partial run.
    """
    if result["tiny"] or result["partial"]:
        raise ValueError("these are not all rows, or tiny ones: run `make bench` first")
    short = f"{short_table(result['lines'])}\n{dated(result)}"
    whole = f"{heading(result)}\n\n{table(result['lines'])}"
    put_between(readme, BEGIN, END, short.rstrip("\n"))
    put_between(numbers, BEGIN, END, whole.rstrip("\n"))


def dated(result: dict[str, Any]) -> str:
    """Return when it was measured, for where there is no room for more."""
    machine = result["machine"]
    return (
        f"{result['date']}, commit {result['commit'] or 'unknown'}, "
        f"{machine['cores']} cores of {machine['cpu']}. Ratios to bare, or what is "
        "added to it; median ± half the distance of the quartiles.\n"
    )


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |\n"


def _cell(line: dict[str, Any], name: str, *, short: bool = False) -> str:
    cell = line["cells"].get(name)
    if cell is None:
        return ""
    if name == BARE:
        return f"{_number(cell['median'])} {line['unit']}"
    low, high = cell[line["shows"]]["quartiles"]
    found, noise = cell[line["shows"]]["median"], (high - low) / 2
    target = "" if short else _target(line, cell)
    if line["shows"] == "ratio":
        return f"{found:.3f} ±{noise:.3f}{target}"
    sign = "+" if found >= 0 else "-"
    shown = f"{sign}{_number(abs(found))} ±{_number(noise)} {line['unit']}"
    return f"{shown}{target}"


def _target(line: dict[str, Any], cell: dict[str, Any]) -> str:
    if "target" not in cell:
        return ""
    sign = ">=" if line["more_is_better"] else "<="
    return f" ({sign} {cell['target']:g}: {_word(cell)})"


def _word(cell: dict[str, Any]) -> str:
    return ("met" if cell["met"] else "MISSED") + ("" if cell["sure"] else "?")


def _verdict(line: dict[str, Any]) -> str:
    """Return the worst word of a line."""
    words = {_word(cell) for cell in line["cells"].values() if "met" in cell}
    worst = ("MISSED", "MISSED?", "met?", "met")
    return next((word for word in worst if word in words), "")


def _number(value: float) -> str:
    """Return three digits that count, never in powers of ten."""
    if value == 0:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(decimals, 3)}f}"
