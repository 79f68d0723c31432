"""What a token, a call and an import cost, counted in calls instead of seconds.

A timing tells little on a busy machine; the number of calls that our own code makes is
the same on every one. The bounds are what was measured when they were written. Raising
one is a decision about speed: run the benchmark before and after.
"""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import tracemalloc
from collections import Counter
from contextlib import aclosing, closing, contextmanager
from pathlib import Path

import pytest
from langchain_core.exceptions import ModelTimeoutError
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

import langchain_reliable
from langchain_reliable import Candidate, Group, Hedge, ReliableChatModel, Timeline
from langchain_reliable.observers import CustomEventObserver

HOUSE = str(Path(langchain_reliable.__file__).parent)
WITHOUT_LIMITS = {"idle_timeout": None, "first_chunk_timeout": None}


class Instant(BaseChatModel):
    """Says as many words as it is told to, at once."""

    words: int = 1

    @property
    def _llm_type(self):
        return "instant"

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        return ChatResult(generations=[ChatGeneration(message=AIMessage("word"))])

    async def _agenerate(self, messages, stop=None, run_manager=None, **kwargs):
        return self._generate(messages)

    def _stream(self, messages, stop=None, run_manager=None, **kwargs):
        for _ in range(self.words):
            yield ChatGenerationChunk(message=AIMessageChunk(content="word "))

    async def _astream(self, messages, stop=None, run_manager=None, **kwargs):
        for _ in range(self.words):
            yield ChatGenerationChunk(message=AIMessageChunk(content="word "))


BOUND = []


class Binds(Instant):
    """An instant model that notes which tools it binds."""

    def bind_tools(self, tools, **kwargs):
        BOUND.append([one["function"]["name"] for one in tools])
        return self.bind(tools=tools, **kwargs)


def our_model(words=1, **settings):
    children = [Instant(words=words), Instant(words=words)]
    return ReliableChatModel(models=children, **settings)


@contextmanager
def counted():
    """Count what our code does: its frames entered, and its calls of C functions."""
    found = Counter()

    def look(frame, event, _):
        ours = frame.f_code.co_filename.startswith(HOUSE)
        if ours and event in ("call", "c_call"):
            found["frames" if event == "call" else "C calls"] += 1

    gc.collect()
    gc.disable()  # what others have left to it is not counted here
    threading.setprofile(look)
    sys.setprofile(look)
    try:
        yield found
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        gc.enable()


def heard_sync(model):
    return sum(1 for _ in model.stream("Hi"))


async def heard_async(model):
    return sum([1 async for _ in model.astream("Hi")])


def per_chunk(short, long):
    """Return what each further word costs, from streams of 100 and of 600."""
    return {name: (long[name] - short[name]) / 500 for name in ("frames", "C calls")}


def streamed(words, **settings):
    model = our_model(words, **settings)
    heard_sync(model)
    with counted() as found:
        heard_sync(model)
    return found


async def astreamed(words, **settings):
    model = our_model(words, **settings)
    await heard_async(model)
    with counted() as found:
        await heard_async(model)
    return found


OBSERVED = {"observers": [Timeline(), CustomEventObserver()]}


@pytest.mark.parametrize(
    "settings",
    [WITHOUT_LIMITS, {**WITHOUT_LIMITS, **OBSERVED}, {"idle_timeout": None}],
    ids=["alone", "observed", "once the first word is out"],
)
def test_a_token_costs_one_frame_in_sync(settings):
    cost = per_chunk(*(streamed(n, **settings) for n in (100, 600)))
    assert cost["frames"] == 1  # the relay goes on
    assert cost["C calls"] <= 2


def test_a_token_costs_few_frames_in_sync_with_limits():
    cost = per_chunk(streamed(100), streamed(600))
    assert cost["frames"] <= 2.1  # the relay, what takes chunks, and seldom a wait
    assert cost["C calls"] <= 2.1


@pytest.mark.parametrize("settings", [{}, OBSERVED], ids=["alone", "observed"])
async def test_a_token_costs_two_frames_in_async(settings):
    cost = per_chunk(*[await astreamed(n, **settings) for n in (100, 600)])
    assert cost["frames"] == 2  # the relay goes on, and the timer is told
    assert cost["C calls"] <= 3


