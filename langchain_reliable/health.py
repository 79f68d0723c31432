"""What is known of each candidate across calls: the ledger.

Keeping the states behind one plain lock, and showing them to people, lives here. How
facts change a state is written in `_circuit`; nothing is awaited while the lock is
held, and nothing here belongs to an event loop.
"""

from __future__ import annotations

import html
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_reliable._core import circuit as circuit_rules
from langchain_reliable._core.circuit import CLOSED, Circuit, State
from langchain_reliable._core.retry_budget import RetryTokenBucket
from langchain_reliable._runtime.clock import SystemClock
from langchain_reliable._text.wording import describe_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from langchain_reliable._runtime.clock import Clock
    from langchain_reliable.failures import Failure
    from langchain_reliable.policies import CircuitBreaker, RetryBudget

_ISOLATED = "isolated"


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
    """

    name: str
    state: str
    seconds: float | None
    failures: int
    last_failure: str


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
        self._buckets: dict[RetryBudget, RetryTokenBucket] = {}
        self._circuits: dict[Hashable, Circuit] = {}
        self._clock: Clock = SystemClock()
        self._isolated: set[str] = set()
        self._lock = threading.RLock()  # a finalizer may come in between
        self._names: dict[Hashable, str] = {}

    # --- for people ---------------------------------------------------------------

    def snapshot(self) -> tuple[CandidateHealth, ...]:
        """Return what is known of each candidate that was ever asked."""
        now = self._clock.now()
        with self._lock:
            known = [(self._names[key], one) for key, one in self._circuits.items()]
            shut = [name for name in self._isolated if name not in dict(known)]
        rows = [self._row(name, circuit, now) for name, circuit in known]
        return (*rows, *(self._row(name, CLOSED, now) for name in sorted(shut)))

    def reset(self, name: str | None = None) -> None:
        """Forget what is known of a candidate, or of all."""
        with self._lock:
            keys = [key for key in self._circuits if name in (None, self._names[key])]
            for key in keys:
                self._circuits[key] = CLOSED
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

    def __str__(self) -> str:
        """Return a table for a terminal."""
        rows = [("candidate", "state", "for", "last failure"), *self._cells()]
        if len(rows) == 1:
            return "nothing is known of any candidate yet"
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        return "\n".join(
            "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows
        )

    def _repr_html_(self) -> str:
        """Return a table for a notebook."""
        head = "".join(
            f"<th>{name}</th>" for name in ("candidate", "state", "for", "last failure")
        )
        rows = "".join(
            f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>"
            for row in self._cells()
        )
        return f"<table><tr>{head}</tr>{rows}</table>"

    def __repr__(self) -> str:
        """Return one line."""
        known = ", ".join(f"{one.name}: {one.state}" for one in self.snapshot())
        return f"Health({known})"

    def __deepcopy__(self, memo: dict[int, Any]) -> Health:
        """A copy of a model shares what the model knows."""
        return self

    def __reduce__(self) -> tuple[type[Health], tuple[()]]:
        """What was known in one process is not known in another."""
        return Health, ()

    # --- for the study ------------------------------------------------------------

    def available_at(self, key: Hashable, name: str, now: float) -> float:
        """Return when a candidate may be asked; `now` if it may at once."""
        if name in self._isolated:
            return float("inf")
        circuit = self._circuits.get(key, CLOSED)  # one look, so no lock
        return now if circuit is CLOSED else circuit.available_at(now)

    def is_healthy(self, key: Hashable, name: str) -> bool:
        """Return whether a candidate is known, and nothing speaks against it."""
        return self._circuits.get(key) is CLOSED and name not in self._isolated

    def record_request(self, key: Hashable, name: str, now: float) -> bool:
        """Note that a candidate is asked; return whether it is as a probe."""
        with self._lock:
            self._names[key] = name
            circuit = self._circuits.setdefault(key, CLOSED)
            if circuit.state(now) is not State.HALF_OPEN:
                return False
            self._circuits[key] = circuit_rules.probed(circuit)
            return True

    def try_acquire(self, key: Hashable, name: str, now: float) -> bool | None:
        """Ask a candidate if it is free at this very moment.

        Returns:
            Whether it is asked as a probe; `None` if somebody else was faster.
        """
        if self._circuits.get(key) is CLOSED:
            return False  # anybody may; mostly it is so
        with self._lock:
            self._names[key] = name
            circuit = self._circuits.setdefault(key, CLOSED)
            match circuit.state(now):
                case State.CLOSED:
                    return False
                case State.HALF_OPEN:
                    self._circuits[key] = circuit_rules.probed(circuit)
                    return True
                case _:
                    return None

    def failed(
        self,
        key: Hashable,
        failure: Failure,
        now: float,
        chance: float,
        breaker: CircuitBreaker | None,
        *,
        alone: bool,
    ) -> Circuit:
        """Take note of a failure; return what is known now."""
        return self._change(
            key,
            lambda one: circuit_rules.failed(
                one, failure, now, chance, breaker, alone=alone
            ),
        )

    def spoke(self, key: Hashable) -> bool:
        """Take note that an answer has begun; return whether that closed a circuit."""
        if self._circuits.get(key, CLOSED) is CLOSED:
            return False
        with self._lock:
            before = self._circuits.get(key, CLOSED)
            self._circuits[key] = circuit_rules.spoke(before)
        return before.open_until is not None

    def answered(self, key: Hashable) -> None:
        """Take note of a whole answer."""
        if self._circuits.get(key) is not CLOSED:
            self._change(key, circuit_rules.answered)

    def abandoned(self, key: Hashable) -> None:
        """Take note that a probe was cancelled."""
        self._change(key, circuit_rules.abandoned)

    def bucket(self, budget: RetryBudget) -> RetryTokenBucket:
        """Return the bucket of a retry budget."""
        with self._lock:
            return self._buckets.setdefault(budget, RetryTokenBucket(budget))

    def _change(self, key: Hashable, change: Callable[[Circuit], Circuit]) -> Circuit:
        with self._lock:
            circuit = self._circuits[key] = change(self._circuits.get(key, CLOSED))
            return circuit

    def _row(self, name: str, circuit: Circuit, now: float) -> CandidateHealth:
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
        )

    def _cells(self) -> list[tuple[str, str, str, str]]:
        return [
            (one.name, one.state, _for(one), one.last_failure)
            for one in self.snapshot()
        ]


def _for(one: CandidateHealth) -> str:
    if one.seconds is None:
        return "until reset"
    return f"{one.seconds:.0f} s" if one.seconds else ""
