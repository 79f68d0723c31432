"""Cancellation, ours and the caller's: whose it is, and that nothing of it stays."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import anyio
import pytest
from by_hand import ByHand, chunk
from turned_clock import JumpingClock

from langchain_reliable import ReliableChatModel, StreamInterrupted
from langchain_reliable.errors import (
    AttemptTimeout,
    FirstChunkTimeout,
    IdleTimeout,
    TotalTimeout,
)
from langchain_reliable.testing import Gate, ScriptedChatModel, says, stalls

SOON = 0.05
"""A limit that passes at once."""
LONG = 5.0
"""A wait that no test waits for to its end."""


def backup(**settings):
    return ScriptedChatModel(model="backup", script=["the backup"], **settings)


def model_of(*models, **settings):
    return ReliableChatModel(models=models, initial_backoff=0, **settings)


async def heard(model):
    """Return the pieces that came, and the error that ended them."""
    pieces = []
    try:
        async for piece in model.astream("hello?"):
            pieces.append(piece.text)  # noqa: PERF401 - kept even if it breaks off
    except Exception as error:  # noqa: BLE001 - looked at by the test
        return "".join(pieces), error
    return "".join(pieces), None


def nothing_stays_cancelled():
    return asyncio.current_task().cancelling() == 0


# --- ours: a child that does not just let it pass ---------------------------------


async def returns():
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(LONG)


async def raises_something_else():
    try:
        await asyncio.sleep(LONG)
    except asyncio.CancelledError:
        raise ConnectionError("closed") from None


async def groups_it():
    async with asyncio.TaskGroup() as group:
        group.create_task(raises_something_else())
        await asyncio.sleep(LONG)


async def cleans_up_first():
    try:
        await asyncio.sleep(LONG)
    finally:
        await asyncio.sleep(0)


async def scopes_it():
    with anyio.CancelScope():
        await anyio.sleep(LONG)


REACTIONS = [returns, raises_something_else, groups_it, cleans_up_first, scopes_it]
reaction = pytest.mark.parametrize("reaction", REACTIONS, ids=lambda one: one.__name__)


@reaction
async def test_however_a_silent_child_takes_it_the_next_is_asked_once(reaction):
    async def silent():
        await reaction()
        if False:
            yield

    child = ByHand(agives=silent)
    text, error = await heard(model_of(child, backup(), first_chunk_timeout=SOON))
    assert (text, error) == ("the backup", None)
    assert child.asked == ["stream"]
    assert nothing_stays_cancelled()


@reaction
@pytest.mark.parametrize("ends", [False, True], ids=["no finish due", "finish due"])
async def test_however_a_stalled_child_takes_it_the_answer_is_interrupted(
    reaction, ends
):
    async def stalled():
        yield chunk("half ")
        await reaction()

    model = model_of(
        ByHand(agives=stalled), idle_timeout=SOON, require_finish_reason=ends
    )
    text, error = await heard(model)
    assert text == "half "
    assert type(error) is StreamInterrupted
    assert type(error.__cause__) is IdleTimeout
    assert nothing_stays_cancelled()


@reaction
async def test_however_it_is_taken_after_the_finish_the_answer_is_whole(reaction):
    async def stalled():
        yield chunk("whole")
        yield chunk(finish="stop")
        await reaction()

    limits = {"idle_timeout": 4 * SOON, "attempt_timeout": 4 * SOON}
    model = model_of(ByHand(agives=stalled), **limits)
    assert await heard(model) == ("whole", None)
    assert nothing_stays_cancelled()


@reaction
async def test_however_an_answer_in_one_piece_takes_it_the_next_is_asked(reaction):
    child = ByHand(aanswers=reaction)
    model = model_of(child, backup(), attempt_timeout=SOON)
    assert (await model.ainvoke("hello?")).text == "the backup"
    assert child.asked == ["answer"]
    assert nothing_stays_cancelled()


async def test_a_limit_inside_a_childs_own_timeout_is_ours():
    async def bounded():
        async with asyncio.timeout(LONG):
            yield chunk("half ")
            await asyncio.sleep(LONG)

    text, error = await heard(model_of(ByHand(agives=bounded), idle_timeout=SOON))
    assert (text, type(error.__cause__)) == ("half ", IdleTimeout)
    assert nothing_stays_cancelled()


@pytest.mark.parametrize(
    "scope", [anyio.CancelScope, lambda: anyio.move_on_after(LONG)], ids=["bare", "due"]
)
async def test_a_childs_cancel_scope_may_be_held_across_its_yields(scope):
    async def scoped():
        with scope():
            yield chunk("one ")
            with scope():
                yield chunk("two")
            yield chunk(finish="stop")

    model = model_of(ByHand(agives=scoped), idle_timeout=LONG)
    assert await heard(model) == ("one two", None)
    stream = model.astream("hello?")
    await anext(stream)
    await stream.aclose()
    assert nothing_stays_cancelled()


async def test_a_task_group_held_across_yields_is_cut_off_with_its_tasks():
    ended = []

    async def side():
        try:
            await anyio.sleep(LONG)
        finally:
            ended.append("side")

    async def grouped():
        async with anyio.create_task_group() as group:
            group.start_soon(side)
            yield chunk("half ")
            await anyio.sleep(LONG)

    text, error = await heard(model_of(ByHand(agives=grouped), idle_timeout=SOON))
    assert (text, type(error.__cause__)) == ("half ", IdleTimeout)
    assert ended == ["side"]
    assert nothing_stays_cancelled()


# --- the caller's -----------------------------------------------------------------


def stuck(**settings):
    script = [stalls(LONG, "one two", after=1)]
    return ScriptedChatModel(model="stuck", script=script, **settings)


def mute():
    return ScriptedChatModel(model="mute", script=[stalls(LONG)])


LIMITS = {
    "first_chunk_timeout": LONG,
    "idle_timeout": LONG,
    "attempt_timeout": LONG,
    "total_timeout": LONG,
}


async def all_of(stream):
    return [piece async for piece in stream]


@pytest.mark.parametrize("limits", [{}, LIMITS], ids=["default", "all limits"])
@pytest.mark.parametrize("child", [stuck, mute], ids=["in mid-answer", "before it"])
async def test_a_timeout_around_our_stream_is_the_callers(child, limits):
    first, second = child(), backup()
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(SOON):
            await all_of(model_of(first, second, **limits).astream("hello?"))
    assert type(caught.value) is TimeoutError
    assert first.open_streams == 0
    assert second.request_count == 0
    assert nothing_stays_cancelled()


@pytest.mark.parametrize("limits", [{}, LIMITS], ids=["default", "all limits"])
@pytest.mark.parametrize("child", [stuck, mute], ids=["in mid-answer", "before it"])
async def test_so_is_a_cancel_scope(child, limits):
    first, second = child(), backup()
    with anyio.move_on_after(SOON) as scope:
        async for _ in model_of(first, second, **limits).astream("hello?"):
            pass
    assert scope.cancelled_caught
    assert first.open_streams == 0
    assert second.request_count == 0
    assert nothing_stays_cancelled()


@pytest.mark.parametrize("limits", [{}, LIMITS], ids=["default", "all limits"])
async def test_so_it_is_around_ainvoke(limits):
    second = backup()
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(SOON):
            await model_of(mute(), second, **limits).ainvoke("hello?")
    assert type(caught.value) is TimeoutError
    assert second.request_count == 0
    assert nothing_stays_cancelled()


async def test_the_callers_cancellation_wins_over_a_limit_that_passes_meanwhile():
    cleaning = asyncio.Event()

    async def slow_to_leave():
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            cleaning.set()
            await asyncio.sleep(4 * SOON)
            raise
        yield

    second = backup()
    model = model_of(ByHand(agives=slow_to_leave), second, first_chunk_timeout=2 * SOON)
    task = asyncio.create_task(heard(model))
    await asyncio.sleep(SOON)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaning.is_set()
    assert second.request_count == 0


async def test_so_it_does_in_mid_answer():
    async def slow_to_leave():
        yield chunk("half ")
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            await asyncio.sleep(4 * SOON)
            raise

    model = model_of(ByHand(agives=slow_to_leave), idle_timeout=2 * SOON)
    task = asyncio.create_task(heard(model))
    await asyncio.sleep(SOON)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("told", [0, 1], ids=["before the first word", "after it"])
async def test_it_stays_one_though_the_child_makes_something_else_of_it(told):
    async def gives():
        for _ in range(told):
            yield chunk("half ")
        await raises_something_else()

    second = backup()
    task = asyncio.create_task(heard(model_of(ByHand(agives=gives), second)))
    for _ in range(20):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert second.request_count == 0


async def test_a_cancelled_wait_between_attempts_asks_nobody_else():
    first = ScriptedChatModel(model="first", script=[ConnectionError("reset")])
    second = backup()
    model = ReliableChatModel(
        models=[first, second], initial_backoff=LONG, max_retry_after=LONG
    )
    model._clock = _Middle()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(SOON):
            await model.ainvoke("hello?")
    assert (first.request_count, second.request_count) == (1, 0)


class _Middle:
    """The machine's clock, with a chance that always falls in the middle."""

    def now(self):
        return asyncio.get_running_loop().time()

    async def asleep_until(self, moment):
        await asyncio.sleep(moment - self.now())

    def chance(self):
        return 0.5


