"""However a call ends, what it opened is closed: at once where that can be."""

from __future__ import annotations

import asyncio
import gc
import signal
from contextlib import aclosing, asynccontextmanager, closing, suppress

import anyio
import pytest
from by_hand import ByHand, chunk
from langchain_core.callbacks.base import BaseCallbackHandler
from langgraph.errors import GraphInterrupt
from our_threads import wait_for_rest
from pydantic import Field

from langchain_reliable import AllModelsFailed, ReliableChatModel, StreamInterrupted
from langchain_reliable._runtime import closing as closing_room
from langchain_reliable.testing import (
    FAULTS,
    Gate,
    ScriptedChatModel,
    fails,
    says,
    stalls,
    streams,
)

SOON = 0.05
FAR_TOO_LATE = 5.0
"""What no machine takes, however busy it is."""
LONG = 5.0
UNLIMITED = {"first_chunk_timeout": None, "idle_timeout": None}
LIMITED = {"first_chunk_timeout": LONG, "idle_timeout": LONG}


def primary(*script):
    return ScriptedChatModel(model="primary", script=script or ["one two three"])


def backup():
    return ScriptedChatModel(model="backup", script=["the backup"])


def model_of(*models, **settings):
    return ReliableChatModel(models=models, initial_backoff=0, **settings)


class Broken(Exception):
    """What the caller's own code raises."""


# --- async: before control returns ------------------------------------------------


@pytest.fixture(params=["no limits", "limits"])
def limits(request):
    return LIMITED if request.param == "limits" else UNLIMITED


async def test_aclose_closes_at_once(limits):
    child = primary()
    stream = model_of(child, **limits).astream("hello?")
    await anext(stream)
    await stream.aclose()
    assert (child.opened_streams, child.open_streams) == (1, 0)


async def test_break_closes_at_the_end_of_the_block(limits):
    child = primary()
    async with aclosing(model_of(child, **limits).astream("hello?")) as stream:
        async for _ in stream:
            break
    assert (child.opened_streams, child.open_streams) == (1, 0)


async def test_an_exception_in_the_consumer_does_too(limits):
    async def consume():
        async with aclosing(model_of(child, **limits).astream("hello?")) as stream:
            async for _ in stream:
                raise Broken

    child = primary()
    with pytest.raises(Broken):
        await consume()
    assert (child.opened_streams, child.open_streams) == (1, 0)


async def test_a_stream_that_is_dropped_closes_in_the_next_turns_of_the_loop(limits):
    child = primary()
    stream = model_of(child, **limits).astream("hello?")
    await anext(stream)
    del stream
    gc.collect()
    for _ in range(20):
        await asyncio.sleep(0)
    assert child.open_streams == 0


@pytest.mark.parametrize("told", [0, 1], ids=["before the first word", "after it"])
async def test_cancellation_closes_at_once(limits, told):
    child = primary(stalls(LONG, after=told))
    task = asyncio.create_task(_heard(model_of(child, backup(), **limits)))
    for _ in range(20):
        await asyncio.sleep(0)
    assert child.open_streams == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert child.open_streams == 0


async def _heard(model):
    return [piece.text async for piece in model.astream("hello?")]


class Spy(ScriptedChatModel):
    """Notes who else has a stream open when it is asked."""

    others: list = Field(default_factory=list)
    seen: list = Field(default_factory=list)

    def _astream(self, *args, **kwargs):
        self.seen.extend(one.open_streams for one in self.others)
        return super()._astream(*args, **kwargs)

    def _stream(self, *args, **kwargs):
        self.seen.extend(one.open_streams for one in self.others)
        return super()._stream(*args, **kwargs)


LOSES = {
    "a connection that breaks": fails(ConnectionError("reset")),
    "a stream without a word": streams(),
    "an empty answer": says(""),
    "a silence": stalls(LONG),
}


@pytest.mark.parametrize("loses", LOSES.values(), ids=list(LOSES))
async def test_a_stream_that_lost_is_closed_before_the_next_is_opened(loses):
    first = primary(loses)
    second = Spy(model="backup", script=["the backup"], others=[first])
    model = model_of(first, second, max_retries=0, first_chunk_timeout=SOON)
    assert "".join(await _heard(model)) == "the backup"
    assert second.seen == [0]
    assert (first.open_streams, second.open_streams) == (0, 0)


async def test_giving_up_leaves_nothing_open(limits):
    first, second = (primary(fails(ConnectionError, after=0)) for _ in range(2))
    with pytest.raises(AllModelsFailed):
        await _heard(model_of(first, second, max_retries=1, **limits))
    assert (first.opened_streams, first.open_streams) == (2, 0)
    assert (second.opened_streams, second.open_streams) == (2, 0)