@pytest.mark.parametrize("settings", [{}, WITHOUT_LIMITS], ids=["limits", "none"])
def test_a_token_takes_no_memory_of_ours(settings):
    def kept(words):
        model = our_model(words, **settings)
        heard_sync(model)
        chunks = model.stream("Hi")
        tracemalloc.start()
        try:
            for _ in range(words):
                next(chunks)
            taken = tracemalloc.take_snapshot()
        finally:
            tracemalloc.stop()
        for _ in chunks:
            pass
        here = tracemalloc.Filter(inclusive=True, filename_pattern=f"{HOUSE}/*")
        ours = taken.filter_traces([here])
        return sum(one.size for one in ours.statistics("filename"))

    assert (kept(1100) - kept(100)) / 1000 <= 12  # a place in a list of chunks


def asked(surface, model):
    """Ask a model once, to the end or, with `break`, to the first word."""

    async def heard(*, leave):
        async with aclosing(model.astream("Hi")) as chunks:
            async for _ in chunks:
                if leave:
                    break

    match surface:
        case "invoke":
            model.invoke("Hi")
        case "ainvoke":
            asyncio.run(model.ainvoke("Hi"))
        case "stream":
            heard_sync(model)
        case "stream, break":
            with closing(model.stream("Hi")) as chunks:
                next(chunks)
        case "astream" | "astream, break":
            asyncio.run(heard(leave="break" in surface))


@pytest.mark.parametrize(
    "surface",
    ["invoke", "ainvoke", "stream", "stream, break", "astream", "astream, break"],
)
@pytest.mark.parametrize("settings", [{}, WITHOUT_LIMITS], ids=["limits", "none"])
def test_nothing_is_left_to_the_garbage_collector(surface, settings):
    """What is in a circle lives on, chunks and all, and makes every collection long."""
    model = our_model(words=20, **settings)
    asked(surface, model)
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        asked(surface, model)
        gc.collect()
        left = [one for one in gc.garbage if "langchain" in type(one).__module__]
        assert not left
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def test_a_healthy_invoke_costs_a_bounded_number_of_frames():
    model = our_model()
    model.invoke("Hi")
    with counted() as found:
        model.invoke("Hi")
    assert found["frames"] <= 69


CONVERSATION = {"configurable": {"thread_id": "42"}}


def frames_of(*models, config=None, **settings):
    model = ReliableChatModel(models=models, **settings)
    for _ in range(120):  # children and orders are made at first use
        model.invoke("Hi", config)
    with counted() as found:
        model.invoke("Hi", config)
    return found["frames"]


def members(number, **settings):
    return [Candidate(Instant(), name=f"m{at}", **settings) for at in range(number)]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"tags": ("eu",)},
        {"price": (1.0, 2.0)},
        {"weight": 3},
        {"limits_key": "account"},
    ],
    ids=lambda settings: next(iter(settings), "order"),
)
def test_what_a_group_does_not_use_costs_no_frame(settings):
    plain = frames_of(Instant(), Instant())
    assert frames_of(Group(members(10, **settings))) == plain


@pytest.mark.parametrize(
    ("limits", "most"),
    [
        pytest.param({"rpm": 1e9}, 9, id="requests"),
        pytest.param({"max_parallel_requests": 9}, 9, id="at once"),
        pytest.param({"tpm": 10**9}, 25, id="tokens"),
    ],
)
def test_limits_cost_few_frames(limits, most):
    plain = frames_of(Instant(), Instant())
    limited = Candidate(Instant(), **limits)
    assert frames_of(limited, Instant()) - plain <= most


@pytest.mark.parametrize(
    ("order", "most"),
    [
        ("round_robin", 11),
        ("weighted", 11),
        ("cheapest", 17),
        ("least_busy", 18),
        ("fastest", 46),
    ],
)
def test_an_order_costs_few_frames_however_many_members_there_are(order, most):
    plain = frames_of(Instant(), Instant())
    for number in (2, 10, 50):
        group = Group(members(number, price=(1.0, 2.0)), order=order)
        assert frames_of(group) - plain <= most


def test_a_conversation_that_is_known_costs_few_frames():
    group = Group(members(10), order="round_robin")
    turns = frames_of(group, config=CONVERSATION)
    assert frames_of(group, config=CONVERSATION, sticky="thread_id") - turns <= 4
    assert frames_of(group, sticky="thread_id") - turns <= 1  # of no conversation


