"""What counts as a word: which parts of a message say something to the caller.

Telling an effective payload from metadata, and a finished answer from a cut one,
lives here. Opening, holding or relaying a stream never does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_reliable.errors import EmptyAnswer, FinishedWithError, IncompleteStream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatGeneration

_FINISH_KEYS = ("finish_reason", "stop_reason", "stopReason", "done_reason", "status")
"""Where families say why they stopped: OpenAI chat, Gemini, Groq and Mistral;
Anthropic; Bedrock Converse; Ollama; OpenAI responses."""

_UNFINISHED = frozenset({"in_progress", "queued"})
"""Values of `status` that are said on the way (OpenAI responses)."""

_ENDS_WITHOUT_WORDS = frozenset(
    {
        # OpenAI chat, Azure; OpenAI responses; Anthropic
        "content_filter",
        "length",
        "incomplete",
        "refusal",
        "max_tokens",
        "model_context_window_exceeded",
        # Gemini, in capitals on the wire
        "safety",
        "recitation",
        "blocklist",
        "prohibited_content",
        "spii",
        "image_safety",
        # Bedrock
        "guardrail_intervened",
        "content_filtered",
        "prompt_blocked",  # as we call it
    }
)
"""Finish reasons with which an answer without a word is an answer all the same."""

_WORDS_OF_BLOCK = {
    "text": ("text",),
    "thinking": ("thinking",),
    "reasoning": ("reasoning", "text", "summary", "content"),
    "reasoning_content": ("reasoning_content",),
    "redacted_thinking": (),
    "refusal": ("refusal",),
    "tool_call_chunk": ("name", "args"),
    "input_json_delta": ("partial_json",),
    "function_call": ("name", "arguments"),
    "compaction": (),
}
"""Block types that come empty as well, and where their words stand. A block of any
other type (image, audio, file, a built-in tool's call or result) says something by
being there."""

_REASONING = frozenset({"thinking", "reasoning", "reasoning_content"})
"""Block types, and entries of `additional_kwargs`, that hold reasoning."""

_WORDS_OF_EXTRAS = ("refusal", "reasoning_content", "function_call", "audio", "parsed")
"""Entries of `additional_kwargs` in which partner packages put what was said."""


def has_payload(message: BaseMessage) -> bool:
    """Return whether a message or chunk holds an effective payload.

    Text, reasoning, a tool call with a name or arguments, a refusal, an image, audio
    or file do; a role, an id, usage, a signature or an empty string do not.
    """
    content = message.content
    if isinstance(content, str):
        if content:
            return True
    elif any(map(_block_says_something, content)):
        return True
    return _calls_a_tool(message) or _extras_say_something(message.additional_kwargs)


def is_reasoning_only(message: BaseMessage) -> bool:
    """Return whether all that a message says is reasoning."""
    content = message.content
    if isinstance(content, str):
        speaks = bool(content)
    else:
        spoken = [block for block in content if _block_says_something(block)]
        speaks = any(_type_of(block) not in _REASONING for block in spoken)
    extras = {
        key: value
        for key, value in message.additional_kwargs.items()
        if key not in _REASONING
    }
    return not (speaks or _calls_a_tool(message) or _extras_say_something(extras))


def finish_reason_of(generation: ChatGeneration) -> str | None:
    """Return why the model stopped, in lower case; `None` if it did not say."""
    info, metadata = generation.generation_info, generation.message.response_metadata
    return finish_among(info or {}, metadata) if info or metadata else None


def finish_among(*sources: Mapping[str, Any]) -> str | None:
    """Return why the model stopped, by what is said of its answer."""
    if not any(sources):
        return None
    for key in _FINISH_KEYS:
        for source in sources:
            reason = source.get(key)
            if reason and isinstance(reason, str) and reason not in _UNFINISHED:
                return reason.lower()
    return "prompt_blocked" if any(map(_is_blocked, sources)) else None


def _is_blocked(source: Mapping[str, Any]) -> bool:
    """Return whether a filter kept the prompt from the model (Gemini).

    There is no candidate then, so no finish reason either.
    """
    feedback = source.get("prompt_feedback")
    reason = feedback.get("block_reason") if isinstance(feedback, dict) else None
    return bool(reason) and not str(reason).endswith("UNSPECIFIED")


def may_be_empty(finish: str) -> bool:
    """Return whether silence is a valid answer with this finish reason."""
    return finish in _ENDS_WITHOUT_WORDS


def _type_of(block: str | dict[str, Any]) -> str | None:
    return "text" if isinstance(block, str) else str(block.get("type"))


def _block_says_something(block: str | dict[str, Any]) -> bool:
    if isinstance(block, str):
        return bool(block)
    keys = _WORDS_OF_BLOCK.get(str(block.get("type")))
    return keys is None or any(block.get(key) for key in keys)


def _calls_a_tool(message: BaseMessage) -> bool:
    if chunks := getattr(message, "tool_call_chunks", None):
        return any(chunk.get("name") or chunk.get("args") for chunk in chunks)
    return bool(getattr(message, "tool_calls", None))


def _extras_say_something(extras: Mapping[str, Any]) -> bool:
    if not extras:
        return False
    if any(extras.get(key) for key in _WORDS_OF_EXTRAS):
        return True
    reasoning = extras.get("reasoning")
    return isinstance(reasoning, dict) and _block_says_something(
        {**reasoning, "type": "reasoning"}
    )


def check_finish(finish: str | None) -> None:
    """Raise if the finish reason itself tells of an error (OpenRouter)."""
    if finish == "error":
        raise FinishedWithError


def check_empty(finish: str | None, answer: object, *, accepted: bool) -> None:
    """Raise unless an answer without a word is accepted, or valid as it finished."""
    if finish is None:
        raise IncompleteStream
    if not accepted and not may_be_empty(finish):
        raise EmptyAnswer(answer)
