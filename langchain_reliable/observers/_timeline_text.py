"""A call as plain text, in characters that every terminal and log has.

The columns and bars are `_timeline_rich`'s as well, which draws them in colors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from langchain_reliable._text.terminal import cells
from langchain_reliable._text.wording import seconds
from langchain_reliable.observers._timeline_data import AttemptSpan

if TYPE_CHECKING:
    from langchain_reliable.observers._timeline_data import (
        CallSummary,
        Entry,
        PassedOverMark,
    )

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
        "asked": bool(tries) and not any(one.streams for one in tries),
        "held": any(one.waits_at_length for one in tries),
        "failed": any(one.failure is not None for one in tries),
        summary.commit_word: summary.committed is not None,
        "speaking": any(one.speaks_at_length for one in tries),
        "lost": any(one.lost for one in tries),
        "waiting": any(one.wait for one in tries),
        "passed over": len(tries) < len(summary.entries),
    }
    return tuple(word for word, occurs in occur.items() if occurs)


def name_of(entry: Entry, before: Entry | None) -> str:
    """Return what stands at the head of a row: the name, where it changes."""
    nth = entry.nth if isinstance(entry, AttemptSpan) else 1
    if nth > 1 and before is not None and before.candidate == entry.candidate:
        return f"  attempt {nth}"
    again = f" (attempt {nth})" if nth > 1 else ""
    return elided(entry.candidate) + again


def elided(name: str, most: int = 44) -> str:
    """Return a name without its middle, if it is longer than any name should be."""
    if cells(name) <= most:
        return name
    tail = most // 4
    return f"{name[: most - tail - 1]}…{name[-tail:]}"


class Row(NamedTuple):
    """What stands beside a bar."""

    entry: Entry
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
    befores = (None, *summary.entries)
    return [
        Row(
            entry,
            name_of(entry, before),
            entry.what,
            _took(entry, summary),
            entry.waited if isinstance(entry, AttemptSpan) else "",
        )
        for entry, before in zip(summary.entries, befores, strict=False)
    ]


def _took(entry: Entry, summary: CallSummary) -> str:
    """Return how long a try has lasted; of one that goes on, at least so long."""
    if not isinstance(entry, AttemptSpan):
        return ""
    if entry.end is None:
        return f"{seconds(summary.end - entry.start)}+"
    return seconds(entry.end - entry.start)


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
                f"[{_bar(summary, row.entry)}]",
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
    "lost": "/",
    "waiting": ".",
    "passed over": ">",
}


def place(summary: CallSummary, mark: PassedOverMark, width: int = WIDTH) -> int:
    """Return where in a bar a candidate was passed over."""
    scale = width / summary.end if summary.end > 0 else 0.0
    return min(round(mark.at * scale), width - 1)


def _bar(summary: CallSummary, entry: Entry) -> str:
    if isinstance(entry, AttemptSpan):
        return _characters(bar(summary, entry), entry)
    return f"{' ' * place(summary, entry)}>".ljust(WIDTH)


def _characters(parts: Bar, tried: AttemptSpan) -> str:
    asked = "-" * parts.connects + "+" * parts.holds
    if tried.failed:
        asked = asked[:-1] + "x"
    elif tried.lost:
        asked = asked[:-1] + "/"
    elif tried.committed is not None:
        asked = asked[:-1] + "|"
    speaks = "=" * parts.speaks
    if speaks and tried.failure is not None:
        speaks = speaks[:-1] + "x"
    return f"{' ' * parts.before}{'.' * parts.waits}{asked}{speaks}{' ' * parts.after}"


def _filled(text: str, width: int) -> str:
    return text + " " * (width - cells(text))
