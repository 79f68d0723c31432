"""The observer that keeps the last calls, to be looked at.

It keeps events without their exceptions, which would hold a prompt, and reads them only
when somebody looks: `_timeline_events` says what they come to, and `_timeline_svg`,
`_timeline_text` and `_timeline_rich` draw it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from langchain_reliable.events import AttemptStarted
from langchain_reliable.observers._forks import renewed_after_fork
from langchain_reliable.observers._timeline_events import (
    begins,
    summarize,
    without_exceptions,
)
from langchain_reliable.observers._timeline_svg import html, svg
from langchain_reliable.observers._timeline_text import text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from langchain_reliable.events import Event
    from langchain_reliable.observers._timeline_data import AttemptSpan, CallSummary


class Picture:
    """One call as a waterfall: a row for each attempt, from left to right in time.

    Attempts that were under way at once stand one below the other with their bars side
    by side, and a candidate that was passed over has a gray row. In a notebook it is
    drawn as SVG, by `rich` in colors, and `str` gives plain text.

    Attributes:
        summary: What is drawn.
    """

    def __init__(self, summary: CallSummary) -> None:
        """Draw what a call came to."""
        self.summary = summary

    @property
    def attempts(self) -> tuple[AttemptSpan, ...]:
        """The attempts, in order; moments are seconds since the call began."""
        return self.summary.tries

    @property
    def svg(self) -> str:
        """A file of its own, for light and dark pages."""
        return svg(self.summary)

    def _repr_html_(self) -> str:
        return html(self.summary)

    def __rich__(self) -> RenderableType:
        from langchain_reliable.observers._timeline_rich import (  # noqa: PLC0415 - an extra
            Drawing,
        )

        return Drawing(self.summary)

    def __str__(self) -> str:
        return text(self.summary)

    def __repr__(self) -> str:
        return f"<call: {self.summary.title}>"


class Timeline:
    """Keeps the last calls and draws each as a waterfall.

    Example:
        ```python
        timeline = Timeline()
        model = ReliableChatModel(models=[primary, backup], observers=[timeline])
        model.invoke("Hi!")
        print(timeline)
        ```

    In a notebook, `timeline` in the last line of a cell draws all calls it keeps, the
    newest last; `timeline.last` only the newest. Any number of models, threads and
    tasks may share one. Copies of a model go on telling the same timeline.
    """

    def __init__(self, keep: int = 10) -> None:
        """Begin with no calls.

        Args:
            keep: How many calls are kept; the oldest are dropped.
        """
        if keep < 1:
            raise ValueError("keep at least one call: Timeline(keep=1)")
        self._keep = keep
        self._calls: dict[int, list[Event]] = {}
        self._dropped = 0
        self._lock = renewed_after_fork(threading.RLock, self, "_lock")

    def __call__(self, event: Event, /) -> None:
        """Keep an event."""
        with self._lock:
            if begins(event) and self._is_new(event):
                self._calls[event.call] = []
                while len(self._calls) > self._keep:
                    self._dropped = next(iter(self._calls))
                    del self._calls[self._dropped]
            if (events := self._calls.get(event.call)) is not None:
                events.append(without_exceptions(event))

    def _is_new(self, event: Event) -> bool:
        """Return whether a call is not known; one that was dropped does not return."""
        if event.call in self._calls:
            return False
        return isinstance(event, AttemptStarted) or event.call > self._dropped

    @property
    def calls(self) -> tuple[Picture, ...]:
        """The calls that are kept, the newest last."""
        with self._lock:
            calls = [tuple(events) for events in self._calls.values()]
        return tuple(Picture(summarize(events)) for events in calls)

    @property
    def last(self) -> Picture | None:
        """The newest call, if there was one."""
        calls = self.calls
        return calls[-1] if calls else None

    def clear(self) -> None:
        """Forget all calls."""
        with self._lock:
            self._calls.clear()

    def __len__(self) -> int:
        return len(self._calls)

    def __bool__(self) -> bool:
        return True  # an observer is one, also before its first call

    def _repr_html_(self) -> str:
        return "".join(one._repr_html_() for one in self.calls) or _NOTHING

    def __rich__(self) -> RenderableType:
        from rich.console import Group  # noqa: PLC0415 - an extra

        return Group(*self.calls) if len(self) else _NOTHING

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.calls)) or _NOTHING

    def __repr__(self) -> str:
        return f"Timeline(keep={self._keep}): {len(self)} calls"

    # A copy of a model tells the same timeline; one in another process begins anew.

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[type[Timeline], tuple[int]]:
        return type(self), (self._keep,)


_NOTHING = "no calls yet"
