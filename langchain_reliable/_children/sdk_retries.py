"""Copies of children whose SDK neither retries nor waits by itself.

`langchain_reliable` owns the retries, and an SDK that retries on its own multiplies
them and sleeps where nobody sees it; a client that waits longer than our limits keeps
a socket, and in sync a thread, that nobody listens to any more. The caller's objects
are read and never changed.

Where a class keeps these things stands in its row of `partners`. Three kinds of clients
are known wherever they are found: those of the generator that OpenAI, Anthropic, Groq
and others share (Stainless), plain ones of httpx, and sessions of `requests`.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from copy import copy
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from langchain_reliable._children.clients import bedrock
from langchain_reliable._children.clients.copies import changed, without
from langchain_reliable._children.clients.read_timeouts import shorter
from langchain_reliable._children.clients.requests_sessions import quiet_session
from langchain_reliable._children.clients.unlisted import (
    managed_by_fields,
    shortcomings,
)
from langchain_reliable._children.clients.watched_http import watched, watched_option
from langchain_reliable._children.partners import UNLISTED, names_of, partner_of
from langchain_reliable._text.log_once import LogOnce

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.language_models import BaseChatModel

logger = logging.getLogger("langchain_reliable")

_HTTPX = frozenset(
    f"{package}.{name}"
    for package in ("httpx", "httpx2", "httpx._client", "httpx2._client")
    for name in ("Client", "AsyncClient")
)

_warned = LogOnce()


def without_sdk_retries(
    model: BaseChatModel, read_timeout: float | None = None
) -> BaseChatModel:
    """Return a copy of a model whose SDK does not retry by itself.

    A model with nothing to change is returned as it is. What can't be changed from
    here is told in one warning per class.

    Args:
        model: The caller's model; it is not changed.
        read_timeout: Seconds after which the copy's clients give up a silent socket,
            where their own time-out is longer.
    """
    partner = partner_of(model)
    if partner.client == "botocore":
        made = bedrock.without_retries(model, read_timeout)
        if made is None and not bedrock.is_quiet(model):
            _warn_once(model, f"it retries by itself: {bedrock.ADVICE}")
        return made or model
    made = _with_quiet_clients(model, read_timeout)
    if partner is UNLISTED:
        reached = made is not model or read_timeout is None
        if lacks := shortcomings(model, reached=reached):
            _warn_once(model, lacks)
        return managed_by_fields(model, made, read_timeout)
    for path, off in partner.retries_off.items():
        made = changed(made, path, partial(_always, off))
    if read_timeout is not None:
        for path, unit in partner.read_timeouts.items():
            made = changed(made, path, partial(shorter, seconds=read_timeout * unit))
    for path in partner.http_clients:
        made = changed(made, path, lambda one: watched(one) or one)
    for path in partner.stale:
        made = without(made, path)
        with suppress(AttributeError):
            attrgetter(path)(made)
    later = [name for name in partner.made_later if name not in made.__dict__]
    return _ClientMadeLater.in_copy(made, later, read_timeout) if later else made


def request_keywords(
    model: BaseChatModel, read_timeout: float | None = None
) -> Mapping[str, Any]:
    """Return what is sent with each request where retries are switched there."""
    partner = partner_of(model)
    keywords = dict(partner.keywords_off)
    if read_timeout is not None and partner.timeout_keyword is not None:
        own = getattr(model, partner.timeout_keyword[1])
        limit = shorter(own, read_timeout)
        keywords = changed(
            keywords, partner.timeout_keyword[0], partial(_always, limit)
        )
    return keywords


def _always(value: object, _: object) -> object:
    return value


# --- clients ------------------------------------------------------------------------


def _with_quiet_clients(
    model: BaseChatModel, read_timeout: float | None
) -> BaseChatModel:
    """Return a copy whose clients, in fields and private attributes, are replaced."""
    fields = _quiet_clients(model.__dict__, read_timeout)
    private = _quiet_clients(model.__pydantic_private__ or {}, read_timeout)
    if not fields and not private:
        return model
    made = model.model_copy()
    made.__dict__.update(fields)
    (made.__pydantic_private__ or {}).update(private)
    return made


def _quiet_clients(
    values: Mapping[str, Any], read_timeout: float | None
) -> dict[str, Any]:
    found = {name: _quiet(value, read_timeout) for name, value in values.items()}
    return {name: client for name, client in found.items() if client is not None}


def _quiet(value: Any, read_timeout: float | None) -> Any:
    """Return a client that does not retry; `None` for what is no client.

    A client of Stainless has `with_options(max_retries=...)`, and a resource such as
    `chat.completions` is built from its client.
    """
    if _is_client(value):
        options: dict[str, Any] = {"max_retries": 0}
        if read_timeout is not None:
            options["timeout"] = shorter(getattr(value, "timeout", None), read_timeout)
        return value.with_options(**options, **watched_option(value))
    is_resource = ".resources." in type(value).__module__
    owner: Any = getattr(value, "_client", None) if is_resource else None
    if _is_client(owner):
        return type(value)(_quiet(owner, read_timeout))
    # Those of the SDKs close themselves when they are dropped: a copy would close the
    # connections that it shares.
    is_plain_httpx = (
        type(value).__name__.endswith("Client")
        and not isinstance(value, BaseModel)
        and not hasattr(type(value), "__del__")
        and not names_of(type(value)).isdisjoint(_HTTPX)
    )
    if read_timeout is not None and is_plain_httpx:
        made = watched(value) or copy(value)  # it shares the connections
        made.timeout = shorter(value.timeout, read_timeout)
        return made
    return quiet_session(value, read_timeout)


class _ClientMadeLater:
    """Stands in a copy for a client that its class makes at first use.

    What the class would make then nobody could end from outside. Making it before would
    cost programs time that never call it, those in async.
    """

    def __init__(
        self, model: BaseChatModel, name: str, read_timeout: float | None
    ) -> None:
        self._model = model
        self._name = name
        self._read_timeout = read_timeout

    @classmethod
    def in_copy(
        cls, model: BaseChatModel, names: Sequence[str], read_timeout: float | None
    ) -> BaseChatModel:
        """Return a copy in which one stands under each of these names."""
        made = model.model_copy()
        for name in names:
            made.__dict__[name] = cls(made, name, read_timeout)
        return made

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        model, name = self._model, self._name
        make = getattr(type(model), name).func  # of a cached property
        client = model.__dict__[name] = _quiet(make(model), self._read_timeout)
        return getattr(client, attribute)


def _is_client(value: object) -> bool:
    return hasattr(value, "with_options") and hasattr(value, "max_retries")


# --- where it can't be done ---------------------------------------------------------


def _warn_once(model: BaseChatModel, lacks: str) -> None:
    cls = type(model)
    if _warned.is_first(cls):
        logger.warning("%s can't be managed from here: %s", cls.__name__, lacks)
