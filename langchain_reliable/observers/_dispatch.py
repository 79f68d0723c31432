"""Passing a call's events on to those who observe.

An observer that raises is logged once per class and never breaks a call.
"""

from __future__ import annotations

import logging
from collections.abc import Set as AbstractSet
from itertools import chain
from typing import TYPE_CHECKING

from langchain_reliable._text.log_once import LogOnce

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_reliable.events import Event, Observer

logger = logging.getLogger("langchain_reliable")

_reported = LogOnce()


class ObserverDispatch:
    """Tells all observers of an event.

    Attributes:
        event_types: The events that somebody wants to hear of; `None` for all.
    """

    def __init__(self, observers: Sequence[Observer]) -> None:
        """Find out who wants to hear of what."""
        wanted_by_each = [_event_types_of(observer) for observer in observers]
        known = [wanted for wanted in wanted_by_each if wanted is not None]
        all_known = len(known) == len(wanted_by_each)
        self.event_types = frozenset(chain.from_iterable(known)) if all_known else None
        self._observers = list(zip(observers, wanted_by_each, strict=True))

    def __call__(self, event: Event, /) -> None:
        """Tell those who want to hear of it, one after the other."""
        for observer, event_types in self._observers:
            if event_types is None or type(event) in event_types:
                try:
                    observer(event)
                except Exception as error:  # noqa: BLE001 - a call must not suffer
                    _report_once(observer, error)


def _event_types_of(observer: Observer) -> AbstractSet[type[Event]] | None:
    event_types = getattr(observer, "event_types", None)
    return event_types if isinstance(event_types, AbstractSet) else None


def _report_once(observer: Observer, error: Exception) -> None:
    kind = type(observer)
    if _reported.is_first(kind):
        text = "an observer (%s) raised; calls go on without it being heard"
        logger.error(text, kind.__qualname__, exc_info=error)
