"""The forms of an answer: result, chunk, message, content blocks.

Each is turned into another as LangChain would do it, without a word lost.
"""

from __future__ import annotations

from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any, cast

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from langchain_reliable._runtime.payload import WholeAnswer
from langchain_reliable._text.langchain_private import in_content_blocks, told_metadata

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Generator,
        Iterator,
    )


def as_message(result: ChatResult) -> BaseMessage:
    """Return an answer's message with all that is said of it, as LangChain hands it on.

    Whose it is and why it ended may stand beside the message; parsers look there for a
    refusal (langchain-core 1.7.5).
    """
    generation = result.generations[0]
    said = {**(result.llm_output or {}), **told_metadata(generation)}
    return generation.message.model_copy(update={"response_metadata": said})


def as_chunk(result: ChatResult) -> ChatGenerationChunk:
    """Return a whole answer as the only chunk of a stream."""
    generation = result.generations[0]
    message = cast("AIMessage", generation.message)
    chunk = AIMessageChunk(
        content=message.content,
        additional_kwargs=message.additional_kwargs,
        response_metadata={**(result.llm_output or {}), **message.response_metadata},
        name=message.name,
        id=message.id,
        tool_calls=message.tool_calls,
        invalid_tool_calls=message.invalid_tool_calls,
        usage_metadata=message.usage_metadata,
        chunk_position="last",
    )
    return WholeAnswer(message=chunk, generation_info=generation.generation_info)


def as_result(answer: object) -> ChatResult:
    """Return what a Runnable answered as the answer of a chat model."""
    return ChatResult(generations=[ChatGeneration(message=_as_message(answer))])


def piece_as_chunk(piece: object) -> ChatGenerationChunk:
    """Return what a Runnable streamed as a chunk of a chat model."""
    message = _as_message(piece)
    if isinstance(message, AIMessageChunk):
        return ChatGenerationChunk(message=message)
    # Others may follow it, so it is no whole answer.
    return ChatGenerationChunk(message=as_chunk(as_result(message)).message)


def _as_message(answer: object) -> BaseMessage:
    if isinstance(answer, BaseMessage):
        return answer
    if isinstance(answer, str):
        return AIMessage(content=answer)
    msg = (
        f"a child returned {type(answer).__name__}, not a message: a Runnable in "
        "`models` has to end with a chat model (parse after the ReliableChatModel)"
    )
    raise TypeError(msg)


# --- content blocks (`output_version="v1"`) ---------------------------------------


def result_in_blocks(result: ChatResult) -> ChatResult:
    """Return an answer whose content is in standard blocks."""
    for generation in result.generations:
        generation.message = in_content_blocks(generation.message, "v1")
    return result


def in_blocks(chunks: Iterator[ChatGenerationChunk]) -> Generator[ChatGenerationChunk]:
    """Stream an answer whose content is in standard blocks."""
    numbers = _BlockNumbers()
    with closing(cast("Generator[ChatGenerationChunk]", chunks)):
        for chunk in chunks:
            yield numbers.given_to(chunk)


async def ain_blocks(
    chunks: AsyncIterator[ChatGenerationChunk],
) -> AsyncGenerator[ChatGenerationChunk]:
    """Stream an answer in standard blocks; the twin of `in_blocks`."""
    numbers = _BlockNumbers()
    async with aclosing(cast("AsyncGenerator[ChatGenerationChunk]", chunks)):
        async for chunk in chunks:
            yield numbers.given_to(chunk)


class _BlockNumbers:
    """Numbers the blocks of a stream, as `BaseChatModel.stream` does."""

    def __init__(self) -> None:
        self._index = -1
        self._type = ""

    def given_to(self, chunk: ChatGenerationChunk) -> ChatGenerationChunk:
        chunk.message.response_metadata = told_metadata(chunk)
        message = in_content_blocks(chunk.message, "v1")
        chunk.message = cast("AIMessageChunk", message)
        for block in cast("list[dict[str, Any]]", message.content):
            if block["type"] != self._type:
                self._type = block["type"]
                self._index += 1
            block.setdefault("index", self._index)
        return chunk
