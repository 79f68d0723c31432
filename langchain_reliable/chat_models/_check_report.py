"""The report of `model.check()`: a table for terminals and notebooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from langchain_reliable._text.tables import LEFT, aligned, html_table, padded
from langchain_reliable._text.terminal import cells
from langchain_reliable._text.wording import failure_label, seconds

if TYPE_CHECKING:
    from rich.console import RenderableType

    from langchain_reliable.failures import Failure

_GREEN: Final = "#2a9d6f"
_RED: Final = "#d1495b"


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateCheck:
    """What came of asking one candidate.

    Attributes:
        name: What it is called.
        works: Whether it answered.
        first_chunk: Seconds to the first chunk that says something, if one came.
        seconds: Seconds to the end, if it answered.
        failure: What went wrong, if something did.
        advice: What to do about it; empty if it works.
        detail: What the provider says about it: cut, and without keys.
    """

    name: str
    works: bool
    first_chunk: float | None = None
    seconds: float | None = None
    failure: Failure | None = None
    advice: str = ""
    detail: str = ""

    @property
    def result(self) -> str:
        """What came of it, in a few words."""
        if self.failure is not None:
            return failure_label(self.failure)
        return "works" if self.works else "fails"


@dataclass(frozen=True, slots=True, repr=False)
class CheckReport:
    """What came of asking each candidate: a table, in a terminal and in a notebook.

    Attributes:
        candidates: What came of each, in the order of `models`.
    """

    candidates: tuple[CandidateCheck, ...]

    @property
    def ok(self) -> bool:
        """Whether all of them work."""
        return all(one.works for one in self.candidates)

    @property
    def failed(self) -> tuple[CandidateCheck, ...]:
        """Those that don't work."""
        return tuple(one for one in self.candidates if not one.works)

    def __str__(self) -> str:
        starts = aligned([(one.name, one.result) for one in self.candidates])
        margin = max(map(cells, starts), default=0) + 2
        lines = []
        for start, one in zip(starts, self.candidates, strict=True):
            first, *further = _remarks(one)
            lines.append(f"{padded(start, margin)}{first}".rstrip())
            lines += [" " * margin + more for more in further]
        return "\n".join(lines)

    __repr__ = __str__

    def __rich__(self) -> RenderableType:
        from rich.table import Table  # noqa: PLC0415 - an extra
        from rich.text import Text  # noqa: PLC0415 - an extra

        grid = Table.grid(padding=(0, 2, 0, 0))
        for _ in range(2):
            grid.add_column(overflow="fold")
        grid.add_column(overflow="fold", ratio=1)
        for one in self.candidates:
            remarks = Text("\n".join(_remarks(one)))
            color = "green" if one.works else "red"
            grid.add_row(Text(one.name, "bold"), Text(one.result, color), remarks)
        return grid

    def _repr_html_(self) -> str:
        return html_table(
            (
                (one.name, f"{LEFT};font-weight:bold"),
                (one.result, f"{LEFT};color:{_GREEN if one.works else _RED}"),
                ("\n".join(_remarks(one)), LEFT),
            )
            for one in self.candidates
        )


def _remarks(one: CandidateCheck) -> list[str]:
    if one.works:
        first = seconds(one.first_chunk or 0.0)
        whole = seconds(one.seconds or 0.0)
        return [f"first chunk after {first}, whole answer after {whole}"]
    return [said for said in (one.advice, one.detail) if said] or [""]
