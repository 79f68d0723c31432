"""Foreign text made fit for a terminal: no control codes, and folded between words."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from typing import Final

_WIDE: Final = (
    "\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60"
    "\U0001f300-\U0001faff\U00020000-\U0003fffd"
)
_PARTS: Final = re.compile(rf"\n|[^\S\n]+|[{_WIDE}]|[^\s{_WIDE}]+")
_ATTEMPT: Final = re.compile(r" {2}\S.*? {2}attempt \d+ +")
_CONTINUED: Final = re.compile(r"\n {6,}(?=\S)")


def printable(text: str) -> str:
    """Return a text without control codes: a model must not drive the terminal."""
    text = text.expandtabs(4)
    # The marks of right-to-left scripts belong to an answer; overrides to a forgery.
    return "".join(
        one
        for one in text
        if one == "\n"
        or (
            unicodedata.category(one) not in {"Cc", "Cs"}
            and not ("\u202a" <= one <= "\u202e" or "\u2066" <= one <= "\u2069")
        )
    )


def cells(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(map(_cells, text))


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def folded_table(text: str, width: int | None) -> str:
    """Fold the lines of an error's table anew, so that its columns stay readable.

    Args:
        text: What `AllModelsFailed` says, or any other text.
        width: Columns there are; `None` leaves every line as it is.
    """
    text = printable(text)
    if width is None or all(cells(line) <= width for line in text.split("\n")):
        return text
    lines = _CONTINUED.sub(" ", text).split("\n")
    return "\n".join(_folded(line, width) for line in lines)


def _folded(line: str, width: int) -> str:
    if cells(line) <= width:
        return line
    start = found.end() if (found := _ATTEMPT.match(line)) else 0
    return textwrap.fill(
        line[:start] + re.sub(" {2,}", "  ", line[start:]),
        width,
        subsequent_indent=" " * (start or 4),
        break_on_hyphens=False,
    )


class Folded:
    """A text that arrives in pieces, folded between words while it arrives.

    The last word is held back until it is known to be whole.
    """

    def __init__(self, width: int | None) -> None:
        """Begin a text.

        Args:
            width: Columns there are; `None` folds nothing and holds nothing back.
        """
        self._width = width
        self._column = 0
        self._gap = ""
        self._held = ""

    def feed(self, piece: str) -> str:
        """Take a piece; return what can be shown by now."""
        if self._width is None:
            return printable(piece)
        *parts, last = _PARTS.findall(self._held + printable(piece)) or [""]
        whole = last.isspace() or _cells(last[-1:] or " ") > 1
        self._held = "" if whole else last
        return "".join(map(self._placed, [*parts, last] if whole else parts))

    def rest(self) -> str:
        """Return what was held back."""
        held, self._held = self._held, ""
        return self._placed(held) if held else ""

    def _placed(self, part: str) -> str:
        if part == "\n":
            self._column, self._gap = 0, ""
            return part
        if part.isspace():
            self._gap = part
            return ""
        gap, self._gap = self._gap, ""
        width = self._width or 1
        fold = self._column > 0 and self._column + len(gap) + cells(part) > width
        start = 0 if fold else self._column + len(gap)
        lines = _cut(part, max(width - start, 1), width)
        self._column = cells(lines[-1]) + (start if len(lines) == 1 else 0)
        return ("\n" if fold else gap) + "\n".join(lines)


def _cut(word: str, first: int, further: int) -> list[str]:
    """Cut a word that is longer than a line."""
    if cells(word) <= first:
        return [word]
    return [
        word[:first],
        *(word[at : at + further] for at in range(first, len(word), further)),
    ]
