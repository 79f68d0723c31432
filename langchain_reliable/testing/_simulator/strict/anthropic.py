"""What Anthropic's messages API refuses to read, in the words of the API."""

# ruff: noqa: SIM905 - a table of words reads best as words

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from langchain_reliable.testing._simulator.wire import dicts_in, seal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Message = Mapping[str, Any]

_FIELDS: Final = frozenset(
    "model messages stream max_tokens system temperature top_p top_k stop_sequences "
    "metadata tools tool_choice thinking service_tier container context_management "
    "mcp_servers output_config output_format betas cache_control inference_geo".split()
)
_ROLES: Final = frozenset(("user", "assistant"))

_RESULT: Final = "tool_use_id content cache_control"
_USER: Final = {
    "text": "text cache_control citations",
    "image": "source cache_control",
    "document": "source title context citations cache_control",
    "search_result": "source title content citations cache_control",
    "tool_result": f"{_RESULT} is_error",
    "container_upload": "file_id cache_control",
}
_ASSISTANT: Final = {
    "text": "text cache_control citations",
    "thinking": "thinking signature",
    "redacted_thinking": "data",
    "tool_use": "id name input cache_control caller",
    "server_tool_use": "id name input cache_control caller",
    "web_search_tool_result": f"{_RESULT} caller",
    "web_fetch_tool_result": f"{_RESULT} caller",
    "code_execution_tool_result": _RESULT,
    "mcp_tool_use": "id name input server_name cache_control",
    "mcp_tool_result": f"{_RESULT} is_error",
}
"""Kinds of content blocks by who may say them, and their fields besides `type`."""

_IDS: Final = {
    "tool_use": r"^[a-zA-Z0-9_-]+$",
    "server_tool_use": r"^srvtoolu_[a-zA-Z0-9_]+$",
}
"""https://github.com/BlockRunAI/ClawRouter/issues/17,
https://github.com/ding113/claude-code-hub/issues/470"""

_THOUGHTS: Final = ("thinking", "redacted_thinking")


