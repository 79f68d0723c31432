"""What a scripted model does with one request, step by step.

Answers become LangChain chunks here. A step only says what happens: the model, which
knows whether it is in a thread or in an event loop, carries it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk

from langchain_reliable.testing._answers import (
    Answer,
    CallArguments,
    CallStart,
    Refusal,
    Text,
    Thought,
    says,
)
from langchain_reliable.testing._signals import Gate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_core.messages import UsageMetadata

    from langchain_reliable.testing._answers import Fragment, Usage

PROVIDER = "scripted"
_LONG = says("one two three four five six seven eight")


@dataclass(frozen=True, slots=True)
class Pause:
    """Let the model's clock pass `seconds`."""

    seconds: float


Step: TypeAlias = (
    ChatGenerationChunk | AIMessageChunk | BaseException | type[BaseException]
) | (Gate | Pause | str)


@dataclass(frozen=True, slots=True)
class Turn:
    """What happens at one request; build it with `fails`, `stalls` or `streams`."""

    answer: Answer | None = None
    after: int | None = None
    then: tuple[Step, ...] = ()


ScriptEntry: TypeAlias = Turn | Answer | str | BaseException | type[BaseException]
"""An entry of a script: what a model does with one request."""


def fails(
    error: BaseException | type[BaseException],
    answer: Answer | str = _LONG,
    /,
    *,
    after: int = 0,
) -> Turn:
    """Return a turn that raises `error` once `after` pieces of `answer` were told.

    A given instance is raised as it is, each time; a class gives a new one for each
    request. `silent` chunks of the answer come first, also with `after=0`.
    """
    return _broken(answer, after, error)


def stalls(
    gate: Gate | float, answer: Answer | str = _LONG, /, *, after: int = 0
) -> Turn:
    """Return a turn that falls silent once `after` pieces of `answer` were told.

    It stays silent until the `gate` opens, or for that many seconds of the model's
    clock, and then tells the rest.
    """
    told = says(answer) if isinstance(answer, str) else answer
    _check(told, after)
    return Turn(told, after, (Pause(gate) if isinstance(gate, (int, float)) else gate,))


def streams(*steps: Step) -> Turn:
    """Return a turn made by hand.

    Args:
        steps: Texts, chunks, errors (raised when their turn comes), gates (waited
            at) and pauses, in order. No finish reason, usage or last position is
            added.
    """
    return Turn(then=steps)


def metadata_chunks(count: int = 1) -> tuple[AIMessageChunk, ...]:
    """Return `count` chunks without anything a user could see, for `streams`."""
    return tuple(AIMessageChunk(content="") for _ in range(count))


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """How one model puts its name to the chunks of one request.

    Attributes:
        model: The model name that the answer reports.
        stamp: What makes this request's ids unique.
        provider: What the answer says under `model_provider`.
        message_id: Id of the message, if the model sends one.
        marks_last: Whether the closing chunk says that it is the last.
    """

    model: str
    stamp: str
    provider: str = PROVIDER
    message_id: str | None = None
    marks_last: bool = True

    def steps(self, entry: ScriptEntry) -> Iterator[Step]:
        """Yield what happens, in order."""
        match entry:
            case str():
                yield from self._told(says(entry))
            case Answer():
                yield from self._told(entry)
            case Turn(answer, after, then) if answer is not None:
                yield from self._told(answer, after, then)
            case Turn(then=steps):
                yield from map(self._dressed, steps)
            case BaseException() | type():
                yield entry
            case _:
                assert_never(entry)

    def _told(
        self, answer: Answer, after: int | None = None, then: tuple[Step, ...] = ()
    ) -> Iterator[Step]:
        if answer.delay:
            yield Pause(answer.delay)
        yield from (self._chunk() for _ in range(answer.silent))
        fragments = answer.fragments(self.stamp)
        for told, fragment in enumerate(fragments):
            yield from then if told == after else ()
            yield from _waits(answer, told)
            yield self._piece(fragment)
        yield from then if after == len(fragments) else ()
        yield from _waits(answer, len(fragments), pause=False)
        if answer.finish is not None:
            yield self._closing(answer.finish, answer.usage)

    def _piece(self, fragment: Fragment) -> ChatGenerationChunk:
        match fragment:
            case Text(text):
                return self._chunk(content=text)
            case Thought(text):
                return self._chunk(additional_kwargs={"reasoning_content": text})
            case Refusal(text):
                return self._chunk(additional_kwargs={"refusal": text})
            case CallStart(index, id_, name):
                call = tool_call_chunk(name=name, args="", id=id_, index=index)
                return self._chunk(tool_call_chunks=[call])
            case CallArguments(index, text):
                call = tool_call_chunk(args=text, index=index)
                return self._chunk(tool_call_chunks=[call])

    def _closing(self, finish: str, usage: Usage | None) -> ChatGenerationChunk:
        chunk = self._chunk(usage_metadata=_usage_metadata(usage))
        chunk.generation_info = {"finish_reason": finish, "model_name": self.model}
        if self.marks_last and isinstance(chunk.message, AIMessageChunk):
            chunk.message.chunk_position = "last"
        return chunk

    def _chunk(self, *, content: str = "", **fields: Any) -> ChatGenerationChunk:
        return ChatGenerationChunk(
            message=AIMessageChunk(
                content=content,
                id=self.message_id,
                response_metadata={"model_provider": self.provider},
                **fields,
            )
        )

    def _dressed(self, step: Step) -> Step:
        if isinstance(step, str):
            return self._chunk(content=step)
        if isinstance(step, AIMessageChunk):  # a copy: LangChain writes into chunks
            return ChatGenerationChunk(message=step.model_copy(deep=True))
        return step


def _broken(
    answer: Answer | str, after: int, error: BaseException | type[BaseException]
) -> Turn:
    told = says(answer) if isinstance(answer, str) else answer
    _check(told, after)
    return Turn(told, after, (error,))


def _check(answer: Answer, after: int) -> None:
    pieces = len(answer.fragments(""))
    if not 0 <= after <= pieces:
        raise ValueError(f"after={after}, but the answer has {pieces} pieces")


def _waits(answer: Answer, told: int, *, pause: bool = True) -> Sequence[Step]:
    gate = answer.gates.get(told)
    pauses = (Pause(answer.pause),) if pause and answer.pause else ()
    return (*((gate,) if gate else ()), *pauses)


def _usage_metadata(usage: Usage | None) -> UsageMetadata | None:
    if usage is None:
        return None
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
