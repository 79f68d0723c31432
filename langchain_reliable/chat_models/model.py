"""`ReliableChatModel`: its four hooks, and the methods that LangChain calls."""

import os
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Generator,
    Iterator,
    Mapping,
)
from contextlib import aclosing, closing
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self

from langchain_core.callbacks import (
    AsyncCallbackManager,
    AsyncCallbackManagerForLLMRun,
    CallbackManager,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableConfig
from pydantic import (
    PrivateAttr,
)
from typing_extensions import override

from langchain_reliable._children.prepare import bare_model, own_model
from langchain_reliable._runtime.closing import ClosingStream, GeneratorStack
from langchain_reliable._runtime.driver import adrive, drive
from langchain_reliable._runtime.relay import arelay, relay
from langchain_reliable._runtime.restart import arelay_restartable, relay_restartable
from langchain_reliable._text.redact import plain_name
from langchain_reliable.candidates import Candidate, Group, members_of
from langchain_reliable.chat_models._keywords import CONFIG, STACK, TRACED
from langchain_reliable.chat_models._langchain import LangChainInterface, signed
from langchain_reliable.chat_models._router import Router
from langchain_reliable.chat_models._token_listeners import heard_by, wants_tokens
from langchain_reliable.chat_models._tracing import traced_run, traced_stream
from langchain_reliable.errors import StreamingUnavailable

if TYPE_CHECKING:
    from langchain_core.callbacks.manager import BaseRunManager

    from langchain_reliable._runtime.peek import PeekedStream
    from langchain_reliable.chat_models._call_factory import CallFactory
    from langchain_reliable.chat_models._check_report import CheckReport
    from langchain_reliable.chat_models._execution import Execution
    from langchain_reliable.chat_models._explain.report import Explanation


class ReliableChatModel(LangChainInterface):
    """A chat model made of several, which answers while one of them can.

    It goes where a chat model goes. Models are asked in order; each is retried with
    backoff where that can help, and the next is asked where it can't. A stream is
    opened, read up to the first chunk that says something, and only then shown, so a
    model that breaks before its first word was never seen.

    Example:
        ```python
        model = ReliableChatModel(models=[primary, backup])
        model.invoke("Hello")
        ```

    All durations are seconds.
    """

    @classmethod
    @override
    def get_lc_namespace(cls) -> list[str]:
        """Return where dumps say that this class is, whichever file it stands in."""
        return ["langchain_reliable", "chat_models"]

    _known_factory: Any = PrivateAttr(default=None)

    @override
    def model_post_init(self, context: Any, /) -> None:
        """Import what calls are made of.

        The package comes without it, to be light; and the first calls may be those of
        several threads and of a signal handler, in which an import can fail.
        """
        super().model_post_init(context)
        import langchain_reliable.chat_models._call_factory  # noqa: F401, PLC0415 - see above

    @classmethod
    def from_config(
        cls,
        source: Mapping[str, Any] | str | os.PathLike[str],
        group: str | None = None,
        **fields: Any,
    ) -> Self:
        """Make a model that is written down in a file.

        There are two dialects: the fields of this class, with models as
        `"provider:model"`, and the configuration of LiteLLM's Router (a `model_list`).
        Values may be `os.environ/NAME`; nothing else in a file is filled in or run.

        Args:
            source: The path of a YAML or JSON file, or a mapping.
            group: The `model_name` to begin with, in LiteLLM's dialect; by default the
                first.
            **fields: Fields that are set in Python; they come before the file's.

        Raises:
            ValueError: Something in it can't be taken over; the text says what, where
                it stands and what to write.
        """
        from langchain_reliable.config import fields_from_config, said_at  # noqa: PLC0415 - seldom used

        known = cls.model_fields.keys()
        given = fields_from_config(source, group, known=known)
        with said_at(""):
            return cls(**{**given, **fields})

    # --- the four hooks -----------------------------------------------------------

    @override
    @signed
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        execution = self._execution(messages, stop, kwargs, run_manager)
        return execution.with_trail(
            drive(execution.call, execution.answer, execution.clock)
        )

    @override
    @signed
    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        execution = self._execution(messages, stop, kwargs, run_manager)
        return execution.with_trail(
            await adrive(execution.call, execution.aanswer, execution.clock)
        )

    @override
    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        execution = self._execution(messages, stop, kwargs, run_manager, "stream")
        clock = execution.clock

        def open_() -> "PeekedStream":
            opened: PeekedStream = drive(execution.call, execution.open, clock)
            return opened

        if self.on_interrupt == "raise" or (run := _taken(run_manager)) is None:
            chunks = relay(open_, execution, clock)
        else:
            execution.may_restart = True
            chunks = relay_restartable(open_, execution, clock, run)
        return _reported(chunks, run_manager) if run_manager else chunks

    @override
    def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        stack = kwargs.pop(STACK, None)
        execution = self._execution(messages, stop, kwargs, run_manager, "astream")
        clock = execution.clock
        open_ = partial(adrive, execution.call, execution.aopen, clock)
        if self.on_interrupt == "raise" or (run := _taken(run_manager)) is None:
            chunks = arelay(open_, execution, clock)
        else:
            execution.may_restart = True
            chunks = arelay_restartable(open_, execution, clock, run)
        if stack is not None:
            stack.append(chunks)
        return _areported(chunks, run_manager) if run_manager else chunks

    # --- what the hooks are not shown -----------------------------------------------

    @override
    def invoke(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """Return the answer; children that read a call's config are shown it."""
        if config is not None and self._factory.shows_config:
            kwargs[CONFIG] = config
        return super().invoke(input, config, stop=stop, **kwargs)

    @override
    async def ainvoke(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """Return the answer; the twin of `invoke`."""
        if config is not None and self._factory.shows_config:
            kwargs[CONFIG] = config
        return await super().ainvoke(input, config, stop=stop, **kwargs)

    @override
    def stream(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> Iterator[AIMessageChunk]:
        """Stream the answer; children that read a call's config are shown it."""
        if config is not None and self._factory.shows_config:
            kwargs[CONFIG] = config
        config, traced = traced_stream(config, self.callbacks, CallbackManager)
        if traced is not None:
            self._hand_on(kwargs, traced)
        return super().stream(input, config, stop=stop, **kwargs)

    @override
    def astream(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[AIMessageChunk]:
        """Stream the answer; `aclose` closes the child's stream before it returns.

        `BaseChatModel.astream` leaves what it stands on to the event loop's finalizer
        when it is closed early (seen in langchain-core 1.7.2). After a bare `break`
        nobody calls `aclose`: use `contextlib.aclosing`.
        """
        config, traced = traced_stream(config, self.callbacks, AsyncCallbackManager)
        if traced is not None:
            self._hand_on(kwargs, traced)
        stack = GeneratorStack()
        tells = type(self) is ReliableChatModel or self._tells_its_stack
        if tells:
            kwargs[STACK] = stack
        if config is not None and self._factory.shows_config:
            kwargs[CONFIG] = config
        chunks = super().astream(input, config, stop=stop, **kwargs)
        return ClosingStream(chunks, stack, is_told=tells)

    @property
    def _tells_its_stack(self) -> bool:
        """Whether a stream's generators are told of; a subclass's have to be found."""
        cls, ours = type(self), ReliableChatModel
        return cls is ours or (
            cls._astream is ours._astream and cls._agenerate is ours._agenerate
        )

    @property
    @override
    def _hooks_are_ours(self) -> bool:
        cls, ours = type(self), ReliableChatModel
        return cls is ours or (
            self._tells_its_stack
            and cls._stream is ours._stream
            and cls._generate is ours._generate
        )

    @override
    def _should_stream(
        self,
        *,
        async_api: bool,
        run_manager: CallbackManagerForLLMRun
        | AsyncCallbackManagerForLLMRun
        | None = None,
        **kwargs: Any,
    ) -> bool:
        """Say whether a call takes the streaming hooks.

        `stream` asks without a run manager, `invoke` with one (seen in langchain-core
        1.7.2). An `invoke` to which nobody listens token by token takes the hooks that
        can start afresh at any time.
        """
        if self.on_interrupt != "raise":
            heard_by.set(run_manager)
        if run_manager is None:
            if self.require_streaming and self._streaming_disabled(**kwargs):
                msg = "`require_streaming` is on, but streaming is disabled"
                raise StreamingUnavailable(msg)
            return super()._should_stream(async_api=async_api, **kwargs)
        heard = bool(run_manager.handlers) and wants_tokens(run_manager)
        wanted = self.streaming is True or heard
        return wanted and super()._should_stream(
            async_api=async_api, run_manager=run_manager, **kwargs
        )

    @override
    def _should_use_protocol_streaming(
        self,
        *,
        async_api: bool,
        run_manager: CallbackManagerForLLMRun
        | AsyncCallbackManagerForLLMRun
        | None = None,
        **kwargs: Any,
    ) -> bool:
        """Say whether an `invoke` makes protocol events; only for those who listen."""
        if run_manager is not None and not (
            run_manager.handlers and wants_tokens(run_manager)
        ):
            return False
        return super()._should_use_protocol_streaming(
            async_api=async_api, run_manager=run_manager, **kwargs
        )

    @property
    def _factory(self) -> "CallFactory":
        """What the fields amount to, made anew when one of them has changed."""
        private = self.__pydantic_private__ or {}  # a tenth of getattr's price
        known: CallFactory | None = private.get("_known_factory")
        if known is None:
            from langchain_reliable.chat_models import _call_factory  # noqa: PLC0415 - see model_post_init

            known = private["_known_factory"] = _call_factory.CallFactory(self)
        return known

    @override
    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, _checked(name, value))
        if name in type(self).__pydantic_fields__:
            super().__setattr__("_known_factory", None)

    @override
    def model_copy(
        self, *, update: Mapping[str, Any] | None = None, deep: bool = False
    ) -> Self:
        given = {name: _checked(name, value) for name, value in (update or {}).items()}
        copy = super().model_copy(update=given, deep=deep)
        copy._known_factory = None
        return copy

    def _execution(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        kwargs: dict[str, Any],
        run_manager: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None,
        streams: Literal["stream", "astream"] | None = None,
    ) -> "Execution":
        clock = (self.__pydantic_private__ or {})["_clock"]
        traced = kwargs.pop(TRACED, None)
        # A stream's hook gets a run manager where LangChain makes events of chunks.
        as_events = streams is not None and run_manager is not None
        execution = self._factory.execution(
            messages, stop, kwargs, clock, streams, as_events=as_events
        )
        if traced is None and run_manager is not None and run_manager.handlers:
            traced = traced_run(run_manager)
        execution.traced = traced
        return execution

    # --- for people ---------------------------------------------------------------

    def check(self, timeout: float = 30.0) -> "CheckReport":
        """Ask each candidate for one short answer, and report who works.

        Each is asked once, side by side and as it is: without retries, and whatever
        its health. It costs a few tokens per candidate. Print the report, or look at it
        in a notebook; `report.ok` says whether all work.

        Args:
            timeout: Seconds that each may take.
        """
        from langchain_reliable.chat_models._check import check  # noqa: PLC0415 - seldom used

        return check(self, timeout)

    async def acheck(self, timeout: float = 30.0) -> "CheckReport":  # noqa: ASYNC109 - each candidate's own
        """Ask each candidate for one short answer; the twin of `check`."""
        from langchain_reliable.chat_models._check import acheck  # noqa: PLC0415 - as above

        return await acheck(self, timeout)

    def explain(self, surface: Literal["stream", "invoke"] = "stream") -> "Explanation":
        """Say what this model would do in trouble, without asking anybody.

        The rules that make calls are run over scripted failures of the candidate that
        is asked first, and of all, on a clock that is turned by hand; nothing is
        remembered. Print it, or take `.as_dict()`. Settings that cannot work are
        pointed at.

        Args:
            surface: How it would be asked.
        """
        from langchain_reliable.chat_models._explain.scenarios import (  # noqa: PLC0415 - seldom used
            explain,
        )

        return explain(self, self._factory, surface)

    def _repr_html_(self) -> str:
        from langchain_reliable.chat_models._html import shown  # noqa: PLC0415 - as above

        return shown(self)

    @property
    @override
    def _router(self) -> Router:
        known = (self.__pydantic_private__ or {}).get("_known_factory")
        return (known or self._factory).router

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(models=[{', '.join(map(_shown, self._entries))}])"
        )

    __str__ = __repr__


def _reported(
    chunks: Generator[ChatGenerationChunk], run_manager: CallbackManagerForLLMRun
) -> Iterator[ChatGenerationChunk]:
    """Tell a run manager of each chunk, as partner packages do if they get one."""
    with closing(chunks):
        for chunk in chunks:
            run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk


async def _areported(
    chunks: AsyncGenerator[ChatGenerationChunk],
    run_manager: AsyncCallbackManagerForLLMRun,
) -> AsyncIterator[ChatGenerationChunk]:
    """Tell a run manager of each chunk; the twin of `_reported`."""
    async with aclosing(chunks):
        async for chunk in chunks:
            await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk


def _taken(run_manager: "BaseRunManager | None") -> "BaseRunManager | None":
    """Return the run that hears a hook's chunks, if that can take them back.

    A hook that gets a run manager makes protocol events, which can't.
    """
    run = heard_by.get()
    heard_by.set(None)
    return run if run_manager is None else None


def _shown(item: Candidate | Group) -> str:
    names = [
        plain_name(one.name or own_model(one) or type(bare_model(one)).__name__)
        for one in members_of(item)
    ]
    return f"[{', '.join(names)}]" if isinstance(item, Group) else names[0]


def _checked(name: str, value: Any) -> Any:
    """Return a field's value as it is taken at construction; others as they are.

    It is checked on a model without anything else: a subclass may set a field in a
    validator, and what it validates would then have no end.
    """
    fields = ReliableChatModel.__pydantic_fields__
    if name not in fields.keys() - BaseChatModel.model_fields:
        return value
    scratch = ReliableChatModel.model_construct(models=())
    scratch.__pydantic_validator__.validate_assignment(scratch, name, value)
    return scratch.__dict__[name]
