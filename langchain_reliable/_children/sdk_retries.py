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

from pydantic import SecretStr

from langchain_reliable._text.log_once import Once

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.language_models import BaseChatModel

logger = logging.getLogger("langchain_reliable")

_FIELD_IS_ENOUGH = {
    # Clients are built later, from the field (langchain-anthropic 1.7.7).
    "langchain_anthropic.chat_models.ChatAnthropic": 0,
    # Sent with each request: attempts, not retries (langchain-google-genai 4.4.3)
    "langchain_google_genai.chat_models.ChatGoogleGenerativeAI": 1,
    # tenacity's stop_after_attempt (langchain-mistralai 1.1.6, -google-vertexai 3)
    "langchain_mistralai.chat_models.ChatMistralAI": 1,
    "langchain_google_vertexai.chat_models.ChatVertexAI": 1,
}
"""Classes whose `max_retries` field is read at each request, and its value for off."""

_NOT_FROM_HERE = {
    "langchain_aws.chat_models.bedrock_converse.ChatBedrockConverse": (
        'pass config=botocore.config.Config(retries={"total_max_attempts": 1})'
    ),
    "langchain_aws.chat_models.bedrock.ChatBedrock": (
        'pass config=botocore.config.Config(retries={"total_max_attempts": 1})'
    ),
}
"""Classes whose client can't be told any more, and what their user can write."""

_SENDS_FINISH = frozenset(
    {
        "langchain_openai.chat_models.base.BaseChatOpenAI",
        "langchain_anthropic.chat_models.ChatAnthropic",
        "langchain_google_genai.chat_models.ChatGoogleGenerativeAI",
        "langchain_google_vertexai.chat_models.ChatVertexAI",
        "langchain_groq.chat_models.ChatGroq",
        "langchain_mistralai.chat_models.ChatMistralAI",
        "langchain_aws.chat_models.bedrock_converse.ChatBedrockConverse",
        "langchain_fireworks.chat_models.ChatFireworks",
    }
)
"""Families whose streams end with a finish reason; all complete recordings of them do.
A cut stream of theirs ends without one and without any exception."""

_TIMEOUT_FIELD = {
    "langchain_anthropic.chat_models.ChatAnthropic": "default_request_timeout",
    "langchain_google_genai.chat_models.ChatGoogleGenerativeAI": "timeout",
}
"""Classes whose clients take their time-out from a field when they are built."""

_DERIVED_CACHES = ("_client_params",)
"""Cached properties made from `max_retries` (langchain-anthropic 1.7.7)."""

_CLIENTS = frozenset({"client", "async_client", "root_client", "root_async_client"})
"""Fields that partner classes fill by themselves when they are built."""

_MODEL_FIELDS = ("model_name", "model", "model_id", "deployment_name")
"""Fields that name the model, in the order to look."""

_KEY_FIELDS = ("api_key", "auth_token")
"""How partner packages end the name of the field that holds the key."""

_AZURE = "langchain_openai.chat_models.azure.AzureChatOpenAI"

_warned = Once()


def managed(model: BaseChatModel, read_timeout: float | None = None) -> BaseChatModel:
    """Return a copy of a model whose SDK does not retry by itself.

    A model that has no retries of its own is returned as it is. Where they can't be
    turned off, the model is returned as it is with one warning per class.

    Args:
        model: The caller's model; it is not changed.
        read_timeout: Seconds after which the copy's clients give up a silent socket,
            where their own time-out is longer.
    """
    clients = _quiet_clients(model, read_timeout)
    off = _field_value_for_off(model)
    if clients or off is not None:
        copy = model.model_copy(update=_fields(model, off or 0, read_timeout))
        copy.__dict__.update(clients)
        for name in _DERIVED_CACHES:
            copy.__dict__.pop(name, None)
        return copy
    if getattr(model, "max_retries", None) or _advice(model):
        _warn_once(model)
    return model


