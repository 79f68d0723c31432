"""Judges a finished answer: whether it may be handed out as one.

There is one judge for streams that are held, streams that are relayed, and answers in
one piece, so that what a provider says comes to the same on every surface. It looks at
an answer once, at its end. A stream's tool calls are read from their text and not from
the `tool_calls` of its chunks: LangChain completes JSON that was cut, and a tool would
run with half its arguments.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from langchain_core.messages import AIMessage, message_chunk_to_message
from langchain_core.messages.tool import invalid_tool_call, tool_call
from langchain_core.outputs.chat_generation import merge_chat_generation_chunks

from langchain_reliable._core.user_errors import mark_user_errors
from langchain_reliable._runtime.payload import (
    CALL_BROKE,
    PROVIDER_BROKE,
    finish_among,
    has_answer,
    has_payload,
)
from langchain_reliable.errors import (
    BrokenToolCall,
    EmptyAnswer,
    FilteredAnswer,
    FinishedWithError,
    IncompleteStream,
    NotAccepted,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import TypeGuard

    from langchain_core.messages import (
        AIMessageChunk,
        BaseMessage,
        InvalidToolCall,
        ToolCallChunk,
    )
    from langchain_core.outputs import (
        ChatGeneration,
        ChatGenerationChunk,
        ChatResult,
    )

    from langchain_reliable.errors import AnswerRejected

_FILTERED: Final = frozenset(
    {
        "content_filter",  # OpenAI chat and responses, Azure
        "refusal",  # Anthropic
        # Gemini, in capitals on the wire
        "safety",
        "recitation",
        "blocklist",
        "prohibited_content",
        "spii",
        "image_safety",
        "image_prohibited_content",
        "image_recitation",
        "model_armor",
        # Bedrock
        "guardrail_intervened",
        "content_filtered",
        # Cohere, Zhipu
        "error_toxic",
        "sensitive",
        "prompt_blocked",  # as we call it
    }
)
"""Finish reasons of a filter, or of a model that declines."""

_CUT: Final = frozenset(
    {
        "length",  # OpenAI chat, and most who speak like it
        "incomplete",  # OpenAI responses, where it gives no reason
        "max_output_tokens",
        "max_tokens",  # Anthropic, Gemini, Bedrock, Cohere
        "model_context_window_exceeded",
        "model_length",  # Mistral
    }
)
"""Finish reasons of an output limit."""

_CUT_OFF: Final = _FILTERED | _CUT
"""Finish reasons of an answer that was not told to its end. Without a word, it is an
answer all the same."""

_SEND_TEXT: Final = frozenset(
    {"openai", "azure", "groq", "mistralai", "deepseek", "xai", "fireworks"}
)
"""Providers, by their `model_provider`, whose arguments are text even where LangChain
shows them read. Of all others a mapping may have been completed after it was cut."""

_NO_FINISH: Final = "was cut: no finish reason (or require_finish_reason=False)"
_BROKEN: Final = "the arguments of a tool call are cut or broken"


class AnswerJudge(NamedTuple):
    """Says what is wrong with a finished answer.

    Attributes:
        accepts_empty: Whether one that says nothing is an answer.
        passes_filtered_on: Whether one that a filter ended is a failure.
        accept: The user's own word on an answer that is whole.
    """

    accepts_empty: bool = False
    passes_filtered_on: bool = False
    accept: Callable[[AIMessage], bool | str | None] | None = None

    def refusal(self, message: BaseMessage, *parsed: object) -> NotAccepted | None:
        """Return that the user's `accept` says no; `None` if it does not.

        It hears a copy, so that looking at an answer can't change it.

        Args:
            message: The answer.
            parsed: What its form has read, where it was asked for in one.

        Raises:
            Exception: What `accept` raised, marked as the user's own; a `ValueError` is
                a no, as in pydantic's validators.
        """
        if self.accept is None:
            return None
        update = (
            {"additional_kwargs": {**message.additional_kwargs, "parsed": parsed[0]}}
            if parsed
            else None
        )
        heard = cast("AIMessage", message.model_copy(update=update))
        with mark_user_errors():
            try:
                said = self.accept(heard)
            except ValueError as error:  # its text may hold what the model said
                refused = NotAccepted(f"accept raised {type(error).__name__}", heard)
                refused.__cause__ = error
                return refused
            if said is not None and not isinstance(said, (bool, str)):
                kind = type(said).__name__
                msg = f"accept returns True, False, a reason or None; got {kind}"
                raise TypeError(msg)
        if said is None or said is True:
            return None
        return NotAccepted(said or "", heard)

    def fault_of_stream(
        self,
        chunks: Sequence[ChatGenerationChunk],
        finish: str | None,
        *,
        expects_finish: bool = False,
        shown: bool = False,
        answer: object = None,
    ) -> AnswerRejected | None:
        """Return what is wrong with a stream that has ended; `None` if nothing is.

        Args:
            chunks: All that came.
            finish: Why the model stopped, if it said so.
            expects_finish: Whether one that does not say so was cut.
            shown: Whether the caller has it already; then what would run a tool counts
                before all else.
            answer: What to return of an empty one if nobody says more.
        """
        if finish is None and expects_finish:
            return IncompleteStream(_NO_FINISH)
        if finish in PROVIDER_BROKE:
            return FinishedWithError(finish)
        pieces = _pieces_of(chunks)
        filtered = self.passes_filtered_on and finish in _FILTERED
        if (pieces or finish in CALL_BROKE) and (shown or not filtered):
            what = _what_broke(_calls_of(pieces), finish, chunks)
            if what is not None:
                return BrokenToolCall(what, merged(chunks, finish), cut=finish in _CUT)
        if filtered:
            return FilteredAnswer(cast("str", finish), merged(chunks, finish))
        if finish in _CUT_OFF or _says(reversed(chunks)):
            return None
        return self._silence_of(chunks, finish, answer)

    def _silence_of(
        self,
        chunks: Sequence[ChatGenerationChunk],
        finish: str | None,
        answer: object,
    ) -> AnswerRejected | None:
        """Return what a stream is that says nothing, or nothing but its reasoning."""
        if finish is not None:
            return None if self.accepts_empty else EmptyAnswer(answer)
        reasoned = any(has_payload(one.message) for one in chunks)
        return None if self.accepts_empty and reasoned else IncompleteStream()

    def fault_of_result(
        self, result: ChatResult, *, expects_finish: bool = False
    ) -> AnswerRejected | None:
        """Return what is wrong with an answer in one piece; `None` if nothing is.

        Args:
            result: The answer.
            expects_finish: Whether it was made of a stream that says why it ends.
        """
        if not result.generations:
            return IncompleteStream("ended without an answer")
        finish = _finish_of(result)
        if finish in PROVIDER_BROKE or (finish is None and expects_finish):
            return FinishedWithError(finish) if finish else IncompleteStream(_NO_FINISH)
        if self.passes_filtered_on and finish in _FILTERED:
            message = cast("AIMessage", result.generations[0].message)
            return FilteredAnswer(finish, message)
        if finish in _CUT_OFF or finish in CALL_BROKE or _has_invalid_calls(result):
            fault = _broken_call_of(result, finish)
            if fault is not None:
                return fault
        if self.accepts_empty or finish in _CUT_OFF or _says(result.generations):
            return None
        return EmptyAnswer(result)


def _says(parts: Iterable[ChatGeneration]) -> bool:
    """Return whether an answer says anything beside reasoning."""
    for one in parts:  # noqa: SIM110 - a generator's frames cost as much again
        if has_answer(one.message):
            return True
    return False


def _ended(finish: str | None) -> str:
    return f'the provider ended the answer with finish reason "{finish}"'


# --- answers in one piece ---------------------------------------------------------


def _finish_of(result: ChatResult) -> str | None:
    shared = result.llm_output or {}
    for one in result.generations:
        info, metadata = one.generation_info or {}, one.message.response_metadata
        if not (info or shared or metadata):
            continue
        if (finish := finish_among(info, shared, metadata)) is not None:
            return finish
    return None


def _has_invalid_calls(result: ChatResult) -> bool:
    for one in result.generations:
        if getattr(one.message, "invalid_tool_calls", None):
            return True
    return False


def _broken_call_of(result: ChatResult, finish: str | None) -> BrokenToolCall | None:
    """Return what is wrong with the tool calls of an answer, if something is."""
    if finish in CALL_BROKE:
        message = cast("AIMessage", result.generations[0].message)
        return BrokenToolCall(_ended(finish), message)
    for one in result.generations:
        message = cast("AIMessage", one.message)
        if finish in _CUT_OFF:
            message = _without_cut_call(message, result)
        if any(map(_has_arguments, getattr(message, "invalid_tool_calls", ()))):
            return BrokenToolCall(_BROKEN, message, cut=finish in _CUT)
    return None


def _without_cut_call(message: AIMessage, result: ChatResult) -> AIMessage:
    """Return a message whose last call is invalid unless it can be seen to be whole."""
    calls = getattr(message, "tool_calls", ())
    if not calls or message.invalid_tool_calls:
        return message
    shared, last = result.llm_output or {}, calls[-1]
    provider = message.response_metadata.get("model_provider")
    if _shows_its_end(last["args"], provider or shared.get("model_provider")):
        return message
    args = json.dumps(last["args"], default=str)
    broken = invalid_tool_call(
        name=last["name"], args=args, id=last["id"], error=_BROKEN
    )
    update = {"tool_calls": calls[:-1], "invalid_tool_calls": [broken]}
    return message.model_copy(update=update)


def _has_arguments(call: InvalidToolCall) -> bool:
    """Return whether a call that LangChain can't read has any: a blank is none."""
    return call["args"] is None or bool(call["args"].strip())


