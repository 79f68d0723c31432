"""What a row of the table is: what is measured, and what it may cost at most."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.rounds import Round, Stage


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A line of the table.

    Attributes:
        name: What works call it.
        title: What is added to the row's title.
        unit: In which it is shown.
        per_unit: How many of a second, byte or piece make one of the unit.
        shows: The ratio to the bare contestant, or what is added to it.
        more_is_better: Whether a target is a least, not a most.
        targets: Contestant to what it is held to.
    """

    name: str
    title: str = ""
    unit: str
    per_unit: float = 1.0
    shows: Literal["ratio", "added"] = "ratio"
    more_is_better: bool = False
    targets: Mapping[str, float] = field(default_factory=dict)


class Measuring(Protocol):
    """Something that can be measured in rounds."""

    def tiny(self) -> Measuring:
        """Return the same, as small as can be."""

    def rounds(self, count: int, stage: Stage) -> list[Round]:
        """Measure."""


@dataclass(frozen=True)
class Row:
    """One measurement, which makes a line for each of its metrics."""

    name: str
    title: str
    measuring: Measuring
    metrics: tuple[Metric, ...]
    _: KW_ONLY
    rounds: int

    def tiny(self) -> Row:
        """Return the same row, in one round and as small as can be."""
        return replace(self, measuring=self.measuring.tiny(), rounds=1)
