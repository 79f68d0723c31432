"""A chat model that follows a script: failures and answers without a wire.

It carries out the steps that `_turns.py` makes of its script.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import reduce
from operator import add
from typing import Annotated, Any

from langchain_core.callbacks import (
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    message_chunk_to_message,
)
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field, GetPydanticSchema, InstanceOf, SkipValidation
from pydantic_core import CoreSchema, core_schema

from langchain_reliable.testing._answers import Answer
from langchain_reliable.testing._record import (
    Binding,
    RealTime,
    ScriptedRequest,
    ScriptRecord,
    Timepiece,
)
from langchain_reliable.testing._signals import Gate
from langchain_reliable.testing._turns import (
    PROVIDER,
    Pause,
    ScriptEntry,
    Speaker,
    Step,
    Turn,
)


def _script_schema(_source: Any, _handler: Any) -> CoreSchema:
    return core_schema.no_info_plain_validator_function(_script)


def _script(given: Any) -> tuple[ScriptEntry, ...]:
    entries = given if isinstance(given, (list, tuple)) else (given,)
    return tuple(map(_checked, entries))


def _checked(entry: Any) -> ScriptEntry:
    is_error = isinstance(entry, type) and issubclass(entry, BaseException)
    if is_error or isinstance(entry, (str, Answer, Turn, BaseException)):
        return entry  # type: ignore[no-any-return]  # just told apart
    raise ValueError(
        f"a script holds texts, says(...), fails(...), stalls(...), streams(...) and "
        f"errors, not {entry!r}"
    )


class ScriptedChatModel(BaseChatModel):
    """A chat model that does what its script says, one entry per request.

    The last entry repeats, and an empty script answers every request healthily.
    Copies of a model (`model_copy`, LangChain's configurable fields, a rebuild from
    its fields) follow the same script together and share one record.

    Example:
        ```python
        model = ScriptedChatModel(
            model="primary",
            script=[fails(ConnectionError("reset"), after=2), says("hello")],
        )
        ```
    """

    model: str = "scripted"
    """Name under which it answers."""
    script: Annotated[Sequence[ScriptEntry], GetPydanticSchema(_script_schema)] = ()
    """Texts, answers (`says`), turns (`fails`, `stalls`, `streams`) and errors."""
    provider: str = PROVIDER
    """What it says under `model_provider`."""
    marks_last: bool = True
    """Whether a stream's last chunk says so, as some partner packages do."""
    message_ids: bool = False
    """Whether its messages carry an id of their own, one per request."""
    clock: Annotated[Timepiece, SkipValidation] = Field(
        default_factory=RealTime, exclude=True, repr=False
    )
    """Lets delays and pauses pass; give a fake one to tests."""
    record: InstanceOf[ScriptRecord] = Field(
        default_factory=ScriptRecord, exclude=True, repr=False
    )
    """What happened so far; shared by all copies."""

    @property
    def requests(self) -> tuple[ScriptedRequest, ...]:
        """What it was asked, by all its copies, in order."""
        return tuple(self.record.requests)

    @property
    def request_count(self) -> int:
        """How many requests it got, in all its copies."""
        return len(self.record.requests)

    @property
    def bindings(self) -> tuple[Binding, ...]:
        """What `bind_tools` was called with, in order."""
        return tuple(self.record.bindings)

    @property
    def opened_streams(self) -> int:
        """How many streams have begun."""
        return self.record.opened

    @property
    def open_streams(self) -> int:
        """How many of them have been neither exhausted nor closed."""
        return self.record.opened - self.record.closed

    @property
    def _llm_type(self) -> str:
        return "scripted-chat-model"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model}

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | dict[str, Any] | bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Note the tools and bind them in OpenAI's format."""
        if tool_choice is not None:
            kwargs["tool_choice"] = tool_choice
        self.record.bindings.append(Binding(tools=tuple(tools), kwargs=dict(kwargs)))
        return self.bind(tools=[convert_to_openai_tool(t) for t in tools], **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> ChatResult:
        steps = self._begin(messages, stop, kwargs, streaming=False)
        chunks = [chunk for step in steps if (chunk := self._carry_out(step))]
        return self._result(chunks, kwargs)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> ChatResult:
        steps = self._begin(messages, stop, kwargs, streaming=False)
        chunks = [chunk for step in steps if (chunk := await self._acarry_out(step))]
        return self._result(chunks, kwargs)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        steps = self._begin(messages, stop, kwargs, streaming=True)
        with self.record.stream():
            for step in steps:
                if (chunk := self._carry_out(step)) is None:
                    continue
                if run_manager:
                    run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        steps = self._begin(messages, stop, kwargs, streaming=True)
        with self.record.stream():
            for step in steps:
                if (chunk := await self._acarry_out(step)) is None:
                    continue
                if run_manager:
                    await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    def _begin(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        kwargs: dict[str, Any],
        *,
        streaming: bool,
    ) -> Iterator[Step]:
        request = ScriptedRequest(
            model=self.model,
            messages=tuple(messages),
            stop=tuple(stop) if stop is not None else None,
            kwargs=dict(kwargs),
            streaming=streaming,
        )
        place = self.record.ask(request)
        speaker = Speaker(
            model=kwargs.get("model", self.model),
            provider=self.provider,
            stamp=str(place + 1),
            message_id=f"msg_{self.model}_{place + 1}" if self.message_ids else None,
            marks_last=self.marks_last,
        )
        return speaker.steps(self._entry(place))

    def _entry(self, place: int) -> ScriptEntry:
        if not self.script:
            return f"Hello from {self.model}."
        return self.script[min(place, len(self.script) - 1)]

    def _carry_out(self, step: Step) -> ChatGenerationChunk | None:
        match step:
            case Pause(seconds):
                self.clock.sleep_until(self.clock.now() + seconds)
            case Gate():
                step.wait()
        return _chunk_or_raise(step)

    async def _acarry_out(self, step: Step) -> ChatGenerationChunk | None:
        match step:
            case Pause(seconds):
                await self.clock.asleep_until(self.clock.now() + seconds)
            case Gate():
                await step.await_open()
        return _chunk_or_raise(step)

    def _result(
        self, chunks: list[ChatGenerationChunk], kwargs: dict[str, Any]
    ) -> ChatResult:
        whole = reduce(add, chunks) if chunks else _nothing()
        generation = ChatGeneration(
            message=message_chunk_to_message(whole.message),
            generation_info=whole.generation_info,
        )
        name = kwargs.get("model", self.model)
        told = {"model_name": name, "model_provider": self.provider}
        return ChatResult(generations=[generation], llm_output=told)


def _chunk_or_raise(step: Step) -> ChatGenerationChunk | None:
    if isinstance(step, type):
        raise step
    if isinstance(step, BaseException):
        raise step
    return step if isinstance(step, ChatGenerationChunk) else None


def _nothing() -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(content=""))
