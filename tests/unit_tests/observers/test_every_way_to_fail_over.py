"""However a call comes to another entry, all who tell of it say the same."""

from __future__ import annotations

import logging

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableLambda
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from langchain_reliable import CircuitBreaker
from langchain_reliable.observers import (
    CustomEventObserver,
    OpenTelemetryObserver,
    Timeline,
)
from langchain_reliable.testing import ScriptedChatModel, says

CALLS = 4


class Status(Exception):
    def __init__(self, code: int, wait: str = "") -> None:
        super().__init__(f"no ({code})")
        self.status_code = code
        headers = {"retry-after": wait} if wait else {}
        self.response = type("R", (), {"headers": headers, "status_code": code})()


def scripted(name, *script):
    return ScriptedChatModel(model=name, script=list(script) or ["Hello."])


def in_the_call(reliable, **fields):
    down = scripted("gpt", ConnectionError("no"))
    return reliable(
        down, scripted("claude"), max_retries=0, circuit_breaker=None, **fields
    )


def open_circuit(reliable, **fields):
    down = scripted("gpt", ConnectionError("no"))
    breaker = CircuitBreaker(failures=1, open_for=60)
    return reliable(
        down, scripted("claude"), max_retries=0, circuit_breaker=breaker, **fields
    )


def cooldown(reliable, **fields):
    limited = scripted("gpt", Status(429, "50"))
    return reliable(limited, scripted("claude"), max_retries=0, **fields)


def isolation(reliable, **fields):
    model = reliable(scripted("gpt"), scripted("claude"), **fields)
    model.health.isolate("gpt")
    return model


def a_group_that_is_out(reliable, **fields):
    model = reliable([scripted("gpt"), scripted("gpt-2")], scripted("claude"), **fields)
    model.health.isolate("gpt")
    model.health.isolate("gpt-2")
    return model


def a_sibling(reliable, **fields):
    model = reliable([scripted("gpt"), scripted("claude")], scripted("x"), **fields)
    model.health.isolate("gpt")
    return model


def only_the_best_of_bad(reliable, **fields):
    """The first says nothing, the second fails: the empty answer is returned."""
    down = scripted("claude", ConnectionError("no"))
    return reliable(scripted("gpt", says("")), down, max_retries=0, **fields)


def nobody_fails(reliable, **fields):
    return reliable(scripted("gpt"), scripted("claude"), **fields)


MOVES = [in_the_call, open_circuit, cooldown, isolation, a_group_that_is_out]
STAYS = [a_sibling, only_the_best_of_bad, nobody_fails]


class Heard:
    """Whoever may be told of a call."""

    def __init__(self):
        self.spans, traces = InMemorySpanExporter(), TracerProvider()
        traces.add_span_processor(SimpleSpanProcessor(self.spans))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader])
        self.timeline = Timeline()
        self.observers = [
            OpenTelemetryObserver(tracer_provider=traces, meter_provider=self.meters),
            self.timeline,
            CustomEventObserver(),
        ]

    @property
    def calls(self):
        spans = self.spans.get_finished_spans()
        return [one.attributes for one in spans if one.name == "reliable chat"]

    def count(self, name):
        """Return what was counted of each pair or candidate."""
        found = {}
        for resource in self.reader.get_metrics_data().resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == f"langchain_reliable.{name}":
                        for one in metric.data.data_points:
                            key = [
                                one.attributes.get(f"langchain_reliable.{part}")
                                for part in ("source", "target", "candidate")
                            ]
                            key = tuple(filter(None, key))
                            found[key] = found.get(key, 0) + one.value
        return found


@pytest.fixture
def heard():
    heard = Heard()
    yield heard
    heard.meters.shutdown()


@pytest.mark.parametrize("way", [*MOVES, *STAYS])
def test_message_span_and_counter_agree(surface, reliable, heard, way):
    model = way(reliable, observers=heard.observers)
    trails = [surface(model).trail for _ in range(CALLS)]
    moved = [one["failed_over"] for one in trails]
    assert moved == [way in MOVES] * CALLS
    told = [one["langchain_reliable.failed_over"] for one in heard.calls]
    assert told == moved
    served = [one["langchain_reliable.served_by"] for one in heard.calls]
    assert served == [one["served_by"] for one in trails]
    expected = {("gpt", "claude"): CALLS} if way in MOVES else {}
    assert heard.count("failovers") == expected


@pytest.mark.parametrize("way", [open_circuit, cooldown, isolation, a_sibling])
def test_who_was_passed_over_is_told_everywhere(surface, reliable, heard, way, caplog):
    model = way(reliable, observers=heard.observers)
    surface(model)  # from the second call on it is known
    caplog.clear()
    caplog.set_level(logging.DEBUG, "langchain_reliable")
    trail = surface(model).trail
    assert [one["candidate"] for one in trail["skipped"]] == ["gpt"]
    assert heard.calls[-1]["langchain_reliable.passed_over"] == ("gpt",)
    known_at_once = way in (isolation, a_sibling)
    assert heard.count("passed_over") == {("gpt",): 2 if known_at_once else 1}
    assert any("gpt is left alone" in one for one in caplog.messages)
    first, second = heard.timeline.last.summary.entries
    assert (first.candidate, second.candidate) == ("gpt", "claude")
    assert first.what.startswith("passed over (health")
    assert "passed over" in str(heard.timeline.last)


@pytest.mark.parametrize("way", [open_circuit, cooldown, isolation])
def test_a_chat_is_told_who_answers_instead(surface, reliable, way):
    told = []

    class Listener(BaseCallbackHandler):
        def on_custom_event(self, name, data, **_):
            told.append(data)

    model = way(reliable, observers=[CustomEventObserver()])
    surface(model)
    chain = RunnableLambda(lambda said: said) | model
    surface(chain.with_config(callbacks=[Listener()]))
    [data] = told
    assert data["type"] == "passed_over"
    assert data["text"].startswith("gpt is left alone")
    assert data["text"].endswith("; asking claude")
