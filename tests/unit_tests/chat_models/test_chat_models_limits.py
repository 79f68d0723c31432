"""A candidate's own limits: who is full is passed over, waited for, and never asked."""

from __future__ import annotations

import asyncio
import gc
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from itertools import pairwise
from types import SimpleNamespace

import pytest
from langchain_core.exceptions import ModelAuthenticationError
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_openai import ChatOpenAI
from pydantic import SkipValidation
from simulated_afternoon import Deployment, simulated

from langchain_reliable import (
    AllModelsFailed,
    Budget,
    Candidate,
    Failure,
    FailureKind,
    Group,
    Health,
    ReliableChatModel,
    Timeline,
)
from langchain_reliable.events import PassedOver, Waiting
from langchain_reliable.testing import ScriptedChatModel, Usage, fails, says


def child(name, *script):
    return ScriptedChatModel(model=name, script=list(script) or [says(f"from {name}")])


def in_flight(model):
    book = model.health.book
    return sum(book.in_flight(key) for key in list(book._loads))


def test_who_is_full_is_passed_over_at_once(surface, reliable, clock):
    model = reliable(Candidate(child("a"), rpm=10), child("b"))
    answers = [surface(model) for _ in range(3)]
    assert [one.text for one in answers] == ["from a", "from b", "from b"]
    assert clock.slept == []
    [row] = answers[-1].trail["skipped"]
    assert (row["candidate"], row["reason"]) == ("a", "full")
    assert row["seconds"] == pytest.approx(6.0, abs=0.02)
    clock.time += 6.1
    assert surface(model).text == "from a"
    assert in_flight(model) == 0


def test_a_sibling_is_asked_before_the_next_entry(surface, reliable):
    group = Group([Candidate(child("a"), rpm=10), Candidate(child("b"), rpm=10)])
    model = reliable(group, child("c"))
    assert [surface(model).text[-1] for _ in range(4)] == ["a", "b", "c", "c"]


def test_when_nobody_is_free_the_soonest_is_waited_for(surface, reliable, clock):
    heard = []
    model = reliable(
        Candidate(child("a"), rpm=6),
        Candidate(child("b"), rpm=10),
        observers=[heard.append],
    )
    texts = [surface(model).text for _ in range(3)]
    assert texts == ["from a", "from b", "from b"]
    assert clock.slept == [pytest.approx(6.0, abs=0.02)]
    [wait] = [event for event in heard if isinstance(event, Waiting)]
    assert (wait.candidate, wait.failure, wait.for_limit) == ("b", None, True)
    passed = [event for event in heard if isinstance(event, PassedOver)]
    assert [(one.candidate, one.reason) for one in passed] == [("a", "full")] * 2


@pytest.mark.parametrize(
    ("limit", "kind"),
    [
        ({"rpm": 1}, FailureKind.RATE_LIMITED),
        ({"budget": Budget(tokens=1, per="day")}, FailureKind.QUOTA_EXHAUSTED),
    ],
)
def test_a_wait_that_is_too_long_ends_the_call_with_nothing_sent(
    surface, reliable, limit, kind
):
    only = child("a", says("hi", usage=Usage(input_tokens=3, output_tokens=4)))
    model = reliable(Candidate(only, **limit))
    assert surface(model).text == "hi"
    error = surface(model).error
    assert isinstance(error, AllModelsFailed)
    assert error.kind is kind
    assert 30 < error.retry_after <= 86_400
    assert error.attempts == ()
    assert f"a ({next(iter(limit))}) used up" in str(error)
    assert only.request_count == 1


def test_fail_fast_waits_for_nobody(surface, reliable, clock):
    model = reliable(Candidate(child("a"), rpm=10), fail_fast=True)
    assert surface(model).text == "from a"
    error = surface(model).error
    assert isinstance(error, AllModelsFailed)
    assert error.retry_after == pytest.approx(6.0, abs=0.1)
    assert clock.slept == []


def test_who_is_full_is_not_asked_though_all_others_are_ill(surface, reliable, clock):
    locked = ModelAuthenticationError("no")
    model = reliable(
        Candidate(child("a"), rpm=10), child("b", fails(locked), says("well again"))
    )
    assert surface(model).text == "from a"
    assert surface(model).attempts == ["b: auth", "a: answered"]  # waited for
    assert surface(model).attempts == ["a: answered"]  # as b is held back
    assert sum(clock.slept) == pytest.approx(12.0, abs=0.02)


