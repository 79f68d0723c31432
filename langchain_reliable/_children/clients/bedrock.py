"""Bedrock's clients: botocore's, whose retries and time-outs are fixed when built.

A client can be neither copied nor told otherwise later, so one is built anew by the
model's class, with the configuration of the one that is there. One that the user has
made by other credentials or for another region than the model's fields say is left
alone: a request must never go out under another name.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from langchain_reliable._children.rebuild import rebuilt

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

ADVICE: Final = (
    'build its client with config=botocore.config.Config(retries={"max_attempts": 0})'
)
"""What works for a client that the user has made."""


def without_retries(
    model: BaseChatModel, read_timeout: float | None
) -> BaseChatModel | None:
    """Return a model built anew with a client that sends each request once.

    Returns:
        `None` where the model can't be built anew with the same access.
    """
    client: Any = getattr(model, "client", None)
    try:
        own = client.meta.config
        options: dict[str, Any] = {"retries": {"total_max_attempts": 1}}
        if read_timeout is not None:
            options["read_timeout"] = min(own.read_timeout, read_timeout)
        config = own.merge(import_module("botocore.config").Config(**options))
        fields = {"config": config, "max_retries": None, "timeout": None}
        made = rebuilt(model, fields)
        same = _access(client) == _access(made.client)  # type: ignore[attr-defined] # a field of these classes
    except Exception:  # noqa: BLE001 - whatever AWS's packages raise
        return None
    return made if same else None


def is_quiet(model: BaseChatModel) -> bool:
    """Return whether a model's client sends each request once already."""
    config: Any = getattr(
        getattr(getattr(model, "client", None), "meta", None), "config", None
    )
    retries = getattr(config, "retries", None) or {}
    return retries.get("total_max_attempts") == 1 or retries.get("max_attempts") == 0


def _access(client: Any) -> tuple[object, ...]:
    """Return where a client's requests go and in whose name, without asking anybody.

    Credentials that renew themselves are told by how they are got: to read them could
    mean a request.
    """
    credentials = client._request_signer._credentials
    fixed = type(credentials).__name__ == "Credentials"
    return (
        client.meta.endpoint_url,
        client.meta.region_name,
        type(credentials),
        getattr(credentials, "method", None),
        credentials.access_key if fixed else None,
    )
