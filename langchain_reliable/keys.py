"""Several keys for one model, as a group of candidates.

Each key has a health of its own, since a candidate's key is part of what tells it from
others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr

from langchain_reliable._children.rebuild import rebuilt_with_key
from langchain_reliable.candidates import Candidate, Group

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_reliable.policies import Order

_SAY = 'rotate_keys(ChatOpenAI(model=...), ["key1", "key2"])'


def rotate_keys(
    model: BaseChatModel,
    keys: Sequence[str | SecretStr],
    *,
    order: Order = "ordered",
) -> Group:
    """Make a group of one model with several keys.

    When a key is rate limited, out of quota or refused, the next free one is asked at
    once; each has a health of its own. No key is in any name, log or repr.

    Args:
        model: A model of a partner class with a key (docs/partners.md), or of any other
            that has one secret field for its key; it is not changed.
        keys: The keys, in the order to use them.
        order: Which is used first: always the first (`"ordered"`), each in turn
            (`"round_robin"`).

    Raises:
        TypeError: The model is no chat model, or a key is no string.
        ValueError: There is no key, one is empty or missing, or the model's key can't
            be found.
    """
    if not isinstance(model, BaseChatModel):
        kind = type(model).__name__
        msg = f"the model comes first, not a value of type {kind}: {_SAY}"
        raise TypeError(msg)
    if isinstance(keys, (str, SecretStr, Mapping)) or not keys:
        msg = f"rotate_keys takes a list of keys: {_SAY}"
        raise ValueError(msg)
    if not isinstance(keys, Iterable):
        msg = f"rotate_keys takes a list of keys, no {type(keys).__name__}: {_SAY}"
        raise TypeError(msg)
    secrets = [_secret(key, at) for at, key in enumerate(keys)]
    return Group(
        [Candidate(rebuilt_with_key(model, key)) for key in secrets], order=order
    )


def _secret(key: object, at: int) -> SecretStr:
    if key is None:
        msg = f"key {at} is None: is the environment variable set that it comes from?"
        raise ValueError(msg)
    if not isinstance(key, (str, SecretStr)):
        msg = f"key {at} is of type {type(key).__name__}; write a string or a SecretStr"
        raise TypeError(msg)
    secret = key if isinstance(key, SecretStr) else SecretStr(key)
    if not secret.get_secret_value().strip():
        msg = f"key {at} is empty"
        raise ValueError(msg)
    return secret