async def test_nor_does_an_interruption(limits):
    child = primary(fails(ConnectionError, after=2))
    with pytest.raises(StreamInterrupted):
        await _heard(model_of(child, **limits))
    assert child.open_streams == 0


# --- async: to the bottom ---------------------------------------------------------


class Layers:
    """A child of three generators, as partner package, SDK and HTTP client are."""

    def __init__(self, error=None):
        self.closed = []
        self._error = error

    async def wire(self):
        try:
            for word in ("one ", "two ", "three "):
                yield chunk(word)
        finally:
            await asyncio.sleep(0)
            self.closed.append("wire")

    async def sdk(self):
        lines = self.wire()
        try:
            async for line in lines:
                yield line
        finally:
            self.closed.append("sdk")

    async def partner(self):
        events = self.sdk()
        async for event in events:
            yield event
            if self._error is not None:
                raise self._error


async def test_leaving_closes_every_layer_beneath():
    layers = Layers()
    stream = model_of(ByHand(agives=layers.partner)).astream("hello?")
    await anext(stream)
    await stream.aclose()
    assert layers.closed == ["sdk", "wire"]


async def test_so_does_an_error_even_while_somebody_keeps_it():
    layers = Layers(ConnectionError("an event that tells of an error"))
    with pytest.raises(StreamInterrupted) as kept:
        await _heard(model_of(ByHand(agives=layers.partner)))
    assert layers.closed == ["sdk", "wire"]
    assert kept.value.__cause__ is layers._error


async def test_a_session_that_outlives_the_call_is_left_alone():
    @asynccontextmanager
    async def session():
        try:
            yield "open"
        finally:
            sessions.append("closed")

    sessions = []
    opened = session()

    async def child():
        if not sessions:
            sessions.append(await opened.__aenter__())
        yield chunk("hello")

    model = model_of(ByHand(agives=child))
    assert "".join(await _heard(model)) == "hello"
    assert "".join(await _heard(model)) == "hello"
    assert sessions == ["open"]
    await opened.__aexit__(None, None, None)


# --- async: a child that is hard to close -----------------------------------------


def child_that(cleans_up):
    async def gives():
        try:
            yield chunk("one ")
            yield chunk("two", finish="stop")
        finally:
            await cleans_up()

    return ByHand(agives=gives)


async def raises_an_error():
    raise OSError("rude")


async def raises_a_cancellation():
    raise asyncio.CancelledError


async def bounds_itself():
    async with asyncio.timeout(SOON):
        await asyncio.sleep(LONG)


async def bounds_itself_with_anyio():
    with anyio.move_on_after(SOON):
        await anyio.sleep(LONG)


async def groups_its_tasks():
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(0))


async def shields_itself():
    with anyio.CancelScope(shield=True):
        await anyio.sleep(SOON)


RUDE = [
    raises_an_error,
    raises_a_cancellation,
    bounds_itself,
    bounds_itself_with_anyio,
    groups_its_tasks,
    shields_itself,
]


@pytest.mark.parametrize("cleans_up", RUDE, ids=lambda one: one.__name__)
async def test_how_a_child_cleans_up_is_nobodys_business(cleans_up):
    stream = model_of(child_that(cleans_up)).astream("hello?")
    await anext(stream)
    async with asyncio.timeout(FAR_TOO_LATE):
        await stream.aclose()
    assert asyncio.current_task().cancelling() == 0


@pytest.mark.parametrize(
    "cleans_up",
    [one for one in RUDE if one is not raises_a_cancellation],
    ids=lambda one: one.__name__,
)
async def test_nor_is_it_at_the_end_of_a_whole_answer(cleans_up):
    async with asyncio.timeout(FAR_TOO_LATE):
        assert "".join(await _heard(model_of(child_that(cleans_up)))) == "one two"
    assert asyncio.current_task().cancelling() == 0


async def test_a_stuck_child_is_left_when_its_time_is_up(monkeypatch):
    monkeypatch.setattr(closing_room, "CLOSING", SOON)

    async def is_stuck():
        await asyncio.sleep(LONG)

    stream = model_of(child_that(is_stuck)).astream("hello?")
    await anext(stream)
    async with asyncio.timeout(FAR_TOO_LATE):
        await stream.aclose()
    assert asyncio.current_task().cancelling() == 0


