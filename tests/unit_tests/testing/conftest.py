"""Real clients of the simulator, and one way to say what they made of a reply."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_anthropic import _client_utils as anthropic_clients
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI
from langchain_openai.chat_models import _client_utils as openai_clients

from langchain_reliable.testing import Simulator, simulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, AIMessageChunk

FAMILIES = ("openai", "anthropic")
CACHES = (
    openai_clients._cached_sync_httpx_client,
    openai_clients._cached_async_httpx_client,
    anthropic_clients._get_default_httpx_client,
    anthropic_clients._get_default_async_httpx_client,
)
SURFACES = ("invoke", "ainvoke", "stream", "astream")


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with simulator() as running:
        yield running


@pytest.fixture(autouse=True)
def no_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare each client the 25 ms of reading certificates: the loopback has none."""

    def bare(**_: Any) -> ssl.SSLContext:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    monkeypatch.setattr("httpcore2.default_ssl_context", bare)


@pytest.fixture
async def client(sim: Simulator) -> AsyncIterator[Callable[..., BaseChatModel]]:
    """Build real clients of the simulator, without retries; close them at the end.

    Both partner packages keep their HTTP clients in process-wide caches, one per
    address, and drop them unclosed when a cache is full.
    """
    built: list[Any] = []

    def build(family: str, model: str, timeout: float = 5.0, **more: Any) -> Any:
        shared = {"model": model, "max_retries": 0, "timeout": timeout, **more}
        if family == "gemini":  # counts attempts, not retries
            shared = {"base_url": sim.gemini_url, **shared, "max_retries": 1}
            client = ChatGoogleGenerativeAI(api_key="AI-test", **shared)
        elif family == "openai":
            shared = {"base_url": sim.openai_url, "stream_usage": True, **shared}
            client = ChatOpenAI(api_key="sk-test", **shared)
        else:
            shared = {"base_url": sim.anthropic_url, **shared}
            client = ChatAnthropic(api_key="sk-ant-test", **shared)
        built.append(client)
        return client

    yield build
    for model in built:
        await _close(model)
    for cached in CACHES:
        cached.cache_clear()


async def _close(model: Any) -> None:
    if isinstance(model, ChatGoogleGenerativeAI):
        model.client.close()
        await model.client.aio.aclose()
        return
    is_openai = isinstance(model, ChatOpenAI)
    (model.root_client if is_openai else model._client).close()
    await (model.root_async_client if is_openai else model._async_client).close()


class Heard:
    """What a client made of one reply.

    `str()` says it in one line: what was told before the end, and the end itself, a
    finish reason or an error with its status and code.
    """

    def __init__(self) -> None:
        self.chunks: list[AIMessageChunk] = []
        self.message: AIMessage | None = None
        self.error: Exception | None = None

    def __str__(self) -> str:
        message = self.message
        if self.error is None and message is not None:
            meta = message.response_metadata
            finish = meta.get("finish_reason") or meta.get("stop_reason")
            return f"{message.text!s}|{finish}"
        told = "".join(str(chunk.text) for chunk in self.chunks)
        return f"{told}!{_named(self.error)}"


def _named(error: Any) -> str:
    marks = (
        type(error).__name__,
        getattr(error, "status_code", None),
        getattr(error, "code", None) or getattr(error, "type", None),
    )
    return " ".join(str(mark) for mark in marks if mark is not None)


async def _hear(model: BaseChatModel, surface: str, prompt: Any, heard: Heard) -> None:
    match surface:
        case "invoke":
            heard.message = model.invoke(prompt)
        case "ainvoke":
            heard.message = await model.ainvoke(prompt)
        case "stream":
            for chunk in model.stream(prompt):
                heard.chunks.append(chunk)
        case "astream":
            async for chunk in model.astream(prompt):
                heard.chunks.append(chunk)
    if heard.chunks:
        first, *rest = heard.chunks
        heard.message = sum(rest, first)


@pytest.fixture
def hear() -> Callable[..., Any]:
    """Ask a model on one of the four surfaces and return what was heard."""

    async def ask(model: BaseChatModel, surface: str, prompt: Any = "Hi") -> Heard:
        heard = Heard()
        try:
            await _hear(model, surface, prompt, heard)
        except Exception as error:  # noqa: BLE001 - the error is the finding
            heard.error = error
        return heard

    return ask
