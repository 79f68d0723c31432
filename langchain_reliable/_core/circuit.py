"""The states of one candidate across calls, and how facts change them.

Cooldowns and the circuit breaker as values and functions: state in, state out.

    closed ── failures in a row ──► open ── its time is over ──► half-open
      ▲                              ▲                              │
      │                              └────── the probe fails ───────┤
      └──────────────── the probe begins to answer ─────────────────┘

Evidence has an age. A circuit counts its *generations*: a new one begins whenever it
opens or a cooldown begins. Each request is admitted to the present one, and its outcome
counts only while that lasts: ten requests that were on their way when a candidate broke
down are one blip, not ten trips, and an answer that began before a cooldown does not
end it. A request that is made although its candidate is held back (`forced`) may end
that, but never lengthens it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from langchain_reliable.failures import FailureKind

if TYPE_CHECKING:
    from langchain_reliable.failures import Failure
    from langchain_reliable.policies import CircuitBreaker

NEVER: Final = float("-inf")
"""A moment before all others."""

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

PROBE_COST: Final = 5.0
"""Seconds from which a failed probe has cost its user something: only then does the
next open time grow. Waiting grows with what asking costs, not with how long the
trouble lasts."""

MAX_PROBE: Final = 60.0
"""Seconds after which a probe that has not been heard of lends its slot to another."""

LONGEST_OPEN: Final = 120.0
"""Seconds up to which open times grow where `max_open_for` says nothing."""


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


class Admission(NamedTuple):
    """What a request was admitted as; it goes along with its attempt.

    Attributes:
        generation: The circuit's generation when the request was made.
        probe: Whether it is the one request of the half-open state.
        forced: Whether it was made although its candidate was held back.
    """

    generation: int = 0
    probe: bool = False
    forced: bool = False


UNKNOWN: Final = Admission()
"""Of a request that no circuit knows of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """What is known of one candidate.

    Attributes:
        generation: How often it has opened or begun to cool down.
        failures: Counted failures in a row.
        trips: How often it has opened since the last whole answer.
        open_for: How long it was opened for the last time.
        open_until: When an open circuit becomes half-open; `None` while closed.
        opened_by: The kind of failure that opened it.
        probing_until: Until when the slot of the half-open state is taken.
        cool_until: When its cooldown is over.
        last: The last failure.
        last_at: When it was.
    """

    generation: int = 0
    failures: int = 0
    trips: int = 0
    open_for: float = 0.0
    open_until: float | None = None
    opened_by: FailureKind | None = None
    probing_until: float = NEVER
    cool_until: float = NEVER
    last: Failure | None = None
    last_at: float = NEVER

    @property
    def is_clean(self) -> bool:
        """Whether nothing speaks against it, and nothing is counted."""
        return (
            self.open_until is None and not self.failures and self.cool_until == NEVER
        )

    def state(self, now: float) -> State:
        """Return what it may be asked now."""
        if self.cool_until > now:
            return State.COOLING
        if self.open_until is None:
            return State.CLOSED
        if self.open_until > now:
            return State.OPEN
        return State.PROBING if self.probing_until > now else State.HALF_OPEN

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
                return min(now + 1.0, self.probing_until)
            case _:
                return now

    def admission(self, now: float) -> Admission:
        """Return what a request made now is."""
        match self.state(now):
            case State.CLOSED:
                return Admission(self.generation)
            case State.HALF_OPEN:
                return Admission(self.generation, probe=True)
            case _:
                return Admission(self.generation, forced=True)


CLOSED: Final = Circuit()


class Opened(NamedTuple):
    """Whether a circuit is open after a failure.

    Attributes:
        until: When it becomes half-open; `None` while closed.
        by_this: Whether that failure has opened it.
    """

    until: float | None
    by_this: bool


def probed(circuit: Circuit, now: float, longest: float = MAX_PROBE) -> Circuit:
    """The one request of the half-open state goes out."""
    return replace(circuit, probing_until=now + longest)


def abandoned(circuit: Circuit, admission: Admission) -> Circuit:
    """A request was given up by its caller; a probe's slot is free again."""
    if not admission.probe or admission.generation != circuit.generation:
        return circuit
    return replace(circuit, probing_until=NEVER)


