"""Who is asked first in a group, and who takes the share of those who are out."""

from __future__ import annotations

import copy
import pickle
import random
from collections import Counter
from heapq import heappop, heappush
from itertools import count, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_reliable._core.balancing.load import Pace, expected, measured, waited
from langchain_reliable._core.balancing.orders import (
    Cheapest,
    Fastest,
    InOrder,
    InTurn,
    LeastBusy,
    pickers,
)

ORDERS = (
    "ordered",
    "round_robin",
    "weighted",
    "least_busy",
    "fastest",
    "cheapest",
)


class Group:
    """Members that are out, busy or fast as a test says."""

    def __init__(self, size, out=(), busy=None, paces=None):
        self.places = range(size)
        self.out = set(out)
        self.busy = Counter(busy or {})
        self.paces = dict(paces or {})

    def is_free(self, place):
        return place not in self.out

    def in_flight(self, place):
        return self.busy[place]

    def unspoken(self, place):
        return self.busy[place]

    def pace(self, place):
        return self.paces.get(place)


def picks(picker, group, times, now=0.0, chance=0.5):
    return [picker.pick(group, now, chance) for _ in range(times)]


def pickled(picker):
    return pickle.loads(pickle.dumps(picker))  # noqa: S301 - our own


# --- turns ------------------------------------------------------------------------


@pytest.mark.parametrize("out", range(4))
def test_the_share_of_the_absent_is_spread_over_all_the_others(out):
    counts = Counter(picks(InTurn([1.0] * 4), Group(4, out=[out]), 300))
    assert counts == {place: 100 for place in range(4) if place != out}


def test_the_share_of_the_absent_is_spread_by_weight():
    counts = Counter(picks(InTurn([5, 1, 2, 4]), Group(4, out=[0]), 700))
    assert counts == {1: 100, 2: 200, 3: 400}


def test_one_that_is_back_takes_its_share_and_no_more():
    picker, group = InTurn([1.0] * 4), Group(4, out=[0])
    picks(picker, group, 1_000)
    group.out.clear()
    for _ in range(10):
        assert sorted(picks(picker, group, 4)) == [0, 1, 2, 3]


def test_round_robin_begins_with_the_first():
    assert picks(InTurn([1.0] * 3), Group(3), 7) == [0, 1, 2, 0, 1, 2, 0]


def test_weighted_turns_are_spread_evenly():
    assert picks(InTurn([3, 1]), Group(2), 8) == [0, 0, 1, 0, 0, 0, 1, 0]


@given(
    weights=st.lists(st.integers(1, 9), min_size=1, max_size=9),
    out=st.sets(st.integers(0, 8)),
)
def test_shares_are_exact_over_a_round(weights, out):
    group = Group(len(weights), out=out)
    free = {at: weight for at, weight in enumerate(weights) if at not in out}
    if not free:
        assert InTurn(weights).pick(group, 0.0, 0.5) is None
        return
    rounds = 20
    counts = Counter(picks(InTurn(weights), group, rounds * sum(free.values())))
    for place, weight in free.items():
        assert abs(counts[place] - rounds * weight) <= 1


@given(st.lists(st.sets(st.integers(0, 4)), max_size=60))
def test_whoever_comes_and_goes_only_the_free_are_picked(outs):
    picker = InTurn([1, 2, 3, 4, 5])
    for out in outs:
        picked = picker.pick(Group(5, out=out), 0.0, 0.5)
        assert (picked is None) if len(out) == 5 else (picked not in out)


def test_nobodys_turn_passes_where_nobody_is_free():
    picker, group = InTurn([1.0] * 3), Group(3)
    assert picks(picker, group, 1) == [0]
    group.out = {0, 1, 2}
    assert picks(picker, group, 5) == [None] * 5
    group.out = set()
    assert picks(picker, group, 3) == [1, 2, 0]


@pytest.mark.parametrize("again", [copy.deepcopy, pickled])
@pytest.mark.parametrize("order", ORDERS)
def test_a_copy_begins_a_round_of_its_own(order, again):
    picker, _ = pickers(order, [1.0] * 3, [(1.0, 1.0)] * 3)
    picker.pick(Group(3), 0.0, 0.0)
    assert again(picker).pick(Group(3), 0.0, 0.0) == 0


# --- order, price, load -----------------------------------------------------------


def test_ordered_asks_the_first_free():
    assert picks(InOrder(3), Group(3, out=[0]), 2) == [1, 1]


def test_cheapest_asks_the_cheapest_and_shares_among_equals():
    prices = [(3.0, 15.0), (1.0, 5.0), None, (1.0, 5.0)]
    picker, group = Cheapest(prices, [1.0] * 4), Group(4)
    assert Counter(picks(picker, group, 100)) == {1: 50, 3: 50}
    group.out = {1, 3}
    assert picks(picker, group, 2) == [0, 0]
    group.out = {0, 1, 3}
    assert picks(picker, group, 2) == [2, 2]
    group.out = {0, 1, 2, 3}
    assert picks(picker, group, 1) == [None]


def test_least_busy_counts_what_is_in_flight_by_weight():
    picker = LeastBusy([1.0, 1.0, 4.0])
    assert picker.pick(Group(3, busy={0: 2, 1: 1, 2: 3}), 0.0, 0.5) == 2
    assert picker.pick(Group(3, busy={0: 2, 1: 1, 2: 3}, out=[2]), 0.0, 0.5) == 1
    assert picker.pick(Group(3, out=[0, 1, 2]), 0.0, 0.5) is None


def test_least_busy_asks_one_of_next_to_no_weight_where_nobody_else_is_free():
    busy = {0: 3}
    assert LeastBusy([5e-324, 1.0]).pick(Group(2, busy=busy, out=[1]), 0.0, 0.5) == 0


