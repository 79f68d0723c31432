"""What the words and numbers mean that providers put into an error body.

Facts only, a row per meaning with the place it comes from, grouped by provider.
How a body is searched for them is never written here.

A code is compared without case and punctuation: `Throttling.RateQuota` and
`throttling_rate_quota` are the same. A `vague` code says no more than a status
would: text may still decide between two kinds beneath it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from langchain_reliable.failures import FailureKind as Kind

if TYPE_CHECKING:
    from collections.abc import Mapping


class Row(NamedTuple):
    """Codes of one provider with one meaning."""

    provider: str
    kind: Kind
    codes: tuple[str, ...]
    source: str
    vague: bool = False


def _row(
    provider: str, kind: Kind, codes: str, source: str, *, vague: bool = False
) -> Row:
    return Row(provider, kind, tuple(codes.split()), source, vague)


_OPENAI: Final = (
    _row(
        "OpenAI",
        Kind.QUOTA_EXHAUSTED,
        "insufficient_quota billing_not_active billing_hard_limit_reached "
        "credits_exhausted usage_limit_reached organization_spend_limit_exceeded "
        "project_spend_limit_exceeded organization_usage_limit_exceeded "
        "credit_balance_exhausted usage_not_included insufficient_balance "
        "insufficient_credits insufficient_funds payment_required out_of_credits",
        "platform.openai.com error codes; recording error_429_insufficient_quota; "
        "the later ones from servers that speak OpenAI",
    ),
    _row(
        "OpenAI",
        Kind.RATE_LIMITED,
        "rate_limit_exceeded rate_limit_reached rate_limited too_many_requests "
        "rate_limit slow_down requests_limit_exceeded",
        "platform.openai.com error codes; recording error_429_request_too_large_tpm",
    ),
    _row(
        "OpenAI",
        Kind.CONTEXT_OVERFLOW,
        "context_length_exceeded context_window_exceeded max_context_length_exceeded "
        "prompt_too_long input_too_long context_too_long",
        "platform.openai.com; recording openai_responses/error_400_context_length",
    ),
    _row(
        "OpenAI",
        Kind.MODEL_NOT_FOUND,
        "model_not_found model_not_available unknown_model invalid_model "
        "model_deprecated model_not_exist model_does_not_exist "
        "unsupported_model model_not_supported no_such_model unavailable_model",
        "recording openai_responses/error_400_model_not_found_stream",
    ),
    _row(
        "OpenAI",
        Kind.AUTH,
        "invalid_api_key incorrect_api_key missing_api_key no_api_key api_key_invalid "
        "account_deactivated organization_deactivated invalid_organization "
        "unsupported_country_region_territory ip_not_authorized expired_api_key "
        "token_expired invalid_token unauthorized_client expired_key "
        "organization_must_be_verified mismatched_project invalid_project "
        "invalid_authentication invalid_authentication_error wrong_api_key",
        "platform.openai.com error codes; recording openai_chat/error_401",
    ),
    _row(
        "OpenAI",
        Kind.CONTENT_POLICY,
        "content_filter content_policy_violation content_policy moderation_blocked "
        "image_content_policy_violation content_filtered safety_violation "
        "cyber_policy_violation policy_violation content_moderation "
        "prompt_blocked sensitive_words_detected content_filter_error "
        "content_blocked guardrail_violation guardrails_violation",
        "platform.openai.com and Azure content filtering",
    ),
    _row(
        "OpenAI",
        Kind.BAD_REQUEST,
        "unsupported_parameter unsupported_value invalid_value invalid_type "
        "missing_required_parameter unknown_parameter string_above_max_length "
        "array_above_max_length integer_below_min_value integer_above_max_value "
        "decimal_above_max_value invalid_image invalid_image_format "
        "invalid_base64_image invalid_image_url image_too_large image_too_small "
        "image_parse_error failed_to_download_image empty_image_file "
        "invalid_function_parameters invalid_json_schema unsupported_file "
        "previous_response_not_found invalid_encrypted_content unknown_url "
        "array_below_min_length string_below_min_length invalid_request_body",
        "platform.openai.com; recording openai_chat/error_400_then_200",
    ),
    _row(
        "OpenAI",
        Kind.SERVER_ERROR,
        "service_unavailable engine_overloaded server_overloaded overloaded "
        "model_overloaded over_capacity model_at_capacity bad_gateway upstream_error "
        "server_is_overloaded no_capacity capacity_exceeded",
        "platform.openai.com and servers that speak OpenAI",
    ),
    _row(
        "OpenAI",
        Kind.TIMEOUT,
        "timeout request_timeout gateway_timeout vector_store_timeout",
        "openai-python ResponseError codes",
    ),
    _row(
        "OpenAI",
        Kind.BAD_REQUEST,
        "invalid_request_error invalid_request bad_request bad_request_error "
        "badrequesterror validation_error unprocessable_entity invalid_prompt "
        "invalid_parameter_error invalid_argument request_validation_error",
        "openai-python; vLLM and FastAPI name their types so",
        vague=True,
    ),
    _row(
        "OpenAI",
        Kind.AUTH,
        "authentication_error permission_denied permission_denied_error "
        "permission_error unauthorized forbidden access_denied auth_error "
        "authenticationerror permissiondeniederror not_authorized unauthenticated",
        "openai-python, Anthropic, Google, LiteLLM",
        vague=True,
    ),
    _row(
        "OpenAI",
        Kind.MODEL_NOT_FOUND,
        "not_found not_found_error notfounderror resource_not_found "
        "resource_not_found_error",
        "openai-python, Anthropic, Google, Moonshot",
        vague=True,
    ),
    _row(
        "OpenAI",
        Kind.RATE_LIMITED,
        "rate_limit_error ratelimiterror too_many_requests_error",
        "openai-python, Anthropic, Cerebras",
        vague=True,
    ),
    _row(
        "OpenAI",
        Kind.SERVER_ERROR,
        "server_error internal_server_error internal_error api_error "
        "serviceunavailableerror unavailable_error",
        "openai-python, Anthropic, vLLM, llama.cpp; "
        "recording openai_responses/error_500_server_error",
        vague=True,
    ),
)

_AZURE: Final = (
    _row(
        "Azure OpenAI",
        Kind.RATE_LIMITED,
        "RateLimitReached TooManyRequests",
        "recording azure_openai/error_429_retry_after_60",
    ),
    _row(
        "Azure OpenAI",
        Kind.MODEL_NOT_FOUND,
        "DeploymentNotFound ModelNotFound ModelDeprecated DeploymentNotReady",
        "learn.microsoft.com Azure OpenAI troubleshooting",
    ),
    _row(
        "Azure OpenAI",
        Kind.CONTENT_POLICY,
        "ResponsibleAIPolicyViolation",
        "learn.microsoft.com content filtering (inner error)",
    ),
    _row(
        "Azure OpenAI",
        Kind.AUTH,
        "InvalidSubscriptionKey AuthorizationFailed InvalidAuthenticationToken "
        "ExpiredAuthenticationToken AuthenticationFailed PublicNetworkAccessDisabled",
        "learn.microsoft.com Azure OpenAI and Entra errors",
    ),
    _row(
        "Azure OpenAI",
        Kind.BAD_REQUEST,
        "OperationNotSupported UnsupportedApiVersion InvalidApiVersionParameter "
        "MissingApiVersionParameter",
        "learn.microsoft.com Azure OpenAI troubleshooting",
    ),
    _row("Azure OpenAI", Kind.SERVER_ERROR, "NoCapacity", "learn.microsoft.com"),
    _row(
        "GitHub Models",
        Kind.CONTEXT_OVERFLOW,
        "tokens_limit_reached",
        "413 of models.github.ai: the prompt is longer than this endpoint takes",
    ),
)

_ANTHROPIC: Final = (
    _row(
        "Anthropic",
        Kind.SERVER_ERROR,
        "overloaded_error cmek_key_unreachable cmek_context_unavailable",
        "anthropic-python error types; recording anthropic/error_529_overloaded",
    ),
    _row(
        "Anthropic",
        Kind.QUOTA_EXHAUSTED,
        "billing_error enforced_spend_limit_reached contract_spend_limit_reached "
        "linked_organization_spend_limit_reached "
        "linked_organization_billing_unavailable",
        "anthropic-python error types and details",
    ),
    _row(
        "Anthropic",
        Kind.RATE_LIMITED,
        "ramp_limit_exceeded",
        "anthropic-python error details",
    ),
    _row(
        "Anthropic",
        Kind.AUTH,
        "organization_on_hold cmek_key_disabled organization_type_not_supported "
        "parent_organization_required",
        "anthropic-python error details",
    ),
    _row("Anthropic", Kind.TIMEOUT, "timeout_error", "anthropic-python error types"),
    _row(
        "Anthropic",
        Kind.BAD_REQUEST,
        "request_too_large request_body_too_large_after_decoding "
        "image_dimensions_too_large",
        "docs.anthropic.com: 413, more than 32 MB",
    ),
)

_GOOGLE: Final = (
    _row(
        "Google",
        Kind.RATE_LIMITED,
        "RESOURCE_EXHAUSTED RATE_LIMIT_EXCEEDED rateLimitExceeded "
        "userRateLimitExceeded",
        "google.rpc.Code; recording gemini/error_429_retry_info",
    ),
    _row(
        "Google",
        Kind.QUOTA_EXHAUSTED,
        "BILLING_DISABLED dailyLimitExceeded quotaExceeded billingNotEnabled",
        "google.api ErrorReason",
    ),
    _row(
        "Google",
        Kind.AUTH,
        "API_KEY_INVALID API_KEY_EXPIRED ACCESS_TOKEN_EXPIRED CREDENTIALS_MISSING "
        "SERVICE_DISABLED CONSUMER_INVALID CONSUMER_SUSPENDED API_KEY_SERVICE_BLOCKED "
        "API_KEY_HTTP_REFERRER_BLOCKED API_KEY_IP_ADDRESS_BLOCKED "
        "ACCESS_TOKEN_SCOPE_INSUFFICIENT ACCESS_TOKEN_TYPE_UNSUPPORTED "
        "ACCOUNT_STATE_INVALID IAM_PERMISSION_DENIED USER_PROJECT_DENIED",
        "google.api ErrorReason; recording gemini/error_400_api_key_stream",
    ),
    _row(
        "Google",
        Kind.TIMEOUT,
        "DEADLINE_EXCEEDED",
        "google.rpc.Code",
    ),
    _row(
        "Google",
        Kind.SERVER_ERROR,
        "MODEL_CAPACITY_EXHAUSTED",
        "google.api ErrorReason of Code Assist: beside RESOURCE_EXHAUSTED",
    ),
    _row(
        "Google",
        Kind.SERVER_ERROR,
        "UNAVAILABLE INTERNAL UNKNOWN DATA_LOSS ABORTED",
        "google.rpc.Code; recording gemini/error_503_overloaded",
        vague=True,
    ),
    _row("Google", Kind.CONNECTION, "CANCELLED", "google.rpc.Code", vague=True),
    _row(
        "Google",
        Kind.BAD_REQUEST,
        "FAILED_PRECONDITION OUT_OF_RANGE ALREADY_EXISTS UNIMPLEMENTED",
        "google.rpc.Code",
        vague=True,
    ),
    _row(
        "Google",
        Kind.CONTENT_POLICY,
        "PROHIBITED_CONTENT BLOCKLIST SAFETY IMAGE_SAFETY SPII RECITATION",
        "google-genai BlockedReason and FinishReason",
    ),
)

_AWS: Final = (
    _row(
        "AWS Bedrock",
        Kind.RATE_LIMITED,
        "ThrottlingException Throttling ThrottledException RequestThrottled "
        "RequestThrottledException TooManyRequestsException SlowDown "
        "ProvisionedThroughputExceededException RequestLimitExceeded "
        "BandwidthLimitExceeded PriorRequestNotComplete",
        "botocore retry data; recording bedrock/stream_tools_429_between",
    ),
    _row(
        "AWS Bedrock",
        Kind.QUOTA_EXHAUSTED,
        "ServiceQuotaExceededException",
        "bedrock-runtime service model",
    ),
    _row(
        "AWS Bedrock",
        Kind.SERVER_ERROR,
        "InternalServerException InternalFailure ServiceUnavailableException "
        "ServiceUnavailable ModelErrorException ModelNotReadyException",
        "bedrock-runtime service model; recording bedrock/error_503_capacity",
    ),
    _row(
        "AWS Bedrock",
        Kind.BAD_STREAM,
        "ModelStreamErrorException",
        "bedrock-runtime service model: broke while streaming",
    ),
    _row(
        "AWS Bedrock",
        Kind.TIMEOUT,
        "ModelTimeoutException RequestTimeout RequestTimeoutException",
        "bedrock-runtime service model",
    ),
    _row(
        "AWS Bedrock",
        Kind.AUTH,
        "ExpiredTokenException ExpiredToken UnrecognizedClientException "
        "InvalidSignatureException IncompleteSignature SignatureDoesNotMatch "
        "MissingAuthenticationToken MissingAuthenticationTokenException "
        "InvalidClientTokenId OptInRequired RequestExpired InvalidAccessKeyId "
        "InvalidIdentityToken",
        "AWS common errors; recording bedrock/error_403_token_expired",
    ),
    _row(
        "AWS Bedrock",
        Kind.AUTH,
        "AccessDeniedException AccessDenied NotAuthorized UnauthorizedException",
        "bedrock-runtime service model",
        vague=True,
    ),
    _row(
        "AWS Bedrock",
        Kind.MODEL_NOT_FOUND,
        "ResourceNotFoundException ResourceNotFound",
        "bedrock-runtime service model",
        vague=True,
    ),
    _row(
        "AWS Bedrock",
        Kind.BAD_REQUEST,
        "ValidationException ValidationError ConflictException "
        "MalformedQueryString SerializationException",
        "bedrock-runtime service model",
        vague=True,
    ),
)

_OTHERS: Final = (
    _row(
        "Mistral",
        Kind.RATE_LIMITED,
        "service_tier_capacity_exceeded",
        "429 code 3505 of api.mistral.ai",
    ),
    _row(
        "Groq",
        Kind.INVALID_OUTPUT,
        "tool_use_failed json_validate_failed output_parse_failed",
        "console.groq.com errors; recording groq/error_400_tool_use_failed_then_200: "
        "a 400 worth another try",
    ),
    _row(
        "Groq",
        Kind.MODEL_NOT_FOUND,
        "model_decommissioned model_not_active model_permission_blocked_org "
        "model_permission_blocked_project model_terms_required",
        "console.groq.com errors",
    ),
    _row(
        "Groq",
        Kind.AUTH,
        "organization_restricted blocked_api_access project_not_found",
        "console.groq.com errors",
    ),
    _row(
        "Groq",
        Kind.BAD_REQUEST,
        "request_entity_too_large",
        "console.groq.com errors",
    ),
    _row(
        "Together",
        Kind.MODEL_NOT_FOUND,
        "model_not_available_error",
        "docs.together.ai error codes",
    ),
    _row(
        "OpenRouter",
        Kind.SERVER_ERROR,
        "provider_overloaded",
        "openrouter.ai APIErrorType, in `metadata.error_type`",
    ),
    _row(
        "OpenRouter",
        Kind.CONTENT_POLICY,
        "refusal",
        "openrouter.ai APIErrorType",
    ),
    _row(
        "OpenRouter",
        Kind.BAD_REQUEST,
        "max_tokens_exceeded string_too_long payload_too_large "
        "unsupported_image_format image_not_found image_download_failed",
        "openrouter.ai APIErrorType",
    ),
    _row(
        "OpenRouter",
        Kind.SERVER_ERROR,
        "provider_unavailable server",
        "openrouter.ai APIErrorType",
        vague=True,
    ),
    _row(
        "OpenRouter",
        Kind.BAD_REQUEST,
        "unprocessable precondition_failed parameter_unknown",
        "openrouter.ai APIErrorType; Gemini's Interactions API",
        vague=True,
    ),
    _row(
        "OpenRouter",
        Kind.AUTH,
        "authentication",
        "openrouter.ai APIErrorType; Gemini's Interactions API",
        vague=True,
    ),
    _row(
        "Cerebras",
        Kind.RATE_LIMITED,
        "token_quota_exceeded request_quota_exceeded",
        "429 of api.cerebras.ai; the text says which bucket",
    ),
    _row("Cerebras", Kind.SERVER_ERROR, "queue_exceeded", "429 of api.cerebras.ai"),
    _row(
        "Moonshot",
        Kind.QUOTA_EXHAUSTED,
        "exceeded_current_quota_error exceeded_current_quota",
        "platform.moonshot.ai error table",
    ),
    _row(
        "Moonshot",
        Kind.RATE_LIMITED,
        "rate_limit_reached_error",
        "platform.moonshot.ai error table",
    ),
    _row(
        "Moonshot",
        Kind.SERVER_ERROR,
        "engine_overloaded_error",
        "platform.moonshot.ai error table",
    ),
    _row(
        "Moonshot",
        Kind.AUTH,
        "incorrect_api_key_error",
        "platform.moonshot.ai error table",
    ),
    _row(
        "Zhipu",
        Kind.AUTH,
        "1000 1001 1002 1003 1004 1100 1110 1111 1112 1121 1220",
        "docs.bigmodel.cn and docs.z.ai error codes",
    ),
    _row(
        "Zhipu",
        Kind.QUOTA_EXHAUSTED,
        "1113 1304 1308 1309 1310 1316",
        "docs.bigmodel.cn: arrears, daily, weekly and plan limits",
    ),
    _row("Zhipu", Kind.MODEL_NOT_FOUND, "1211 1221 1222 1311", "docs.bigmodel.cn"),
    _row(
        "Zhipu",
        Kind.BAD_REQUEST,
        "1210 1212 1213 1214 1215 1231",
        "docs.bigmodel.cn",
    ),
    _row("Zhipu", Kind.CONTEXT_OVERFLOW, "1261", "docs.bigmodel.cn"),
    _row("Zhipu", Kind.CONTENT_POLICY, "1300 1301", "docs.bigmodel.cn"),
    _row("Zhipu", Kind.RATE_LIMITED, "1302 1303 1313", "docs.bigmodel.cn"),
    _row(
        "Zhipu",
        Kind.SERVER_ERROR,
        "1120 1200 1230 1234 1305 1312",
        "docs.bigmodel.cn; recording zai/error_429_overloaded_x2",
    ),
    _row(
        "DashScope",
        Kind.RATE_LIMITED,
        "Throttling.RateQuota Throttling.AllocationQuota Throttling.BurstRate "
        "Throttling.User Throttling.Api LimitRequests limit_requests limit_burst_rate",
        "help.aliyun.com/model-studio/error-code",
    ),
    _row(
        "DashScope",
        Kind.QUOTA_EXHAUSTED,
        "Arrearage AccessDenied.Unpurchased AllocationQuota.FreeTierOnly "
        "CommodityNotPurchased PrepaidBillOverdue PostpaidBillOverdue",
        "help.aliyun.com/model-studio/error-code",
    ),
    _row(
        "DashScope",
        Kind.CONTENT_POLICY,
        "DataInspectionFailed data_inspection_failed",
        "help.aliyun.com/model-studio/error-code",
    ),
    _row(
        "DashScope",
        Kind.AUTH,
        "Model.AccessDenied Workspace.AccessDenied",
        "help.aliyun.com/model-studio/error-code",
    ),
    _row(
        "DashScope",
        Kind.BAD_REQUEST,
        "InvalidParameter InvalidURL BadRequest.EmptyInput BadRequest.EmptyParameters "
        "BadRequest.TooLarge UnsupportedOperation InternalError.Algo.InvalidParameter",
        "help.aliyun.com/model-studio/error-code",
        vague=True,
    ),
    _row(
        "DashScope",
        Kind.SERVER_ERROR,
        "ModelServiceFailed ModelServingError ModelUnavailable SystemError "
        "InvokePluginFailed",
        "help.aliyun.com/model-studio/error-code",
    ),
    _row(
        "DashScope",
        Kind.TIMEOUT,
        "InternalError.Timeout ResponseTimeout RequestTimeOut",
        "help.aliyun.com/model-studio/error-code",
    ),
    _row("SiliconFlow", Kind.MODEL_NOT_FOUND, "20012 30003", "docs.siliconflow.cn"),
    _row("SiliconFlow", Kind.QUOTA_EXHAUSTED, "30001 30011", "docs.siliconflow.cn"),
    _row("SiliconFlow", Kind.SERVER_ERROR, "50505 50501 50507", "docs.siliconflow.cn"),
    _row(
        "Hugging Face",
        Kind.SERVER_ERROR,
        "generation incomplete_generation model_loading",
        "text-generation-inference error_type",
    ),
    _row(
        "Hugging Face",
        Kind.BAD_REQUEST,
        "validation tool_error template_error",
        "text-generation-inference error_type",
        vague=True,
    ),
    _row(
        "llama.cpp",
        Kind.CONTEXT_OVERFLOW,
        "exceed_context_size_error",
        "llama.cpp tools/server",
    ),
    _row(
        "watsonx",
        Kind.QUOTA_EXHAUSTED,
        "token_quota_reached consumption_limit_reached quota_reached",
        "watsonx.ai error codes: 403 with a code",
    ),
    _row(
        "watsonx",
        Kind.RATE_LIMITED,
        "rate_limit_reached_requests downstream_request_throttled",
        "watsonx.ai error codes",
    ),
    _row(
        "watsonx",
        Kind.AUTH,
        "authentication_token_expired authentication_token_not_valid "
        "authorization_rejected invalid_credentials BXNIM0415E BXNIM0407E",
        "watsonx.ai error codes",
    ),
    _row(
        "watsonx",
        Kind.BAD_REQUEST,
        "model_no_support_for_function invalid_input_argument invalid_request_entity "
        "no_associated_service_instance_error",
        "watsonx.ai error codes",
        vague=True,
    ),
    _row(
        "watsonx",
        Kind.SERVER_ERROR,
        "downstream_request_failed",
        "watsonx.ai error codes",
    ),
    _row(
        "Databricks",
        Kind.RATE_LIMITED,
        "REQUEST_LIMIT_EXCEEDED",
        "docs.databricks.com error codes",
    ),
    _row(
        "Databricks",
        Kind.MODEL_NOT_FOUND,
        "RESOURCE_DOES_NOT_EXIST ENDPOINT_NOT_FOUND FEATURE_DISABLED",
        "docs.databricks.com error codes",
    ),
    _row(
        "Databricks",
        Kind.SERVER_ERROR,
        "TEMPORARILY_UNAVAILABLE WORKSPACE_TEMPORARILY_UNAVAILABLE",
        "docs.databricks.com error codes",
    ),
    _row(
        "Databricks",
        Kind.BAD_REQUEST,
        "INVALID_PARAMETER_VALUE MALFORMED_REQUEST INVALID_STATE",
        "docs.databricks.com error codes",
        vague=True,
    ),
    _row(
        "Volcengine",
        Kind.QUOTA_EXHAUSTED,
        "AccountOverdueError AccountOverdue",
        "volcengine.com/docs error codes",
    ),
    _row(
        "Volcengine",
        Kind.CONTENT_POLICY,
        "SensitiveContentDetected InputTextSensitiveContentDetected "
        "OutputTextSensitiveContentDetected InputImageSensitiveContentDetected",
        "volcengine.com/docs error codes",
    ),
    _row(
        "Volcengine",
        Kind.MODEL_NOT_FOUND,
        "InvalidEndpointOrModel ModelNotOpen",
        "volcengine.com/docs error codes",
    ),
    _row(
        "LiteLLM",
        Kind.QUOTA_EXHAUSTED,
        "budget_exceeded",
        "docs.litellm.ai proxy error reference: a 400 or 429 that is money",
    ),
    _row(
        "LiteLLM",
        Kind.RATE_LIMITED,
        "throttling_error",
        "docs.litellm.ai proxy error reference; on each 429, whatever it means",
        vague=True,
    ),
    _row(
        "LiteLLM",
        Kind.AUTH,
        "key_model_access_denied team_model_access_denied user_model_access_denied "
        "org_model_access_denied token_not_found_in_db",
        "docs.litellm.ai proxy error reference",
    ),
    _row(
        "MiniMax",
        Kind.RATE_LIMITED,
        "base_resp.1002 base_resp.1039 base_resp.1041 base_resp.2045",
        "platform.minimax.io error codes, within `base_resp`",
    ),
    _row(
        "MiniMax",
        Kind.QUOTA_EXHAUSTED,
        "base_resp.1008 base_resp.2056",
        "platform.minimax.io error codes",
    ),
    _row("MiniMax", Kind.AUTH, "base_resp.1004 base_resp.2049", "platform.minimax.io"),
    _row("MiniMax", Kind.TIMEOUT, "base_resp.1001", "platform.minimax.io"),
    _row(
        "MiniMax",
        Kind.SERVER_ERROR,
        "base_resp.1000 base_resp.1013 base_resp.1024 base_resp.1033",
        "platform.minimax.io error codes",
    ),
    _row(
        "MiniMax",
        Kind.CONTENT_POLICY,
        "base_resp.1026 base_resp.1027",
        "platform.minimax.io error codes",
    ),
    _row(
        "MiniMax",
        Kind.BAD_REQUEST,
        "base_resp.1042 base_resp.2013",
        "platform.minimax.io error codes",
        vague=True,
    ),
    _row(
        "One API",
        Kind.QUOTA_EXHAUSTED,
        "insufficient_user_quota pre_consume_token_quota_failed user_quota_not_enough",
        "new-api and one-api relays: 403 that is money",
    ),
    _row(
        "One API",
        Kind.SERVER_ERROR,
        "get_channel_failed bad_response bad_response_status_code do_request_failed "
        "channel:no_available_key channel:invalid_key",
        "new-api relays",
    ),
)

ROWS: Final = _OPENAI + _AZURE + _ANTHROPIC + _GOOGLE + _AWS + _OTHERS


@lru_cache(maxsize=1024)
def canonical(code: str) -> str:
    """Strip what providers do not agree on: case and punctuation."""
    return "".join(letter for letter in code.lower() if letter.isalnum())


def _index(*, vague: bool) -> Mapping[str, Kind]:
    return {
        canonical(code): row.kind
        for row in reversed(ROWS)  # the upper row wins
        if row.vague is vague
        for code in row.codes
    }


EXACT: Final = _index(vague=False)
"""Codes that decide by themselves."""

GENERAL: Final = frozenset(
    {
        "resourceexhausted",
        "toomanyrequests",
        "ratelimit",
        "ratelimited",
        "ratelimitexceeded",
        "ratelimitreached",
    }
)
"""Codes that say no more than 429: a more exact one in the same body overrules them."""

VAGUE: Final = _index(vague=True)
"""Codes that say no more than a status."""