def test_limits_are_shared_by_their_key(surface, reliable):
    shared = {"rpm": 10, "limits_key": "one account"}
    model = reliable(
        Candidate(child("a"), name="a", **shared),
        Candidate(child("b"), name="b", **shared),
        child("c"),
    )
    assert [surface(model).text[-1] for _ in range(2)] == ["a", "c"]


def test_tokens_are_booked_and_settled(surface, reliable, clock):
    a = child("a", says("hi", usage=Usage(input_tokens=30, output_tokens=30)))
    model = reliable(Candidate(a, tpm=600), child("b"))
    assert surface(model).text == "hi"  # the bucket of six seconds' worth is used up
    assert surface(model).text == "from b"
    clock.time += 6.1
    assert surface(model).text == "hi"


def test_a_stream_that_tells_no_usage_is_counted_by_its_text(surface, reliable, clock):
    a = child("a", says("x" * 4_000, usage=False))
    model = reliable(Candidate(a, tpm=600), child("b"))
    surface(model)
    assert surface(model).text == "from b"
    clock.time += 50
    assert surface(model).text == "from b"


def test_what_was_never_sent_takes_nothing_of_a_limit(surface, reliable):
    refused = ConnectionRefusedError("refused")
    a = child("a", fails(refused), says("from a"))
    nothing_sent = Failure(kind=FailureKind.CONNECTION, request_sent=False)
    model = reliable(
        Candidate(a, rpm=10), child("b"), classify=lambda _error: nothing_sent
    )
    assert surface(model).text == "from b"
    assert surface(model).text == "from a"


@pytest.mark.parametrize("order", ["ordered", "least_busy"])
def test_no_minute_holds_more_than_a_tenth_above_a_limit(reliable, clock, order):
    children = [child(name) for name in "ab"]
    members = [Candidate(one, rpm=60) for one in children]
    model = reliable(Group(members, order=order), max_last_wait=5.0)
    moments, lost = {"from a": [], "from b": []}, 0
    while clock.time < 1_300.0:
        clock.time += 0.4
        try:
            moments[model.invoke("hello?").text].append(clock.time)
        except AllModelsFailed:
            lost += 1
    for sent in moments.values():
        assert len(sent) > 280  # of 300 that five minutes let through
        for at, first in enumerate(sent):
            assert sum(one < first + 60 for one in sent[at:]) <= 66
    assert lost == 0


def test_names_headers_and_tiers_do_not_part_a_limit():
    def gpt(**fields):
        return ChatOpenAI(model="gpt-5.4", api_key="one key", **fields)

    model = ReliableChatModel(
        models=[
            Candidate(gpt(), name="a", rpm=10),
            Candidate(gpt(default_headers={"x": "y"}), name="b", rpm=10),
            Candidate(gpt(base_url="https://example.com"), name="c", rpm=10),
            Candidate(gpt(), name="d"),
        ]
    )
    a, b, c, d = [route.allowance for route in model._router.plan().routes]
    assert a.key == b.key != c.key
    assert d is None


def test_a_wait_for_a_limit_is_drawn_as_one(reliable):
    timeline = Timeline()
    model = reliable(Candidate(child("a"), rpm=10), observers=[timeline])
    for _ in range(2):
        model.invoke("hello?")
    assert "waited 6.0" in str(timeline.last)
    assert "for a limit" in str(timeline.last)
    assert "for a limit" in timeline.last.svg


class Gated(BaseChatModel):
    """Counts how many of its requests are in flight at once."""

    seen: SkipValidation[dict]

    @property
    def _llm_type(self):
        return "gated"

    def _begin(self):
        with self.seen["lock"]:
            self.seen["now"] += 1
            self.seen["most"] = max(self.seen["most"], self.seen["now"])

    def _end(self):
        with self.seen["lock"]:
            self.seen["now"] -= 1

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        self._begin()
        self.seen["pause"].wait(0.001)
        self._end()
        return ChatResult(generations=[ChatGeneration(message=AIMessage("hi"))])

    async def _agenerate(self, messages, stop=None, run_manager=None, **kwargs):
        self._begin()
        await asyncio.sleep(0)
        self._end()
        return ChatResult(generations=[ChatGeneration(message=AIMessage("hi"))])

    def _stream(self, messages, stop=None, run_manager=None, **kwargs):
        self._begin()
        try:
            for _ in range(3):
                yield ChatGenerationChunk(message=AIMessageChunk("hi"))
        finally:
            self._end()

    async def _astream(self, messages, stop=None, run_manager=None, **kwargs):
        self._begin()
        try:
            for _ in range(3):
                await asyncio.sleep(0)
                yield ChatGenerationChunk(message=AIMessageChunk("hi"))
        finally:
            self._end()


