"""Each partner class, and how it is pointed at the simulator: one row a class."""

from __future__ import annotations

import importlib.metadata
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.language_models import BaseChatModel

    from langchain_reliable.testing import Simulator

KEY = "sk-proj-firstMadeUpKeyfirstMadeUpKey0123456789"
OTHER_KEY = "sk-proj-secondMadeUpKeysecondMadeUpKey98765"

os.environ.update(
    AWS_EC2_METADATA_DISABLED="true",
    HF_HUB_DISABLE_TELEMETRY="1",
    LITELLM_LOCAL_MODEL_COST_MAP="True",
    LITELLM_LOG="CRITICAL",
    NVIDIA_USAGE_TELEMETRY_ENABLED="false",
)


@dataclass(frozen=True)
class PartnerClass:
    """One class, as the tests make it.

    Attributes:
        name: The class.
        package: Where it is imported from.
        fields: Makes the fields that point it at a simulator.
        key: The field of its key, if one can be rotated.
        model: What its requests call the model.
        unseen: Faults that its SDK passes over without a word.
        reads_pieces: Whether it reads a tool call that is streamed in pieces.
    """

    name: str
    package: str
    fields: Callable[[Simulator], dict[str, Any]]
    key: str | None = "api_key"
    model: str = "m"
    unseen: tuple[str, ...] = ()
    reads_pieces: bool = True

    def make(self, sim: Simulator, key: str = KEY, **fields: Any) -> BaseChatModel:
        """Return a model that asks the simulator; skip where it is not installed."""
        cls = getattr(pytest.importorskip(self.package), self.name)
        keys = {self.key: key} if self.key else {}
        return cls(**{"model": "m", **self.fields(sim), **keys, **fields})

    @property
    def version(self) -> str | None:
        """The version of its package, if that is installed."""
        name = self.package.replace("_", "-")
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return None


CLAUDE = "anthropic.claude-3-5-haiku-20241022-v1:0"


def aws(sim: Simulator) -> dict[str, Any]:
    return {
        "model": CLAUDE,
        "region_name": "us-east-1",
        "endpoint_url": sim.bedrock_url,
        "aws_access_key_id": "AKIAMADEUPMADEUP",
        "aws_secret_access_key": KEY,
    }


def perplexity(sim: Simulator) -> dict[str, Any]:
    os.environ["PERPLEXITY_BASE_URL"] = sim.openai_url  # it has no field for that
    return {}


def hugging_face(sim: Simulator) -> dict[str, Any]:
    partner = pytest.importorskip("langchain_huggingface")
    llm = partner.HuggingFaceEndpoint(endpoint_url=sim.openai_url, model_kwargs={})
    return {"llm": llm, "model": "m"}


PARTNER_CLASSES = (
    PartnerClass(
        "ChatOpenAI", "langchain_openai", lambda sim: {"base_url": sim.openai_url}
    ),
    PartnerClass(
        "AzureChatOpenAI",
        "langchain_openai",
        lambda sim: {
            "azure_deployment": "m",
            "azure_endpoint": sim.url,
            "api_version": "2024-10-21",
        },
    ),
    PartnerClass(
        "ChatAnthropic",
        "langchain_anthropic",
        lambda sim: {"base_url": sim.anthropic_url, "max_tokens": 100},
    ),
    PartnerClass(
        "ChatGoogleGenerativeAI",
        "langchain_google_genai",
        lambda sim: {"base_url": sim.gemini_url},
    ),
    PartnerClass("ChatBedrockConverse", "langchain_aws", aws, key=None, model=CLAUDE),
    PartnerClass(
        "ChatBedrock",
        "langchain_aws",
        lambda sim: {**aws(sim), "beta_use_converse_api": True},
        key=None,
        model=CLAUDE,
    ),
    PartnerClass("ChatGroq", "langchain_groq", lambda sim: {"base_url": sim.url}),
    PartnerClass(
        "ChatMistralAI",
        "langchain_mistralai",
        lambda sim: {"base_url": sim.openai_url},
        reads_pieces=False,  # its provider sends them whole, our simulator does not
    ),
    PartnerClass(
        "ChatCohere",
        "langchain_cohere",
        lambda sim: {"base_url": sim.cohere_url},
        key="cohere_api_key",
        unseen=("malformed",),
    ),
    PartnerClass(
        "ChatOllama",
        "langchain_ollama",
        lambda sim: {"base_url": sim.ollama_url},
        key=None,
    ),
    PartnerClass(
        "ChatDeepSeek", "langchain_deepseek", lambda sim: {"api_base": sim.openai_url}
    ),
    PartnerClass("ChatXAI", "langchain_xai", lambda sim: {"base_url": sim.openai_url}),
    PartnerClass(
        "ChatOpenRouter",
        "langchain_openrouter",
        lambda sim: {"base_url": sim.openrouter_url},
    ),
    PartnerClass(
        "ChatFireworks",
        "langchain_fireworks",
        lambda sim: {"base_url": f"{sim.url}/inference/v1"},
    ),
    PartnerClass(
        "ChatTogether", "langchain_together", lambda sim: {"base_url": sim.openai_url}
    ),
    PartnerClass(
        "ChatLiteLLM",
        "langchain_litellm",
        lambda sim: {"model": "openai/m", "api_base": sim.openai_url},
    ),
    PartnerClass(
        "ChatHuggingFace",
        "langchain_huggingface",
        hugging_face,
        key=None,
        model="dummy",  # where it is given an address
    ),
    PartnerClass("ChatPerplexity", "langchain_perplexity", perplexity),
    PartnerClass(
        "ChatNVIDIA",
        "langchain_nvidia_ai_endpoints",
        lambda sim: {"base_url": sim.openai_url},
    ),
)
"""In the order of the table in docs/partners.md."""
