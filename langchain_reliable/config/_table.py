"""What each option of LiteLLM's Router becomes here: facts, and no code.

Every option is *mapped* (a row says to what), *left out* (one warning lists these: they
steer LiteLLM's server, or have no bearing on answers) or *refused* (a row says what to
write). Compared with litellm 1.110.2.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Provider(NamedTuple):
    """A provider, by the prefix that LiteLLM gives its models.

    Attributes:
        name: What LangChain calls it.
        params: What LiteLLM calls a setting, and what the class calls it.
        fixed: What the class is always given.
        needs: Settings without which the requests would go elsewhere.
    """

    name: str
    params: Mapping[str, str]
    fixed: Mapping[str, object] = MappingProxyType({})
    needs: tuple[str, ...] = ()


def _same(names: str) -> dict[str, str]:
    return {name: name for name in names.split()}


_BASE: Final = {"api_key": "api_key", "api_base": "base_url", "base_url": "base_url"}
_OPENAI: Final = (
    _BASE
    | _same("organization temperature top_p n seed stop presence_penalty")
    | _same("frequency_penalty logit_bias logprobs top_logprobs reasoning_effort")
    | _same("max_tokens extra_body service_tier verbosity model_kwargs")
    | {"extra_headers": "default_headers", "max_completion_tokens": "max_tokens"}
)
_AZURE: Final = {
    **_OPENAI,
    "api_base": "azure_endpoint",
    "base_url": "azure_endpoint",
    "api_version": "api_version",
    "azure_ad_token": "azure_ad_token",
}
_GOOGLE: Final = _same(
    "temperature top_p top_k max_tokens n seed stop presence_penalty "
    "frequency_penalty reasoning_effort safety_settings"
)
_VERTEX: Final = {
    **_same("temperature top_p top_k max_tokens n seed stop"),
    "vertex_project": "project",
    "vertex_location": "location",
}
_AWS: Final = {
    **_same("temperature top_p max_tokens stop"),
    **_same("aws_access_key_id aws_secret_access_key aws_session_token"),
    "api_key": "api_key",
    "aws_region_name": "region_name",
    "region_name": "region_name",
    "aws_profile_name": "credentials_profile_name",
    "aws_bedrock_runtime_endpoint": "endpoint_url",
    "api_base": "endpoint_url",
    "base_url": "endpoint_url",
}
_ANTHROPIC: Final = {
    **_BASE,
    **_same("temperature top_p top_k max_tokens stop thinking reasoning_effort"),
    "extra_headers": "default_headers",
}
_OLLAMA: Final = {
    **_same("temperature top_p top_k seed stop num_ctx repeat_penalty keep_alive"),
    "api_base": "base_url",
    "base_url": "base_url",
    "max_tokens": "num_predict",
}
_SMALL: Final = {**_BASE, **_same("temperature max_tokens stop n reasoning_effort")}

PROVIDERS: Final[Mapping[str, Provider]] = {
    "openai": Provider("openai", _OPENAI),
    "azure": Provider("azure_openai", _AZURE, needs=("api_base", "api_version")),
    "anthropic": Provider("anthropic", _ANTHROPIC),
    "gemini": Provider("google_genai", {**_BASE, **_GOOGLE}),
    "vertex_ai": Provider("google_vertexai", _VERTEX),
    "vertex_ai/claude": Provider(
        "google_anthropic_vertex",
        {name: _VERTEX[name] for name in _VERTEX if name not in ("n", "seed")},
    ),
    "bedrock": Provider("bedrock_converse", _AWS),
    "mistral": Provider(
        "mistralai",
        {**_BASE, **_same("temperature top_p max_tokens stop"), "seed": "random_seed"},
    ),
    "groq": Provider("groq", _SMALL),
    "cohere": Provider(
        "cohere",
        {
            **_same("temperature stop base_url"),
            "api_key": "cohere_api_key",
            "api_base": "base_url",
        },
    ),
    "fireworks_ai": Provider("fireworks", _SMALL),
    "together_ai": Provider("together", _OPENAI),
    "deepseek": Provider("deepseek", _OPENAI),
    "xai": Provider("xai", _OPENAI),
    "ollama": Provider("ollama", _OLLAMA),
    "openrouter": Provider(
        "openrouter",
        {
            **_BASE,
            **_same("temperature top_p max_tokens max_completion_tokens n seed stop"),
            **_same("presence_penalty frequency_penalty"),
            "extra_headers": "default_headers",
        },
    ),
    "hosted_vllm": Provider(
        "openai", _OPENAI, fixed={"api_key": "none"}, needs=("api_base",)
    ),
}
"""Providers by LiteLLM's prefix. `"vertex_ai/claude"` stands for the beginning of a
model's name; vLLM asks for no key, and OpenAI's client for one."""

OTHER_PREFIXES: Final[Mapping[str, str]] = {
    "cohere_chat": "cohere",
    "ollama_chat": "ollama",
    "mistralai": "mistral",
}

BARE_NAMES: Final[Mapping[str, str]] = {
    "gpt-": "openai",
    "chatgpt-": "openai",
    "o1": "openai",
    "o3": "openai",
    "o4": "openai",
    "claude-": "anthropic",
}
"""Beginnings of names that LiteLLM knows without a prefix."""

DEPLOYMENT: Final[Mapping[str, str]] = {
    "timeout": "answer_timeout",
    "max_retries": "max_retries",
    "num_retries": "max_retries",
    "weight": "weight",
    "rpm": "rpm",
    "tpm": "tpm",
    "max_parallel_requests": "max_parallel_requests",
    "tags": "tags",
}
"""`litellm_params` that become a field of `Candidate`."""

DEPLOYMENT_MAPPED: Final = frozenset(
    [
        "model",
        "custom_llm_provider",
        "order",
        "stream_timeout",
        "input_cost_per_token",
        "output_cost_per_token",
        "max_budget",
        "budget_duration",
        "model_info",
    ]
)
"""`litellm_params` that become something else than one field."""

DEPLOYMENT_LEFT_OUT: Final = frozenset(
    [
        "drop_params",
        "additional_drop_params",
        "configurable_clientside_auth_params",
        "use_in_pass_through",
        "use_litellm_proxy",
        "merge_reasoning_content_in_choices",
        "cache_control_injection_points",
        "keepalive_seconds",
        "allow_client_keepalive_override",
        "guardrails",
        "litellm_trace_id",
        "max_file_size_mb",
        "fireworks_forward_user_id",
        "allowed_openai_params",
        "provider_affinity_header",
        "metadata",
        "user",
        "default_api_key_tpm_limit",
        "default_api_key_rpm_limit",
        "cost_per_second",
        "input_cost_per_second",
        "output_cost_per_second",
        "stream",
    ]
)

DEPLOYMENT_REFUSED: Final[Mapping[str, str]] = {
    "mock_response": "use langchain_reliable.testing in tests",
    "litellm_credential_name": "write the key here: api_key: os.environ/NAME",
    "cooldown_time": "write one for all in router_settings",
    "itpm": "write tpm, for questions and answers together",
    "otpm": "write tpm, for questions and answers together",
    "rpd": "write rpm, or a Candidate(budget=...) in Python",
    "tpd": "write tpm, or a Candidate(budget=...) in Python",
    "tag_regex": "write tags, and ask with CallOptions(tags=...)",
    "tenant_id": "pass the model itself, with azure_ad_token_provider=...",
    "client_id": "pass the model itself, with azure_ad_token_provider=...",
    "client_secret": "pass the model itself, with azure_ad_token_provider=...",
    "vertex_credentials": "set GOOGLE_APPLICATION_CREDENTIALS",
    "aws_role_name": "pass the model itself, with a client of your own",
    "aws_session_name": "pass the model itself, with a client of your own",
    "aws_web_identity_token": "pass the model itself, with a client of your own",
}

MODEL_INFO: Final[Mapping[str, str]] = {
    "id": "name",
    "max_input_tokens": "context_window",
}

ROUTER: Final[Mapping[str, str]] = {
    "num_retries": "max_retries",
    "timeout": "answer_timeout",
    "request_timeout": "answer_timeout",
    "retry_after": "initial_backoff",
}
"""Options of the Router that become a field of the model as they are."""

ROUTER_MAPPED: Final = frozenset(
    [
        "model_list",
        "fallbacks",
        "default_fallbacks",
        "context_window_fallbacks",
        "content_policy_fallbacks",
        "model_group_alias",
        "routing_strategy",
        "allowed_fails",
        "cooldown_time",
        "disable_cooldowns",
        "stream_timeout",
        "default_max_parallel_requests",
        "enable_pre_call_checks",
        "redis_url",
        "redis_host",
        "redis_port",
        "redis_password",
        "redis_db",
        "default_litellm_params",
    ]
)
"""Options of the Router that become something else than one field."""

ROUTER_LEFT_OUT: Final = frozenset(
    [
        "assistants_config",
        "search_tools",
        "guardrail_list",
        "cache_responses",
        "cache_kwargs",
        "caching_groups",
        "client_ttl",
        "polling_interval",
        "default_priority",
        "max_fallbacks",
        "set_verbose",
        "debug_level",
        "enable_tag_filtering",
        "tag_filtering_match_any",
        "routing_strategy_args",
        "alerting_config",
        "router_general_settings",
        "optional_pre_call_checks",
        "deployment_affinity_ttl_seconds",
        "fallback_on_unsupported_params",
        "ignore_invalid_deployments",
        "enable_health_check_routing",
        "health_check_staleness_threshold",
        "health_check_ignore_transient_errors",
        "background_health_check_model_groups",
        "enable_weighted_failover",
        "session_affinity_repin_on_failover",
        "fallback_access_check",
        "fallback_budget_check",
        "auto_router_capability_limit",
        "tag_routing_prefix",
        "model_group_affinity_config",
    ]
)

ROUTER_REFUSED: Final[Mapping[str, str]] = {
    "retry_policy": 'write verdicts={"auth": "next", ...} and max_retries',
    "model_group_retry_policy": "write Candidate(max_retries=...) in Python",
    "allowed_fails_policy": "write allowed_fails, for all kinds of failures",
    "provider_budget_config": "write Candidate(budget=...) in Python",
    "routing_groups": "write one file per group, or groups in Python",
    "plugins": "a file can't name code; write it in Python",
    "enable_mid_stream_fallback_continuation": (
        "an answer is never continued by another model; see on_interrupt"
    ),
}

ORDERS: Final[Mapping[str, str]] = {
    "simple-shuffle": "weighted",
    "least-busy": "least_busy",
    "latency-based-routing": "fastest",
    "cost-based-routing": "cheapest",
    "usage-based-routing": "least_busy",
    "usage-based-routing-v2": "least_busy",
}
"""`routing_strategy`, and the order of the groups."""

SECTIONS: Final = frozenset(
    {"router_settings", "litellm_settings", "environment_variables"}
)
"""Sections of a proxy's file that are read beside `model_list`."""

SECTIONS_LEFT_OUT: Final = frozenset(
    [
        "general_settings",
        "callback_settings",
        "mcp_servers",
        "mcp_tools",
        "guardrails",
        "credential_list",
        "assistant_settings",
        "files_settings",
        "finetune_settings",
        "prompts",
        "vector_store_registry",
        "search_tools",
        "sso_settings",
        "policies",
    ]
)

SECTIONS_REFUSED: Final[Mapping[str, str]] = {
    "include": "put it all into one file",
}