async def test_a_cancellation_while_closing_is_heeded_when_all_is_closed():
    class Slow(Layers):
        async def sdk(self):
            lines = self.wire()
            try:
                async for line in lines:
                    yield line
            finally:
                closing.set()
                await asyncio.sleep(LONG)

    closing, layers = asyncio.Event(), Slow()
    stream = model_of(ByHand(agives=layers.partner)).astream("hello?")
    await anext(stream)
    task = asyncio.create_task(stream.aclose())
    await closing.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert layers.closed == ["wire"]


async def test_a_cancel_scope_around_closing_is_the_callers():
    async def is_slow():
        await asyncio.sleep(LONG)

    stream = model_of(child_that(is_slow)).astream("hello?")
    await anext(stream)
    with anyio.move_on_after(SOON) as scope:
        await stream.aclose()
    assert scope.cancelled_caught
    assert asyncio.current_task().cancelling() == 0


# --- sync -------------------------------------------------------------------------


def test_close_closes_at_once_where_no_limit_applies():
    child = primary()
    stream = model_of(child, **UNLIMITED).stream("hello?")
    next(stream)
    stream.close()
    assert (child.opened_streams, child.open_streams) == (1, 0)


def test_break_does_too():
    child = primary()
    for _ in model_of(child, **UNLIMITED).stream("hello?"):
        break
    assert (child.opened_streams, child.open_streams) == (1, 0)


def test_so_does_an_exception_in_the_consumer():
    child = primary()

    def consume():
        with closing(model_of(child, **UNLIMITED).stream("hello?")) as stream:
            for _ in stream:
                raise Broken

    with pytest.raises(Broken):
        consume()
    assert child.open_streams == 0


def test_a_stream_that_is_dropped_is_closed_with_it():
    child = primary()
    stream = model_of(child, **UNLIMITED).stream("hello?")
    next(stream)
    del stream
    assert child.open_streams == 0


def test_a_rude_child_is_not_heard_while_it_is_closed(recwarn):
    def gives():
        try:
            yield chunk("one ")
            yield chunk("two ")
        finally:
            raise OSError("rude")

    stream = model_of(ByHand(gives=gives), **UNLIMITED).stream("hello?")
    next(stream)
    stream.close()
    assert not recwarn.list


@pytest.mark.parametrize("loses", LOSES.values(), ids=list(LOSES))
def test_a_lost_stream_is_closed_before_the_next_or_left_to_its_thread(loses):
    first = primary(loses)
    second = Spy(model="backup", script=["the backup"], others=[first])
    limit = SOON if loses is LOSES["a silence"] else None
    limits = {"first_chunk_timeout": limit, "idle_timeout": None}
    model = model_of(first, second, max_retries=0, **limits)
    with Gate() as gate:
        if limit:
            first.script = (stalls(gate),)
        assert "".join(piece.text for piece in model.stream("hello?")) == "the backup"
        assert second.seen == [1 if limit else 0]
    closed_soon(first)


def closed_soon(*children):
    """Wait for the daemon threads that were left behind."""
    assert wait_for_rest(LONG)
    assert [child.open_streams for child in children] == [0] * len(children)


@pytest.mark.parametrize("how", ["close", "drop", "interrupt"])
def test_where_a_thread_reads_it_closes_soon_after(how):
    with Gate() as gate:
        child = primary(says("one two three", gates={2: gate}))
        stream = model_of(child, **LIMITED).stream("hello?")
        next(stream)
        match how:
            case "close":
                stream.close()
            case "drop":
                del stream
            case "interrupt":
                with pytest.raises(KeyboardInterrupt):
                    interrupted(lambda: list(stream))
    closed_soon(child)


def test_a_reader_that_waits_for_room_leaves_when_its_consumer_does():
    child = primary(says("", chunks=["a"] * 500))
    stream = model_of(child, **LIMITED).stream("hello?")
    next(stream)
    assert child.open_streams == 1
    stream.close()
    closed_soon(child)


def interrupted(work):
    """Do what a person does who is tired of waiting."""

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, SOON)
    try:
        work()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("told", [0, 1], ids=["before the first word", "after it"])
@pytest.mark.parametrize("limits", [UNLIMITED, LIMITED], ids=["no limits", "limits"])
def test_a_keyboard_interrupt_leaves_as_it_came_and_asks_nobody_else(limits, told):
    with Gate() as gate:
        first = primary(stalls(gate, after=told))
        second = backup()
        model = model_of(first, second, **limits)
        with pytest.raises(KeyboardInterrupt):
            interrupted(lambda: list(model.stream("hello?")))
        assert second.request_count == 0
    closed_soon(first)


