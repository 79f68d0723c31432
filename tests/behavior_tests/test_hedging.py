"""Two in flight: right text, right trail, and nothing is left behind.

Who commits first, what becomes of the other, and whether the caller leaves: on four
surfaces, on asyncio's own event loop and on another one, and with children that hold
task groups across their `yield`s.
"""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing
from pathlib import Path

import anyio
import pytest
from by_hand import ByHand, chunk
from langchain_core.exceptions import ModelError
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from our_threads import others, wait_for_rest

from langchain_reliable import (
    PROPAGATE,
    AllModelsFailed,
    CustomEventObserver,
    Hedge,
    ReliableChatModel,
    StreamInterrupted,
    Timeline,
)
from langchain_reliable._runtime.reader_thread import abandoned_readers
from langchain_reliable.events import AttemptFailed, AttemptLost, Hedged
from langchain_reliable.failures import FailureKind
from langchain_reliable.testing import (
    ScriptedChatModel,
    hang_after_headers,
    hang_before_headers,
)

AFTER = 0.1
AT_ONCE = 20
CALLS = int(os.environ.get("LANGCHAIN_RELIABLE_LEAK_CALLS", "60"))
SURFACES = ("invoke", "ainvoke", "stream", "astream")
WORDS = {"first": ["the ", "first"], "second": ["the ", "second"]}


class Broken(ModelError):
    """What a child raises."""


class Signals:
    """Moments of a race, for threads and tasks alike."""

    def __init__(self):
        self.set = set()
        self.over = False
        self._changed = threading.Condition()

    def happened(self, name):
        with self._changed:
            self.set.add(name)
            self._changed.notify_all()

    def wait(self, name):
        with self._changed:
            self._changed.wait_for(lambda: name in self.set or self.over, 10)

    async def await_(self, name):
        while name not in self.set:  # noqa: ASYNC110 - threads set it
            await asyncio.sleep(0.001)


class Racer(ByHand):
    """A child that does its part when it is its turn, and tells when it has ended.

    `part` is "speaks", "fails", "silent" or "breaks" (after its first word); `when` is
    what it waits for before it does.
    """

    part: str
    when: str | None
    signals: object

    def __init__(self, **settings):
        super().__init__(**settings)
        self.gives, self.agives = self._gives, self._agives
        self.answers, self.aanswers = self._answers, self._aanswers

    def _starts(self):
        self.signals.happened(f"{self.model} asked")

    def _acts(self):
        if self.part == "fails":
            raise Broken(self.model)

    def _goes_on(self):
        if self.part == "breaks":
            raise Broken(self.model)

    def _gives(self):
        try:
            self._starts()
            yield chunk()
            self.signals.wait("never" if self.part == "silent" else self.when)
            self._acts()
            for word in WORDS[self.model]:
                yield chunk(word)
                self._goes_on()
            yield last_chunk()
        finally:
            self.signals.happened(f"{self.model} closed")

    async def _agives(self):
        async with anyio.create_task_group() as group:  # left in the task that entered
            group.start_soon(anyio.sleep, 0)
            try:
                self._starts()
                yield chunk()
                await self.signals.await_(
                    "never" if self.part == "silent" else self.when
                )
                self._acts()
                for word in WORDS[self.model]:
                    yield chunk(word)
                    self._goes_on()
                yield last_chunk()
            finally:
                self.signals.happened(f"{self.model} closed")

    def _answers(self):
        return whole([*self._gives()])

    async def _aanswers(self):
        async with aclosing(self._agives()) as chunks:
            return whole([one async for one in chunks])


def whole(chunks):
    said = "".join(one.message.content for one in chunks)
    return AIMessage(said, usage_metadata=chunks[-1].message.usage_metadata)


USAGE = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}


def last_chunk():
    message = AIMessageChunk(content="", usage_metadata=USAGE)
    return ChatGenerationChunk(
        message=message, generation_info={"finish_reason": "stop"}
    )


@pytest.fixture
def signals():
    signals = Signals()
    yield signals
    with signals._changed:
        signals.over = True
        signals._changed.notify_all()
    assert wait_for_rest()


@pytest.fixture(params=["asyncio", "uvloop"])
def loop_run(request):
    factory = None
    if request.param == "uvloop":
        if request.node.callspec.params.get("surface") in ("invoke", "stream"):
            pytest.skip("no event loop there")
        factory = pytest.importorskip("uvloop").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        yield runner.run


