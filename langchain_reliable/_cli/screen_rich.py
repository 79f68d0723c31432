"""The screen in colors, for a terminal.

The only file that needs `rich`. What has been shown is never drawn again.

While somebody is waited for, one line moves at the bottom; it is replaced by the line
that tells what came of it. An answer is written as it arrives, so it may be longer than
the terminal is high. Colors are the terminal's own, which suit its background.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from rich.console import Console, RenderableType
from rich.constrain import Constrain
from rich.live import Live
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from langchain_reliable._cli.screen import Line, Mark, columns, filled
from langchain_reliable._text.terminal import Folded, cells, folded_table, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from rich.console import ConsoleOptions, RenderResult

_COLORS: Final = ("cyan", "blue", "magenta", "yellow")
"""The first two are far from the red of failures."""
_MARKS: Final = {
    Mark.FAILED: "red",
    Mark.WAITED: "yellow",
    Mark.MOVED: "blue",
    Mark.SPEAKS: "green",
}
_SPIN: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_TURNS: Final = 12


@dataclass
class _Moving:
    """A line that is drawn again and again while time goes by."""

    clock: Callable[[], float]
    draw: Callable[[float], RenderableType]

    def __post_init__(self) -> None:
        self._since = self.clock()

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> RenderResult:
        yield self.draw(self.clock() - self._since)


class RichScreen:
    """A terminal with colors."""

    def __init__(self, console: Console | None = None) -> None:
        """Write to a console, by default to the terminal."""
        self._console = console or Console(highlight=False, markup=False, emoji=False)
        self._width = min(self._console.width, columns())
        self._who = 0
        self._color_of: dict[str, str] = {}
        self._live: Live | None = None
        self._next: Line | None = None
        self._answer: Folded | None = None
        self._gutter = Text()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the terminal back as it was."""
        self._next = None
        self._still()
        self.answer_ends()

    def cast(self, names: Sequence[str]) -> None:
        """Learn who may be asked, for the columns and the colors."""
        self._who = max(map(len, names))
        for name in names:
            color = _COLORS[len(self._color_of) % len(_COLORS)]
            self._color_of.setdefault(name, color)

    def heading(self, title: str) -> None:
        """Begin a part."""
        self._still()
        rest = max(self._width - cells(title) - 4, 0)
        rule = (f" {'─' * rest}", "dim")
        self._put(Text(), Text.assemble(("── ", "dim"), (title, "bold"), rule))

    def tell(self, text: str) -> None:
        """Show running text."""
        self._put(Text(), Text(filled(text)))

    def code(self, text: str) -> None:
        """Show lines of a program."""
        self._put(Text(), Text(textwrap.indent(text, "    ")))

    def question(self, text: str) -> None:
        """Show what is asked."""
        body = Padding(Text(printable(text), "bold"), (0, 2))
        self._put(Text(), body, Text())

    def preparing(self, what: str) -> None:
        """Show that something takes a moment."""
        says = (f"  {what}", "dim")
        self._move(lambda since: Text.assemble("\n  ", _spin(since), says))

    def asks(self, who: str, nth: int) -> None:
        """Show that somebody has been asked and has not answered yet."""
        says = "no word yet" if nth == 1 else f"attempt {nth}: no word yet"
        self._move(lambda since: self._row(_spin(since), who, since, Text(says, "dim")))

    def waits(self, who: str, seconds: float) -> None:
        """Show a wait that begins now; it counts down."""
        says = Text("to go before the next request", "dim")
        self._move(
            lambda since: self._row(_spin(since), who, max(seconds - since, 0), says)
        )
        self._next = Line(mark=Mark.WAITED, who=who, seconds=seconds, says="waited")

    def line(self, line: Line) -> None:
        """Show what happened."""
        self._still()
        self.answer_ends()
        self._draw(line)

    def piece(self, who: str, text: str) -> None:
        """Show a piece of an answer at once."""
        if self._answer is None:
            self._still()
            self._answer = Folded(self._width - 7)
            self._gutter = Text("  ┃ ", self._color_of.get(who, ""))
            self._write(Text.assemble("\n", self._gutter))
        self._said(self._answer.feed(text))

    def answer_ends(self) -> None:
        """End the answer, whole or not."""
        if self._answer is not None:
            self._said(self._answer.rest())
            self._write(Text("\n"))
            self._answer = None

    def error(self, name: str, text: str) -> None:
        """Show an error as a program would get it."""
        self._still()
        body = Text(folded_table(text, self._width - 7))
        title = Text(name, "bold red")
        panel = Panel(body, title=title, title_align="left", border_style="red")
        self._put(Text(), Padding(panel, (0, 0, 0, 2)))

    def summary(self, text: str) -> None:
        """Show how a call went."""
        self._still()
        body = Text(filled(text))
        for name, color in self._color_of.items():
            body.highlight_words([name], f"bold {color}")
        self._put(Text(), body)

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Show a table; its first row is the head."""
        grid = Table.grid(padding=(0, 2))
        for number, row in enumerate(rows):
            grid.add_row(*map(self._cell, row), style="" if number else "dim")
        self._put(Text(), Padding(grid, (0, 0, 0, 2)))

    def _cell(self, text: str) -> Text:
        return Text(
            text, f"bold {self._color_of[text]}" if text in self._color_of else ""
        )

    # --- drawing ------------------------------------------------------------------

    def _draw(self, line: Line) -> None:
        mark = Text(line.mark.value, _MARKS[line.mark])
        head, colon, tail = printable(line.says).partition(": ")
        color = "red" if line.mark is Mark.FAILED else ""
        says = Text.assemble((line.again, "dim"), (head + colon, color), (tail, "dim"))
        self._put(self._row(mark, line.who, line.seconds, says))

    def _row(
        self, mark: Text, who: str, seconds: float | None, says: Text
    ) -> RenderableType:
        took = "" if seconds is None else f"{seconds:.2f} s"
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(width=1)
        grid.add_column(width=self._who, no_wrap=True)
        grid.add_column(width=7, justify="right", no_wrap=True)
        grid.add_column(overflow="fold")
        name = Text(who, f"bold {self._color_of.get(who, '')}")
        grid.add_row(mark, name, Text(took, "dim"), says)
        return Padding(grid, (0, 0, 0, 2))

    def _move(self, draw: Callable[[float], RenderableType]) -> None:
        self._still()
        moving = Constrain(_Moving(self._console.get_time, draw), self._width)
        self._live = Live(
            moving, console=self._console, transient=True, refresh_per_second=_TURNS
        )
        self._live.start()

    def _still(self) -> None:
        """Take away the line that moves; put what it became in its place."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        if self._next is not None:
            became, self._next = self._next, None
            self._draw(became)

    def _said(self, text: str) -> None:
        first, *further = text.split("\n")
        self._write(Text(first))
        for line in further:
            self._write(Text.assemble("\n", self._gutter, line))

    def _put(self, *bodies: RenderableType) -> None:
        for body in bodies:
            self._console.print(Constrain(body, self._width))

    def _write(self, text: Text) -> None:
        self._console.print(text, end="", soft_wrap=True)


def _spin(since: float) -> Text:
    return Text(_SPIN[int(since * _TURNS) % len(_SPIN)], "dim")