def test_least_busy_shares_among_equals():
    assert Counter(picks(LeastBusy([1.0] * 3), Group(3), 300)) == {
        0: 100,
        1: 100,
        2: 100,
    }


def test_fastest_asks_those_first_of_whom_nothing_is_known():
    picker, group = Fastest(3), Group(3, paces={1: Pace(0.1, 0.0)})
    assert picks(picker, group, 1) == [0]
    group.busy[0] = 1
    assert picks(picker, group, 1) == [2]
    group.paces.update({0: Pace(0.1, 0.0), 2: Pace(0.1, 0.0)})
    group.busy[0] = 0
    assert {picker.pick(group, 0.0, chance / 10) for chance in range(10)} == {0, 1, 2}


def test_a_crowd_does_not_run_to_the_one_of_whom_nothing_is_known():
    group = Group(2, paces={0: Pace(0.1, 0.0)})
    picker = Fastest(2)
    for _ in range(20):
        group.busy[picker.pick(group, 0.0, 0.5)] += 1
    assert group.busy == {0: 10, 1: 10}


@pytest.mark.parametrize("chance", [0.0, 0.3, 0.5, 0.999_999])
def test_fastest_takes_the_better_of_two(chance):
    paces = {0: Pace(3.0, 0.0), 1: Pace(0.5, 0.0)}
    picker = Fastest(2)
    assert picker.pick(Group(2, paces=paces), 0.0, chance) == 1
    assert picker.pick(Group(2, paces=paces, busy={1: 6}), 0.0, chance) == 0
    assert picker.pick(Group(2, paces=paces, out=[1]), 0.0, chance) == 0
    assert picker.pick(Group(2, paces=paces, out=[0, 1]), 0.0, chance) is None


@given(st.integers(1, 9), st.floats(0, 1, exclude_max=True), st.sets(st.integers(0, 8)))
def test_fastest_picks_the_free_alone(size, chance, out):
    paces = {place: Pace(1.0, 0.0) for place in range(size)}
    picked = Fastest(size).pick(Group(size, out=out, paces=paces), 0.0, chance)
    free = set(range(size)) - out
    assert picked in free if free else picked is None


def test_only_fastest_keeps_streams_and_whole_answers_apart():
    for order in ORDERS:
        whole, streams = pickers(order, [1.0], [(1.0, 1.0)])
        assert (whole is not streams) is (order == "fastest")


# --- how fast ---------------------------------------------------------------------


def test_a_slow_answer_counts_at_once_and_faster_ones_little_by_little():
    pace = measured(None, 0.5, 0.0)
    pace = measured(pace, 3.0, 1.0)
    assert expected(pace, 1.0) == 3.0
    seen = []
    for second in range(2, 40):
        pace = measured(pace, 0.5, float(second))
        seen.append(expected(pace, float(second)))
    assert all(later < earlier for earlier, later in pairwise(seen))
    assert seen[0] > 2.5
    assert seen[-1] < 0.6


@pytest.mark.parametrize(("age", "seconds"), [(0, 6), (30, 6), (60, 2.2), (120, 0.3)])
def test_what_is_older_than_thirty_seconds_fades(age, seconds):
    assert expected(Pace(6.0, 100.0), 100.0 + age) == pytest.approx(seconds, abs=0.05)


def test_an_attempt_that_never_spoke_counts_as_longer_than_it_lasted():
    pace = Pace(1.0, 0.0)
    assert waited(pace, 60.0, 10.0) == Pace(60.0, 10.0)
    assert waited(pace, 0.2, 10.0) == pace
    assert waited(None, 60.0, 10.0) is None


# --- an afternoon -----------------------------------------------------------------

SPELL, ROUND = 200.0, 600.0
"""A third of the time, in one piece."""


def first_words(order, seed, hours=4):
    """Return the seconds to the first word of calls to two members.

    One begins to answer after half a second, give or take. The other does so as well,
    but takes six times as long for a third of the time.
    """
    chance = random.Random(seed)  # noqa: S311 - a simulation
    picker, _ = pickers(order, [1.0, 1.0], [None, None]) if order else (None, None)
    group, now, spoken, number = Group(2), 0.0, [], count()
    ends = []
    while now < hours * 3_600:
        now += chance.expovariate(2.0)
        while ends and ends[0][0] <= now:
            at, _, place, seconds = heappop(ends)
            group.busy[place] -= 1
            group.paces[place] = measured(group.paces.get(place), seconds, at)
        place = picker.pick(group, now, chance.random()) if picker else 0
        seconds = 0.5 * chance.lognormvariate(0.0, 0.25)
        if place == 1 and now % ROUND > ROUND - SPELL:
            seconds *= 6
        group.busy[place] += 1
        heappush(ends, (now + seconds, next(number), place, seconds))
        spoken.append(seconds)
    return sorted(spoken)


def p99(spoken):
    return spoken[int(len(spoken) * 0.99)]


@pytest.mark.parametrize("seed", range(3))
def test_fastest_is_nearly_as_good_as_the_best_choice_made_afterwards(seed):
    best = first_words(None, seed)
    fastest = first_words("fastest", seed)
    least_busy = first_words("least_busy", seed)
    in_turn = first_words("round_robin", seed)
    assert p99(fastest) <= 2 * p99(best)
    assert p99(fastest) < p99(least_busy) <= p99(in_turn)
    assert sum(fastest) / len(fastest) < sum(least_busy) / len(least_busy)
    assert sum(least_busy) / len(least_busy) < sum(in_turn) / len(in_turn)