def race(signals, first, second, **settings):
    """Return a model of two racers and what is heard of it."""
    heard = []

    def hear(event):
        heard.append(event)
        if isinstance(event, AttemptFailed):
            signals.happened(f"{event.attempt.candidate} failed")

    children = [
        Racer(model="first", part=first[0], when=first[1], signals=signals),
        Racer(model="second", part=second[0], when=second[1], signals=signals),
    ]
    hedge = Hedge(after=AFTER, whole_after=AFTER)
    settings = {"hedge": hedge, "max_retries": 0, **settings}
    model = ReliableChatModel(models=children, observers=[hear], **settings)
    return model, heard


async def asked(model, surface, *, leaves):  # noqa: PLR0911 - by surface
    """Ask and return the answer; or leave after the first word, or while waiting."""
    if surface == "ainvoke" and leaves:
        task = asyncio.create_task(model.ainvoke("?"))
        await model.models[1].model.signals.await_("second asked")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return None
    match surface:
        case "invoke":
            return model.invoke("?")
        case "ainvoke":
            return await model.ainvoke("?")
        case "stream":
            whole = None
            with closing(model.stream("?")) as chunks:
                for one in chunks:
                    whole = one if whole is None else whole + one
                    if leaves and one.text:
                        return None
            return whole
        case "astream":
            whole = None
            async with aclosing(model.astream("?")) as chunks:
                async for one in chunks:
                    whole = one if whole is None else whole + one
                    if leaves and one.text:
                        return None
            return whole


async def asked_to_the_end(model, surface, *, leaves=False):
    answer = await asked(model, surface, leaves=leaves)
    for _ in range(50):
        if len(asyncio.all_tasks()) == 1:
            break
        await asyncio.sleep(0.001)
    assert len(asyncio.all_tasks()) == 1
    return answer


MATRIX = [
    (winner, other, leaves)
    for winner in ("first", "second")
    for other in ("silent", "fails")
    for leaves in (False, True)
]


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(("winner", "other", "leaves"), MATRIX)
def test_who_speaks_first_is_heard_alone(
    signals, loop_run, surface, winner, other, leaves
):
    if surface == "invoke" and leaves:
        pytest.skip("nobody leaves an invoke")
    loser = {"first": "second", "second": "first"}[winner]
    last_asked = "second asked"
    when = f"{loser} failed" if other == "fails" else last_asked
    if surface == "ainvoke" and leaves:
        when = "never"  # it is left before
    parts = {winner: ("speaks", when), loser: (other, last_asked)}
    model, heard = race(signals, parts["first"], parts["second"])

    answer = loop_run(asked_to_the_end(model, surface, leaves=leaves))

    hedged = [event for event in heard if isinstance(event, Hedged)]
    assert [(one.source, one.target) for one in hedged] == [("first", "second")]
    if surface in ("ainvoke", "astream"):
        assert {"first closed", "second closed"} <= signals.set
    if leaves:
        return
    assert answer.text == f"the {winner}"
    assert answer.usage_metadata == USAGE
    trail = answer.response_metadata["reliable"]
    rows = {row["candidate"]: row for row in trail["attempts"]}
    assert trail["served_by"] == winner
    assert rows["second"]["hedged"] is True
    if other == "fails":
        assert rows[loser]["kind"] == FailureKind.UNKNOWN
    else:
        assert rows[loser]["lost"] is True
        lost = [one.attempt.candidate for one in heard if isinstance(one, AttemptLost)]
        assert lost == [loser]
    states = {one.name: one.failures for one in model.health.snapshot()}
    assert states[loser] == (other == "fails")


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("winner", ["first", "second"])
def test_who_breaks_after_its_first_word(signals, loop_run, surface, winner):
    """Is interrupted where that was shown; in one piece, the other goes on alone."""
    other = {"first": "second", "second": "first"}[winner]
    goes_on = f"{winner} failed" if "invoke" in surface else None
    parts = {winner: ("breaks", "second asked"), other: ("speaks", goes_on)}
    if goes_on is None:
        parts[other] = ("silent", None)
    model, heard = race(signals, parts["first"], parts["second"])
    if goes_on is not None:
        answer = loop_run(asked_to_the_end(model, surface))
        assert answer.text == f"the {other}"
        assert answer.usage_metadata == USAGE
        return
    with pytest.raises(StreamInterrupted) as caught:
        loop_run(asked_to_the_end(model, surface))
    assert caught.value.partial.text == WORDS[winner][0]
    assert caught.value.served_by == winner
    lost = [one.attempt.candidate for one in heard if isinstance(one, AttemptLost)]
    assert lost == [other]


