"""A call as SVG, for notebooks and pages.

Columns of pixels and shapes live here. What a call came to is never decided here, and
nothing is fetched: no script, no font, no style sheet.

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
from langchain_reliable.observers._timeline_text import rows, signs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_reliable.observers._timeline_data import AttemptSpan, CallSummary

_SIZE: Final = 12
_CELL: Final = 7.3
"""Width of a character; the fonts named below are no wider at this size."""
_FONT: Final = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"
_ROW: Final = 24
_TOP: Final = 52
_GAP: Final = 18
_BARS: Final = 360
_BAR: Final = 12
_LEAST: Final = 3.0
"""The shortest a bar gets: what happened can be seen."""

_FAILED: Final = "#d1495b"
_ASKED: Final = "#7c87d8"
_SPEAKS: Final = "#2a9d6f"
_CONNECTING: Final = 0.15
_HELD: Final = 0.65
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
        return _TOP + _ROW * len(self.summary.tries)

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
        f'font-family="{_FONT}" font-size="{_SIZE}" fill="currentColor">'
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
    yield _text(0, 14, sheet.summary.title, weight="600")


def _axis(sheet: _Sheet) -> Iterator[str]:
    """Draw thin lines at round moments, named beneath the rows."""
    for moment in _round_moments(sheet.summary.end):
        x = sheet.x(moment)
        yield _line(x, _TOP - 4, x, sheet.bottom, opacity=0.13)
        label = seconds(moment) if moment else "0"
        yield _text(x, sheet.bottom + 15, label, anchor="middle", opacity=0.6, size=10)


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
        said = f"{row.tried.candidate}: {row.tried.detail}"
        dim = 0.65 if row.repeats else 1
        yield f"<g><title>{escape(said)}</title>"
        yield _text(sheet.names, y + 4, row.name.strip(), anchor="end", opacity=dim)
        yield from _bar(sheet, row.tried, y)
        yield _text(sheet.whats, y + 4, row.what)
        yield _text(sheet.tooks, y + 4, row.took, anchor="end", opacity=0.75)
        if row.waited:
            yield _text(sheet.tooks + _GAP, y + 4, row.waited, opacity=0.75)
        yield "</g>"


def _bar(sheet: _Sheet, tried: AttemptSpan, y: float) -> Iterator[str]:
    end = sheet.summary.end if tried.end is None else tried.end
    word = end if tried.committed is None else tried.committed
    start = min(sheet.x(tried.start), sheet.bars + _BARS - _LEAST)
    until = max(sheet.x(word), start + _LEAST)
    if tried.wait:
        waits_from = sheet.x(tried.start - tried.wait)
        yield _line(waits_from, y, start, y, opacity=0.6, dashes="1.5 3.5", width=2)
    color = _FAILED if tried.failed else _ASKED
    opened = until
    if tried.waits_at_length and tried.opened is not None:
        opened = min(max(sheet.x(tried.opened), start), until)
    if until - opened < _LEAST:
        opened = until  # too short to be seen
    if opened - start >= _LEAST:
        yield _box(start, opened, y, color, filled=_CONNECTING)
    if opened < until:
        from_ = opened if opened - start >= _LEAST else start
        yield _box(from_, until, y, color, filled=_HELD)
    if tried.failed:
        yield _cross(until, y)
    if tried.speaks_at_length:
        yield _box(until, max(sheet.x(end), until + _LEAST), y, _SPEAKS)
        if tried.failure is not None:
            yield _cross(max(sheet.x(end), until + _LEAST), y)


def _commit(sheet: _Sheet) -> Iterator[str]:
    """Mark the moment from which on the caller sees something."""
    winner = sheet.summary.committed
    if winner is None or winner.committed is None:
        return
    y = _TOP + _ROW * sheet.summary.tries.index(winner) + _ROW / 2
    x = max(sheet.x(winner.committed), sheet.x(winner.start) + _LEAST)
    label = f"{sheet.summary.commit_word} {seconds(winner.committed)}"
    half = _width(label) / 2
    middle = min(max(x, sheet.bars + half), sheet.width - half)
    yield _line(x, _TOP - 6, x, sheet.bottom, color=_SPEAKS, dashes="4 3", width=1.5)
    yield _text(middle, _TOP - 12, label, anchor="middle", color=_SPEAKS, weight="600")
    points = f"{x:.1f},{y - 8:.1f} {x + 6:.1f},{y:.1f} {x:.1f},{y + 8:.1f} {x - 6:.1f},"
    yield f'<polygon points="{points}{y:.1f}" fill="{_SPEAKS}"/>'


def _sign_width(word: str) -> float:
    return _width(word) * 10 / _SIZE + 34


def _legend(sheet: _Sheet) -> Iterator[str]:
    y, x = sheet.bottom + 34, sheet.bars
    for word in signs(sheet.summary):
        yield _sign(word, x, y - 3.5)
        yield _text(x + 20, y, word, opacity=0.6, size=10)
        x += _sign_width(word)


def _sign(word: str, x: float, y: float) -> str:
    match word:
        case "connecting" | "asked":
            return _box(x, x + 15, y, _ASKED, filled=_CONNECTING, height=8)
        case "held":
            return _box(x, x + 15, y, _ASKED, filled=_HELD, height=8)
        case "failed":
            bar = _box(x, x + 12, y, _FAILED, filled=_CONNECTING, height=8)
            return bar + _cross(x + 12, y, arm=3)
        case "speaking":
            return _box(x, x + 15, y, _SPEAKS, height=8)
        case "waiting":
            return _line(x, y, x + 15, y, opacity=0.6, dashes="1.5 3.5", width=2)
        case _:
            points = f"{x + 8},{y - 5} {x + 12},{y} {x + 8},{y + 5} {x + 4},{y}"
            return f'<polygon points="{points}" fill="{_SPEAKS}"/>'


# --- shapes -----------------------------------------------------------------------


def _text(
    x: float,
    y: float,
    said: str,
    *,
    anchor: str = "start",
    opacity: float = 1,
    size: int = _SIZE,
    weight: str = "400",
    color: str = "currentColor",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'font-weight="{weight}" fill="{color}" fill-opacity="{opacity:g}">'
        f"{escape(said)}</text>"
    )


def _line(
    x1: float,
    y1: float,
    x2: float,
    y2: float,
    *,
    color: str = "currentColor",
    opacity: float = 1,
    dashes: str = "none",
    width: float = 1,
) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        f'stroke="{color}" stroke-opacity="{opacity:g}" stroke-width="{width:g}" '
        f'stroke-dasharray="{dashes}"/>'
    )


def _box(
    x1: float,
    x2: float,
    y: float,
    color: str,
    *,
    filled: float = 1,
    height: float = _BAR,
) -> str:
    return (
        f'<rect x="{x1:.1f}" y="{y - height / 2:.1f}" width="{x2 - x1:.1f}" '
        f'height="{height:g}" rx="1.5" fill="{color}" '
        f'fill-opacity="{filled:g}" stroke="{color}"/>'
    )


def _cross(x: float, y: float, arm: float = 4.5) -> str:
    a, b, top, low = x - arm, x + arm, y - arm, y + arm
    return (
        f'<path d="M{a:.1f} {top:.1f}L{b:.1f} {low:.1f}M{a:.1f} {low:.1f}L{b:.1f} '
        f'{top:.1f}" stroke="{_FAILED}" stroke-width="2.5" stroke-linecap="round"/>'
    )
