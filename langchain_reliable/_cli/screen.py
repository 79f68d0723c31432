"""Where a call is shown: what every screen can do, and the plain one.

Lines, columns and the choice of a screen live here. Colors never do, nor does anything
that knows what a call is.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol, Self, TextIO

from langchain_reliable._cli.extras import need
from langchain_reliable._text.terminal import Folded, folded_table, printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

TEXT_WIDTH: Final = 78
"""Columns of running text: what fits into the narrowest usual terminal."""


class Mark(Enum):
    """What a line tells; the value is how it is drawn where signs can be drawn."""

    FAILED = "✗"
    WAITED = "◦"
    MOVED = "→"
    SPEAKS = "✓"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that happened, in columns."""

    mark: Mark
    who: str
    nth: int = 1
    seconds: float | None = None
    says: str

    @property
    def again(self) -> str:
        """Which attempt it was, where it was not the first."""
        return f"attempt {self.nth}: " if self.nth > 1 else ""


class Screen(Protocol):
    """Where a call is shown."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End whatever moves."""

    def cast(self, names: Sequence[str]) -> None:
        """Learn who may be asked, for the columns and the colors."""

    def heading(self, title: str) -> None:
        """Begin a part."""

    def tell(self, text: str) -> None:
        """Show running text."""

    def code(self, text: str) -> None:
        """Show lines of a program."""

    def question(self, text: str) -> None:
        """Show what is asked."""

    def preparing(self, what: str) -> None:
        """Show that something takes a moment."""

    def asks(self, who: str, nth: int) -> None:
        """Show that somebody has been asked and has not answered yet."""

    def waits(self, who: str, seconds: float) -> None:
        """Show a wait that begins now."""

    def line(self, line: Line) -> None:
        """Show what happened."""

    def piece(self, who: str, text: str) -> None:
        """Show a piece of an answer at once."""

    def answer_ends(self) -> None:
        """End the answer, whole or not."""

    def error(self, name: str, text: str) -> None:
        """Show an error as a program would get it."""

    def summary(self, text: str) -> None:
        """Show how a call went."""

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Show a table; its first row is the head."""


def open_screen(*, plain: bool) -> Screen:
    """Return the screen that fits: in colors where they can be seen.

    Args:
        plain: Plain lines, whatever there is.

    Raises:
        NotReady: Colors could be seen, but `rich` is not installed.
    """
    if plain or not _can_draw(sys.stdout):
        return PlainScreen(sys.stdout)
    need("rich")
    from langchain_reliable._cli.screen_rich import RichScreen  # noqa: PLC0415 - an extra

    return RichScreen()


def _can_draw(stream: TextIO) -> bool:
    encoding = (stream.encoding or "").lower().replace("-", "")
    dull = os.environ.get("NO_COLOR") or os.environ.get("TERM") in ("dumb", "unknown")
    return stream.isatty() and not dull and encoding.startswith("utf")


class PlainScreen:
    """Lines of text without a control code among them, for pipes and plain people."""

    _SAID: Final = {
        Mark.FAILED: "failed",
        Mark.WAITED: "waits",
        Mark.MOVED: "moves on",
        Mark.SPEAKS: "speaks",
    }

    def __init__(self, stream: TextIO) -> None:
        """Write to a stream; lines are folded if it is a terminal."""
        self._stream = stream
        self._width = columns() if stream.isatty() else None
        self._who = 0
        self._answer: Folded | None = None

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the answer, if one was cut short."""
        self.answer_ends()

    def cast(self, names: Sequence[str]) -> None:
        """Learn who may be asked, for the columns."""
        self._who = max(map(len, names))

    def heading(self, title: str) -> None:
        """Begin a part."""
        self._write(f"\n== {title} ==\n")

    def tell(self, text: str) -> None:
        """Show running text."""
        self._write(f"\n{filled(text)}\n")

    def code(self, text: str) -> None:
        """Show lines of a program."""
        self._write(f"\n{textwrap.indent(text, '    ')}\n")

    def question(self, text: str) -> None:
        """Show what is asked."""
        self._write(f"\n  you: {printable(text)}\n\n")

    def preparing(self, what: str) -> None:
        """Say nothing: lines are for what has happened."""

    def asks(self, who: str, nth: int) -> None:
        """Say nothing: lines are for what has happened."""

    def waits(self, who: str, seconds: float) -> None:
        """Say that a wait begins."""
        self.line(
            Line(
                mark=Mark.WAITED,
                who=who,
                seconds=seconds,
                says="before the next request",
            )
        )

    def line(self, line: Line) -> None:
        """Show what happened."""
        self.answer_ends()
        took = "" if line.seconds is None else f"{line.seconds:.2f} s"
        start = f"  {line.who:<{self._who}}  {took:>7}  {self._SAID[line.mark]:<8}"
        self._write(f"{start}  {line.again}{printable(line.says)}\n")

    def piece(self, who: str, text: str) -> None:  # noqa: ARG002 - told by a line
        """Show a piece of an answer at once."""
        if self._answer is None:
            self._answer = Folded(self._width and self._width - 6)
            self._write("\n  | ")
        self._said(self._answer.feed(text))

    def answer_ends(self) -> None:
        """End the answer, whole or not."""
        if self._answer is not None:
            self._said(self._answer.rest() + "\n")
            self._answer = None

    def error(self, name: str, text: str) -> None:
        """Show an error as a program would get it."""
        width = self._width and self._width - 2
        told = folded_table(f"{name}: {text}", width)
        self._write(f"\n{textwrap.indent(told, '  ')}\n")

    def summary(self, text: str) -> None:
        """Show how a call went."""
        self._write(f"\n{filled(text)}\n")

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Show a table; its first row is the head."""
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        self._write("\n")
        for row in rows:
            cells = (cell.ljust(size) for cell, size in zip(row, widths, strict=True))
            self._write(f"  {'  '.join(cells).rstrip()}\n")

    def _said(self, text: str) -> None:
        self._write(text.replace("\n", "\n  | ").removesuffix("  | "))

    def _write(self, text: str) -> None:
        encoding = self._stream.encoding or "utf-8"
        self._stream.write(text.encode(encoding, "replace").decode(encoding))
        self._stream.flush()


def columns() -> int:
    """Return the columns of the terminal that are used: a page is no wider."""
    return min(shutil.get_terminal_size().columns, 100)


def filled(text: str) -> str:
    """Return running text as a paragraph."""
    return textwrap.fill(text, TEXT_WIDTH, initial_indent="  ", subsequent_indent="  ")
