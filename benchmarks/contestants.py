"""Who is measured: the bare model, LangChain's own fallbacks, and ours in several ways.

Building them from a row's children lives here. What is asked of them never does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from benchmarks.floor import LeastRelay
from benchmarks.views import Middleware
from langchain_reliable import Candidate, Group, ReliableChatModel, Timeline
from langchain_reliable.observers import CustomEventObserver, OpenTelemetryObserver

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.runnables import Runnable
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import (
        InMemorySpanExporter,
    )

    from benchmarks.children import Children
    from langchain_reliable.events import Observer

BARE: Final = "bare"
BARE_AGAIN: Final = "bare_again"
LEAST: Final = "least_relay"
WITH_FALLBACKS: Final = "with_fallbacks"
MIDDLEWARE: Final = "middleware"
LITELLM: Final = "litellm"
OURS: Final = "ours"
NO_IDLE: Final = "ours_no_idle_timeout"
NO_TIMEOUTS: Final = "ours_no_limits"
OBSERVED: Final = "ours_observed"


@dataclass(frozen=True)
class Contestant:
    """One who is measured: a title for the table, and how it is built."""

    title: str
    make: Callable[[Children], Any]


def _direct(children: Children) -> Runnable[Any, Any]:
    return children.direct


def _least(children: Children) -> Runnable[Any, Any]:
    return LeastRelay(child=children.direct)


def _with_fallbacks(children: Children) -> Runnable[Any, Any]:
    first, *others = children.models
    return first.with_fallbacks(others)


def _middleware(children: Children) -> Middleware:
    return Middleware(children.models)


def _elsewhere(children: Children) -> Any:
    """Return what the other process needs to know."""
    return children.wire


def _ours(**settings: Any) -> Callable[[Children], Runnable[Any, Any]]:
    def make(children: Children) -> ReliableChatModel:
        models: list[Any] = list(children.models)
        if children.first_is_dead:
            models[0] = Candidate(models[0], name="dead")
        if children.order is not None:
            models = [Group(models, order=children.order)]
        return ReliableChatModel(models=models, **settings, **children.settings)

    return make


def _observed(children: Children) -> Runnable[Any, Any]:
    return _ours(observers=[CustomEventObserver(), _otel(), Timeline()])(children)


CONTESTANTS: Final = {
    BARE: Contestant("bare", _direct),
    BARE_AGAIN: Contestant("bare again", _direct),
    WITH_FALLBACKS: Contestant("with_fallbacks", _with_fallbacks),
    MIDDLEWARE: Contestant("ModelFallbackMiddleware", _middleware),
    LITELLM: Contestant("LiteLLM Router", _elsewhere),
    LEAST: Contestant("the least relay", _least),
    OURS: Contestant("ours", _ours()),
    NO_IDLE: Contestant("ours, idle_timeout=None", _ours(idle_timeout=None)),
    NO_TIMEOUTS: Contestant(
        "ours, no limits", _ours(idle_timeout=None, first_chunk_timeout=None)
    ),
    OBSERVED: Contestant("ours, all observers", _observed),
}
EVERYBODY: Final = (
    BARE,
    OURS,
    NO_IDLE,
    BARE_AGAIN,
    OBSERVED,
    NO_TIMEOUTS,
    WITH_FALLBACKS,
)
"""In the order of a round: the bare ones far apart, so that their ratio shows as much
of the machine's unrest as any other."""
WHERE_LIMITS_NEED_NO_THREAD: Final = tuple(
    one for one in EVERYBODY if one != NO_TIMEOUTS
)
"""For async and `invoke`, where no limits at all would be no news."""


@cache
def _exporter() -> InMemorySpanExporter:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import (  # noqa: PLC0415 - an extra
        InMemorySpanExporter,
    )

    return InMemorySpanExporter()


@cache
def _otel() -> Observer:
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.metrics.export import (  # noqa: PLC0415 - as above
        InMemoryMetricReader,
    )
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - as above
    from opentelemetry.sdk.trace.export import (  # noqa: PLC0415 - as above
        SimpleSpanProcessor,
    )

    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(_exporter()))
    return OpenTelemetryObserver(
        tracer_provider=tracers, meter_provider=MeterProvider([InMemoryMetricReader()])
    )


def drop_spans() -> None:
    """Forget the spans that were exported, so that they don't pile up."""
    _exporter().clear()
