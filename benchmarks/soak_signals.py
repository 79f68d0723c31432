"""Signal handlers that use what the main thread is just using.

A handler runs between any two steps of the main thread, also while that holds a lock of
ours. It asks a model that shares health and observers with those under load.
"""

from __future__ import annotations

import contextvars
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_reliable import ReliableChatModel

EVERY: Final = 0.02
"""Seconds of processor time from one signal to the next."""
ANSWER: Final = "A handler is answered as well."


class Handler:
    """What a signal does.

    Attributes:
        told: A word for each signal: what came of the call in the handler.
    """

    def __init__(self, model: ReliableChatModel) -> None:
        self.told: list[str] = []
        self._model = model
        self._busy = False

    def __call__(self, *_: Any) -> None:
        if self._busy:
            return
        self._busy = True
        try:
            self.told.append(contextvars.Context().run(self._ask))  # nobody's child
        except Exception as error:  # noqa: BLE001 - it would end the main thread's call
            self.told.append(f"wrong: {error!r}")
        finally:
            self._busy = False

    def _ask(self) -> str:
        str(self._model.health)
        self._model.health.as_dict()
        for observer in self._model.observers:
            repr(observer)
        said = self._model.invoke("Who is there?").text
        return "right" if said == ANSWER else f"wrong: {said!r}"


@contextmanager
def signals(handler: Handler) -> Iterator[None]:
    """Let signals come while the block runs; only the main thread can have any."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGVTALRM, handler)
    signal.setitimer(signal.ITIMER_VIRTUAL, EVERY, EVERY)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
