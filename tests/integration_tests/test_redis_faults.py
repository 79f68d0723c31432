"""Redis may be away, frozen, full, empty or forked away: calls go on."""

from __future__ import annotations

import gc
import logging
import os
import pickle
import subprocess
import sys
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import redis
import redis.asyncio
from langchain_openai import ChatOpenAI
from redis_server import GET_IT, PROGRAM, RedisServer, running
from redis_worker import wait_until, written

from langchain_reliable import (
    Candidate,
    CircuitBreaker,
    RedisHealth,
    ReliableChatModel,
)
from langchain_reliable._runtime.shared_health import link as links
from langchain_reliable.testing import ScriptedChatModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

needs_redis = pytest.mark.skipif(PROGRAM is None, reason=GET_IT)

SECRET = "hunter2-and-more"
DOWN = ConnectionError
"""A class: one instance would keep all that it was raised through alive."""


@pytest.fixture(scope="module")
def shared_server() -> Iterator[RedisServer]:
    with running() as one:
        yield one


@pytest.fixture
def server(shared_server: RedisServer) -> RedisServer:
    with shared_server.client() as client:
        client.config_set("maxmemory", "0")
        client.flushall()
    return shared_server


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(links, "_FIRST_PAUSE", 0.05)
    monkeypatch.setattr(links, "_LONGEST_PAUSE", 0.05)
    monkeypatch.setattr(links, "_QUICK", 5.0)  # this machine may be busy
    yield
    gc.collect()  # a thread ends with the last health that uses it


@pytest.fixture
def health(server: RedisServer) -> RedisHealth:
    return RedisHealth(server.url, namespace=uuid.uuid4().hex[:8], refresh=0.05)


def other_process(health: RedisHealth) -> RedisHealth:
    """Return what another process would have: nothing in common but Redis."""
    with health._lock:
        client = redis.Redis.from_url(health._address.url)
    return RedisHealth(client=client, namespace=health._namespace, refresh=0.05)


def model(health: RedisHealth, *script: Any, **settings: Any) -> ReliableChatModel:
    first = ScriptedChatModel(model="a", script=list(script) or [DOWN])
    return ReliableChatModel(
        models=[
            Candidate(first, name="my first secret name"),
            Candidate(ScriptedChatModel(model="b"), name="second"),
        ],
        health=health,
        initial_backoff=0.001,
        **settings,
    )


def ask(one: ReliableChatModel) -> list[dict[str, Any]]:
    trail = one.invoke("a question of mine").response_metadata["reliable"]
    return trail["attempts"]


def is_up(health: RedisHealth) -> bool:
    return wait_until(lambda: health._mirror.link.is_up)


def is_away(health: RedisHealth) -> bool:
    return wait_until(lambda: not health._mirror.link.is_up)


def states(health: RedisHealth) -> list[str]:
    return [one.state for one in health.snapshot()]


@needs_redis
class TestWhatIsShared:
    def test_an_open_circuit_is_met_by_a_process_that_comes_later(self, health):
        ask(model(health))
        assert written(health)
        late = other_process(health)
        theirs = model(late)
        ask(theirs)
        assert wait_until(lambda: "open" in states(late))

    def test_nothing_that_can_be_read_is_in_redis(self, server, health):
        child = ChatOpenAI(
            model="gpt-5.4", api_key=SECRET, base_url="http://127.0.0.1:9"
        )
        mine = ReliableChatModel(models=[child, model(health)], health=health)
        mine.invoke("a question of mine")
        health.isolate("my first secret name")
        assert written(health)
        held = server.contents().lower()
        assert held.count(b"lr1:{") >= 3
        for word in (SECRET, "hunter", "question", "secret", "gpt", "second", "openai"):
            assert word.encode() not in held, word

    def test_two_healths_of_one_url_share_one_thread_and_one_memory(self, health):
        again = RedisHealth(
            health._address.written, namespace=health._namespace, refresh=0.05
        )
        ask(model(health))
        assert "open" in states(again)
        assert again._mirror is health._mirror

    def test_a_pickle_is_the_same_redis_again(self, health):
        again = pickle.loads(pickle.dumps(health))  # noqa: S301 - our own
        assert again._mirror is health._mirror

    def test_candidates_that_nobody_can_tell_apart_are_kept_here(self, server, health):
        dead = ScriptedChatModel(model="a", script=[DOWN])
        mine = ReliableChatModel(
            models=[dead, ScriptedChatModel(model="b")], health=health
        )
        mine.invoke("hi")
        assert is_up(health)
        assert written(health)
        assert states(health)[0] == "open"
        mine_alone = f"{{{health._namespace}}}:"
        assert f"{mine_alone}epoch".encode() in server.contents()
        assert f"{mine_alone}c:".encode() not in server.contents()

    def test_the_thread_ends_with_the_last_that_uses_it(self, server):
        health = RedisHealth(server.url, namespace="ends", refresh=0.05)
        health.isolate("somebody")
        thread = health._mirror.link._thread
        assert thread.is_alive()
        del health
        assert wait_until(lambda: not thread.is_alive())


