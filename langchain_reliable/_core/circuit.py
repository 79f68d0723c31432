"""The states of one candidate across calls, and how facts change them.

Cooldowns and the circuit breaker live here as values and functions: state in, state
out. Locks, clocks and chance never do.

    closed ── failures in a row ──► open ── its time is over ──► half-open
      ▲                              ▲                              │
      │                              └────── the probe fails ───────┤
      └───────────────────── the probe speaks ──────────────────────┘
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from langchain_reliable.failures import FailureKind

if TYPE_CHECKING:
    from langchain_reliable.failures import Failure
    from langchain_reliable.policies import CircuitBreaker

COUNTED: Final = frozenset(
    {
        FailureKind.SERVER_ERROR,
        FailureKind.TIMEOUT,
        FailureKind.CONNECTION,
        FailureKind.BAD_STREAM,
        FailureKind.UNKNOWN,
    }
)
"""Failures that say the candidate is ill. What is wrong with the request, the key or
the account says nothing about its health."""

COOLDOWNS: Final = {
    FailureKind.RATE_LIMITED: 10.0,
    FailureKind.QUOTA_EXHAUSTED: 300.0,
    FailureKind.AUTH: 300.0,
    FailureKind.MODEL_NOT_FOUND: 300.0,
}
"""Seconds for which other calls leave a candidate alone. A rate limit usually lasts
for seconds; an account, a key or a name stays wrong until a person mends it."""

RATE_LIMIT_SPAN: Final = (1.0, 60.0)
"""Bounds in which Retry-After is believed as a cooldown: a provider that names an hour
is asked again sooner, by one call."""

JITTER: Final = 0.1
"""An open circuit closes up to so much sooner or later, so that a crowd spreads."""


class State(StrEnum):
    """What a candidate may be asked."""

    CLOSED = "closed"
    """Anything."""
    COOLING = "cooling down"
    """Nothing, until a time."""
    OPEN = "open"
    """Nothing, until a time: it failed too often in a row."""
    HALF_OPEN = "half-open"
    """One request, to see whether it is well again."""
    PROBING = "probing"
    """Nothing: that one request is on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """What is known of one candidate.

    Attributes:
        failures: Counted failures in a row.
        trips: How often the circuit has opened since the last whole answer.
        open_until: When an open circuit becomes half-open; `None` while closed.
        probing: Whether the one request of the half-open state is on its way.
        cool_until: When its cooldown is over.
        last: The last failure.
        last_at: When it was.
    """

    failures: int = 0
    trips: int = 0
    open_until: float | None = None
    probing: bool = False
    cool_until: float = float("-inf")
    last: Failure | None = None
    last_at: float = float("-inf")

    def state(self, now: float) -> State:
        """Return what it may be asked now."""
        if self.cool_until > now:
            return State.COOLING
        if self.open_until is None:
            return State.CLOSED
        if self.open_until > now:
            return State.OPEN
        return State.PROBING if self.probing else State.HALF_OPEN

    def available_at(self, now: float) -> float:
        """Return when it may be asked; `now` or earlier if it may at once.

        While a probe is on its way nobody knows; it counts as the next moment.
        """
        match self.state(now):
            case State.COOLING:
                return max(self.cool_until, self.open_until or now)
            case State.OPEN:
                return self.open_until or now
            case State.PROBING:
                return now + 1.0
            case _:
                return now


CLOSED: Final = Circuit()


def probed(circuit: Circuit) -> Circuit:
    """The one request of the half-open state goes out."""
    return replace(circuit, probing=True)


def abandoned(circuit: Circuit) -> Circuit:
    """The probe was cancelled: the next one may have the slot."""
    return replace(circuit, probing=False)


def spoke(circuit: Circuit) -> Circuit:
    """It has begun to answer: a probe closes the circuit.

    Its failures are forgotten only with the whole answer, so that one which breaks off
    again and again opens it again.
    """
    if circuit.open_until is None:
        return circuit
    return replace(circuit, open_until=None, probing=False)


def answered(_: Circuit) -> Circuit:
    """It has given a whole answer: all is forgotten."""
    return CLOSED


def failed(
    circuit: Circuit,
    failure: Failure,
    now: float,
    chance: float,
    breaker: CircuitBreaker | None,
    *,
    alone: bool,
) -> Circuit:
    """It failed.

    Args:
        circuit: What was known before.
        failure: How it failed.
        now: When.
        chance: A number from 0 up to 1: where in its span the open time falls.
        breaker: When the circuit opens, and for how long; `None` for never.
        alone: Whether there is nobody else to ask; a cooldown would help no one then.
    """
    noted = replace(circuit, last=failure, last_at=now, probing=False)
    if failure.kind not in COUNTED:
        heard = replace(noted, open_until=None)  # it answers, if only with a refusal
        return heard if alone else _cooled(heard, failure, now)
    noted = replace(noted, failures=circuit.failures + 1)
    if breaker is None or noted.failures < breaker.failures:
        return noted
    trips = circuit.trips + 1
    span = min(breaker.open_for * trips, breaker.max_open_for)
    open_until = now + span * (1 + JITTER * (2 * chance - 1))
    return replace(noted, trips=trips, open_until=open_until)


def _cooled(circuit: Circuit, failure: Failure, now: float) -> Circuit:
    span = COOLDOWNS.get(failure.kind)
    if span is None:
        return circuit
    asked = failure.retry_after
    if failure.kind is FailureKind.RATE_LIMITED and asked is not None:
        shortest, longest = RATE_LIMIT_SPAN
        span = min(max(asked, shortest), longest)
    return replace(circuit, cool_until=max(circuit.cool_until, now + span))
