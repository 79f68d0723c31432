"""Which parts of a message say something, and what it says of its own end.

Both are read from one message or chunk at a time. Whether an answer as a whole is fit
to be handed out is judged in `_classify.answer`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.outputs import ChatGenerationChunk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatGeneration

_FINISH_KEYS = ("finish_reason", "stop_reason", "stopReason", "done_reason", "status")
"""Where families say why they stopped: OpenAI chat, Gemini, Groq and Mistral;
Anthropic; Bedrock Converse; Ollama; OpenAI responses."""

_UNFINISHED = frozenset({"in_progress", "queued"})
"""Values of `status` that are said on the way (OpenAI responses)."""

PROVIDER_BROKE = frozenset(
    {
        "error",  # OpenRouter, Cohere, Mistral
        "timeout",  # Cohere
        "network_error",  # Zhipu
        "insufficient_system_resource",  # DeepSeek
        "abort",  # vLLM, SGLang
        "failed",  # OpenAI responses
        "cancelled",  # the same
    }
)
"""Finish reasons that say that the provider broke in mid-answer."""

CALL_BROKE = frozenset(
    {
        # Gemini, in capitals on the wire; OpenRouter hands its word on beside its own
        "malformed_function_call",
        "unexpected_tool_call",
        "too_many_tool_calls",
        "malformed_response",
        # Bedrock
        "malformed_tool_use",
        "malformed_model_output",
    }
)
"""Finish reasons that say that the model's own tool call or answer broke."""

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
    or file do; a role, an id, usage, a signature or a blank string do not.
    """
    content = message.content
    if isinstance(content, str):
        if content and not content.isspace():
            return True
    elif any(map(_block_says_something, content)):
        return True
    return _calls_a_tool(message) or _extras_say_something(message.additional_kwargs)


def has_answer(message: BaseMessage) -> bool:
    """Return whether a message or chunk says anything beside reasoning."""
    content = message.content
    if isinstance(content, str):
        if content and not content.isspace():
            return True
    elif any(
        (isinstance(block, str) or str(block.get("type")) not in _REASONING)
        and _block_says_something(block)
        for block in content
    ):
        return True
    if _calls_a_tool(message):
        return True
    extras = message.additional_kwargs
    return bool(extras) and _extras_say_something(
        {key: value for key, value in extras.items() if key not in _REASONING}
    )


def finish_reason_of(generation: ChatGeneration) -> str | None:
    """Return why the model stopped, in lower case; `None` if it did not say."""
    info, metadata = generation.generation_info, generation.message.response_metadata
    return finish_among(info or {}, metadata) if info or metadata else None


class WholeAnswer(ChatGenerationChunk):
    """A whole answer as the only chunk of a stream, which so can't have been cut."""


def is_last(message: BaseMessage) -> bool:
    """Return whether a chunk is marked as the last of its stream."""
    return getattr(message, "chunk_position", None) == "last"


def finish_among(*sources: Mapping[str, Any]) -> str | None:
    """Return why the model stopped, by what is said of its answer."""
    if not any(sources):
        return None
    for source in sources:
        native = source.get("native_finish_reason")  # OpenRouter's "error" may hide it
        if isinstance(native, str) and native.lower() in CALL_BROKE:
            return native.lower()
    for key in _FINISH_KEYS:
        for source in sources:
            reason = source.get(key)
            if reason and isinstance(reason, str) and reason not in _UNFINISHED:
                if "incomplete_details" not in source:
                    return reason.lower()
                return _reason_of_incomplete(source) or reason.lower()
    for source in sources:
        if "prompt_feedback" in source and _is_blocked(source):
            return "prompt_blocked"
    return None


def _reason_of_incomplete(source: Mapping[str, Any]) -> str | None:
    """Return what stands behind the status `incomplete` (OpenAI responses)."""
    details = source.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    return reason if isinstance(reason, str) else None


def _is_blocked(source: Mapping[str, Any]) -> bool:
    """Return whether a filter kept the prompt from the model (Gemini).

    There is no candidate then, so no finish reason either.
    """
    feedback = source.get("prompt_feedback")
    reason = feedback.get("block_reason") if isinstance(feedback, dict) else None
    return bool(reason) and not str(reason).endswith("UNSPECIFIED")


def _block_says_something(block: str | dict[str, Any]) -> bool:
    if isinstance(block, str):
        return bool(block.strip())
    keys = _WORDS_OF_BLOCK.get(str(block.get("type")))
    return keys is None or any(_is_said(block.get(key)) for key in keys)


def _is_said(words: object) -> bool:
    return bool(words.strip() if isinstance(words, str) else words)


def _calls_a_tool(message: BaseMessage) -> bool:
    if chunks := getattr(message, "tool_call_chunks", None):
        return any(chunk.get("name") or chunk.get("args") for chunk in chunks)
    calls = getattr(message, "tool_calls", None)
    return bool(calls or getattr(message, "invalid_tool_calls", None))


def _extras_say_something(extras: Mapping[str, Any]) -> bool:
    if not extras:
        return False
    if any(_is_said(extras.get(key)) for key in _WORDS_OF_EXTRAS):
        return True
    reasoning = extras.get("reasoning")
    return isinstance(reasoning, dict) and _block_says_something(
        {**reasoning, "type": "reasoning"}
    )
