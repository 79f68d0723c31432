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

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableBinding

from langchain_reliable._children.cache import memory_of
from langchain_reliable._children.callbacks import Begun, listeners_of
from langchain_reliable._children.convert import (
    ain_blocks,
    as_chunk,
    in_blocks,
    result_in_blocks,
)
from langchain_reliable._children.messages import Translator
from langchain_reliable._children.runnable import RunnableChild
from langchain_reliable._children.sdk_retries import (
    for_model,
    managed,
    model_field,
    sends_finish,
)
from langchain_reliable._children.tools import bound_tools

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, ChatResult
    from langchain_core.runnables import Runnable, RunnableConfig

    from langchain_reliable._children.callbacks import Listeners
    from langchain_reliable._children.structured_output import Form, Output, Shape
    from langchain_reliable.candidates import Candidate


class Request(NamedTuple):
    """What the caller asked for, the same for every child.

    Attributes:
        messages: What is said.
        stop: Words to stop at.
        kwargs: The call's keywords.
        output: What becomes of its structured output, if that was asked for.
        as_events: Whether LangChain makes protocol events of the chunks, for which it
            takes them as the child made them.
    """

    messages: list[BaseMessage]
    stop: list[str] | None
    kwargs: Mapping[str, Any]
    output: Output | None = None
    as_events: bool = False


class Child(Protocol):
    """One child, ready to be called."""

    sends_finish: bool
    """Whether its streams are known to end with a finish reason; learned as well."""

    def streams(self, request: Request, *, async_api: bool) -> bool:
        """Return whether its answer to this request would arrive in pieces."""

    @property
    def is_rate_limited(self) -> bool:
        """Whether it has a rate limiter to wait for."""

    def answers_in_pieces(self, request: Request, *, async_api: bool) -> bool:
        """Return whether it streams even where a whole answer is asked for."""

    def take_turn(self) -> None:
        """Wait for its rate limiter, if it has one."""

    async def atake_turn(self) -> None:
        """Wait for its rate limiter; the twin of `take_turn`."""

    def chunks(self, request: Request) -> Iterator[ChatGenerationChunk]:
        """Stream its answer."""

    def achunks(self, request: Request) -> AsyncIterator[ChatGenerationChunk]:
        """Stream its answer; the twin of `chunks`."""

    def answer(self, request: Request) -> ChatResult:
        """Return its answer in one piece."""

    async def aanswer(self, request: Request) -> ChatResult:
        """Return its answer in one piece; the twin of `answer`."""

    def form_for(self, shape: Shape) -> Form:
        """Return how it is asked for structured output, and how that is read."""

    def tokens_in(self, messages: list[BaseMessage], tools: Any, **kwargs: Any) -> int:
        """Return how many tokens it takes these for; its API may be asked for it."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """How a child is to be prepared; what is prepared is kept by it.

    Attributes:
        model: The model to ask it for; `None` means as it is.
        manage_retries: Whether its SDK's own retries are to be off.
        read_timeout: Seconds after which its client is to give up a silent socket;
            `None` leaves the client's own.
    """

    model: str | None = None
    manage_retries: bool = True
    read_timeout: float | None = None


def child_of(candidate: Candidate, how: Preparation) -> Child:
    """Return a candidate's child, prepared at first use and kept with it."""
    if (child := candidate._kept.get(how)) is None:
        # Two threads may prepare the same child at once; the first to arrive stays.
        child = candidate._kept.setdefault(how, _prepared(candidate, how))
    return cast("Child", child)


def own_model(candidate: Candidate) -> str | None:
    """Return the name of a candidate's own model, where it has one."""
    model, kwargs, _ = _unwrapped(candidate.model)
    if isinstance(bound := kwargs.get("model"), str):
        return bound
    if not isinstance(model, BaseChatModel):
        return None
    name = getattr(model, model_field(model) or "model_name", None)
    return name if isinstance(name, str) and name else None


def bare_model(candidate: Candidate) -> Runnable[Any, Any]:
    """Return a candidate's child without the bindings around it."""
    return _unwrapped(candidate.model)[0]


def _prepared(candidate: Candidate, how: Preparation) -> Child:
    model, kwargs, configs = _unwrapped(candidate.model)
    kwargs = {**kwargs, **candidate.kwargs}
    if not isinstance(model, BaseChatModel):
        asked = {"model": how.model} if how.model else {}
        return RunnableChild(model, {**kwargs, **asked})
    if how.model is not None:
        kwargs.pop("model", None)
        if (rebuilt := for_model(model, how.model)) is None:
            kwargs["model"] = how.model
        model = rebuilt or model
    if how.manage_retries:
        model = managed(model, how.read_timeout)
    return _ChatChild(model, kwargs, listeners_of(model, configs))


def _unwrapped(
    model: Runnable[Any, Any],
) -> tuple[Runnable[Any, Any], dict[str, Any], list[RunnableConfig]]:
    """Take plain bindings off a model; one with listeners is left as it is."""
    kwargs: dict[str, Any] = {}
    configs: list[RunnableConfig] = []
    while isinstance(model, RunnableBinding) and not model.config_factories:
        kwargs = {**model.kwargs, **kwargs}
        configs.insert(0, model.config)
        model = model.bound
    return model, kwargs, configs


