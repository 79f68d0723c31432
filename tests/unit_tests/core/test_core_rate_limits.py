"""Limits hold in every minute, nothing is lost, and full always means "free at T"."""

from __future__ import annotations

import random
from bisect import bisect_right
from itertools import accumulate
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_reliable._core.rate_limits import (
    UNUSED,
    Demand,
    Full,
    RateLimits,
    end_failed,
    end_refused,
    full,
    give_back,
    settle,
    take,
    used_shares,
)

UNKNOWN = (None, None)
ONE = Demand()


def most_in_a_minute(sent):
    """The most that went out in any 60 s, of moments and amounts in order."""
    moments = [moment for moment, _ in sent]
    sums = [0, *accumulate(amount for _, amount in sent)]
    return max(
        sums[bisect_right(moments, moment + 60.0 - 1e-9)] - sums[place]
        for place, moment in enumerate(moments)
    )


class Simulation:
    """One candidate under load; whoever finds it full waits as long as it says."""

    def __init__(self, limits, chance):
        self.limits = limits
        self.state = UNUSED
        self.now = 0.0
        self.chance = chance
        self.sent = []
        self.on_their_way = []

    def send(self, demand, usage=UNKNOWN, *, after=0.0):
        self.end_until(self.now)
        while isinstance(
            taken := take(self.limits, self.state, demand, self.now), Full
        ):
            assert taken.until > self.now
            self.now = taken.until
            self.end_until(self.now)
        self.state, lease = taken
        used = sum(one if one is not None else 0 for one in usage) or lease.booking.most
        self.sent.append((self.now, used))
        self.on_their_way.append((self.now + after, lease, usage))

    def end_until(self, moment):
        ended = [one for one in self.on_their_way if one[0] <= moment]
        self.on_their_way = [one for one in self.on_their_way if one[0] > moment]
        for at, lease, usage in sorted(ended):
            self.state = settle(self.limits, self.state, lease, usage, at)


@pytest.mark.parametrize("rpm", [1, 5, 7, 9.5, 10, 15, 60, 61.7, 600])
@pytest.mark.parametrize("crowd", [0.2, 0.9, 5.0])
def test_ten_thousand_requests_never_exceed_a_limit_by_more_than_a_tenth(rpm, crowd):
    chance = random.Random(f"{rpm} {crowd}")  # noqa: S311 - a simulation
    here = Simulation(RateLimits(rpm=rpm), chance)
    for _ in range(10_000):
        here.now += chance.expovariate(rpm * crowd / 60)
        here.send(ONE)
    most = most_in_a_minute([(moment, 1) for moment, _ in here.sent])
    assert most <= max(1.1 * rpm, 1)


@pytest.mark.parametrize("rpm", [5, 10, 60, 600])
def test_a_limit_can_be_used_up(rpm):
    here = Simulation(RateLimits(rpm=rpm), None)
    for _ in range(rpm * 10):
        here.send(ONE)
    assert here.now <= 600


@pytest.mark.parametrize("largest", [0.01, 0.08, 0.3, 0.9])
@pytest.mark.parametrize("crowd", [0.9, 5.0])
def test_ten_thousand_calls_never_exceed_their_tokens_by_more_than_a_tenth(
    largest, crowd
):
    tpm = 30_000
    chance = random.Random(f"{largest} {crowd}")  # noqa: S311 - a simulation
    here = Simulation(RateLimits(tpm=tpm), chance)
    for _ in range(10_000):
        asked, most = chance.randint(1, int(tpm * largest / 2)), int(tpm * largest / 2)
        used = chance.randint(1, most)
        here.now += chance.expovariate(tpm * crowd / (asked + used) / 60)
        after = chance.uniform(0.2, 30)
        here.send(Demand(asked, most), (asked, used), after=after)
    assert most_in_a_minute(here.sent) <= 1.1 * tpm


def test_tokens_booked_for_too_long_an_answer_come_back():
    here = Simulation(RateLimits(tpm=60_000), None)
    for _ in range(600):  # of 1,000 tokens each, with 5,000 booked
        here.send(Demand(500, 4_500), (500, 500), after=5.0)
    assert most_in_a_minute(here.sent) <= 66_000
    assert here.now <= 900  # without giving back it would be 3,000


def test_large_requests_use_most_of_the_limit():
    here = Simulation(RateLimits(tpm=30_000), None)
    for _ in range(100):
        here.send(Demand(8_000, 0))
    assert most_in_a_minute(here.sent) <= 33_000
    assert 800_000 / here.now * 60 >= 0.75 * 30_000


