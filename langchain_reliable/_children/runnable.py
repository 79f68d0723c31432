"""Children that are Runnables: what a config makes of them, or called as they are.

One that becomes a chat model is called as that. Any other is called through its public
interface, where none of the caller's listeners hears it: an empty `callbacks` list
alone does not keep them away (seen in langchain-core 1.7.2).
"""

from __future__ import annotations

from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import convert_to_messages
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import RunnableSequence
from langchain_core.runnables.config import merge_configs
from langchain_core.runnables.configurable import DynamicRunnable

from langchain_reliable._children.base import unwrapped, with_own
from langchain_reliable._children.cache import object_token
from langchain_reliable._children.convert import as_result, piece_as_chunk
from langchain_reliable._children.identity import named, spelled
from langchain_reliable._children.untraced import config_for_child, untraced_context
from langchain_reliable._runtime.stepwise import within
from langchain_reliable.errors import SchemaNotBound

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Callable,
        Iterator,
        Mapping,
        Sequence,
    )

    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, ChatResult
    from langchain_core.runnables import Runnable, RunnableConfig

    from langchain_reliable._children.base import Child, Request
    from langchain_reliable._children.structured_output import ChildOutput, OutputSpec

_MOST_BUILT: Final = 32
"""Models kept that calls' configs have made of one Runnable."""


