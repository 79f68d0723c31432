"""Tasks that wait for Redis leave their event loop free, and give back what they left.

Redis is frozen here, and calls are made to wait for it as long as it takes. Each test
counts what the loop does meanwhile: were it blocked, it would do nothing.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from redis_server import GET_IT, PROGRAM, RedisServer, running
from redis_worker import wait_until, written

from langchain_reliable import (
    Candidate,
    CircuitBreaker,
    Hedge,
    RedisHealth,
    ReliableChatModel,
)
from langchain_reliable._runtime.shared_health import link as links
from langchain_reliable.testing import Gate, ScriptedChatModel, stalls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(PROGRAM is None, reason=GET_IT)

BEATS = 50
KEY = "one account"


@pytest.fixture(scope="module")
def shared_server() -> Iterator[RedisServer]:
    with running() as one:
        yield one


@pytest.fixture
def server(
    shared_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RedisServer]:
    monkeypatch.setattr(links, "PATIENCE", 20.0)
    monkeypatch.setattr(links, "_QUICK", 20.0)
    monkeypatch.setattr("langchain_reliable._runtime.shared_health.address.SILENCE", 20)
    yield shared_server
    shared_server.thaw()


@pytest.fixture
def health(server: RedisServer) -> RedisHealth:
    return RedisHealth(server.url, namespace=uuid.uuid4().hex[:8], refresh=0.05)


def model(health: RedisHealth, *script: Any, **settings: Any) -> ReliableChatModel:
    settings.setdefault("max_parallel_requests", 1)
    limits = {"limits_key": KEY, **settings.pop("limits", {})}
    limits["max_parallel_requests"] = settings.pop("max_parallel_requests")
    first = ScriptedChatModel(model="a", script=list(script) or ["fine"])
    one = ReliableChatModel(
        models=[
            Candidate(first, name="first", **limits),
            Candidate(ScriptedChatModel(model="b"), name="second"),
        ],
        health=health,
        initial_backoff=0.001,
        **settings,
    )
    health.available_at(one._router.first_route, time.monotonic())
    assert wait_until(lambda: health._mirror.link.is_up)
    return one


def answered_by(message: Any) -> str:
    return message.response_metadata["reliable"]["attempts"][-1]["candidate"]


async def come(holds: Callable[[], bool]) -> bool:
    over = time.monotonic() + 20
    while not (held := holds()) and time.monotonic() < over:  # noqa: ASYNC110 - Redis tells
        await asyncio.sleep(0.002)
    return held


async def beats_while(task: asyncio.Task[Any]) -> int:
    """Count how often the loop comes round while a task waits for Redis."""
    beats = 0
    while beats < BEATS and not task.done():
        await asyncio.sleep(0)
        beats += 1
    return beats


@pytest.mark.parametrize("surface", ["ainvoke", "astream"])
async def test_the_loop_goes_on_while_redis_is_frozen(server, health, surface):
    one = model(health, max_parallel_requests=3)

    async def ask():
        if surface == "ainvoke":
            return await one.ainvoke("hi")
        chunks = [chunk async for chunk in one.astream("hi")]
        return sum(chunks[1:], chunks[0])

    server.freeze()
    tasks = [asyncio.ensure_future(ask()) for _ in range(3)]
    assert await beats_while(tasks[0]) == BEATS
    assert not any(one.done() for one in tasks)
    server.thaw()
    answers = await asyncio.gather(*tasks)
    assert {answered_by(one) for one in answers} == {"first"}


async def test_the_loop_goes_on_while_a_probe_is_asked_for(server, health):
    breaker = CircuitBreaker(failures=1, open_for=0.2)
    down = ConnectionError("down")
    one = model(health, *[down] * 2, "fine", max_retries=0, circuit_breaker=breaker)
    await one.ainvoke("hi")
    states = lambda: [row.state for row in health.snapshot()]  # noqa: E731
    assert await come(lambda: "half-open" in states() and written(health))
    server.freeze()
    task = asyncio.ensure_future(one.ainvoke("hi"))
    assert await beats_while(task) == BEATS
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    server.thaw()
    assert await come(lambda: written(health) and "half-open" in states())
    assert "probing" not in states()
    await one.ainvoke("hi")
    assert one._entries[0].model.request_count == 2  # the slot was free again


async def test_a_call_that_is_cancelled_gives_its_place_back(server, health):
    one = model(health, limits={"rpm": 6})
    server.freeze()
    task = asyncio.ensure_future(one.ainvoke("hi"))
    assert await beats_while(task) == BEATS
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    route = one._router.first_route
    assert health.book.in_flight(route.key) == 0
    assert health.book.used_shares(route.key, time.monotonic())["rpm"] == 0
    server.thaw()
    client = server.client()
    [key] = await _keys(client, f"*{health._namespace}*:l:*")
    place = f"p:{health.book.token}"
    assert await come(lambda: not client.hexists(key, place))
    assert answered_by(await one.ainvoke("hi")) == "first"  # rpm=6 is one in ten s


async def _keys(client, pattern):
    assert await come(lambda: bool(list(client.scan_iter(pattern))))
    return list(client.scan_iter(pattern))


def hedged(gate, health):
    """Return a model whose first one is slow, and the limited one asked beside it."""
    slow = ScriptedChatModel(model="a", script=[stalls(gate), "late"])
    limited = Candidate(
        ScriptedChatModel(model="b"), name="limited", max_parallel_requests=1
    )
    hedge = Hedge(after=0.1, whole_after=0.1)
    one = ReliableChatModel(models=[slow, limited], health=health, hedge=hedge)
    return one, limited


async def test_a_hedge_is_asked_for_while_the_first_one_goes_on(server, health):
    gate = Gate(limit=20)
    one, limited = hedged(gate, health)
    one._factory  # noqa: B018 - routes are made
    await ReliableChatModel(models=[limited], health=health).ainvoke("hi")
    assert await come(lambda: health._mirror.link.is_up)
    health.hedges.calls += 100  # earlier calls have paid for it
    server.freeze()
    claims = []
    ask = health._mirror.link.claim
    health._mirror.link.claim = lambda *args: claims.append(args) or ask(*args)
    task = asyncio.ensure_future(one.ainvoke("hi"))
    assert await come(lambda: bool(claims))
    assert await beats_while(task) == BEATS
    gate.open()
    assert answered_by(await task) == "a"  # Redis has not said a word
    limited_key = one._router.plan().routes[1].key
    assert health.book.in_flight(limited_key) == 0
    server.thaw()
    assert await come(health._mirror.link._mail.empty)
    assert limited.model.request_count == 1


async def test_a_hedge_goes_out_once_redis_has_said_yes(server, health):
    gate = Gate(limit=20)
    one, limited = hedged(gate, health)
    await ReliableChatModel(models=[limited], health=health).ainvoke("hi")
    assert await come(lambda: health._mirror.link.is_up)
    health.hedges.calls += 100
    try:
        assert answered_by(await one.ainvoke("hi")) == "limited"
    finally:
        gate.open()
