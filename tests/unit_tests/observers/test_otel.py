"""Traces and metrics, as an in-memory exporter gets them."""

from __future__ import annotations

import asyncio
import copy
import subprocess
import sys

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from langchain_reliable import Hedge, ReliableChatModel
from langchain_reliable.events import (
    Answered,
    AttemptStarted,
    CircuitClosed,
    CircuitOpened,
    GaveUp,
)
from langchain_reliable.observers import OpenTelemetryObserver, _opentelemetry
from langchain_reliable.testing import (
    Gate,
    ScriptedChatModel,
    Usage,
    fails,
    says,
    stalls,
)

GPT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-5.4",
    "langchain_reliable.candidate": "gpt-5.4",
}


class Heard:
    """An SDK that exports to memory, and the observer that feeds it."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader])
        self.observer = OpenTelemetryObserver(
            tracer_provider=self.tracers, meter_provider=self.meters
        )

    @property
    def spans(self):
        return self.exporter.get_finished_spans()

    @property
    def points(self):
        """Return what was measured: name to points."""
        data = self.reader.get_metrics_data()
        if data is None:
            return {}
        return {
            metric.name: metric.data.data_points
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.fixture
def heard():
    heard = Heard()
    yield heard
    heard.meters.shutdown()


def attributes(span, *names):
    return {name: span.attributes[name] for name in names}


def test_a_span_for_the_call_and_one_for_each_attempt(surface, reliable, heard):
    gpt = ScriptedChatModel(model="gpt-5.4", script=[ConnectionError("no route")])
    claude = ScriptedChatModel(model="claude-sonnet-5", script=["Hello there."])
    model = reliable(gpt, claude, observers=[heard.observer], max_retries=1)
    with heard.tracers.get_tracer("mine").start_as_current_span("my request"):
        surface(model)
    first, second, third, call, mine = heard.spans
    assert [one.name for one in (first, second, third)] == [
        "chat gpt-5.4",
        "chat gpt-5.4",
        "chat claude-sonnet-5",
    ]
    assert call.name == "reliable chat"
    assert call.parent.span_id == mine.context.span_id
    for one in (first, second, third):
        assert one.parent.span_id == call.context.span_id
        assert one.kind.name == "CLIENT"
    assert first.attributes == {
        **GPT,
        "gen_ai.provider.name": "scriptedchatmodel",
        "gen_ai.request.stream": surface.streams,
        "langchain_reliable.attempt": 1,
        "error.type": "connection",
    }
    assert first.status.description == "connection"
    assert not first.events
    assert third.status.is_ok
    told = "gen_ai.response.time_to_first_chunk" in third.attributes
    assert told is surface.streams
    assert call.attributes == {
        "langchain_reliable.attempts": 3,
        "langchain_reliable.failed_over": True,
        "langchain_reliable.served_by": "claude-sonnet-5",
    }
    assert [event.name for event in call.events] == ["waiting", "failed over"]
    assert heard.observer._calls == {}


class Instrumented(ScriptedChatModel):
    """A model whose HTTP client makes a span of each request."""

    def _generate(self, *args, **kwargs):
        trace.get_tracer("http", tracer_provider=TRACERS[0]).start_span("POST").end()
        return super()._generate(*args, **kwargs)

    async def _agenerate(self, *args, **kwargs):
        trace.get_tracer("http", tracer_provider=TRACERS[0]).start_span("POST").end()
        return await super()._agenerate(*args, **kwargs)

    def _stream(self, *args, **kwargs):
        trace.get_tracer("http", tracer_provider=TRACERS[0]).start_span("POST").end()
        yield from super()._stream(*args, **kwargs)

    async def _astream(self, *args, **kwargs):
        trace.get_tracer("http", tracer_provider=TRACERS[0]).start_span("POST").end()
        async for chunk in super()._astream(*args, **kwargs):
            yield chunk


TRACERS = []


@pytest.fixture
def instrumented(heard):
    TRACERS[:] = [heard.tracers]
    down = Instrumented(model="a", script=[ConnectionError("no")])
    return [down, Instrumented(model="b", script=["Hello there."])]


def family(spans):
    """Return whose child each span is, by name."""
    names = {one.context.span_id: one.name for one in spans}
    return [(one.name, one.parent and names.get(one.parent.span_id)) for one in spans]


TREE = [
    ("POST", "chat a"),
    ("chat a", "reliable chat"),
    ("POST", "chat b"),
    ("chat b", "reliable chat"),
    ("reliable chat", "mine"),
    ("mine", None),
]


def test_spans_of_the_clients_stand_in_their_attempts(
    surface, reliable, heard, instrumented
):
    model = reliable(*instrumented, observers=[heard.observer], max_retries=0)
    with heard.tracers.get_tracer("mine").start_as_current_span("mine") as mine:
        surface(model)
        assert trace.get_current_span() is mine
    assert family(heard.spans) == TREE


def test_so_they_do_with_two_observers_and_one_model_in_another(
    surface, reliable, heard, instrumented
):
    other = Heard()
    inner = reliable(*instrumented, observers=[heard.observer], max_retries=0)
    model = reliable(inner, observers=[other.observer, heard.observer])
    surface(model)
    assert trace.get_current_span() is trace.INVALID_SPAN
    assert family(heard.spans)[-3:] == [
        ("reliable chat", "chat a | b"),
        ("chat a | b", "reliable chat"),
        ("reliable chat", None),
    ]
    assert family(other.spans)[-1] == ("reliable chat", None)
    other.meters.shutdown()


def test_a_stream_hands_out_nothing_inside_an_attempt(reliable, heard, instrumented):
    model = reliable(*instrumented, observers=[heard.observer], max_retries=0)
    stream = model.stream("?")
    for _ in stream:
        assert trace.get_current_span() is trace.INVALID_SPAN


async def test_so_it_is_where_each_chunk_is_asked_for_by_another_task(
    reliable, heard, instrumented
):
    model = reliable(*instrumented, observers=[heard.observer], max_retries=0)
    stream = model.astream("?")
    async with asyncio.timeout(5):
        while await asyncio.create_task(anext(stream, None)) is not None:
            assert trace.get_current_span() is trace.INVALID_SPAN
    assert family(heard.spans)[-1] == ("reliable chat", None)


async def test_a_call_that_is_cancelled_leaves_no_span_current_or_open(heard):
    stuck = ScriptedChatModel(script=[stalls(Gate())])
    model = ReliableChatModel(models=[stuck], observers=[heard.observer])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await model.ainvoke("?")
    assert trace.get_current_span() is trace.INVALID_SPAN
    assert [one.name for one in heard.spans] == ["chat scripted", "reliable chat"]


def test_tokens_of_a_rejected_attempt_are_its_own(surface, reliable, heard):
    used = Usage(input_tokens=700, output_tokens=3)
    silent = ScriptedChatModel(model="gpt-5.4", script=[says("", usage=used)])
    well = ScriptedChatModel(model="claude-sonnet-5", script=["Hi."])
    surface(reliable(silent, well, observers=[heard.observer], max_retries=0))
    rejected, answered, call = (one.attributes for one in heard.spans)
    assert rejected["gen_ai.usage.input_tokens"] == 700
    assert answered["gen_ai.usage.input_tokens"] < 700
    assert not [name for name in call if "usage" in name]


def test_measures_attempts_failovers_and_the_time_to_the_first_chunk(reliable, heard):
    gpt = ScriptedChatModel(model="gpt-5.4", script=[ConnectionError("no route")])
    claude = ScriptedChatModel(model="claude-sonnet-5", script=["Hello there."])
    model = reliable(gpt, claude, observers=[heard.observer], max_retries=1)
    list(model.stream("?"))
    points = heard.points
    attempts = {
        point.attributes["gen_ai.request.model"]: (
            point.value,
            point.attributes.get("error.type"),
        )
        for point in points["langchain_reliable.attempts"]
    }
    assert attempts == {"gpt-5.4": (2, "connection"), "claude-sonnet-5": (1, None)}
    (failover,) = points["langchain_reliable.failovers"]
    assert failover.attributes["error.type"] == "connection"
    (first,) = points["langchain_reliable.time_to_first_chunk"]
    assert first.sum == pytest.approx(0.25)  # the wait; the clock is the test's
    assert sum(p.count for p in points["gen_ai.client.operation.duration"]) == 3


def test_a_call_that_nobody_answers(reliable, heard):
    down = [
        ScriptedChatModel(model=name, script=[ConnectionError("a secret prompt")])
        for name in ("a", "b")
    ]
    with pytest.raises(Exception, match="no model answered"):
        reliable(*down, observers=[heard.observer], max_retries=0).invoke("?")
    *_, call = heard.spans
    assert not call.status.is_ok
    assert call.attributes["error.type"] == "connection"
    assert "secret" not in "".join(span.to_json() for span in heard.spans)


def test_a_stream_that_breaks_while_it_is_shown(reliable, heard):
    cut = fails(ConnectionError, says("one two three"), after=2)
    gpt = ScriptedChatModel(model="gpt-5.4", script=[cut])
    with pytest.raises(Exception, match="broke off"):
        list(reliable(gpt, observers=[heard.observer]).stream("?"))
    attempt, call = heard.spans
    assert attempt.attributes["error.type"] == call.attributes["error.type"]
    (point,) = heard.points["langchain_reliable.interruptions"]
    assert point.value == 1


def test_provider_model_and_usage_are_told_where_they_are_known(heard):
    facts = {"call": 1, "at": 1.0, "candidate": "mine", "model": "gpt-5.4"}
    heard.observer(AttemptStarted(**facts, provider="openai", number=1, nth=1))
    end = {"call": 1, "at": 2.0, "candidate": "mine"}
    heard.observer(Answered(**end, input_tokens=3, output_tokens=5))
    attempt, _ = heard.spans
    assert attempt.attributes == {
        **GPT,
        "gen_ai.request.stream": False,
        "langchain_reliable.candidate": "mine",
        "langchain_reliable.attempt": 1,
        "gen_ai.provider.name": "openai",
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 5,
    }


def test_tokens_are_told_by_a_real_call(reliable, heard):
    reliable(ScriptedChatModel(), observers=[heard.observer]).invoke("?")
    usage = heard.spans[0].attributes
    assert usage["gen_ai.usage.input_tokens"] > 0
    assert usage["gen_ai.usage.output_tokens"] > 0


def test_a_stream_that_is_left_early_ends_its_spans(reliable, heard):
    model = reliable(ScriptedChatModel(), observers=[heard.observer])
    stream = model.stream("?")
    next(stream)
    stream.close()
    attempt, call = heard.spans
    assert attempt.status.is_ok
    assert [event.name for event in call.events] == ["left early"]


def test_an_empty_answer_that_is_the_best_there_is(reliable, heard):
    gpt = ScriptedChatModel(model="gpt-5.4", script=[says("")])
    down = ScriptedChatModel(script=[ConnectionError("no")])
    reliable(gpt, down, observers=[heard.observer], max_retries=0).invoke("?")
    assert heard.spans[-1].attributes["langchain_reliable.served_by"] == "gpt-5.4"
    assert sum(p.value for p in heard.points["langchain_reliable.attempts"]) == 2


def test_counts_open_circuits_once(heard):
    opened = CircuitOpened(call=1, at=1.0, candidate="gpt-5.4", seconds=30)
    closed = CircuitClosed(call=2, at=9.0, candidate="gpt-5.4")
    for event in (opened, opened):
        heard.observer(event)
    (point,) = heard.points["langchain_reliable.open_circuits"]
    assert point.value == 1
    for event in (closed, closed):
        heard.observer(event)
    (point,) = heard.points["langchain_reliable.open_circuits"]
    assert point.value == 0


def test_calls_that_were_left_early_do_not_pile_up(heard, monkeypatch):
    monkeypatch.setattr(_opentelemetry, "_MOST_OPEN", 2)
    for call in range(5):
        facts = {"call": call, "at": 1.0, "candidate": "gpt-5.4"}
        heard.observer(AttemptStarted(**facts, number=1, nth=1))
    assert len(heard.observer._calls) == 2
    assert len(heard.spans) == 6
    heard.observer(GaveUp(call=0, at=2.0, attempts=()))
    assert len(heard.spans) == 6


def test_copies_of_a_model_are_recorded_by_the_same_observer(heard):
    assert copy.deepcopy(heard.observer) is heard.observer


def test_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ImportError, match=r"langchain-reliable\[otel\]"):
        OpenTelemetryObserver()


def test_the_observers_need_neither_opentelemetry_nor_rich():
    code = (
        "import sys;"
        "sys.modules['opentelemetry'] = sys.modules['rich'] = None;"
        "from langchain_reliable.observers import Timeline;"
        "print(Timeline())"
    )
    run = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "no calls yet"


class Moments(SpanProcessor):
    """Takes note of which spans are open at the same time."""

    def __init__(self):
        self.open, self.together = set(), set()

    def on_start(self, span, parent_context=None):
        self.open.add(span.name)
        self.together.add(frozenset(self.open))

    def on_end(self, span):
        self.open.discard(span.name)


def test_a_hedged_call_has_two_open_spans_and_the_loser_ends_by_itself(surface, heard):
    moments = Moments()
    heard.tracers.add_span_processor(moments)
    with Gate() as gate:
        gpt = ScriptedChatModel(model="gpt-5.4", script=[stalls(gate)])
        claude = ScriptedChatModel(model="claude-sonnet-5", script=["Hello there."])
        hedge = Hedge(after=0.1, whole_after=0.1)
        model = ReliableChatModel(
            models=[gpt, claude], hedge=hedge, observers=[heard.observer]
        )
        assert surface(model).text == "Hello there."
    both = {"reliable chat", "chat gpt-5.4", "chat claude-sonnet-5"}
    assert both in moments.together
    assert not moments.open
    spans = {one.name: one for one in heard.spans}
    lost, won = spans["chat gpt-5.4"], spans["chat claude-sonnet-5"]
    assert lost.attributes["langchain_reliable.lost"] is True
    assert lost.status.status_code is won.status.status_code is StatusCode.UNSET
    assert "error.type" not in lost.attributes
    assert won.attributes["langchain_reliable.hedged"] is True
    assert lost.start_time < won.start_time <= lost.end_time
    assert won.attributes["gen_ai.usage.output_tokens"]
    assert "gen_ai.usage.output_tokens" not in lost.attributes
    assert heard.observer._calls == {}