@pytest.mark.parametrize(
    ("before", "free_at"),
    [
        pytest.param([], 0.0, id="an unused minute takes it at once"),
        pytest.param([1], 62.0, id="otherwise it waits until the minute is empty"),
    ],
)
def test_what_is_larger_than_a_minute_goes_out_when_the_bucket_is_full(before, free_at):
    here = Simulation(RateLimits(tpm=1_000), None)
    for amount in before:
        here.send(Demand(amount, 0))
    here.send(Demand(5_000, 0))
    assert here.sent[-1] == (free_at, 5_000)
    here.send(Demand(1, 0))
    assert here.now == pytest.approx(free_at + 300, abs=7)  # five minutes' worth


@given(
    rpm=st.integers(1, 200),
    pauses=st.lists(st.floats(0, 40), min_size=1, max_size=300),
    returned=st.sets(st.integers(0, 299)),
)
def test_requests_hold_whatever_comes_and_whatever_is_given_back(rpm, pauses, returned):
    limits, state, now = RateLimits(rpm=rpm), UNUSED, 0.0
    sent = []
    for number, pause in enumerate(pauses):
        now += pause
        while isinstance(taken := take(limits, state, ONE, now), Full):
            now = taken.until
        state, lease = taken
        if number in returned:
            now += pause / 2
            state = give_back(limits, state, lease, now)
        else:
            sent.append((now, 1))
    if sent:
        assert most_in_a_minute(sent) <= max(1.1 * rpm, 1)


CALLS = st.tuples(
    st.floats(0, 20),  # seconds before it
    st.integers(0, 900),  # its question
    st.integers(0, 900),  # booked for its answer
    st.integers(0, 100),  # per cent of that which it takes
    st.floats(0, 90),  # seconds until it ends
)


