"""Calls as OpenTelemetry traces and metrics.

Spans, attributes and instruments live here, named by the GenAI semantic conventions
where these have a name for them. `opentelemetry` is imported when an observer is made,
never before, and no text of a prompt, a completion or a provider is recorded.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from langchain_reliable.events import (
    Answered,
    AttemptFailed,
    AttemptStarted,
    CircuitClosed,
    CircuitOpened,
    Committed,
    FailedOver,
    GaveUp,
    Interrupted,
    Left,
    Waiting,
)
from langchain_reliable.observers._words import short

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, TracerProvider

    from langchain_reliable.events import Event
    from langchain_reliable.failures import Failure

_NAME: Final = "langchain_reliable"
_INSTALL: Final = (
    'OpenTelemetryObserver needs opentelemetry: pip install "langchain-reliable[otel]"'
)
_MOST_OPEN: Final = 1024
"""Calls whose end is waited for; those that were left early are ended then."""


@dataclass(slots=True)
class _Open:
    """A call that is under way."""

    began_at: float
    span: Span
    attempt: Span | None = None
    attempts: int = 0
    failed_over: bool = False
    streams: bool = False
    asked: dict[str, Any] | None = None


class OpenTelemetryObserver:
    """Makes a span of each call, with a child span for each attempt, and metrics.

    A call's span is a child of the span that is current where the call begins. Spans of
    attempts are client spans of the operation `chat`, with `gen_ai.*` attributes and
    `error.type` (the failure kind). Metrics: `langchain_reliable.attempts`,
    `.failovers`, `.interruptions`, `.open_circuits` and `.time_to_first_chunk`, and
    `gen_ai.client.operation.duration`.

    Needs the extra `otel`; what is done with spans and metrics is up to the SDK and the
    exporters that you set up.
    """

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        """Choose where spans and metrics go.

        Args:
            tracer_provider: Where spans go; by default the global provider.
            meter_provider: Where metrics go; by default the global provider.

        Raises:
            ImportError: `opentelemetry` is not installed; the text says what to do.
        """
        try:
            from opentelemetry import metrics, trace  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise ImportError(_INSTALL) from error
        self._trace = trace
        self._tracer = trace.get_tracer(_NAME, tracer_provider=tracer_provider)
        self._meters = _Meters(metrics.get_meter(_NAME, meter_provider=meter_provider))
        self._calls: dict[int, _Open] = {}
        self._lock = threading.Lock()

    def __call__(self, event: Event, /) -> None:
        """Record an event."""
        match event:
            case AttemptStarted():
                self._started(event)
            case CircuitOpened(candidate=name):
                self._meters.circuit(name, is_open=True)
            case CircuitClosed(candidate=name):
                self._meters.circuit(name, is_open=False)
            case _ if (call := self._calls.get(event.call)) is not None:
                self._went_on(event, call)
            case _:
                pass

    def __deepcopy__(self, memo: object) -> OpenTelemetryObserver:
        return self  # a copy of a model is recorded by the same observer

    # --- spans --------------------------------------------------------------------

    def _started(self, event: AttemptStarted) -> None:
        call = self._calls.get(event.call) or self._begun(event)
        call.attempts += 1
        call.asked = _asked(event)
        call.streams = event.streams
        model = call.asked["gen_ai.request.model"]
        call.attempt = self._tracer.start_span(
            f"chat {model}",
            context=self._trace.set_span_in_context(call.span),
            kind=self._trace.SpanKind.CLIENT,
            attributes={**call.asked, "langchain_reliable.attempt": event.number},
        )

    def _begun(self, event: AttemptStarted) -> _Open:
        call = _Open(event.at, self._tracer.start_span("reliable chat"))
        with self._lock:
            self._calls[event.call] = call
            crowd = len(self._calls) > _MOST_OPEN
            oldest = self._calls.pop(next(iter(self._calls))) if crowd else None
        if oldest is not None:
            self._end(oldest, oldest.span, None)
        return call

    def _went_on(self, event: Event, call: _Open) -> None:
        match event:
            case AttemptFailed(attempt=tried) if tried.failure is not None:
                self._meters.ended(call, tried.seconds, tried.failure)
                self._end(call, call.attempt, tried.failure)
            case Waiting(candidate=who, seconds=span):
                facts = _facts(candidate=who, seconds=span)
                call.span.add_event("waiting", facts)
            case FailedOver(source=source, target=target, failure=why):
                call.failed_over = True
                self._meters.failed_over(source, target, why)
                call.span.add_event("failed over", _facts(source=source, target=target))
            case Committed(attempt=tried):
                self._committed(event, call, tried.seconds)
            case Interrupted(failure=why):
                self._meters.interrupted(call, why)
                self._over(event, call, why)
            case Answered():
                self._answered(event, call)
            case Left():
                call.span.add_event("left early", _facts(candidate=event.candidate))
                self._over(event, call, None)
            case GaveUp(attempts=attempts):
                self._over(event, call, attempts[-1].failure if attempts else None)
            case _:
                pass

    def _committed(self, event: Committed, call: _Open, seconds: float) -> None:
        served_by = event.attempt.candidate
        call.span.set_attributes(_facts(served_by=served_by))
        if call.streams:
            self._meters.spoke(served_by, event.at - call.began_at)
        if call.attempt is not None:
            self._meters.ended(call, seconds, None)
            if call.streams:
                name = "gen_ai.response.time_to_first_chunk"
                call.attempt.set_attribute(name, seconds)

    def _answered(self, event: Answered, call: _Open) -> None:
        if call.attempt is not None:
            for name in ("input_tokens", "output_tokens"):
                if (tokens := getattr(event, name)) is not None:
                    call.attempt.set_attribute(f"gen_ai.usage.{name}", tokens)
        self._over(event, call, None)

    def _over(self, event: Event, call: _Open, failure: Failure | None) -> None:
        with self._lock:
            self._calls.pop(event.call, None)
        self._end(call, call.attempt, failure)
        self._end(call, call.span, failure)

    def _end(self, call: _Open, span: Span | None, failure: Failure | None) -> None:
        if span is None:
            return
        if failure is not None:
            status = self._trace.Status(self._trace.StatusCode.ERROR, short(failure))
            span.set_status(status)
            span.set_attributes(_of_failure(failure))
        if span is call.span:
            facts = _facts(attempts=call.attempts, failed_over=call.failed_over)
            span.set_attributes(facts)
            if call.attempt is not None:
                call.attempt.end()
        call.attempt = None
        span.end()


class _Meters:
    """The instruments."""

    def __init__(self, meter: Any) -> None:
        self._attempts = meter.create_counter(
            f"{_NAME}.attempts", "{attempt}", "Requests to candidates."
        )
        self._failovers = meter.create_counter(
            f"{_NAME}.failovers", "{failover}", "Moves to another item of `models`."
        )
        self._interruptions = meter.create_counter(
            f"{_NAME}.interruptions", "{stream}", "Streams that broke while shown."
        )
        self._first_chunk = meter.create_histogram(
            f"{_NAME}.time_to_first_chunk",
            "s",
            "Streams: from the beginning of a call, with all its tries and waits, to "
            "the first chunk that is let out.",
        )
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            "s",
            "One attempt, up to its first chunk, its answer or its failure.",
        )
        self._circuits = meter.create_up_down_counter(
            f"{_NAME}.open_circuits", "{candidate}", "Candidates that are left alone."
        )
        self._open: set[str] = set()
        self._lock = threading.Lock()

    def ended(self, call: _Open, seconds: float, failure: Failure | None) -> None:
        facts: dict[str, Any] = {**(call.asked or {}), **_error_type(failure)}
        self._attempts.add(1, facts)
        self._duration.record(seconds, facts)

    def failed_over(self, source: str, target: str, why: Failure | None) -> None:
        facts = {**_facts(source=source, target=target), **_error_type(why)}
        self._failovers.add(1, facts)

    def spoke(self, candidate: str, seconds: float) -> None:
        self._first_chunk.record(seconds, _facts(candidate=candidate))

    def interrupted(self, call: _Open, why: Failure) -> None:
        self._interruptions.add(1, {**(call.asked or {}), **_error_type(why)})

    def circuit(self, candidate: str, *, is_open: bool) -> None:
        with self._lock:
            if (candidate in self._open) is is_open:
                return
            (self._open.add if is_open else self._open.discard)(candidate)
        self._circuits.add(1 if is_open else -1, _facts(candidate=candidate))


# --- attributes -------------------------------------------------------------------


def _facts(**facts: str | float | bool) -> dict[str, Any]:
    return {f"{_NAME}.{name}": value for name, value in facts.items()}


def _asked(event: AttemptStarted) -> dict[str, Any]:
    provider = {"gen_ai.provider.name": event.provider} if event.provider else {}
    return {
        "gen_ai.request.stream": event.streams,
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": event.model or event.candidate,
        **_facts(candidate=event.candidate),
        **provider,
    }


def _error_type(failure: Failure | None) -> dict[str, str]:
    return {"error.type": failure.kind.value} if failure is not None else {}


def _of_failure(failure: Failure) -> dict[str, Any]:
    status = {"http.response.status_code": failure.status} if failure.status else {}
    return {**_error_type(failure), **status}
