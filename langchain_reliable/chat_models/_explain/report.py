"""What `explain` says: a table for terminals and notebooks, and as data."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from langchain_reliable._text.redact import clip, plain_name
from langchain_reliable._text.tables import LEFT, aligned, fold, html_table
from langchain_reliable._text.terminal import cells

if TYPE_CHECKING:
    from collections.abc import Mapping

WIDTH: Final = 80
_LONGEST_NAME: Final = 24
_MOST_COUNTS: Final = 4
_IN_WORDS: Final = {
    "503": "overloaded (503)",
    "rate limited, asked to wait 2 s": "rate limited, wait 2 s",
    "rate limited, asked to wait 60 s": "rate limited, wait 60 s",
}
_HEAD: Final = ("the trouble", "at most", "requests", "what the caller gets")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What becomes of a call in one kind of trouble.

    Attributes:
        scenario: The trouble.
        answered_by: Whose answer the caller gets; `None` if there is none.
        caller_sees: What the caller gets, in words.
        seconds: Most seconds to the first word, or to the error; `None` for no bound.
        requests: How often each candidate is asked, of those that are.
    """

    scenario: str
    answered_by: str | None
    caller_sees: str
    seconds: float | None
    requests: Mapping[str, int]

    @property
    def at_most(self) -> str:
        """How long that takes at most."""
        if self.seconds is None:
            return "no limit"
        return f"{self.seconds:.3g} s" if self.seconds else "at once"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Explanation:
    """What a model would do in trouble: print it, or look at it in a notebook.

    Attributes:
        first: The candidate that is asked first, and in trouble.
        surface: How the model is asked.
        scenarios: What becomes of calls.
        warnings: Settings that cannot work as they are written.
        notes: What is true beside that.
    """

    first: str
    surface: str
    scenarios: tuple[Scenario, ...]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """Return the same as data."""
        return {
            "scenarios": [
                {
                    "scenario": one.scenario,
                    "answered_by": one.answered_by,
                    "caller_sees": one.caller_sees,
                    "seconds": one.seconds,
                    "requests": dict(one.requests),
                }
                for one in self.scenarios
            ],
            "warnings": [*self.warnings],
        }

    @property
    def asked(self) -> tuple[str, ...]:
        """The candidates that are asked in any of the scenarios, in that order."""
        return tuple(dict.fromkeys(n for one in self.scenarios for n in one.requests))

    @property
    def title(self) -> str:
        """What the table is about."""
        each = "how many of them"
        if len(self.asked) <= _MOST_COUNTS:
            each = " + ".join(map(_short, self.asked))
        return (
            f"What {self.surface}() does while {_short(self.first)}, which is asked "
            "first, is in trouble: seconds until another answers or the error comes, "
            f"and requests to {each}."
        )

    def __str__(self) -> str:
        rows = [
            (
                _IN_WORDS.get(one.scenario, one.scenario),
                one.at_most,
                _counted(one.requests, self.asked),
                one.caller_sees,
            )
            for one in self.scenarios
        ]
        names, times, requests, seen = zip(_HEAD, *rows, strict=True)
        others = sum(max(map(cells, one)) + 2 for one in (names, times, requests))
        folded = [fold(one, WIDTH - others) for one in seen]
        lines = [*textwrap.wrap(self.title, WIDTH, break_on_hyphens=False), ""]
        lines += aligned(
            [
                (*cell, said) if not at else ("", "", "", said)
                for *cell, told in zip(names, times, requests, folded, strict=True)
                for at, said in enumerate(told)
            ]
        )
        for mark, said in (*_marked("! ", self.warnings), *_marked("", self.notes)):
            lines += ["", *textwrap.wrap(f"{mark}{said}", WIDTH)]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = [
            (
                (one.scenario, f"{LEFT};font-weight:bold"),
                (one.at_most, LEFT),
                (", ".join(f"{n} to {name}" for name, n in one.requests.items()), LEFT),
                (one.caller_sees, LEFT),
            )
            for one in self.scenarios
        ]
        rows += [
            ((mark, f"{LEFT};font-weight:bold"), ("", ""), ("", ""), (said, LEFT))
            for mark, said in (
                *_marked("warning", self.warnings),
                *_marked("note", self.notes),
            )
        ]
        return html_table(rows, _HEAD)


def _short(name: str) -> str:
    return clip(plain_name(name), _LONGEST_NAME)


def _counted(requests: Mapping[str, int], names: tuple[str, ...]) -> str:
    """Say how often each is asked, up to the last that is; of many, how many are."""
    if len(names) > _MOST_COUNTS:
        return f"{sum(requests.values())} to {len(requests)}"
    last = max((names.index(name) for name in requests), default=-1)
    return " + ".join(str(requests.get(name, 0)) for name in names[: last + 1])


def _marked(mark: str, said: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(mark, one) for one in said]
