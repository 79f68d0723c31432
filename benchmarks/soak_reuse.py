"""Clients that hand out one and the same chunk object again and again.

Wrappers of other providers do so to save memory. Whoever keeps such a chunk keeps what
it will say next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from langchain_core.outputs import ChatGenerationChunk


class _Reuses:
    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        kept = None
        for chunk in super()._stream(*args, **kwargs):  # type: ignore[misc]
            kept = _became(kept, chunk)
            yield kept

    async def _astream(
        self, *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        kept = None
        async for chunk in super()._astream(*args, **kwargs):  # type: ignore[misc]
            kept = _became(kept, chunk)
            yield kept


class ReusingChatOpenAI(_Reuses, ChatOpenAI):
    """Streams one chunk object."""


class ReusingChatAnthropic(_Reuses, ChatAnthropic):
    """Streams one chunk object."""


def _became(
    kept: ChatGenerationChunk | None, chunk: ChatGenerationChunk
) -> ChatGenerationChunk:
    """Return the object kept, with the contents of another."""
    if kept is None:
        return chunk
    message, said = kept.message, chunk.message
    _take_over(message, said)
    _take_over(kept, chunk)
    kept.message = message
    return kept


def _take_over(one: Any, other: Any) -> None:
    one.__dict__.clear()
    one.__dict__.update(other.__dict__)
    one.__pydantic_fields_set__.clear()
    one.__pydantic_fields_set__.update(other.__pydantic_fields_set__)