async def test_a_caller_who_spends_long_on_a_chunk_is_never_cancelled():
    """Not even past a deadline, nor past the time after the finish."""

    async def quick():
        yield chunk("one ")
        yield chunk("two")
        yield chunk(finish="stop")

    model = model_of(ByHand(agives=quick), first_chunk_timeout=SOON, idle_timeout=SOON)
    texts = []
    async for piece in model.astream("hello?"):
        texts.append(piece.text)
        await asyncio.sleep(2 * SOON)
    assert "".join(texts) == "one two"


@pytest.mark.parametrize(
    ("limit", "cause"),
    [("attempt_timeout", AttemptTimeout), ("total_timeout", TotalTimeout)],
)
def test_nor_is_one_who_outlasts_a_deadline(limit, cause):
    clock = JumpingClock()

    async def slow():
        for word in ("one ", "two ", "three"):
            yield chunk(word)
            await asyncio.sleep(0)
        yield chunk(finish="stop")

    async def hear():
        model, texts, error = model_of(ByHand(agives=slow), **{limit: 60}), [], None
        model._clock = clock
        try:
            async for piece in model.astream("?"):
                texts.append(piece.text)
                clock.jump(120)
                await asyncio.sleep(0.001)  # timers that are due have their turn
        except StreamInterrupted as interrupted:
            error = interrupted
        assert "one two three".startswith("".join(texts))
        assert error is None or type(error.__cause__) is cause
        assert nothing_stays_cancelled()

    clock.run(hear())


