"""Models built anew from their fields: for another model name, or another key."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from langchain_reliable._children.partners import partner_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.language_models import BaseChatModel


def rebuilt_for_model(model: BaseChatModel, name: str) -> BaseChatModel | None:
    """Return a model built anew for another model name; `None` if it can't be.

    It is rebuilt rather than copied, because classes derive other fields from the
    name (langchain-anthropic takes `max_tokens` from the model's profile).
    """
    field = model_field(model)
    if field is None:
        return None
    cls, own = type(model), _own(model)
    try:
        # A plain model of the old name shows what the class derived from it: numbers,
        # flags and profiles that it has too were not given by the user.
        kept = {
            name: value
            for name, value in own.items()
            if name != "profile"
            and not isinstance(value, (bool, int, float, type(None)))
        }
        plain = cls(**_by_alias(cls, {**kept, field: own[field]}))
        given = {
            name: value
            for name, value in own.items()
            if name in kept or getattr(plain, name, None) != value
        }
        return cls(**_by_alias(cls, {**given, field: name}))
    except Exception:  # noqa: BLE001 - whatever its validators raise: not rebuildable
        return None


def rebuilt(model: BaseChatModel, fields: Mapping[str, Any]) -> BaseChatModel:
    """Return a model built anew with some fields changed.

    Raises:
        Exception: Whatever its class says against it.
    """
    cls = type(model)
    return cls(**_by_alias(cls, {**_own(model), **fields}))


def rebuilt_with_key(model: BaseChatModel, key: SecretStr) -> BaseChatModel:
    """Return a model built anew with another key.

    Raises:
        ValueError: The field of its key can't be told.
    """
    field = key_field(model)
    if field is None:
        msg = f"the key of {type(model).__name__} can't be told from its fields"
        raise ValueError(msg)
    is_text = isinstance(getattr(model, field, None), str)  # ChatLiteLLM's are
    return rebuilt(model, {field: key.get_secret_value() if is_text else key})


def key_field(model: BaseChatModel) -> str | None:
    """Return the field that holds the key, or would: a known one, else the only one."""
    partner, fields = partner_of(model), type(model).model_fields
    if known := [
        n for n in partner.key_fields if n in fields or n in partner.arguments
    ]:
        return next((n for n in known if getattr(model, n, None)), known[0])
    found = [
        name
        for name, value in model.__dict__.items()
        if name.endswith(("api_key", "auth_token"))
        and (isinstance(value, SecretStr) or callable(value))
    ]
    return found[0] if len(found) == 1 else None


def model_field(model: BaseChatModel) -> str | None:
    """Return the field that names the model; for Azure that is the deployment."""
    fields = type(model).model_fields
    known = [name for name in partner_of(model).model_fields if name in fields]
    given = (name for name in known if getattr(model, name, None))
    return next(given, known[0] if known else None)


def _own(model: BaseChatModel) -> dict[str, Any]:
    """Return what makes this model this one: fields set, or made for it alone."""
    partner = partner_of(model)
    made = {name for name, of in type(model).model_fields.items() if of.default_factory}
    names = (model.model_fields_set | made) - partner.built
    own = {name: getattr(model, name) for name in names}
    kept = {name: attrgetter(path)(model) for name, path in partner.arguments.items()}
    return {**own, **kept}


def _by_alias(cls: type[BaseChatModel], values: Mapping[str, Any]) -> dict[str, Any]:
    if cls.model_config.get("populate_by_name"):
        return dict(values)
    aliases = {name: info.alias or name for name, info in cls.model_fields.items()}
    return {aliases.get(name, name): value for name, value in values.items()}
