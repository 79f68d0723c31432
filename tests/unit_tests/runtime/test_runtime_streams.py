"""What is held, what is let out, and that everything is closed."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar
from functools import partial

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from langchain_reliable._classify.answer import AnswerJudge
from langchain_reliable._core import timeouts
from langchain_reliable._core.steps import AttemptProgress
from langchain_reliable._core.timeouts import NO_TIMEOUTS, AttemptTimer, Timeouts
from langchain_reliable._runtime import peek, reader_thread
from langchain_reliable._runtime.channel import READ_AHEAD, Channel
from langchain_reliable._runtime.clock import SystemClock
from langchain_reliable._runtime.closing import GeneratorStack
from langchain_reliable._runtime.payload import WholeAnswer
from langchain_reliable._runtime.peek import (
    Peek,
    ReadContext,
    aopen_stream,
    open_stream,
)
from langchain_reliable._runtime.reader_thread import ThreadReader
from langchain_reliable._runtime.relay import arelay, relay
from langchain_reliable._runtime.stepwise import within
from langchain_reliable.errors import (
    AttemptTimeout,
    BrokenToolCall,
    EmptyAnswer,
    FinishedWithError,
    FirstChunkTimeout,
    IdleTimeout,
    IncompleteStream,
    LastChanceTimeout,
    TooManyAbandonedThreads,
    TotalTimeout,
)

CLOCK = SystemClock()


def chunk(text="", **fields) -> ChatGenerationChunk:
    info = {"finish_reason": fields.pop("finish")} if "finish" in fields else None
    message = AIMessageChunk(content=text, **fields)
    return ChatGenerationChunk(message=message, generation_info=info)


class RelayListener:
    """A call's end, noting what it is told."""

    def __init__(self, instead: Exception | None = None) -> None:
        self.instead = instead
        self.done = False
        self.shown = None

    def trail(self):
        return {"served_by": "test"}

    def use_winner(self):
        self.is_settled = True

    def is_complete(self, shown):
        return True

    def interruption(self, error, shown):
        self.shown = shown
        return self.instead

    def answered(self, *, finished, usage, shown):
        self.done = True
        self.finished = finished

    def abandoned(self):
        self.gone = True


class Tap:
    """A stream of the given pieces, sync and async; an exception is raised."""

    def __init__(self, *pieces) -> None:
        self.pieces = pieces
        self.closed = False

    def stream(self):
        try:
            for piece in self.pieces:
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
        finally:
            self.closed = True

    async def astream(self):
        try:
            for piece in self.pieces:
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
        finally:
            await asyncio.sleep(0)
            self.closed = True


def reading(limits=NO_TIMEOUTS, **manner):
    if limits.total:
        limits = limits._replace(deadline=CLOCK.now() + limits.total)
    timer = AttemptTimer(limits, CLOCK.now(), streams=True)
    accepts = manner.pop("accepts_empty", False)
    judge = AnswerJudge(accepts_empty=accepts)
    return ReadContext(timer, AttemptProgress(), judge, **manner)


def test_a_whole_answer_as_a_stream_was_not_cut():
    """Whose class tells why its streams end, but not why its answers do."""
    answer = WholeAnswer(message=AIMessageChunk("whole"))
    how = reading(expects_finish=True)
    opened = open_stream(iter([answer]), how, CLOCK)
    assert list(opened.held) == [answer]
    cut = ChatGenerationChunk(message=AIMessageChunk("whole"))
    assert how.finish_of(answer)
    assert not how.finish_of(cut)


def read_by_a_thread(stream, how):
    """Open a stream as an attempt within limits does; what comes then is in `rest`."""
    opening, reader = Peek(how, CLOCK), ThreadReader(how.timer, CLOCK)
    return reader.opened(lambda: opening.of(stream()), opening.cut_by)


def relayed(chunks, ending, how=None, others=None):
    how = how or reading()
    return arelay(lambda: aopen_stream(chunks, how, CLOCK, others), ending, CLOCK)