@given(calls=st.lists(CALLS, min_size=1, max_size=60))
def test_tokens_hold_whatever_comes_and_whatever_it_takes(calls):
    here = Simulation(RateLimits(tpm=2_000), None)
    for pause, asked, most, share, after in calls:
        here.now += pause
        here.send(Demand(asked, most), (asked, most * share // 100), after=after)
    assert most_in_a_minute(here.sent) <= 2_200
    here.end_until(float("inf"))
    assert here.state.in_flight == 0


@given(st.integers(1, 5), st.lists(st.floats(0, 3), max_size=50))
def test_never_more_in_flight_than_allowed(most, lengths):
    here = Simulation(RateLimits(max_parallel_requests=most), None)
    for length in lengths:
        here.send(ONE, after=length)
        assert len(here.on_their_way) == here.state.in_flight <= most


def test_nothing_is_booked_where_one_limit_is_full():
    limits = RateLimits(rpm=60, max_parallel_requests=1)
    state, _ = take(limits, UNUSED, ONE, 0.0)
    assert take(limits, state, ONE, 0.0) == Full("max_parallel_requests", 0.1)
    assert end_failed(state).in_flight == 0
    assert end_failed(state).requests_until == state.requests_until


def test_asking_changes_nothing_and_says_the_same_twice():
    limits, state = RateLimits(rpm=5), UNUSED
    assert full(limits, state, ONE, 0.0) is None
    state, _ = take(limits, state, ONE, 0.0)
    assert full(limits, state, ONE, 1.0) == full(limits, state, ONE, 1.0)
    assert full(limits, state, ONE, 1.0).until == pytest.approx(12)


@pytest.mark.parametrize(
    "limits",
    [
        RateLimits(rpm=5),
        RateLimits(tpm=1_000),
        RateLimits(max_parallel_requests=1),
        RateLimits(rpm=5, tpm=1_000, max_parallel_requests=1),
    ],
)
def test_what_never_went_out_comes_back(limits):
    state, lease = take(limits, UNUSED, Demand(800, 0), 0.0)
    assert full(limits, state, Demand(800, 0), 0.0) is not None
    state = give_back(limits, state, lease, 0.0)
    assert full(limits, state, Demand(800, 0), 0.0) is None


def test_an_answer_of_unknown_length_is_booked_as_long_as_those_before():
    limits, state = RateLimits(tpm=100_000), UNUSED
    for tokens in (100, 300):
        state, lease = take(limits, state, Demand(10), 0.0)
        state = settle(limits, state, lease, (10, tokens), 0.0)
    _, lease = take(limits, state, Demand(10), 0.0)
    assert lease.booking == (210, 210)


def test_an_answer_that_was_longer_than_booked_is_paid_for_afterwards():
    limits = RateLimits(tpm=1_000)
    state, lease = take(limits, UNUSED, Demand(10, 10), 0.0)
    state = settle(limits, state, lease, (10, 490), 1.0)
    assert full(limits, state, Demand(10, 10), 1.0).until == pytest.approx(25.2)


@pytest.mark.parametrize(("retry_after", "free_at"), [(None, 0), (3.0, 3), (99.0, 6)])
def test_after_a_refusal_requests_go_out_evenly_for_a_minute(retry_after, free_at):
    limits, state = RateLimits(rpm=60), UNUSED
    for _ in range(2):
        state, _ = take(limits, state, ONE, 0.0)
    state = end_refused(state, retry_after, 0.0)
    until = full(limits, state, ONE, 0.0).until
    assert until == pytest.approx(max(free_at, 2))  # at the pace of what was sent
    state, _ = take(limits, state, ONE, until)
    assert full(limits, state, ONE, until).until == pytest.approx(until + 1)
    later = 60 + min(retry_after or 0, 60)
    for _ in range(3):  # a burst again
        state, _ = take(limits, state, ONE, later)


def test_shows_how_full_each_limit_is():
    assert used_shares(RateLimits(), UNUSED, 0.0) == {}
    limits = RateLimits(rpm=60, tpm=1_000, max_parallel_requests=4)
    state, _ = take(limits, UNUSED, Demand(200, 300), 0.0)
    shares = used_shares(limits, state, 0.0)
    assert shares == {
        "rpm": pytest.approx(1 / 6),
        "tpm": 0.5,
        "max_parallel_requests": 0.25,
    }


DAY = 86_400.0
NEW_YEAR_S_EVE = 1_798_675_200.0  # 2026-12-31, midnight in UTC


@pytest.mark.parametrize(
    ("per", "wall", "opens_at"),
    [
        ("day", NEW_YEAR_S_EVE + 1, NEW_YEAR_S_EVE + DAY),
        ("month", NEW_YEAR_S_EVE + 1, NEW_YEAR_S_EVE + DAY),
        ("month", NEW_YEAR_S_EVE - 30 * DAY, NEW_YEAR_S_EVE + DAY),
        ("month", NEW_YEAR_S_EVE - 31 * DAY, NEW_YEAR_S_EVE - 30 * DAY),
    ],
)
def test_a_spent_budget_is_held_back_until_its_window_ends(per, wall, opens_at):
    budget = SimpleNamespace(tokens=1_000, usd=None, per=per)
    limits, state = RateLimits(budget=budget), UNUSED
    for _ in range(2):  # the second is in flight as the first ends: it is not cut off
        state, lease = take(limits, state, ONE, 0.0, wall)
    state = settle(limits, state, lease, (600, 400), 5.0, wall + 5)
    assert full(limits, state, ONE, 5.0, wall + 5) == Full(
        "budget", 5.0 + opens_at - wall - 5
    )
    state = settle(limits, state, lease, (600, 400), 6.0, wall + 6)
    assert state.spending.tokens == 2_000
    assert full(limits, state, ONE, 9.0, opens_at) is None


def test_an_unspent_budget_holds_nobody_back_whatever_the_clocks_say():
    budget = SimpleNamespace(tokens=10, usd=None, per="day")
    chance = random.Random(1)  # noqa: S311 - moments
    for _ in range(1000):
        now, wall = chance.uniform(0, 1e6), chance.uniform(1.7e9, 1.9e9)
        assert full(RateLimits(budget=budget), UNUSED, ONE, now, wall) is None


def test_a_budget_counts_dollars_by_price():
    budget = SimpleNamespace(tokens=None, usd=1.0, per="day")
    limits, state = RateLimits(budget=budget, price=(1.0, 10.0)), UNUSED
    for _ in range(9):
        state, lease = take(limits, state, ONE, 0.0, 0.0)
        state = settle(limits, state, lease, (10_000, 10_000), 0.0, 0.0)
    assert full(limits, state, ONE, 0.0, 0.0) is None
    state, lease = take(limits, state, ONE, 0.0, 0.0)
    state = settle(limits, state, lease, (10_000, 10_000), 0.0, 0.0)
    assert full(limits, state, ONE, 0.0, 0.0) == Full("budget", DAY)