# --- chat models ------------------------------------------------------------------


class _ChatChild:
    """A chat model, called through its implementation hooks."""

    __slots__ = ("_kwargs", "_listeners", "_model", "_translator", "sends_finish")

    def __init__(
        self,
        model: BaseChatModel,
        kwargs: Mapping[str, Any],
        listeners: Listeners | None,
    ) -> None:
        self._model = model
        self._kwargs = kwargs
        self._listeners = listeners
        self._translator = Translator(model)
        self.sends_finish = sends_finish(model)

    def streams(self, request: Request, *, async_api: bool) -> bool:
        kwargs = {**self._kwargs, **request.kwargs, "stream": True}
        return self._model._should_stream(async_api=async_api, **kwargs)

    def answers_in_pieces(self, request: Request, *, async_api: bool) -> bool:
        kwargs = {**self._kwargs, **request.kwargs}
        return self._model._should_stream(async_api=async_api, **kwargs)

    def chunks(self, request: Request) -> Iterator[ChatGenerationChunk]:
        if not self.streams(request, async_api=False):
            return iter([as_chunk(self.answer(request))])
        told = self._bound(request)
        chunks = iter(told.model._stream(told.messages, stop=told.stop, **told.kwargs))
        if self._makes_blocks and not request.as_events:
            chunks = in_blocks(chunks)
        return self._listeners.hearing(told, chunks) if self._listeners else chunks

    def achunks(self, request: Request) -> AsyncIterator[ChatGenerationChunk]:
        if not self.streams(request, async_api=True):
            return self._in_one_chunk(request)
        told = self._bound(request)
        chunks = told.model._astream(told.messages, stop=told.stop, **told.kwargs)
        if self._makes_blocks and not request.as_events:
            chunks = ain_blocks(chunks)
        return self._listeners.ahearing(told, chunks) if self._listeners else chunks

    async def _in_one_chunk(
        self, request: Request
    ) -> AsyncIterator[ChatGenerationChunk]:
        yield as_chunk(await self.aanswer(request))

    def answer(self, request: Request) -> ChatResult:
        told = self._bound(request)
        if self._listeners is None:
            return self._remembered(told)
        return self._listeners.told_of(told, lambda: self._remembered(told))

    async def aanswer(self, request: Request) -> ChatResult:
        told = self._bound(request)
        if self._listeners is None:
            return await self._aremembered(told)
        return await self._listeners.atold_of(told, lambda: self._aremembered(told))

    def _remembered(self, told: Begun) -> ChatResult:
        memory = memory_of(told.model, told.messages, told.stop, told.kwargs)
        if memory is None:
            return self._asked(told)
        return memory.answer(lambda: self._asked(told))

    async def _aremembered(self, told: Begun) -> ChatResult:
        memory = memory_of(told.model, told.messages, told.stop, told.kwargs)
        if memory is None:
            return await self._aasked(told)
        return await memory.aanswer(lambda: self._aasked(told))

    def _asked(self, told: Begun) -> ChatResult:
        result = told.model._generate(told.messages, stop=told.stop, **told.kwargs)
        return result_in_blocks(result) if self._makes_blocks else result

    async def _aasked(self, told: Begun) -> ChatResult:
        generate = told.model._agenerate
        result = await generate(told.messages, stop=told.stop, **told.kwargs)
        return result_in_blocks(result) if self._makes_blocks else result

    def form_for(self, shape: Shape) -> Form:
        return shape.form_for(self._model)

    def tokens_in(self, messages: list[BaseMessage], tools: Any, **kwargs: Any) -> int:
        read = self._translator.readable(messages)
        return self._model.get_num_tokens_from_messages(read, tools, **kwargs)

    @property
    def _makes_blocks(self) -> bool:
        """Whether LangChain would put its answers into standard content blocks."""
        return self._model.output_version == "v1"

    def _bound(self, request: Request) -> Begun:
        """Return what goes out: tools and schema in the child's own form."""
        messages = self._translator.readable(request.messages)
        kwargs = {**self._kwargs, **request.kwargs}
        if request.output is None:
            kwargs = bound_tools(self._model, kwargs)
            begun = Begun(self._model, messages, request.stop, kwargs)
        else:
            form = self.form_for(request.output.shape)
            kwargs = {**self._kwargs, **form.kwargs, **request.kwargs}
            begun = Begun(form.model, messages, request.stop, kwargs)
        return self._translator.settled(begun, request.messages)

    @property
    def is_rate_limited(self) -> bool:
        return self._model.rate_limiter is not None

    def take_turn(self) -> None:
        if self._model.rate_limiter is not None:
            self._model.rate_limiter.acquire(blocking=True)

    async def atake_turn(self) -> None:
        if self._model.rate_limiter is not None:
            await self._model.rate_limiter.aacquire(blocking=True)