@pytest.fixture(params=["sync", "async"])
def through(request):
    """Run a tap through peek and relay to its end, sync or async."""

    def run_sync(tap, ending, others=None, **manner):
        return list(
            relay(
                lambda: open_stream(tap.stream(), reading(**manner), CLOCK, others),
                ending,
                CLOCK,
            )
        )

    def run_async(tap, ending, others=None, **manner):
        async def run():
            how = reading(**manner)
            return [
                piece async for piece in relayed(tap.astream(), ending, how, others)
            ]

        return asyncio.run(run())

    return run_sync if request.param == "sync" else run_async


def test_lets_everything_out_in_order_and_unmodified(through):
    pieces = [chunk(), chunk(), chunk("a"), chunk("b", finish="stop")]
    ending = RelayListener()
    out = through(Tap(*pieces), ending)
    assert out[:4] == pieces
    same = [one is piece for one, piece in zip(out, pieces, strict=False)]
    assert same == [True, True, False, True]  # what commits is a copy: see its test
    assert ending.done


def test_marks_the_end_where_the_child_has_not(through):
    *_, last = through(Tap(chunk("a")), RelayListener())
    assert last.message.chunk_position == "last"
    assert last.message.content == ""
    assert last.message.response_metadata == {"reliable": {"served_by": "test"}}


def test_the_added_end_has_the_form_of_the_content_before(through):
    *_, last = through(Tap(chunk([{"type": "text", "text": "a"}])), RelayListener())
    assert last.message.content == []


def test_a_child_that_marks_its_end_gets_the_trail_there(through):
    out = through(Tap(chunk("a"), chunk("", chunk_position="last")), RelayListener())
    assert len(out) == 2
    assert out[-1].message.response_metadata == {"reliable": {"served_by": "test"}}


def test_a_failure_before_the_first_word_closes_the_stream(through):
    tap = Tap(chunk(), chunk(), OSError("gone"))
    with pytest.raises(OSError, match="gone"):
        through(tap, RelayListener())
    assert tap.closed


def test_a_failure_after_it_leaves_as_the_ending_says(through):
    ending = RelayListener(instead=RuntimeError("interrupted"))
    tap = Tap(chunk(), chunk("a"), OSError("gone"))
    with pytest.raises(RuntimeError, match="interrupted") as caught:
        through(tap, ending)
    assert isinstance(caught.value.__cause__, OSError)
    assert len(ending.shown) == 2
    assert tap.closed
    assert not ending.done


def test_what_is_no_providers_failure_leaves_as_it_came(through):
    with pytest.raises(KeyError):
        through(Tap(chunk("a"), KeyError("bug")), RelayListener())


def test_a_failure_after_the_finish_is_none(through):
    out = through(Tap(chunk("a", finish="stop"), OSError("gone")), RelayListener())
    assert [one.text for one in out] == ["a", ""]


@pytest.mark.parametrize(
    ("pieces", "error"),
    [
        ([], IncompleteStream),
        ([chunk(), chunk()], IncompleteStream),
        ([chunk(), chunk(finish="stop")], EmptyAnswer),
    ],
    ids=["nothing", "only metadata", "finished"],
)
def test_a_stream_without_a_word_is_no_answer(through, pieces, error):
    with pytest.raises(error):
        through(Tap(*pieces), RelayListener())


def test_unless_it_says_why(through):
    out = through(Tap(chunk(finish="length")), RelayListener())
    assert len(out) == 2


def test_commits_when_too_much_is_held(through, monkeypatch):
    monkeypatch.setattr(peek, "MAX_HELD_CHUNKS", 3)
    ending = RelayListener(instead=RuntimeError("interrupted"))
    with pytest.raises(RuntimeError):
        through(Tap(chunk(), chunk(), chunk(), OSError()), ending)
    assert len(ending.shown) == 3


@pytest.mark.parametrize("commit_on", ["payload", "text", "complete"])
def test_unless_somebody_else_can_be_asked(through, monkeypatch, commit_on):
    monkeypatch.setattr(peek, "MAX_HELD_CHUNKS", 3)
    tap = Tap(*[chunk() for _ in range(5)])
    manner = {"commit_on": commit_on, "others": lambda: True}
    with pytest.raises(IncompleteStream, match="3 chunks without a word"):
        through(tap, RelayListener(), **manner)
    assert tap.closed


