"""Server-sent events, as most APIs stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_reliable.testing._simulator.wire import compact

if TYPE_CHECKING:
    from collections.abc import Mapping

STREAM_TYPE = "text/event-stream; charset=utf-8"
DONE = b"data: [DONE]\n\n"


def event(payload: Mapping[str, Any], name: str | None = None) -> bytes:
    """Return `payload` as an event, with its name where it has one."""
    named = b"event: " + name.encode() + b"\n" if name else b""
    return named + b"data: " + compact(payload) + b"\n\n"


def broken(sent: bytes) -> bytes:
    """Return events of which the last one's JSON stops halfway."""
    start = sent.rfind(b"data: ")
    return sent[: start + (len(sent) - start) // 2] + b"\n\n"
