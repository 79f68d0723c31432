"""What a shared store must say first: the core asks for it, and never waits itself."""

from __future__ import annotations

import random
from functools import partial
from types import SimpleNamespace

import pytest

from langchain_reliable._core.balancing.hedging import HedgeRule
from langchain_reliable._core.call import Call
from langchain_reliable._core.rate_limits import Allowance, Demand, Full, RateLimits
from langchain_reliable._core.steps import (
    Claim,
    Confirm,
    GiveUp,
    Launch,
    Plan,
    Return,
    Route,
    Tier,
    Wait,
)
from langchain_reliable._runtime.load_book import InFlight, LoadBook
from langchain_reliable.failures import Failure, FailureKind
from langchain_reliable.health import Health
from langchain_reliable.policies import CircuitBreaker, Policy, RetryBudget

TWO_AT_ONCE = RateLimits(max_parallel_requests=2)
HEDGE = HedgeRule(2.0, None, 0.05)
PATIENCE = 0.035


class Failed(Exception):
    """What a scripted candidate raises."""


def read(_: Exception) -> Failure:
    return Failure(kind=FailureKind.SERVER_ERROR)


class Elsewhere:
    """A store that has not answered yet, and what was claimed of it."""

    def __init__(self):
        self.open = []
        self.withdrawn = []

    def claim(self, outcome, withdrawn):
        question = SimpleNamespace(over=False)
        self.open.append(question)

        def withdraw(now):
            self.withdrawn.append(question)
            withdrawn(now)

        return Claim(question, PATIENCE, lambda: question.over, outcome, withdraw)

    def answer(self):
        for question in self.open:
            question.over = True
        self.open.clear()


class ClaimedBook(LoadBook):
    """Keeps its limits elsewhere."""

    def __init__(self, store):
        super().__init__()
        self.store = store
        self.full_there = set()

    def begin(self, key, allowance, demand, now, *, streams):
        if (lacks := self.full(allowance, demand, now)) is not None:
            return lacks
        request = super().begin(key, allowance, demand, now, streams=streams)
        if allowance is None or isinstance(request, Full):
            return request
        return self.store.claim(
            partial(self._begun, key, request), partial(self.never_sent, request)
        )

    def _begun(self, key, request, now):
        if key not in self.full_there:
            return request
        self.never_sent(request, now)
        return Full("max_parallel_requests", now + 0.1)

    def full(self, allowance, demand, now):
        if allowance.key in self.full_there:
            return Full("max_parallel_requests", now + 0.1)
        return super().full(allowance, demand, now)


class ClaimedHealth(Health):
    """Asks elsewhere whoever may be asked."""

    def __init__(self):
        super().__init__()
        self.store = Elsewhere()
        self.book = ClaimedBook(self.store)
        self.taken_elsewhere = set()

    def admission_if_healthy(self, route):
        return None

    def available_at(self, route, now):
        at = super().available_at(route, now)
        return at + 1 if route.name in self.taken_elsewhere else at

    def try_acquire(self, route, now):
        here = super().try_acquire
        if self.available_at(route, now) > now:
            return None

        def outcome(at):
            return None if route.name in self.taken_elsewhere else here(route, at)

        return self.store.claim(outcome, lambda _: None)

    def record_request(self, route, now):
        here = super().record_request
        return self.store.claim(lambda at: here(route, at), lambda _: None)


def plan(names="a b", **settings):
    return Plan(
        [
            Tier(
                (
                    Route(
                        name=name,
                        entry=at,
                        key=name,
                        allowance=Allowance(name, TWO_AT_ONCE),
                        is_booked=True,
                        **settings,
                    ),
                )
            )
            for at, name in enumerate(names.split())
        ]
    )


@pytest.fixture
def health():
    return ClaimedHealth()


def a_call(health, items=None, **policy):
    budget = RetryBudget()
    call = Call(
        items or plan(),
        Policy(**policy),
        read,
        health=health,
        bucket=health.bucket(budget),
        streams=True,
    )
    call.bucket = health.bucket(budget)
    return call


def confirmed(call, health, now):
    """Return the next step after all that is claimed for it has been answered."""
    step = call.what_now(now)
    while isinstance(step, Confirm):
        health.store.answer()
        step = call.what_now(now)
    return step


def test_asked_again_before_there_is_an_answer_it_says_the_same(health):
    call = a_call(health)
    first = call.what_now(0.0)
    assert first == Confirm(health.store.open[0], PATIENCE)
    assert call.what_now(0.01) == first
    assert len(health.store.open) == 1
    assert confirmed(call, health, 0.02).attempt.route.name == "a"


def test_all_claims_of_a_call_together_have_one_patience(health):
    call, now, waited = a_call(health, plan("a b c d", max_retries=0)), 0.0, []
    for _ in range(20):
        match call.what_now(now):
            case Confirm(_, seconds):
                waited.append(seconds)
                now += min(seconds, 0.02)
                health.store.answer()
            case Launch(attempt):
                call.failed(attempt, Failed(), now, 0.5)
            case GiveUp():
                break
    assert waited == pytest.approx([PATIENCE, PATIENCE - 0.02])
    assert now == pytest.approx(PATIENCE)


