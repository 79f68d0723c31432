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

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.language_models import BaseChatModel

logger = logging.getLogger("langchain_reliable")

_FIELD_IS_ENOUGH = {
    # Clients are built later, from the field (langchain-anthropic 1.7.7).
    "langchain_anthropic.chat_models.ChatAnthropic": 0,
    # Sent with each request; 0 means "the SDK's default" (langchain-google-genai 4.4.2)
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

_DERIVED_CACHES = ("_client_params",)
"""Cached properties made from `max_retries` (langchain-anthropic 1.7.7)."""

_CLIENTS = frozenset({"client", "async_client", "root_client", "root_async_client"})
"""Fields that partner classes fill by themselves when they are built."""

_MODEL_FIELDS = ("model_name", "model", "model_id", "deployment_name")
"""Fields that name the model, in the order to look."""

_AZURE = "langchain_openai.chat_models.azure.AzureChatOpenAI"

_warned: set[type] = set()


def without_retries(model: BaseChatModel) -> BaseChatModel:
    """Return a copy of a model whose SDK does not retry by itself.

    A model that has no retries of its own is returned as it is. Where they can't be
    turned off, the model is returned as it is with one warning per class.
    """
    clients = _quiet_clients(model)
    off = _field_value_for_off(model)
    if clients or off is not None:
        has_field = "max_retries" in type(model).model_fields
        field = {"max_retries": off or 0} if has_field else {}
        copy = model.model_copy(update=field)
        copy.__dict__.update(clients)
        for name in _DERIVED_CACHES:
            copy.__dict__.pop(name, None)
        return copy
    if getattr(model, "max_retries", None) or _advice(model):
        _warn_once(model)
    return model


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


def _quiet_clients(model: BaseChatModel) -> dict[str, Any]:
    """Return the model's SDK clients, each replaced by one that does not retry.

    OpenAI, Anthropic, Groq and others share one generator (Stainless): a client has
    `with_options(max_retries=...)`, and a resource such as `chat.completions` is built
    from its client.
    """
    found = {name: _quiet(value) for name, value in model.__dict__.items()}
    return {name: client for name, client in found.items() if client is not None}


def _quiet(value: Any) -> Any:
    if _is_client(value):
        return value.with_options(max_retries=0)
    owner: Any = getattr(value, "_client", None) if _is_sdk_resource(value) else None
    if _is_client(owner):
        return type(value)(owner.with_options(max_retries=0))
    return None


def _is_client(value: object) -> bool:
    return hasattr(value, "with_options") and hasattr(value, "max_retries")


def _is_sdk_resource(value: object) -> bool:
    return ".resources." in type(value).__module__


def _warn_once(model: BaseChatModel) -> None:
    cls = type(model)
    if cls in _warned:
        return
    _warned.add(cls)
    logger.warning(
        "%s retries by itself and that can't be turned off from here, so its own "
        "retries multiply with ours: %s",
        cls.__name__,
        _advice(model) or "set max_retries=0 on it",
    )
