"""Calls a chat model, so that the caller sees one run alone.

It is called through LangChain's implementation hooks (`_stream`, `_generate` and their
twins), as `BaseChatModel.stream` and `.invoke` would; what those do besides (cache,
callbacks, content blocks) is done here.
"""

from __future__ import annotations

import logging
from contextlib import aclosing, closing
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from langchain_core.language_models import BaseChatModel

from langchain_reliable._children.base import with_own
from langchain_reliable._children.cache import cache_of
from langchain_reliable._children.callbacks import PreparedRequest
from langchain_reliable._children.convert import (
    ain_blocks,
    as_chunk,
    in_blocks,
    result_in_blocks,
)
from langchain_reliable._children.messages import MessageAdapter
from langchain_reliable._children.partners import partner_of
from langchain_reliable._children.tools import ToolBinder

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Awaitable,
        Callable,
        Generator,
        Hashable,
        Iterator,
        Mapping,
    )

    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, ChatResult
    from langchain_core.runnables import RunnableConfig

    from langchain_reliable._children.base import Request
    from langchain_reliable._children.cache import ChildCache
    from langchain_reliable._children.callbacks import ChildCallbacks
    from langchain_reliable._children.structured_output import ChildOutput, OutputSpec
    from langchain_reliable._runtime.own_threads import OwnThreads

logger = logging.getLogger("langchain_reliable")


def blocks_in_streams(cls: type[BaseChatModel]) -> bool:
    """Return whether a class streams, and in async only as LangChain makes it."""
    native = cls._astream is not BaseChatModel._astream
    return not native and cls._stream is not BaseChatModel._stream


