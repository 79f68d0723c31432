"""Chat models of classes that have no row: what can be done by their fields alone.

Most are somebody's own class over httpx or requests, with fields named as LangChain's
partner packages name theirs. What these fields do not reach is told, so that nobody
takes a protection for granted that is not there.
"""

from __future__ import annotations

import sys
from inspect import ismodule
from typing import TYPE_CHECKING, Any, Final

from langchain_reliable._children.clients.requests_sessions import SESSION
from langchain_reliable._children.partners import names_of
from langchain_reliable._children.rebuild import rebuilt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.language_models import BaseChatModel

_TIMEOUTS: Final = {"timeout", "request_timeout", "read_timeout", "timeout_seconds"}
"""Fields that hold seconds, as a rule."""

_MOST_SECONDS: Final = 3600
"""A number above is in milliseconds, and no business of ours."""

_TRANSPORTS: Final = frozenset(
    {"requests", "httpx", "httpx2", "aiohttp", "urllib3", "boto3", "http.client"}
)

_READ_BY: Final = frozenset({"boto3", "botocore", "http", "urllib3"})
"""Packages beneath whose clients a read is ended from outside, when a limit is over."""

_NO_TIMEOUT: Final = (
    "a socket that falls silent outlives our time limits; give it a time-out of its own"
)
_NO_ANSWER: Final = (
    "a whole answer that never comes is waited for in sync, unless answer_timeout or "
    "attempt_timeout is a number; give it a time-out of its own"
)
_MAY_RETRY: Final = (
    "whether its client retries by itself can't be told; if it does, turn that off"
)


def managed_by_fields(
    model: BaseChatModel, made: BaseChatModel, read_timeout: float | None
) -> BaseChatModel:
    """Return a copy whose time-outs are lowered, built anew if it has built a client.

    Args:
        model: The caller's model.
        made: A copy of it, as far as it has come; the model itself if nothing changed.
        read_timeout: The longest wait for bytes.
    """
    fields: dict[str, Any] = {}
    if getattr(model, "max_retries", None):
        fields["max_retries"] = 0
    for name, own in _seconds(model):
        if read_timeout is not None and own > read_timeout:
            fields[name] = read_timeout
    if not fields:
        return made
    if made is model and any(_strangers(model)):
        try:
            return rebuilt(model, fields)
        except Exception:  # noqa: BLE001 - whatever its validators raise
            return model
    return made.model_copy(update=fields)


def shortcomings(model: BaseChatModel, *, reached: bool) -> str:
    """Say what a class does not get; an empty text if that is nothing we know of.

    Args:
        model: The caller's model.
        reached: Whether its time-outs are lowered already, or need not be.
    """
    if type(model).__module__.partition(".")[0] == "langchain_reliable":
        return ""
    strangers, lacks = list(_strangers(model)), []
    module = sys.modules.get(type(model).__module__)
    named = vars(module).values() if module else ()
    transports = {one.__name__ for one in named if ismodule(one)}
    if not reached and not any(_seconds(model)):
        packages = {type(one).__module__.partition(".")[0] for one in strangers}
        if packages - _READ_BY:
            lacks.append(_NO_TIMEOUT)
        elif packages or transports & _TRANSPORTS:
            lacks.append(_NO_ANSWER)
    if strangers and "max_retries" not in type(model).model_fields:
        lacks.append(_MAY_RETRY)
    return "; ".join(lacks)


def _seconds(model: BaseChatModel) -> Iterator[tuple[str, float]]:
    for name in _TIMEOUTS & type(model).model_fields.keys():
        value = getattr(model, name)
        if isinstance(value, (int, float)) and 0 < value <= _MOST_SECONDS:
            yield name, value


def _strangers(model: BaseChatModel) -> Iterator[object]:
    """Yield clients and sessions that it holds and that we do not know."""
    for value in (
        *model.__dict__.values(),
        *(model.__pydantic_private__ or {}).values(),
    ):
        kind = type(value)
        known = kind.__module__.partition(".")[0] in ("httpx", "httpx2")
        known = known or SESSION in names_of(kind)
        stainless = hasattr(value, "with_options") or ".resources." in kind.__module__
        named = kind.__name__.lower().endswith(("client", "session"))
        if named and not known and not stainless:
            yield value
