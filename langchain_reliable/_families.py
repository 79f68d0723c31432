"""Whose class a chat model is: the family that shares one API.

Telling families apart by the names of classes, so that no SDK is imported, lives here.
What differs between them stands where it matters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

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