def gated():
    seen = {"lock": threading.Lock(), "now": 0, "most": 0, "pause": threading.Event()}
    return Gated(seen=seen), seen


def ask(model):
    assert model.invoke("hello?").text == "hi"
    for _ in model.stream("hello?"):
        pass

    async def twice():
        await asyncio.gather(model.ainvoke("hello?"), _astreamed(model))

    asyncio.run(twice())


async def _astreamed(model):
    async for _ in model.astream("hello?"):
        pass


def test_threads_and_loops_never_have_two_in_flight():
    only, seen = gated()
    model = ReliableChatModel(
        models=[Candidate(only, max_parallel_requests=1)], max_last_wait=600
    )
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, [model] * 8))
    assert seen["most"] == 1
    assert in_flight(model) == 0


def leave(model, number):
    """Ask, or begin to read an answer and go away."""
    if number % 3 == 0:
        model.invoke("hello?")
    elif number % 3 == 1:
        next(model.stream("hello?"))  # dropped, and collected
    else:

        async def begun():
            async with aclosing(model.astream("hello?")) as chunks:
                await anext(chunks)

        asyncio.run(begun())


def test_nothing_is_lost_when_threads_and_loops_abandon_streams():
    """A place is free as soon as nobody reads; closing the child may take a moment."""
    only, _ = gated()
    model = ReliableChatModel(
        models=[Candidate(only, max_parallel_requests=1)], max_last_wait=600
    )
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(leave, [model] * 24, range(24)))
    gc.collect()
    assert in_flight(model) == 0
    assert model.invoke("hello?").text == "hi"


def test_a_wait_that_is_cancelled_leaves_its_place_to_others():
    model = ReliableChatModel(
        models=[Candidate(child("a"), rpm=10, max_parallel_requests=1)]
    )

    async def cancelled():
        await model.ainvoke("hello?")
        waiting = [asyncio.create_task(model.ainvoke("hello?")) for _ in range(5)]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        return await asyncio.gather(*waiting, return_exceptions=True)

    ended = asyncio.run(cancelled())
    assert all(isinstance(one, asyncio.CancelledError) for one in ended)
    assert in_flight(model) == 0
    assert model.health.snapshot()[0].limits["rpm"] <= 1.0  # of one request alone


def test_groups_and_models_share_a_limit_by_its_key(surface, reliable):
    health = Health()
    first = [Candidate(child(name), rpm=10, limits_key="account") for name in "ab"]
    second = Candidate(child("c"), rpm=10, limits_key="account")
    model = reliable(Group(first), Group([second]), child("d"), health=health)
    other = reliable(second, child("e"), health=health)
    texts = [surface(one).text for one in (model, model, other)]
    assert texts == ["from a", "from d", "from e"]


def test_a_batch_waits_at_its_limit_and_loses_nobody(run):
    only, seen = gated()
    model = ReliableChatModel(
        models=[Candidate(only, max_parallel_requests=1)], max_last_wait=600
    )
    config = {"max_concurrency": 4}
    assert len(model.batch(["hello?"] * 8, config)) == 8
    assert len(run(model.abatch(["hello?"] * 8, config))) == 8
    assert seen["most"] == 1


def test_a_pickled_model_begins_with_unused_limits():
    model = ReliableChatModel(models=[Candidate(child("a"), rpm=10), child("b")])
    assert model.invoke("hello?").text == "from a"
    again = pickle.loads(pickle.dumps(model))  # noqa: S301 - our own
    assert [again.invoke("hello?").text for _ in range(2)] == ["from a", "from b"]


def test_a_lease_ends_when_its_stream_is_dropped_and_collected(reliable, run):
    model = reliable(Candidate(child("a"), max_parallel_requests=1), child("b"))

    async def dropped():
        stream = model.astream("hello?")
        await anext(stream)
        assert (await model.ainvoke("hello?")).text == "from b"
        await stream.aclose()

    run(dropped())
    assert model.invoke("hello?").text == "from a"
    stream = model.stream("hello?")
    next(stream)
    assert model.invoke("hello?").text == "from b"
    del stream
    gc.collect()
    assert model.invoke("hello?").text == "from a"
    assert in_flight(model) == 0