def test_waiting_for_a_claim_is_no_waiting_for_a_candidate(health):
    call = a_call(health, max_retry_after=0.01)
    call.what_now(0.0)
    health.store.answer()
    call.what_now(0.03)
    health.store.answer()
    assert call.what_now(0.034).attempt.wait == 0.0


def test_who_is_full_elsewhere_is_passed_over(health):
    health.book.full_there.add("a")
    call = a_call(health)
    assert confirmed(call, health, 0.0).attempt.route.name == "b"
    assert health.book.in_flight("a") == 0


def test_whose_probe_is_under_way_elsewhere_is_passed_over(health):
    call = a_call(health)
    call.what_now(0.0)
    health.taken_elsewhere.add("a")
    assert confirmed(call, health, 0.0).attempt.route.name == "b"


@pytest.mark.parametrize("claims", [1, 2], ids=["the probe", "the place"])
def test_a_call_that_is_left_gives_back_what_it_claimed(health, claims):
    call = a_call(health)
    for _ in range(claims):
        health.store.answer()
        assert isinstance(call.what_now(0.0), Confirm)
    (pending,) = health.store.open
    call.abandoned(None, 0.01)
    assert health.store.withdrawn == [pending]
    assert health.book.in_flight("a") == 0


def test_a_retry_that_does_not_start_is_not_paid_for(health):
    call = a_call(health)
    attempt = confirmed(call, health, 0.0).attempt
    before = call.bucket.tokens
    call.failed(attempt, Failed(), 0.0, 0.5)
    until = call.what_now(0.0).until
    assert isinstance(call.what_now(until), Confirm)
    assert call.bucket.tokens < before
    call.abandoned(None, until)
    assert call.bucket.tokens == before


def hedged(health):
    call = a_call(health, plan(hedge=HEDGE))
    first = confirmed(call, health, 0.0).attempt
    for _ in range(20):  # calls before that have earned it
        health.hedges.calls += 1
    return call, first


@pytest.mark.parametrize("how", ["succeeded", "failed", "abandoned"])
def test_a_hedge_that_waits_for_its_claim_ends_with_the_attempt_beside(health, how):
    call, first = hedged(health)
    assert isinstance(call.what_now(2.0), Confirm)
    (pending,) = health.store.open
    if how == "succeeded":
        call.succeeded(first, "hi", 2.0)
    elif how == "failed":
        call.failed(first, Failed(), 2.0, 0.5)
    else:
        call.abandoned(first, 2.0)
    assert health.store.withdrawn == [pending]
    assert health.book.in_flight("b") == 0


def test_a_hedge_starts_when_its_claim_is_answered(health):
    call, _ = hedged(health)
    assert confirmed(call, health, 2.0).attempt.hedged
    assert call.what_now(2.0) == Wait(float("inf"))


def test_a_hedge_that_finds_no_place_asks_nobody(health):
    call, _ = hedged(health)
    assert isinstance(call.what_now(2.0), Confirm)
    health.book.full_there.add("b")
    assert confirmed(call, health, 2.0) == Wait(float("inf"))
    assert isinstance(call.what_now(2.5), Wait)
    health.book.full_there.clear()
    assert confirmed(call, health, 3.0).attempt.hedged


def walked(health, seed):
    """Carry some calls through at random; return whom they ask, and their ends."""
    chance, now, told = random.Random(seed), 0.0, []  # noqa: S311 - a test
    breaker = CircuitBreaker(failures=2, open_for=3.0)
    for _ in range(12):
        call = a_call(health, plan("a b c", max_retries=1), breaker=breaker)
        for _ in range(200):
            match call.what_now(now):
                case Launch(attempt):
                    told.append(attempt.route.name)
                    now += 1
                    if chance.random() < 0.5:
                        call.failed(attempt, Failed(), now, 0.5)
                    else:
                        call.succeeded(attempt, "hi", now)
                        call.answered(now)
                case Wait(until):
                    now = until
                case Confirm():
                    health.store.answer()
                case Return() | GiveUp() as end:
                    told.append(type(end).__name__)
                    break
    return told, now, [health.book.in_flight(name) for name in "abc"]


@pytest.mark.parametrize("seed", range(30))
def test_calls_go_as_they_would_without_anybody_elsewhere(seed):
    assert walked(ClaimedHealth(), seed) == walked(Health(), seed)


def test_a_claim_comes_to_a_request_or_to_what_is_full(health):
    book, allowance = health.book, Allowance("a", TWO_AT_ONCE)
    claim = book.begin("a", allowance, Demand(), 0.0, streams=True)
    assert isinstance(claim, Claim)
    assert isinstance(claim.outcome(0.0), InFlight)