@pytest.mark.parametrize("surface", SURFACES)
def test_when_both_fail_the_next_is_asked(signals, loop_run, surface):
    model, _ = race(signals, ("fails", "second failed"), ("fails", "second asked"))
    third = ByHand(model="third", answers=lambda: "third", gives=says_third)
    third.agives, third.aanswers = asays_third, athird
    model.models = [*model.models, third]
    answer = loop_run(asked_to_the_end(model, surface))
    assert answer.text == "third"
    assert [
        row["candidate"] for row in answer.response_metadata["reliable"]["attempts"]
    ] == ["first", "second", "third"]


@pytest.mark.parametrize("surface", SURFACES)
def test_when_all_fail_one_error_tells_of_both(signals, loop_run, surface):
    model, _ = race(signals, ("fails", "second failed"), ("fails", "second asked"))
    with pytest.raises(AllModelsFailed) as caught:
        loop_run(asked_to_the_end(model, surface))
    assert [one.candidate for one in caught.value.attempts] == ["first", "second"]


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("whose", ["first", "second"])
@pytest.mark.parametrize(
    "settings",
    [{"verdicts": {"unknown": "raise"}}, {"classify": lambda _: PROPAGATE}],
    ids=["a verdict", "no provider's failure"],
)
def test_what_leaves_at_once_ends_both(signals, loop_run, surface, whose, settings):
    other = {"first": "second", "second": "first"}[whose]
    parts = {whose: ("fails", "second asked"), other: ("silent", None)}
    model, _ = race(signals, parts["first"], parts["second"], **settings)
    with pytest.raises((Broken, ExceptionGroup)) as caught:  # anyio packs it
        loop_run(asked_to_the_end(model, surface))
    error = caught.value
    while isinstance(error, ExceptionGroup):
        (error,) = error.exceptions
    assert str(error) == whose


@pytest.mark.parametrize("surface", ["ainvoke", "astream"])
def test_a_caller_that_is_cancelled_while_both_are_silent_closes_both(
    signals, loop_run, surface
):
    model, _ = race(signals, ("silent", None), ("silent", None))

    async def leave():
        task = asyncio.create_task(asked(model, surface, leaves=False))
        await signals.await_("second asked")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert {"first closed", "second closed"} <= signals.set
        return len(asyncio.all_tasks())

    assert loop_run(leave()) == 1


def test_a_consumer_of_a_hedge_may_change_its_task(signals, loop_run):
    model, _ = race(signals, ("silent", None), ("speaks", "second asked"))

    async def one_by_one():
        words, chunks = [], model.astream("?")
        while (one := await asyncio.create_task(anext(chunks, None))) is not None:
            words.append(one.text)
        return "".join(words)

    assert loop_run(one_by_one()) == "the second"


def test_a_long_stream_of_a_hedge_arrives_in_order(signals, loop_run):
    words = [f"{number} " for number in range(2_000)]
    model, _ = race(signals, ("silent", None), ("speaks", "second asked"))

    async def many():
        for word in words:
            yield chunk(word)
        yield last_chunk()

    second = ByHand(model="second", agives=many)
    model.models = [model.models[0], second]

    async def heard():
        return [one.text async for one in model.astream("?") if one.text]

    assert loop_run(heard()) == words


def test_a_hedge_that_breaks_in_mid_answer_is_an_interruption(signals, loop_run):
    model, _ = race(signals, ("silent", None), ("speaks", "second asked"))

    async def breaks():
        yield chunk("half")
        raise ConnectionResetError

    model.models = [model.models[0], ByHand(model="second", agives=breaks)]
    with pytest.raises(ModelError, match="second"):
        loop_run(asked_to_the_end(model, "astream"))


def test_a_hedge_that_falls_silent_in_mid_answer_is_an_interruption(signals, loop_run):
    settings = {"idle_timeout": AFTER}
    model, _ = race(signals, ("silent", None), ("speaks", "second asked"), **settings)

    async def falls_silent():
        yield chunk("half")
        await asyncio.Event().wait()

    model.models = [model.models[0], ByHand(model="second", agives=falls_silent)]
    with pytest.raises(StreamInterrupted) as caught:
        loop_run(asked_to_the_end(model, "astream"))
    assert caught.value.kind == "timeout"
    assert caught.value.partial.text == "half"


@pytest.mark.parametrize("surface", SURFACES)
def test_each_has_its_own_limits(signals, loop_run, surface):
    settings = {"attempt_timeout": 2 * AFTER}
    model, _ = race(signals, ("silent", None), ("silent", None), **settings)
    with pytest.raises(AllModelsFailed) as caught:
        loop_run(asked_to_the_end(model, surface))
    kinds = [(one.candidate, one.failure.kind.value) for one in caught.value.attempts]
    assert kinds == [("first", "timeout"), ("second", "timeout")]


