"""An outage over the wire: who pays for it, and how often."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.trace import NoOpTracerProvider

from langchain_reliable import CircuitBreaker, rotate_keys
from langchain_reliable.observers import OpenTelemetryObserver
from langchain_reliable.testing import FAULTS, says


@pytest.mark.parametrize("family", ["openai", "anthropic"])
def test_fifteen_calls_in_a_minute_of_outage_reach_the_dead_primary_six_times(
    surface, reliable, clients, clock, family
):
    sim = clients.sim
    sim.script("the-primary", FAULTS["error-503"])
    model = reliable(clients.of(family, "the-primary"), clients.openai("the-backup"))
    for _ in range(15):
        assert surface(model).trail["served_by"] == "the-backup"
        clock.time += 4
    assert sim.count("the-primary") <= 6  # three retries, a probe each 20 s

    sim.script("the-primary", says("well again"))
    clock.time += 30
    assert surface(model).text == "well again"
    assert surface(model).attempts == ["the-primary: answered"]


def test_of_two_keys_the_exhausted_one_is_asked_once(surface, reliable, clients, clock):
    sim = clients.sim
    sim.script("gpt", FAULTS["quota-exhausted"], says("the second key answers"))
    keys = rotate_keys(clients.openai("gpt"), ["sk-empty", "sk-full"])
    model = reliable(keys)
    for _ in range(5):
        assert surface(model).text == "the second key answers"
    used = [request.key for request in sim.requests]
    assert used == ["sk-empty", *["sk-full"] * 5]
    assert "sk-" not in repr(model) + str(model.health) + str(surface(model).trail)


class Dashboard:
    """What OpenTelemetry's metrics say of calls and of those that moved on."""

    def __init__(self):
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader])
        self.observer = OpenTelemetryObserver(
            tracer_provider=NoOpTracerProvider(), meter_provider=self.meters
        )

    @property
    def share(self):
        points = {
            metric.name: metric.data.data_points
            for resource in self.reader.get_metrics_data().resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }
        asked = points["langchain_reliable.attempts"]
        answered = [one for one in asked if "error.type" not in one.attributes]
        moved = points["langchain_reliable.failovers"]
        return _sum(moved) / _sum(answered)


def _sum(points):
    return sum(one.value for one in points)


@pytest.fixture
def dashboard():
    dashboard = Dashboard()
    yield dashboard
    dashboard.meters.shutdown()


async def at_once(model, calls):
    return await asyncio.gather(*(model.ainvoke("hello?") for _ in range(calls)))


def test_after_ten_minutes_of_outage_the_dashboard_says_what_the_messages_say(
    reliable, clients, clock, run, dashboard
):
    healthy, outage, per_second, open_for = 10, 600, 5, 20
    broken, sim = FAULTS["error-503"], clients.sim
    began = clock.now()
    since = lambda: clock.now() - began  # noqa: E731 - a moment, asked for often
    down = lambda: healthy <= since() < healthy + outage  # noqa: E731 - the same
    sim.script("the-primary", lambda _: broken if down() else says("all is well"))
    model = reliable(
        clients.openai("the-primary"),
        clients.openai("the-backup"),
        circuit_breaker=CircuitBreaker(open_for=open_for),
        observers=[dashboard.observer],
    )
    served, moved = [], []

    async def call_all_the_time():
        for second in range(healthy + outage + 2 * open_for):
            clock.time = max(clock.time, began + second)
            at, answers = since(), await at_once(model, per_second)
            trails = [one.response_metadata["reliable"] for one in answers]
            served.extend((at, one["served_by"]) for one in trails)
            moved.extend(one["failed_over"] for one in trails)

    run(call_all_the_time())
    assert dashboard.share == sum(moved) / len(moved)
    backup = [at for at, name in served if name == "the-backup"]
    assert (backup[0], len(backup) >= outage * per_second) == (healthy, True)
    assert backup[-1] <= healthy + outage + 1.1 * open_for
    requests_while_down = sim.count("the-primary") - (len(served) - len(backup))
    assert requests_while_down <= 3 * per_second + outage / (0.9 * open_for) + 1
