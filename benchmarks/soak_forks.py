"""Calls in a forked child, while all threads of its parent are at work.

The child inherits every lock as it was in the middle of the load; none of the threads
that held them is there. It asks through clients of its own, as their sockets would be
its parent's, with the parent's health and observers.

What a client imports in its first call is imported before: a module that was just being
imported by a thread of the parent stays locked in the child for ever (anthropic).
"""

from __future__ import annotations

import faulthandler
import os
import threading
import warnings
from typing import TYPE_CHECKING, Final

import opentelemetry.propagate  # noqa: F401 - see below
from langchain_anthropic import _client_utils as anthropic_clients
from langchain_openai.chat_models import _client_utils as openai_clients

from benchmarks.soak_calls import Asking
from benchmarks.soak_judge import verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.soak_calls import Call

EVERY: Final = 1.0
"""Seconds from one fork to the next."""
LONGEST: Final = 20.0
"""Seconds after which the child says where it hangs."""
_CACHES = (
    openai_clients._cached_sync_httpx_client,  # noqa: SLF001 - nothing else clears it
    openai_clients._cached_async_httpx_client,  # noqa: SLF001
    anthropic_clients._get_default_httpx_client,  # noqa: SLF001
    anthropic_clients._get_default_async_httpx_client,  # noqa: SLF001
)


def in_fork(call: Callable[[], Call]) -> tuple[str, str]:
    """Make a call in a forked child; return its verdict, and what is said about it.

    Args:
        call: Returns it; called in the child.
    """
    reads, writes = os.pipe()
    with warnings.catch_warnings():  # that threads are running is what this is about
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if not pid:
        _child(call, writes)
    os.close(writes)
    with os.fdopen(reads, errors="replace") as pipe:
        word, _, detail = pipe.read().partition("\n")
    os.waitpid(pid, 0)
    return (word, detail) if word in {"right", "wrong"} else ("lost", word + detail)


def _child(call: Callable[[], Call], writes: int) -> None:
    try:
        faulthandler.dump_traceback_later(LONGEST, exit=True, file=writes)
        for cache in _CACHES:
            cache.cache_clear()
        os.write(writes, "\n".join(_judged(call())).encode())
    except BaseException as error:  # noqa: BLE001 - told to the parent
        os.write(writes, f"wrong\n{error!r}".encode())
    finally:
        os._exit(0)


def _judged(call: Call) -> tuple[str, str]:
    asking = Asking(call)
    asking.ask()
    word, detail = verdict(call, call.plans[0], asking.told[0])
    return (
        ("right", "") if word == "right" else ("wrong", f"{word}: {detail}\n  {call}")
    )


class Forks(threading.Thread):
    """Forks now and then until it is stopped."""

    def __init__(
        self, call: Callable[[], Callable[[], Call]], seen: Callable[[str, str], None]
    ) -> None:
        """Prepare it.

        Args:
            call: Returns what makes the next call.
            seen: Takes a verdict, and what is said about it.
        """
        super().__init__(name="forks", daemon=True)
        self._call = call
        self._seen = seen
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(EVERY):
            self._seen(*in_fork(self._call()))

    def stop(self) -> None:
        """Fork no more, and wait for the last one."""
        self._over.set()
        self.join(2 * LONGEST)
