"""Several keys for one model.

Building a group of one model with different keys lives here. What a group does, and
that each key has a health of its own, follows from their identities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import SecretStr

from langchain_reliable._copies import with_key
from langchain_reliable.candidates import Candidate, Group

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.language_models import BaseChatModel

    from langchain_reliable.policies import Order


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
        model: A model of OpenAI, Azure, Anthropic, Google, Groq or Mistral (or any with
            one secret field for its key); it is not changed.
        keys: The keys, in the order to use them.
        order: Which is used first: always the first (`"ordered"`), each in turn
            (`"round_robin"`).

    Raises:
        ValueError: There is no key, one is empty, or the model's key can't be found.
    """
    if isinstance(keys, (str, SecretStr)) or not keys:
        msg = 'rotate_keys takes a list of keys: rotate_keys(model, ["key1", "key2"])'
        raise ValueError(msg)
    secrets = [key if isinstance(key, SecretStr) else SecretStr(key) for key in keys]
    if empty := [
        at for at, key in enumerate(secrets) if not key.get_secret_value().strip()
    ]:
        raise ValueError(f"key {empty[0]} is empty")
    return Group([Candidate(with_key(model, key)) for key in secrets], order=order)
