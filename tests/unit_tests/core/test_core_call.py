"""The study: every decision is a row, and a walk at random never gets lost."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_reliable._core.call import Call
from langchain_reliable._core.steps import (
    GiveUp,
    Launch,
    Plan,
    Return,
    Route,
    Tier,
    Wait,
)
from langchain_reliable._core.timeouts import Timeouts
from langchain_reliable.errors import AllModelsFailed, EmptyAnswer, ToolsNotSupported
from langchain_reliable.events import (
    Answered,
    AttemptFailed,
    FailedOver,
    GaveUp,
    Waiting,
)
from langchain_reliable.failures import Failure, FailureKind, Verdict
from langchain_reliable.policies import Policy

K = FailureKind


class Failed(Exception):
    """What a scripted candidate raises; it knows what it means."""

    def __init__(self, failure: Failure | None) -> None:
        super().__init__(str(failure and failure.kind))
        self.failure = failure


def fails(kind: FailureKind, **facts: object) -> Failed:
    return Failed(Failure(kind=kind, **facts))


BUSY = fails(K.RATE_LIMITED)
LOCKED = fails(K.AUTH)
BROKEN = fails(K.SERVER_ERROR)


REFUSED = fails(K.CONNECTION, request_sent=False)


def asked_to_wait(seconds: float) -> Failed:
    return fails(K.RATE_LIMITED, retry_after=seconds)


def read(error: Exception) -> Failure | None:
    if isinstance(error, EmptyAnswer):
        return Failure(kind=K.EMPTY)
    return error.failure


def plan(*items: str, retries: int = 2, windows: dict[str, int] | None = None):
    """Read a plan such as `"a", "b c"`: a tier a word each, groups with a space."""
    return Plan(
        [
            Tier(
                tuple(
                    Route(
                        place=place,
                        entry=entry,
                        name=name,
                        max_retries=retries,
                        window=(windows or {}).get(name),
                    )
                    for place, name in enumerate(tier.split())
                )
            )
            for entry, tier in enumerate(items)
        ]
    )


@dataclass
class Story:
    """Plays a call: candidates follow their scripts, waits pass at once."""

    items: Plan
    scripts: dict[str, list[object]]
    policy: Policy = field(default_factory=Policy)
    chance: float = 0.5
    now: float = 100.0
    told: list[str] = field(default_factory=list)
    events: list[object] = field(default_factory=list)

    def play(self) -> Story:
        scripts = {name: list(script) for name, script in self.scripts.items()}
        call: Call[str] = Call(self.items, self.policy, read, self.events.append)
        self.call = call
        for _ in range(200):
            match call.what_now(self.now):
                case Launch(attempt):
                    name = attempt.route.name
                    script = scripts[name]
                    end = script.pop(0) if len(script) > 1 else script[0]
                    if isinstance(end, str):
                        self.told.append(f"{name}: {end}")
                        call.succeeded(attempt, end, self.now)
                    else:
                        self.told.append(name)
                        assert call.failed(attempt, end, self.now, self.chance)
                case Wait(until):
                    self.told.append(f"wait {until - self.now:g}")
                    assert until > self.now
                    self.now = until
                case Return(answer):
                    self.answer = answer
                    return self
                case GiveUp(error):
                    self.error = error
                    return self
        raise AssertionError("the call never ends: " + str(self.told))


def story(items, scripts, /, **settings) -> Story:
    return Story(items, scripts, **settings).play()


HALF = ["wait 0.25", "wait 0.5"]  # half of 0.5 and of 1.0: chance is 0.5

ROWS = {
    "the first answers": (["a", "b"], {"a": ["hi"]}, ["a: hi"]),
    "a broken one is retried with growing waits, then the next is asked": (
        ["a", "b"],
        {"a": [BROKEN], "b": ["hi"]},
        ["a", HALF[0], "a", HALF[1], "a", "b: hi"],
    ),
    "the backoff starts afresh for the next": (
        ["a", "b"],
        {"a": [BROKEN], "b": [BROKEN, "hi"]},
        ["a", HALF[0], "a", HALF[1], "a", "b", HALF[0], "b: hi"],
    ),
    "where nothing was sent, the next is asked at once": (
        ["a", "b"],
        {"a": [REFUSED], "b": ["hi"]},
        ["a", "b: hi"],
    ),
    "and it is asked again when nobody else is left": (
        ["a", "b"],
        {"a": [REFUSED, "hi"], "b": [LOCKED]},
        ["a", "b", HALF[0], "a: hi"],
    ),
    "a locked one is not asked again": (
        ["a", "b"],
        {"a": [LOCKED], "b": ["hi"]},
        ["a", "b: hi"],
    ),
    "a short Retry-After is honored to the second": (
        ["a", "b"],
        {"a": [asked_to_wait(2), "hi"]},
        ["a", "wait 2", "a: hi"],
    ),
    "a Retry-After longer than max_retry_after moves on at once": (
        ["a", "b"],
        {"a": [asked_to_wait(5.5)], "b": ["hi"]},
        ["a", "b: hi"],
    ),
    "waits for one item add up against max_retry_after": (
        ["a", "b"],
        {"a": [asked_to_wait(3)], "b": ["hi"]},
        ["a", "wait 3", "a", "b: hi"],
    ),
    "the last one may keep the call waiting longer": (
        ["a", "b"],
        {"a": [LOCKED], "b": [asked_to_wait(20), "hi"]},
        ["a", "b", "wait 20", "b: hi"],
    ),
    "who was put off is asked again when nobody else is left": (
        ["a", "b"],
        {"a": [asked_to_wait(20), "hi"], "b": [LOCKED]},
        ["a", "b", "wait 20", "a: hi"],
    ),
    "who has become free again is asked before anybody is waited for": (
        ["a", "b"],
        {
            "a": [asked_to_wait(6), "hi"],
            "b": [asked_to_wait(7), asked_to_wait(7)],
        },
        ["a", "b", "wait 6", "a: hi"],
    ),
    "nobody waits longer than max_last_wait in sum": (
        ["a"],
        {"a": [asked_to_wait(16)]},
        ["a", "wait 16", "a"],
    ),
    "a server that says not to retry is believed": (
        ["a", "b"],
        {"a": [fails(K.SERVER_ERROR, should_retry=False)], "b": ["hi"]},
        ["a", "b: hi"],
    ),
    "a silent route is not asked twice": (
        ["a", "b"],
        {"a": [fails(K.TIMEOUT)], "b": ["hi"]},
        ["a", "b: hi"],
    ),
    "an output that did not parse is tried once more": (
        ["a", "b"],
        {"a": [fails(K.INVALID_OUTPUT)], "b": ["hi"]},
        ["a", HALF[0], "a", "b: hi"],
    ),
    "a free sibling is asked before any wait": (
        ["a b", "c"],
        {"a": [BROKEN], "b": ["hi"]},
        ["a", "b: hi"],
    ),
    "in a group the wait begins when no sibling is free and lasts to the soonest": (
        ["a b", "c"],
        {"a": [asked_to_wait(3), "hi"], "b": [asked_to_wait(4)]},
        ["a", "b", "wait 3", "a: hi"],
    ),
    "each sibling has its own retries": (
        ["a b", "c"],
        {"a": [BROKEN], "b": [BROKEN], "c": ["hi"]},
        ["a", "b", HALF[0], "a", "b", HALF[1], "a", "b", "c: hi"],
    ),
    "in a group a locked sibling leaves the others to it": (
        ["a b", "c"],
        {"a": [LOCKED], "b": [asked_to_wait(1), "hi"]},
        ["a", "b", "wait 1", "b: hi"],
    ),
}


@pytest.mark.parametrize(
    ("items", "scripts", "told"),
    ROWS.values(),
    ids=[row.replace(" ", "_") for row in ROWS],
)
def test_decides(items, scripts, told):
    assert story(plan(*items), scripts).told == told


def test_asking_again_changes_nothing():
    call: Call[str] = Call(plan("a"), Policy(), read)
    launch = call.what_now(0.0)
    call.failed(launch.attempt, asked_to_wait(3), 1.0, 0.0)
    assert call.what_now(1.0) == call.what_now(1.5) == Wait(4.0)


def test_counts_waiting_once_however_often_it_is_asked():
    call: Call[str] = Call(plan("a", "b"), Policy(max_retry_after=3), read)
    call.failed(call.what_now(0.0).attempt, asked_to_wait(3), 0.0, 0.0)
    assert [call.what_now(t) for t in (0.0, 1.0, 2.9)] == [Wait(3.0)] * 3


def test_max_attempts_ends_the_call():
    told = story(
        plan("a", "b"), {"a": [BROKEN], "b": [BROKEN]}, policy=Policy(max_attempts=4)
    )
    assert told.told.count("a") + told.told.count("b") == 4
    assert "max_attempts=4 is used up" in str(told.error)


def test_zero_retries_asks_each_once():
    told = story(plan("a", "b", retries=0), {"a": [BROKEN], "b": [BROKEN]})
    assert told.told == ["a", "b"]


def test_full_jitter_spans_from_nothing_to_the_doubled_backoff():
    for chance, waits in ((0.0, []), (0.999, [0.4995, 0.999, 1.998, 3.0 * 0.999])):
        told = story(
            plan("a", retries=4),
            {"a": [BROKEN]},
            chance=chance,
            policy=Policy(max_backoff=3.0),
        )
        spent = [float(word[5:]) for word in told.told if word.startswith("wait")]
        assert spent == pytest.approx(waits)


class TestWhatLeaves:
    def test_a_content_policy_ends_the_call_with_the_childs_own_error(self):
        refused = fails(K.CONTENT_POLICY)
        told = story(plan("a", "b"), {"a": [refused], "b": ["hi"]})
        assert told.error is refused
        assert (
            "a  attempt 1  gave up  refused by a content policy" in refused.__notes__[0]
        )

    def test_a_user_may_want_content_policy_to_move_on(self):
        policy = Policy(verdicts={K.CONTENT_POLICY: Verdict.NEXT})
        told = story(
            plan("a", "b"), {"a": [fails(K.CONTENT_POLICY)], "b": ["hi"]}, policy=policy
        )
        assert told.answer == "hi"

    def test_a_single_attempt_leaves_as_it_came(self):
        locked = fails(K.AUTH)
        told = story(plan("a"), {"a": [locked]})
        assert told.error is locked
        assert len(locked.__notes__) == 1

    def test_the_note_is_not_repeated_on_an_error_that_comes_back(self):
        locked = fails(K.AUTH)
        story(plan("a"), {"a": [locked]})
        story(plan("a"), {"a": [locked]})
        assert len(locked.__notes__) == 1

    def test_overflow_everywhere_leaves_as_overflow(self):
        first, last = fails(K.CONTEXT_OVERFLOW), fails(K.CONTEXT_OVERFLOW)
        told = story(plan("a", "b"), {"a": [first], "b": [last]})
        assert told.error is last

    def test_overflow_is_not_sent_to_a_window_known_to_be_no_larger(self):
        overflow = fails(K.CONTEXT_OVERFLOW)
        windows = {"a": 1000, "b": 1000, "c": 2000}
        told = story(
            plan("a", "b", "c", "d", windows=windows),
            {"a": [overflow], "c": [overflow], "d": ["hi"]},
        )
        assert told.told == ["a", "c", "d: hi"]

    def test_otherwise_everything_that_was_tried(self):
        told = story(plan("a", "b"), {"a": [LOCKED], "b": [LOCKED]})
        assert isinstance(told.error, AllModelsFailed)
        assert told.error.__cause__ is LOCKED
        assert [tried.candidate for tried in told.error.attempts] == ["a", "b"]

    def test_a_wait_that_is_too_long_says_so(self):
        told = story(plan("a", "b"), {"a": [LOCKED], "b": [asked_to_wait(31)]})
        assert "longer than max_last_wait=30" in str(told.error)

    def test_what_is_not_a_providers_failure_is_let_through(self):
        call: Call[str] = Call(plan("a"), Policy(), read)
        attempt = call.what_now(0.0).attempt
        assert not call.failed(attempt, Failed(None), 0.0, 0.0)

    def test_the_first_empty_answer_is_returned_if_nobody_says_more(self):
        scripts = {"a": [EmptyAnswer("first"), EmptyAnswer("second")], "b": [LOCKED]}
        told = story(plan("a", "b"), scripts)
        assert told.answer == "first"
        assert told.call.trail.as_metadata()["served_by"] == "a"
        assert told.told == ["a", HALF[0], "a", "b"]


def test_tells_what_happens():
    told = story(plan("a", "b"), {"a": [BUSY, LOCKED], "b": [LOCKED]})
    kinds = [type(event) for event in told.events]
    assert kinds.count(AttemptFailed) == 3
    assert kinds.count(Waiting) == 1
    assert kinds.count(FailedOver) == 1
    assert kinds[-1] is GaveUp


def test_the_trail_is_plain_json():
    told = story(plan("a", "b"), {"a": [LOCKED], "b": ["hi"]})
    assert told.call.trail.as_metadata() == {
        "served_by": "b",
        "attempts": [
            {
                "candidate": "a",
                "kind": "auth",
                "status": None,
                "seconds": 0.0,
                "wait": 0.0,
                "opened": None,
                "usage": None,
            },
            {
                "candidate": "b",
                "kind": None,
                "status": None,
                "seconds": 0.0,
                "wait": 0.0,
                "opened": None,
                "usage": None,
            },
        ],
        "skipped": [],
        "failed_over": True,
    }


# --- a walk at random -------------------------------------------------------------

errors = st.builds(
    fails,
    st.sampled_from([kind for kind in K if kind is not K.EMPTY]),
    retry_after=st.none() | st.floats(0, 60),
    should_retry=st.none() | st.booleans(),
) | st.builds(EmptyAnswer, st.just("nothing"))
ends = st.lists(errors | st.just("hi"), min_size=1, max_size=6)


@given(
    groups=st.lists(st.integers(1, 3), min_size=1, max_size=4),
    data=st.data(),
    retries=st.integers(0, 3),
    max_attempts=st.integers(1, 12),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_never_stuck_never_spinning_always_one_end(
    groups, data, retries, max_attempts, chance
):
    names = iter("abcdefghijkl")
    items = [" ".join(next(names) for _ in range(size)) for size in groups]
    routes = plan(*items, retries=retries)
    scripts = {one.name: data.draw(ends) for one in routes.routes}
    policy = Policy(max_attempts=max_attempts)

    told = story(routes, scripts, policy=policy, chance=chance)

    asked = [word.split(":")[0] for word in told.told if not word.startswith("wait")]
    waited = sum(float(word[5:]) for word in told.told if word.startswith("wait"))
    assert len(asked) <= max_attempts
    assert all(asked.count(name) <= retries + 1 for name in set(asked))
    assert (
        waited <= policy.max_retry_after * (len(items) - 1) + policy.max_last_wait + 1
    )
    assert hasattr(told, "answer") != hasattr(told, "error")
    if not any(word.startswith("wait") for word in told.told):
        order = [name for item in items for name in item.split()]
        assert sorted(set(asked), key=order.index) == list(dict.fromkeys(asked))


# --- what the hooks ask for only at the end ---------------------------------------


def test_an_answer_can_be_handed_over_without_a_memory_across_calls():
    told = story(plan("a"), {"a": ["hi"]})
    told.call.answered(told.now)
    assert type(told.events[-1]) is Answered


def test_a_wait_that_would_outlast_the_call_is_not_begun():
    policy = Policy(total_timeout=5)
    told = story(
        plan("a", "b"), {"a": [LOCKED], "b": [asked_to_wait(8)]}, policy=policy
    )
    assert told.told == ["a", "b"]
    assert "what is left of total_timeout=5" in str(told.error)


def test_a_call_whose_time_is_up_asks_nobody():
    call: Call[str] = Call(plan("a", "b"), Policy(total_timeout=5), read)
    call.failed(call.what_now(0.0).attempt, LOCKED, 6.0, 0.0)
    end = call.what_now(6.0)
    assert isinstance(end, GiveUp)
    assert "total_timeout=5 is used up" in "".join(end.error.__notes__)


def test_if_nobody_can_bind_the_tools_the_first_ones_own_error_leaves():
    why = TypeError("no such tool")
    unbound = ToolsNotSupported("A")
    unbound.__cause__ = why
    call: Call[str] = Call(plan("a"), Policy(), lambda error: error.failure)
    call.failed(call.what_now(0.0).attempt, unbound, 0.0, 0.0)
    assert call.what_now(0.0).error is why


def test_the_limits_of_the_call_are_its_total():
    limits = Timeouts(first_chunk=1, idle=2, attempt=3, total=4, deadline=5)
    assert limits.of_the_call == Timeouts(total=4, deadline=5)


# --- several attempts in flight ---------------------------------------------------


ENDS = {
    "the first commits": [("first", "hi"), ("second", "late")],
    "the second commits": [("second", "hi"), ("first", "late")],
    "the first fails, the second commits": [("first", BROKEN), ("second", "hi")],
    "the second fails, the first commits": [("second", BROKEN), ("first", "hi")],
    "both fail": [("first", LOCKED), ("second", LOCKED)],
    "both fail, the second first": [("second", LOCKED), ("first", LOCKED)],
}


@pytest.mark.parametrize(
    "ends", ENDS.values(), ids=[key.replace(" ", "_") for key in ENDS]
)
def test_two_attempts_at_once_are_told_apart_in_every_order_of_their_ends(ends):
    routes, events = plan("a", "b"), []
    call: Call[str] = Call(routes, Policy(), read, events.append)
    first = call.what_now(0.0).attempt
    assert call.what_now(0.5) == Wait(float("inf"))  # until one of them ends
    launch = call._started(
        routes.routes[1], call._queue.admit_anyway(routes.routes[1], 1.0), 1.0
    )
    by_name = {"first": first, "second": launch.attempt}
    assert (first.number, launch.attempt.number) == (1, 2)
    for at, (name, end) in enumerate(ends, 2):
        attempt = by_name[name]
        if isinstance(end, Failed):
            assert call.failed(attempt, end, float(at), 0.5)
        elif call.trail.winner is None:
            call.succeeded(attempt, end, float(at))
    numbers = [one.number for one in call.trail.records]
    assert numbers == sorted(numbers)
    winner = next((name for name, end in ends if not isinstance(end, Failed)), None)
    step = call.what_now(9.0)
    assert call.what_now(9.5) is step or call.what_now(9.5) == step
    if winner is None:
        assert isinstance(step, GiveUp)
        assert [tried.candidate for tried in step.error.attempts] == ["a", "b"]
        assert [type(event) for event in events].count(GaveUp) == 1
    else:
        assert step == Return("hi")
        assert call.trail.winner is by_name[winner]
