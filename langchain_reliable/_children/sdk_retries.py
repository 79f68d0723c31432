"""Copies of children: with their SDK's own retries off, or for another model.

What is known of partner classes (which field, which client, which value means off)
lives here. The caller's objects are read and never changed.

`langchain_reliable` owns the retries, and an SDK that retries on its own multiplies
them and sleeps where nobody sees it. Changing the field of a LangChain model alone
leaves the client that was built from it as it was (seen in langchain-openai 1.7.3), so
clients are replaced too.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from langchain_reliable._children.partners import partner_of
from langchain_reliable._text.log_once import LogOnce

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

logger = logging.getLogger("langchain_reliable")

_DERIVED_CACHES = ("_client_params",)
"""Cached properties made from `max_retries` (langchain-anthropic 1.7.7)."""


_warned = LogOnce()


def without_sdk_retries(
    model: BaseChatModel, read_timeout: float | None = None
) -> BaseChatModel:
    """Return a copy of a model whose SDK does not retry by itself.

    A model that has no retries of its own is returned as it is. Where they can't be
    turned off, the model is returned as it is with one warning per class.

    Args:
        model: The caller's model; it is not changed.
        read_timeout: Seconds after which the copy's clients give up a silent socket,
            where their own time-out is longer.
    """
    clients = _quiet_clients(model, read_timeout)
    if clients or partner_of(model).retries_off:
        copy = model.model_copy(update=_fields(model, read_timeout))
        copy.__dict__.update(clients)
        for name in _DERIVED_CACHES:
            copy.__dict__.pop(name, None)
        return copy
    if getattr(model, "max_retries", None) or partner_of(model).retries_advice:
        _warn_once(model)
    return model


def _fields(model: BaseChatModel, read_timeout: float | None) -> dict[str, Any]:
    partner = partner_of(model)
    fields = {"max_retries": 0, **partner.retries_off}
    fields = {n: v for n, v in fields.items() if n in type(model).model_fields}
    name = partner.timeout_field
    if read_timeout is not None and name:
        own = getattr(model, name)
        fields[name] = min(own, read_timeout) if own else read_timeout
    return fields


def _quiet_clients(
    model: BaseChatModel, read_timeout: float | None = None
) -> dict[str, Any]:
    """Return the model's SDK clients, each replaced by one that does not retry.

    OpenAI, Anthropic, Groq and others share one generator (Stainless): a client has
    `with_options(max_retries=...)`, and a resource such as `chat.completions` is built
    from its client.
    """
    found = {
        name: _quiet(value, read_timeout) for name, value in model.__dict__.items()
    }
    return {name: client for name, client in found.items() if client is not None}


def _quiet(value: Any, read_timeout: float | None) -> Any:
    if _is_client(value):
        options = {"max_retries": 0, **_lowered(value, read_timeout)}
        return value.with_options(**options)
    owner: Any = getattr(value, "_client", None) if _is_sdk_resource(value) else None
    if _is_client(owner):
        return type(value)(_quiet(owner, read_timeout))
    return None


def _lowered(client: Any, read_timeout: float | None) -> dict[str, Any]:
    """Return the option that lowers a client's read time-out, where it is longer."""
    own: Any = getattr(client, "timeout", None)
    if read_timeout is None:
        return {}
    if hasattr(own, "read"):  # httpx.Timeout, httpx2.Timeout
        read = min(own.read, read_timeout) if own.read is not None else read_timeout
        whole = {**own.as_dict(), "read": read}
        return {"timeout": type(own)(**whole)}
    if isinstance(own, (int, float)):
        return {"timeout": min(own, read_timeout)}
    return {"timeout": read_timeout}


def _is_client(value: object) -> bool:
    return hasattr(value, "with_options") and hasattr(value, "max_retries")


def _is_sdk_resource(value: object) -> bool:
    return ".resources." in type(value).__module__


def _warn_once(model: BaseChatModel) -> None:
    cls = type(model)
    if not _warned.is_first(cls):
        return
    logger.warning(
        "%s retries by itself and that can't be turned off from here, so its own "
        "retries multiply with ours: %s",
        cls.__name__,
        partner_of(model).retries_advice or "set max_retries=0 on it",
    )
