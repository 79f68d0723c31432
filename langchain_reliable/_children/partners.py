"""Whose class a chat model is: the family that shares one API.

Telling families apart by the names of classes, so that no SDK is imported, lives here.
What differs between them stands where it matters.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.language_models import BaseChatModel

Family: TypeAlias = Literal["openai", "anthropic", "google"]

_FAMILIES: Mapping[str, Family] = {
    "langchain_openai.chat_models.base.BaseChatOpenAI": "openai",
    "langchain_anthropic.chat_models.ChatAnthropic": "anthropic",
    "langchain_google_genai.chat_models.ChatGoogleGenerativeAI": "google",
    "langchain_google_vertexai.chat_models.ChatVertexAI": "google",
}

_PROVIDERS: Mapping[str, Family] = {
    "openai": "openai",
    "azure": "openai",
    "anthropic": "anthropic",
    "google_genai": "google",
    "google_vertexai": "google",
}
"""What messages say under `model_provider`."""

_PARTNER: Final = re.compile(r"langchain_(?!reliable\.)")
"""How the modules of partner packages begin; a model of ours asks others in turn."""

_OPENAI_HOSTS: Final = ("api.openai.com", ".azure.com", ".azure-api.net")


def names_of(cls: type) -> set[str]:
    """Return the qualified names of a class and all it is made of."""
    return {f"{one.__module__}.{one.__qualname__}" for one in cls.__mro__}


def family_of(model: object) -> Family | None:
    """Return the family of a chat model; `None` for one we know nothing of."""
    names = names_of(type(model))
    return next((family for name, family in _FAMILIES.items() if name in names), None)


def family_named(provider: object) -> Family | None:
    """Return the family of a `model_provider`, as a message tells it."""
    return _PROVIDERS.get(provider) if isinstance(provider, str) else None


def asks_openai(model: object) -> bool:
    """Return whether a chat model asks OpenAI or Azure, and no gateway in their form.

    `ChatOpenAI` serves for both, and what OpenAI refuses a gateway may understand.
    """
    client: Any = getattr(model, "root_client", None)
    host = str(getattr(getattr(client, "base_url", None), "host", ""))
    return family_of(model) == "openai" and host.endswith(_OPENAI_HOSTS)


def is_foreign(author: object, model: BaseChatModel) -> bool:
    """Return whether an answer may hold what only another provider understands.

    Args:
        author: The answer's `model_provider`, if it tells one.
        model: Who is to read it. A class of the user's own may understand whatever it
            likes, and a partner class reads what its own provider said.
    """
    cls = f"{type(model).__module__}.{type(model).__qualname__}".lower()
    if not isinstance(author, str) or not _PARTNER.match(cls):
        return False
    reader, family = family_of(model), family_named(author)
    if family is not None:
        return family != reader if reader else family not in cls
    own = model._get_ls_params().get("ls_provider")
    return reader is not None and author != own
