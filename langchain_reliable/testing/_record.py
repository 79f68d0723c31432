"""What scripted models remember and how they let time pass.

All copies of a scripted model share one record; its clock may be a fake one.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from langchain_core.messages import BaseMessage


class Timepiece(Protocol):
    """How a scripted model lets time pass; our own clocks are such things."""

    def now(self) -> float:
        """Return seconds since an arbitrary moment."""

    def sleep_until(self, moment: float, /) -> None:
        """Block the thread until `moment`."""

    async def asleep_until(self, moment: float, /) -> None:
        """Suspend the task until `moment`."""


class RealTime:
    """The machine's own time."""

    def now(self) -> float:
        return time.monotonic()

    def sleep_until(self, moment: float, /) -> None:
        time.sleep(max(0.0, moment - time.monotonic()))

    async def asleep_until(self, moment: float, /) -> None:
        await asyncio.sleep(max(0.0, moment - time.monotonic()))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedRequest:
    """What a scripted model was asked.

    Attributes:
        model: Name of the model that was asked.
        messages: The conversation.
        stop: Stop sequences.
        kwargs: Every other keyword: bound tools, `model=`, and so on.
        streaming: Whether a stream was asked for.
    """

    model: str
    messages: tuple[BaseMessage, ...]
    stop: tuple[str, ...] | None
    kwargs: dict[str, Any]
    streaming: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """What `bind_tools` was called with."""

    tools: tuple[Any, ...]
    kwargs: dict[str, Any]


class ScriptRecord:
    """What a scripted model and all its copies went through together."""

    def __init__(self) -> None:
        self.requests: list[ScriptedRequest] = []
        self.bindings: list[Binding] = []
        self.opened = 0
        self.closed = 0
        self._lock = Lock()

    def ask(self, request: ScriptedRequest) -> int:
        """Note a request and return its place in the script."""
        with self._lock:
            self.requests.append(request)
            return len(self.requests) - 1

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Count a stream as open until the end of the block."""
        with self._lock:
            self.opened += 1
        try:
            yield
        finally:
            with self._lock:
                self.closed += 1

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self  # copies of a model share one record

    def __reduce__(self) -> tuple[type[ScriptRecord], tuple[()]]:
        return ScriptRecord, ()  # in another process a model begins its script anew
