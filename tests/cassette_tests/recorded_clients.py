"""Who stands behind a cassette: the simulator or a live provider, or on replay nobody.

Making real clients for them lives here. What is kept of what they say never does.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cassette_settings import SIMULATOR
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI

from langchain_reliable import Candidate

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from langchain_reliable.testing import Reply, Simulator

CASSETTES: Final = Path(__file__).parents[2] / "cassettes"

BACKUP_OF: Final = {"openai": "anthropic", "anthropic": "openai"}

PARTNERS: Final = {
    "bedrock": ("langchain_aws", "ChatBedrockConverse", "endpoint_url"),
    "cohere": ("langchain_cohere", "ChatCohere", "base_url"),
    "google": ("langchain_google_genai", "ChatGoogleGenerativeAI", "base_url"),
    "ollama": ("langchain_ollama", "ChatOllama", "base_url"),
    "openrouter": ("langchain_openrouter", "ChatOpenRouter", "base_url"),
}
"""Families beyond the two: package, class, and where its address is set. They are
recorded from the simulator only, and skipped where the package is missing."""

_PARTNER_FIELDS: Final[dict[str, dict[str, Any]]] = {
    "bedrock": {
        "region_name": "us-east-1",
        "aws_access_key_id": "made-up",
        "aws_secret_access_key": "made-up",
    },
    "cohere": {"cohere_api_key": "made-up-key"},
    "google": {"api_key": "made-up-key"},
    "ollama": {},
    "openrouter": {"api_key": "made-up-key"},
}

LIVE_KEYS: Final = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
"""Environment variables, asked for only to record from live providers."""

_MODELS: Final = {
    "simulator": {"openai": "gpt-{}", "anthropic": "claude-{}"},
    "live": {"openai": "gpt-4.1-mini", "anthropic": "claude-haiku-4-5"},
}
_PARTNER_MODELS: Final = {"bedrock": "anthropic.claude-3-5-haiku-20241022-v1:0"}
_LIVE: Final = {
    "openai": "https://api.openai.com",
    "anthropic": "https://api.anthropic.com",
}

_NOTHING_KEPT_OPEN: Final = {"connection": "close"}
"""Partner packages share one HTTP client per address, and a connection kept open in it
belongs to an event loop that is gone when the next test records."""


class Provider:
    """Makes the real clients of one test."""

    def __init__(self, source: str, sim: Simulator | None) -> None:
        """Begin.

        Args:
            source: `"simulator"` or `"live"`.
            sim: The simulator, while recording from it.
        """
        self.source = source
        self._sim = sim

    def __call__(
        self,
        family: str,
        *replies: Reply,
        name: str = "primary",
        model: str | None = None,
        key: str | None = None,
        **settings: Any,
    ) -> Candidate:
        """Return a real client of one family, as a candidate.

        Args:
            family: `"openai"` or `"anthropic"`.
            *replies: What the simulator replies while it is recorded.
            name: What the trail calls it.
            model: Its model, where that matters.
            key: Its key, where that matters.
            **settings: Settings of the candidate.
        """
        model = model or _MODELS[self.source][family].format(name)
        if self._sim is not None:
            self._sim.script(model, *replies)
        shared: dict[str, Any] = {
            "model": model,
            "api_key": key or self._key(family),
            "default_headers": _NOTHING_KEPT_OPEN,
        }
        child: ChatOpenAI | ChatAnthropic
        if family == "openai":
            url = f"{self._url(family)}/v1"
            child = ChatOpenAI(base_url=url, stream_usage=True, **shared)
        else:
            url = self._url(family)
            child = ChatAnthropic(base_url=url, max_tokens=100, **shared)
        return Candidate(child, name=name, **settings)

    def partner(self, family: str, *replies: Reply) -> Candidate:
        """Return a real client of one of the further families, as a candidate."""
        package, name, address = PARTNERS[family]
        model = _PARTNER_MODELS.get(family, "m")
        if self._sim is not None:
            self._sim.script(model, *replies)
        url = self._url(family) + ("/api/v1" if family == "openrouter" else "")
        fields = {"model": model, address: url, **_PARTNER_FIELDS[family]}
        child: BaseChatModel = getattr(import_module(package), name)(**fields)
        return Candidate(child, name="primary")

    def _url(self, family: str) -> str:
        if self.source == "live":
            return _LIVE[family]
        return self._sim.url if self._sim is not None else SIMULATOR

    def _key(self, family: str) -> str:
        own = os.environ.get(LIVE_KEYS[family]) if self.source == "live" else None
        return own or "made-up-key"
