"""A call as plain text, in characters that every terminal and log has.

Columns and bars of characters live here; the colored twin is in `_timeline_rich`.
What a call came to is never decided here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from langchain_reliable._text.terminal import cells
from langchain_reliable._text.wording import seconds

if TYPE_CHECKING:
    from langchain_reliable.observers._timeline_data import AttemptSpan, CallSummary

WIDTH = 40
"""Characters of a bar from the beginning of a call to its end."""


class Bar(NamedTuple):
    """The parts of a bar, in characters; together they are as long as it."""

    before: int
    waits: int
    connects: int
    holds: int
    speaks: int
    after: int


def bar(summary: CallSummary, tried: AttemptSpan, width: int = WIDTH) -> Bar:
    """Return how long the parts of a try's bar are; what happened is never nothing."""
    scale = width / summary.end if summary.end > 0 else 0.0
    end = summary.end if tried.end is None else tried.end
    committed = tried.committed if tried.speaks_at_length else None
    word = end if committed is None else committed
    start = min(round(tried.start * scale), width - 1)
    waits = min(round(tried.wait * scale), start)
    asked = max(round(word * scale) - start, 1)
    asked = min(asked, width - start)
    holds = 0
    if tried.waits_at_length and tried.opened is not None:
        holds = asked - min(max(round(tried.opened * scale) - start, 0), asked)
    speaks = min(max(round(end * scale) - start - asked, 0), width - start - asked)
    after = width - start - asked - speaks
    return Bar(start - waits, waits, asked - holds, holds, speaks, after)


def signs(summary: CallSummary) -> tuple[str, ...]:
    """Return the parts of a call's bars that have to be explained."""
    tries = summary.tries
    occur = {
        "connecting": any(one.streams for one in tries),
        "asked": not any(one.streams for one in tries),
        "held": any(one.waits_at_length for one in tries),
        "failed": any(one.failure is not None for one in tries),
        summary.commit_word: summary.committed is not None,
        "speaking": any(one.speaks_at_length for one in tries),
        "waiting": any(one.wait for one in tries),
    }
    return tuple(word for word, occurs in occur.items() if occurs)


def name_of(tried: AttemptSpan, before: AttemptSpan | None) -> str:
    """Return what stands at the head of a row: the name, where it changes."""
    if before is not None and before.candidate == tried.candidate:
        return f"  attempt {tried.nth}"
    again = f" (attempt {tried.nth})" if tried.nth > 1 else ""
    return elided(tried.candidate) + again


def elided(name: str, most: int = 44) -> str:
    """Return a name without its middle, if it is longer than any name should be."""
    if cells(name) <= most:
        return name
    tail = most // 4
    return f"{name[: most - tail - 1]}…{name[-tail:]}"


class Row(NamedTuple):
    """What stands beside a bar."""

    tried: AttemptSpan
    name: str
    what: str
    took: str
    waited: str

    @property
    def repeats(self) -> bool:
        """Whether the row above is of the same candidate."""
        return self.name.startswith("  ")


def rows(summary: CallSummary) -> list[Row]:
    """Return what stands beside the bars of a call."""
    befores = (None, *summary.tries)
    return [
        Row(
            tried,
            name_of(tried, before),
            tried.what,
            _took(tried, summary),
            f"waited {seconds(tried.wait)}" if tried.wait else "",
        )
        for tried, before in zip(summary.tries, befores, strict=False)
    ]


def _took(tried: AttemptSpan, summary: CallSummary) -> str:
    """Return how long a try has lasted; of one that goes on, at least so long."""
    if tried.end is None:
        return f"{seconds(summary.end - tried.start)}+"
    return seconds(tried.end - tried.start)


def text(summary: CallSummary) -> str:
    """Return a call as plain text."""
    table = rows(summary)
    names = max(cells(row.name) for row in table)
    whats = max(cells(row.what) for row in table)
    tooks = max(cells(row.took) for row in table)
    lines = [
        "  ".join(
            (
                "",
                _filled(row.name, names),
                f"[{_characters(bar(summary, row.tried), row.tried)}]",
                _filled(row.what, whats),
                row.took.rjust(tooks),
                row.waited,
            )
        ).rstrip()
        for row in table
    ]
    legend = "  ".join(f"{_SIGNS[word]} {word}" for word in signs(summary))
    return "\n".join((summary.title, *lines, f"  ({legend})"))


_SIGNS = {
    "connecting": "-",
    "asked": "-",
    "held": "+",
    "failed": "x",
    "first word": "|",
    "answer": "|",
    "speaking": "=",
    "waiting": ".",
}


def _characters(parts: Bar, tried: AttemptSpan) -> str:
    asked = "-" * parts.connects + "+" * parts.holds
    if tried.failed:
        asked = asked[:-1] + "x"
    elif tried.committed is not None:
        asked = asked[:-1] + "|"
    speaks = "=" * parts.speaks
    if speaks and tried.failure is not None:
        speaks = speaks[:-1] + "x"
    return f"{' ' * parts.before}{'.' * parts.waits}{asked}{speaks}{' ' * parts.after}"


def _filled(text: str, width: int) -> str:
    return text + " " * (width - cells(text))
