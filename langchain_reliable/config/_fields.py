"""Which dialect a configuration speaks, and the fields that ours means."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

from langchain_reliable.candidates import Candidate, Group, opened_by_name
from langchain_reliable.config._checked import candidate_of, said_at, unknown
from langchain_reliable.config._litellm import fields_from_litellm
from langchain_reliable.config._source import filled_in, plain_values

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Mapping

_IN_PYTHON: Final = frozenset(
    {"accept", "classify", "observers", "health", "cache", "callbacks", "rate_limiter"}
)
"""Fields that hold code or live objects; a file can name neither."""


def fields_from_config(
    source: Mapping[str, Any] | str | os.PathLike[str],
    group: str | None = None,
    *,
    known: Collection[str],
) -> dict[str, Any]:
    """Return the fields of a model that is written down.

    Args:
        source: A mapping, or the path of a YAML or JSON file.
        group: The `model_name` to begin with, in LiteLLM's dialect; by default the
            first.
        known: The fields that a model has.

    Raises:
        ValueError: Something can't be taken over; the text says what, where it stands
            and what to write.
    """
    values = plain_values(source)
    if "model_list" in values:
        return fields_from_litellm(values, group, known=known)
    if group is not None:
        msg = "group= is for files with a `model_list`; here the first of `models` is"
        raise ValueError(f"{msg} asked first")
    if "models" not in values:
        msg = "a configuration has `models` (ours) or `model_list` (LiteLLM's Router)"
        raise ValueError(msg)
    return {name: _field(name, value, known) for name, value in values.items()}


def _field(name: str, value: Any, known: Collection[str]) -> Any:
    if name in _IN_PYTHON:
        msg = (
            f"{name}: a file can't hold it; pass it in Python: "
            f"from_config(..., {name}=...)"
        )
        raise ValueError(msg)
    if name not in known:
        raise ValueError(unknown(name, name, known))
    if name != "models":
        return filled_in(value, name)
    if not isinstance(value, list):
        msg = "models: write a list, in the order to ask"
        raise ValueError(msg)
    return [_entry(one, f"models[{at}]") for at, one in enumerate(value)]


def _entry(entry: Any, where: str) -> Any:
    if isinstance(entry, list):
        return [_entry(one, f"{where}[{at}]") for at, one in enumerate(entry)]
    if isinstance(entry, str):
        return filled_in(entry, where)
    if not isinstance(entry, dict):
        msg = f'{where}: write "provider:model", a candidate or a group'
        raise ValueError(msg)
    if "members" in entry:
        return _group(entry, where)
    return _candidate(entry, where)


def _group(entry: dict[str, Any], where: str) -> Group:
    members, settings = entry["members"], {**entry}
    del settings["members"]
    if not isinstance(members, list):
        msg = f"{where}.members: write a list"
        raise ValueError(msg)
    _check_names(settings, where, Group.model_fields)
    one_by_one = enumerate(members)
    listed = [_entry(one, f"{where}.members[{at}]") for at, one in one_by_one]
    filled = filled_in(settings, where)
    with said_at(where):
        return Group(listed, **filled)


def _candidate(entry: dict[str, Any], where: str) -> Candidate:
    settings = {**entry}
    params, name = settings.pop("params", {}), settings.pop("model", None)
    if not isinstance(name, str):
        msg = f'{where}: write model: "provider:model"'
        raise ValueError(msg)
    if not isinstance(params, dict):
        msg = f"{where}.params: write what the model's class takes, such as base_url"
        raise ValueError(msg)
    _check_names(settings, where, Candidate.model_fields)
    asked, given = (
        filled_in(name, f"{where}.model"),
        filled_in(params, f"{where}.params"),
    )
    with said_at(where), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "WARNING! .* is not default parameter")
        opened = opened_by_name(asked, **given)
    _check_params(opened, given, f"{where}.params")
    return candidate_of(opened, filled_in(settings, where), where)


def _check_params(opened: Any, given: Mapping[str, Any], where: str) -> None:
    """See that a class knows what it was given, and does not hand it on unread.

    Raises:
        ValueError: It does not.
    """
    fields = getattr(type(opened), "model_fields", {})
    known = {*fields, *(one.alias for one in fields.values() if one.alias)}
    handed_on = getattr(opened, "model_kwargs", None) or {}
    for name in given:
        if name in handed_on and name not in known:
            raise ValueError(unknown(f"{where}.{name}", name, known))


def _check_names(
    settings: Mapping[str, Any], where: str, known: Collection[str]
) -> None:
    for name in settings:
        if name not in known:
            more = {*known, "params"} if "model" in known else known
            raise ValueError(unknown(f"{where}.{name}", name, more))
