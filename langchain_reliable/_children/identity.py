"""What tells candidates apart: keys for health, for rate limits and for accounts.

Everything that may decide where a request goes counts, unless it is known to shape the
answer alone (sampling, tools, stop words). What can't be read counts by object. So two
routes are never taken for one; two keys for one route only cost a little knowledge.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from langchain_core.language_models import BaseChatModel
from pydantic import BaseModel, SecretBytes, SecretStr

from langchain_reliable._children.base import bare_model, own_model, unwrapped
from langchain_reliable._children.rebuild import model_field

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from langchain_reliable.candidates import Candidate

_PERSON = b"langchain-reliab"
"""Makes our fingerprints differ from all other hashes of the same keys. They are the
same in every process: that is how several know that they speak of one candidate."""

_SHAPES_THE_ANSWER: Final = frozenset(
    {
        *("temperature", "penalty", "seed", "stop", "logprobs", "logit", "top", "tfs"),
        *("typical", "mirostat", "beam", "beams", "eos", "n", "tokens", "ctx", "min"),
        *("reasoning", "thinking", "thoughts", "effort", "verbosity", "guided"),
        *("stream", "streaming", "response", "modalities", "format", "suffix", "echo"),
        *("tool", "tools", "functions", "function", "parallel", "strict", "safe"),
        *("truncation", "store", "include", "image", "media", "safety", "best"),
        *("convert", "disabled", "cached", "cache", "tiktoken", "context", "length"),
    }
)
"""Words in the names of settings that never decide where a request goes."""

_KEPT_HERE: Final = frozenset(
    {
        *("max_retries", "timeout", "request_timeout", "default_request_timeout"),
        *("model_kwargs", "model", "model_name", "lc_attributes", "messages"),
    }
)
"""Settings of the client, and what is read in another way."""

_NOT_ABOUT_LIMITS: Final = re.compile(r"headers|tier|betas")
"""Settings that providers do not count by."""

CLIENTS: Final = frozenset(
    {"client", "async_client", "root_client", "root_async_client"}
)
"""Fields that partner classes fill by themselves, from others."""

_PLAIN: Final = (type(None), bool, int, float, str, bytes, Enum)

_DEPLOYMENT: Final = re.compile(r"/deployments/[^/]+")
"""How Azure's addresses name the model."""


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
        return f"CandidateKey{self._parts!r}"


def identity(candidate: Candidate, model: str | None) -> CandidateKey:
    """Return the health key of a candidate when it is asked for a model.

    It holds where the request goes: class, endpoint, account, key, organization,
    headers, service tier and so on, and the name that the user gave. Settings count
    wherever they stand: on the child, bound to it, or in `Candidate(kwargs=...)`.
    """
    asked = model or own_model(candidate)
    return CandidateKey(candidate.name, asked, *_route(candidate, for_limits=False))


def limits_key(candidate: Candidate, model: str | None) -> CandidateKey:
    """Return what a provider's rate limits hang on.

    It is the health key without name, tier, headers and betas: two candidates that
    differ in those alone draw from one limit.
    """
    asked = model or own_model(candidate)
    return CandidateKey(asked, *_route(candidate, for_limits=True))


def account_key(candidate: Candidate) -> CandidateKey:
    """Return whose account at which endpoint a candidate uses, for whatever model."""
    if (known := candidate._kept.get("account")) is None:
        known = CandidateKey(*_route(candidate, for_limits=True))
        candidate._kept["account"] = known
    return known


def _route(candidate: Candidate, *, for_limits: bool) -> tuple[Hashable, ...]:
    kept = "route for limits" if for_limits else "route"
    if (known := candidate._kept.get(kept)) is None:
        known = candidate._kept[kept] = _read_route(candidate, for_limits=for_limits)
    return known


def _read_route(candidate: Candidate, *, for_limits: bool) -> tuple[Hashable, ...]:
    child = bare_model(candidate)
    # One that tells no key finds it later, by an SDK and wherever it looks: then
    # nobody can tell two accounts apart.
    if not isinstance(child, BaseChatModel) or not any(
        is_key(name, getattr(child, name, None)) for name in type(child).model_fields
    ):
        return (ByObject(child), *_facts_of(keywords_of(candidate), for_limits))
    # All its own fields may decide where a request goes, but for the model's name.
    named_by = model_field(child)
    fields = type(child).model_fields.keys() - BaseChatModel.model_fields.keys()
    found: dict[str, Any] = {}
    for name in sorted(fields - {named_by}):
        value = getattr(child, name, None)
        is_client = name in CLIENTS or hasattr(value, "meta")  # botocore's
        found[name] = address_of(value) if is_client else value
    settings = {**found, **keywords_of(candidate)}
    return (type(child), *_facts_of(settings, for_limits))


