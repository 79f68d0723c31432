"""Requests that another provider can take.

Leaving out of a conversation what only its author understands (thinking and its
signatures, reasoning items, built-in tools, cache markers, ids) lives here, per child.
The caller's messages are read and never edited.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from langchain_reliable._families import family_named, family_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langchain_reliable._families import Family

_MARKER = "cache_control"
"""Anthropic's mark on a content block; OpenAI refuses a request that holds one."""

_LONGEST_OPENAI_ID = 40
_NOT_IN_ANTHROPIC_IDS = re.compile(r"[^a-zA-Z0-9_-]")


class Reader:
    """What one child can read of a conversation."""

    def __init__(self, model: object) -> None:
        """Find out whose class a child is."""
        self._family: Family | None = family_of(model)
        # A class of the user's own may understand whatever it likes.
        self._is_known = type(model).__module__.startswith("langchain_")
        self._takes_markers = self._family != "openai"
        self._as_id: Callable[[str], str] | None = {
            "openai": _openai_id,
            "anthropic": _anthropic_id,
        }.get(self._family or "")

    def readable(self, messages: list[BaseMessage]) -> list[BaseMessage]:
        """Return the messages as this child can read them; its own stay as they are."""
        changed = list(self._each(messages))
        same = len(changed) == len(messages) and all(
            one is other for one, other in zip(changed, messages, strict=True)
        )
        return messages if same else changed

    def _each(self, messages: list[BaseMessage]) -> Iterator[BaseMessage]:
        for given in messages:
            message: BaseMessage | None = given
            if isinstance(given, AIMessage) and self._is_foreign(given):
                message = _in_common_words(given)
            if message is not None:
                yield self._with_ids(self._unmarked(message))

    def _is_foreign(self, message: AIMessage) -> bool:
        author = family_named(message.response_metadata.get("model_provider"))
        return self._is_known and author is not None and author != self._family

    def _unmarked(self, message: BaseMessage) -> BaseMessage:
        content = message.content
        if self._takes_markers or not isinstance(content, list):
            return message
        if not any(isinstance(one, dict) and _MARKER in one for one in content):
            return message
        return message.model_copy(update={"content": [_bare(one) for one in content]})

    def _with_ids(self, message: BaseMessage) -> BaseMessage:
        """Return a message whose tool-call ids its reader accepts."""
        if self._as_id is None:
            return message
        if isinstance(message, ToolMessage):
            known = self._as_id(message.tool_call_id)
            if known == message.tool_call_id:
                return message
            return message.model_copy(update={"tool_call_id": known})
        if not isinstance(message, AIMessage) or not message.tool_calls:
            return message
        return self._with_call_ids(message, self._as_id)

    @staticmethod
    def _with_call_ids(message: AIMessage, as_id: Callable[[str], str]) -> AIMessage:
        calls = [
            {**call, "id": as_id(call["id"])} if call["id"] else call
            for call in message.tool_calls
        ]
        if calls == message.tool_calls:
            return message
        return message.model_copy(update={"tool_calls": calls})


def _in_common_words(message: AIMessage) -> AIMessage | None:
    """Return what every model understands of an answer; `None` if that is nothing."""
    if not (text := message.text) and not message.tool_calls:
        return None
    return AIMessage(content=text, name=message.name, tool_calls=message.tool_calls)


def _bare(block: Any) -> Any:
    if not isinstance(block, dict):
        return block
    return {name: value for name, value in block.items() if name != _MARKER}


def _anthropic_id(given: str) -> str:
    return _NOT_IN_ANTHROPIC_IDS.sub("_", given)


def _openai_id(given: str) -> str:
    if len(given) <= _LONGEST_OPENAI_ID:
        return given
    return f"call_{hashlib.sha256(given.encode()).hexdigest()[:24]}"