@pytest.mark.parametrize("commit_on", ["payload", "text", "complete"])
def test_reasoning_is_a_word(through, monkeypatch, commit_on):
    monkeypatch.setattr(peek, "MAX_HELD_CHUNKS", 3)
    thought = {"type": "thinking", "thinking": "hm"}
    thoughts = [chunk([thought]) for _ in range(5)]
    pieces = [chunk([]), *thoughts, chunk(["a"], finish="stop")]
    manner = {"commit_on": commit_on, "others": lambda: True}
    assert len(through(Tap(*pieces), RelayListener(), **manner)) == 8


def test_reasoning_held_for_a_text_has_a_bound_of_its_own(through, monkeypatch):
    monkeypatch.setattr(peek, "MAX_HELD_REASONING", 10)
    ending = RelayListener(instead=RuntimeError("interrupted"))
    thought = chunk([{"type": "thinking", "thinking": "x" * 20}])
    with pytest.raises(RuntimeError):
        through(Tap(thought, OSError()), ending, commit_on="text")
    assert len(ending.shown) == 1


def test_blanks_do_not_commit(through):
    tap = Tap(chunk("\n"), chunk(" "), OSError("gone"))
    with pytest.raises(OSError, match="gone"):
        through(tap, RelayListener(instead=RuntimeError("interrupted")))


def test_a_chunk_that_comes_again_is_held_as_it_was(through):
    class Reusing(Tap):
        def _told(self):
            message = AIMessageChunk(content="")
            same = ChatGenerationChunk(message=message)
            for text in self.pieces:
                message.content = same.text = text
                yield same
            yield chunk("", finish="stop")

        def stream(self):
            yield from self._told()

        async def astream(self):
            for one in self._told():
                yield one

    texts = ["", "", "a", "b", *"cdefghijklmnopqrstuvwxyz", ""]
    held = through(Reusing(*texts), RelayListener(), commit_on="complete")
    assert [one.message.content for one in held] == [*texts, "", ""]
    first = through(Reusing("", "", "a"), RelayListener())[:3]
    assert [one.message.content for one in first] == ["", "", "a"]


# --- the finish marker, and the judgement at the end ----------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"finish": "stop"},
        {"response_metadata": {"finish_reason": "stop"}},
        {"response_metadata": {"stop_reason": "end_turn"}},
        {"chunk_position": "last"},
    ],
    ids=["generation info", "metadata", "another word for it", "position"],
)
@pytest.mark.parametrize("commit_on", ["payload", "complete"])
def test_the_finish_marker_is_found_wherever_it_stands(through, fields, commit_on):
    pieces = [chunk("a"), chunk("b"), chunk(**fields), OSError("gone")]
    manner = {"expects_finish": True, "marks_its_end": True, "commit_on": commit_on}
    out = through(Tap(*pieces), RelayListener(), **manner)
    assert "".join(one.text for one in out) == "ab"


def test_a_position_proves_nothing_where_anybody_may_have_set_it(through):
    pieces = [chunk("a"), chunk("", chunk_position="last")]
    instead = RelayListener(instead=RuntimeError("cut"))
    with pytest.raises(RuntimeError, match="cut"):
        through(Tap(*pieces), instead, expects_finish=True)


def test_after_a_marker_in_the_metadata_little_is_waited_for(through):
    pieces = [chunk("a"), chunk(response_metadata={"finish_reason": "stop"})]
    how = reading(marks_its_end=True)
    out = relay(
        lambda: open_stream(Tap(*pieces).stream(), how, CLOCK), RelayListener(), CLOCK
    )
    next(out)
    next(out)
    assert [span for _, _, span in how.timer.deadlines] == [timeouts.AFTER_FINISH]


def half_a_call(*, finish="tool_calls", **last):
    told = {"name": "f", "args": '{"a": "b', "id": "1", "index": 0}
    return [chunk("a"), chunk(tool_call_chunks=[told]), chunk(finish=finish, **last)]