def complaints_of_anthropic(body: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the API would say about `body`."""
    if "max_tokens" not in body:
        yield "max_tokens: Field required"
    for name in body.keys() - _FIELDS:
        yield f"{name}: Extra inputs are not permitted"
    messages = [_in_blocks(one) for one in dicts_in(body.get("messages"))]
    if not messages:
        yield "messages: at least one message is required"
    for at, message in enumerate(messages):
        if (role := message.get("role")) in _ROLES:
            known, other = _KNOWN[role], _OTHER[role]
            yield from _about_blocks(message, at, known=known, other=other)
            yield from _about_text(message, at, is_last=at == len(messages) - 1)
        else:
            yield f'messages.{at}.role: Input should be "user" or "assistant"'
    yield from _about_pairs(messages)
    yield from _about_first_thought(body, messages)


_KNOWN: Final = {"user": _USER, "assistant": _ASSISTANT}
_OTHER: Final = {"user": _ASSISTANT, "assistant": _USER}


def _in_blocks(message: Message) -> Message:
    content = message.get("content")
    if isinstance(content, str):
        return {**message, "content": [{"type": "text", "text": content}]}
    return {**message, "content": list(dicts_in(content))}


# --- blocks -----------------------------------------------------------------------


def _about_blocks(
    message: Message, at: int, *, known: Mapping[str, str], other: Mapping[str, str]
) -> Iterator[str]:
    for nth, block in enumerate(message["content"]):
        kind, where = str(block.get("type")), f"messages.{at}.content.{nth}"
        if kind in known:
            for name in block.keys() - {"type", *known[kind].split()}:
                # https://github.com/anthropics/claude-code/issues/4378
                yield f"{where}.{kind}.{name}: Extra inputs are not permitted"
            yield from _about_seal(block, kind, where)
            yield from _about_id(block, kind, where)
        elif kind in other:
            # https://github.com/SEMOSS/Semoss/issues/2323
            yield (
                f"{where}: '{kind}' blocks are not permitted within "
                f"{message['role']} turns"
            )
        else:
            yield f"{where}: Input tag '{kind}' found using 'type' does not match any"


def _about_seal(block: Message, kind: str, where: str) -> Iterator[str]:
    """https://github.com/anthropics/anthropic-sdk-python/issues/1598 ."""
    if kind == "thinking" and "signature" not in block:
        yield f"{where}.thinking.signature: Field required"
    elif kind == "thinking" and block["signature"] != seal(block["thinking"]):
        yield f"{where}: Invalid `signature` in `thinking` block"
    elif kind == "redacted_thinking" and block.get("data") != seal(""):
        yield f"{where}: Invalid `data` in `redacted_thinking` block"


def _about_id(block: Message, kind: str, where: str) -> Iterator[str]:
    if kind in _IDS and not re.match(_IDS[kind], str(block.get("id"))):
        yield f"{where}.{kind}.id: String should match pattern '{_IDS[kind]}'"


# --- text -------------------------------------------------------------------------


def _about_text(message: Message, at: int, *, is_last: bool) -> Iterator[str]:
    blocks: list[Message] = message["content"]
    texts = [str(one.get("text")) for one in blocks if one.get("type") == "text"]
    speaks_last = is_last and message["role"] == "assistant"
    if not blocks and not speaks_last:
        yield (
            f"messages.{at}: all messages must have non-empty content except for the "
            "optional final assistant message"
        )
    if not all(texts):
        # https://github.com/anthropics/anthropic-sdk-python/issues/461
        yield "messages: text content blocks must be non-empty"
    elif not all(map(str.strip, texts)) and not _kinds(message) & {"tool_use"}:
        # https://github.com/anthropics/claude-code/issues/23440; beside a tool call
        # a real one was accepted (recordings: anthropic/stream_tool_loop)
        yield "messages: text content blocks must contain non-whitespace text"
    if speaks_last and texts and texts[-1] != texts[-1].rstrip():
        yield "messages: final assistant content cannot end with trailing whitespace"


def _kinds(message: Message) -> set[str]:
    return {str(one.get("type")) for one in message["content"]}


# --- calls and their results ------------------------------------------------------


def _about_pairs(messages: Sequence[Message]) -> Iterator[str]:
    """https://github.com/anthropics/claude-code/issues/8210 and 13460 ."""
    nobody: Message = {"content": []}
    for at, (before, message) in enumerate(pairwise((nobody, *messages, nobody))):
        used = _ids(before, "tool_use", "id")
        results = _ids(message, "tool_result", "tool_use_id")
        for stray in results:
            if stray not in used:
                yield (
                    f"messages.{at}.content: unexpected `tool_use_id` found in "
                    f"`tool_result` blocks: {stray}. Each `tool_result` block must "
                    "have a corresponding `tool_use` block in the previous message."
                )
        if missing := [one for one in used if one not in results]:
            yield (
                f"messages.{at - 1}: `tool_use` ids were found without `tool_result` "
                f"blocks immediately after: {', '.join(missing)}. Each `tool_use` "
                "block must have a corresponding `tool_result` block in the next "
                "message."
            )
        if len(set(used)) < len(used):
            yield f"messages.{at - 1}: `tool_use` ids must be unique"


def _ids(message: Message, kind: str, field: str) -> list[str]:
    blocks = message["content"]
    return [str(one.get(field)) for one in blocks if one.get("type") == kind]


def _about_first_thought(
    body: Mapping[str, Any], messages: Sequence[Message]
) -> Iterator[str]:
    """https://github.com/coder/cmux/issues/409 ; with `adaptive` nothing is asked."""
    thinking = body.get("thinking")
    if not isinstance(thinking, dict) or thinking.get("type") != "enabled":
        return
    spoken = [at for at, one in enumerate(messages) if one.get("role") == "assistant"]
    if not spoken or not _kinds(messages[spoken[-1]]) & {"tool_use"}:
        return
    first = messages[spoken[-1]]["content"][0].get("type")
    if first not in _THOUGHTS:
        yield (
            f"messages.{spoken[-1]}.content.0.type: Expected `thinking` or "
            f"`redacted_thinking`, but found `{first}`. When `thinking` is enabled, a "
            "final `assistant` message must start with a thinking block (preceeding "
            "the lastmost set of `tool_use` and `tool_result` blocks)."
        )
