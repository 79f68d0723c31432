"""A call in colors, for a terminal; the one part of a timeline that needs `rich`.

Columns and bars are those of `_timeline_text`. Colors are the terminal's own, which
suit its background.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from langchain_reliable._text.terminal import cells
from langchain_reliable.observers._timeline_data import AttemptSpan
from langchain_reliable.observers._timeline_text import (
    bar,
    elided,
    place,
    rows,
    signs,
)

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from langchain_reliable.observers._timeline_data import CallSummary, Entry
    from langchain_reliable.observers._timeline_text import Row

_LEAST: Final = 12
_MOST: Final = 60
_SIGNS: Final = {
    "connecting": "░",
    "asked": "░",
    "held": "▒",
    "failed": "✗",
    "first word": "◆",
    "answer": "◆",
    "speaking": "█",
    "lost": "/",
    "waiting": "·",
    "passed over": ">",
}


class Drawing:
    """A call, drawn as wide as the terminal allows."""

    def __init__(self, summary: CallSummary) -> None:
        """Draw what a call came to."""
        self._summary = summary
        self._rows = rows(summary)

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> RenderResult:
        """Yield the title, the rows and what the signs mean."""
        yield Text(self._summary.title)
        yield self._table(options.max_width)
        words = (f"{_SIGNS[word]} {word}" for word in signs(self._summary))
        yield Text(f"  {'  '.join(words)}", "dim")

    def _table(self, width: int) -> Table:
        """Share the width out: bars get what is left, but never too little.

        Where there is little, waits are left to their dots, and long names lose their
        middle.
        """
        wait, what, took = (
            max(cells(getattr(row, column)) for row in self._rows)
            for column in ("waited", "what", "took")
        )
        name = max(cells(row.name) for row in self._rows)
        # Older releases of rich count the space behind the last column as well.
        room = width - 2 - what - took - 4 * 2
        if room - name - wait - 2 < _LEAST:
            wait = 0
        name = max(min(name, room - _LEAST), 8)
        bars = max(min(room - name - (wait + 2 if wait else 0), _MOST), 1)
        grid = Table.grid(padding=(0, 2, 0, 0))
        for size in (0, name, bars, what, took, *([wait] if wait else [])):
            grid.add_column(width=size, no_wrap=True)
        for row in self._rows:
            waited = [Text(row.waited, "dim")] if wait else []
            grid.add_row("", *self._cells(row, name, bars, took), *waited)
        return grid

    def _cells(self, row: Row, name: int, bars: int, took: int) -> list[Text]:
        faded = row.repeats or not isinstance(row.entry, AttemptSpan) or row.entry.lost
        return [
            Text(elided(row.name, name), "dim" if faded else "bold"),
            self._bar(row.entry, bars),
            Text(row.what, _color(row.entry)),
            Text(row.took.rjust(took), "dim" if faded else ""),
        ]

    def _bar(self, entry: Entry, width: int) -> Text:
        if isinstance(entry, AttemptSpan):
            return self._bar_of(entry, width)
        return Text(" " * place(self._summary, entry, width) + ">", "dim")

    def _bar_of(self, tried: AttemptSpan, width: int) -> Text:
        parts = bar(self._summary, tried, width)
        speaks = Text("█" * parts.speaks, "green")
        if tried.failure is not None and speaks:
            speaks = Text.assemble(speaks[:-1], ("✗", "red"))
        asked = "░" * parts.connects + "▒" * parts.holds
        return Text.assemble(
            " " * parts.before,
            ("·" * parts.waits, "dim"),
            (asked[:-1] + _end_of(tried, asked[-1]), _color_before_words(tried)),
            speaks,
        )


def _end_of(tried: AttemptSpan, otherwise: str) -> str:
    """Return how a bar ends before its first word."""
    if tried.failed:
        return "✗"
    if tried.lost:
        return "/"
    return otherwise if tried.committed is None else "◆"


def _color(entry: Entry) -> str:
    if not isinstance(entry, AttemptSpan) or entry.lost:
        return "dim"
    if entry.failure is not None:
        return "red"
    return "blue" if entry.committed is None else "green"


def _color_before_words(tried: AttemptSpan) -> str:
    if tried.lost:
        return "dim"
    if tried.failed:
        return "red"
    return "blue" if tried.committed is None else "green"
