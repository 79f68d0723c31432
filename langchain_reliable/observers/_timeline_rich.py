"""A call in colors, for a terminal.

Everything of a timeline that needs `rich` lives here. Columns and bars are those of
`_timeline_text`; colors are the terminal's own, which suit its background.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from langchain_reliable._text.terminal import cells
from langchain_reliable.observers._timeline_text import bar, elided, rows, signs

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from langchain_reliable.observers._timeline_data import AttemptSpan, CallSummary
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
    "waiting": "·",
}


class Drawing:
    """A call, drawn as wide as the terminal allows."""

    def __init__(self, summary: CallSummary) -> None:
        """Draw a story."""
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
        room = width - 2 - what - took - 3 * 2
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
        color = _color(row.tried)
        return [
            Text(elided(row.name, name), "dim" if row.repeats else "bold"),
            self._bar(row.tried, bars),
            Text(row.what, color),
            Text(row.took.rjust(took)),
        ]

    def _bar(self, tried: AttemptSpan, width: int) -> Text:
        parts = bar(self._summary, tried, width)
        speaks = Text("█" * parts.speaks, "green")
        if tried.failure is not None and speaks:
            speaks = Text.assemble(speaks[:-1], ("✗", "red"))
        asked = "░" * parts.connects + "▒" * parts.holds
        mark = (
            "✗" if tried.failed else "◆" if tried.committed is not None else asked[-1]
        )
        return Text.assemble(
            " " * parts.before,
            ("·" * parts.waits, "dim"),
            (asked[:-1] + mark, _color_before_words(tried)),
            speaks,
        )


def _color(tried: AttemptSpan) -> str:
    if tried.failure is not None:
        return "red"
    return "blue" if tried.committed is None else "green"


def _color_before_words(tried: AttemptSpan) -> str:
    if tried.failed:
        return "red"
    return "blue" if tried.committed is None else "green"