@pytest.mark.parametrize("last", [{}, {"chunk_position": "last"}], ids=["", "marked"])
@pytest.mark.parametrize("after", [(), (OSError("gone"),)], ids=["ends", "breaks"])
def test_half_a_tool_call_is_interrupted_before_it_is_whole(through, last, after):
    ending, got = RelayListener(instead=RuntimeError("interrupted")), []
    tap = Tap(*half_a_call(**last), *after)
    with pytest.raises(RuntimeError, match="interrupted") as caught:
        got.extend(through(tap, ending))
    assert isinstance(caught.value.__cause__, BrokenToolCall)
    assert not ending.done
    assert tap.closed


def test_the_last_chunk_of_it_is_never_out():
    out = relay(
        lambda: open_stream(
            Tap(*half_a_call(chunk_position="last")).stream(), reading(), CLOCK
        ),
        RelayListener(instead=RuntimeError("interrupted")),
        CLOCK,
    )
    assert [next(out).text, next(out).text] == ["a", ""]
    with pytest.raises(RuntimeError, match="interrupted"):
        next(out)


@pytest.mark.parametrize("commit_on", ["payload", "text"])
def test_what_says_nothing_is_told_of_once_it_was_shown(through, commit_on, caplog):
    thought = chunk([{"type": "thinking", "thinking": "secret"}])
    tap = Tap(thought, chunk([], finish="stop"))
    if commit_on == "text":
        with pytest.raises(EmptyAnswer):
            through(tap, RelayListener(), commit_on="text")
        assert not caplog.records
        return
    assert len(through(tap, RelayListener())) == 3
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert "secret" not in record.getMessage()


def test_commits_when_what_is_held_is_too_long(through, monkeypatch):
    monkeypatch.setattr(peek, "MAX_HELD_CHARACTERS", 10)
    ending = RelayListener(instead=RuntimeError("interrupted"))
    signature = chunk([{"type": "thinking", "thinking": "", "signature": "x" * 20}])
    with pytest.raises(RuntimeError):
        through(Tap(signature, OSError()), ending)
    assert len(ending.shown) == 1


def test_a_consumer_that_leaves_closes_the_stream():
    tap = Tap(chunk("a"), chunk("b"))
    out = relay(
        lambda: open_stream(tap.stream(), reading(), CLOCK), RelayListener(), CLOCK
    )
    next(out)
    out.close()
    assert tap.closed


async def test_a_consumer_that_leaves_closes_the_async_stream_to_its_bottom():
    tap = Tap(chunk("a"), chunk("b"))

    async def partner():
        async for piece in tap.astream():
            yield piece

    async def child():
        async for piece in partner():
            yield piece

    out = relayed(child(), RelayListener())
    await anext(out)
    await out.aclose()
    assert tap.closed


async def test_closing_survives_a_child_that_raises_while_it_is_closed():
    async def rude():
        try:
            yield chunk("a")
        finally:
            raise OSError("rude")

    out = relayed(rude(), RelayListener())
    await anext(out)
    await out.aclose()


async def test_a_stream_that_is_no_generator_has_nothing_to_close():
    class Plain:
        def __init__(self):
            self.abandoned = [chunk("a")]

        def __aiter__(self):
            return self

        async def __anext__(self):
            if not self.abandoned:
                raise StopAsyncIteration
            return self.abandoned.pop()

    out = [piece async for piece in relayed(Plain(), RelayListener())]
    assert out[0].text == "a"
    plain = iter([chunk("a")])
    first, _ = relay(
        lambda: open_stream(plain, reading(), CLOCK), RelayListener(), CLOCK
    )
    assert first.text == "a"


def test_notes_generators_even_where_no_loop_listens():
    """Driven by hand, without a loop and its hooks."""

    async def inner():
        yield 1

    async def outer():
        return await anext(inner())

    steps = within(outer(), GeneratorStack().track).__await__()
    with pytest.raises(StopIteration):
        next(steps)


# --- what a stream has to show ----------------------------------------------------

THINKING = chunk([{"type": "thinking", "thinking": "hm"}])


@pytest.mark.parametrize(
    ("commit_on", "shown"),
    [("first_chunk", 3), ("payload", 3), ("text", 3), ("complete", None)],
)
def test_a_break_after_the_commit_is_seen(through, commit_on, shown):
    ending = RelayListener(instead=RuntimeError("interrupted"))
    tap = Tap(chunk(), THINKING, chunk("a"), OSError("gone"))
    with pytest.raises((RuntimeError, OSError)) as caught:
        through(tap, ending, commit_on=commit_on)
    assert (ending.shown and len(ending.shown)) == shown
    assert isinstance(caught.value, OSError if shown is None else RuntimeError)


