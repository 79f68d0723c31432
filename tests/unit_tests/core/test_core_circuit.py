"""The states of a candidate: every change is a row, and a walk at random holds."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from langchain_reliable._core import circuit as rules
from langchain_reliable._core.circuit import (
    CLOSED,
    COUNTED,
    NEVER,
    Admission,
    Circuit,
    State,
)
from langchain_reliable.failures import Failure, FailureKind
from langchain_reliable.policies import CircuitBreaker

K = FailureKind
BREAKER = CircuitBreaker()
MIDDLE = 0.5  # of the jitter: none


def fails(circuit, kind, admission=None, now=0.0, chance=MIDDLE, **facts):
    """Let a request fail; by default one that is admitted now."""
    retry_after = facts.pop("retry_after", None)
    facts = {"breaker": BREAKER, "alone": False, **facts}
    failure = Failure(kind=K(kind), retry_after=retry_after)
    admission = circuit.admission(now) if admission is None else admission
    return rules.failed(circuit, failure, admission, now, chance, **facts)


def after(*kinds, circuit=CLOSED, **facts):
    for kind in kinds:
        circuit = fails(circuit, kind, **facts)
    return circuit


def opened(now=0.0):
    return after(*["server_error"] * 3, now=now)


@pytest.mark.parametrize(
    ("kinds", "state", "available_at"),
    [
        ((), State.CLOSED, 0.0),
        (("server_error",) * 2, State.CLOSED, 0.0),
        (("server_error",) * 3, State.OPEN, 20.0),
        (("timeout", "connection", "bad_stream"), State.OPEN, 20.0),
        (("bad_request",) * 9, State.CLOSED, 0.0),
        (("context_overflow",) * 9, State.CLOSED, 0.0),
        (("content_policy",) * 9, State.CLOSED, 0.0),
        (("empty", "invalid_output") * 9, State.CLOSED, 0.0),
        (("rate_limited",), State.COOLING, 10.0),
        (("quota_exhausted",), State.COOLING, 300.0),
        (("auth",), State.COOLING, 300.0),
        (("model_not_found",), State.COOLING, 300.0),
    ],
)
def test_failures(kinds, state, available_at):
    circuit = after(*kinds)
    assert circuit.state(0.0) is state
    assert circuit.available_at(0.0) == available_at


@pytest.mark.parametrize(
    ("asked", "span"), [(0.2, 1.0), (7.0, 7.0), (3600.0, 60.0), (None, 10.0)]
)
def test_a_rate_limit_cools_for_as_long_as_it_asks_within_bounds(asked, span):
    assert after("rate_limited", retry_after=asked).available_at(0.0) == span


def test_nobody_cools_down_who_is_alone():
    assert after("auth", alone=True).state(0.0) is State.CLOSED


def test_without_a_breaker_nothing_opens():
    assert after(*["timeout"] * 9, breaker=None).state(0.0) is State.CLOSED


@pytest.mark.parametrize(("chance", "span"), [(0.0, 18.0), (0.5, 20.0), (1.0, 22.0)])
def test_the_open_time_is_spread_by_a_tenth(chance, span):
    circuit = after(*["timeout"] * 3, chance=chance)
    assert circuit.open_until == pytest.approx(span)


def test_half_open_lets_one_probe_through():
    circuit = opened()
    assert circuit.state(19.9) is State.OPEN
    assert circuit.state(20.0) is State.HALF_OPEN
    probe = circuit.admission(20.0)
    assert probe.probe
    probing = rules.probed(circuit, 20.0)
    assert probing.state(20.0) is State.PROBING
    assert probing.available_at(20.0) > 20.0
    assert rules.abandoned(probing, probe).state(20.0) is State.HALF_OPEN
    spoken = rules.began_answering(probing, probe)
    assert spoken.state(20.0) is State.CLOSED
    assert rules.answered(spoken, probe).is_clean


def test_a_probe_that_is_never_heard_of_lends_its_slot():
    probing = rules.probed(opened(), 20.0, longest=30.0)
    first = Admission(probing.generation, probe=True)
    assert probing.state(49.0) is State.PROBING
    assert probing.state(50.0) is State.HALF_OPEN
    lent = rules.probed(probing, 50.0, longest=30.0)
    assert rules.began_answering(lent, first).state(51.0) is State.CLOSED


# --- waiting grows with what asking costs -----------------------------------------


def after_a_probe(circuit, kind, took):
    now = circuit.open_until
    probe = circuit.admission(now)
    return fails(rules.probed(circuit, now), kind, probe, now, took=took)


def test_a_probe_that_fails_fast_opens_it_for_as_long_as_before():
    circuit = opened()
    for _ in range(9):
        circuit = after_a_probe(circuit, "server_error", took=0.2)
        assert circuit.open_for == 20.0


@pytest.mark.parametrize(("kind", "took"), [("timeout", 1.0), ("bad_stream", 6.0)])
def test_a_probe_that_cost_time_doubles_it_up_to_a_bound(kind, took):
    circuit, spans = opened(), []
    for _ in range(5):
        circuit = after_a_probe(circuit, kind, took)
        spans.append(circuit.open_for)
    assert spans == [40.0, 80.0, 120.0, 120.0, 120.0]


def test_the_bound_is_never_below_the_first_open_time():
    breaker = CircuitBreaker(open_for=200)
    circuit = after(*["timeout"] * 3, breaker=breaker)
    assert circuit.open_for == 200.0


# --- evidence has an age ----------------------------------------------------------


def test_many_requests_of_one_blip_are_one_trip():
    together = CLOSED.admission(0.0)
    circuit = after(*["connection"] * 10, admission=together)
    assert (circuit.trips, circuit.open_until) == (1, 20.0)


def test_an_answer_that_began_before_a_cooldown_does_not_end_it():
    early = CLOSED.admission(0.0)
    circuit = after("auth")
    circuit = rules.answered(rules.began_answering(circuit, early), early)
    assert circuit.state(0.0) is State.COOLING


@pytest.mark.parametrize("end", ["answers", "fails", "is refused"])
def test_nobody_else_clears_a_probe(end):
    early = CLOSED.admission(0.0)
    beside = Admission(opened().generation, forced=True)
    for other in (early, beside):
        circuit = rules.probed(opened(), 20.0)
        if end == "answers":
            circuit = rules.answered(rules.began_answering(circuit, other), other)
        else:
            kind = "server_error" if end == "fails" else "bad_request"
            circuit = fails(circuit, kind, other, now=21.0)
        assert circuit.state(21.0) is State.PROBING


def test_a_request_made_all_the_same_lengthens_nothing_but_may_end_it():
    circuit = opened()
    forced = circuit.admission(5.0)
    assert forced.forced
    assert fails(circuit, "timeout", forced, now=6.0).open_until == 20.0
    limited = after("rate_limited", retry_after=5)
    forced = limited.admission(1.0)
    again = fails(limited, "rate_limited", forced, now=2.0, retry_after=60)
    assert again.cool_until == 5.0
    assert rules.answered(again, forced).is_clean


def test_a_refusal_of_a_probe_neither_opens_nor_closes():
    circuit = opened()
    probe = circuit.admission(20.0)
    refused = fails(rules.probed(circuit, 20.0), "bad_request", probe, now=21.0)
    assert refused.state(21.0) is State.HALF_OPEN


def test_one_that_breaks_off_again_and_again_opens_again():
    circuit = opened()
    probe = circuit.admission(20.0)
    spoken = rules.began_answering(rules.probed(circuit, 20.0), probe)
    assert fails(spoken, "bad_stream", probe, now=22.0).state(22.0) is State.OPEN


def test_only_what_connection_opened_ends_with_our_own_outage():
    reached = after(*["connection"] * 3)
    assert rules.released(reached, 1.0).state(1.0) is State.HALF_OPEN
    assert rules.released(opened(), 1.0).state(1.0) is State.OPEN


class Walk(RuleBasedStateMachine):
    """Whatever happens, in whatever order, with several requests on their way."""

    def __init__(self) -> None:
        super().__init__()
        self.circuit: Circuit = CLOSED
        self.now = 0.0
        self.in_flight: list[tuple[Admission, float]] = []

    @rule(seconds=st.floats(0, 400))
    def wait(self, seconds):
        self.now += seconds

    @rule()
    def ask(self):
        admission = self.circuit.admission(self.now)
        if admission.probe:
            self.circuit = rules.probed(self.circuit, self.now)
        self.in_flight.append((admission, self.now))

    @precondition(lambda self: self.in_flight)
    @rule(
        data=st.data(),
        kind=st.sampled_from(list(K)),
        chance=st.floats(0, 1),
        retry_after=st.none() | st.floats(0, 1e6),
    )
    def fail(self, data, kind, chance, retry_after):
        admission, began = self._one(data)
        before = self.circuit
        self.circuit = fails(
            before,
            kind,
            admission,
            self.now,
            chance,
            retry_after=retry_after,
            took=self.now - began,
        )
        if admission.forced or admission.generation != before.generation:
            assert self._held(self.circuit) == self._held(before)
        if kind not in COUNTED:
            assert self.circuit.open_until == before.open_until
        assert self.circuit.trips <= before.trips + 1

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data())
    def leave(self, data):
        admission, _ = self._one(data)
        before = self.circuit
        self.circuit = rules.abandoned(before, admission)
        assert self.circuit.open_until == before.open_until

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data())
    def answer(self, data):
        admission, _ = self._one(data)
        before = self.circuit
        spoken = rules.began_answering(before, admission)
        self.circuit = rules.answered(spoken, admission)
        stale = admission.generation != before.generation
        beside_a_probe = before.probing_until != NEVER and not admission.probe
        if stale or beside_a_probe:
            assert self.circuit == before
        else:
            assert self.circuit.is_clean

    def _one(self, data) -> tuple[Admission, float]:
        at = data.draw(st.integers(0, len(self.in_flight) - 1))
        return self.in_flight.pop(at)

    def _held(self, circuit):
        return circuit.open_until, circuit.cool_until, circuit.probing_until

    @invariant()
    def nobody_is_left_alone_for_ever(self):
        available_at = self.circuit.available_at(self.now)
        assert self.now <= available_at <= self.now + 300.0
        later = self.circuit.state(self.now + 301.0)
        assert later in (State.CLOSED, State.HALF_OPEN)

    @invariant()
    def one_probe_at_most_is_out(self):
        if self.circuit.state(self.now) is State.PROBING:
            assert not self.circuit.admission(self.now).probe


TestWalk = Walk.TestCase
TestWalk.settings = settings(max_examples=80, stateful_step_count=40)