@pytest.mark.parametrize(
    "error", [KeyError("a bug"), KeyboardInterrupt(), asyncio.CancelledError()]
)
def test_a_lease_ends_however_its_attempt_ends(reliable, error):
    model = reliable(Candidate(child("a", fails(error)), max_parallel_requests=1))
    with pytest.raises(type(error)):
        model.invoke("hello?")
    with pytest.raises(type(error)):
        list(model.stream("hello?"))
    assert in_flight(model) == 0


def test_a_limit_is_checked_at_the_door():
    with pytest.raises(ValueError, match="needs the candidate's price"):
        Candidate(child("a"), budget=Budget(usd=1, per="day"))
    with pytest.raises(ValueError, match="bounds something"):
        Budget(per="day")
    with pytest.raises(ValueError, match="greater than 0"):
        Candidate(child("a"), rpm=0)
    for price in (1.25, (1.25,), (1.25, float("inf")), "cheap"):
        with pytest.raises(ValueError, match=r"price\n.*price=\(1.25, 10.0\)"):
            Candidate(child("a"), price=price)


@pytest.mark.parametrize("held", ["b", "a"])
def test_whoever_was_faster_at_a_limit_costs_a_call_nothing_else(reliable, clock, held):
    """Another call takes the last place between this one's look and its booking."""
    model = reliable(Candidate(child("a"), rpm=10))
    book = model.health.book
    begin = book.begin

    def taken_by_another(*args, **kwargs):
        book.begin = begin
        begin(*args, **kwargs)
        return begin(*args, **kwargs)

    model.health.isolate(held)
    book.begin = taken_by_another
    assert model.invoke("hello?").text == "from a"
    assert sum(clock.slept) == pytest.approx(6.0, abs=0.02)


class Refuses(Exception):
    """A provider's 429 with a wait."""

    status_code = 429

    def __init__(self, seconds):
        super().__init__("Rate limit reached for requests")
        headers = {"retry-after": str(seconds)}
        self.response = SimpleNamespace(status_code=429, headers=headers)


def test_after_a_429_requests_go_out_evenly(surface, reliable, clock):
    """It counts otherwise than we do: bursts would be refused again."""
    refused = child("a", fails(Refuses(3)), says("from a"))
    model = reliable(Candidate(refused, rpm=60), circuit_breaker=None)
    assert surface(model).text == "from a"
    sent = []
    for _ in range(3):
        surface(model)
        sent.append(clock.time)
    assert [later - at for at, later in pairwise(sent)] == pytest.approx(
        [1, 1], abs=0.02
    )
    clock.time += 70  # the burst is back
    before = clock.time
    for _ in range(3):
        surface(model)
    assert clock.time == before


def test_nobody_starves_while_new_calls_come():
    """A minute asks for more than there is; whoever waits longest goes first."""
    only = Deployment(seconds=0.1)
    model = ReliableChatModel(models=[Candidate(only, rpm=60)])
    story = simulated(model, [only], calls_a_minute=50, minutes=5, rush=(1, 80))
    assert not story.lost
    assert story.seconds[-1] <= 25  # about as long as the queue is


def test_a_provider_that_counts_otherwise_is_seldom_asked_in_vain():
    """Its limit holds in ten seconds, not in a minute, as some providers have it."""
    keys = [Deployment(rpm=10, window=10, seconds=0.5) for _ in range(3)]
    members = [Candidate(key, name=f"{at}", rpm=60) for at, key in enumerate(keys)]
    model = ReliableChatModel(models=[Group(members, order="round_robin")])
    story = simulated(model, keys, calls_a_minute=150, minutes=8)
    assert not story.lost
    assert story.refused <= 0.05 * len(story.seconds)


def test_who_is_full_and_held_back_is_waited_for_last(surface, reliable, clock):
    a = Candidate(child("a"), rpm=10, name="a")
    model = reliable(a)
    assert surface(model).text == "from a"
    model.health.isolate("a")
    assert surface(model).text == "from a"
    assert sum(clock.slept) == pytest.approx(6.0, abs=0.02)