@pytest.mark.parametrize(
    ("commit_on", "commits"),
    [("first_chunk", True), ("payload", True), ("text", False), ("complete", False)],
)
def test_reasoning_commits_unless_text_is_asked_for(through, commit_on, commits):
    ending = RelayListener(instead=RuntimeError("interrupted"))
    with pytest.raises(RuntimeError if commits else OSError):
        through(Tap(chunk(), THINKING, OSError("gone")), ending, commit_on=commit_on)


@pytest.mark.parametrize("commit_on", ["first_chunk", "payload", "text", "complete"])
def test_every_manner_lets_a_whole_answer_out(through, commit_on):
    pieces = [chunk(), THINKING, chunk("a"), chunk(finish="stop")]
    out = through(
        Tap(*pieces), RelayListener(), commit_on=commit_on, expects_finish=True
    )
    assert len(out) == 5


# --- ends -------------------------------------------------------------------------


def test_an_end_without_the_expected_finish_is_a_cut(through):
    ending = RelayListener(instead=RuntimeError("interrupted"))
    with pytest.raises(RuntimeError) as caught:
        through(Tap(chunk("a")), ending, expects_finish=True)
    assert isinstance(caught.value.__cause__, IncompleteStream)


def test_and_before_the_commit_a_failure(through):
    with pytest.raises(IncompleteStream):
        through(
            Tap(chunk("a")), RelayListener(), expects_finish=True, commit_on="complete"
        )


def test_a_finish_that_tells_of_an_error_is_a_failure(through):
    ending = RelayListener(instead=RuntimeError("interrupted"))
    with pytest.raises(RuntimeError) as caught:
        through(Tap(chunk("a"), chunk(finish="error")), ending)
    assert isinstance(caught.value.__cause__, FinishedWithError)
    with pytest.raises(FinishedWithError):
        through(Tap(chunk(finish="error")), RelayListener())


# --- time -------------------------------------------------------------------------


class Stuck:
    """A stream that gives its pieces and then hangs until it is let go."""

    def __init__(self, *pieces) -> None:
        self.pieces = pieces
        self.let_go = threading.Event()
        self.closed = threading.Event()

    def stream(self):
        try:
            yield from self.pieces
            self.let_go.wait(30)
            yield chunk("too late")
        finally:
            self.closed.set()

    async def astream(self):
        try:
            for piece in self.pieces:
                yield piece
            await asyncio.Event().wait()
        finally:
            self.closed.set()


TIMES = {
    "nothing comes": ([], Timeouts(first_chunk=0.02), FirstChunkTimeout),
    "metadata does not count": (
        [chunk(), chunk()],
        Timeouts(first_chunk=0.02),
        FirstChunkTimeout,
    ),
    "silence of the last one": ([], Timeouts(last_chance=0.02), LastChanceTimeout),
    "silence between its metadata": (
        [chunk()],
        Timeouts(last_chance=0.02),
        LastChanceTimeout,
    ),
    "silence after a word": ([chunk("a")], Timeouts(idle=0.02), IdleTimeout),
    "the attempt is over": ([chunk()], Timeouts(attempt=0.02), AttemptTimeout),
    "the call is over": ([chunk()], Timeouts(total=0.02), TotalTimeout),
}


@pytest.fixture(params=["sync", "async"])
def waits(request):
    """Read a stuck stream to its end within limits, sync or async."""

    def run_sync(stuck, ending, limits):
        how = reading(limits)
        try:
            opens = partial(read_by_a_thread, stuck.stream, how)
            return list(relay(opens, ending, CLOCK))
        finally:
            stuck.let_go.set()

    def run_async(stuck, ending, limits):
        async def run():
            how = reading(limits)
            return [piece async for piece in relayed(stuck.astream(), ending, how)]

        return asyncio.run(run())

    return run_sync if request.param == "sync" else run_async


