"""A model written down and read again: LangChain's `dumpd` and `load`.

Each child writes itself down, with its secrets as names; no key is ever written.
"""

from __future__ import annotations

from inspect import isfunction
from typing import TYPE_CHECKING, Any

from langchain_reliable.candidates import Candidate, Group

if TYPE_CHECKING:
    from collections.abc import Mapping


_VALUES = ("budget", "hedge")
"""Settings of a candidate that are values of ours."""


def written(item: Candidate | Group) -> Any:
    """Return an entry of `models` in a form that can be written down."""
    if isinstance(item, Group):
        members = [written(one) for one in item.members]
        return {"members": members, "order": item.order}
    given = {name: getattr(item, name) for name in item.model_fields_set}
    for name in _VALUES:
        if (value := given.get(name)) is not None:
            given[name] = value.model_dump()
    return given if len(given) > 1 else item.model


def read(entry: Any) -> Any:
    """Return what was written down as what a user would write."""
    if not isinstance(entry, dict):
        return entry
    if "members" in entry:
        return Group([read(one) for one in entry["members"]], order=entry["order"])
    settings = {name: value for name, value in entry.items() if name != "model"}
    return Candidate(entry["model"], **settings) if "model" in entry else entry


def not_on_paper(function: object) -> object:
    """Return what LangChain writes down as `not_implemented`, and `load` refuses.

    A model read without its `accept` would accept anything. What a function is bound to
    is left out: its `repr` may show a key.
    """
    plain = getattr(function, "__func__", function)
    return plain if isfunction(plain) else type(plain)


def on_paper(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return constructor arguments that can be written down."""
    return {
        name: value.model_dump() if hasattr(value, "model_dump") else value
        for name, value in kwargs.items()
    }
