"""Passing a call's events on to those who observe.

The fan-out lives here, and the promise that an observer that raises is logged once and
never breaks a call. What an event means never does.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_reliable.events import Event, Observer

logger = logging.getLogger("langchain_reliable")

_lock = threading.Lock()
_reported: set[type] = set()


def teller(observers: Sequence[Observer]) -> Callable[[Event], None] | None:
    """Return what tells all observers of an event; `None` if there are none."""
    if not observers:
        return None

    def tell(event: Event) -> None:
        for observer in observers:
            try:
                observer(event)
            except Exception as error:  # noqa: BLE001 - reported; a call must not suffer
                _report_once(observer, error)

    return tell


def _report_once(observer: Observer, error: Exception) -> None:
    kind = type(observer)
    with _lock:
        known = kind in _reported
        _reported.add(kind)
    if not known:
        text = "an observer (%s) raised; calls go on without it being heard"
        logger.error(text, kind.__qualname__, exc_info=error)
