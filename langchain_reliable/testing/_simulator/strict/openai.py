"""What OpenAI's chat completions API refuses to read, in the words of the API."""

# ruff: noqa: SIM905 - a table of words reads best as words

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from langchain_reliable.testing._simulator.wire import dicts_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FIELDS: Final = frozenset(
    "model messages stream stream_options temperature top_p n stop seed user store "
    "metadata tools tool_choice parallel_tool_calls response_format max_tokens "
    "max_completion_tokens reasoning_effort verbosity modalities audio prediction "
    "logprobs top_logprobs logit_bias presence_penalty frequency_penalty service_tier "
    "functions function_call web_search_options prompt_cache_key "
    "prompt_cache_retention safety_identifier".split()
)
_BLOCKS: Final = {
    "text": "text prompt_cache_breakpoint",
    "image_url": "image_url prompt_cache_breakpoint",
    "input_audio": "input_audio",
    "file": "file prompt_cache_breakpoint",
    "refusal": "refusal",
}
"""Kinds of content blocks, and their fields besides `type`."""

_MAY_SAY: Final = {
    "developer": "text",
    "system": "text",
    "user": "text image_url input_audio file",
    "assistant": "text refusal",
    "tool": "text",
    "function": "text",
}
"""Roles, and the blocks that their messages may hold."""

_INSTEAD_OF_CONTENT: Final = {"tool_calls", "function_call", "refusal", "audio"}
"""Fields of an assistant's message that may take the place of its content."""

_LONGEST_ID: Final = 40
"""https://github.com/vercel/ai/issues/5171"""


def complaints_of_openai(body: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the API would say about `body`."""
    for name in body.keys() - _FIELDS:
        yield f"Unknown parameter: '{name}'."
    open_calls: set[str] = set()
    for at, message in enumerate(dicts_in(body.get("messages"))):
        yield from _about_message(message, at)
        if message.get("role") == "tool":
            yield from _about_result(message, at, open_calls)
        else:
            yield from _about_unanswered(open_calls)
            open_calls = {str(c.get("id")) for c in dicts_in(message.get("tool_calls"))}
            yield from _about_ids(sorted(open_calls), at)
    yield from _about_unanswered(open_calls)


def _about_message(message: Mapping[str, Any], at: int) -> Iterator[str]:
    role, content = str(message.get("role")), message.get("content")
    if role not in _MAY_SAY:
        yield f"Invalid value: '{role}' at messages[{at}].role."
    stands_in = _INSTEAD_OF_CONTENT if role == "assistant" else set()
    if content is None and not message.keys() & stands_in:
        yield f"Invalid value for 'content': expected a string, got null. [{at}]"
    for nth, block in enumerate(dicts_in(content)):
        kind, where = str(block.get("type")), f"messages[{at}].content[{nth}]"
        if kind not in _BLOCKS:
            yield f"Invalid value: '{kind}' at {where}."
        elif kind == "image_url" and role != "user":
            # https://github.com/openai/openai-node/issues/1030
            yield (
                f"Invalid 'messages[{at}]'. Image URLs are only allowed for messages "
                f"with role 'user', but this message with role '{role}' contains an "
                "image URL."
            )
        elif kind not in _MAY_SAY[role].split():
            yield f"Invalid value: '{kind}' at {where}."
        else:
            for name in block.keys() - {"type", *_BLOCKS[kind].split()}:
                yield f"Unknown parameter: '{where}.{name}'."


def _about_result(
    message: Mapping[str, Any], at: int, open_calls: set[str]
) -> Iterator[str]:
    answered = message.get("tool_call_id")
    if answered not in open_calls:
        yield (
            f"Invalid parameter: messages with role 'tool' must be a response to a "
            f"preceding message with 'tool_calls'. [{at}]"
        )
    open_calls.discard(str(answered))


def _about_unanswered(open_calls: set[str]) -> Iterator[str]:
    """https://github.com/aliasrobotics/cai/issues/111 ."""
    if open_calls:
        yield (
            "An assistant message with 'tool_calls' must be followed by tool messages "
            "responding to each 'tool_call_id'. The following tool_call_ids did not "
            f"have response messages: {', '.join(sorted(open_calls))}"
        )


def _about_ids(ids: list[str], at: int) -> Iterator[str]:
    for nth, id_ in enumerate(ids):
        if len(id_) > _LONGEST_ID:
            yield (
                f"Invalid 'messages[{at}].tool_calls[{nth}].id': string too long. "
                f"Expected a string with maximum length {_LONGEST_ID}, but got a "
                f"string with length {len(id_)} instead."
            )
