"""The spans of a call that is under way: its own, and one for each open attempt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from langchain_reliable._text.wording import failure_label
from langchain_reliable.observers._opentelemetry_metrics import error_type, facts

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from langchain_reliable.events import (
        Answered,
        AttemptRecord,
        AttemptStarted,
        Interrupted,
    )
    from langchain_reliable.failures import Failure
    from langchain_reliable.observers._opentelemetry_metrics import Attributes


@dataclass(slots=True)
class OpenAttempt:
    """An attempt whose end has not been heard of.

    Attributes:
        span: Its span.
        asked: Who was asked, and for what.
        streams: Whether a stream was asked for.
        committed: Whether its first word was let out.
    """

    span: Span
    asked: Attributes
    streams: bool
    committed: bool = False

    def opened(self, tried: AttemptRecord) -> None:
        """Tell when the first chunk came, of any kind and in a stream alone."""
        if self.streams and tried.opened is not None:
            name = "gen_ai.response.time_to_first_chunk"
            self.span.set_attribute(name, tried.opened)

    def used(self, told: Answered | Interrupted | AttemptRecord) -> None:
        """Tell its tokens, where they are known."""
        for name in ("input_tokens", "output_tokens"):
            if (tokens := getattr(told, name)) is not None:
                self.span.set_attribute(f"gen_ai.usage.{name}", tokens)

    def fails(self, failure: Failure) -> None:
        """Mark its span as failed."""
        _mark_failed(self.span, failure)

    def end(self, failure: Failure | None) -> None:
        """End its span."""
        if failure is not None:
            _mark_failed(self.span, failure)
        self.span.end()


@dataclass(slots=True)
class OpenCall:
    """A call that is under way.

    Attributes:
        began_at: When it began.
        span: Its span.
        first: Who came first in its plan.
        why: Why that one did not answer, where known.
        attempts: The attempts that have not ended, by number.
        started: How many attempts have begun.
        passed_over: Who was not asked.
        failed_over: Whether another entry than the first has answered.
        has_spoken: Whether a first word was let out.
        has_failed: Whether there is no answer.
    """

    began_at: float
    span: Span
    first: str
    why: Attributes = field(default_factory=dict)
    attempts: dict[int, OpenAttempt] = field(default_factory=dict)
    started: int = 0
    passed_over: list[str] = field(default_factory=list)
    failed_over: bool = False
    has_spoken: bool = False
    has_failed: bool = False

    @property
    def asking(self) -> set[int]:
        """The numbers of the attempts that have said nothing yet."""
        return {at for at, one in self.attempts.items() if not one.committed}

    def shown(self, number: int | None) -> OpenAttempt | None:
        """Return the attempt of a number, or else the one whose words are shown."""
        if number is not None:
            return self.attempts.get(number)
        shown = [one for one in self.attempts.values() if one.committed]
        return next(iter(shown or self.attempts.values()), None)

    def end(self, failure: Failure | None) -> None:
        """End its span."""
        told = facts(attempts=self.started, failed_over=self.failed_over)
        self.span.set_attributes(told)
        if failure is not None:
            _mark_failed(self.span, failure)
        elif self.has_failed:
            _mark_failed(self.span, None)
        self.span.end()


def _mark_failed(span: Span, failure: Failure | None) -> None:
    from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415 - an extra

    what = "nobody could be asked" if failure is None else failure_label(failure)
    span.set_status(Status(StatusCode.ERROR, what))
    if failure is not None and failure.status:
        span.set_attribute("http.response.status_code", failure.status)
    span.set_attributes(error_type(failure))


def asked_for(event: AttemptStarted) -> Attributes:
    """Return who is asked, and for what, as attributes of spans and metrics."""
    provider = {"gen_ai.provider.name": event.provider} if event.provider else {}
    return {
        "gen_ai.request.stream": event.streams,
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": event.model or event.candidate,
        **facts(candidate=event.candidate),
        **provider,
    }
