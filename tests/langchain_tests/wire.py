"""A wire without sockets: real clients call their real addresses, a test answers.

It stands beside the simulator for what that does not speak: OpenAI's Responses API,
media, built-in tools, citations.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Wire:
    """What was sent, and what is said to it."""

    reply: Callable[[httpx2.Request], httpx2.Response]
    requests: list[httpx2.Request] = field(default_factory=list)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(one.content) for one in self.requests]

    @property
    def sent(self) -> list[tuple[str, str, bytes]]:
        """Method, URL and body of every request."""
        return [(one.method, str(one.url), one.content) for one in self.requests]

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return self.reply(request)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    """Every HTTP client of the test speaks to this; say what it replies."""
    wire = Wire(lambda _: httpx2.Response(500))

    def handle(_: Any, request: httpx2.Request) -> httpx2.Response:
        request.read()
        return wire.answer(request)

    async def ahandle(_: Any, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        return wire.answer(request)

    monkeypatch.setattr(httpx2.HTTPTransport, "handle_request", handle)
    monkeypatch.setattr(httpx2.AsyncHTTPTransport, "handle_async_request", ahandle)
    return wire


def as_json(document: dict[str, Any]) -> httpx2.Response:
    return httpx2.Response(200, json=document)


def as_events(events: list[dict[str, Any]], end: str = "") -> httpx2.Response:
    """Return a stream of server-sent events, each named by its type if it has one."""
    told = "".join(
        (f"event: {one['type']}\n" if "type" in one else "")
        + f"data: {json.dumps(one)}\n\n"
        for one in events
    )
    kind = {"content-type": "text/event-stream"}
    return httpx2.Response(200, headers=kind, content=(told + end).encode())