# --- streams ----------------------------------------------------------------------


@dataclass(slots=True)
class _Call:
    """A tool call, put together from its pieces as LangChain does it.

    Attributes:
        index: Which call of its answer it is; `None` for a piece that stays by itself.
        id: Its id, once known.
        texts: Its arguments so far.
        at_once: Whether name and arguments came in one piece, as a mapping does.
    """

    index: object
    id: str | None
    texts: list[str]
    at_once: bool

    @property
    def text(self) -> str:
        """All of its arguments."""
        return "".join(self.texts).strip()

    def takes(self, piece: ToolCallChunk) -> bool:
        """Return whether a piece belongs to this call, and take it in if so."""
        theirs = piece.get("id")
        if self.index is None or self.index != piece.get("index"):
            return False
        if theirs and self.id and theirs != self.id:
            return False
        self.id = self.id or theirs
        if args := piece.get("args"):
            self.at_once = False
            self.texts.append(args)
        return True


def _calls_of(pieces: Sequence[ToolCallChunk]) -> list[_Call]:
    """Return the tool calls of a stream."""
    calls: list[_Call] = []
    for piece in pieces:
        if not any(call.takes(piece) for call in calls):
            args, index = piece.get("args") or "", piece.get("index")
            joins = isinstance(index, int) or str(index).startswith("lc_")
            at_once = bool(args and piece.get("name"))
            calls.append(
                _Call(index if joins else None, piece.get("id"), [args], at_once)
            )
    return calls


