"""The table, for the terminal and for the README.

Both are made of what the JSON says, so the README shows what was printed. Measuring
never lives here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from benchmarks.contestants import BARE, CONTESTANTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BEGIN = "<!-- numbers: written by `python -m benchmarks --readme` -->"
END = "<!-- end of numbers -->"


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


def write_readme(readme: Path, result: dict[str, Any]) -> None:
    """Put the table between the markers.

    Raises:
        ValueError: The markers are missing, or the numbers are those of a tiny or
            partial run.
    """
    if result["tiny"] or result["partial"]:
        raise ValueError("these are not all rows, or tiny ones: run `make bench` first")
    text = readme.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"{readme.name} lacks the markers {BEGIN} and {END}")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    section = f"{BEGIN}\n\n{heading(result)}\n\n{table(result['lines'])}\n{END}"
    readme.write_text(f"{before}{section}{after}", encoding="utf-8")


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |\n"


def _cell(line: dict[str, Any], name: str) -> str:
    cell = line["cells"].get(name)
    if cell is None:
        return ""
    if name == BARE:
        return f"{_number(cell['median'])} {line['unit']}"
    low, high = cell[line["shows"]]["quartiles"]
    found, noise = cell[line["shows"]]["median"], (high - low) / 2
    if line["shows"] == "ratio":
        return f"{found:.3f} ±{noise:.3f}{_target(line, cell)}"
    sign = "+" if found >= 0 else "-"
    shown = f"{sign}{_number(abs(found))} ±{_number(noise)} {line['unit']}"
    return f"{shown}{_target(line, cell)}"


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
