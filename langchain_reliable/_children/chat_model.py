"""The hallway: the one place where a child is called.

How a chat model's or a Runnable's answer is got, without a second visible run and
without a word to the caller's listeners, lives here. Whether and when to ask, and what
becomes of a failure, never does.

A chat model is called through LangChain's implementation hooks (`_stream`,
`_generate` and their twins), as `BaseChatModel.stream` and `.invoke` would, so the run
that the caller sees is the wrapper's alone. Anything else is called through its public
interface, in a context in which LangChain's listeners are switched off: an empty
`callbacks` list alone does not keep them away (seen in langchain-core 1.7.2).
"""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel

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
from langchain_reliable._children.tools import bind_for_child

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, ChatResult

    from langchain_reliable._children.base import Request
    from langchain_reliable._children.callbacks import ChildCallbacks
    from langchain_reliable._children.structured_output import ChildOutput, OutputSpec
    from langchain_reliable._runtime.own_threads import OwnThreads


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
        "_sent",
        "_stream_threads",
        "sends_finish",
        "streams_inside",
    )

    def __init__(
        self,
        model: BaseChatModel,
        kwargs: Mapping[str, Any],
        callbacks: ChildCallbacks | None,
        sent: Mapping[str, Any] = MappingProxyType({}),
        threads: OwnThreads | None = None,
    ) -> None:
        """Take a model in.

        Args:
            model: Whom to ask.
            kwargs: Keywords bound to it.
            callbacks: Its own, if it has any.
            sent: What is sent along for its client, and shapes no answer.
            threads: Where it is asked in async if it has no async code of its own.
        """
        cls = type(model)
        blocks = cls._agenerate is BaseChatModel._agenerate
        self._answer_threads = threads if blocks else None
        self._stream_threads = threads if blocks_in_streams(cls) else None
        self._model = model
        self._kwargs = kwargs
        self._callbacks = callbacks
        self._sent = sent
        self._adapter = MessageAdapter(model)
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
        chunks = iter(
            prepared.model._stream(
                prepared.messages,
                stop=prepared.stop,
                **{**self._sent, **prepared.kwargs},
            )
        )
        if self._makes_blocks and not request.as_events:
            chunks = in_blocks(chunks)
        return (
            self._callbacks.run_stream(prepared, chunks) if self._callbacks else chunks
        )

    def achunks(self, request: Request) -> AsyncIterator[ChatGenerationChunk]:
        if not self.streams(request, async_api=True):
            return self._in_one_chunk(request)
        prepared = self._bound(request)
        keywords = {**self._sent, **prepared.kwargs}
        open_ = prepared.model._astream
        if (threads := self._stream_threads) is not None:
            open_ = partial(threads.stream, prepared.model._stream)
        chunks = open_(prepared.messages, stop=prepared.stop, **keywords)
        if self._makes_blocks and not request.as_events:
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
        if self._callbacks is None:
            return self._from_cache(prepared)
        return self._callbacks.run(prepared, lambda: self._from_cache(prepared))

    async def aanswer(self, request: Request) -> ChatResult:
        prepared = self._bound(request)
        if self._callbacks is None:
            return await self._afrom_cache(prepared)
        return await self._callbacks.arun(prepared, lambda: self._afrom_cache(prepared))

    def _from_cache(self, prepared: PreparedRequest) -> ChatResult:
        cache = cache_of(
            prepared.model, prepared.messages, prepared.stop, prepared.kwargs
        )
        if cache is None:
            return self._asked(prepared)
        return cache.answer(lambda: self._asked(prepared))

    async def _afrom_cache(self, prepared: PreparedRequest) -> ChatResult:
        cache = cache_of(
            prepared.model, prepared.messages, prepared.stop, prepared.kwargs
        )
        if cache is None:
            return await self._aasked(prepared)
        return await cache.aanswer(lambda: self._aasked(prepared))

    def _asked(self, prepared: PreparedRequest) -> ChatResult:
        result = prepared.model._generate(
            prepared.messages, stop=prepared.stop, **{**self._sent, **prepared.kwargs}
        )
        return result_in_blocks(result) if self._makes_blocks else result

    async def _aasked(self, prepared: PreparedRequest) -> ChatResult:
        threads = self._answer_threads
        generate = prepared.model._agenerate
        if threads is not None:
            generate = partial(threads.call, prepared.model._generate)
        result = await generate(
            prepared.messages, stop=prepared.stop, **{**self._sent, **prepared.kwargs}
        )
        return result_in_blocks(result) if self._makes_blocks else result

    def output_for(self, spec: OutputSpec) -> ChildOutput:
        return spec.output_for(self._model)

    def ls_params(self, request: Request) -> Mapping[str, Any]:
        kwargs = {**self._kwargs, **request.kwargs}
        try:
            return self._model._get_ls_params(stop=request.stop, **kwargs)
        except Exception:  # noqa: BLE001 - a partner's, and for traces only
            return {}

    def tokens_in(self, messages: list[BaseMessage], tools: Any, **kwargs: Any) -> int:
        read = self._adapter.adapt(messages)
        return self._model.get_num_tokens_from_messages(read, tools, **kwargs)

    @property
    def _makes_blocks(self) -> bool:
        """Whether LangChain would put its answers into standard content blocks."""
        return self._model.output_version == "v1"

    def _bound(self, request: Request) -> PreparedRequest:
        """Return what goes out: tools and schema in the child's own form."""
        messages = self._adapter.adapt(request.messages)
        kwargs = {**self._kwargs, **request.kwargs}
        if request.output is None:
            kwargs = bind_for_child(self._model, kwargs)
            prepared = PreparedRequest(self._model, messages, request.stop, kwargs)
        else:
            form = self.output_for(request.output.spec)
            kwargs = {**self._kwargs, **form.kwargs, **request.kwargs}
            prepared = PreparedRequest(form.model, messages, request.stop, kwargs)
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
