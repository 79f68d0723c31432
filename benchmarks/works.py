"""What is timed.

One function per kind of work, each for sync and for async; they return seconds (or
bytes) by the name of a metric. Who is asked and how often it is repeated never lives
here. Only what a user would do is inside the watch.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import tracemalloc
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any, Self, TypeAlias

if TYPE_CHECKING:
    from types import TracebackType

Model: TypeAlias = Any
"""A chat model, or a Runnable over chat models."""

QUESTION = "?"


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is done in one sample.

    Attributes:
        chunks: Chunks of each stream.
        calls: Calls, one after another.
        crowd: Streams at the same time.
    """

    chunks: int = 1
    calls: int = 1
    crowd: int = 1

    def tiny(self) -> Size:
        """Return as little as still runs everything."""
        return Size(chunks=min(self.chunks, 3), crowd=min(self.crowd, 2))


@dataclass(frozen=True)
class Sample:
    """What one sample came to: values by metric, and CPU seconds of all our threads."""

    values: dict[str, float]
    cpu: float = 0.0


Work: TypeAlias = Callable[[Model, Size], Sample | Coroutine[Any, Any, Sample]]


class Watch:
    """Adds up the time that passes inside it."""

    __slots__ = ("_cpu_then", "_then", "cpu", "seconds")

    def __init__(self) -> None:
        self.seconds = self.cpu = 0.0

    def __enter__(self) -> Self:
        self._cpu_then = process_time()
        self._then = perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.seconds += perf_counter() - self._then
        self.cpu += process_time() - self._cpu_then


def _whole(chunks: int, size: Size) -> None:
    if chunks < size.chunks:
        raise RuntimeError(f"{chunks} chunks instead of {size.chunks}: not an answer")


# --- a stream to its end ----------------------------------------------------------


def drain(model: Model, size: Size) -> Sample:
    """Read a stream to its end, keeping nothing."""
    count, watch = 0, Watch()
    with watch:
        for _ in model.stream(QUESTION):
            count += 1
    _whole(count, size)
    return Sample({"per_chunk": watch.seconds / size.chunks}, watch.cpu)


async def adrain(model: Model, size: Size) -> Sample:
    """Read a stream to its end; the twin of `drain`."""
    count, watch = 0, Watch()
    with watch:
        async for _ in model.astream(QUESTION):
            count += 1
    _whole(count, size)
    return Sample({"per_chunk": watch.seconds / size.chunks}, watch.cpu)


# --- the first word ---------------------------------------------------------------


def first_word(model: Model, size: Size) -> Sample:
    """Wait for the first chunk with text; what follows is read outside the watch.

    With text, because a role alone is no answer: ours holds it back until the first
    word, so the first chunks of any kind would not be the same ones.
    """
    watch = Watch()
    for _ in range(size.calls):
        with watch:
            stream = model.stream(QUESTION)
            next(chunk for chunk in stream if chunk.content)
        for _ in stream:
            pass
    return Sample({"first": watch.seconds / size.calls}, watch.cpu)


async def afirst_word(model: Model, size: Size) -> Sample:
    """Wait for the first chunk with text; the twin of `first_word`."""
    watch = Watch()
    for _ in range(size.calls):
        with watch:
            stream = model.astream(QUESTION)
            while not (await anext(stream)).content:
                pass
        async for _ in stream:
            pass
    return Sample({"first": watch.seconds / size.calls}, watch.cpu)


def first_word_of_hedge(model: Model, size: Size) -> Sample:
    """Wait for the first word where a hedge wins; its own wait is not counted."""
    return _without_wait(model, first_word(model, size))


async def afirst_word_of_hedge(model: Model, size: Size) -> Sample:
    """Wait for the first word where a hedge wins; the twin of `first_word_of_hedge`."""
    return _without_wait(model, await afirst_word(model, size))


def _without_wait(model: Model, sample: Sample) -> Sample:
    hedge = getattr(model, "hedge", None)
    after = 0.0 if hedge is None else hedge.after
    return Sample({"first": sample.values["first"] - after}, sample.cpu)


# --- whole answers ----------------------------------------------------------------


def _as_it_is(_model: Model) -> None:
    """Prepare nothing."""


def calls(
    model: Model, size: Size, before: Callable[[Model], None] = _as_it_is
) -> Sample:
    """Ask for whole answers, one after another; `before` each, outside the watch."""
    watch = Watch()
    for _ in range(size.calls):
        before(model)
        with watch:
            model.invoke(QUESTION)
    return Sample({"per_call": watch.seconds / size.calls}, watch.cpu)