@pytest.mark.parametrize(("pieces", "limits", "error"), TIMES.values(), ids=list(TIMES))
def test_a_wait_that_lasts_too_long_ends(waits, pieces, limits, error):
    stuck = Stuck(*pieces)
    with pytest.raises(error) as caught:
        waits(stuck, RelayListener(), limits)
    assert isinstance(caught.value, TimeoutError)
    assert stuck.closed.wait(30)


def test_after_the_commit_it_is_an_interruption(waits):
    ending = RelayListener(instead=RuntimeError("interrupted"))
    with pytest.raises(RuntimeError) as caught:
        waits(Stuck(chunk("a")), ending, Timeouts(first_chunk=30, idle=0.5))
    assert isinstance(caught.value.__cause__, IdleTimeout)


def test_after_the_finish_it_is_none(waits):
    pieces = [chunk("a"), chunk(finish="stop")]
    out = waits(Stuck(*pieces), RelayListener(), Timeouts(attempt=0.5))
    assert [one.text for one in out] == ["a", "", ""]


def test_the_first_word_ends_the_first_limit(waits):
    class Slow(Stuck):
        def stream(self):
            yield chunk("a")
            self.let_go.wait(0.05)
            yield chunk("b", finish="stop")

        async def astream(self):
            yield chunk("a")
            await asyncio.sleep(0.05)
            yield chunk("b", finish="stop")

    out = waits(Slow(), RelayListener(), Timeouts(first_chunk=0.03))
    assert [one.text for one in out] == ["a", "b", ""]


async def test_a_cancellation_from_outside_stays_one():
    stuck = Stuck(chunk("a"))
    out = relayed(stuck.astream(), RelayListener(), reading(Timeouts(idle=5)))
    await anext(out)
    waiting = asyncio.create_task(anext(out))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert stuck.closed.is_set()


async def test_while_a_stream_is_opened_too():
    stuck = Stuck()
    out = relayed(stuck.astream(), RelayListener(), reading(Timeouts(first_chunk=5)))
    waiting = asyncio.create_task(anext(out))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert stuck.closed.is_set()


async def test_a_child_that_swallows_our_cancellation_is_still_too_late():
    async def deaf():
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            yield chunk("as if nothing had happened")

    out = relayed(deaf(), RelayListener(), reading(Timeouts(first_chunk=0.02)))
    with pytest.raises(FirstChunkTimeout):
        await anext(out)
    assert not asyncio.current_task().cancelling()


async def test_chunks_may_be_asked_for_by_different_tasks():
    tap = Tap(chunk("a"), chunk("b"), chunk("c"))
    out = relayed(tap.astream(), RelayListener(), reading(Timeouts(idle=5)))
    texts = [(await asyncio.create_task(anext(out))).text for _ in range(3)]
    assert texts == ["a", "b", "c"]
    await out.aclose()


async def test_limits_do_not_run_while_the_consumer_works():
    tap = Tap(chunk("a"), chunk("b", finish="stop"))
    out = relayed(
        tap.astream(), RelayListener(), reading(Timeouts(idle=0.02, first_chunk=0.02))
    )
    texts = []
    async for piece in out:
        texts.append(piece.text)
        await asyncio.sleep(0.04)
    assert texts == ["a", "b", ""]


def test_a_reader_is_never_far_ahead():
    given = []

    def stream():
        for number in range(500):
            given.append(number)
            yield chunk("a")

    opened = read_by_a_thread(stream, reading(Timeouts(idle=5)))
    assert len(opened.held) == 1
    rest = iter(opened.rest)
    for _ in range(10):
        next(rest)
    assert len(given) <= READ_AHEAD + 12
    assert sum(1 for _ in rest) == 489


def test_nothing_is_read_ahead_of_the_first_word(monkeypatch):
    """It would have to wait for the interpreter's lock while more is read."""
    given = []

    def stream():
        for number in range(500):
            given.append(number)
            yield chunk("a")

    progress, make_room = [], Channel.make_room
    monkeypatch.setattr(
        Channel,
        "make_room",
        lambda channel: progress.append(len(given)) or make_room(channel),
    )
    opened = read_by_a_thread(stream, reading(Timeouts(idle=5)))
    assert progress == [1]
    opened.rest.close()


