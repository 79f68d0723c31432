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

from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableBinding
from langchain_core.runnables.config import var_child_runnable_config
from langchain_core.tracers.context import _configure_hooks

from langchain_reliable._copies import (
    for_model,
    managed,
    model_field,
    sends_finish,
)
from langchain_reliable._speech import finish_of, says_something
from langchain_reliable._streams import check_finish, check_wordless
from langchain_reliable._tools import bound_tools
from langchain_reliable._within import within

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from contextvars import Context

    from langchain_reliable.candidates import Candidate


@dataclass(frozen=True, slots=True)
class Request:
    """What the caller asked for, the same for every child."""

    messages: list[BaseMessage]
    stop: list[str] | None
    kwargs: Mapping[str, Any]


class Child(Protocol):
    """One child, ready to be called."""

    sends_finish: bool
    """Whether its streams are known to end with a finish reason; learned as well."""

    def streams(self, request: Request, *, async_api: bool) -> bool:
        """Return whether its answer to this request would arrive in pieces."""

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
    model, kwargs = _unwrapped(candidate.model)
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
    model, kwargs = _unwrapped(candidate.model)
    kwargs = {**kwargs, **candidate.kwargs}
    if not isinstance(model, BaseChatModel):
        asked = {"model": how.model} if how.model else {}
        return _RunnableChild(model, {**kwargs, **asked})
    if how.model is not None:
        kwargs.pop("model", None)
        if (rebuilt := for_model(model, how.model)) is None:
            kwargs["model"] = how.model
        model = rebuilt or model
    if how.manage_retries:
        model = managed(model, how.read_timeout)
    return _ChatChild(model, kwargs)


def _unwrapped(model: Runnable[Any, Any]) -> tuple[Runnable[Any, Any], dict[str, Any]]:
    """Take plain bindings off a model; one with listeners is left as it is."""
    kwargs: dict[str, Any] = {}
    while isinstance(model, RunnableBinding) and not model.config_factories:
        kwargs = {**model.kwargs, **kwargs}
        model = model.bound
    return model, kwargs


# --- chat models ------------------------------------------------------------------


class _ChatChild:
    """A chat model, called through its implementation hooks."""

    __slots__ = ("_kwargs", "_model", "sends_finish")

    def __init__(self, model: BaseChatModel, kwargs: Mapping[str, Any]) -> None:
        self._model = model
        self._kwargs = kwargs
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
        kwargs = self._bound(request)
        return self._model._stream(request.messages, stop=request.stop, **kwargs)

    def achunks(self, request: Request) -> AsyncIterator[ChatGenerationChunk]:
        if not self.streams(request, async_api=True):
            return self._in_one_chunk(request)
        kwargs = self._bound(request)
        return self._model._astream(request.messages, stop=request.stop, **kwargs)

    async def _in_one_chunk(
        self, request: Request
    ) -> AsyncIterator[ChatGenerationChunk]:
        yield as_chunk(await self.aanswer(request))

    def answer(self, request: Request) -> ChatResult:
        kwargs = self._bound(request)
        return self._model._generate(request.messages, stop=request.stop, **kwargs)

    async def aanswer(self, request: Request) -> ChatResult:
        kwargs = self._bound(request)
        return await self._model._agenerate(
            request.messages, stop=request.stop, **kwargs
        )

    def _bound(self, request: Request) -> dict[str, Any]:
        return bound_tools(self._model, {**self._kwargs, **request.kwargs})

    def take_turn(self) -> None:
        if self._model.rate_limiter is not None:
            self._model.rate_limiter.acquire(blocking=True)

    async def atake_turn(self) -> None:
        if self._model.rate_limiter is not None:
            await self._model.rate_limiter.aacquire(blocking=True)


# --- any other Runnable -----------------------------------------------------------


class _RunnableChild:
    """A Runnable that returns a message, called where nobody listens."""

    __slots__ = ("_kwargs", "_runnable", "sends_finish")

    def __init__(self, runnable: Runnable[Any, Any], kwargs: Mapping[str, Any]) -> None:
        self._runnable = runnable
        self._kwargs = kwargs
        self.sends_finish = False

    def answers_in_pieces(self, request: Request, *, async_api: bool) -> bool:  # noqa: ARG002 - only the Runnable knows
        return False

    def take_turn(self) -> None:
        pass

    async def atake_turn(self) -> None:
        pass

    def streams(self, request: Request, *, async_api: bool) -> bool:  # noqa: ARG002 - only the Runnable knows
        return True

    def chunks(self, request: Request) -> Iterator[ChatGenerationChunk]:
        quiet = _quiet_context()
        stream = quiet.run(
            self._runnable.stream, request.messages, **self._keywords(request)
        )
        while (piece := quiet.run(next, stream, None)) is not None:
            yield _piece_as_chunk(piece)

    async def achunks(self, request: Request) -> AsyncIterator[ChatGenerationChunk]:
        quiet = _quiet_context()
        stream = self._runnable.astream(request.messages, **self._keywords(request))
        while (piece := await within(anext(stream, None), quiet.run)) is not None:
            yield _piece_as_chunk(piece)

    def answer(self, request: Request) -> ChatResult:
        keywords = self._keywords(request)
        return _as_result(
            _quiet_context().run(self._runnable.invoke, request.messages, **keywords)
        )

    async def aanswer(self, request: Request) -> ChatResult:
        asked = self._runnable.ainvoke(request.messages, **self._keywords(request))
        return _as_result(await within(asked, _quiet_context().run))

    def _keywords(self, request: Request) -> dict[str, Any]:
        stop = {"stop": request.stop} if request.stop is not None else {}
        return {**self._kwargs, **request.kwargs, **stop}


def _quiet_context() -> Context:
    """Return a copy of the context in which LangChain finds nobody to tell."""
    quiet = copy_context()
    quiet.run(var_child_runnable_config.set, None)
    for variable, *_ in _configure_hooks:
        quiet.run(variable.set, None)
    return quiet


# --- forms of an answer -----------------------------------------------------------


def checked(result: ChatResult) -> ChatResult:
    """Return an answer unless it is none.

    Raises:
        EmptyAnswer: It finished and said nothing.
        FinishedWithError: It says that it ended in an error.
    """
    finish = _finish(result)
    check_finish(finish)
    if not any(says_something(one.message) for one in result.generations):
        check_wordless(finish or "unknown", result)
    return result


def _finish(result: ChatResult) -> str | None:
    for generation in result.generations:
        info = {**(result.llm_output or {}), **(generation.generation_info or {})}
        merged = ChatGeneration(message=generation.message, generation_info=info)
        if (finish := finish_of(merged)) is not None:
            return finish
    return None


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
    return ChatGenerationChunk(
        message=chunk, generation_info=generation.generation_info
    )


def _as_result(answer: object) -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=_as_message(answer))])


def _piece_as_chunk(piece: object) -> ChatGenerationChunk:
    message = _as_message(piece)
    if isinstance(message, AIMessageChunk):
        return ChatGenerationChunk(message=message)
    return as_chunk(_as_result(message))


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
