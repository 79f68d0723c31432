"""What is known of each candidate across calls.

The states behind one re-entrant lock, and as people see them. How facts change a state
is written in `_core/circuit.py`; nothing is awaited while the lock is held, and nothing
here belongs to an event loop, so one object serves threads, tasks and loops alike.
"""

from __future__ import annotations

import logging
import math
import threading
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_reliable._core import circuit as circuit_rules
from langchain_reliable._core.balancing.hedging import HedgeBook
from langchain_reliable._core.balancing.load import expected
from langchain_reliable._core.circuit import (
    CLOSED,
    Admission,
    Circuit,
    Opened,
    State,
)
from langchain_reliable._core.fallback_watch import FallbackWatch
from langchain_reliable._core.retry_budget import RetryTokenBucket
from langchain_reliable._runtime.clock import SystemClock
from langchain_reliable._runtime.load_book import LoadBook
from langchain_reliable._text.redact import plain_name
from langchain_reliable._text.tables import LEFT, aligned, html_table
from langchain_reliable._text.wording import describe_failure
from langchain_reliable.observers._forks import renewed_after_fork

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping

    from langchain_reliable._core.balancing.load import Pace
    from langchain_reliable._core.steps import Claim, Route
    from langchain_reliable._runtime.clock import Clock
    from langchain_reliable.failures import Failure
    from langchain_reliable.policies import CircuitBreaker, RetryBudget

_logger = logging.getLogger("langchain_reliable")

_ISOLATED = "isolated"

_LOOK_AGAIN = 0.05
"""Seconds between two looks at what is in flight, while it is waited for."""

_HEAD = (
    "candidate",
    "state",
    "for",
    "in flight",
    "first word",
    "whole answer",
    "limits used",
    "last failure",
)
_ALWAYS = 3
"""Columns that are shown though nothing stands in them."""