def outrun(circuit: Circuit, admission: Admission, now: float) -> Circuit:
    """Another was asked beside its probe and has answered first: open once more.

    That is no failure, but a next probe at once would cost the next call the same, and
    a second request.
    """
    if not admission.probe or admission.generation != circuit.generation:
        return circuit
    return replace(circuit, open_until=now + circuit.open_for, probing_until=NEVER)


def began_answering(circuit: Circuit, admission: Admission) -> Circuit:
    """It has begun to answer: that closes the circuit.

    Its failures are forgotten only with the whole answer, so that one which breaks off
    again and again opens it again.
    """
    if circuit.open_until is None or not _counts(circuit, admission):
        return circuit
    return replace(circuit, open_until=None, probing_until=NEVER)


def answered(circuit: Circuit, admission: Admission) -> Circuit:
    """It has given a whole answer: all but its age is forgotten."""
    if not _counts(circuit, admission):
        return circuit
    return Circuit(generation=circuit.generation)


def released(circuit: Circuit, now: float) -> Circuit:
    """Our own outage is over: what `connection` opened may be probed at once."""
    if circuit.open_until is None or circuit.opened_by is not FailureKind.CONNECTION:
        return circuit
    return replace(circuit, open_until=min(circuit.open_until, now))


def forgotten(circuit: Circuit) -> Circuit:
    """A person says that all is well; what is on its way counts no more."""
    return Circuit(generation=circuit.generation + 1)


def _counts(circuit: Circuit, admission: Admission) -> bool:
    """Whether a request's outcome says something of the present state."""
    if admission.generation != circuit.generation:
        return False
    return admission.probe or circuit.probing_until == NEVER


def failed(
    circuit: Circuit,
    failure: Failure,
    admission: Admission,
    now: float,
    chance: float,
    breaker: CircuitBreaker | None,
    *,
    took: float = 0.0,
    alone: bool,
) -> Circuit:
    """It failed.

    Args:
        circuit: What was known before.
        failure: How it failed.
        admission: What its request was admitted as.
        now: When.
        chance: A number from 0 up to 1: where in its span the open time falls.
        breaker: When the circuit opens, and for how long; `None` for never.
        took: Seconds that the request took.
        alone: Whether there is nobody else to ask; a cooldown would help no one then.
    """
    noted = replace(circuit, last=failure, last_at=now)
    if admission.forced or not _counts(circuit, admission):
        return noted
    if failure.kind not in COUNTED:
        noted = abandoned(noted, admission)  # a refusal neither opens nor closes
        if alone or (span := COOLDOWNS.get(failure.kind)) is None:
            return noted
        asked = failure.retry_after
        if failure.kind is FailureKind.RATE_LIMITED and asked is not None:
            shortest, longest = RATE_LIMIT_SPAN
            span = min(max(asked, shortest), longest)
        generation = noted.generation + 1
        return replace(noted, generation=generation, cool_until=now + span)
    noted = replace(noted, failures=circuit.failures + 1)
    if admission.probe and breaker is not None and noted.open_until is not None:
        costly = failure.kind is FailureKind.TIMEOUT or took > PROBE_COST
        span = circuit.open_for * 2 if costly else breaker.open_for
        return _opened(noted, failure, span, now, chance, breaker)
    if breaker is None or noted.failures < breaker.failures:
        return noted
    return _opened(noted, failure, breaker.open_for, now, chance, breaker)


def _opened(
    circuit: Circuit,
    failure: Failure,
    span: float,
    now: float,
    chance: float,
    breaker: CircuitBreaker,
) -> Circuit:
    longest = breaker.max_open_for or max(LONGEST_OPEN, breaker.open_for)
    span = min(max(span, breaker.open_for), longest)
    return replace(
        circuit,
        generation=circuit.generation + 1,
        trips=circuit.trips + 1,
        open_for=span,
        open_until=now + span * (1 + JITTER * (2 * chance - 1)),
        opened_by=failure.kind,
        probing_until=NEVER,
    )
