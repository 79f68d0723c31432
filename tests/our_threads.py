"""The package's daemon threads: who is at work, and waiting for them."""

from __future__ import annotations

import threading
import time

from langchain_reliable._runtime.worker_threads import BUSY, IDLE


def at_work():
    """Return those that read for somebody, or for nobody any more."""
    return [one for one in threading.enumerate() if one.name == BUSY]


def wait_for_rest(seconds=5.0):
    """Wait until none is at work; return whether it came to that."""
    over = time.monotonic() + seconds
    while at_work() and time.monotonic() < over:
        threading.Event().wait(0.001)
    return not at_work()


def others():
    """Return all threads but those that wait a few seconds for more work."""
    return {one for one in threading.enumerate() if one.name != IDLE}
