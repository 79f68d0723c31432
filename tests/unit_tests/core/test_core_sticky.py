"""Conversations stay, shares are as the weights, and only the lost one's move."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_reliable._core.balancing.sticky import StickyOrder, sticky_value

NAMES = ["east", "west", "north", "south"]
WEIGHTS = [1.0, 1.0, 2.0, 4.0]
CONVERSATIONS = [f"thread-{number}" for number in range(20_000)]


@pytest.fixture(scope="module")
def homes():
    sticky = StickyOrder(NAMES, WEIGHTS)
    return {value: sticky.pick(value, lambda _: True) for value in CONVERSATIONS}


def test_shares_are_as_the_weights(homes):
    counts = Counter(homes.values())
    shares = [counts[place] / len(homes) for place in range(4)]
    assert shares == pytest.approx([0.125, 0.125, 0.25, 0.5], abs=0.01)


@pytest.mark.parametrize("lost", range(4))
def test_only_the_lost_members_conversations_move_and_all_come_home(homes, lost):
    sticky = StickyOrder(NAMES, WEIGHTS)
    moved = {one: sticky.pick(one, lambda at: at != lost) for one in CONVERSATIONS}
    assert {one for one in CONVERSATIONS if moved[one] != homes[one]} == {
        one for one in CONVERSATIONS if homes[one] == lost
    }
    counts = Counter(moved[one] for one in CONVERSATIONS if homes[one] == lost)
    rest = sum(weight for at, weight in enumerate(WEIGHTS) if at != lost)
    for place, count in counts.items():
        share = count / counts.total()
        assert share == pytest.approx(WEIGHTS[place] / rest, abs=0.03)
    assert {one: sticky.order(one)[0] for one in CONVERSATIONS} == homes


def test_a_member_that_joins_takes_its_share_from_all(homes):
    sticky = StickyOrder([*NAMES, "new"], [*WEIGHTS, 2.0])
    now = {value: sticky.order(value)[0] for value in CONVERSATIONS}
    assert {now[one] for one in CONVERSATIONS if now[one] != homes[one]} == {4}
    assert Counter(now.values())[4] / len(now) == pytest.approx(0.2, abs=0.01)


def test_places_do_not_matter_names_do():
    there = StickyOrder(NAMES, WEIGHTS).order("a conversation")
    turned = StickyOrder(NAMES[::-1], WEIGHTS[::-1]).order("a conversation")
    assert [NAMES[place] for place in there] == [NAMES[::-1][one] for one in turned]


def test_another_process_comes_to_the_same_order():
    script = (
        "from langchain_reliable._core.balancing.sticky import StickyOrder\n"
        f"print(StickyOrder({NAMES}, {WEIGHTS}).order('thread-7'))"
    )
    there = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    here = StickyOrder(NAMES, WEIGHTS).order("thread-7")
    assert there.stdout.strip() == str(here)


@given(st.text(), st.lists(st.text(), min_size=1, max_size=9))
def test_every_member_has_one_place_in_the_order(value, names):
    order = StickyOrder(names, [1.0] * len(names)).order(value)
    assert sorted(order) == list(range(len(names)))


def test_nobody_is_picked_where_nobody_is_free():
    assert StickyOrder(NAMES, WEIGHTS).pick("x", lambda _: False) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("abc", "abc"),
        (7, "7"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_a_conversation_is_known_by_its_text(value, text):
    assert sticky_value(value) == text


@pytest.mark.parametrize("value", [None, True, 1.5, b"abc", ["abc"], object()])
def test_anything_else_is_refused_by_type(value):
    with pytest.raises(TypeError, match=type(value).__name__):
        sticky_value(value)
