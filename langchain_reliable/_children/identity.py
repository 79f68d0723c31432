"""Who a candidate is across calls and models: provider, model, endpoint, key.

Reading an identity off a child, with the key as a one-way fingerprint, lives here. What
is known of it lives in the ledger.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr

from langchain_reliable._children.partners import partner_of
from langchain_reliable._children.prepare import bare_model, own_model

if TYPE_CHECKING:
    from collections.abc import Hashable

    from langchain_reliable.candidates import Candidate

_SALT = secrets.token_bytes(16)
"""Of this process: a fingerprint can't be looked up anywhere."""


class ByObject:
    """An object as a key: equal to itself alone, and kept alive by it."""

    __slots__ = ("_of",)

    def __init__(self, of: object) -> None:
        self._of = of

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByObject) and other._of is self._of

    def __hash__(self) -> int:
        return id(self._of)


class CandidateKey:
    """Who somebody is; hashed once, since it is looked up several times in a call."""

    __slots__ = ("_hash", "_parts")

    def __init__(self, *parts: Hashable) -> None:
        self._hash = hash(parts)
        self._parts = parts

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, CandidateKey) and other._parts == self._parts

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"Identity{self._parts!r}"


def identity(candidate: Candidate, model: str | None) -> CandidateKey:
    """Return who a candidate is when it is asked for a model.

    Where provider, model, endpoint and key can all be read, two candidates that agree
    in them are one. Otherwise it is the object that the user gave. A name that the user
    gave is part of it.
    """
    child = bare_model(candidate)
    asked = model or own_model(candidate)
    who = _readable(child, asked) if isinstance(child, BaseChatModel) else None
    return CandidateKey(candidate.name, asked, ByObject(child) if who is None else who)


def _readable(child: BaseChatModel, asked: str | None) -> Hashable | None:
    key = _key_of(child)
    if asked is None or key is None:
        return None
    cls = type(child)
    endpoints = tuple(
        str(getattr(child, name, None)) for name in partner_of(child).endpoint_fields
    )
    return f"{cls.__module__}.{cls.__qualname__}", endpoints, key


def _key_of(child: BaseChatModel) -> Hashable | None:
    """Return a fingerprint of the keys; a callable that makes them counts as itself."""
    values = {name: getattr(child, name, None) for name in type(child).model_fields}
    made = [value for name, value in values.items() if _makes_keys(name, value)]
    if made:
        return tuple(map(ByObject, made))
    secret = [v.get_secret_value() for v in values.values() if isinstance(v, SecretStr)]
    return fingerprint("\n".join(secret)) if any(secret) else None


def _makes_keys(name: str, value: Any) -> bool:
    return name.endswith(("api_key", "token_provider")) and callable(value)


def fingerprint(secret: str) -> str:
    """Return what tells two secrets apart without telling either."""
    return hashlib.blake2b(secret.encode(), key=_SALT, digest_size=8).hexdigest()