async def acalls(
    model: Model, size: Size, before: Callable[[Model], None] = _as_it_is
) -> Sample:
    """Ask for whole answers, one after another; the twin of `calls`."""
    watch = Watch()
    for _ in range(size.calls):
        before(model)
        with watch:
            await model.ainvoke(QUESTION)
    return Sample({"per_call": watch.seconds / size.calls}, watch.cpu)


# --- a crowd ----------------------------------------------------------------------


def threads(model: Model, size: Size) -> Sample:
    """Stream in many threads at once; a stream's time counts from the common start.

    From there, because who waits for the interpreter before its first line waits too.
    """
    together = Barrier(size.crowd + 1)

    def one() -> float:
        together.wait()
        count = sum(1 for _ in model.stream(QUESTION))
        _whole(count, size)
        return perf_counter()

    with ThreadPoolExecutor(size.crowd) as pool:
        runs = [pool.submit(one) for _ in range(size.crowd)]
        with (watch := Watch()):
            began = perf_counter()
            together.wait()
            ends = [run.result() for run in runs]
    return _crowd([end - began for end in ends], size, watch)


async def tasks(model: Model, size: Size) -> Sample:
    """Stream in many tasks at once; the twin of `threads`."""

    async def one() -> float:
        count = 0
        async for _ in model.astream(QUESTION):
            count += 1
        _whole(count, size)
        return perf_counter()

    with (watch := Watch()):
        began = perf_counter()
        ends = await asyncio.gather(*(one() for _ in range(size.crowd)))
    return _crowd([end - began for end in ends], size, watch)


def _crowd(spans: list[float], size: Size, watch: Watch) -> Sample:
    cuts = statistics.quantiles(spans, n=100, method="inclusive")
    values = {
        "throughput": size.crowd * size.chunks / watch.seconds,
        "p50": cuts[49],
        "p99": cuts[98],
        "cpu": watch.cpu / (size.crowd * size.chunks),
    }
    return Sample(values, watch.cpu)


# --- memory -----------------------------------------------------------------------


def memory(model: Model, size: Size) -> Sample:
    """Measure the peak of what Python allocates during a stream."""
    gc.collect()
    tracemalloc.start()
    try:
        drain(model, size)
        return Sample({"peak": tracemalloc.get_traced_memory()[1]})
    finally:
        tracemalloc.stop()


def memory_of_errors(model: Model, size: Size) -> Sample:  # noqa: ARG001 - as all works
    """Measure the peak of a call that fails, its error in hand."""
    gc.collect()
    tracemalloc.start()
    try:
        model.invoke(QUESTION)
    except Exception:  # noqa: BLE001 - whatever it is
        return Sample({"peak": tracemalloc.get_traced_memory()[1]})
    finally:
        tracemalloc.stop()
    raise RuntimeError("it was to fail")


def one_call(
    model: Model, size: Size, before: Callable[[Model], None] = _as_it_is
) -> Sample:
    """Ask for one whole answer; its time by the attempts that it took."""
    before(model)
    with (watch := Watch()):
        answer = model.invoke(QUESTION)
    trail = answer.response_metadata.get("reliable", {})
    attempts = len(trail.get("attempts", ())) or size.calls
    return Sample({"per_attempt": watch.seconds / attempts}, watch.cpu)


def made_up_calls(model: Model, size: Size) -> Sample:
    """Ask for ever new models, with ever new tools; look at memory halfway and after.

    Blocks of Python's allocator are counted: pages come and go with the C allocator.
    """

    def ask(numbers: range) -> int:
        for at in numbers:
            tool = {
                "type": "function",
                "function": {"name": f"tool_{at}", "parameters": {}},
            }
            bound = model.bind_tools([tool])
            bound.invoke(QUESTION, model=f"made-up-{at}", user=f"somebody-{at}")
        gc.collect()
        return sys.getallocatedblocks()

    half = size.calls // 2
    blocks = ask(range(half))
    return Sample({"grown": ask(range(half, size.calls)) / blocks})


async def amemory(model: Model, size: Size) -> Sample:
    """Measure the peak of what Python allocates; the twin of `memory`."""
    gc.collect()
    tracemalloc.start()
    try:
        await adrain(model, size)
        return Sample({"peak": tracemalloc.get_traced_memory()[1]})
    finally:
        tracemalloc.stop()
