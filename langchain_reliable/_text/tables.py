"""Tables for terminals and notebooks, made in one place.

Columns are as wide as what a terminal shows of their text, and every cell of a page is
escaped.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Final

from langchain_reliable._text.terminal import Folded, cells

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LEFT: Final = "text-align:left"
NARROW: Final = f"{LEFT};white-space:nowrap"
"""Styles of cells; those of notebooks stand to the right."""

_SPAN: Final = re.compile(r"(?<=\d) (?=s\b)")
_GLUE: Final = "\ue000"
"""Stands between a number and its seconds while a text is folded; nobody writes it."""


def padded(text: str, width: int) -> str:
    """Return `text` with spaces up to a width in columns of a terminal."""
    return text + " " * (width - cells(text))


def widths_of(rows: Sequence[Sequence[str]]) -> list[int]:
    """Return how wide each column is."""
    return [max(map(cells, column)) for column in zip(*rows, strict=True)]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines whose columns stand below each other."""
    widths = widths_of(rows)
    return ["  ".join(map(padded, row, widths)).rstrip() for row in rows]


def fold(text: str, width: int, most: int | None = None) -> list[str]:
    """Fold a text between words.

    Args:
        text: What to fold; of one line.
        width: Columns there are.
        most: Lines there may be; what is left is cut off, and that is shown.
    """
    folding = Folded(width)
    glued = _SPAN.sub(_GLUE, text)
    lines = (folding.feed(glued) + folding.rest()).replace(_GLUE, " ").split("\n")
    if most is None or len(lines) <= most:
        return lines
    last = lines[most - 1]
    while cells(last) >= width:
        last = last[:-1]
    return [*lines[: most - 1], f"{last.rstrip()}…"]


def html_table(
    rows: Iterable[Sequence[tuple[str, str]]], head: Sequence[str] = ()
) -> str:
    """Return a table for a notebook.

    Args:
        rows: Cells: their text, of which each line gets one of its own, and their
            style.
        head: What stands above the columns.
    """
    top = "".join(_cell("th", name, LEFT) for name in head)
    made = ["".join(_cell("td", text, style) for text, style in row) for row in rows]
    body = "".join(f"<tr>{row}</tr>" for row in ([top] if head else []) + made)
    return f"<table>{body}</table>"


def _cell(tag: str, text: str, style: str) -> str:
    shown = "<br>".join(map(html.escape, text.split("\n")))
    return f'<{tag} style="{html.escape(style)}">{shown}</{tag}>'
