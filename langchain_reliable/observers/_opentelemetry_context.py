"""Which span is current while a call's attempts are under way.

Spans of an attempt's HTTP client are to stand in the attempt's own, and nothing of the
caller's is. What has to be given back lies in the context itself: so it is found where
it belongs, and nowhere else, whichever thread or task an event is told in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from langchain_reliable.observers._opentelemetry_metrics import NAME

if TYPE_CHECKING:
    from collections.abc import Collection

    from opentelemetry.context import Context
    from opentelemetry.trace import Span

_MARK: Final = f"{NAME}.around"
"""Where a context says for which attempt it was entered, and from where."""


class _Place(NamedTuple):
    """An attempt that was entered.

    Attributes:
        call: The number of its call.
        attempt: Its own number.
        around: The context of the call.
        before: The context in which it was entered: the call's, or that of another
            attempt that was under way.
    """

    call: int
    attempt: int
    around: Context
    before: Context


class CurrentSpan:
    """Makes the span of an attempt current, and gives back what was before."""

    def __init__(self, context: Any, trace: Any) -> None:
        """Take the modules of OpenTelemetry.

        Args:
            context: `opentelemetry.context`.
            trace: `opentelemetry.trace`.
        """
        self._context = context
        self._trace = trace

    def enter(self, call: int, attempt: int, span: Span) -> None:
        """Let the spans of an attempt's client stand in the attempt's own.

        An attempt begins, and commits or fails, in one step of the caller, who is
        handed nothing meanwhile.
        """
        before = self._context.get_current()
        place = _Place(call, attempt, self.around(call), before)
        context = self._trace.set_span_in_context(span)
        self._context.attach(self._context.set_value(_MARK, place, context))

    def leave(self, call: int, asking: Collection[int]) -> None:
        """Leave the attempts of a call that have ended.

        Args:
            call: The number of the call.
            asking: The attempts that are still under way, whose spans stay current.
        """
        here = place = self._place(call)
        while place is not None and place.attempt not in asking:
            context = place.before
            place = self._place(call, context)
        if here is not None and place is not here:
            self._context.attach(context)

    def around(self, call: int) -> Context:
        """Return the context of a call, though another of us has stepped in by now."""
        place = self._place(call)
        current: Context = self._context.get_current()
        return current if place is None else place.around

    def _place(self, call: int, context: Context | None = None) -> _Place | None:
        place: _Place | None = self._context.get_value(_MARK, context)
        return place if place is not None and place.call == call else None