def keywords_of(candidate: Candidate) -> dict[str, Any]:
    """Return what is sent with every request of a candidate, wherever it was said."""
    model, bound, _ = unwrapped(candidate.model)
    own = getattr(model, "model_kwargs", None) or {}
    said = {**own, **bound, **candidate.kwargs}
    return {name: value for name, value in said.items() if value is not None}


def _facts_of(settings: Mapping[str, Any], for_limits: bool) -> tuple[Hashable, ...]:  # noqa: FBT001 - of this file
    """Return a fingerprint of what can be read, and the objects that can't."""
    objects: list[Hashable] = []

    def by_object(value: object) -> str:
        objects.append(ByObject(value))
        return "object"

    told = {
        name: value
        for name, value in settings.items()
        if _is_of_the_route(name)
        and not (for_limits and _NOT_ABOUT_LIMITS.search(name))
    }
    if isinstance(body := told.get("extra_body"), Mapping):
        told["extra_body"] = {n: v for n, v in body.items() if _is_of_the_route(n)}
    facts = {
        name: value
        for name, value in told.items()
        if value is not None
        and (not isinstance(value, Mapping | list | tuple) or value)
    }
    return fingerprint(spelled(facts, by_object)), *objects


def _is_of_the_route(name: str) -> bool:
    return name not in _KEPT_HERE and _SHAPES_THE_ANSWER.isdisjoint(name.split("_"))


# --- a child's fields -------------------------------------------------------------


def address_of(client: Any) -> dict[str, str] | None:
    """Return where an SDK's client sends requests, as far as it tells."""
    told = getattr(client, "meta", client)  # botocore keeps it there
    names = ("base_url", "endpoint_url", "region_name", "organization", "project")
    found = {name: getattr(told, name, None) for name in names}
    address = {
        name: str(value)
        for name, value in found.items()
        if value and (isinstance(value, str) or type(value).__name__ == "URL")
    }
    if "base_url" in address:
        address["base_url"] = _DEPLOYMENT.sub("", address["base_url"])
    return address or None


def is_key(name: str, value: Any) -> bool:
    """Return whether a field holds a key, or makes one."""
    if isinstance(value, SecretStr):
        return bool(value.get_secret_value())
    if name.endswith(("api_key", "token_provider")):
        return callable(value) or (isinstance(value, str) and bool(value))
    return False


# --- values as text ---------------------------------------------------------------


def spelled(value: Any, unreadable: Callable[[object], str]) -> str:
    """Return a value as text: equal values alike, in whatever order they were said.

    Args:
        value: Settings, as deep as they are.
        unreadable: Says what to write for an object that can't be read.
    """
    if isinstance(value, SecretStr | SecretBytes):
        return repr(value.get_secret_value())
    if isinstance(value, Mapping):
        pairs = ((spelled(k, unreadable), spelled(value[k], unreadable)) for k in value)
        return f"{{{','.join(sorted(f'{k}:{v}' for k, v in pairs))}}}"
    if isinstance(value, list | tuple | set | frozenset):
        ones = [spelled(one, unreadable) for one in value]
        return (
            f"[{','.join(ones if isinstance(value, list | tuple) else sorted(ones))}]"
        )
    if isinstance(value, BaseModel):
        return named(type(value)) + spelled(dict(value), unreadable)
    is_plain = value is None or isinstance(
        value, bool | int | float | str | bytes | Enum
    )
    return repr(value) if is_plain else unreadable(value)


def named(cls: type) -> str:
    """Return the full name of a class."""
    return f"{cls.__module__}.{cls.__qualname__}"


def fingerprint(secret: str) -> str:
    """Return what tells two secrets apart without telling either."""
    return hashlib.blake2b(secret.encode(), person=_PERSON, digest_size=8).hexdigest()


# --- in every process -----------------------------------------------------------------


def shared_identity(key: Hashable, name: str | None) -> str | None:
    """Return who a candidate is as text, the same in every process.

    Keys are part of it as fingerprints only. An identity may hold objects, which mean
    nothing elsewhere. Where the user has given the candidate a name, that name (with
    its class and model) tells who it is; where not, nobody else can know.

    Args:
        key: The identity in this process.
        name: What the user has called the candidate, if anything.

    Returns:
        Text; `None` where other processes could not know that it is the same.
    """
    objects: list[ByObject] = []
    text = _spelled(key, objects)
    return text if name is not None or not objects else None


def _spelled(part: Any, objects: list[ByObject]) -> str:
    match part:
        case CandidateKey():
            return _spelled(part._parts, objects)
        case tuple():
            return f"({','.join(_spelled(one, objects) for one in part)})"
        case ByObject():
            objects.append(part)
            cls = type(part._of)
            return f"object {cls.__module__}.{cls.__qualname__}"
        case type():
            return f"{part.__module__}.{part.__qualname__}"
        case _:
            return repr(part)
