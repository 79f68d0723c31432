"""Copies of objects that differ in one place, however deep it lies.

A caller's model is read and never changed, so whatever stands on the way to that place
is copied, one layer each: the copy's client is its own, its connections are shared.
"""

from __future__ import annotations

from copy import copy
from functools import lru_cache
from inspect import ismethod
from types import MethodType
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from langchain_reliable._children.clients.watched_http import watched

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def changed(owner: T, path: str, change: Callable[[Any], Any]) -> T:
    """Return a copy in which one value is another; the object itself if it stays.

    Args:
        owner: An object or dictionary; it is not changed.
        path: Names of attributes or keys, with dots between. Where a model has no such
            field, or there is nothing on the way, nothing is changed.
        change: Returns the new value for the old one.
    """
    name, _, rest = path.partition(".")
    if isinstance(owner, BaseModel) and name not in _values(owner):
        return owner
    old = owner.get(name) if isinstance(owner, dict) else getattr(owner, name, None)
    if rest and old is None:
        return owner
    new = changed(old, rest, change) if rest else change(old)
    plain = type(new) is type(old) and isinstance(new, (int, float))
    if new is old or (plain and new == old):  # 0 is not False
        return owner
    made: Any = _copied(owner)
    if isinstance(made, dict):
        made[name] = new
    elif isinstance(made, BaseModel) and name not in (made.__pydantic_private__ or {}):
        made.__dict__[name] = new  # past validators of assignments
    else:
        setattr(made, name, new)
    return made  # type: ignore[no-any-return] # a copy of its owner


def without(owner: T, path: str) -> T:
    """Return a copy that has not kept a value, which is then made anew."""
    name, _, rest = path.partition(".")
    if name not in _values(owner):
        return owner
    if rest:
        return changed(owner, name, lambda inside: without(inside, rest))
    made = _copied(owner)
    made.__dict__.pop(name, None)
    return made


def _values(owner: object) -> dict[str, Any]:
    """Return the dictionary of an object's own values; a model's private ones too."""
    if isinstance(owner, BaseModel) and (private := owner.__pydantic_private__):
        return {**owner.__dict__, **private}
    return owner if isinstance(owner, dict) else getattr(owner, "__dict__", {})


@lru_cache(maxsize=64)
def _without_end(cls: type) -> type:
    """Return a class whose objects close nothing when they are dropped.

    What a copy shares with the original is the original's to close.
    """
    end = {"__del__": lambda _: None, "__module__": cls.__module__}
    return type(cls.__name__, (cls,), end)


def _copied(owner: T) -> T:
    made: T
    if isinstance(owner, BaseModel):
        made = owner.model_copy()
    else:
        made = watched(owner) or copy(owner)
        cls: Any = type(made)
        if hasattr(cls, "__del__"):
            made.__class__ = _without_end(cls)
    for name, value in list(getattr(made, "__dict__", {}).items()):
        # An object may keep methods of its own; the copy's must see the copy.
        if ismethod(value) and value.__self__ is owner:
            made.__dict__[name] = MethodType(value.__func__, made)
    return made
