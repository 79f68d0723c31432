"""Daemon threads that are kept for a while for the next piece of work.

Starting a thread costs more than all else that a call does (some 0.2 ms), so one that
has nothing to do waits a few seconds before it ends.
"""

from __future__ import annotations

import os
import queue
import threading
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

BUSY = "langchain_reliable"
"""The name of a thread at work."""

IDLE = "langchain_reliable (idle)"
"""The name of one that waits for more."""

IDLE_SECONDS = 10.0
"""How long that is."""

MAX_IDLE = 32
"""How many may wait."""

_Inbox: TypeAlias = "queue.SimpleQueue[Callable[[], None]]"

_idle: list[_Inbox] = []


def in_a_thread(work: Callable[[], None]) -> None:
    """Let a daemon thread do something that raises nothing."""
    try:
        inbox = _idle.pop()
    except IndexError:
        inbox = queue.SimpleQueue()
        threading.Thread(target=_serve, args=(inbox,), name=BUSY, daemon=True).start()
    inbox.put(work)


def _serve(inbox: _Inbox) -> None:
    this = threading.current_thread()
    work: Callable[[], None] | None = inbox.get()
    while work is not None:
        this.name = BUSY
        work()
        work = None  # and with it all that it holds
        this.name = IDLE
        work = _waited_for(inbox)


def _waited_for(inbox: _Inbox) -> Callable[[], None] | None:
    """Return the next piece of work; `None` if there has been none for long."""
    if len(_idle) >= MAX_IDLE:
        return None
    _idle.append(inbox)
    try:
        return inbox.get(timeout=IDLE_SECONDS)
    except queue.Empty:
        pass
    try:
        _idle.remove(inbox)
    except ValueError:  # taken a moment ago: its work is on the way
        return inbox.get()
    return None


def _forget() -> None:
    """A forked process has none of these threads."""
    _idle.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
