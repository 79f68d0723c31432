"""Limits that several processes keep together, at a real Redis."""

from __future__ import annotations

import random
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from redis_server import GET_IT, PROGRAM, RedisServer, running
from redis_worker import WAIT, wait_until, workers

from langchain_reliable import RedisHealth
from langchain_reliable._core.rate_limits import (
    UNUSED,
    Allowance,
    Demand,
    Full,
    RateLimits,
    end_failed,
    give_back,
    settle,
    take,
)
from langchain_reliable._core.steps import Claim
from langchain_reliable._runtime.shared_health import limits as shared_limits
from langchain_reliable._runtime.shared_health import link as links
from langchain_reliable._runtime.shared_health import scripts
from langchain_reliable._runtime.shared_health.limits import SharedBook
from langchain_reliable.policies import Budget

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(PROGRAM is None, reason=GET_IT)

KEY = ("limits_key", "one account")
ONE = Demand()


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with running() as one:
        yield one


class Process:
    """What one process has of limits, as far as they are concerned."""

    def __init__(self, server: RedisServer, namespace: str) -> None:
        client = server.client()
        self.health = RedisHealth(client=client, namespace=namespace, refresh=0.05)
        self.book = self.health.book
        assert isinstance(self.book, SharedBook)
        self.health._mirror.link.start()
        assert wait_until(lambda: self.health._mirror.link.is_up)

    def begin(
        self, limits: RateLimits, demand: Demand = ONE, now: float | None = None
    ) -> Any:
        allowance = Allowance(KEY, limits)
        now = time.monotonic() if now is None else now
        got = self.book.begin("somebody", allowance, demand, now, streams=False)
        if not isinstance(got, Claim):
            return got
        got.question.wait(got.patience)  # as a driver does
        return got.outcome(now)

    def full(self, limits: RateLimits) -> Full | None:
        return self.book.full(Allowance(KEY, limits), ONE, time.monotonic())


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for Redis: a machine may be busy, and nobody is to guess."""
    for name in ("PATIENCE", "_QUICK"):
        monkeypatch.setattr(links, name, 30.0)


@pytest.fixture
def here(server: RedisServer) -> Process:
    return Process(server, uuid.uuid4().hex[:8])


@pytest.fixture
def there(server: RedisServer, here: Process) -> Process:
    return Process(server, here.health._namespace)


def test_what_one_has_used_the_other_does_not_have(here, there):
    limits = RateLimits(rpm=10)
    assert not isinstance(here.begin(limits), Full)
    refused = there.begin(limits)
    assert isinstance(refused, Full)
    assert refused.limit == "rpm"
    assert 3.0 < refused.until - time.monotonic() <= 6.1
    assert there.full(limits) == refused
    assert there.book.in_flight("somebody") == 0


def test_tokens_are_counted_together_and_settled_with_what_was_used(here, there):
    limits = RateLimits(tpm=1000)
    request = here.begin(limits, Demand(100, 900))
    refused = there.begin(limits, Demand(100, 900))
    assert refused.limit == "tpm"
    here.book.answered(request, (10, 10), time.monotonic())
    there.book._held.clear()
    assert wait_until(lambda: not isinstance(there.begin(limits, Demand(10, 10)), Full))


@pytest.mark.parametrize(
    "end",
    [
        lambda book, request, now: book.failed(request, now),
        lambda book, request, now: book.refused(request, 1.0, now),
    ],
    ids=["failed", "refused"],
)
def test_places_at_once_are_shared_and_come_back(here, there, end):
    limits = RateLimits(max_parallel_requests=2)
    first, second = here.begin(limits), there.begin(limits)
    assert here.begin(limits).limit == "max_parallel_requests"
    end(here.book, first, time.monotonic())
    again = lambda: there.begin(limits)  # noqa: E731 - asked until there is a place
    assert wait_until(lambda: not isinstance(again(), Full))
    assert not isinstance(second, Full)


def test_a_killed_process_frees_its_places(here, there, monkeypatch):
    monkeypatch.setattr(shared_limits, "_LEASE", 0.1)
    limits = RateLimits(max_parallel_requests=1)
    lost = here.begin(limits)
    here.book._renew_at = float("inf")  # nobody renews for it any more
    assert wait_until(lambda: not isinstance(there.begin(limits), Full))
    assert not isinstance(lost, Full)


def test_a_living_process_keeps_its_places(server, here):
    kept = here.begin(RateLimits(max_parallel_requests=1))
    client = server.client()
    [key] = client.scan_iter(f"*{here.health._namespace}*:l:*")
    place = f"p:{here.book.token}"
    before = client.hget(key, place)
    here.book._renew_at = 0.0
    assert wait_until(lambda: client.hget(key, place) > before)
    here.book.failed(kept, time.monotonic())
    assert wait_until(lambda: not client.hexists(key, place))


def test_a_budget_is_spent_together(here, there):
    limits = RateLimits(budget=Budget(tokens=100, per="day"))
    request = here.begin(limits)
    here.book.answered(request, (60, 60), time.monotonic())
    assert wait_until(lambda: isinstance(there.begin(limits), Full))
    assert there.full(limits).limit == "budget"


def test_what_was_never_sent_comes_back(here, there):
    limits = RateLimits(rpm=10)
    here.book.never_sent(here.begin(limits), time.monotonic())
    there.book._held.clear()
    assert wait_until(lambda: not isinstance(there.begin(limits), Full))


def test_without_redis_each_process_keeps_them_alone(server, here):
    here.book.link.is_up = False
    limits = RateLimits(rpm=10)
    assert not isinstance(here.begin(limits), Full)
    assert here.begin(limits).limit == "rpm"


class Turned:
    """The time of the scripts, as a test turns it."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.time = 1_000_000.0

    def turn(self, seconds: float) -> float:
        self.time = round(self.time + seconds, 6)
        self._client.set("turned", self.time)
        return self.time