@needs_redis
class TestFaults:
    def test_a_redis_that_dies_and_comes_back_empty(self, caplog):
        caplog.set_level(logging.INFO, "langchain_reliable")
        with running() as server:
            health = RedisHealth(server.url, refresh=0.05)
            mine = model(health)
            ask(mine)
            assert written(health)
            server.stop()
            assert is_away(health)
            for _ in range(20):
                assert [one["candidate"] for one in ask(mine)] == ["second"]
            server.start()
            assert is_up(health)
            assert written(health)
            assert "open" in states(health)
            late = other_process(health)
            ask(model(late, "well"))
            assert wait_until(lambda: "open" in states(late))
        said = [
            one for one in caplog.records if f"Redis at {server.url}" in one.message
        ]
        assert [one.levelno for one in said][:2] == [logging.WARNING, logging.INFO]

    def test_what_is_isolated_outlives_an_emptied_redis(self, server, health):
        mine = model(health, "hello")
        ask(mine)
        health.isolate("my first secret name")
        assert written(health)
        with server.client() as client:
            client.flushall()
        assert wait_until(lambda: b"isolated" in server.contents())
        assert ask(mine)[0]["candidate"] == "second"

    def test_a_frozen_redis_is_waited_for_once_and_not_for_long(self, server, health):
        mine = model(health, circuit_breaker=CircuitBreaker(open_for=0.05))
        ask(mine)
        assert written(health)
        wait_until(lambda: "half-open" in states(health))
        server.freeze()
        try:
            began = time.monotonic()
            assert ask(mine)[-1]["candidate"] == "second"
            assert time.monotonic() - began < 5
        finally:
            server.thaw()
        assert is_up(health)

    def test_a_full_redis_is_a_redis_that_is_away(self, server, health):
        mine = model(health)
        with server.client() as client:
            client.config_set("maxmemory", "1")
        ask(mine)
        assert wait_until(lambda: health._mirror.link._said_away)
        assert states(health)[0] == "open"
        assert ask(mine)[0]["candidate"] == "second"

    def test_changes_made_while_it_was_away_are_written_later(self, server, health):
        server.stop()
        mine = model(health)
        ask(mine)
        server.start()
        assert is_up(health)
        assert written(health)
        late = other_process(health)
        ask(model(late, "well"))
        assert wait_until(lambda: "open" in states(late))

    def test_flapping_breaks_no_call(self, server, health):
        mine = model(
            health, *[DOWN, "well"] * 200, circuit_breaker=CircuitBreaker(open_for=0.01)
        )
        stop, slowest = threading.Event(), [0.0]

        def flap() -> None:
            while not stop.wait(0.05):
                server.freeze()
                stop.wait(0.05)
                server.thaw()

        thread = threading.Thread(target=flap)
        thread.start()
        try:
            for _ in range(400):
                began = time.monotonic()
                assert ask(mine)
                slowest.append(time.monotonic() - began)
        finally:
            stop.set()
            thread.join()
        assert max(slowest) < 5

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
    def test_a_forked_process_has_a_thread_of_its_own(self, health):
        mine = model(health)
        ask(mine)
        assert written(health)
        reading, writing = os.pipe()
        if not (pid := os.fork()):
            seen = "nothing"
            try:
                seen = "away"
                ask(mine)
                if wait_until(lambda: health._mirror.link.is_up, 10):
                    health.reset()
                    seen = "reset" if written(health) else "not written"
            finally:
                os.write(writing, seen.encode())
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            assert pipe.read() == "reset"
        os.waitpid(pid, 0)
        assert wait_until(lambda: states(health)[0] == "closed")