def test_a_reader_that_is_left_closes_its_stream():
    tap = Tap(*[chunk("a")] * 500)
    opened = read_by_a_thread(tap.stream, reading(Timeouts(idle=5)))
    opened.rest.close()
    assert has_no_thread(opened.rest)
    assert tap.closed


def test_a_reader_that_is_dropped_leaves_no_thread():
    """As where somebody interrupts what waits for it."""
    tap = Tap(*[chunk("a")] * 500)
    opened = read_by_a_thread(tap.stream, reading(Timeouts(idle=5)))
    channel = opened.rest._channel
    del opened
    assert soon(lambda: channel.finished)
    assert tap.closed


def set_free(*chunks):
    """Return a stream whose consumer has its first chunk and no limits for the rest."""
    tap = Tap(*chunks)
    return tap, read_by_a_thread(tap.stream, reading(NO_TIMEOUTS))


def test_a_stream_without_limits_is_left_to_its_consumer():
    chunks = [chunk(str(number)) for number in range(200)]
    _, opened = set_free(*chunks)
    assert has_no_thread(opened.rest)
    assert [*opened.held, *opened.rest] == chunks


def test_what_a_stream_keeps_in_its_context_outlives_its_thread():
    kept = ContextVar("kept")

    def stream():
        token = kept.set("so")
        for _ in range(5):
            yield chunk(kept.get())
        kept.reset(token)

    opened = read_by_a_thread(stream, reading(NO_TIMEOUTS))
    assert [one.text for one in (*opened.held, *opened.rest)] == ["so"] * 5
    assert kept.get(None) is None


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_a_stream_that_was_set_free_is_closed_by_whoever_has_it(taken):
    tap, opened = set_free(*[chunk("a")] * 500)
    rest = iter(opened.rest)
    for _ in range(taken):
        next(rest)
    opened.rest.close()
    assert has_no_thread(opened.rest)
    assert tap.closed


def test_an_error_after_it_was_set_free_comes_as_it_is():
    error = ConnectionError("cut")
    _, opened = set_free(chunk("a"), chunk("b"), chunk("c"), error)
    with pytest.raises(ConnectionError) as caught:
        list(opened.rest)
    assert caught.value is error


@pytest.mark.parametrize(
    "limits", [Timeouts(idle=5), NO_TIMEOUTS], ids=["idle", "none"]
)
def test_what_is_held_wakes_nobody(limits):
    """Only the first word does: chunks before it stay in the thread that reads them."""
    tap = Tap(*[chunk()] * 9, chunk("word"), chunk("more"))
    opened = read_by_a_thread(tap.stream, reading(limits))
    assert [one.text for one in opened.held] == [""] * 9 + ["word"]
    assert [one.text for one in opened.rest] == ["more"]


def test_silence_is_counted_from_the_last_chunk_that_was_held():
    """Who waits from the beginning, without limit, hears when one begins."""
    stuck = Stuck(chunk(), chunk())
    with pytest.raises(LastChanceTimeout):
        read_by_a_thread(stuck.stream, reading(Timeouts(last_chance=0.02)))
    stuck.let_go.set()
    assert stuck.closed.wait(30)


def test_a_thread_that_nobody_waits_for_stops_at_its_next_chunk():
    going_on, given = threading.Event(), []

    def stream():
        yield chunk()
        going_on.wait(30)
        for number in range(500):
            given.append(number)
            yield chunk()

    opening = Peek(reading(Timeouts(first_chunk=0.02), commit_on="complete"), CLOCK)
    reader = ThreadReader(opening._reading.timer, CLOCK)
    with pytest.raises(FirstChunkTimeout):
        reader.opened(lambda: opening.of(stream()), opening.cut_by)
    going_on.set()
    assert has_no_thread(reader)
    assert given == [0]


def soon(true):
    deadline = CLOCK.now() + 2
    while not true() and CLOCK.now() < deadline:
        threading.Event().wait(0.001)
    return true()


def has_no_thread(reader):
    return soon(lambda: reader._channel.finished)


def nobody_is_left_behind():
    return soon(lambda: reader_thread.abandoned_readers() == 0)


