"""The shapes that the SVG of a timeline is made of, each at a place in pixels."""

from __future__ import annotations

from html import escape
from typing import Final

SIZE: Final = 12
"""Size of letters."""
BAR: Final = 12
"""Height of a bar."""


def text(
    x: float,
    y: float,
    said: str,
    *,
    anchor: str = "start",
    opacity: float = 1,
    size: int = SIZE,
    weight: str = "400",
    color: str = "currentColor",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'font-weight="{weight}" fill="{color}" fill-opacity="{opacity:g}">'
        f"{escape(said)}</text>"
    )


def line(
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


def box(
    x1: float,
    x2: float,
    y: float,
    color: str,
    *,
    filled: float = 1,
    height: float = BAR,
) -> str:
    return (
        f'<rect x="{x1:.1f}" y="{y - height / 2:.1f}" width="{x2 - x1:.1f}" '
        f'height="{height:g}" rx="1.5" fill="{color}" '
        f'fill-opacity="{filled:g}" stroke="{color}"/>'
    )


def cross(x: float, y: float, color: str, arm: float = 4.5) -> str:
    a, b, top, low = x - arm, x + arm, y - arm, y + arm
    return (
        f'<path d="M{a:.1f} {top:.1f}L{b:.1f} {low:.1f}M{a:.1f} {low:.1f}L{b:.1f} '
        f'{top:.1f}" stroke="{color}" stroke-width="2.5" stroke-linecap="round"/>'
    )


def slash(x: float, y: float, arm: float = 4.5) -> str:
    return _path(f"M{x - arm / 2:.1f} {y + arm:.1f}L{x + arm / 2:.1f} {y - arm:.1f}")


def chevron(x: float, y: float, *, opacity: float) -> str:
    drawn = f"M{x - 4:.1f} {y - 4:.1f}L{x:.1f} {y:.1f}L{x - 4:.1f} {y + 4:.1f}"
    return _path(drawn, opacity=opacity)


def _path(drawn: str, *, opacity: float = 1) -> str:
    return (
        f'<path d="{drawn}" fill="none" stroke="currentColor" '
        f'stroke-opacity="{opacity:g}" stroke-width="2" stroke-linecap="round"/>'
    )


def diamond(x: float, y: float, color: str, wide: float, high: float) -> str:
    """Return a diamond around a point."""
    right, left = f"{x + wide:.1f},{y:.1f}", f"{x - wide:.1f},{y:.1f}"
    top, low = f"{x:.1f},{y - high:.1f}", f"{x:.1f},{y + high:.1f}"
    return f'<polygon points="{top} {right} {low} {left}" fill="{color}"/>'