class TestAtTheDoor:
    def test_nothing_is_opened_or_imported_before_the_first_call(self):
        code = (
            "import sys, threading\n"
            "from langchain_reliable import RedisHealth, ReliableChatModel\n"
            "from langchain_reliable.testing import ScriptedChatModel\n"
            "health = RedisHealth('redis://127.0.0.1:1/0')\n"
            "model = ReliableChatModel(models=[ScriptedChatModel()], health=health)\n"
            "assert 'redis' not in sys.modules\n"
            "print(threading.active_count())\n"
        )
        run = subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert run.stdout.strip() == "1"

    def test_a_server_that_is_away_is_no_error(self, caplog):
        health = RedisHealth("redis://:hunter2@127.0.0.1:1/0", refresh=0.05)
        assert ask(model(health))[-1]["candidate"] == "second"
        assert wait_until(lambda: health._mirror.link._said_away)
        assert "redis://127.0.0.1:1/0 is away" in caplog.text
        assert "hunter2" not in caplog.text + repr(health) + str(health)

    @pytest.mark.parametrize(
        "url",
        [
            "localhost:6379",
            "http://localhost",
            "redis://",
            "redis://host:port/0",
            f"redis://:{SECRET}@host:{SECRET}/0",
            "redis://host:6379/zero",
            "redis://host:99999",
            "unix://",
            "",
        ],
    )
    def test_a_malformed_url_is_told_at_once_without_its_password(self, url):
        with pytest.raises(ValueError, match="Redis") as caught:
            RedisHealth(url)
        assert SECRET not in repr(caught.value)
        assert caught.value.__cause__ is None

    @pytest.mark.parametrize(
        "url",
        [
            "redis://user:word@host:6379/1?socket_timeout=2",
            "rediss://host",
            "redis://[::1]:6379",
            "unix:///var/run/redis.sock?db=1",
            "rediss+cluster://:word@host:6379",
        ],
    )
    def test_all_forms_of_a_url_are_taken(self, url):
        assert "word" not in repr(RedisHealth(url))

    def test_a_url_may_stand_in_the_environment(self, monkeypatch):
        monkeypatch.setenv("MY_REDIS", f"redis://:{SECRET}@127.0.0.1:1")
        health = RedisHealth("env:MY_REDIS")
        assert "env:MY_REDIS" in repr(health)
        assert SECRET.encode() not in pickle.dumps(health)
        monkeypatch.delenv("MY_REDIS")
        with pytest.raises(ValueError, match="MY_REDIS is not set"):
            RedisHealth("env:MY_REDIS")

    @pytest.mark.parametrize(
        ("make", "error"),
        [
            (RedisHealth, ValueError),
            (lambda: RedisHealth("redis://a", client=redis.Redis()), ValueError),
            (lambda: RedisHealth(client=redis.asyncio.Redis()), TypeError),
            (lambda: RedisHealth(client="redis://a"), TypeError),
            (lambda: RedisHealth(7), TypeError),
            (lambda: RedisHealth("redis://a", namespace=""), ValueError),
            (lambda: RedisHealth("redis://a", namespace="a{b}"), ValueError),
            (lambda: RedisHealth("redis://a", namespace=7), TypeError),
            (lambda: RedisHealth("redis://a", refresh=0), ValueError),
            (lambda: RedisHealth("redis://a", refresh="1"), TypeError),
            (lambda: pickle.dumps(RedisHealth(client=redis.Redis())), TypeError),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, make: Callable[[], Any], error):
        with pytest.raises(error):
            make()
