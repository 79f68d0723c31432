"""A call as SVG, for notebooks and pages; nothing is fetched by it, not even a font.

Text and lines take the page's own color (`currentColor`), and the other colors are
readable on white and on black; nothing is told by color alone. Attributes are used
rather than a style sheet: pages that clean what they show (GitHub) drop the latter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

from langchain_reliable._text.terminal import cells
from langchain_reliable._text.wording import seconds
from langchain_reliable.observers._timeline_data import AttemptSpan
from langchain_reliable.observers._timeline_shapes import (
    SIZE,
    box,
    chevron,
    cross,
    diamond,
    line,
    slash,
    text,
)
from langchain_reliable.observers._timeline_text import rows, signs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_reliable.observers._timeline_data import CallSummary
    from langchain_reliable.observers._timeline_text import Row

_CELL: Final = 7.3
"""Width of a character; the fonts named below are no wider at this size."""
_FONT: Final = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"
_ROW: Final = 24
_TOP: Final = 52
_GAP: Final = 18
_BARS: Final = 360
_LEAST: Final = 3.0
"""The shortest a bar gets: what happened can be seen."""

_FAILED: Final = "#d1495b"
_ASKED: Final = "#7c87d8"
_SPEAKS: Final = "#2a9d6f"
_CONNECTING: Final = 0.15
_HELD: Final = 0.65
_FADED: Final = 0.45
"""How much is left of a row that came to nothing through no fault of its candidate."""
_SCHEMES: Final = (
    "<style>svg{color:#1f2328}"
    "@media(prefers-color-scheme:dark){svg{color:#e6edf3}}</style>"
)


@dataclass(frozen=True, slots=True)
class _Sheet:
    """Where the columns stand, and where a moment is."""

    summary: CallSummary
    names: float
    whats: float
    tooks: float
    waits: float

    @property
    def bars(self) -> float:
        return self.names + _GAP

    @property
    def width(self) -> float:
        legend = self.bars + sum(map(_sign_width, signs(self.summary)))
        return max(self.waits, _width(self.summary.title) + 4, legend)

    @property
    def bottom(self) -> float:
        return _TOP + _ROW * len(self.summary.entries)

    def x(self, moment: float) -> float:
        """Return where a moment of the call is."""
        whole = self.summary.end or 1.0
        return self.bars + _BARS * min(max(moment / whole, 0.0), 1.0)


def html(summary: CallSummary) -> str:
    """Return a call for a notebook; where there is little room it is scrolled."""
    return f'<div style="max-width:100%;overflow-x:auto">{_drawn(summary)}</div>'


def svg(summary: CallSummary) -> str:
    """Return a call as a file of its own, for light and dark pages."""
    return _drawn(summary, _SCHEMES) + "\n"


def _drawn(summary: CallSummary, style: str = "") -> str:
    sheet = _sheet(summary)
    width, height = math.ceil(sheet.width), math.ceil(sheet.bottom + 44)
    title = escape(summary.title)
    body = "".join((*_head(sheet), *_axis(sheet), *_table(sheet), *_commit(sheet)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-label="{title}" '
        f'font-family="{_FONT}" font-size="{SIZE}" fill="currentColor">'
        f"{style}{body}{''.join(_legend(sheet))}</svg>"
    )


def _sheet(summary: CallSummary) -> _Sheet:
    table = rows(summary)
    names = max(_width(row.name) for row in table)
    whats = max(_width(row.what) for row in table)
    tooks = max(_width(row.took) for row in table)
    waits = max(_width(row.waited) for row in table)
    at_what = names + _GAP + _BARS + _GAP
    at_took = at_what + whats + _GAP + tooks
    at_wait = at_took + (waits + _GAP if waits else 0)
    return _Sheet(summary, names, at_what, at_took, at_wait + 2)


def _width(text: str) -> float:
    return cells(text) * _CELL


# --- parts of the picture ---------------------------------------------------------


def _head(sheet: _Sheet) -> Iterator[str]:
    yield text(0, 14, sheet.summary.title, weight="600")


def _axis(sheet: _Sheet) -> Iterator[str]:
    """Draw thin lines at round moments, named beneath the rows."""
    for moment in _round_moments(sheet.summary.end):
        x = sheet.x(moment)
        yield line(x, _TOP - 4, x, sheet.bottom, opacity=0.13)
        label = seconds(moment) if moment else "0"
        yield text(x, sheet.bottom + 15, label, anchor="middle", opacity=0.6, size=10)


def _round_moments(end: float) -> list[float]:
    if end <= 0:
        return [0.0]
    rough = end / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * n for n in (1, 2, 2.5, 5, 10) if power * n >= rough)
    return [step * n for n in range(math.floor(end / step + 1e-9) + 1)]


def _table(sheet: _Sheet) -> Iterator[str]:
    for place, row in enumerate(rows(sheet.summary)):
        y = _TOP + _ROW * place + _ROW / 2
        yield f"<g><title>{escape(_said(row))}</title>"
        yield from _row(sheet, row, y)
        yield "</g>"


def _said(row: Row) -> str:
    """Return what a pointer that rests on a row is told."""
    if isinstance(row.entry, AttemptSpan):
        return f"{row.entry.candidate}: {row.entry.detail}"
    return row.entry.detail


def _row(sheet: _Sheet, row: Row, y: float) -> Iterator[str]:
    entry = row.entry
    faded = _FADED + 0.15 if _is_faded(row) else 1
    dim = min(faded, 0.65 if row.repeats else 1)
    yield text(sheet.names, y + 4, row.name.strip(), anchor="end", opacity=dim)
    if isinstance(entry, AttemptSpan):
        yield from _bar(sheet, entry, y)
    else:
        yield chevron(min(sheet.x(entry.at) + 5, sheet.bars + _BARS), y, opacity=_FADED)
    yield text(sheet.whats, y + 4, row.what, opacity=faded)
    yield text(sheet.tooks, y + 4, row.took, anchor="end", opacity=min(faded, 0.75))
    if row.waited:
        yield text(sheet.tooks + _GAP, y + 4, row.waited, opacity=0.75)


def _is_faded(row: Row) -> bool:
    return not isinstance(row.entry, AttemptSpan) or row.entry.lost


def _bar(sheet: _Sheet, tried: AttemptSpan, y: float) -> Iterator[str]:
    end = sheet.summary.end if tried.end is None else tried.end
    word = end if tried.committed is None else tried.committed
    start = min(sheet.x(tried.start), sheet.bars + _BARS - _LEAST)
    until = max(sheet.x(word), start + _LEAST)
    if tried.wait:
        waits_from = sheet.x(tried.start - tried.wait)
        yield line(waits_from, y, start, y, opacity=0.6, dashes="1.5 3.5", width=2)
    color = _FAILED if tried.failed else _ASKED
    if tried.lost:
        yield f'<g opacity="{_FADED}">'
    yield from _before_words(sheet, tried, y, (start, until), color)
    if tried.lost:
        yield f"{slash(until, y)}</g>"
    if tried.failed:
        yield cross(until, y, _FAILED)
    if tried.speaks_at_length:
        shown = _FADED if tried.taken_back else 1
        end_at = max(sheet.x(end), until + _LEAST)
        yield box(until, end_at, y, _SPEAKS, filled=shown)
        if tried.failure is not None:
            yield cross(end_at, y, _FAILED)


def _before_words(
    sheet: _Sheet, tried: AttemptSpan, y: float, at: tuple[float, float], color: str
) -> Iterator[str]:
    """Draw what passes before the first word: connecting, then chunks held back."""
    start, until = at
    opened = until
    if tried.waits_at_length and tried.opened is not None:
        opened = min(max(sheet.x(tried.opened), start), until)
    if until - opened < _LEAST:
        opened = until  # too short to be seen
    if opened - start >= _LEAST:
        yield box(start, opened, y, color, filled=_CONNECTING)
    if opened < until:
        from_ = opened if opened - start >= _LEAST else start
        yield box(from_, until, y, color, filled=_HELD)


def _commit(sheet: _Sheet) -> Iterator[str]:
    """Mark the moment from which on the caller sees something."""
    winner = sheet.summary.committed
    if winner is None or winner.committed is None:
        return
    y = _TOP + _ROW * sheet.summary.entries.index(winner) + _ROW / 2
    x = max(sheet.x(winner.committed), sheet.x(winner.start) + _LEAST)
    label = f"{sheet.summary.commit_word} {seconds(winner.committed)}"
    half = _width(label) / 2
    middle = min(max(x, sheet.bars + half), sheet.width - half)
    yield line(x, _TOP - 6, x, sheet.bottom, color=_SPEAKS, dashes="4 3", width=1.5)
    yield text(middle, _TOP - 12, label, anchor="middle", color=_SPEAKS, weight="600")
    yield diamond(x, y, _SPEAKS, 6, 8)


def _sign_width(word: str) -> float:
    return _width(word) * 10 / SIZE + 34


def _legend(sheet: _Sheet) -> Iterator[str]:
    y, x = sheet.bottom + 34, sheet.bars
    for word in signs(sheet.summary):
        yield _sign(word, x, y - 3.5)
        yield text(x + 20, y, word, opacity=0.6, size=10)
        x += _sign_width(word)


def _sign(word: str, x: float, y: float) -> str:
    """Return a small picture of what a word of the legend means."""
    filled = _HELD if word == "held" else _CONNECTING
    drawn = box(x, x + 15, y, _ASKED, filled=filled, height=8)
    match word:
        case "failed":
            bar = box(x, x + 12, y, _FAILED, filled=_CONNECTING, height=8)
            drawn = bar + cross(x + 12, y, _FAILED, arm=3)
        case "speaking":
            drawn = box(x, x + 15, y, _SPEAKS, height=8)
        case "lost":
            bar = box(x, x + 12, y, _ASKED, filled=_CONNECTING, height=8)
            drawn = f'<g opacity="{_FADED}">{bar}{slash(x + 12, y, arm=3)}</g>'
        case "waiting":
            drawn = line(x, y, x + 15, y, opacity=0.6, dashes="1.5 3.5", width=2)
        case "passed over":
            drawn = chevron(x + 9, y, opacity=_FADED)
        case "first word" | "answer":
            drawn = diamond(x + 8, y, _SPEAKS, 4, 5)
    return drawn
