"""A file for LiteLLM's Router, asked through the real class of each prefix."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import pytest
from partner_classes import CLAUDE, KEY

from langchain_reliable import ReliableChatModel
from langchain_reliable.config import _table as table
from langchain_reliable.testing import error_status, simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langchain_reliable.testing import Simulator

pytestmark = pytest.mark.filterwarnings("ignore")  # the packages' own

AWS = {
    "aws_region_name": "us-east-1",
    "aws_access_key_id": "AKIAMADEUPMADEUP",
    "aws_secret_access_key": KEY,
}

PREFIXES: dict[str, tuple[str, Callable[[Simulator], dict[str, Any]]]] = {
    "gpt-5.4": ("openai", lambda sim: {"api_base": sim.openai_url}),
    "openai/m": ("openai", lambda sim: {"api_base": sim.openai_url}),
    "azure/m": (
        "openai",
        lambda sim: {"api_base": sim.url, "api_version": "2024-10-21"},
    ),
    "hosted_vllm/m": ("openai", lambda sim: {"api_base": sim.openai_url}),
    "anthropic/m": ("anthropic", lambda sim: {"api_base": sim.anthropic_url}),
    "gemini/m": ("google_genai", lambda sim: {"api_base": sim.gemini_url}),
    f"bedrock/{CLAUDE}": ("aws", lambda sim: {"api_base": sim.bedrock_url, **AWS}),
    f"bedrock/converse/{CLAUDE}": (
        "aws",
        lambda sim: {"aws_bedrock_runtime_endpoint": sim.bedrock_url, **AWS},
    ),
    "mistral/m": ("mistralai", lambda sim: {"api_base": sim.openai_url}),
    "mistralai/m": ("mistralai", lambda sim: {"api_base": sim.openai_url}),
    "groq/m": ("groq", lambda sim: {"api_base": sim.url}),
    "cohere/m": ("cohere", lambda sim: {"api_base": sim.cohere_url}),
    "cohere_chat/m": ("cohere", lambda sim: {"api_base": sim.cohere_url}),
    "fireworks_ai/m": (
        "fireworks",
        lambda sim: {"api_base": f"{sim.url}/inference/v1"},
    ),
    "together_ai/m": ("together", lambda sim: {"api_base": sim.openai_url}),
    "deepseek/m": ("deepseek", lambda sim: {"api_base": sim.openai_url}),
    "xai/m": ("xai", lambda sim: {"api_base": sim.openai_url}),
    "ollama/m": ("ollama", lambda sim: {"api_base": sim.ollama_url}),
    "ollama_chat/m": ("ollama", lambda sim: {"api_base": sim.ollama_url}),
    "openrouter/m": ("openrouter", lambda sim: {"api_base": sim.openrouter_url}),
}
KEYLESS = ("bedrock", "ollama", "ollama_chat", "hosted_vllm")
NOT_ASKED = {"vertex_ai", "vertex_ai/claude"}  # they sign in at Google first


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with simulator() as running:
        yield running


def written(sim: Simulator, name: str) -> dict[str, Any]:
    """Return a file of one deployment and a fallback; skip without its package."""
    package, params = PREFIXES[name]
    if importlib.util.find_spec(f"langchain_{package}") is None:
        pytest.skip(f"langchain-{package} is not installed")
    key = {} if name.split("/", maxsplit=1)[0] in KEYLESS else {"api_key": KEY}
    first = {"model": name, **key, **params(sim), "max_tokens": 50}
    if name.startswith("cohere"):
        del first["max_tokens"]  # its class has none
    spare = {"model": "openai/spare", "api_key": KEY, "api_base": sim.openai_url}
    return {
        "model_list": [
            {"model_name": "chat", "litellm_params": first},
            {"model_name": "spare", "litellm_params": spare},
        ],
        "router_settings": {"fallbacks": [{"chat": ["spare"]}], "num_retries": 0},
    }


@pytest.mark.parametrize("name", PREFIXES)
@pytest.mark.parametrize("surface", ["invoke", "stream"])
def test_it_is_asked_where_the_file_says(sim, name, surface):
    model = ReliableChatModel.from_config(written(sim, name))
    if surface == "invoke":
        answer = model.invoke("hi")
    else:
        first, *rest = model.stream("hi")
        answer = sum(rest, first)
    assert answer.text
    (request,) = sim.requests
    assert request.model == name.rsplit("/", 1)[-1]
    assert answer.response_metadata["reliable"]["served_by"] != "spare"


@pytest.mark.parametrize("name", PREFIXES)
def test_its_fallback_answers_when_it_is_down(sim, name):
    model = ReliableChatModel.from_config(written(sim, name))
    sim.script(name.rsplit("/", 1)[-1], error_status(503))
    answer = model.invoke("hi")
    assert answer.response_metadata["reliable"]["served_by"] == "spare"
    assert [one.model for one in sim.requests][-1] == "spare"


def test_every_prefix_of_the_table_is_asked_here():
    asked = {name.split("/")[0] for name in PREFIXES}
    assert {*table.PROVIDERS, *table.OTHER_PREFIXES} - NOT_ASKED <= asked


@pytest.mark.parametrize("model", ["vertex_ai/gemini-3", "vertex_ai/claude-sonnet-5"])
def test_vertex_is_built_or_says_in_one_line_what_to_install(model):
    params = {"model": model, "vertex_project": "p", "vertex_location": "eu"}
    config = {"model_list": [{"model_name": "a", "litellm_params": params}]}
    if importlib.util.find_spec("langchain_google_vertexai") is not None:
        (only,) = ReliableChatModel.from_config(config).models
        assert only.model.project == "p"
        return
    with pytest.raises(ValueError, match="langchain-google-vertexai") as raised:
        ReliableChatModel.from_config(config)
    assert "\n" not in str(raised.value)
