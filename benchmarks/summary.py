"""What the samples come to: medians, paired ratios, verdicts.

The result is plain data, ready for JSON, and everything that is shown is made of it.

- A ratio is that of two samples of the same round; what is told is the median of the
  ratios, not the ratio of the medians, so that slow drifts of the machine cancel out.
- Noise is told as quartiles; the ratio of the bare contestant to itself is the floor.
- A verdict goes by the median. It is not sure if the target lies between the quartiles.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from benchmarks.contestants import BARE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.rounds import Round
    from benchmarks.rows import Metric, Row

DIGITS = 6


def lines(row: Row, rounds: Sequence[Round]) -> list[dict[str, Any]]:
    """Return a row's lines, one for each metric."""
    return [
        {
            "row": row.name,
            "title": f"{row.title}, {metric.title}" if metric.title else row.title,
            "metric": metric.name,
            "unit": metric.unit,
            "shows": metric.shows,
            "more_is_better": metric.more_is_better,
            "rounds": len(rounds),
            "cells": {one: _cell(metric, one, rounds) for one in sorted(rounds[0])},
        }
        for metric in row.metrics
    ]


def missed(found: Sequence[dict[str, Any]]) -> list[str]:
    """Return which targets were missed, in words."""
    return [
        f"{line['title']}: {name}"
        for line in found
        for name, cell in line["cells"].items()
        if cell.get("met") is False
    ]


def _cell(metric: Metric, name: str, rounds: Sequence[Round]) -> dict[str, Any]:
    pairs = [
        (one[name].values[metric.name], one[BARE].values[metric.name]) for one in rounds
    ]
    cell: dict[str, Any] = _spread([own / metric.per_unit for own, _ in pairs])
    if name == BARE:
        return cell
    cell["ratio"] = _spread([own / bare for own, bare in pairs])
    cell["added"] = _spread([(own - bare) / metric.per_unit for own, bare in pairs])
    if all(one[BARE].cpu for one in rounds):
        cpu = [one[name].cpu / one[BARE].cpu for one in rounds]
        cell["cpu_ratio"] = round(statistics.median(cpu), DIGITS)
    if (target := metric.targets.get(name)) is not None:
        found, (low, high) = cell[metric.shows].values()
        cell["target"] = target
        cell["met"] = found >= target if metric.more_is_better else found <= target
        cell["sure"] = not low <= target <= high
    return cell


def _spread(values: Sequence[float]) -> dict[str, Any]:
    """Return the median, and the quartiles around it."""
    low = high = values[0]
    if len(values) > 1:
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return {
        "median": round(statistics.median(values), DIGITS),
        "quartiles": [round(low, DIGITS), round(high, DIGITS)],
    }