def sends_finish(model: BaseChatModel) -> bool:
    """Return whether a model's streams are known to end with a finish reason."""
    return not _names(model).isdisjoint(_SENDS_FINISH)


def for_model(model: BaseChatModel, name: str) -> BaseChatModel | None:
    """Return a model built anew for another model name; `None` if it can't be.

    It is rebuilt rather than copied, because classes derive other fields from the
    name (langchain-anthropic takes `max_tokens` from the model's profile).
    """
    field = model_field(model)
    if field is None:
        return None
    cls = type(model)
    own = {name: getattr(model, name) for name in _own_fields(model)}
    try:
        given = _without_derived(cls, own, field)
        return cls(**_by_alias(cls, {**given, field: name}))
    except Exception:  # noqa: BLE001 - whatever its validators raise: not rebuildable
        return None


def with_key(model: BaseChatModel, key: SecretStr) -> BaseChatModel:
    """Return a model built anew with another key.

    Raises:
        ValueError: The field of its key can't be told.
    """
    cls = type(model)
    fields = [
        name
        for name, value in model.__dict__.items()
        if name.endswith(_KEY_FIELDS)
        and (isinstance(value, SecretStr) or callable(value))
    ]
    if len(fields) != 1:
        msg = f"the key of {cls.__name__} can't be told from its fields: {fields}"
        raise ValueError(msg)
    own = {name: getattr(model, name) for name in _own_fields(model)}
    return cls(**_by_alias(cls, {**own, fields[0]: key}))


def model_field(model: BaseChatModel) -> str | None:
    """Return the field that names the model; for Azure that is the deployment."""
    if _AZURE in _names(model):
        return "deployment_name"
    fields = type(model).model_fields
    return next((name for name in _MODEL_FIELDS if name in fields), None)


def _own_fields(model: BaseChatModel) -> set[str]:
    """Return the fields that make this model this one: set, or made for it alone."""
    made = {name for name, of in type(model).model_fields.items() if of.default_factory}
    return (model.model_fields_set | made) - _CLIENTS


def _without_derived(
    cls: type[BaseChatModel], own: Mapping[str, Any], field: str
) -> dict[str, Any]:
    """Drop what the class derived by itself from the old name.

    A plain model of the old name shows what that is: numbers, flags and profiles that
    it has too were not given by the user.
    """
    kept = {name: value for name, value in own.items() if _is_given(name, value)}
    plain = cls(**_by_alias(cls, {**kept, field: own[field]}))
    return {
        name: value
        for name, value in own.items()
        if name in kept or getattr(plain, name, None) != value
    }


def _is_given(name: str, value: object) -> bool:
    """Only numbers, flags and the profile are ever derived from a name."""
    return name != "profile" and not isinstance(value, (bool, int, float, type(None)))


def _by_alias(cls: type[BaseChatModel], values: Mapping[str, Any]) -> dict[str, Any]:
    if cls.model_config.get("populate_by_name"):
        return dict(values)
    aliases = {name: info.alias or name for name, info in cls.model_fields.items()}
    return {aliases.get(name, name): value for name, value in values.items()}


def _field_value_for_off(model: BaseChatModel) -> int | None:
    names = _names(model)
    return next(
        (off for known, off in _FIELD_IS_ENOUGH.items() if known in names), None
    )


def _advice(model: BaseChatModel) -> str | None:
    names = _names(model)
    return next((say for known, say in _NOT_FROM_HERE.items() if known in names), None)


def _names(model: BaseChatModel) -> set[str]:
    return {f"{cls.__module__}.{cls.__qualname__}" for cls in type(model).__mro__}


def _fields(
    model: BaseChatModel, off: int, read_timeout: float | None
) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if "max_retries" in type(model).model_fields:
        fields["max_retries"] = off
    known = _names(model) & _TIMEOUT_FIELD.keys()
    if read_timeout is not None and known:
        name = _TIMEOUT_FIELD[known.pop()]
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
        _advice(model) or "set max_retries=0 on it",
    )