class RunnableChild:
    """A Runnable that returns a message, called where nobody listens."""

    __slots__ = ("_kwargs", "_own", "_runnable", "sends_finish")

    def __init__(
        self,
        runnable: Runnable[Any, Any],
        kwargs: Mapping[str, Any],
        own: Mapping[str, Any],
    ) -> None:
        """Take the Runnable, what was bound to it, and its candidate's own keywords."""
        self._runnable = runnable
        self._kwargs = kwargs
        self._own = own
        self.sends_finish = False

    def ls_params(self, request: Request) -> Mapping[str, Any]:  # noqa: ARG002 - only the Runnable knows
        """Return nothing: it is not known whose model it asks."""
        return {}

    def take_turn(self) -> None:
        """Do not wait: its rate limiter, if it has one, is within."""

    async def atake_turn(self) -> None:
        """Do not wait; the twin of `take_turn`."""

    def streams(self, request: Request, *, async_api: bool) -> bool:  # noqa: ARG002 - only the Runnable knows
        """Say yes: a Runnable that can't yields its answer as one piece."""
        return True

    is_rate_limited = False
    streams_inside = False  # or nobody knows
    marks_its_end = False  # LangChain does, of whatever a model in it has come to

    def answers_in_pieces(self, request: Request, *, async_api: bool) -> bool:  # noqa: ARG002 - as above
        """Say no: `invoke` is asked for a whole answer."""
        return False

    def chunks(self, request: Request) -> Iterator[ChatGenerationChunk]:
        """Stream its answer."""
        runnable, keywords = self._bound(request)
        untraced = untraced_context()
        stream = untraced.run(runnable.stream, request.messages, **keywords)
        while (piece := untraced.run(next, stream, None)) is not None:
            yield piece_as_chunk(piece)

    async def achunks(self, request: Request) -> AsyncIterator[ChatGenerationChunk]:
        """Stream its answer; the twin of `chunks`."""
        runnable, keywords = self._bound(request)
        untraced = untraced_context()
        stream = runnable.astream(request.messages, **keywords)
        while (piece := await within(anext(stream, None), untraced.run)) is not None:
            yield piece_as_chunk(piece)

    def answer(self, request: Request) -> ChatResult:
        """Return its answer in one piece."""
        runnable, keywords = self._bound(request)
        untraced = untraced_context()
        return as_result(untraced.run(runnable.invoke, request.messages, **keywords))

    async def aanswer(self, request: Request) -> ChatResult:
        """Return its answer in one piece; the twin of `answer`."""
        runnable, keywords = self._bound(request)
        asked = runnable.ainvoke(request.messages, **keywords)
        return as_result(await within(asked, untraced_context().run))

    def output_for(
        self,
        spec: OutputSpec,  # noqa: ARG002 - whatever it is
        config: RunnableConfig | None = None,  # noqa: ARG002 - as above
    ) -> ChildOutput:
        """Refuse: where in a Runnable the schema would go, nobody can know.

        Raises:
            SchemaNotBound: Always.
        """
        raise SchemaNotBound(type(self._runnable).__name__)

    def tokens_in(self, messages: list[BaseMessage], tools: Any, **kwargs: Any) -> int:
        """Refuse: a Runnable does not count.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(f"{type(self._runnable).__name__} counts no tokens")

    def _bound(self, request: Request) -> tuple[Runnable[Any, Any], dict[str, Any]]:
        """Return what is called, and what it is called with."""
        stop = {"stop": request.stop} if request.stop is not None else {}
        keywords = with_own({**self._kwargs, **request.kwargs, **stop}, self._own)
        runnable: Any = self._runnable
        if keywords.get("tools") and hasattr(runnable, "bind_tools"):
            tools = [getattr(one, "original", one) for one in keywords.pop("tools")]
            choice = {"tool_choice": keywords.pop("tool_choice", None)}
            runnable = runnable.bind_tools(tools, **(choice if any(choice) else {}))
        return runnable, {"config": config_for_child(request.config), **keywords}


class ConfiguredChild:
    """A Runnable that a call's config turns into a chat model.

    So are models with configurable fields or alternatives, those of `init_chat_model`,
    and sequences that end with a chat model. What they become is called like any chat
    model: its retries are off, tools and forms are its own.
    """

    __slots__ = (
        "_build",
        "_built",
        "_or_else",
        "marks_its_end",
        "sends_finish",
        "streams_inside",
    )

    is_rate_limited = False

    def __init__(
        self, build: Callable[[RunnableConfig], Built | None], or_else: Child
    ) -> None:
        """Take a Runnable in.

        Args:
            build: Returns what it becomes; `None` if that is no chat model.
            or_else: The Runnable as it is, for such a config.
        """
        self._build = build
        self._or_else = or_else
        self._built: dict[str, Built] = {}
        self.sends_finish = False
        self.streams_inside = False
        self.marks_its_end = False
        with suppress(Exception):  # some need a config to be anything
            self._for(None)

    def take_turn(self) -> None:
        """Do not wait: who it will be is known with the request."""

    async def atake_turn(self) -> None:
        """Do not wait; the twin of `take_turn`."""

    def streams(self, request: Request, *, async_api: bool) -> bool:
        """Return what the model that it becomes says."""
        child = self._for(request.config).child
        return child.streams(request, async_api=async_api)

    def answers_in_pieces(self, request: Request, *, async_api: bool) -> bool:
        """Return what the model that it becomes says."""
        child = self._for(request.config).child
        return child.answers_in_pieces(request, async_api=async_api)

    def chunks(self, request: Request) -> Iterator[ChatGenerationChunk]:
        """Stream its answer."""
        built = self._for(request.config)
        asked = built.asked(request)
        built.child.take_turn()
        return built.child.chunks(asked)

    async def achunks(self, request: Request) -> AsyncIterator[ChatGenerationChunk]:
        """Stream its answer; the twin of `chunks`."""
        built = self._for(request.config)
        asked = await built.aasked(request)
        await built.child.atake_turn()
        chunks = built.child.achunks(asked)
        async with aclosing(cast("AsyncGenerator[ChatGenerationChunk]", chunks)):
            async for chunk in chunks:
                yield chunk

    def answer(self, request: Request) -> ChatResult:
        """Return its answer in one piece."""
        built = self._for(request.config)
        asked = built.asked(request)
        built.child.take_turn()
        return built.child.answer(asked)

    async def aanswer(self, request: Request) -> ChatResult:
        """Return its answer in one piece; the twin of `answer`."""
        built = self._for(request.config)
        asked = await built.aasked(request)
        await built.child.atake_turn()
        return await built.child.aanswer(asked)

    def output_for(
        self, spec: OutputSpec, config: RunnableConfig | None = None
    ) -> ChildOutput:
        """Return the form of the model that it becomes."""
        return self._for(config).child.output_for(spec)

    def ls_params(self, request: Request) -> Mapping[str, Any]:
        """Return what the model that it becomes says."""
        return self._for(request.config).child.ls_params(request)

    def tokens_in(self, messages: list[BaseMessage], tools: Any, **kwargs: Any) -> int:
        """Count as the model does that it becomes without a config."""
        return self._for(None).child.tokens_in(messages, tools, **kwargs)

    def _for(self, given: RunnableConfig | None) -> Built:
        """Return what it becomes; the latest are kept, as making clients is dear."""
        config = config_for_child(given)
        key = spelled(_of_the_user(config.get("configurable")), object_token)
        if (built := self._built.get(key)) is None:
            built = self._build(config) or Built((), self._or_else)
            if len(self._built) >= _MOST_BUILT:
                self._built.clear()
            self._built[key] = built
            self.sends_finish = built.child.sends_finish
            self.streams_inside = built.child.streams_inside
            self.marks_its_end = built.child.marks_its_end
        return built._replace(config=config)


class Built(NamedTuple):
    """What a Runnable becomes for one config: steps, and who is asked in the end."""

    steps: Sequence[Runnable[Any, Any]]
    child: Child
    config: RunnableConfig | None = None

    def asked(self, request: Request) -> Request:
        """Return the request as the steps before the model make it."""
        if not self.steps:
            return request
        value: Any = request.messages
        untraced = untraced_context()
        for step in self.steps:
            value = untraced.run(step.invoke, value, self.config)
        return request._replace(messages=_as_messages(value))

    async def aasked(self, request: Request) -> Request:
        """Return the request as the steps make it; the twin of `asked`."""
        if not self.steps:
            return request
        value: Any = request.messages
        untraced = untraced_context()
        for step in self.steps:
            value = await within(step.ainvoke(value, self.config), untraced.run)
        return request._replace(messages=_as_messages(value))


def may_become_a_model(runnable: Runnable[Any, Any]) -> bool:
    """Return whether a Runnable may turn out to be, or to end with, a chat model."""
    kinds = (DynamicRunnable, RunnableSequence)
    return isinstance(runnable, kinds) or _is_configurable_model(runnable)


def _is_configurable_model(runnable: object) -> bool:
    return named(type(runnable)) == "langchain.chat_models.base._ConfigurableModel"


def ending(
    runnable: Runnable[Any, Any], config: RunnableConfig
) -> tuple[list[Runnable[Any, Any]], Runnable[Any, Any]] | None:
    """Return what a Runnable is for a config: steps, and the chat model at its end.

    Returns:
        `None` if it does not end with a chat model.
    """
    steps: list[Runnable[Any, Any]] = []
    here: Any = runnable
    while True:
        model, kwargs, configs = unwrapped(here)
        config = merge_configs(*configs, config)
        if isinstance(model, BaseChatModel):
            return steps, here
        if isinstance(model, DynamicRunnable):
            made, config = model.prepare(config)
        elif _is_configurable_model(model):
            # What LangGraph keeps in a config is no model's setting.
            configurable = _of_the_user(config.get("configurable"))
            made = cast("Any", model)._model({**config, "configurable": configurable})
        elif isinstance(model, RunnableSequence) and not kwargs:
            steps += model.steps[:-1]
            made = model.steps[-1]
        else:
            return None
        here = made.bind(**kwargs) if kwargs else made
        for around in filter(None, configs):
            here = here.with_config(around)


def _of_the_user(configurable: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        name: value
        for name, value in (configurable or {}).items()
        if not name.startswith(("__", "checkpoint_")) and name != "thread_id"
    }


def _as_messages(value: Any) -> list[BaseMessage]:
    if isinstance(value, PromptValue):
        return value.to_messages()
    return convert_to_messages(value if isinstance(value, list) else [value])
