"""What stands in Redis, and what is made of it: without a Redis."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_reliable._core.circuit import NEVER, Circuit, State
from langchain_reliable._runtime.shared_health.records import (
    Names,
    decode,
    encode,
    says_the_same,
)
from langchain_reliable.failures import Failure, FailureKind

NOW, AHEAD = 1000.0, 1_795_000_000.0

OPEN = Circuit(
    generation=3,
    failures=4,
    trips=2,
    open_for=20.0,
    open_until=NOW + 15.0,
    opened_by=FailureKind.TIMEOUT,
    last=Failure(
        kind=FailureKind.TIMEOUT, status=504, code="secret", summary="a prompt"
    ),
    last_at=NOW - 1.0,
)


def test_an_open_circuit_is_the_same_in_every_process():
    theirs = decode(encode(OPEN, AHEAD), AHEAD + 500.0, NOW - 500.0)
    assert theirs.state(NOW - 500.0) is State.OPEN
    assert theirs.open_until == pytest.approx(OPEN.open_until - 500.0, abs=0.01)
    assert (theirs.generation, theirs.failures, theirs.trips) == (3, 4, 2)
    assert theirs.last == Failure(kind=FailureKind.TIMEOUT, status=504)


def test_no_text_of_a_provider_goes_out():
    raw = encode(OPEN, AHEAD)
    assert b"secret" not in raw
    assert b"prompt" not in raw


def test_nothing_known_is_nothing_known():
    assert decode(None, AHEAD, NOW) == Circuit()
    assert decode(encode(Circuit(), AHEAD), AHEAD, NOW) == Circuit()


@given(raw=st.binary() | st.text().map(str.encode))
def test_what_can_not_be_read_says_nothing(raw):
    assert isinstance(decode(raw, AHEAD, NOW), Circuit)


@pytest.mark.parametrize("turned", [-3600.0, 3600.0])
def test_a_server_whose_clock_was_turned_holds_nobody_back_for_an_hour(turned):
    cooling = Circuit(generation=1, cool_until=NOW + 300.0)
    for circuit in (OPEN, cooling):
        seen = decode(encode(circuit, AHEAD), AHEAD + turned, NOW)
        assert seen.available_at(NOW) <= NOW + 300.0


def test_a_further_failure_of_an_open_circuit_is_not_worth_a_write():
    assert says_the_same(OPEN, decode(encode(OPEN, 0.0), 0.0, NOW)) is True
    assert not says_the_same(OPEN, Circuit())
    assert OPEN.cool_until == NEVER


def test_names_tell_namespaces_and_candidates_apart_and_can_not_be_read():
    here, there = Names("one"), Names("two")
    assert here.circuit("a model") == Names("one").circuit("a model")
    assert here.of("a model") != there.of("a model")
    assert here.of("a model") != here.of("another")
    assert "model" not in here.circuit("a model")
    assert here.circuit("a model") != here.limits("a model")
