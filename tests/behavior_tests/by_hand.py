"""A chat model whose streams are written out by hand, for what no script can say."""

from __future__ import annotations

from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import Field


def chunk(text: str = "", finish: str | None = None) -> ChatGenerationChunk:
    """Return a chunk with a text, or with a finish reason, or with neither."""
    info = {"finish_reason": finish} if finish else None
    return ChatGenerationChunk(
        message=AIMessageChunk(content=text), generation_info=info
    )


class ByHand(BaseChatModel):
    """Streams what `gives` (a generator) or `agives` (an async one) yields."""

    model: str = "by-hand"
    gives: Any = None
    agives: Any = None
    answers: Any = None
    aanswers: Any = None
    asked: list[str] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "by-hand"

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        self.asked.append("answer")
        return _result(self.answers())

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        self.asked.append("answer")
        return _result(await self.aanswers())

    def _stream(self, *args: Any, **kwargs: Any) -> Any:
        self.asked.append("stream")
        return self.gives()

    def _astream(self, *args: Any, **kwargs: Any) -> Any:
        self.asked.append("stream")
        return self.agives()


def _result(said: str | AIMessage) -> ChatResult:
    message = AIMessage(content=said) if isinstance(said, str) else said
    return ChatResult(generations=[ChatGeneration(message=message)])
