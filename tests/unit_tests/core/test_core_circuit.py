"""The states of a candidate: every change is a row, and a walk at random holds."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from langchain_reliable._core import circuit as _circuit
from langchain_reliable._core.circuit import CLOSED, COUNTED, Circuit, State
from langchain_reliable.failures import Failure, FailureKind
from langchain_reliable.policies import CircuitBreaker

K = FailureKind
BREAKER = CircuitBreaker()
MIDDLE = 0.5  # of the jitter: none


def after(*kinds, breaker=BREAKER, alone=False, retry_after=None, circuit=CLOSED):
    for kind in kinds:
        failure = Failure(kind=K(kind), retry_after=retry_after)
        circuit = _circuit.failed(circuit, failure, 0.0, MIDDLE, breaker, alone=alone)
    return circuit


@pytest.mark.parametrize(
    ("kinds", "state", "available_at"),
    [
        ((), State.CLOSED, 0.0),
        (("server_error",) * 2, State.CLOSED, 0.0),
        (("server_error",) * 3, State.OPEN, 30.0),
        (("timeout", "connection", "bad_stream"), State.OPEN, 30.0),
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


def test_each_trip_is_longer_up_to_a_bound():
    circuit, spans = CLOSED, []
    for _ in range(12):
        circuit = after(*["timeout"] * 3, circuit=_circuit.spoke(circuit))
        spans.append(circuit.open_until)
    assert spans[:3] == [30.0, 60.0, 90.0] or spans[0] == 30.0
    assert max(spans) == 300.0


@pytest.mark.parametrize(("chance", "span"), [(0.0, 27.0), (0.5, 30.0), (1.0, 33.0)])
def test_the_open_time_is_spread_by_a_tenth(chance, span):
    circuit = CLOSED
    for _ in range(3):
        failure = Failure(kind=K.TIMEOUT)
        circuit = _circuit.failed(circuit, failure, 0.0, chance, BREAKER, alone=False)
    assert circuit.open_until == pytest.approx(span)


def test_half_open_lets_one_probe_through():
    circuit = after(*["timeout"] * 3)
    assert circuit.state(30.0) is State.HALF_OPEN
    probing = _circuit.probed(circuit)
    assert probing.state(30.0) is State.PROBING
    assert probing.available_at(30.0) > 30.0
    assert _circuit.abandoned(probing).state(30.0) is State.HALF_OPEN
    assert _circuit.spoke(probing).state(30.0) is State.CLOSED
    assert _circuit.answered(probing) is CLOSED


def test_a_probe_that_fails_opens_it_for_longer():
    probing = _circuit.probed(after(*["timeout"] * 3))
    again = after("timeout", circuit=probing)
    assert again.state(31.0) is State.OPEN
    assert again.open_until == 60.0


def test_a_probe_that_is_refused_closes_it_since_somebody_answered():
    probing = _circuit.probed(after(*["timeout"] * 3))
    assert after("bad_request", circuit=probing).state(31.0) is State.CLOSED


def test_one_that_breaks_off_again_and_again_opens_again():
    circuit = _circuit.spoke(_circuit.probed(after(*["timeout"] * 3)))
    assert after("bad_stream", circuit=circuit).state(0.0) is State.OPEN


class Walk(RuleBasedStateMachine):
    """Whatever happens, in whatever order."""

    def __init__(self) -> None:
        super().__init__()
        self.circuit: Circuit = CLOSED
        self.now = 0.0
        self.run = 0

    @rule(seconds=st.floats(0, 400))
    def wait(self, seconds):
        self.now += seconds

    @rule(
        kind=st.sampled_from(list(K)),
        chance=st.floats(0, 1),
        retry_after=st.none() | st.floats(0, 1e6),
        alone=st.booleans(),
    )
    def fail(self, kind, chance, retry_after, alone):
        failure = Failure(kind=kind, retry_after=retry_after)
        self.run += kind in COUNTED
        self.circuit = _circuit.failed(
            self.circuit, failure, self.now, chance, BREAKER, alone=alone
        )
        assert not self.circuit.probing
        if kind in COUNTED and self.run >= BREAKER.failures:
            assert self.circuit.open_until is not None

    @rule()
    def ask(self):
        if self.circuit.state(self.now) is State.HALF_OPEN:
            self.circuit = _circuit.probed(self.circuit)

    @rule()
    def leave(self):
        self.circuit = _circuit.abandoned(self.circuit)

    @rule()
    def speak(self):
        self.circuit = _circuit.spoke(self.circuit)

    @rule()
    def answer(self):
        self.circuit = _circuit.answered(self.circuit)
        self.run = 0

    @invariant()
    def nobody_is_left_alone_for_ever(self):
        available_at = self.circuit.available_at(self.now)
        assert self.now <= available_at <= self.now + 1.1 * BREAKER.max_open_for
        later = self.circuit.state(self.now + 331.0)
        assert later in (State.CLOSED, State.HALF_OPEN, State.PROBING)

    @invariant()
    def counts_what_it_saw(self):
        assert self.circuit.failures == self.run


TestWalk = Walk.TestCase
TestWalk.settings = settings(max_examples=60, stateful_step_count=30)