class ChatChild:
    """A chat model, called through its implementation hooks."""

    __slots__ = (
        "_adapter",
        "_answer_threads",
        "_callbacks",
        "_kwargs",
        "_model",
        "_own",
        "_sent",
        "_stop",
        "_stream_threads",
        "_tools",
        "sends_finish",
        "streams_inside",
    )

    def __init__(
        self,
        model: BaseChatModel,
        kwargs: Mapping[str, Any],
        own: Mapping[str, Any],
        callbacks: ChildCallbacks | None,
        account: Callable[[], Hashable] | None = None,
        sent: Mapping[str, Any] = MappingProxyType({}),
        threads: OwnThreads | None = None,
    ) -> None:
        """Take a model in.

        Args:
            model: The model, made ready.
            kwargs: What is bound to it; the call's keywords win.
            own: What its candidate was given for it, which wins over the call's.
            callbacks: Who listens to it.
            account: Tells whose account it uses.
            sent: What is sent along for its client, and shapes no answer.
            threads: Where it is asked in async if it has no async code of its own.
        """
        cls = type(model)
        blocks = cls._agenerate is BaseChatModel._agenerate
        self._answer_threads = threads if blocks else None
        self._stream_threads = threads if blocks_in_streams(cls) else None
        self._sent = sent
        self._model = model
        self._kwargs = {name: kwargs[name] for name in kwargs if name != "stop"}
        self._stop: list[str] | None = kwargs.get("stop")  # hooks take it by itself
        self._own = own
        self._callbacks = callbacks
        self._tools = ToolBinder(model)
        self._adapter = MessageAdapter(model, account)
        partner = partner_of(model)
        self.sends_finish = partner.sends_finish
        self.streams_inside = partner.streams_inside

    marks_its_end = True

    def streams(self, request: Request, *, async_api: bool) -> bool:
        kwargs = {**self._kwargs, **request.kwargs, "stream": True}
        return self._model._should_stream(async_api=async_api, **kwargs)

    def answers_in_pieces(self, request: Request, *, async_api: bool) -> bool:
        kwargs = {**self._kwargs, **request.kwargs}
        return self._model._should_stream(async_api=async_api, **kwargs)

    def chunks(self, request: Request) -> Iterator[ChatGenerationChunk]:
        if not self.streams(request, async_api=False):
            return iter([as_chunk(self.answer(request))])
        prepared = self._bound(request)
        if self._adapter.may_be_refused(prepared):
            chunks = self._streamed_or_again(prepared)
        else:
            chunks = self._streamed(prepared)
        if self._model.output_version == "v1" and not request.as_events:
            chunks = in_blocks(chunks)
        return (
            self._callbacks.run_stream(prepared, chunks) if self._callbacks else chunks
        )

    def achunks(self, request: Request) -> AsyncIterator[ChatGenerationChunk]:
        if not self.streams(request, async_api=True):
            return self._in_one_chunk(request)
        prepared = self._bound(request)
        if self._adapter.may_be_refused(prepared):
            chunks = self._astreamed_or_again(prepared)
        else:
            chunks = self._astreamed(prepared)
        if self._model.output_version == "v1" and not request.as_events:
            chunks = ain_blocks(chunks)
        return (
            self._callbacks.arun_stream(prepared, chunks) if self._callbacks else chunks
        )

    async def _in_one_chunk(
        self, request: Request
    ) -> AsyncIterator[ChatGenerationChunk]:
        yield as_chunk(await self.aanswer(request))

    def answer(self, request: Request) -> ChatResult:
        prepared = self._bound(request)
        if self._callbacks is None and self._model.cache is None:
            return self._asked(prepared)
        cache = cache_of(prepared, partial(self._fits, request))
        if self._callbacks is None:
            return self._from_cache(prepared, cache)
        return self._callbacks.run(prepared, lambda: self._from_cache(prepared, cache))

    def aanswer(self, request: Request) -> Awaitable[ChatResult]:
        prepared = self._bound(request)
        if self._callbacks is None and self._model.cache is None:
            return self._aasked(prepared)
        cache = cache_of(prepared, partial(self._fits, request))
        if self._callbacks is None:
            return self._afrom_cache(prepared, cache)
        return self._callbacks.arun(
            prepared, lambda: self._afrom_cache(prepared, cache)
        )

    def _from_cache(
        self, prepared: PreparedRequest, cache: ChildCache | None
    ) -> ChatResult:
        if cache is None:
            return self._asked(prepared)
        return cache.answer(lambda: self._asked(prepared))

    async def _afrom_cache(
        self, prepared: PreparedRequest, cache: ChildCache | None
    ) -> ChatResult:
        if cache is None:
            return await self._aasked(prepared)
        return await cache.aanswer(lambda: self._aasked(prepared))

    def _asked(self, prepared: PreparedRequest) -> ChatResult:
        model, messages, stop, kwargs = prepared
        try:
            result = model._generate(messages, stop=stop, **{**self._sent, **kwargs})
        except Exception as error:
            if not self._adapter.is_refused(prepared, error):
                raise
            model, messages, stop, kwargs = self._in_common_words(prepared)
            result = model._generate(messages, stop=stop, **{**self._sent, **kwargs})
        if self._model.output_version == "v1":  # as LangChain would do
            return result_in_blocks(result)
        return result

    async def _aasked(self, prepared: PreparedRequest) -> ChatResult:
        model, messages, stop, kwargs = prepared
        kwargs = {**self._sent, **kwargs}
        threads = self._answer_threads
        try:
            if threads is None:
                result = await model._agenerate(messages, stop=stop, **kwargs)
            else:
                ask = model._generate
                result = await threads.call(ask, messages, stop=stop, **kwargs)
        except Exception as error:
            if not self._adapter.is_refused(prepared, error):
                raise
            model, messages, stop, kwargs = self._in_common_words(prepared)
            kwargs = {**self._sent, **kwargs}
            result = await model._agenerate(messages, stop=stop, **kwargs)
        if self._model.output_version == "v1":  # as LangChain would do
            return result_in_blocks(result)
        return result

    def _streamed(self, prepared: PreparedRequest) -> Iterator[ChatGenerationChunk]:
        model, messages, stop, kwargs = prepared
        keywords = {**self._sent, **kwargs}
        return iter(model._stream(messages, stop=stop, **keywords))

    def _astreamed(
        self, prepared: PreparedRequest
    ) -> AsyncIterator[ChatGenerationChunk]:
        model, messages, stop, kwargs = prepared
        keywords = {**self._sent, **kwargs}
        if (threads := self._stream_threads) is not None:
            return threads.stream(model._stream, messages, stop=stop, **keywords)
        return model._astream(messages, stop=stop, **keywords)

    # --- where a provider refuses what another account has made -----------------------

    def _streamed_or_again(
        self, prepared: PreparedRequest
    ) -> Iterator[ChatGenerationChunk]:
        """Stream an answer; once more in common words if it is refused at once."""
        stream = self._streamed(prepared)
        try:
            first = next(stream, None)
        except Exception as error:
            if not self._adapter.is_refused(prepared, error):
                raise
            stream = self._streamed(self._in_common_words(prepared))
            first = next(stream, None)
        with closing(cast("Generator[ChatGenerationChunk]", stream)):
            if first is not None:
                yield first
            yield from stream

    async def _astreamed_or_again(
        self, prepared: PreparedRequest
    ) -> AsyncIterator[ChatGenerationChunk]:
        """Stream an answer, maybe once more; the twin of `_streamed_or_again`."""
        stream = self._astreamed(prepared)
        try:
            first = await anext(stream, None)
        except Exception as error:
            if not self._adapter.is_refused(prepared, error):
                raise
            stream = self._astreamed(self._in_common_words(prepared))
            first = await anext(stream, None)
        async with aclosing(cast("AsyncGenerator[ChatGenerationChunk]", stream)):
            if first is not None:
                yield first
            async for chunk in stream:
                yield chunk

    def _in_common_words(self, prepared: PreparedRequest) -> PreparedRequest:
        logger.info(
            "%s refused what another model or account has made of this conversation; "
            "it is asked once more without that",
            type(self._model).__name__,
        )
        return self._adapter.in_common_words(prepared)

    def output_for(
        self,
        spec: OutputSpec,
        config: RunnableConfig | None = None,  # noqa: ARG002 - it is what it is
    ) -> ChildOutput:
        return spec.output_for(self._model)

    def _fits(self, request: Request, result: ChatResult) -> bool:
        output = request.output
        return output is None or output.fits(result, self.output_for(output.spec))

    def ls_params(self, request: Request) -> Mapping[str, Any]:
        kwargs = with_own({**self._kwargs, **request.kwargs}, self._own)
        try:
            return self._model._get_ls_params(stop=request.stop, **kwargs)
        except Exception:  # noqa: BLE001 - a partner's, and for traces only
            return {}

    def tokens_in(self, messages: list[BaseMessage], tools: Any, **kwargs: Any) -> int:
        read = self._adapter.adapt(messages)
        return self._model.get_num_tokens_from_messages(read, tools, **kwargs)

    def _bound(self, request: Request) -> PreparedRequest:
        """Return what goes out: tools and schema in the child's own form."""
        messages = self._adapter.adapt(request.messages, request.account_of)
        model, kwargs = self._model, {**self._kwargs, **request.kwargs}
        if request.output is not None:
            form = self.output_for(request.output.spec)
            model, kwargs = (
                form.model,
                {**self._kwargs, **form.kwargs, **request.kwargs},
            )
        if self._own:
            kwargs = with_own(kwargs, self._own)
        if (
            "tools" in kwargs
            and request.output is None
            # What is bound to the child alone has its own form already.
            and not self._tools.names.isdisjoint(request.kwargs)
        ):
            kwargs = self._tools.bound(kwargs)
        stop = self._stop if request.stop is None else request.stop
        prepared = PreparedRequest(model, messages, stop, kwargs)
        if not self._adapter.has_settings:
            return prepared
        return self._adapter.adapt_settings(prepared, request.messages)

    @property
    def is_rate_limited(self) -> bool:
        return self._model.rate_limiter is not None

    def take_turn(self) -> None:
        if self._model.rate_limiter is not None:
            self._model.rate_limiter.acquire(blocking=True)

    async def atake_turn(self) -> None:
        if self._model.rate_limiter is not None:
            await self._model.rate_limiter.aacquire(blocking=True)
