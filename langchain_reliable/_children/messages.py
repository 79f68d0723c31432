"""Makes a conversation one that a child's provider can take.

The caller's messages are read and never edited, and a child's own answers reach it as
they are. What another provider, or another account of the same one, has made is told
in words that every model understands.
"""

from __future__ import annotations

import hashlib
import json
import re
from itertools import dropwhile
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from pydantic import ValidationError

from langchain_reliable._children.neutral_messages import (
    in_common_words,
    with_openai_calls,
)
from langchain_reliable._children.partners import (
    asks_its_provider,
    asks_openai,
    family_named,
    family_of,
    partner_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

    from langchain_core.language_models import BaseChatModel

    from langchain_reliable._children.callbacks import PreparedRequest

    AccountOf = Callable[[str], Hashable | None]

_MARKER = "cache_control"
"""Anthropic's mark on a content block; OpenAI refuses a request that holds one."""

_BOUND_TO_ACCOUNTS = frozenset({"openai", "google"})
"""Families that take what they made only from the account that they made it for."""

_SEALS = ("encrypted_content", "signature", "thought_signature")
"""What a block holds that only its maker can open or verify."""

_SEALED_KINDS = ("reasoning", "thinking", "redacted_thinking", "reasoning_content")

_SEALED_EXTRAS = ("reasoning", "__gemini_function_call_thought_signatures__")
"""Where partner packages keep the same beside the content."""

_REFUSED = re.compile(
    r"crypt|signature|previous.?response|reasoning|thinking|thought|\bitem|verif",
    re.IGNORECASE,
)
"""What a refusal of such content speaks of."""

_REFUSING = (400, 404, 422)
_UNREADABLE = (ValueError, TypeError, KeyError, NotImplementedError)
"""What clients raise for content that they can't put into a request."""

_ANSWERS = frozenset({AIMessage, AIMessageChunk})
_TELLING = (AIMessage, ToolMessage)
"""Messages that may hold what only their author's provider understands."""
_PARTNER = re.compile(r"langchain_(?!reliable\.)")
"""How the modules of partner packages begin; a model of ours asks others in turn."""


class MessageAdapter:
    """What one child can read of a conversation."""

    def __init__(
        self, model: BaseChatModel, account: Callable[[], Hashable] | None = None
    ) -> None:
        """Find out whose class a child is.

        Args:
            model: The child.
            account: Tells whose account it uses.
        """
        self._model = model
        self._account = account
        self._partner = partner_of(model)
        self._family = self._partner.family
        self._takes_markers = not asks_openai(model)
        self._ids = self._partner.tool_call_ids if asks_its_provider(model) else None
        self.has_settings = self._family == "anthropic"

    def adapt(
        self, messages: list[BaseMessage], account_of: AccountOf | None = None
    ) -> list[BaseMessage]:
        """Return the messages as this child can read them; its own stay as they are.

        Args:
            messages: The conversation.
            account_of: Tells whose account a candidate uses, by its name.
        """
        if not any(map(_may_differ, messages)):
            return messages
        changed = list(self._each(messages, self._foreign(messages, account_of)))
        same = len(changed) == len(messages) and all(
            one is other for one, other in zip(changed, messages, strict=True)
        )
        return messages if same else changed

    def _foreign(
        self, messages: Sequence[BaseMessage], account_of: AccountOf | None
    ) -> list[bool]:
        """Return of each message whether this child may not understand it."""
        authors = {_author(one) for one in messages}
        foreign = {one for one in authors if is_foreign(one, self._model)}
        return [
            isinstance(one, AIMessage)
            and (_author(one) in foreign or self._is_anothers(one, account_of))
            for one in messages
        ]

    def _is_anothers(self, answer: AIMessage, account_of: AccountOf | None) -> bool:
        """Return whether it holds what was made for another account than this child's.

        An answer tells by its trail who gave it; of one that does not, nobody knows.
        """
        if account_of is None or self._family not in _BOUND_TO_ACCOUNTS:
            return False
        served_by = answer.response_metadata.get("reliable", {}).get("served_by")
        if not served_by or not is_sealed(answer) or self._account is None:
            return False
        account = account_of(served_by)
        return account is not None and account != self._account()

    def _each(
        self, messages: Sequence[BaseMessage], foreign: Sequence[bool]
    ) -> Iterator[BaseMessage]:
        answered = {o.tool_call_id for o in messages if isinstance(o, ToolMessage)}
        for given, is_anothers in zip(messages, foreign, strict=True):
            message: BaseMessage | None = given
            if is_anothers and isinstance(given, AIMessage):
                message = in_common_words(
                    given, shows_media=self._partner.shows_media, answered=answered
                )
            if message is not None:
                message = self._with_ids(self._unmarked(message))
                yield (
                    with_openai_calls(message)
                    if self._partner.reads_extras
                    else message
                )

    # --- where a provider refuses ---------------------------------------------------

    def may_be_refused(self, prepared: PreparedRequest) -> bool:
        """Return whether a request holds what only its maker can open or verify."""
        messages = prepared.messages
        if _ANSWERS.isdisjoint(map(type, messages)):
            return False
        return any(isinstance(one, AIMessage) and is_sealed(one) for one in messages)

    def is_refused(self, prepared: PreparedRequest, error: Exception) -> bool:
        """Return whether an error may be about such content.

        A provider says so with a status; a client that can't read it sends nothing.
        """
        status = getattr(error, "status_code", None) or getattr(error, "code", None)
        if isinstance(status, int):
            told = status in _REFUSING and bool(_REFUSED.search(str(error)))
        else:
            told = isinstance(error, _UNREADABLE) or bool(_REFUSED.search(str(error)))
        is_answer = isinstance(error, json.JSONDecodeError | ValidationError)
        return told and not is_answer and self.may_be_refused(prepared)

    def in_common_words(self, prepared: PreparedRequest) -> PreparedRequest:
        """Return a request in which all answers are told in common words."""
        given = prepared.messages
        all_answers = [isinstance(one, AIMessage) for one in given]
        told = prepared._replace(messages=list(self._each(given, all_answers)))
        return _without_thinking(told) if _thinks_by_hand(told) else told

    def _unmarked(self, message: BaseMessage) -> BaseMessage:
        content = message.content
        if self._takes_markers or not isinstance(content, list):
            return message
        if not any(isinstance(one, dict) and _MARKER in one for one in content):
            return message
        bare = [
            {name: value for name, value in one.items() if name != _MARKER}
            if isinstance(one, dict)
            else one
            for one in content
        ]
        return message.model_copy(update={"content": bare})

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
        if not _thinks_by_hand(prepared):
            return prepared
        latest_first = dropwhile(
            lambda one: not isinstance(one, AIMessage), given[::-1]
        )
        for one in latest_first:  # the tool loop that is going on
            if isinstance(one, AIMessage) and one.tool_calls:
                if is_foreign(_author(one), self._model):
                    return _without_thinking(prepared)
            elif not isinstance(one, ToolMessage):
                break
        return prepared


def _may_differ(message: BaseMessage) -> bool:
    """Return whether there is anything to look at; mostly there is not."""
    content = message.content
    return isinstance(message, _TELLING) or not isinstance(content, str)


def _author(message: BaseMessage) -> object:
    return message.response_metadata.get("model_provider")


def is_foreign(author: object, model: BaseChatModel) -> bool:
    """Return whether an answer may hold what only another provider understands.

    Args:
        author: The answer's `model_provider`, if it tells one.
        model: Who is to read it. A class of the user's own may understand whatever it
            likes, and a partner class reads what its own provider said.
    """
    path = f"{type(model).__module__}.{type(model).__qualname__}".lower()
    if not isinstance(author, str) or not _PARTNER.match(path):
        return False
    reader, family = family_of(model), family_named(author)
    if reader is not None and family is not None:
        return reader != family
    if reader is not None:
        own = model._get_ls_params().get("ls_provider")
        return author != own
    word = family or author.partition("_")[0]  # `bedrock_converse`: of langchain_aws
    return word not in path


def is_sealed(answer: AIMessage) -> bool:
    """Return whether an answer holds what only its maker can open or verify."""
    if str(answer.response_metadata.get("id", "")).startswith("resp_"):
        return True
    if any(answer.additional_kwargs.get(name) for name in _SEALED_EXTRAS):
        return True
    content = answer.content
    for block in content if isinstance(content, list) else ():
        if not isinstance(block, dict):
            continue
        extras = block.get("extras")
        inside = extras if isinstance(extras, dict) else {}
        if block.get("type") in _SEALED_KINDS or any(
            block.get(name) or inside.get(name) for name in _SEALS
        ):
            return True
    return False


def _without_thinking(prepared: PreparedRequest) -> PreparedRequest:
    without = prepared.model.model_copy(update={"thinking": None})
    kwargs = {name: v for name, v in prepared.kwargs.items() if name != "thinking"}
    return prepared._replace(model=without, kwargs=kwargs)


def _thinks_by_hand(prepared: PreparedRequest) -> bool:
    own = getattr(prepared.model, "thinking", None)
    thinking = own if own is not None else prepared.kwargs.get("thinking")
    return isinstance(thinking, dict) and thinking.get("type") == "enabled"
