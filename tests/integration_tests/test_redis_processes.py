"""Several processes at a real Redis: what one has learned, the others know."""

from __future__ import annotations

import threading
import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from redis_server import GET_IT, PROGRAM, RedisServer, running
from redis_worker import FIRST, SECOND, Workers, workers

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(PROGRAM is None, reason=GET_IT)

REFRESH = 0.2


@contextmanager
def asleep(span: float = 0.01) -> Iterator[list[float]]:
    """Collect by how much a thread that sleeps for a moment each time wakes up late."""
    late: list[float] = []
    over = threading.Event()

    def sleep_on() -> None:
        while not over.is_set():
            began = time.monotonic()
            time.sleep(span)
            late.append(time.monotonic() - began - span)

    sleeper = threading.Thread(target=sleep_on)
    sleeper.start()
    try:
        yield late
    finally:
        over.set()
        sleeper.join()


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with running() as one:
        yield one


@pytest.fixture(scope="module")
def processes() -> Iterator[Workers]:
    with workers(4) as four:
        yield four


@pytest.fixture
def four(
    processes: Workers, server: RedisServer, request: pytest.FixtureRequest
) -> Workers:
    """Four processes that know nothing yet; in the first one a candidate is down.

    Its circuit stays open for longer than any test takes, if the test says nothing.
    """
    settings = {
        "url": server.url,
        "namespace": uuid.uuid4().hex[:12],
        "refresh": REFRESH,
        **getattr(request, "param", {}),
    }
    for at, one in enumerate(processes):
        one.do("build", opens=not at, **settings)
    assert all(processes.all("connect"))
    return processes


def test_a_circuit_that_one_opens_is_open_for_all(four):
    assert four[0].do("call") == SECOND
    opened_at = four[0].do("now")
    with asleep() as late:  # what a busy machine takes is not ours
        seen_at = [one.do("wait_for", state="open") for one in four]
    assert max(seen_at) - opened_at < 1.0 + REFRESH + sum(late)
    assert four[1].do("call") == SECOND


@pytest.mark.parametrize("four", [{"open_for": 1.0}], indirect=True, ids=["probed"])
def test_sixteen_threads_in_four_processes_send_one_probe(four):
    four[0].do("call")
    four.all("wait_for", state="half-open")
    assert sum(four.all("storm", threads=4)) == 1
    answered_by = [name for names in four.all("calm") for name in names]
    assert sorted(answered_by) == [FIRST, *[SECOND] * 15]
    four.all("wait_for", state="closed")


def test_what_is_isolated_in_one_is_left_alone_in_all_until_reset_in_any(four):
    four[0].do("isolate", name=FIRST)
    four.all("wait_for", state="isolated")
    assert {one.do("call") for one in four} == {SECOND}
    four[3].do("reset", name=FIRST)
    four.all("wait_for", state="closed")


def test_a_reset_closes_it_everywhere(four):
    four[0].do("call")
    four.all("wait_for", state="open")
    four[2].do("reset")
    four.all("wait_for", state="closed")