def test_pictures_and_logs_show_both(signals, loop_run, caplog):
    timeline = Timeline()
    model, _ = race(signals, ("silent", None), ("speaks", "second asked"))
    observers = (*model.observers, timeline, CustomEventObserver())
    model = model.model_copy(update={"observers": observers})
    with caplog.at_level("INFO", logger="langchain_reliable"):
        loop_run(asked_to_the_end(model, "astream"))
    assert "first" in str(timeline)
    assert "second" in str(timeline)
    assert "second" in caplog.text


def says_third():
    yield chunk("third")
    yield last_chunk()


async def asays_third():
    yield chunk("third")
    yield last_chunk()


async def athird():
    return "third"


def says_second():
    return ScriptedChatModel(model="second", script=["second"])


# --- a thousand -----------------------------------------------------------------------

BURST = 10
"""Extra requests that a model may make at once."""


@pytest.fixture
def hedging():
    """Return models whose first child never answers: 250 calls at once, all hedged."""
    over = threading.Event()

    async def forever():
        await asyncio.Event().wait()
        yield chunk()

    def until_the_end():
        over.wait(10)
        yield chunk()

    def model():
        first = ByHand(model="first", agives=forever, gives=until_the_end)
        first.aanswers, first.answers = asyncio.Event().wait, lambda: over.wait(10)
        hedge = Hedge(after=AFTER, whole_after=AFTER, max_share=1)
        return ReliableChatModel(models=[first, says_second()], hedge=hedge)

    yield [model() for _ in range(25)]
    over.set()
    assert wait_for_rest()


def was_hedged(answer):
    rows = answer.response_metadata["reliable"]["attempts"]
    told = [(row.get("lost"), row.get("hedged")) for row in rows]
    return answer.text == "second" and told == [(True, None), (None, True)]


def files():
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_thousand_hedged_calls_leave_no_task(hedging, loop_run):
    async def calls(surface):
        each = [asked(model, surface, leaves=False) for model in hedging * BURST]
        return all(map(was_hedged, await asyncio.gather(*each)))

    async def thousand():
        assert await calls("astream")
        before = len(asyncio.all_tasks()), others(), files()
        assert await calls("ainvoke")
        assert await calls("astream")
        assert await calls("ainvoke")
        return before, (len(asyncio.all_tasks()), others(), files())

    before, after = loop_run(thousand())
    assert after == before


# --- real clients at the simulator ----------------------------------------------------


@pytest.fixture
def silent_then_well(clients):
    clients.sim.script("silent", hang_after_headers())
    first = clients.of("openai", "silent", timeout=2)
    second = clients.of("anthropic", "healthy", timeout=2)
    hedge = Hedge(after=AFTER, whole_after=AFTER, max_share=1)
    return ReliableChatModel(models=[first, second], hedge=hedge, circuit_breaker=None)


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("silent", [hang_before_headers, hang_after_headers])
@pytest.mark.parametrize("family", ["openai", "anthropic"])
def test_the_losers_request_is_closed_to_its_socket(
    clients, run, family, silent, surface
):
    first = clients.of(family, "silent", timeout=30)
    first.invoke("?")  # a client that is made at first use is made
    clients.sim.script("silent", silent())
    hedge = Hedge(after=AFTER, whole_after=AFTER)
    model = ReliableChatModel(models=[first, says_second()], hedge=hedge)
    assert run(asked(model, surface, leaves=False)).text == "second"
    clients.sim.wait_closed()
    assert wait_for_rest()


@pytest.mark.parametrize("surface", ["ainvoke", "astream"])
def test_many_hedged_calls_leave_nothing_behind(
    silent_then_well, clients, run, surface
):
    async def call():
        assert (await asked(silent_then_well, surface, leaves=False)).text

    async def calls():
        await call()
        before = len(asyncio.all_tasks())
        for _ in range(CALLS // AT_ONCE):
            await asyncio.gather(*(call() for _ in range(AT_ONCE)))
        await clients.sim.await_closed()
        return len(asyncio.all_tasks()) - before

    assert run(calls()) == 0


def test_hedged_calls_in_threads_leave_none_behind(silent_then_well, clients):
    def call(_):
        return "".join(one.text for one in silent_then_well.stream("?"))

    with ThreadPoolExecutor(20) as pool:
        texts = set(pool.map(call, range(CALLS // 5)))
    assert len(texts) == 1
    assert wait_for_rest(10)  # at the latest at the client's own time-out
    assert abandoned_readers() == 0