@pytest.fixture
def turned(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Turned:
    client = server.client()
    for name in ("TAKE", "END"):
        text = getattr(scripts, name).text
        assert text.count("redis.call('TIME')") == 1
        text = text.replace("redis.call('TIME')", "{redis.call('GET', 'turned'), 0}")
        sha = client.script_load(text)
        monkeypatch.setattr(shared_limits, name, scripts.Script(text, sha))
    return Turned(client)


def _never(*_: Any, **__: Any) -> None:
    return None


@pytest.mark.parametrize("seed", range(6))
def test_the_script_and_the_rules_say_the_same(here, seed, turned, monkeypatch):
    chance = random.Random(seed)  # noqa: S311 - a test
    limits = RateLimits(
        rpm=chance.choice([None, 6, 60, 600]),
        tpm=chance.choice([None, 600, 6000]),
        max_parallel_requests=chance.choice([None, 3]),
    )
    book = here.book
    ruled, in_flight = UNUSED, []
    for _ in range(60):
        now = turned.turn(chance.random() / 50)
        demand = Demand(chance.randrange(30), 20)
        with monkeypatch.context() as alone:  # there is always room in this process
            alone.setattr("langchain_reliable._core.rate_limits._full", _never)
            got = here.begin(limits, demand, now)
        said = take(limits, ruled, demand, now)
        if isinstance(got, Full) or isinstance(said, Full):
            waits = [
                one.until - now if isinstance(one, Full) else 0.0 for one in (got, said)
            ]
            assert waits[0] == pytest.approx(waits[1], abs=1e-3)
        if not isinstance(said, Full):
            ruled, lease = said
        if not isinstance(got, Full) and not isinstance(said, Full):
            in_flight.append((got, lease))
        if in_flight and chance.random() < 0.5:
            got, lease = in_flight.pop(0)
            match chance.randrange(3):
                case 0:
                    book.answered(got, (5, 5), now)
                    ruled = settle(limits, ruled, lease, (5, 5), now)
                case 1:
                    book.failed(got, now)
                    ruled = end_failed(ruled)
                case _:
                    book.never_sent(got, now)
                    ruled = give_back(limits, ruled, lease, now)


@pytest.mark.parametrize("patient", [True, False], ids=["patient", "the default"])
def test_four_processes_share_one_pace(server, patient):
    with workers(4) as four:
        namespace = uuid.uuid4().hex[:8]
        settings = {"url": server.url, "namespace": namespace, "refresh": 0.2}
        four.all("build", opens=False, patient=patient, **settings)
        assert all(four.all("connect"))
        limits = {"rpm": 600, "limits_key": "one account"}
        for one in four:
            one.begin("limited", seconds=2.0, at_least=40, limits=limits)
        ends = [one.end(WAIT + 40) for one in four]
    asked = sorted(moment for moments, _ in ends for moment in moments)
    took = asked[-1] - asked[0]
    unanswered = sum(count for _, count in ends)  # on a busy machine
    assert not (patient and unanswered)
    assert len(asked) <= 1 + (6 + took) * 10 * 1.1 + unanswered
    assert len(asked) >= 60
