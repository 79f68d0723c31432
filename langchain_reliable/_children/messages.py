"""Requests that another provider can take.

Making a conversation readable for one child lives here: which answers are another
provider's, which marks, ids and settings it would refuse. The caller's messages are
read and never edited, and a child's own answers reach it as they are.
"""

from __future__ import annotations

import hashlib
from itertools import dropwhile
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from langchain_reliable._children.neutral_messages import in_common_words
from langchain_reliable._children.partners import (
    asks_its_provider,
    asks_openai,
    is_foreign,
    partner_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from langchain_core.language_models import BaseChatModel

    from langchain_reliable._children.callbacks import PreparedRequest

_MARKER = "cache_control"
"""Anthropic's mark on a content block; OpenAI refuses a request that holds one."""


class MessageAdapter:
    """What one child can read of a conversation."""

    def __init__(self, model: BaseChatModel) -> None:
        """Find out whose class a child is."""
        self._model = model
        self._partner = partner_of(model)
        self._takes_markers = not asks_openai(model)
        self._ids = self._partner.tool_call_ids if asks_its_provider(model) else None

    def adapt(self, messages: list[BaseMessage]) -> list[BaseMessage]:
        """Return the messages as this child can read them; its own stay as they are."""
        if not any(map(_may_differ, messages)):
            return messages
        changed = list(self._each(messages))
        same = len(changed) == len(messages) and all(
            one is other for one, other in zip(changed, messages, strict=True)
        )
        return messages if same else changed

    def _each(self, messages: list[BaseMessage]) -> Iterator[BaseMessage]:
        authors = {one.response_metadata.get("model_provider") for one in messages}
        foreign = {one for one in authors if is_foreign(one, self._model)}
        answered = {o.tool_call_id for o in messages if isinstance(o, ToolMessage)}
        for given in messages:
            message: BaseMessage | None = given
            if isinstance(given, AIMessage) and _author(given) in foreign:
                message = in_common_words(
                    given, shows_media=self._partner.shows_media, answered=answered
                )
            if message is not None:
                yield self._with_ids(self._unmarked(message))

    def _unmarked(self, message: BaseMessage) -> BaseMessage:
        content = message.content
        if self._takes_markers or not isinstance(content, list):
            return message
        if not any(isinstance(one, dict) and _MARKER in one for one in content):
            return message
        return message.model_copy(update={"content": [_bare(one) for one in content]})

    # --- ids ------------------------------------------------------------------------

    def _with_ids(self, message: BaseMessage) -> BaseMessage:
        """Return a message whose tool-call ids its reader accepts."""
        if isinstance(message, ToolMessage):
            if self._takes(message.tool_call_id):
                return message
            fitting = self._fitting(message.tool_call_id)
            return message.model_copy(update={"tool_call_id": fitting})
        if not isinstance(message, AIMessage):
            return message
        calls = [*message.tool_calls, *message.invalid_tool_calls]
        if all(self._takes(one["id"]) for one in calls):
            return message
        return message.model_copy(
            update={
                "tool_calls": self._with_fitting_ids(message.tool_calls),
                "invalid_tool_calls": self._with_fitting_ids(
                    message.invalid_tool_calls
                ),
            }
        )

    def _with_fitting_ids(self, calls: Iterable[Any]) -> list[Any]:
        return [{**one, "id": self._fitting(one["id"])} for one in calls]

    def _takes(self, given: str | None) -> bool:
        return not given or self._ids is None or bool(self._ids.fullmatch(given))

    def _fitting(self, given: str | None) -> str | None:
        if not given or self._ids is None or self._takes(given):
            return given
        return (
            self._partner.tool_call_prefix
            + hashlib.sha256(given.encode()).hexdigest()[:24]
        )

    # --- settings -------------------------------------------------------------------

    def adapt_settings(
        self, prepared: PreparedRequest, given: Sequence[BaseMessage]
    ) -> PreparedRequest:
        """Return a request whose settings go with its conversation.

        Anthropic's manual thinking wants a turn to begin with a thought of its own, and
        a tool loop is one turn. One that another model had a part in is finished
        without.

        Args:
            prepared: The request, its messages made readable.
            given: The messages as the caller gave them.
        """
        if self._partner.family != "anthropic" or not _thinks_by_hand(prepared):
            return prepared
        loop = _loop_so_far(given)
        if not any(is_foreign(_author(one), self._model) for one in loop):
            return prepared
        without = prepared.model.model_copy(update={"thinking": None})
        kwargs = {name: v for name, v in prepared.kwargs.items() if name != "thinking"}
        return prepared._replace(model=without, kwargs=kwargs)


def _may_differ(message: BaseMessage) -> bool:
    """Return whether there is anything to look at; mostly there is not."""
    content = message.content
    return isinstance(message, AIMessage | ToolMessage) or not isinstance(content, str)


def _author(message: BaseMessage) -> object:
    return message.response_metadata.get("model_provider")


def _bare(block: Any) -> Any:
    if not isinstance(block, dict):
        return block
    return {name: value for name, value in block.items() if name != _MARKER}


def _thinks_by_hand(prepared: PreparedRequest) -> bool:
    own = getattr(prepared.model, "thinking", None)
    thinking = own if own is not None else prepared.kwargs.get("thinking")
    return isinstance(thinking, dict) and thinking.get("type") == "enabled"


def _loop_so_far(messages: Sequence[BaseMessage]) -> Iterator[AIMessage]:
    """Yield the answers of the tool loop that is going on, the last one first."""
    latest_first = dropwhile(lambda one: not isinstance(one, AIMessage), messages[::-1])
    for message in latest_first:
        if isinstance(message, AIMessage) and message.tool_calls:
            yield message
        elif not isinstance(message, ToolMessage):
            return
