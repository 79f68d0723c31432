"""What every screen can do: lines, columns, and how wide they are."""

from __future__ import annotations

import shutil
import textwrap
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol, Self

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


def columns() -> int:
    """Return the columns of the terminal that are used: a page is no wider."""
    return min(shutil.get_terminal_size().columns, 100)


def filled(text: str) -> str:
    """Return running text as a paragraph."""
    return textwrap.fill(text, TEXT_WIDTH, initial_indent="  ", subsequent_indent="  ")