@pytest.mark.parametrize("limits", [{}, {"attempt_timeout": LONG}])
def test_nor_does_one_during_invoke(limits):
    with Gate() as gate:
        second = backup()
        model = model_of(primary(stalls(gate)), second, **limits)
        with pytest.raises(KeyboardInterrupt):
            interrupted(lambda: model.invoke("hello?"))
        assert second.request_count == 0
    closed_soon()


# --- what is raised in the middle, and is no provider's ---------------------------


class Strict(BaseCallbackHandler):
    """A handler whose complaint must be heard."""

    raise_error = True

    def on_llm_new_token(self, token, **_):
        if token.strip() == "two":
            raise Broken


def test_a_handler_that_raises_in_mid_stream_is_heard_and_nothing_is_retried(surface):
    first, second = primary(), backup()
    outcome = surface(
        model_of(first, second, **UNLIMITED), config={"callbacks": [Strict()]}
    )
    if surface.streams:
        assert type(outcome.error) is Broken
    assert (first.request_count, second.request_count) == (1, 0)
    assert first.open_streams == 0


def test_so_it_is_with_limits(surface):
    first, second = primary(), backup()
    outcome = surface(
        model_of(first, second, **LIMITED), config={"callbacks": [Strict()]}
    )
    if surface.streams:
        assert type(outcome.error) is Broken
    assert (first.request_count, second.request_count) == (1, 0)
    closed_soon(first)


@pytest.mark.parametrize("told", [0, 2], ids=["before the first word", "after it"])
@pytest.mark.parametrize("limits", [UNLIMITED, LIMITED], ids=["no limits", "limits"])
def test_a_graph_interrupt_beneath_a_child_leaves_as_it_came(surface, limits, told):
    interrupt = GraphInterrupt()
    first, second = primary(fails(interrupt, after=told)), backup()
    outcome = surface(model_of(first, second, **limits))
    assert outcome.error is interrupt
    assert (first.request_count, second.request_count) == (1, 0)
    closed_soon(first)


# --- on the wire ------------------------------------------------------------------

HARD = ["content-then-error", "malformed-event", "content-then-cut", "role-then-error"]


@pytest.mark.parametrize("family", ["openai", "anthropic"])
@pytest.mark.parametrize("fault", HARD)
async def test_a_response_is_closed_while_its_error_is_kept(clients, family, fault):
    """In the running loop, before any finalizer of it could help."""
    clients.sim.script("primary", FAULTS[fault])
    model = model_of(clients.of(family, "primary"), max_retries=0)
    with pytest.raises(Exception) as kept:  # noqa: PT011 - which one: see the matrix
        await _heard(model)
    await clients.sim.await_closed()
    assert kept.value is not None
    await _leave(model)


@pytest.mark.parametrize("family", ["openai", "anthropic"])
@pytest.mark.parametrize("leave", ["aclose", "cancel"])
async def test_a_real_response_is_closed_when_its_consumer_leaves(
    clients, family, leave
):
    clients.sim.script("primary", FAULTS["content-then-stall"])
    model = model_of(clients.of(family, "primary"))
    if leave == "aclose":
        async with aclosing(model.astream("hello?")) as stream:
            await anext(stream)
    else:
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * SOON):
                await _heard(model)
    await clients.sim.await_closed()
    await _leave(model)


async def _leave(model):
    """Close the idle connections of this loop, which its clients keep."""
    for candidate in model.models:
        child = candidate.model
        client = getattr(child, "root_async_client", None) or child._async_client
        await client.close()


class Routing(ReliableChatModel):
    """A subclass that has something to do around its streams."""

    async def _astream(self, *args, **kwargs):
        assert set(kwargs) <= {"stop", "run_manager"}, "none of ours reaches it"
        async for one in super()._astream(*args, **kwargs):
            yield one


class Answering(ReliableChatModel):
    """One that has something to do around its answers."""

    async def _agenerate(self, *args, **kwargs):
        assert set(kwargs) <= {"stop", "run_manager"}, "none of ours reaches it"
        return await super()._agenerate(*args, **kwargs)


async def test_the_stream_of_a_subclass_is_closed_before_control_returns():
    child = primary("one two three")
    stream = Routing(models=[child]).astream("hello?")
    await anext(stream)
    assert child.open_streams == 1
    await stream.aclose()
    assert child.open_streams == 0


async def test_a_subclass_may_answer_where_nothing_streams():
    model = Answering(models=[primary("one two three")], disable_streaming=True)
    assert [one.text async for one in model.astream("hello?")] == ["one two three"]
