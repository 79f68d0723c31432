"""The least that a relay can be: what ours costs at least, whoever writes it.

It keeps the promises of a healthy stream and nothing else: it remembers what it has
handed on (for the partial answer of a stream that breaks), looks for the end and closes
what it stands on before control returns; in sync the first word is waited for in a
thread, so that the wait could be given up. It never retries, fails over, tells anything
or ends a wait.
"""

from __future__ import annotations

import queue
import threading
from contextlib import aclosing
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from langchain_core.language_models import BaseChatModel
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator

    from langchain_core.messages import AIMessageChunk, BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, ChatResult

_RELAY = "relay_beneath"


class LeastRelay(BaseChatModel):
    """A chat model that hands another one's streams on."""

    child: BaseChatModel

    @property
    def _llm_type(self) -> str:
        return "least-relay"

    @override
    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        return self.child._generate(messages)

    @override
    def _stream(
        self, messages: list[BaseMessage], *_: Any, **__: Any
    ) -> Iterator[ChatGenerationChunk]:
        chunks: Any = iter(self.child._stream(messages))
        told: queue.SimpleQueue[ChatGenerationChunk] = queue.SimpleQueue()
        _thread().put((chunks, told))
        kept, end = [told.get(timeout=60)], None
        yield kept[0]
        for chunk in chunks:
            kept.append(chunk)
            if chunk.message.chunk_position or chunk.generation_info:
                end = chunk
            yield chunk
        _whole(end)

    @override
    async def _astream(
        self, messages: list[BaseMessage], *_: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        kept, end = [], None
        chunks: Any = self.child._astream(messages)
        kwargs[_RELAY].append(chunks)
        async for chunk in chunks:
            kept.append(chunk)
            if chunk.message.chunk_position or chunk.generation_info:
                end = chunk
            yield chunk
        _whole(end)

    @override
    async def astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[AIMessageChunk]:
        beneath = kwargs[_RELAY] = []
        chunks = super().astream(*args, **kwargs)
        try:
            async with aclosing(cast("AsyncGenerator[AIMessageChunk]", chunks)):
                async for chunk in chunks:
                    yield chunk
        finally:
            for one in beneath:
                await one.aclose()


def _whole(end: object) -> None:
    if end is None:
        raise RuntimeError("a stream without an end")


@cache
def _thread() -> queue.SimpleQueue[Any]:
    """Return the inbox of a thread that asks streams for their first chunk."""
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def serve() -> None:
        while True:
            chunks, told = inbox.get()
            told.put(next(chunks))

    threading.Thread(target=serve, daemon=True).start()
    return inbox
