"""What a soak saw: counts, leaks, slopes and times, as plain data and as a table."""

from __future__ import annotations

import threading
import time
from array import array
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final

from benchmarks.machine import described
from benchmarks.soak_judge import MARKS, VERDICTS, marks, verdict
from benchmarks.soak_rest import quantile, slope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.soak_calls import Asking, Call

_TIMED: Final = ("invoke", "ainvoke", "stream", "astream")
_SHOWN: Final = 20
"""Wrong and lost calls that are told in full."""
_WARM_UP: Final = 1 / 3
"""Share of the rests that the slopes leave out."""
_MOST_BLOCKS: Final = 2_000
"""Blocks per 1,000 calls above which calls leak: two small objects in each."""
_FEWEST_RESTS: Final = 12
"""Rests without which a slope says nothing yet: prepared clients are made meanwhile."""


class Report:
    """Takes in what calls came to, from any thread."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._answers: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._ways: Counter[str] = Counter()
        self._told: list[str] = []
        self._seen: Counter[str] = Counter(dict.fromkeys(MARKS, 0))
        self._ignored: Counter[str] = Counter()
        self._times: dict[tuple[str, str, str], array[float]] = defaultdict(
            lambda: array("d")  # no objects: they would look like a leak of the calls'
        )
        self._left: Counter[str] = Counter()
        self._rests: list[dict[str, int]] = []

    # --- what happens -------------------------------------------------------------

    def take(self, asking: Asking) -> None:
        """Judge a call."""
        call = asking.call
        for plan, told in zip(call.plans, asking.told, strict=True):
            word, detail = verdict(call, plan, told)
            with self._lock:
                self._answers[word] += 1
                self._ways[call.way] += 1
                self._seen.update(marks(told))
                if word in ("typed", "propagated"):
                    self._errors[f"{word}: {detail}"] += 1
            if word == "wrong":
                self._tell(f"wrong: {detail}\n  {call}\n  {plan}")

    def note(self, way: str, word: str, detail: str) -> None:
        """Take note of a call that was judged elsewhere."""
        with self._lock:
            self._answers[word] += 1
            self._ways[way] += 1
        if word != "right":
            self._tell(f"{word} {way}: {detail}")

    def lose(self, where: str) -> None:
        """Take note of a call that has not come back."""
        with self._lock:
            self._answers["lost"] += 1
        self._tell(f"lost: {where}")

    def ignored(self, what: str) -> None:
        """Take note of an exception that nobody could catch."""
        self._ignored[what] += 1

    def time(self, when: str, who: str, call: Call, seconds: float) -> None:
        """Take note of how long a healthy call took."""
        with self._lock:
            self._times[when, call.way, who].append(seconds)

    def rest(
        self, found: dict[str, int], memory: dict[str, int], details: str = ""
    ) -> None:
        """Take note of what was still there between two rounds."""
        if details:
            self._tell(f"left behind: {found}\n{details}")
        with self._lock:
            self._rests.append({"calls": self._answers.total(), **memory})
            for name, count in found.items():
                self._left[name] = max(self._left[name], count)

    def closed(self, found: dict[str, int]) -> None:
        """Take note of what was still there in the end."""
        self._left.update(found)

    def _tell(self, what: str) -> None:
        with self._lock:
            if len(self._told) < _SHOWN:
                self._told.append(what)

    # --- what came of it ----------------------------------------------------------

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain data, ready for JSON."""
        answers = {word: self._answers[word] for word in VERDICTS}
        bad = answers["wrong"] + answers["lost"] + self._left.total()
        return {
            "ok": not bad and not self._leaks_memory,
            "seed": self._seed,
            "seconds": round(time.monotonic() - self._began, 1),
            "calls": self._answers.total(),
            "answers": answers,
            "errors": dict(self._errors.most_common()),
            "ways": dict(self._ways.most_common()),
            "seen": dict(self._seen),
            "left behind": dict(self._left),
            "memory per 1,000 calls": {
                name: self._grows(name) for name in ("kB", "blocks")
            },
            "rests": self._rests,
            "milliseconds": {
                when: {way: self._added(when, way) for way in _TIMED}
                for when in ("under load", "at rest")
            },
            "ignored by Python": dict(self._ignored),
            "told": self._told,
            "measured on": described(),
        }

    @property
    def _leaks_memory(self) -> bool:
        if len(self._rests) < _FEWEST_RESTS:
            return False
        return (self._grows("blocks") or 0.0) > _MOST_BLOCKS

    def _grows(self, name: str) -> float | None:
        rests = self._rests[int(_WARM_UP * len(self._rests)) :]
        return slope([(one["calls"], one[name]) for one in rests])

    def _added(self, when: str, way: str) -> dict[str, float | None]:
        times = [self._times[when, way, who] for who in ("bare", "ours")]
        row: dict[str, float | None] = {"calls": len(times[1])}
        for name, share in (("p50", 0.5), ("p99", 0.99)):
            bare, ours = (quantile(one, share) for one in times)
            row |= {f"bare {name}": _ms(bare), f"ours {name}": _ms(ours)}
            known = bare is not None and ours is not None
            row[f"added {name}"] = _ms(ours - bare) if known else None
        return row


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 2)


# --- for people -------------------------------------------------------------------


def table(report: dict[str, Any]) -> str:
    """Return a report to be read by people."""
    end = "ok" if report["ok"] else "NOT OK"
    spent = f"{report['calls']} calls in {report['seconds']:.0f} s"
    lines = [
        f"soak: {spent}, seed {report['seed']}: {end}",
        "",
        *_listed("answers", report["answers"]),
        *_listed("errors", report["errors"]),
        *_listed("ways", report["ways"]),
        *_listed("seen", report["seen"]),
        *_listed("left behind", report["left behind"]),
        *_listed("exceptions ignored by Python", report["ignored by Python"]),
        *_listed("memory per 1,000 calls", report["memory per 1,000 calls"]),
    ]
    for when, ways in report["milliseconds"].items():
        lines += [f"healthy calls {when}, in milliseconds", *_rows(ways), ""]
    return "\n".join([*lines, *(f"{one}\n" for one in report["told"])])


def _listed(head: str, values: dict[str, Any]) -> list[str]:
    rows = [f"  {_number(value):>10}  {name}" for name, value in values.items()]
    return [head, *rows, ""]


def _rows(ways: dict[str, dict[str, float | None]]) -> Iterator[str]:
    names = list(next(iter(ways.values())))
    yield "  " + " " * 10 + "".join(name.rjust(11) for name in names)
    for way, row in ways.items():
        cells = "".join(_number(row[name]).rjust(11) for name in names)
        yield f"  {way:10}{cells}"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value == int(value) else f"{value:.1f}"
