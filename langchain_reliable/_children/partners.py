"""What is known of each partner class: one row a class.

A fact about a partner package stands here and nowhere else; what is done with it stands
where it is used (`sdk_retries`, `rebuild`, `messages`, `tools`, `identity`). Classes
are told by their qualified names along the MRO, so that no SDK is imported and a
subclass of a user's own counts as what it is made of. Adding a partner is one row here
and one in `tests/partner_tests`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Family: TypeAlias = Literal["openai", "anthropic", "google"]
"""Classes that share one API, and so read each other's messages and tools."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """What is known of one class; the defaults hold for one that nobody listed.

    Attributes:
        name: The class's qualified name.
        family: Whose API it speaks.
        providers: What its messages say under `model_provider`.
        hosts: How the hosts of its own provider end; `None` where it asks nobody else.
        sends_finish: Whether its streams end with a finish reason: all complete
            recordings of them do, and a cut stream ends without one and without any
            exception.
        streams_inside: Whether its whole answers are made of a stream, too.
        retries_off: Where its own retries are turned off on a copy, and by which value:
            names of fields and attributes, with dots between.
        read_timeouts: Where its time-outs stand that are read when a request is made
            or clients are built later, and how much of it a second is.
        http_clients: Where its sync clients of httpx stand, if neither a field holds
            them nor a client that is known.
        stale: What was made of these before: it is made anew at once, as importing it
            late takes time of the first attempt (OpenRouter's 0.2 s).
        made_later: Where its sync clients stand that it makes at first use.
        keywords_off: What turns retries off where it is sent with each request.
        timeout_keyword: The keyword of a request that limits it, and the field that
            holds the usual limit.
        client: What its client is, where that is fixed when built.
        model_fields: Fields that name the model, in the order to look.
        key_fields: Fields that hold the key, in the order to look.
        arguments: What its constructor takes and keeps elsewhere: name and place.
        endpoint_fields: Fields that say where it calls, URLs and regions.
        built: Fields that it fills by itself when it is built.
        unknown_settings: Settings beside tools that its API does not have, and that it
            hands on all the same.
        tool_call_ids: Tool-call ids that its own provider takes; `None` for all.
        tool_call_prefix: How one that we make begins.
        reads_extras: Whether it reads tool calls in `additional_kwargs` alone, in
            OpenAI's form.
        shows_media: Whether it takes pictures and files as something a model said.
    """

    name: str = ""
    family: Family | None = None
    providers: tuple[str, ...] = ()
    hosts: tuple[str, ...] | None = None
    sends_finish: bool = False
    streams_inside: bool = False
    retries_off: Mapping[str, Any] = field(default_factory=lambda: {"max_retries": 0})
    read_timeouts: Mapping[str, float] = field(default_factory=dict)
    http_clients: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    made_later: tuple[str, ...] = ()
    keywords_off: Mapping[str, Any] = field(default_factory=dict)
    timeout_keyword: tuple[str, str] | None = None
    client: Literal["botocore"] | None = None
    model_fields: tuple[str, ...] = (
        "model_name",
        "model",
        "model_id",
        "deployment_name",
    )
    key_fields: tuple[str, ...] = ()
    arguments: Mapping[str, str] = field(default_factory=dict)
    endpoint_fields: tuple[str, ...] = (
        "openai_api_base",
        "azure_endpoint",
        "anthropic_api_url",
        "groq_api_base",
        "endpoint",
        "endpoint_url",
        "base_url",
        "region_name",
        "location",
    )
    built: frozenset[str] = frozenset(
        {"client", "async_client", "root_client", "root_async_client"}
    )
    unknown_settings: frozenset[str] = frozenset()
    tool_call_ids: re.Pattern[str] | None = None
    tool_call_prefix: str = ""
    reads_extras: bool = False
    shows_media: bool = False


_OPENAI = Partner(
    name="langchain_openai.chat_models.base.BaseChatOpenAI",
    family="openai",
    providers=("openai",),
    hosts=("api.openai.com", ".azure.com", ".azure-api.net"),
    sends_finish=True,
    key_fields=("openai_api_key",),
    tool_call_ids=re.compile(r".{0,40}", re.DOTALL),
    tool_call_prefix="call_",
)

_GOOGLE = Partner(
    name="langchain_google_genai.chat_models.ChatGoogleGenerativeAI",
    family="google",
    providers=("google_genai",),
    sends_finish=True,
    # Sent with each request: attempts, not retries (langchain-google-genai 4.4.3).
    retries_off={"max_retries": 1},
    read_timeouts={"timeout": 1},
    http_clients=("client._models._api_client._httpx_client",),
    key_fields=("google_api_key",),
    unknown_settings=frozenset({"strict", "parallel_tool_calls"}),
    shows_media=True,
)

_BEDROCK = Partner(
    name="langchain_aws.chat_models.bedrock_converse.ChatBedrockConverse",
    sends_finish=True,
    client="botocore",
    key_fields=("bedrock_api_key",),
)

_PARTNERS = (
    _OPENAI,
    replace(
        _OPENAI,
        name="langchain_openai.chat_models.azure.AzureChatOpenAI",
        providers=("azure",),
        model_fields=("deployment_name",),
        key_fields=("openai_api_key", "azure_ad_token"),
    ),
    replace(  # it keeps its key beside the inherited field
        _OPENAI,
        name="langchain_deepseek.chat_models.ChatDeepSeek",
        key_fields=("api_key",),
        endpoint_fields=("api_base",),
    ),
    replace(
        _OPENAI,
        name="langchain_xai.chat_models.ChatXAI",
        key_fields=("xai_api_key",),
        endpoint_fields=("xai_api_base",),
    ),
    replace(
        _OPENAI,
        name="langchain_together.chat_models.ChatTogether",
        key_fields=("together_api_key",),
        endpoint_fields=("together_api_base",),
    ),
    Partner(
        name="langchain_anthropic.chat_models.ChatAnthropic",
        family="anthropic",
        providers=("anthropic",),
        sends_finish=True,
        # Clients are built later, from the fields (langchain-anthropic 1.7.7).
        read_timeouts={"default_request_timeout": 1},
        stale=("_client_params",),
        made_later=("_client",),
        key_fields=("anthropic_api_key",),
        # What ChatAnthropic makes of others, too.
        tool_call_ids=re.compile(r"[a-zA-Z0-9_-]*"),
        tool_call_prefix="toolu_",
    ),
    _GOOGLE,
    replace(
        _GOOGLE,
        name="langchain_google_vertexai.chat_models.ChatVertexAI",
        providers=("google_vertexai",),
        # tenacity's stop_after_attempt (langchain-google-vertexai 3)
        read_timeouts={},
        key_fields=(),
    ),
    _BEDROCK,
    replace(
        _BEDROCK,
        name="langchain_aws.chat_models.bedrock.ChatBedrock",
        sends_finish=False,  # what its models send differs
    ),
    Partner(
        name="langchain_groq.chat_models.ChatGroq",
        sends_finish=True,
        key_fields=("groq_api_key",),
    ),
    Partner(
        name="langchain_mistralai.chat_models.ChatMistralAI",
        sends_finish=True,
        # tenacity's stop_after_attempt (langchain-mistralai 1.1.6)
        retries_off={"max_retries": 1},
        key_fields=("mistral_api_key",),
    ),
    Partner(
        name="langchain_fireworks.chat_models.ChatFireworks",
        sends_finish=True,
        key_fields=("fireworks_api_key",),
        endpoint_fields=("fireworks_api_base",),
    ),
    Partner(
        name="langchain_cohere.chat_models.ChatCohere",
        sends_finish=True,
        # The SDK knows no switch but this one (cohere 5.21).
        keywords_off={"request_options": {"max_retries": 0}},
        http_clients=(
            "client._client_wrapper.httpx_client.httpx_client",
            # What it has made of that at first use, and kept.
            "client._v2._raw_client._client_wrapper.httpx_client.httpx_client",
        ),
        timeout_keyword=("request_options.timeout_in_seconds", "timeout_seconds"),
        key_fields=("cohere_api_key",),
    ),
    Partner(
        name="langchain_ollama.chat_models.ChatOllama",
        sends_finish=True,
        streams_inside=True,
        read_timeouts={
            "_client._client.timeout": 1,
            "_async_client._client.timeout": 1,
        },
    ),
    Partner(
        name="langchain_openrouter.chat_models.ChatOpenRouter",
        sends_finish=True,
        # `None` is off for the SDK; without a word it retries for an hour, and that is
        # what the class makes of max_retries=0 (langchain-openrouter 0.2.9).
        retries_off={"client.sdk_configuration.retry_config": None},
        read_timeouts={"client.sdk_configuration.timeout_ms": 1000},
        http_clients=("client.sdk_configuration.client",),
        stale=("client.chat",),
        key_fields=("openrouter_api_key",),
        endpoint_fields=("openrouter_api_base",),
    ),
    Partner(
        name="langchain_litellm.chat_models.litellm.ChatLiteLLM",
        sends_finish=True,
        # The class's own are attempts; beneath it litellm hands max_retries on to the
        # SDK that it uses (langchain-litellm 0.11.2).
        retries_off={
            "max_retries": 1,
            "model_kwargs.max_retries": 0,
            "model_kwargs.num_retries": 0,
        },
        read_timeouts={"request_timeout": 1},
        key_fields=("api_key",),
        endpoint_fields=("api_base", "custom_llm_provider"),
    ),
    Partner(
        name="langchain_huggingface.chat_models.huggingface.ChatHuggingFace",
        sends_finish=True,
        read_timeouts={"llm.client.timeout": 1, "llm.async_client.timeout": 1},
    ),
    Partner(
        name="langchain_perplexity.chat_models.ChatPerplexity",
        sends_finish=True,
        key_fields=("pplx_api_key",),
    ),
    Partner(
        name="langchain_nvidia_ai_endpoints.chat_models.ChatNVIDIA",
        sends_finish=True,
        read_timeouts={"_client.timeout": 1, "_async_client.timeout": 1},
        key_fields=("api_key",),
        arguments={
            "api_key": "_client.api_key",
            "timeout": "_client.timeout",
            "verify_ssl": "_client.verify_ssl",
        },
        reads_extras=True,
    ),
)

PARTNERS: Mapping[str, Partner] = MappingProxyType({one.name: one for one in _PARTNERS})
"""The rows by class name."""

UNLISTED: Final = Partner()
"""What is taken for granted of a class that has no row."""

_FAMILIES: Mapping[str, Family] = {
    provider: one.family
    for one in _PARTNERS
    if one.family
    for provider in one.providers
}


@lru_cache(maxsize=256)
def _row_of(cls: type) -> Partner:
    names = (f"{one.__module__}.{one.__qualname__}" for one in cls.__mro__)
    return next((PARTNERS[name] for name in names if name in PARTNERS), UNLISTED)


def names_of(cls: type) -> set[str]:
    """Return the qualified names of a class and all it is made of."""
    return {f"{one.__module__}.{one.__qualname__}" for one in cls.__mro__}


def partner_of(model: object) -> Partner:
    """Return the row of an object's class, the most special one first."""
    return _row_of(type(model))  # type: ignore[arg-type]  # classes do hash


def family_of(model: object) -> Family | None:
    """Return the family of a chat model; `None` for one we know nothing of."""
    return partner_of(model).family


def family_named(provider: object) -> Family | None:
    """Return the family of a `model_provider`, as a message tells it."""
    return _FAMILIES.get(provider) if isinstance(provider, str) else None


def asks_its_provider(model: object) -> bool:
    """Return whether a chat model asks its own provider, and no gateway in its form.

    `ChatOpenAI` serves for both, and what OpenAI refuses a gateway may understand.
    """
    hosts = partner_of(model).hosts
    client: Any = getattr(model, "root_client", None)
    host = str(getattr(getattr(client, "base_url", None), "host", ""))
    return hosts is None or host.endswith(hosts)


def asks_openai(model: object) -> bool:
    """Return whether a chat model asks OpenAI or Azure itself."""
    return family_of(model) == "openai" and asks_its_provider(model)