def test_readers_that_are_left_behind_are_counted_and_bounded(monkeypatch):
    assert nobody_is_left_behind()
    monkeypatch.setattr(reader_thread, "MAX_ABANDONED", 1)
    stuck = Stuck()
    with pytest.raises(FirstChunkTimeout):
        read_by_a_thread(stuck.stream, reading(Timeouts(first_chunk=0.01)))
    assert reader_thread.abandoned_readers() == 1
    with pytest.raises(TooManyAbandonedThreads, match="1 earlier requests"):
        read_by_a_thread(stuck.stream, reading(Timeouts(idle=5)))
    timer = AttemptTimer(Timeouts(attempt=5), CLOCK.now(), streams=False)
    assert ThreadReader(timer, CLOCK, "another").answer(lambda: "well") == "well"
    stuck.let_go.set()
    assert stuck.closed.wait(30)
    assert nobody_is_left_behind()


def test_a_reader_sees_the_callers_context():
    variable = ContextVar("variable")
    variable.set("progress")

    def stream():
        yield chunk(variable.get())

    opened = read_by_a_thread(stream, reading(Timeouts(idle=5)))
    assert [one.text for one in (*opened.held, *opened.rest)] == ["progress"]
    assert list(opened.rest) == []


def test_what_stalls_after_its_finish_is_handed_on_whole(monkeypatch):
    monkeypatch.setattr(timeouts, "AFTER_FINISH", 0.02)
    said = [chunk("whole"), chunk(finish="stop"), chunk()]
    stuck = Stuck(*said)
    how = reading(Timeouts(idle=5), commit_on="complete")
    opens = partial(read_by_a_thread, stuck.stream, how)
    handed_on = list(relay(opens, RelayListener(), CLOCK))
    assert handed_on[:3] == said
    stuck.let_go.set()
    assert stuck.closed.wait(30)


def test_a_thread_that_cannot_be_started_is_not_left_behind(monkeypatch):
    def full(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(reader_thread, "in_a_thread", full)
    with pytest.raises(RuntimeError, match="new thread"):
        read_by_a_thread(Tap().stream, reading(Timeouts(idle=5)))
    assert reader_thread.abandoned_readers() == 0


def test_an_empty_answer_that_stalls_after_its_finish_is_kept_whole(monkeypatch):
    monkeypatch.setattr(timeouts, "AFTER_FINISH", 0.02)
    stuck, how = Stuck(chunk(finish="stop")), reading(Timeouts(idle=5))
    with pytest.raises(EmptyAnswer) as caught:
        read_by_a_thread(stuck.stream, how)
    [only, _] = relay(lambda: caught.value.answer, RelayListener(), CLOCK)
    assert only.generation_info == {"finish_reason": "stop"}
    stuck.let_go.set()
    assert stuck.closed.wait(30)


def test_a_stream_is_read_on_though_it_is_false():
    class Counted:
        """Tells how much it has buffered, which is nothing."""

        def __init__(self):
            self.abandoned = [chunk("one"), chunk("two"), chunk("three")]

        def __len__(self):
            return 0

        def __iter__(self):
            return self

        def __next__(self):
            if not self.abandoned:
                raise StopIteration
            return self.abandoned.pop(0)

    for limits in (Timeouts(idle=5), NO_TIMEOUTS):
        opened = read_by_a_thread(Counted, reading(limits))
        told = [one.text for one in (*opened.held, *opened.rest)]
        assert told == ["one", "two", "three"]


def test_a_thread_that_is_left_after_the_first_word_asks_for_no_second(monkeypatch):
    asked, make_room = [], Channel.make_room

    def stream():
        for number in range(3):
            asked.append(number)
            yield chunk("a")

    monkeypatch.setattr(Channel, "make_room", lambda _: None)  # it is not woken yet
    opened = read_by_a_thread(stream, reading(Timeouts(idle=5)))
    monkeypatch.setattr(Channel, "make_room", make_room)
    opened.rest.close()
    assert has_no_thread(opened.rest)
    assert asked == [0]


def test_a_forked_process_has_left_nobody_behind():
    reader_thread._abandoned["a thread of its parent"] = "a candidate"
    lock = reader_thread._lock
    reader_thread._forget()
    assert reader_thread.abandoned_readers() == 0
    assert reader_thread._lock is not lock  # which somebody may have held