def tools(number):
    properties = {"city": {"type": "string"}}
    parameters = {"type": "object", "properties": properties}
    return [
        {"type": "function", "function": {"name": f"f{n}", "parameters": parameters}}
        for n in range(number)
    ]


def called_with(number):
    model = ReliableChatModel(models=[Binds(), Binds()]).bind_tools(tools(number))
    model.invoke("Hi")
    with counted() as found:
        model.invoke("Hi")
    return found


def test_tools_that_stay_the_same_are_bound_once():
    BOUND.clear()
    one, ten, hundred = (called_with(number) for number in (1, 10, 100))
    assert [len(names) for names in BOUND] == [1, 10, 100]
    assert one["frames"] <= 77
    assert ten["frames"] == hundred["frames"] == one["frames"]
    assert hundred["C calls"] == one["C calls"]


class Refuses(Instant):
    """An instant model that is dead, in a way that needs no wait."""

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        raise ModelTimeoutError("no answer")


@pytest.mark.parametrize("order", ["list", "ordered", "round_robin"])
def test_a_call_through_many_dead_models_costs_the_same_for_each(order):
    def through(number):
        dead = [Candidate(Refuses(), name=f"dead {at}") for at in range(number)]
        models = dead if order == "list" else [Group(dead, order=order)]
        model = ReliableChatModel(models=[*models, Instant()])
        model.invoke("Hi")
        model.health.reset()
        with counted() as found:
            model.invoke("Hi")
        return found

    few, some, many = (through(number) for number in (20, 40, 80))
    for name in ("frames", "C calls"):
        assert many[name] - some[name] <= 2.2 * (some[name] - few[name])


async def test_a_healthy_ainvoke_costs_a_bounded_number_of_frames():
    model = our_model()
    await model.ainvoke("Hi")
    with counted() as found:
        await model.ainvoke("Hi")
    assert found["frames"] <= 83


async def test_a_stream_of_one_word_costs_a_bounded_number_of_frames():
    assert (await astreamed(1))["frames"] <= 113


def test_so_it_does_in_sync_with_its_thread():
    assert streamed(1)["frames"] <= 107


async def test_a_hedge_that_is_not_needed_costs_no_frame():
    hedge = Hedge(after=60, whole_after=60)
    for ask in (heard_async, lambda model: model.ainvoke("Hi")):
        frames = {}
        for wish in (None, hedge):
            model = our_model(hedge=wish)
            await ask(model)
            with counted() as found:
                await ask(model)
            frames[wish] = found["frames"]
        assert frames[hedge] <= frames[None]


async def test_a_hedge_that_is_not_needed_costs_one_timer(monkeypatch):
    loop, timers = asyncio.get_running_loop(), Counter()
    call_later = loop.call_later
    monkeypatch.setattr(
        loop, "call_later", lambda *a, **k: timers.update(["l"]) or call_later(*a, **k)
    )
    hedge = Hedge(after=60, whole_after=60)
    for ask in (heard_async, lambda model: model.ainvoke("Hi")):
        told = []
        for wish in (None, hedge):
            model = our_model(hedge=wish)
            await ask(model)
            timers.clear()
            await ask(model)
            told.append(timers.total())
        assert told[1] == told[0] + 1


async def test_a_token_costs_no_more_with_a_hedge():
    plain = per_chunk(*[await astreamed(n) for n in (100, 600)])
    hedged = per_chunk(*[await astreamed(n, hedge=60.0) for n in (100, 600)])
    assert hedged == plain


def test_an_import_leaves_alone_what_few_programs_use():
    code = (
        "import sys, langchain_core.language_models.chat_models;"
        "before = set(sys.modules);"
        "import langchain_reliable;"
        "print(*(set(sys.modules) - before))"
    )
    run = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(run.stdout.split())
    late = {"_classify.interpreter", "chat_models._call_factory"}
    late |= {"chat_models._check", "chat_models._html"}
    late |= {"observers._timeline", "observers._opentelemetry"}
    assert not {f"langchain_reliable.{name}" for name in late} & loaded
    assert not {"tenacity", "langsmith.run_helpers"} & loaded
