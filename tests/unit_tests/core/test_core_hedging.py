"""Two in flight: who is asked beside whom, who wins, who pays, and nobody gets lost."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_reliable._core.balancing.hedging import (
    FEWEST_ANSWERS,
    HedgeBook,
    HedgeRule,
)
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
from langchain_reliable.events import (
    AttemptLost,
    AttemptStarted,
    FailedOver,
    Hedged,
    Retried,
)
from langchain_reliable.failures import Failure, FailureKind
from langchain_reliable.health import Health
from langchain_reliable.policies import CircuitBreaker, Policy

AFTER = 2.0
RULE = HedgeRule(AFTER, None, 0.05)
MEASURED = HedgeRule(None, None, 0.05, measured=True)


class Failed(Exception):
    """What a scripted candidate raises; it knows what it means."""

    def __init__(self, kind: FailureKind) -> None:
        super().__init__(kind.value)
        self.kind = kind


BROKEN = Failed(FailureKind.SERVER_ERROR)
LOCKED = Failed(FailureKind.AUTH)
FILTERED = Failed(FailureKind.CONTENT_POLICY)  # leaves at once


def read(error: Exception) -> Failure:
    return Failure(kind=error.kind)


def plan(*tiers: str, rule: HedgeRule | None = RULE, **of_one) -> Plan:
    """Read a plan such as `"a", "b c"`: a tier a word each, groups with a space."""
    return Plan(
        [
            Tier(
                tuple(
                    Route(
                        **{
                            "place": place,
                            "entry": entry,
                            "name": name,
                            "key": name,
                            "hedge": rule,
                            **of_one.get(name, {}),
                        }
                    )
                    for place, name in enumerate(names.split())
                )
            )
            for entry, names in enumerate(tiers)
        ]
    )


@dataclass
class Story:
    """Plays a call: each attempt ends after the seconds that its script says."""

    plan: Plan
    scripts: dict[str, list[tuple[float, object]]]
    policy: Policy = field(default_factory=Policy)
    health: Health = field(default_factory=Health)
    now: float = 100.0
    streams: bool = True
    told: list[str] = field(default_factory=list)
    events: list[object] = field(default_factory=list)

    def play(self) -> Story:
        scripts = {name: list(script) for name, script in self.scripts.items()}
        self.call: Call[str] = Call(
            self.plan,
            self.policy,
            read,
            self.events.append,
            health=self.health,
            streams=self.streams,
        )
        ends: list[tuple[float, int, object, object]] = []
        began = self.now
        for _ in range(400):
            step = self.call.what_now(self.now)
            if not isinstance(step, Launch):
                assert self.call.what_now(self.now) == step  # a question, no act
            match step:
                case Launch(attempt):
                    name = attempt.route.name
                    assert name not in {one.route.name for *_, one, _ in ends}
                    how = "beside " if attempt.hedged else ""
                    self.told.append(f"{how}{name} @{self.now - began:g}")
                    script = scripts[name]
                    took, end = script.pop(0) if len(script) > 1 else script[0]
                    ends.append((self.now + took, attempt.number, attempt, end))
                    assert len(ends) <= 2
                case Wait(until):
                    assert until > self.now
                    if ends and min(ends)[0] <= until:
                        self._end(min(ends, key=lambda one: one[:2]), ends)
                    else:
                        assert until < float("inf")
                        self.now = until
                case Return() | GiveUp():
                    self.end = step
                    assert not self.call._in_flight
                    return self
        raise AssertionError("the call never ends: " + str(self.told))

    def _end(self, which, ends) -> None:
        ends.remove(which)
        self.now, _, attempt, end = which
        if isinstance(end, str):
            self.call.succeeded(attempt, end, self.now)
        else:
            assert self.call.failed(attempt, end, self.now, 0.5)
        for other in [*ends]:
            if not self.call.is_in_flight(other[2]):
                ends.remove(other)

    @property
    def rows(self) -> list[dict[str, object]]:
        return self.call.trail.as_metadata()["attempts"]

    def heard(self, kind: type) -> list[object]:
        return [event for event in self.events if isinstance(event, kind)]


def story(plan, scripts, /, **settings) -> Story:
    return Story(plan, scripts, **settings).play()


SOON, SLOW = (0.5, "hi"), (20.0, "late")

ROWS = {
    "who speaks in time is alone": (["a", "b"], {"a": [SOON]}, ["a @0"]),
    "the next entry is asked beside one that is silent": (
        ["a", "b"],
        {"a": [SLOW], "b": [SOON]},
        ["a @0", "beside b @2"],
    ),
    "a sibling comes before the next entry": (
        ["a b", "c"],
        {"a": [SLOW], "b": [SOON]},
        ["a @0", "beside b @2"],
    ),
    "nobody is asked beside the only one": (["a"], {"a": [SLOW]}, ["a @0"]),
    "never a third": (
        ["a", "b", "c"],
        {"a": [SLOW], "b": [SLOW], "c": [SOON]},
        ["a @0", "beside b @2"],
    ),
    "when the first fails, the hedge goes on, and is hedged itself": (
        ["a", "b", "c"],
        {"a": [(3.0, LOCKED)], "b": [SLOW], "c": [SOON]},
        ["a @0", "beside b @2", "beside c @4"],
    ),
    "when the hedge fails, the first goes on alone": (
        ["a", "b", "c"],
        {"a": [SLOW], "b": [(0.5, LOCKED)], "c": [SOON]},
        ["a @0", "beside b @2"],
    ),
    "when both fail, the ladder goes on": (
        ["a", "b", "c"],
        {"a": [(3.0, LOCKED)], "b": [(1.5, LOCKED)], "c": [SOON]},
        ["a @0", "beside b @2", "c @3.5"],
    ),
    "nobody retries while another is under way": (
        ["a", "b"],
        {"a": [(2.5, BROKEN), SOON], "b": [(3.0, LOCKED)]},
        ["a @0", "beside b @2", "a @5"],
    ),
    "a verdict to raise ends both": (
        ["a", "b"],
        {"a": [(3.0, FILTERED)], "b": [SLOW]},
        ["a @0", "beside b @2"],
    ),
}


@pytest.mark.parametrize(
    ("tiers", "scripts", "told"),
    ROWS.values(),
    ids=[row.replace(" ", "_") for row in ROWS],
)
def test_asks_beside(tiers, scripts, told):
    assert story(plan(*tiers), scripts).told == told


def test_the_first_to_speak_wins_and_the_other_is_no_failure():
    told = story(plan("a", "b"), {"a": [SLOW], "b": [SOON]})
    assert told.end == Return("hi")
    first, second = told.rows
    assert (first["candidate"], first["kind"], first["lost"]) == ("a", None, True)
    assert (second["candidate"], second["hedged"]) == ("b", True)
    assert "lost" not in second
    assert "hedged" not in first
    (hedged,) = told.heard(Hedged)
    assert (hedged.source, hedged.target, hedged.after) == ("a", "b", AFTER)
    assert [one.hedged for one in told.heard(AttemptStarted)] == [False, True]
    assert [one.attempt.candidate for one in told.heard(AttemptLost)] == ["a"]
    assert not told.heard(FailedOver)
    assert not told.heard(Retried)
    assert [one.failures for one in told.health.snapshot()] == [0, 0]


def test_a_verdict_to_raise_leaves_as_it_came_and_says_who_lost():
    told = story(plan("a", "b"), {"a": [(3.0, FILTERED)], "b": [SLOW]})
    assert told.end.error is FILTERED
    assert [row.get("lost", False) for row in told.rows] == [False, True]


def test_answers_in_one_piece_are_hedged_only_by_their_own_number():
    scripts = {"a": [(100.0, "hi")], "b": [SOON]}
    assert story(plan("a", "b"), scripts, streams=False).told == ["a @0"]
    whole = plan("a", "b", rule=HedgeRule(AFTER, 30.0, 0.05))
    told = story(whole, scripts, streams=False).told
    assert told == ["a @0", "beside b @30"]


@pytest.mark.parametrize("name", ["b", "c"])
def test_one_that_its_health_holds_back_is_not_asked_beside(name):
    health = Health()
    health.isolate(name)
    told = story(
        plan("a", "b c"), {"a": [SLOW], "b": [SOON], "c": [SOON]}, health=health
    )
    other = {"b": "c", "c": "b"}[name]
    assert told.told == ["a @0", f"beside {other} @2"]


def opened(health: Health, route: Route) -> None:
    """Open a circuit at 0, to be half-open from 30 on."""
    admission = health.record_request(route, 0.0)
    breaker = CircuitBreaker(failures=1, open_for=20)
    failure = Failure(kind=FailureKind.SERVER_ERROR)
    health.failed(route, failure, admission, 0.0, 0.5, breaker, alone=False)


def state_of(health: Health, name: str, now: float) -> str:
    health._clock = type("At", (), {"now": staticmethod(lambda: now)})()
    return {one.name: one.state for one in health.snapshot()}[name]


def test_one_that_is_half_open_is_not_asked_beside():
    routes, health = plan("a", "b", "c"), Health()
    opened(health, routes.routes[1])
    told = story(routes, {"a": [SLOW], "b": [SOON], "c": [SOON]}, health=health)
    assert told.told == ["a @0", "beside c @2"]


def test_a_probe_is_hedged_for_nothing_and_if_it_loses_there_is_none_for_a_while():
    routes, health = plan("a", "b"), Health()
    opened(health, routes.routes[0])
    for _ in range(10):
        assert health.hedges.pay(RULE.share)
    told = story(routes, {"a": [SLOW], "b": [SOON]}, health=health)
    assert told.told == ["a @0", "beside b @2"]
    assert state_of(health, "a", told.now) == "open"
    next_one = story(routes, {"b": [SOON]}, health=health, now=told.now + 19)
    assert next_one.told == ["b @0"]
    again = story(routes, {"a": [SOON]}, health=health, now=told.now + 21)
    assert again.told == ["a @0"]
    assert state_of(health, "a", again.now) == "closed"


def test_one_whose_rate_limiter_refuses_is_not_asked_beside():
    routes = plan("a", "b", "c", b={"take_turn": lambda: False})
    told = story(routes, {"a": [SLOW], "c": [SOON]})
    assert told.told == ["a @0", "beside c @2"]


@pytest.mark.parametrize(("most", "asked"), [(1, 1), (2, 1), (3, 2)])
def test_leaves_an_attempt_for_each_that_was_not_asked(most, asked):
    scripts = {"a": [SLOW], "b": [SLOW], "c": [SLOW]}
    told = story(plan("a", "b", "c"), scripts, policy=Policy(max_attempts=most))
    assert len(told.told) == asked


# --- who pays -----------------------------------------------------------------------


def test_ten_are_there_at_first_then_one_call_in_twenty():
    health, hedged = Health(), 0
    for _ in range(400):
        told = story(plan("a", "b"), {"a": [SLOW], "b": [SOON]}, health=health)
        hedged += len(told.told) - 1
    assert 28 <= hedged <= 10 + 400 // 20


def test_what_finds_nobody_costs_nothing():
    health = Health()
    for _ in range(50):
        story(plan("a"), {"a": [SLOW]}, health=health)
    assert health.hedges.tokens(0.05) == 10


def test_a_slow_day_costs_at_most_one_request_in_twenty_and_ten():
    chance, health = random.Random(7), Health()  # noqa: S311 - no secret
    extra, words = 0, []
    for _ in range(10_000):
        slow = chance.random() < 0.04
        first = chance.uniform(3, 20) if slow else chance.uniform(0.3, 1.2)
        scripts = {"a": [(first, "hi")], "b": [(chance.uniform(0.3, 1.2), "hi")]}
        told = story(plan("a", "b"), scripts, health=health)
        extra += len(told.told) - 1
        words.append(told.now - 100)
    assert extra <= 10_000 * 0.05 + 10
    assert sorted(words)[9_900] <= AFTER + 1.11  # what nine in ten of the second take


def test_who_stays_silent_costs_one_request_for_each_open_time():
    routes, health, extra, now = plan("a", "b"), Health(), 0, 100.0
    opened(health, routes.routes[0])
    for _ in range(10):
        assert health.hedges.pay(RULE.share)
    scripts = {"a": [SLOW], "b": [SOON]}
    for _ in range(600):  # ten minutes, a call each second
        told = story(routes, scripts, health=health, now=now)
        extra += len(told.told) - 1
        now = max(now + 1, told.now)
    assert extra <= 600 / 20


# --- p95 ----------------------------------------------------------------------------


def test_what_is_slow_is_measured_per_candidate():
    health = Health()
    routes = plan("a", "b", rule=MEASURED)
    for _ in range(FEWEST_ANSWERS):
        assert story(routes, {"a": [(1.0, "hi")]}, health=health).told == ["a @0"]
    told = story(routes, {"a": [SLOW], "b": [SOON]}, health=health)
    assert told.told == ["a @0", "beside b @1"]
    whole = {"a": [(100.0, "hi")]}
    assert story(routes, whole, health=health, streams=False).told == ["a @0"]


def test_before_twenty_answers_nobody_knows_what_is_slow():
    book = HedgeBook()
    for _ in range(FEWEST_ANSWERS - 1):
        book.took("a", 1.0, streams=True)
    assert book.slow_after("a", streams=True) is None
    book.took("a", 1.0, streams=True)
    assert book.slow_after("a", streams=True) == 1.0
    assert book.slow_after("a", streams=False) is None


def test_half_a_second_is_never_slow():
    book = HedgeBook()
    for _ in range(100):
        book.took("a", 0.01, streams=True)
    assert book.slow_after("a", streams=True) == 0.5


@given(st.lists(st.floats(0.5, 100), min_size=FEWEST_ANSWERS, max_size=500))
def test_at_most_one_in_twenty_of_the_last_answers_took_longer(times):
    book = HedgeBook()
    for one in times:
        book.took("a", one, streams=True)
    kept = times[-200:]
    slow = book.slow_after("a", streams=True)
    assert sum(one > slow for one in kept) <= len(kept) / 20
    assert slow in kept


# --- a walk at random ---------------------------------------------------------------

ENDS = st.tuples(
    st.floats(0.01, 6),
    st.just("hi")
    | st.sampled_from(
        [
            Failed(kind)
            for kind in FailureKind
            if kind not in (FailureKind.EMPTY, FailureKind.RATE_LIMITED)
        ]
    ),
)


@given(
    groups=st.lists(st.integers(1, 3), min_size=1, max_size=4),
    data=st.data(),
    max_attempts=st.none() | st.integers(1, 12),
    half_open=st.booleans(),
    total=st.none() | st.floats(1, 20),
)
def test_never_stuck_never_three_always_one_end(
    groups, data, max_attempts, half_open, total
):
    names = iter("abcdefghijkl")
    tiers = [" ".join(next(names) for _ in range(size)) for size in groups]
    routes, health = plan(*tiers), Health()
    scripts = {
        one.name: data.draw(st.lists(ENDS, min_size=1, max_size=4))
        for one in routes.routes
    }
    if half_open:
        opened(health, routes.routes[0])
    policy = Policy(max_attempts=max_attempts, total_timeout=total)
    told = story(routes, scripts, health=health, policy=policy)  # asserts as it goes

    starts = told.heard(AttemptStarted)
    ended = [row for row in told.rows if row["kind"] is None and not row.get("lost")]
    assert len(starts) <= (max_attempts or 12)
    assert len(told.rows) == len(starts)  # each has its row
    assert len(ended) == isinstance(told.end, Return)
    states = [one.state for one in health.snapshot()]
    assert "probing" not in states  # each slot was given back
