"""Reading the events of a call: what became of each of its attempts.

Events name their attempt by its number, so two that are under way at once end in any
order and each is told rightly. No exception is kept: its traceback would hold a prompt.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from langchain_reliable._text.terminal import printable
from langchain_reliable._text.wording import said_of_passed_over, seconds
from langchain_reliable.events import (
    Abandoned,
    Answered,
    AttemptFailed,
    AttemptLost,
    AttemptStarted,
    Committed,
    GaveUp,
    Hedged,
    Interrupted,
    PassedOver,
    Restarted,
    SlowCall,
    Waiting,
)
from langchain_reliable.observers._timeline_data import (
    WORTH_TELLING,
    AttemptSpan,
    CallSummary,
    PassedOverMark,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_reliable.events import Event
    from langchain_reliable.failures import Failure
    from langchain_reliable.observers._timeline_data import Entry, Outcome

_MARKS_SHOWN = 5
"""How many that were passed over have a row of their own."""


def begins(event: Event) -> bool:
    """Return whether a call may begin with this event."""
    if isinstance(event, AttemptStarted):
        return event.number == 1
    return isinstance(event, (PassedOver, Waiting))


def without_exceptions(event: Event) -> Event:
    """Return an event as it may be kept: without the exceptions it carries."""
    match event:
        case AttemptFailed() | AttemptLost() | Committed():
            return replace(event, attempt=replace(event.attempt, error=None))
        case GaveUp():
            return replace(event, attempts=())
        case _:
            return event


def summarize(events: Sequence[Event]) -> CallSummary:
    """Tell a call from its events.

    Args:
        events: The events of one call, in order; the first is its beginning.
    """
    story = _Story(events[0].at)
    for event in events:
        story.hear(event)
    end = events[-1].at - events[0].at
    return CallSummary(
        number=events[0].call,
        tries=tuple(story.tries.values()),
        end=end if story.over_at is None else story.over_at,
        fate=story.fate,
        entries=_entries(story),
    )


def _entries(story: _Story) -> tuple[Entry, ...]:
    """Return the rows; of many that were passed over, one row stands for the rest."""
    marks = [one for one in story.order if isinstance(one, PassedOverMark)]
    rest = marks[_MARKS_SHOWN:]
    shown = [one for one in story.order if one not in rest[1:]]
    if len(rest) > 1:
        name = f"{len(rest)} more"
        what, detail = "passed over", f"{name} passed over"
        more = replace(rest[0], candidate=name, what=what, detail=detail)
        shown = [more if one is rest[0] else one for one in shown]
    return tuple(story.tries[x] if isinstance(x, int) else x for x in shown)


class _Story:
    """A call while its events are read."""

    def __init__(self, zero: float) -> None:
        self.fate: Outcome = "open"
        self.over_at: float | None = None
        self.tries: dict[int, AttemptSpan] = {}
        self.order: list[int | PassedOverMark] = []
        self._zero = zero
        self._hedges_next = False
        self._waits_for_limit = False
        self._waits_since: float | None = None

    def hear(self, event: Event) -> None:
        """Take note of an event."""
        at = event.at - self._zero
        match event:
            case AttemptStarted():
                self._started(event, at)
            case AttemptFailed(attempt=tried):
                self._arrived(tried.number, tried.opened, tried.held)
                self._change(tried.number, end=at, failure=tried.failure)
            case AttemptLost(attempt=tried):
                self._arrived(tried.number, tried.opened, tried.held)
                self._lost(tried.number, at)
            case Committed(attempt=tried):
                self._arrived(tried.number, tried.opened, tried.held)
                self._committed(tried.number, at)
            case PassedOver():
                self._passed_over(event, at)
            case Waiting():
                self._waits_since = at
                self._waits_for_limit = event.for_limit or not self.tries
            case Hedged():
                self._hedges_next = True
            case SlowCall():
                self._change(event.number or self._shown, slow=True)
            case Restarted():
                self._taken_back(event)
            case _:
                self._ended(event, at)

    def _started(self, event: AttemptStarted, at: float) -> None:
        wait = self._pause(at)
        self.tries[event.number] = AttemptSpan(
            candidate=_in_one_line(event.candidate),
            number=event.number,
            nth=event.nth,
            wait=wait,
            start=at,
            streams=event.streams,
            hedged=event.hedged or self._hedges_next,
            for_limit=wait > 0 and self._waits_for_limit,
        )
        self.order.append(event.number)
        self._waits_since = None
        self._waits_for_limit = self._hedges_next = False

    def _pause(self, at: float) -> float:
        """Return for how long nothing was under way before an attempt."""
        ends = [one.end for one in self.tries.values()]
        if None in ends:
            return 0.0
        last = max((end for end in ends if end is not None), default=None)
        since = self._waits_since if last is None else last
        pause = 0.0 if since is None else at - since
        return pause if pause >= WORTH_TELLING else 0.0

    def _passed_over(self, event: PassedOver, at: float) -> None:
        span = "" if event.seconds is None else f", {seconds(event.seconds)}"
        self.order.append(
            PassedOverMark(
                candidate=_in_one_line(event.candidate),
                at=at,
                what=f"passed over ({event.reason}{span})",
                detail=_in_one_line(f"{said_of_passed_over(event)}: passed over"),
            )
        )

    def _committed(self, number: int, at: float) -> None:
        """Mark the try that was let out; an empty answer only after others failed."""
        if (one := self.tries.get(number)) is not None:
            self._change(number, committed=at if one.end is None else one.end)

    def _lost(self, number: int, at: float) -> None:
        """Mark a try that another was faster than; that may be told after the end."""
        if (one := self.tries.get(number)) is not None:
            self._change(number, end=at if one.end is None else one.end, lost=True)

    def _taken_back(self, event: Restarted) -> None:
        """Mark the try that was shown before and broke off."""
        for number, one in list(self.tries.items()):
            if number != event.number and one.committed is not None and one.failure:
                self._change(number, taken_back=True)

    def _ended(self, event: Event, at: float) -> None:
        match event:
            case Interrupted(number=number, failure=failure):
                self.fate = "interrupted"
                self._end(number or self._shown, at, failure)
            case Answered(number=number):
                self.fate = "answered"
                self._end(number or self._shown, at, None)
            case Abandoned():
                self.fate = "left"
                self._abandoned(event, at)
            case GaveUp():
                self.fate = "gave up"
            case _:
                return
        self.over_at = at
        for number, one in list(self.tries.items()):
            if one.is_under_way:
                self._lost(number, at)

    def _abandoned(self, event: Abandoned, at: float) -> None:
        for number, one in list(self.tries.items()):
            if one.end is None:
                if event.number in (None, number):
                    self._arrived(number, event.opened)
                # Where one has answered, the other has lost already.
                lost = one.committed is None and self._shown is not None
                self._change(number, end=at, left=not lost, lost=lost)

    def _end(self, number: int | None, at: float, failure: Failure | None) -> None:
        if number in self.tries and self.tries[number].end is None:
            self._change(number, end=at, failure=failure)

    @property
    def _shown(self) -> int | None:
        """The number of the try whose words are shown."""
        shown = [one.number for one in self.tries.values() if one.committed is not None]
        return shown[-1] if shown else None

    def _arrived(self, number: int, opened: float | None, held: int = 0) -> None:
        """Note when a stream's first chunk came, in seconds from its request."""
        if opened is not None and (one := self.tries.get(number)) is not None:
            held = max(held, one.held)
            self._change(number, opened=one.start + opened, held=held)

    def _change(self, number: int | None, **facts: Any) -> None:
        if number is not None and (one := self.tries.get(number)) is not None:
            self.tries[number] = replace(one, **facts)


def _in_one_line(name: str) -> str:
    return " ".join(printable(name).split())
