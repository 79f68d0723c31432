"""The peephole: what is held, what is let out, and that everything is closed."""

from __future__ import annotations

import asyncio

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from langchain_reliable import _streams
from langchain_reliable._closing import StreamBottom
from langchain_reliable._streams import aopen_stream, arelay, open_stream, relay
from langchain_reliable.errors import EmptyAnswer, IncompleteStream


def chunk(text="", **fields) -> ChatGenerationChunk:
    info = {"finish_reason": fields.pop("finish")} if "finish" in fields else None
    message = AIMessageChunk(content=text, **fields)
    return ChatGenerationChunk(message=message, generation_info=info)


class Ending:
    """A call's end, noting what it is told."""

    def __init__(self, instead: Exception | None = None) -> None:
        self.instead = instead
        self.done = False
        self.shown = None

    def trail(self):
        return {"served_by": "test"}

    def broken_off(self, error, shown):
        self.shown = shown
        return self.instead

    def handed_over(self):
        self.done = True


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


@pytest.fixture(params=["sync", "async"])
def through(request):
    """Run a tap through the peephole to its end, sync or async."""

    def run_sync(tap, ending):
        return list(relay(open_stream(tap.stream()), ending))

    def run_async(tap, ending):
        async def run():
            opened = await aopen_stream(tap.astream())
            return [piece async for piece in arelay(opened, ending)]

        return asyncio.run(run())

    return run_sync if request.param == "sync" else run_async


def test_lets_everything_out_in_order_and_unmodified(through):
    pieces = [chunk(), chunk(), chunk("a"), chunk("b", finish="stop")]
    ending = Ending()
    out = through(Tap(*pieces), ending)
    assert [one is piece for one, piece in zip(out, pieces, strict=False)] == [True] * 4
    assert ending.done


def test_marks_the_end_where_the_child_has_not(through):
    *_, last = through(Tap(chunk("a")), Ending())
    assert last.message.chunk_position == "last"
    assert last.message.content == ""
    assert last.message.response_metadata == {"reliable": {"served_by": "test"}}


def test_the_added_end_has_the_form_of_the_content_before(through):
    *_, last = through(Tap(chunk([{"type": "text", "text": "a"}])), Ending())
    assert last.message.content == []


def test_a_child_that_marks_its_end_gets_the_trail_there(through):
    out = through(Tap(chunk("a"), chunk("", chunk_position="last")), Ending())
    assert len(out) == 2
    assert out[-1].message.response_metadata == {"reliable": {"served_by": "test"}}


def test_a_failure_before_the_first_word_closes_the_stream(through):
    tap = Tap(chunk(), chunk(), OSError("gone"))
    with pytest.raises(OSError, match="gone"):
        through(tap, Ending())
    assert tap.closed


def test_a_failure_after_it_leaves_as_the_ending_says(through):
    ending = Ending(instead=RuntimeError("interrupted"))
    tap = Tap(chunk(), chunk("a"), OSError("gone"))
    with pytest.raises(RuntimeError, match="interrupted") as caught:
        through(tap, ending)
    assert isinstance(caught.value.__cause__, OSError)
    assert len(ending.shown) == 2
    assert tap.closed
    assert not ending.done


def test_what_is_no_providers_failure_leaves_as_it_came(through):
    with pytest.raises(KeyError):
        through(Tap(chunk("a"), KeyError("bug")), Ending())


def test_a_failure_after_the_finish_is_none(through):
    out = through(Tap(chunk("a", finish="stop"), OSError("gone")), Ending())
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
        through(Tap(*pieces), Ending())


def test_unless_it_says_why(through):
    out = through(Tap(chunk(finish="length")), Ending())
    assert len(out) == 2


def test_commits_when_too_much_is_held(through, monkeypatch):
    monkeypatch.setattr(_streams, "MAX_HELD_CHUNKS", 3)
    ending = Ending(instead=RuntimeError("interrupted"))
    with pytest.raises(RuntimeError):
        through(Tap(chunk(), chunk(), chunk(), OSError()), ending)
    assert len(ending.shown) == 3


def test_commits_when_what_is_held_is_too_long(through, monkeypatch):
    monkeypatch.setattr(_streams, "MAX_HELD_CHARACTERS", 10)
    ending = Ending(instead=RuntimeError("interrupted"))
    signature = chunk([{"type": "thinking", "thinking": "", "signature": "x" * 20}])
    with pytest.raises(RuntimeError):
        through(Tap(signature, OSError()), ending)
    assert len(ending.shown) == 1


def test_a_consumer_that_leaves_closes_the_stream():
    tap = Tap(chunk("a"), chunk("b"))
    out = relay(open_stream(tap.stream()), Ending())
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

    out = arelay(await aopen_stream(child()), Ending())
    await anext(out)
    await out.aclose()
    assert tap.closed


async def test_closing_survives_a_child_that_raises_while_it_is_closed():
    async def rude():
        try:
            yield chunk("a")
        finally:
            raise OSError("rude")

    out = arelay(await aopen_stream(rude()), Ending())
    await anext(out)
    await out.aclose()


async def test_a_stream_that_is_no_generator_has_nothing_to_close():
    class Plain:
        def __init__(self):
            self.left = [chunk("a")]

        def __aiter__(self):
            return self

        async def __anext__(self):
            if not self.left:
                raise StopAsyncIteration
            return self.left.pop()

    out = [piece async for piece in arelay(await aopen_stream(Plain()), Ending())]
    assert out[0].text == "a"
    first, _ = relay(open_stream(iter([chunk("a")])), Ending())
    assert first.text == "a"


def test_notes_generators_even_where_no_loop_listens():
    """Driven by hand, without a loop and its hooks."""

    async def inner():
        yield 1

    async def outer():
        return await anext(inner())

    steps = StreamBottom().noting(outer()).__await__()
    with pytest.raises(StopIteration):
        next(steps)
