"""Calls as OpenTelemetry traces and metrics.

Spans, attributes and instruments are named by the GenAI semantic conventions where
these have a name for them. `opentelemetry` is imported when an observer is made, never
before, and no text of a prompt, a completion or a provider is recorded.

Several attempts of a call may be under way at once, each with a span of its own: events
find theirs by the attempt's number.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Final

from langchain_reliable.events import (
    Abandoned,
    Answered,
    AttemptFailed,
    AttemptLost,
    AttemptStarted,
    CircuitClosed,
    CircuitOpened,
    Committed,
    FailedOver,
    GaveUp,
    Hedged,
    Interrupted,
    PassedOver,
    Restarted,
    SlowCall,
    Waiting,
)
from langchain_reliable.observers._forks import renewed_after_fork
from langchain_reliable.observers._opentelemetry_context import CurrentSpan
from langchain_reliable.observers._opentelemetry_metrics import (
    NAME,
    Meters,
    error_type,
    facts,
)
from langchain_reliable.observers._opentelemetry_spans import (
    OpenAttempt,
    OpenCall,
    asked_for,
)

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from langchain_reliable.events import AttemptRecord, Event
    from langchain_reliable.failures import Failure

_INSTALL: Final = (
    'OpenTelemetryObserver needs opentelemetry: pip install "langchain-reliable[otel]"'
)
_MOST_OPEN: Final = 1024
"""Calls whose end is waited for; the oldest are ended then."""


class OpenTelemetryObserver:
    """Makes a span of each call, with a child span for each attempt, and metrics.

    A call's span is a child of the span that is current where the call begins. Spans of
    attempts are client spans of the operation `chat`, with `gen_ai.*` attributes and
    `error.type` (the failure kind). Such a span is current until its attempt commits or
    fails, so that the spans of an instrumented HTTP client stand in it. Metrics:
    `langchain_reliable.attempts`, `.failovers`, `.passed_over`, `.hedges`, `.restarts`,
    `.slow_calls`, `.interruptions`, `.open_circuits` and `.time_to_first_chunk`, and
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
            from opentelemetry import context, metrics, trace  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise ImportError(_INSTALL) from error
        self._trace = trace
        self._current = CurrentSpan(context, trace)
        self._tracer = trace.get_tracer(NAME, tracer_provider=tracer_provider)
        self._meters = Meters(metrics.get_meter(NAME, meter_provider=meter_provider))
        self._calls: dict[int, OpenCall] = {}
        self._lock = renewed_after_fork(threading.RLock, self, "_lock")
        self._anew = partial(
            type(self), tracer_provider=tracer_provider, meter_provider=meter_provider
        )

    def __call__(self, event: Event, /) -> None:
        """Record an event."""
        match event:
            case AttemptStarted():
                self._started(event)
            case PassedOver():
                self._passed_over(event)
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

    # --- a call and its attempts begin ----------------------------------------------

    def _call_of(self, event: AttemptStarted | PassedOver) -> OpenCall:
        if (known := self._calls.get(event.call)) is not None:
            return known
        around = self._current.around(event.call)
        span = self._tracer.start_span("reliable chat", context=around)
        call = OpenCall(event.at, span, event.candidate)
        with self._lock:
            self._calls[event.call] = call
            crowd = len(self._calls) > _MOST_OPEN
            oldest = self._calls.pop(next(iter(self._calls))) if crowd else None
        if oldest is not None:
            self._close(oldest, None)
        return call

    def _started(self, event: AttemptStarted) -> None:
        call = self._call_of(event)
        call.started += 1
        asked = asked_for(event)
        hedged = facts(hedged=True) if event.hedged else {}
        span = self._tracer.start_span(
            f"chat {asked['gen_ai.request.model']}",
            context=self._trace.set_span_in_context(call.span),
            kind=self._trace.SpanKind.CLIENT,
            attributes={**asked, **facts(attempt=event.number), **hedged},
        )
        call.attempts[event.number] = OpenAttempt(span, asked, event.streams)
        self._current.enter(event.call, event.number, span)

    def _passed_over(self, event: PassedOver) -> None:
        call = self._call_of(event)
        if event.candidate == call.first and not call.why:
            call.why = facts(reason=event.reason)
        call.passed_over.append(event.candidate)
        call.span.set_attributes(facts(passed_over=tuple(call.passed_over)))
        told = facts(candidate=event.candidate, reason=event.reason)
        wait = {} if event.seconds is None else facts(seconds=event.seconds)
        call.span.add_event("passed over", {**told, **wait})
        self._meters.passed_over(event.candidate, event.reason)

    # --- what becomes of a call -----------------------------------------------------

    def _went_on(self, event: Event, call: OpenCall) -> None:
        match event:
            case AttemptFailed(attempt=tried) if tried.failure is not None:
                self._failed(event.call, call, tried, tried.failure)
            case AttemptLost(attempt=tried):
                if (attempt := call.attempts.get(tried.number)) is not None:
                    attempt.opened(tried)
                self._lost(call, tried.number)
                self._current.leave(event.call, call.asking)
            case Committed(attempt=tried):
                self._committed(event, call, tried)
            case Interrupted(failure=why):
                self._interrupted(event, call, why)
            case Answered():
                if (attempt := call.shown(event.number)) is not None:
                    attempt.used(event)
                self._over(event.call, call, None)
            case Abandoned():
                call.span.add_event("left early", facts(candidate=event.candidate))
                self._over(event.call, call, None)
            case GaveUp(attempts=attempts):
                call.has_failed = True
                last = attempts[-1].failure if attempts else None
                self._over(event.call, call, last)
            case _:
                self._noted(event, call)

    def _noted(self, event: Event, call: OpenCall) -> None:
        """Record what happens between attempts, as events of the call's span."""
        match event:
            case Waiting(candidate=who, seconds=span):
                told = facts(candidate=who, seconds=span)
                limit = facts(for_limit=True) if event.for_limit else {}
                call.span.add_event("waiting", {**told, **limit})
            case FailedOver(source=source, target=target):
                call.span.add_event("failed over", facts(source=source, target=target))
            case Hedged(source=source, target=target, after=after):
                told = facts(source=source, target=target)
                call.span.add_event("hedged", {**told, **facts(after=after)})
                self._meters.hedged(source, target)
            case Restarted(source=source, target=target):
                told = facts(source=source, target=target)
                call.span.add_event("restarted", told)
                call.span.set_attributes(facts(restarted=True))
                self._meters.restarted(source, target)
            case SlowCall():
                told = facts(candidate=event.candidate, seconds=event.seconds)
                call.span.add_event("slow", {**told, **facts(limit=event.limit)})
                self._meters.slow(event.candidate, streams=event.streams)
            case _:
                pass

    def _failed(
        self, number: int, call: OpenCall, tried: AttemptRecord, why: Failure
    ) -> None:
        if tried.candidate == call.first:
            call.why = error_type(why)
        if (attempt := call.attempts.pop(tried.number, None)) is not None:
            if attempt.committed:  # what was shown is to be taken back
                self._meters.interrupted(attempt.asked, why)
            else:
                self._meters.ended(attempt.asked, tried.seconds, why)
                attempt.opened(tried)
            attempt.used(tried)
            attempt.end(why)
        self._current.leave(number, call.asking)

    def _committed(
        self, event: Committed, call: OpenCall, tried: AttemptRecord
    ) -> None:
        self._current.leave(event.call, set())
        call.span.set_attributes(facts(served_by=tried.candidate))
        if event.failed_over and not call.failed_over:
            why = call.why or facts(reason="hedge" if tried.hedged else "other")
            self._meters.failed_over(call.first, tried.candidate, why)
        call.failed_over = event.failed_over
        if (attempt := call.attempts.get(tried.number)) is not None:
            attempt.committed = True
            self._meters.ended(attempt.asked, tried.seconds, None)
            attempt.opened(tried)
            if attempt.streams and not call.has_spoken:
                self._meters.spoke(tried.candidate, event.at - call.began_at)
        call.has_spoken = True

    def _interrupted(self, event: Interrupted, call: OpenCall, why: Failure) -> None:
        if (attempt := call.shown(event.number)) is not None:
            self._meters.interrupted(attempt.asked, why)
            attempt.used(event)
            attempt.fails(why)
        self._over(event.call, call, why)

    # --- ends -----------------------------------------------------------------------

    def _lost(self, call: OpenCall, number: int) -> None:
        """End an attempt that another was faster than."""
        if (attempt := call.attempts.pop(number, None)) is not None:
            attempt.span.set_attributes(facts(lost=True))
            self._meters.lost(attempt.asked)
            attempt.end(None)

    def _over(self, number: int, call: OpenCall, failure: Failure | None) -> None:
        self._current.leave(number, set())
        with self._lock:
            self._calls.pop(number, None)
        self._close(call, failure)

    def _close(self, call: OpenCall, failure: Failure | None) -> None:
        """End the spans of a call; who has said nothing where another has, has lost."""
        for number, attempt in sorted(call.attempts.items()):
            if call.has_spoken and not attempt.committed:
                self._lost(call, number)
            else:
                call.attempts.pop(number).end(None)
        call.end(failure)
