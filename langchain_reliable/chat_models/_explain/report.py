"""What `explain` says: a table for terminals and notebooks, and as data."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from langchain_reliable._text.redact import clip, plain_name
from langchain_reliable._text.tables import LEFT, html_table, padded
from langchain_reliable._text.terminal import cells

if TYPE_CHECKING:
    from collections.abc import Mapping

WIDTH: Final = 80
_LONGEST_NAME: Final = 24


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
    def sentence(self) -> str:
        """What happens, in one line."""
        asked = ", ".join(
            f"{_short(name)} {count}" for name, count in self.requests.items()
        )
        return f"{self.caller_sees} {self.when} ({asked})"

    @property
    def when(self) -> str:
        """How long that takes at most."""
        if self.seconds is None:
            return "(no limit)"
        return f"within {self.seconds:.3g} s" if self.seconds else "at once"


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
    def title(self) -> str:
        """What the table is about."""
        name = _short(self.first)
        return f"{self.surface}() when {name} is in trouble (and requests to each):"

    def __str__(self) -> str:
        names = [
            one.scenario.replace("asked to wait", "wait") for one in self.scenarios
        ]
        margin = max(map(cells, names)) + 2
        lines = [self.title, ""]
        for name, one in zip(names, self.scenarios, strict=True):
            told = textwrap.wrap(one.sentence, WIDTH - margin, break_on_hyphens=False)
            lines.append(f"{padded(name, margin)}{told[0]}")
            lines += [" " * margin + more for more in told[1:]]
        for mark, said in (*_marked("! ", self.warnings), *_marked("", self.notes)):
            lines += ["", *textwrap.wrap(f"{mark}{said}", WIDTH)]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = [
            (
                (one.scenario, f"{LEFT};font-weight:bold"),
                (one.caller_sees, LEFT),
                (one.when, LEFT),
                (
                    ", ".join(f"{name} {n}" for name, n in one.requests.items()),
                    LEFT,
                ),
            )
            for one in self.scenarios
        ]
        rows += [
            (("warning", f"{LEFT};font-weight:bold"), (said, LEFT), ("", ""), ("", ""))
            for said in self.warnings
        ]
        return html_table(rows)


def _short(name: str) -> str:
    return clip(plain_name(name), _LONGEST_NAME)


def _marked(mark: str, said: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(mark, one) for one in said]
