"""A plain screen: lines for a terminal that can't draw, or for a pipe."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final, Self, TextIO

from langchain_reliable._cli.screen import Line, Mark, columns, filled
from langchain_reliable._text.terminal import Folded, folded_table, printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType


class PlainScreen:
    """Lines of text without a control code among them, for pipes and plain people."""

    _SAID: Final = {
        Mark.FAILED: "failed",
        Mark.WAITED: "waits",
        Mark.MOVED: "moves on",
        Mark.SPEAKS: "speaks",
    }

    def __init__(self, stream: TextIO, aside: TextIO | None = None) -> None:
        """Write to a stream; lines are folded if it is a terminal.

        Args:
            stream: What has happened is written here.
            aside: Who is waited for is written here, if anywhere.
        """
        self._stream = stream
        self._aside = aside
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
        """Give a sign of life; lines are for what has happened."""
        if self._aside is not None:
            again = f" again (attempt {nth})" if nth > 1 else ""
            self._aside.write(f"asking {printable(who)}{again} ...\n")
            self._aside.flush()

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