MADE_UP_KEPT = 256
"""Candidates kept whose model a caller named at call time and nobody declared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateHealth:
    """What is known of one candidate, for people.

    Attributes:
        name: What it is called.
        state: `"closed"` (well), `"cooling down"`, `"open"`, `"half-open"`,
            `"probing"` or `"isolated"`.
        seconds: For how long it is still left alone; `None` where that has no end.
        failures: Failures in a row.
        last_failure: The last failure in a few words, without prompts or keys.
        in_flight: Requests that have not ended.
        first_word: Seconds to the first word of its streams, as to be expected now.
        whole_answer: Seconds to its answers in one piece.
        limits: How much of its own limits is used, from 0 to 1, by the name of each.
    """

    name: str
    state: str
    seconds: float | None
    failures: int
    last_failure: str
    in_flight: int = 0
    first_word: float | None = None
    whole_answer: float | None = None
    limits: Mapping[str, float] = field(default_factory=dict)


class Health:
    """What is known of candidates across calls, in memory.

    A model makes one of its own; pass one object to several models to let them share
    what they know. It is safe to use from any thread, task and event loop.

    Example:
        ```python
        health = Health()
        chat = ReliableChatModel(models=[gpt, claude], health=health)
        summaries = ReliableChatModel(models=[gpt_mini, claude], health=health)
        ```
    """

    def __init__(self) -> None:
        """Begin with nothing known: everybody is well."""
        self.book = LoadBook()
        """Requests in flight and what limits have used; for the calls."""
        self._buckets: dict[RetryBudget, RetryTokenBucket] = {}
        self._circuits: dict[Hashable, Circuit] = {}
        self._clock: Clock = SystemClock()
        self._healthy: dict[Hashable, Admission] = {}  # of the clean circuits
        self._isolated: set[str] = set()
        self._lock = renewed_after_fork(threading.RLock, self, "_lock")
        self._made_up: dict[Hashable, None] = {}
        self._names: dict[Hashable, str] = {}
        self._outage: set[Hashable] = set()
        self.fallback_watch = FallbackWatch()
        self.hedges = HedgeBook()
        self.hedges.lock = renewed_after_fork(threading.RLock, self.hedges, "lock")

    # --- for people ---------------------------------------------------------------

    def snapshot(self) -> tuple[CandidateHealth, ...]:
        """Return what is known of each candidate that was ever asked."""
        now = self._clock.now()
        with self._lock:
            names = self._names
            known = [(names[key], one, key) for key, one in self._circuits.items()]
            shut = self._isolated - {name for name, *_ in known}
        rows = [self._row(name, circuit, now, key) for name, circuit, key in known]
        return (*rows, *(self._row(name, CLOSED, now) for name in sorted(shut)))

    def reset(self, name: str | None = None) -> None:
        """Forget what is known of a candidate, or of all."""
        with self._lock:
            keys = [key for key in self._circuits if name in (None, self._names[key])]
            for key in keys:
                self._apply(key, circuit_rules.forgotten)
            self._isolated -= {name} if name is not None else self._isolated.copy()

    def isolate(self, name: str) -> None:
        """Leave a candidate alone until `reset(name)`, as long as others can answer.

        Raises:
            TypeError: The name is no string.
        """
        if not isinstance(name, str):
            msg = f"isolate takes a candidate's name, no {type(name).__name__}"
            raise TypeError(msg)
        with self._lock:
            self._isolated.add(name)
            known = sorted(map(str, set(self._names.values())))
        if known and name not in known:
            _logger.warning(
                "isolated %r, but nobody of that name has been asked so far; known "
                "are: %s",
                plain_name(name),
                ", ".join(known),
            )

    def drain(self, name: str, timeout: float | None = None) -> bool:
        """Isolate a candidate, and wait until nothing of it is in flight.

        Args:
            name: The candidate.
            timeout: Seconds to wait at most; `None` for as long as it takes.

        Returns:
            Whether nothing is in flight any more.
        """
        self.isolate(name)
        end = math.inf if timeout is None else self._clock.now() + timeout
        while self._in_flight(name):
            now = self._clock.now()
            if now >= end:
                return False
            self._clock.sleep_until(min(now + _LOOK_AGAIN, end))
        return True

    async def adrain(self, name: str, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - as in `drain`
        """Isolate a candidate, and wait for it; the twin of `drain`."""
        self.isolate(name)
        end = math.inf if timeout is None else self._clock.now() + timeout
        while self._in_flight(name):
            now = self._clock.now()
            if now >= end:
                return False
            await self._clock.asleep_until(min(now + _LOOK_AGAIN, end))
        return True

    def _in_flight(self, name: str) -> int:
        with self._lock:
            keys = [key for key, known in self._names.items() if known == name]
        return sum(map(self.book.in_flight, keys))

    def as_dict(self) -> dict[str, Any]:
        """Return what is known as plain JSON."""
        return {"candidates": [asdict(row) for row in self.snapshot()]}

    def __str__(self) -> str:
        """Return a table for a terminal."""
        rows = self._cells()
        if len(rows) == 1:
            return "nothing is known of any candidate yet"
        return "\n".join(aligned(rows))

    def _repr_html_(self) -> str:
        """Return a table for a notebook."""
        head, *rows = self._cells()
        return html_table([[(cell, LEFT) for cell in row] for row in rows], head)

    def __repr__(self) -> str:
        """Return one line."""
        known = ", ".join(f"{one.name}: {one.state}" for one in self.snapshot())
        return f"Health({known})"

    def __deepcopy__(self, memo: dict[int, Any]) -> Health:
        """A copy of a model shares what the model knows."""
        return self

    def __reduce__(self) -> tuple[Callable[..., Health], tuple[Any, ...]]:
        """What was known in one process is not known in another."""
        return Health, ()

    # --- for the calls ------------------------------------------------------------

    def available_at(self, route: Route, now: float) -> float:
        """Return when a candidate may be asked; `now` if it may at once."""
        if route.name in self._isolated:
            return float("inf")
        if route.key in self._healthy:
            return now
        circuit = self._circuits.get(route.key)  # one look, so no lock
        return now if circuit is None else circuit.available_at(now)

    def admission_if_healthy(self, route: Route) -> Admission | None:
        """Return the admission of a candidate that nothing speaks against.

        `None` does not mean that it is ill: only that `try_acquire` knows more.
        """
        if self._isolated and route.name in self._isolated:
            return None
        return self._healthy.get(route.key)

    def would_probe(self, route: Route, now: float) -> bool:
        """Return whether a request made now would be the one of a half-open circuit."""
        circuit = self._circuits.get(route.key)  # one look, so no lock
        return circuit is not None and circuit.state(now) is State.HALF_OPEN

    def try_acquire(self, route: Route, now: float) -> Admission | Claim | None:
        """Take a candidate that is free at this very moment.

        Returns:
            What the request is admitted as; `None` if somebody else was faster. A
            `Claim` to either, where others elsewhere have a say in it.
        """
        if route.name in self._isolated:
            return None
        with self._lock:
            admission = self._admitted(route, now)
            return None if admission.forced else admission

    def record_request(self, route: Route, now: float) -> Admission | Claim:
        """Note that a candidate is asked, whether it is free or not."""
        with self._lock:
            return self._admitted(route, now)

    def _admitted(self, route: Route, now: float) -> Admission:
        circuit = self._known(route)
        admission = circuit.admission(now)
        if admission.probe:
            longest = route.max_probe
            self._apply(route.key, lambda one: circuit_rules.probed(one, now, longest))
        return admission

    def failed(
        self,
        route: Route,
        failure: Failure,
        admission: Admission,
        now: float,
        chance: float,
        breaker: CircuitBreaker | None,
        *,
        took: float = 0.0,
        alone: bool,
    ) -> Opened:
        """Take note of a failure; return whether the circuit is open now."""

        def rule(circuit: Circuit) -> Circuit:
            return circuit_rules.failed(
                circuit,
                failure,
                admission,
                now,
                chance,
                breaker,
                took=took,
                alone=alone,
            )

        with self._lock:
            self._known(route)
            before, after = self._apply(route.key, rule)
        return Opened(after.open_until, by_this=after.trips > before.trips)

    def began_answering(self, route: Route, admission: Admission, now: float) -> bool:
        """Take note that an answer has begun; return whether that closed a circuit."""
        if self._outage:
            with self._lock:
                over, self._outage = self._outage, set()
                for key in over & self._circuits.keys():
                    self._apply(key, lambda one: circuit_rules.released(one, now))
        if route.key in self._healthy:
            return False
        with self._lock:
            self._known(route)
            before, after = self._apply(
                route.key, lambda one: circuit_rules.began_answering(one, admission)
            )
        return before.open_until is not None and after.open_until is None

    def answered(self, route: Route, admission: Admission) -> None:
        """Take note of a whole answer."""
        if route.key not in self._healthy:
            with self._lock:
                self._known(route)
                self._apply(
                    route.key, lambda one: circuit_rules.answered(one, admission)
                )

    def abandoned(self, route: Route, admission: Admission) -> None:
        """Take note that a request was given up; a probe's slot is free again."""
        if admission.probe:
            with self._lock:
                self._known(route)
                self._apply(
                    route.key, lambda one: circuit_rules.abandoned(one, admission)
                )

    def outrun(self, route: Route, admission: Admission, now: float) -> None:
        """Take note that another has answered while a request was silent."""
        if admission.probe:
            with self._lock:
                self._apply(
                    route.key, lambda one: circuit_rules.outrun(one, admission, now)
                )

    def nobody_reached(self, routes: Iterable[Route]) -> None:
        """Take note that no candidate of a call could be reached: perhaps it is us.

        As soon as one answers, those that `connection` put out may be probed at once.
        """
        with self._lock:
            self._outage.update(route.key for route in routes)

    def _known(self, route: Route) -> Circuit:
        """Return a candidate's circuit, and know it from now on."""
        self._names[route.key] = route.name
        if (circuit := self._circuits.get(route.key)) is None:
            circuit = CLOSED
            self._keep(route.key, circuit)
            if route.made_up:
                self._made_up[route.key] = None
            while len(self._made_up) > MADE_UP_KEPT:  # forget the oldest
                oldest = next(iter(self._made_up))
                for kept in (self._made_up, self._circuits, self._healthy, self._names):
                    kept.pop(oldest, None)
                self.book.forget(oldest)
                self.hedges.forget(oldest)
        return circuit

    def _apply(
        self, key: Hashable, rule: Callable[[Circuit], Circuit]
    ) -> tuple[Circuit, Circuit]:
        """Change a circuit by a rule; return it as it was and as it is."""
        before = self._circuits[key]
        after = rule(before)
        self._keep(key, after)
        return before, after

    def _keep(self, key: Hashable, circuit: Circuit) -> None:
        self._circuits[key] = circuit
        if circuit.is_clean:
            self._healthy[key] = Admission(circuit.generation)
        else:
            self._healthy.pop(key, None)

    def bucket(self, budget: RetryBudget) -> RetryTokenBucket:
        """Return the bucket of a retry budget."""
        with self._lock:
            if (bucket := self._buckets.get(budget)) is None:
                bucket = self._buckets[budget] = RetryTokenBucket(budget)
                bucket.lock = renewed_after_fork(threading.RLock, bucket, "lock")
            return bucket

    def _row(
        self, name: str, circuit: Circuit, now: float, key: Hashable = None
    ) -> CandidateHealth:
        state: str = circuit.state(now)
        seconds: float | None = max(0.0, circuit.available_at(now) - now)
        if name in self._isolated:
            state, seconds = _ISOLATED, None
        return CandidateHealth(
            name=name,
            state=state,
            seconds=seconds,
            failures=circuit.failures,
            last_failure=describe_failure(circuit.last) if circuit.last else "",
            in_flight=self.book.in_flight(key),
            first_word=_seconds(self.book.pace(key, streams=True), now),
            whole_answer=_seconds(self.book.pace(key, streams=False), now),
            limits={str(k): v for k, v in self.book.used_shares(key, now).items()},
        )

    def _cells(self) -> list[list[str]]:
        rows = [
            (
                one.name,
                one.state,
                _for(one),
                f"{one.in_flight}" if one.in_flight else "",
                _span(one.first_word),
                _span(one.whole_answer),
                ", ".join(f"{name} {used:.0%}" for name, used in one.limits.items()),
                one.last_failure,
            )
            for one in self.snapshot()
        ]
        told = [
            at for at in range(len(_HEAD)) if at < _ALWAYS or any(r[at] for r in rows)
        ]
        return [[row[at] for at in told] for row in (_HEAD, *rows)]


def _for(one: CandidateHealth) -> str:
    if one.seconds is None:
        return "until reset"
    return f"{one.seconds:.0f} s" if one.seconds else ""


def _seconds(pace: Pace | None, now: float) -> float | None:
    return None if pace is None else round(expected(pace, now), 3)


def _span(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f} s"