def _pieces_of(chunks: Sequence[ChatGenerationChunk]) -> list[ToolCallChunk]:
    try:
        return [
            piece
            for chunk in chunks
            for piece in chunk.message.tool_call_chunks  # type: ignore[attr-defined] # its
        ]
    except AttributeError:  # a message that is not an assistant's
        messages = [chunk.message for chunk in chunks]
        return [
            piece for one in messages for piece in getattr(one, "tool_call_chunks", ())
        ]


def _what_broke(
    calls: Sequence[_Call], finish: str | None, chunks: Sequence[ChatGenerationChunk]
) -> str | None:
    """Say what is wrong with the tool calls of a stream, if something is."""
    if finish in CALL_BROKE:
        return _ended(finish)
    if any(_read(call.text) is None for call in calls):
        return _BROKEN
    return _BROKEN if _is_cut(calls[-1], finish, chunks) else None


def _read(text: str) -> dict[str, Any] | None:
    """Return arguments; `None` where their text is neither empty nor an object."""
    if not (text := text.strip()):
        return {}
    try:
        args = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None
    return args if isinstance(args, dict) else None


def _is_cut(
    call: _Call, finish: str | None, chunks: Sequence[ChatGenerationChunk]
) -> bool:
    """Return whether nobody can see that the last call of a cut answer is whole."""
    if finish not in _CUT_OFF:
        return False
    args = _read(call.text)
    if args and not call.at_once:
        return False  # text that came in pieces, and ended
    return not _shows_its_end(args, _provider_of(chunks))


def _shows_its_end(args: dict[str, Any] | None, provider: object) -> bool:
    """Return whether arguments that came at once are known to be whole.

    Text that was read to its end is. A mapping may have been completed by whoever made
    it, no arguments may be none yet, and OpenAI's free-form input shows no end.
    """
    return provider in _SEND_TEXT and set(args or ()) not in (set(), {"__arg1"})


def _provider_of(chunks: Sequence[ChatGenerationChunk]) -> object:
    sources = (
        source
        for one in chunks
        for source in (one.message.response_metadata, one.generation_info or {})
    )
    told = (source.get("model_provider") for source in sources)
    return next(filter(None, told), None)


def merged(
    chunks: Sequence[ChatGenerationChunk], finish: str | None = None
) -> AIMessage:
    """Return what came of a stream as a message in which no broken call can be run.

    Args:
        chunks: All that came.
        finish: Why the model stopped, if it said so.
    """
    whole = merge_chat_generation_chunks(list(chunks))
    message = whole and message_chunk_to_message(whole.message)
    if whole is None or not isinstance(message, AIMessage):
        return AIMessage(content="")
    if not (calls := _calls_of(_pieces_of(chunks))):
        return message
    pieces = [*cast("AIMessageChunk", whole.message).tool_call_chunks]
    last = pieces.pop() if _is_cut(calls[-1], finish, chunks) else None
    message.tool_calls = [
        tool_call(name=one["name"] or "", args=args, id=one["id"])
        for one in pieces
        if (args := _read(one["args"] or "")) is not None
    ]
    broken = [one for one in pieces if _read(one["args"] or "") is None]
    message.invalid_tool_calls = [
        invalid_tool_call(
            name=one["name"], args=one["args"], id=one["id"], error=_BROKEN
        )
        for one in (*broken, *((last,) if last else ()))
    ]
    _mend_blocks(message)
    return message


def _mend_blocks(message: AIMessage) -> None:
    """Put broken calls into the content too, where LangChain has put them as whole."""
    invalid = {one["id"]: one for one in message.invalid_tool_calls}
    if isinstance(message.content, list):
        message.content = [
            cast("dict[str, Any]", invalid[block.get("id")])
            if _is_call(block) and block.get("id") in invalid
            else block
            for block in message.content
        ]


def _is_call(block: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(block, dict) and block.get("type") in (
        "tool_call",
        "tool_call_chunk",
    )
