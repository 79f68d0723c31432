"""Real clients at the simulator, which leave nothing open.

The fixtures stand here for the folders that want them; their conftest imports them.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_anthropic import _client_utils as anthropic_clients
from langchain_openai import ChatOpenAI
from langchain_openai.chat_models import _client_utils as openai_clients

from langchain_reliable.testing import Simulator, simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

CACHES = (
    openai_clients._cached_sync_httpx_client,
    openai_clients._cached_async_httpx_client,
    anthropic_clients._get_default_httpx_client,
    anthropic_clients._get_default_async_httpx_client,
)


class Clients:
    """Makes real clients for the models of one simulator."""

    def __init__(self, sim: Simulator) -> None:
        self.sim = sim

    def openai(self, model: str, **settings: Any) -> ChatOpenAI:
        return ChatOpenAI(
            model=model,
            base_url=self.sim.openai_url,
            api_key="sk-test",
            stream_usage=True,
            **settings,
        )

    def anthropic(self, model: str, **settings: Any) -> ChatAnthropic:
        return ChatAnthropic(
            model=model,
            base_url=self.sim.anthropic_url,
            api_key="sk-ant-test",
            max_tokens=100,
            **settings,
        )

    def of(self, family: str, model: str, **settings: Any) -> Any:
        return getattr(self, family)(model, **settings)


@pytest.fixture(autouse=True)
def no_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare each client the 25 ms of reading certificates: the loopback has none."""

    def bare(**_: Any) -> ssl.SSLContext:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    monkeypatch.setattr("httpcore2.default_ssl_context", bare)


@pytest.fixture(autouse=True)
def leave_no_connection(
    monkeypatch: pytest.MonkeyPatch, at_end_of_loop: list[Any]
) -> Iterator[None]:
    """Close idle connections, those of async clients with their loop.

    Both partner packages keep their clients in process-wide caches, which know nothing
    of loops and drop clients unclosed.
    """
    sync, async_ = noted(monkeypatch, "Client"), noted(monkeypatch, "AsyncClient")

    async def close_idle() -> None:
        for client in async_:
            await client._transport.aclose()

    at_end_of_loop.append(close_idle)
    for cache in CACHES:
        cache.cache_clear()
    yield
    at_end_of_loop.remove(close_idle)
    for client in sync:
        client.close()
    for cache in CACHES:
        cache.cache_clear()


def noted(monkeypatch: pytest.MonkeyPatch, kind: str) -> list[Any]:
    """Keep a list of the HTTP clients that are made from here on."""
    made: list[Any] = []
    cls = getattr(httpx2, kind)
    real = cls.__init__

    def begin(self: Any, *args: Any, **kwargs: Any) -> None:
        real(self, *args, **kwargs)
        made.append(self)

    monkeypatch.setattr(cls, "__init__", begin)
    return made


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with simulator() as running:
        yield running


@pytest.fixture
def clients(sim: Simulator) -> Clients:
    return Clients(sim)
