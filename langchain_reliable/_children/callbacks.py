"""Who listens to one child: the handlers that it was given itself.

They are told of every attempt of that child, as a chat model tells of its runs. The
managers are built from the child's handlers alone and never with `configure`, which
would find the caller's too (seen in langchain-core 1.7.2).
"""

from __future__ import annotations

from contextlib import aclosing, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from langchain_core.callbacks import (
    AsyncCallbackManager,
    AsyncCallbackManagerForLLMRun,
    BaseCallbackManager,
    CallbackManager,
    CallbackManagerForLLMRun,
)
from langchain_core.outputs import LLMResult
from langchain_core.outputs.chat_generation import merge_chat_generation_chunks

from langchain_reliable._core.user_errors import mark_user_errors

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Awaitable,
        Callable,
        Generator,
        Iterator,
        Sequence,
    )

    from langchain_core.callbacks import BaseCallbackHandler
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, ChatResult
    from langchain_core.runnables import RunnableConfig

M = TypeVar("M", bound=BaseCallbackManager)


@dataclass(frozen=True, slots=True)
class ChildCallbacks:
    """The handlers of one child, and what its runs are called."""

    handlers: tuple[BaseCallbackHandler, ...]
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    name: str | None = None

    # --- a whole answer -----------------------------------------------------------

    def run(
        self, prepared: PreparedRequest, answer: Callable[[], ChatResult]
    ) -> ChatResult:
        """Get an answer and tell how it began and ended."""
        run = self._start(prepared)
        try:
            result = answer()
        except BaseException as error:
            with mark_user_errors():
                run.on_llm_error(error, response=LLMResult(generations=[]))
            raise
        with mark_user_errors():
            run.on_llm_end(_as_told(result))
        return result

    async def arun(
        self, prepared: PreparedRequest, answer: Callable[[], Awaitable[ChatResult]]
    ) -> ChatResult:
        """Get an answer and tell of it; the twin of `run`."""
        run = await self._astart(prepared)
        try:
            result = await answer()
        except BaseException as error:
            with mark_user_errors():
                await run.on_llm_error(error, response=LLMResult(generations=[]))
            raise
        with mark_user_errors():
            await run.on_llm_end(_as_told(result))
        return result

    # --- a stream -----------------------------------------------------------------

    def run_stream(
        self, prepared: PreparedRequest, chunks: Iterator[ChatGenerationChunk]
    ) -> Generator[ChatGenerationChunk]:
        """Hand on a stream and tell of each chunk."""
        run = self._start(prepared)
        heard: list[ChatGenerationChunk] = []
        try:
            with closing(cast("Generator[ChatGenerationChunk]", chunks)):
                for chunk in chunks:
                    content = cast("str", chunk.message.content)
                    with mark_user_errors():
                        run.on_llm_new_token(content, chunk=chunk)
                    heard.append(chunk)
                    yield chunk
        except BaseException as error:
            with mark_user_errors():
                run.on_llm_error(error, response=_so_far(heard))
            raise
        with mark_user_errors():
            run.on_llm_end(_so_far(heard))

    async def arun_stream(
        self, prepared: PreparedRequest, chunks: AsyncIterator[ChatGenerationChunk]
    ) -> AsyncGenerator[ChatGenerationChunk]:
        """Hand on a stream and tell of each chunk; the twin of `run_stream`."""
        run = await self._astart(prepared)
        heard: list[ChatGenerationChunk] = []
        try:
            async with aclosing(cast("AsyncGenerator[ChatGenerationChunk]", chunks)):
                async for chunk in chunks:
                    content = cast("str", chunk.message.content)
                    with mark_user_errors():
                        await run.on_llm_new_token(content, chunk=chunk)
                    heard.append(chunk)
                    yield chunk
        except BaseException as error:
            with mark_user_errors():
                await run.on_llm_error(error, response=_so_far(heard))
            raise
        with mark_user_errors():
            await run.on_llm_end(_so_far(heard))

    # --- managers -----------------------------------------------------------------

    def _start(self, prepared: PreparedRequest) -> CallbackManagerForLLMRun:
        manager = self._manager(CallbackManager)
        with mark_user_errors():
            [run] = manager.on_chat_model_start(
                prepared.model._serialized, [prepared.messages], **self._told(prepared)
            )
        return run

    async def _astart(self, prepared: PreparedRequest) -> AsyncCallbackManagerForLLMRun:
        manager = self._manager(AsyncCallbackManager)
        with mark_user_errors():
            [run] = await manager.on_chat_model_start(
                prepared.model._serialized, [prepared.messages], **self._told(prepared)
            )
        return run

    def _manager(self, kind: type[M]) -> M:
        return kind(
            handlers=list(self.handlers),
            inheritable_handlers=list(self.handlers),
            tags=list(self.tags),
            metadata=dict(self.metadata),
        )

    def _told(self, prepared: PreparedRequest) -> dict[str, Any]:
        params = prepared.model._get_invocation_params(
            stop=prepared.stop, **prepared.kwargs
        )
        return {
            "invocation_params": params,
            "options": {"stop": prepared.stop},
            "name": self.name,
            "batch_size": 1,
        }


class PreparedRequest(NamedTuple):
    """What is told of a run when it begins."""

    model: BaseChatModel
    messages: list[BaseMessage]
    stop: list[str] | None
    kwargs: dict[str, Any]


def callbacks_of(
    model: BaseChatModel, configs: Sequence[RunnableConfig]
) -> ChildCallbacks | None:
    """Return who listens to a child; `None` if it was given nobody.

    Args:
        model: The child.
        configs: Those of the bindings around it, outermost last.
    """
    callbacks = [model.callbacks, *(config.get("callbacks") for config in configs)]
    handlers: list[BaseCallbackHandler] = []
    for given in callbacks:
        if isinstance(given, BaseCallbackManager):
            handlers += [*given.handlers, *given.inheritable_handlers]
        else:
            handlers += given or []
    if not handlers:
        return None
    return ChildCallbacks(
        handlers=tuple(dict.fromkeys(handlers)),
        tags=tuple(
            tag
            for tags in (model.tags, *(config.get("tags") for config in configs))
            for tag in tags or ()
        ),
        metadata={
            name: value
            for part in (model.metadata, *(one.get("metadata") for one in configs))
            for name, value in (part or {}).items()
        },
        name=next((name for one in configs if (name := one.get("run_name"))), None),
    )


def _as_told(result: ChatResult) -> LLMResult:
    return LLMResult(
        generations=[list(result.generations)], llm_output=result.llm_output
    )


def _so_far(chunks: list[ChatGenerationChunk]) -> LLMResult:
    whole = merge_chat_generation_chunks(list(chunks))
    return LLMResult(generations=[[whole]] if whole is not None else [])
