"""The models beneath the contestants.

Making a row's children lives here: one to be asked, one that stands behind it, and the
one that the bare contestant asks. Who wraps them, and what is asked, never does.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_core.exceptions import ModelTimeoutError
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from typing_extensions import override

from benchmarks.provider import MISSING, saying

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from langchain_core.callbacks import (
        AsyncCallbackManagerForLLMRun,
        CallbackManagerForLLMRun,
    )
    from langchain_core.messages import BaseMessage

WORD = "word "


class Instant(BaseChatModel):
    """Answers at once, at the lowest price that LangChain permits.

    LangChain writes into the chunks that it gets, so each has to be a new one.
    """

    model: str = "instant"
    chunks: int = 1
    lets_others_go_first: bool = False
    """Whether the event loop gets a turn before each chunk, as it does on a network."""

    @property
    def _llm_type(self) -> str:
        return "instant"

    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return _answer()

    @override
    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return _answer()

    @override
    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for left in range(self.chunks - 1, -1, -1):
            chunk = _chunk() if left else _last_chunk()
            if run_manager:
                run_manager.on_llm_new_token(WORD, chunk=chunk)
            yield chunk

    @override
    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        turns = self.lets_others_go_first
        for left in range(self.chunks - 1, -1, -1):
            if turns:
                await asyncio.sleep(0)
            chunk = _chunk() if left else _last_chunk()
            if run_manager:
                await run_manager.on_llm_new_token(WORD, chunk=chunk)
            yield chunk


class Dead(Instant):
    """Fails at once, in a way that sends a call to the next model without a wait."""

    @override
    def _generate(self, *_args: Any, **_kwargs: Any) -> ChatResult:
        raise ModelTimeoutError("no answer")

    @override
    async def _agenerate(self, *_args: Any, **_kwargs: Any) -> ChatResult:
        raise ModelTimeoutError("no answer")


def _answer() -> ChatResult:
    message = AIMessage(content=WORD, response_metadata={"finish_reason": "stop"})
    return ChatResult(generations=[ChatGeneration(message=message)])


def _chunk() -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(content=WORD))


def _last_chunk() -> ChatGenerationChunk:
    return ChatGenerationChunk(
        message=AIMessageChunk(content=WORD, chunk_position="last"),
        generation_info={"finish_reason": "stop"},
    )


@dataclass(frozen=True)
class Children:
    """A row's models.

    Attributes:
        models: Whom the wrappers ask, in order.
        direct: Whom the bare contestant asks.
    """

    models: tuple[BaseChatModel, ...]
    direct: BaseChatModel


def healthy(make: Callable[..., BaseChatModel], *args: Any) -> Children:
    """Return two healthy models, the second of which will not be needed."""
    first = make(*args)
    return Children((first, make(*args)), first)


def instant(chunks: int, _url: Callable[[], str]) -> Children:
    return healthy(lambda: Instant(chunks=chunks))


def taking_turns(chunks: int, _url: Callable[[], str]) -> Children:
    return healthy(lambda: Instant(chunks=chunks, lets_others_go_first=True))


def instant_after_a_dead_one(chunks: int, _url: Callable[[], str]) -> Children:
    live = Instant(chunks=chunks)
    return Children((Dead(model="dead"), live), live)


def openai(chunks: int, url: Callable[[], str]) -> Children:
    return healthy(_chat_openai, saying(chunks), url())


def anthropic(chunks: int, url: Callable[[], str]) -> Children:
    return healthy(_chat_anthropic, saying(chunks), url())


def openai_after_a_missing_one(chunks: int, url: Callable[[], str]) -> Children:
    live = _chat_openai(saying(chunks), url())
    return Children((_chat_openai(MISSING, url()), live), live)


def _chat_openai(model: str, url: str) -> BaseChatModel:
    from langchain_openai import ChatOpenAI  # noqa: PLC0415 - only where it is measured

    return ChatOpenAI(
        model=model, base_url=f"{url}/v1", api_key="none-needed", stream_usage=True
    )


def _chat_anthropic(model: str, url: str) -> BaseChatModel:
    from langchain_anthropic import ChatAnthropic  # noqa: PLC0415 - as above

    return ChatAnthropic(
        model=model, base_url=url, api_key="none-needed", max_tokens=4096
    )
