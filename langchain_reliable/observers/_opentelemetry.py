"""Calls as OpenTelemetry traces and metrics.

Spans, attributes and instruments live here, named by the GenAI semantic conventions
where these have a name for them. `opentelemetry` is imported when an observer is made,
never before, and no text of a prompt, a completion or a provider is recorded.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from langchain_reliable._text.wording import failure_label
from langchain_reliable.events import (
    Abandoned,
    Answered,
    AttemptFailed,
    AttemptStarted,
    CircuitClosed,
    CircuitOpened,
    Committed,
    FailedOver,
    GaveUp,
    Interrupted,
    Waiting,
)
from langchain_reliable.observers._forks import renewed_after_fork
from langchain_reliable.observers._opentelemetry_metrics import (
    NAME,
    Meters,
    error_type,
    facts,
)

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, TracerProvider

    from langchain_reliable.events import AttemptRecord, Event
    from langchain_reliable.failures import Failure
    from langchain_reliable.observers._opentelemetry_metrics import Attributes

_INSTALL: Final = (
    'OpenTelemetryObserver needs opentelemetry: pip install "langchain-reliable[otel]"'
)
_MOST_OPEN: Final = 1024
"""Calls whose end is waited for; the oldest are ended then."""
_MARK: Final = f"{NAME}.around"
"""Where a context holds the number of a call and the context around that."""


@dataclass(slots=True)
class _Open:
    """A call that is under way."""

    began_at: float
    span: Span
    attempt: Span | None = None
    attempts: int = 0
    failed_over: bool = False
    streams: bool = False
    asked: Attributes = field(default_factory=dict)


class OpenTelemetryObserver:
    """Makes a span of each call, with a child span for each attempt, and metrics.

    A call's span is a child of the span that is current where the call begins. Spans of
    attempts are client spans of the operation `chat`, with `gen_ai.*` attributes and
    `error.type` (the failure kind). Such a span is current until its attempt commits or
    fails, so that the spans of an instrumented HTTP client stand in it. Metrics:
    `langchain_reliable.attempts`, `.failovers`, `.interruptions`, `.open_circuits` and
    `.time_to_first_chunk`, and `gen_ai.client.operation.duration`.

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
            from opentelemetry import context, metrics, trace  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise ImportError(_INSTALL) from error
        self._context, self._trace = context, trace
        self._tracer = trace.get_tracer(NAME, tracer_provider=tracer_provider)
        self._meters = Meters(metrics.get_meter(NAME, meter_provider=meter_provider))
        self._calls: dict[int, _Open] = {}
        self._lock = renewed_after_fork(threading.RLock, self, "_lock")
        self._anew = partial(
            type(self), tracer_provider=tracer_provider, meter_provider=meter_provider
        )

    def __call__(self, event: Event, /) -> None:
        """Record an event."""
        if isinstance(event, (AttemptFailed, Committed, Abandoned)):
            self._step_out(event.call)
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

    def __reduce__(self) -> tuple[partial[OpenTelemetryObserver], tuple[()]]:
        """In another process, record by its providers, or by those given if they go."""
        return self._anew, ()

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
        self._step_in(event.call, call.attempt)

    def _begun(self, event: AttemptStarted) -> _Open:
        around = self._around(event.call)
        span = self._tracer.start_span("reliable chat", context=around)
        call = _Open(event.at, span)
        with self._lock:
            self._calls[event.call] = call
            crowd = len(self._calls) > _MOST_OPEN
            oldest = self._calls.pop(next(iter(self._calls))) if crowd else None
        if oldest is not None:
            self._end(oldest, oldest.span, None)
        return call

    # --- the span that is current ---------------------------------------------------

    def _step_in(self, number: int, span: Span) -> None:
        """Let the spans of an attempt's client stand in the attempt's own.

        An attempt begins, and commits or fails, in one step of the caller, who is
        handed nothing meanwhile. What has to be given back lies in the context itself:
        so it is found where it belongs, and nowhere else.
        """
        context = self._trace.set_span_in_context(span)
        mark = (number, self._around(number))
        self._context.attach(self._context.set_value(_MARK, mark, context))

    def _step_out(self, number: int) -> None:
        if (mark := self._mark(number)) is not None:
            self._context.attach(mark)

    def _around(self, number: int) -> Context:
        """Return the context of a call, though another of us has stepped in by now."""
        mark = self._mark(number)
        return self._context.get_current() if mark is None else mark

    def _mark(self, number: int) -> Context | None:
        mark: Any = self._context.get_value(_MARK)
        return mark[1] if mark is not None and mark[0] == number else None

    # --- what becomes of a call -----------------------------------------------------

    def _went_on(self, event: Event, call: _Open) -> None:
        match event:
            case AttemptFailed(attempt=tried) if tried.failure is not None:
                self._meters.ended(call.asked, tried.seconds, tried.failure)
                self._opened(call, tried)
                self._used(call, tried)
                self._end(call, call.attempt, tried.failure)
            case Waiting(candidate=who, seconds=span):
                told = facts(candidate=who, seconds=span)
                call.span.add_event("waiting", told)
            case FailedOver(source=source, target=target, failure=why):
                call.failed_over = True
                self._meters.failed_over(source, target, why)
                call.span.add_event("failed over", facts(source=source, target=target))
            case Committed(attempt=tried):
                self._committed(event, call, tried)
            case Interrupted(failure=why):
                self._meters.interrupted(call.asked, why)
                self._used(call, event)
                self._over(event, call, why)
            case Answered():
                self._answered(event, call)
            case Abandoned():
                call.span.add_event("left early", facts(candidate=event.candidate))
                self._over(event, call, None)
            case GaveUp(attempts=attempts):
                self._over(event, call, attempts[-1].failure if attempts else None)
            case _:
                pass

    def _committed(self, event: Committed, call: _Open, tried: AttemptRecord) -> None:
        call.span.set_attributes(facts(served_by=tried.candidate))
        if call.streams:
            self._meters.spoke(tried.candidate, event.at - call.began_at)
        if call.attempt is not None:
            self._meters.ended(call.asked, tried.seconds, None)
            self._opened(call, tried)

    def _opened(self, call: _Open, tried: AttemptRecord) -> None:
        """Tell when the first chunk came, of any kind and in a stream alone."""
        if call.attempt is not None and call.streams and tried.opened is not None:
            name = "gen_ai.response.time_to_first_chunk"
            call.attempt.set_attribute(name, tried.opened)

    def _answered(self, event: Answered, call: _Open) -> None:
        self._used(call, event)
        self._over(event, call, None)

    def _used(self, call: _Open, told: Answered | Interrupted | AttemptRecord) -> None:
        """Tell the tokens of an attempt, where they are known."""
        for name in ("input_tokens", "output_tokens"):
            tokens = getattr(told, name)
            if call.attempt is not None and tokens is not None:
                call.attempt.set_attribute(f"gen_ai.usage.{name}", tokens)

    def _over(self, event: Event, call: _Open, failure: Failure | None) -> None:
        with self._lock:
            self._calls.pop(event.call, None)
        self._end(call, call.attempt, failure)
        self._end(call, call.span, failure)

    def _end(self, call: _Open, span: Span | None, failure: Failure | None) -> None:
        if span is None:
            return
        if failure is not None:
            status = self._trace.Status(
                self._trace.StatusCode.ERROR, failure_label(failure)
            )
            span.set_status(status)
            span.set_attributes(_of_failure(failure))
        if span is call.span:
            told = facts(attempts=call.attempts, failed_over=call.failed_over)
            span.set_attributes(told)
            if call.attempt is not None:
                call.attempt.end()
        call.attempt = None
        span.end()


# --- attributes -------------------------------------------------------------------


def _asked(event: AttemptStarted) -> Attributes:
    provider = {"gen_ai.provider.name": event.provider} if event.provider else {}
    return {
        "gen_ai.request.stream": event.streams,
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": event.model or event.candidate,
        **facts(candidate=event.candidate),
        **provider,
    }


def _of_failure(failure: Failure) -> Attributes:
    status = {"http.response.status_code": failure.status} if failure.status else {}
    return {**error_type(failure), **status}
