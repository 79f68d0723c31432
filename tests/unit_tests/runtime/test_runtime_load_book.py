"""Nothing in flight is lost, and a limit holds for all threads and event loops."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from langchain_reliable._core.balancing.load import Pace
from langchain_reliable._core.rate_limits import Demand, Full, RateLimits
from langchain_reliable._runtime.load_book import Allowance, LoadBook

NOTHING = Demand()
ONE_AT_ONCE = Allowance("key", RateLimits(max_parallel_requests=1))


def begin(book, allowance=ONE_AT_ONCE, now=0.0, *, key="a", streams=False):
    return book.begin(key, allowance, NOTHING, now, streams=streams)


ENDS = {
    "answered": lambda book, request: book.answered(request, (1, 1), 1.0),
    "failed": lambda book, request: book.failed(request, 1.0),
    "refused": lambda book, request: book.refused(request, 2.0, 1.0),
    "never sent": lambda book, request: book.never_sent(request, 1.0),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_request_without_limits_ends(end):
    book = LoadBook()
    end(book, begin(book, None))
    assert book.in_flight("a") == 0


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_lease_ends_once_however_its_attempt_ends(end):
    book = LoadBook()
    request = begin(book)
    assert book.in_flight("a") == 1
    assert begin(book) == book.full(ONE_AT_ONCE, NOTHING, 0.0)
    for _ in range(3):
        end(book, request)
    assert book.in_flight("a") == 0
    kept = begin(book)
    assert not isinstance(kept, Full)
    assert isinstance(begin(book), Full)


@pytest.mark.parametrize("allowance", [None, ONE_AT_ONCE])
def test_a_lease_that_is_collected_ends(allowance):
    book = LoadBook()
    request = begin(book, allowance)
    held = [request]
    held.append(held)  # as in a generator that refers to itself
    del request, held
    gc.collect()
    assert book.in_flight("a") == 0
    assert not isinstance(begin(book, allowance), Full)


def test_a_lease_that_is_collected_in_the_middle_of_a_change_is_not_lost():
    book, left = LoadBook(), []

    class Meddling(dict):
        def get(self, *arguments):
            left.clear()
            return super().get(*arguments)

    allowance = Allowance("key", RateLimits(max_parallel_requests=2))
    left.append(begin(book, allowance))
    book._limits = Meddling(book._limits)
    kept = begin(book, allowance)
    assert book.in_flight("a") == 1
    assert not isinstance(begin(book, allowance), Full)
    book.failed(kept, 1.0)


def test_limits_are_shared_by_their_key_and_load_is_not():
    book = LoadBook()
    kept = begin(book, key="one name")
    assert isinstance(begin(book, key="another name"), Full)
    assert book.in_flight("one name") == 1
    assert book.in_flight("another name") == 0
    book.failed(kept, 0.0)


def test_streams_and_whole_answers_are_measured_apart():
    book = LoadBook()
    for streams, seconds in ((True, 0.5), (False, 8.0)):
        request = begin(book, None, streams=streams)
        book.spoke(request, seconds)
        book.answered(request, (None, None), seconds)
    assert book.pace("a", streams=True) == Pace(0.5, 0.5)
    assert book.pace("a", streams=False) == Pace(8.0, 8.0)
    assert book.pace("b", streams=True) is None


def test_silence_counts_as_slow_and_a_break_after_the_first_word_does_not():
    book = LoadBook()
    for seconds, spoke in ((1.0, True), (60.0, True), (60.0, False)):
        request = begin(book, None, streams=True)
        if spoke:
            book.spoke(request, 1.0)
        book.failed(request, seconds, spoke=spoke)
        expected = 1.0 if spoke else 60.0
        assert book.pace("a", streams=True).seconds == expected


def test_what_was_not_sent_leaves_its_place_to_the_next():
    allowance = Allowance("key", RateLimits(rpm=1))
    book = LoadBook()
    book.never_sent(begin(book, allowance), 0.0)
    request = begin(book, allowance)
    book.failed(request, 0.0)
    assert isinstance(begin(book, allowance), Full)
    assert book.used_shares("a", 0.0) == {"rpm": pytest.approx(1)}


def test_a_budget_asks_for_the_time_of_day():
    day = 86_400.0
    budget = SimpleNamespace(tokens=10, usd=None, per="day")
    book = LoadBook(wall=lambda: day * 20_000.75)
    allowance = Allowance("key", RateLimits(budget=budget))
    book.answered(begin(book, allowance), (5, 5), 0.0)
    assert begin(book, allowance, 3.0) == Full("budget", 3.0 + day / 4)


def test_only_the_idle_are_forgotten():
    book = LoadBook()
    request = begin(book, None)
    book.forget("a")
    assert book.in_flight("a") == 1
    book.spoke(request, 1.0)
    book.answered(request, (None, None), 1.0)
    book.forget("a")
    assert book.pace("a", streams=False) is None


class Room:
    """Where whoever holds a lease is for a moment."""

    def __init__(self):
        self.book = LoadBook()
        self.there, self.most, self.visits = 0, 0, 0
        self._lock = threading.Lock()

    def enter(self):
        with self._lock:
            self.there += 1
            self.most = max(self.most, self.there)

    def leave(self):
        with self._lock:
            self.there -= 1
            self.visits += 1

    def visit_in_a_thread(self, times):
        for number in range(times):
            while isinstance(request := begin(self.book), Full):
                pass
            self.enter()
            self.leave()
            if number % 4:  # the others are collected
                list(ENDS.values())[number % 3](self.book, request)
            del request

    async def visit_in_a_task(self, times):
        for number in range(times):
            while isinstance(request := begin(self.book), Full):  # noqa: ASYNC110
                await asyncio.sleep(0)
            self.enter()
            await asyncio.sleep(0)
            self.leave()
            if number % 2:
                self.book.answered(request, (1, 1), 1.0)
            del request

    def visit_in_a_loop(self, times):
        async def tasks():
            visits = [self.visit_in_a_task(times // 4) for _ in range(4)]
            await asyncio.gather(*visits)

        asyncio.run(tasks())


@pytest.fixture
def restless_threads():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("restless_threads")
def test_threads_and_loops_never_have_two_in_flight():
    room, crowd, times = Room(), 8, 200
    visitors = [room.visit_in_a_thread, room.visit_in_a_loop] * (crowd // 2)
    with ThreadPoolExecutor(crowd) as threads:
        for future in [threads.submit(visit, times) for visit in visitors]:
            future.result()
    assert room.most == 1
    assert room.visits == crowd * times
    assert room.book.in_flight("a") == 0