async def test_the_loop_rests_while_a_caller_outlasts_a_deadline():
    """Counted in turns of the loop: a timer that spins would make thousands."""
    model = model_of(stuck(), attempt_timeout=SOON)
    stream = model.astream("hello?")
    await anext(stream)
    turns = 0
    loop = asyncio.get_running_loop()
    real = loop._run_once

    def counted():
        nonlocal turns
        turns += 1
        real()

    loop._run_once = counted
    await asyncio.sleep(4 * SOON)
    loop._run_once = real
    await stream.aclose()
    assert turns < 50


async def test_each_chunk_may_be_asked_for_by_another_task():
    child = ScriptedChatModel(script=["one two three"])
    stream = model_of(child, **LIMITS).astream("hello?")
    texts = []
    with suppress(StopAsyncIteration):
        while True:
            texts.append((await asyncio.create_task(_next(stream))).text)
    assert "".join(texts) == "one two three"
    assert child.open_streams == 0


async def _next(stream):
    try:
        return await anext(stream)
    except StopAsyncIteration:
        raise _Ended from None


class _Ended(StopAsyncIteration, Exception):
    """A task can't end in a bare `StopAsyncIteration`... but its subclass can."""


async def test_and_a_limit_then_ends_the_task_that_waits():
    stream = model_of(stuck(), idle_timeout=SOON).astream("hello?")
    await asyncio.create_task(anext_of(stream))
    with pytest.raises(StreamInterrupted):
        await asyncio.create_task(anext_of(stream))
    assert nothing_stays_cancelled()


async def anext_of(stream):
    return await anext(stream)


async def test_cancelled_twice_is_still_cancelled_and_closed():
    async def slow_to_leave():
        try:
            yield chunk("half ")
            await asyncio.sleep(LONG)
        finally:
            await asyncio.sleep(2 * SOON)
            closed.append(True)

    closed = []
    task = asyncio.create_task(heard(model_of(ByHand(agives=slow_to_leave))))
    await asyncio.sleep(SOON)
    task.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_gate_between_chunks_is_waited_for_within_the_limits():
    with Gate() as gate:
        child = ScriptedChatModel(script=[says("one two", gates={1: gate})])
        stream = model_of(child, idle_timeout=LONG).astream("hello?")
        first = await anext(stream)
        gate.open()
        rest = [piece.text async for piece in stream]
    assert (first.text, "".join(rest)) == ("one", " two")


@pytest.mark.parametrize("limit", ["first_chunk_timeout", "attempt_timeout"])
async def test_a_limit_that_is_missed_says_which(limit):
    cause = {"first_chunk_timeout": FirstChunkTimeout}.get(limit, AttemptTimeout)
    seen = []
    model = model_of(mute(), backup(), observers=(seen.append,), **{limit: SOON})
    assert (await heard(model))[0] == "the backup"
    [failed] = [event for event in seen if type(event).__name__ == "AttemptFailed"]
    assert type(failed.attempt.error) is cause
