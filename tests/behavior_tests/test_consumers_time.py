"""What the consumer does between two chunks is its own affair."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from by_hand import ByHand, chunk
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from turned_clock import JumpingClock

from langchain_reliable import ReliableChatModel, StreamInterrupted
from langchain_reliable._core import timeouts

SPAN = 60.0
"""A limit that only a turned clock outlasts."""
SOON = 0.05
USED = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}


def usage():
    message = AIMessageChunk(content="", usage_metadata=USED)
    return ChatGenerationChunk(message=message)


def child(*pieces, **settings):
    async def agives():
        for piece in pieces:
            yield piece

    return ByHand(gives=lambda: iter(pieces), agives=agives, **settings)


@pytest.fixture(params=["stream", "astream"])
def slowly(request):
    """Hear a stream, taking one's time over one of its chunks."""
    clock = JumpingClock()

    def hear(model, *, over):
        heard = []
        for piece in model.stream("Hi"):
            heard.append(piece)
            if len(heard) == over:
                clock.jump(2 * SPAN)
        return heard

    async def ahear(model, *, over):
        heard = []
        async for piece in model.astream("Hi"):
            heard.append(piece)
            if len(heard) == over:
                clock.jump(2 * SPAN)
                await asyncio.sleep(0.001)  # timers that are due have their turn
        return heard

    def ask(model, *, over):
        model._clock = clock
        if request.param == "stream":
            return hear(model, over=over)
        return clock.run(ahear(model, over=over))

    return ask


@pytest.mark.parametrize("limit", ["attempt_timeout", "total_timeout"])
@pytest.mark.parametrize("commit_on", ["payload", "complete"])
@pytest.mark.parametrize("over", [1, 2])
def test_it_takes_nothing_from_a_limit(slowly, limit, commit_on, over):
    pieces = chunk("one "), chunk("two"), chunk("", "stop")
    model = ReliableChatModel(
        models=[child(*pieces)], commit_on=commit_on, **{limit: SPAN}
    )
    assert "".join(one.text for one in slowly(model, over=over)) == "one two"


@pytest.mark.parametrize(
    "pieces", [[chunk("one"), chunk("", "stop")], [chunk("one", "stop")]]
)
@pytest.mark.parametrize("others", [0, 1])
def test_nor_what_follows_the_finish_marker(slowly, monkeypatch, pieces, others):
    monkeypatch.setattr(timeouts, "AFTER_FINISH", SPAN)
    models = [child(*pieces, usage()) for _ in range(1 + others)]
    heard = slowly(ReliableChatModel(models=models), over=len(pieces))
    assert [one.usage_metadata for one in heard if one.usage_metadata] == [USED]


@pytest.mark.parametrize("at", [1, 2])
async def test_a_cancellation_that_it_swallowed_is_not_seen_in_a_later_fault(at):
    async def agives():
        yield chunk("one ")
        yield chunk("two")
        await asyncio.sleep(0)
        raise ConnectionError("reset")

    async def hear(model):
        heard = 0
        async for _ in model.astream("Hi"):
            heard += 1
            if heard == at:
                asyncio.current_task().cancel()
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(1)

    with pytest.raises(StreamInterrupted):
        await hear(ReliableChatModel(models=[ByHand(agives=agives)]))


async def test_a_timer_for_the_first_word_alone_rings_in_vain(caplog):
    async def agives():
        yield chunk("one ")
        await asyncio.sleep(2 * SOON)
        yield chunk("two", "stop")

    models = [ByHand(agives=agives), ByHand(agives=agives, model="b")]
    model = ReliableChatModel(
        models=models, idle_timeout=None, first_chunk_timeout=SOON
    )
    text = "".join([one.text async for one in model.astream("Hi")])
    assert text == "one two"
    assert not caplog.records


@pytest.mark.parametrize("idle", [120, None])
def test_a_list_of_chunks_is_a_stream_too(idle):
    pieces = [chunk("one "), chunk("two"), chunk("", "stop")]
    listed = ByHand(gives=lambda: pieces)
    model = ReliableChatModel(models=[listed, listed], idle_timeout=idle)
    assert "".join(one.text for one in model.stream("Hi")) == "one two"
