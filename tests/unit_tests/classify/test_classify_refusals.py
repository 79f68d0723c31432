"""Refused: keys and those who own them, policies, prompts too long, models not there.

Each row is a shape that some provider sends; the words are ours, the decisive part
of each is theirs.
"""

# ruff: noqa: E501 - bodies stand on one line each

from __future__ import annotations

import pytest

from langchain_reliable._classify.interpreter import classify

AUTH, POLICY, REQUEST = "auth", "content_policy", "bad_request"
OVERFLOW, MODEL, SERVER, RATE = (
    "context_overflow",
    "model_not_found",
    "server_error",
    "rate_limited",
)
INVALID = "invalid_request_error"


def error(message, kind=None, code=None, **more):
    return {"error": {"message": message, "type": kind, "code": code, **more}}


KEYS = [
    (
        "an organization that is switched off, by 400",
        400,
        error("This organization has been disabled.", INVALID),
        AUTH,
    ),
    (
        "an account that is switched off, by 400",
        400,
        error("Your account has been deactivated. Contact support.", INVALID),
        AUTH,
    ),
    (
        "an account that is suspended, by 403",
        403,
        error("Account suspended", "forbidden"),
        AUTH,
    ),
    (
        "an owner who left, by 400",
        400,
        error(
            "The user who owns this API key is no longer a member of the organization.",
            INVALID,
        ),
        AUTH,
    ),
    (
        "an owner who left, otherwise",
        400,
        error("You must be a member of an organization to use the API", INVALID),
        AUTH,
    ),
    (
        "a key of somebody removed, by 400",
        400,
        error("This API key belongs to a user that has been removed", INVALID),
        AUTH,
    ),
    (
        "a key that was revoked, by 400",
        400,
        error("The provided API key has been revoked", INVALID),
        AUTH,
    ),
    (
        "a key that was disabled, by 400",
        400,
        {
            "code": "Client specified an invalid argument",
            "error": "The API key has been disabled",
        },
        AUTH,
    ),
    (
        "a key that leaked",
        403,
        error(
            "Your API key was reported as leaked. Please use another API key.",
            None,
            403,
            status="PERMISSION_DENIED",
        ),
        AUTH,
    ),
    ("a key that was deleted, by 404", 401, error("API key was deleted"), AUTH),
    (
        "a project that is archived, by 400",
        400,
        error(
            "The project you are requesting has been archived",
            INVALID,
            "project_archived",
        ),
        AUTH,
    ),
    (
        "a key that expired, by 400",
        400,
        error(
            "API key expired. Please renew the API key.",
            None,
            400,
            status="INVALID_ARGUMENT",
        ),
        AUTH,
    ),
    (
        "a consumer that is suspended",
        403,
        error(
            "Permission denied: Consumer has been suspended.",
            None,
            403,
            status="PERMISSION_DENIED",
        ),
        AUTH,
    ),
    (
        "terminated access",
        429,
        error(
            "Your access was terminated due to violation of our policies, check your email.",
            "access_terminated",
        ),
        AUTH,
    ),
    (
        "terminated access by 403",
        403,
        error("Your access was terminated", "access_terminated_error"),
        AUTH,
    ),
    (
        "a location",
        400,
        error(
            "User location is not supported for the API use.",
            None,
            400,
            status="FAILED_PRECONDITION",
        ),
        REQUEST,
    ),
    (
        "a country by code",
        403,
        error("no", "request_forbidden", "unsupported_country_region_territory"),
        AUTH,
    ),
    ("a code that says it, by 400", 400, error("no", "invalid_key_error"), AUTH),
    ("a code that says it, revoked", 400, error("no", None, "api_key_revoked"), AUTH),
    (
        "a code that says it, disabled",
        400,
        error("no", None, "organization_disabled"),
        AUTH,
    ),
    (
        "a code that says it, credentials",
        400,
        {"code": "unauthenticated:bad-credentials", "error": "no"},
        AUTH,
    ),
    (
        "a login that failed",
        400,
        error(
            "login fail: Please carry the API secret key in the 'Authorization' field (1004)"
        ),
        AUTH,
    ),
    (
        "NVIDIA",
        403,
        {"status": 403, "title": "Forbidden", "detail": "Authorization failed"},
        AUTH,
    ),
    ("a string instead of a body", 401, '"Api key is invalid"', AUTH),
    ("Kong", 401, {"message": "No API key found in request"}, AUTH),
    (
        "Cloudflare",
        401,
        {
            "success": False,
            "errors": [{"code": 10000, "message": "Authentication error"}],
        },
        AUTH,
    ),
    (
        "a token of Baidu in a good answer",
        400,
        {"error_code": 110, "error_msg": "Access token invalid or no longer valid"},
        AUTH,
    ),
]

FIVE_HUNDRED = [
    (
        "a key of the gateway's own",
        503,
        {"detail": "503: NVIDIA_NIM_API_KEY is not set. Get an API key at the console"},
    ),
    ("an upstream's key", 502, error("Upstream said: Incorrect API key provided")),
    (
        "an upstream's code",
        502,
        error("Upstream failed", "upstream_error", "invalid_api_key"),
    ),
    (
        "an upstream's type",
        500,
        error("Authentication Error, invalid proxy server token", "auth_error", "500"),
    ),
    (
        "a service that is disabled",
        503,
        error(
            "Service disabled for maintenance",
            None,
            503,
            status="UNAVAILABLE",
            details=[{"reason": "SERVICE_DISABLED"}],
        ),
    ),
    (
        "keys of a cache",
        500,
        error("Could not read cache keys: access denied", "internal_error"),
    ),
    (
        "an authentication service",
        500,
        error("The authentication service is unavailable", "server_error"),
    ),
    (
        "an authentication backend in a page",
        503,
        "<html><h1>503</h1>authentication failed at the load balancer</html>",
    ),
    (
        "an unauthorized upstream",
        500,
        error("litellm.APIError: unauthorized access to the backend", "api_error"),
    ),
]

POLICIES = [
    (
        "by a guardrail's own status",
        446,
        error("The guardrail checks defined in the config failed", "hooks_failed"),
    ),
    (
        "by security configurations",
        424,
        {
            "success": False,
            "errors": [
                {
                    "code": 2016,
                    "message": "Prompt blocked due to security configurations",
                }
            ],
        },
    ),
    ("by a code that says it", 400, error("no", "content_safety_violation")),
    ("by a code of a moderation", 403, error("no", None, "moderation_failed")),
    ("by a code of a guardrail", 400, error("no", "guardrail_intervened")),
    (
        "by a code in parts",
        400,
        error("no", "BadRequest", "OutputTextSensitiveContentDetected.PolicyViolation"),
    ),
    (
        "by an inner error",
        400,
        error(
            "no",
            None,
            "content_filter",
            innererror={
                "code": "ResponsibleAIPolicyViolation",
                "content_filter_result": {"hate": {"filtered": True}},
            },
        ),
    ),
    (
        "by words of usage guidelines",
        403,
        {
            "code": "The caller does not have permission",
            "error": "Content violates usage guidelines.",
        },
    ),
    (
        "by a prompt that was flagged",
        400,
        error(
            "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
            INVALID,
            "invalid_prompt",
        ),
    ),
    (
        "by OpenRouter's moderation",
        403,
        error(
            'x requires moderation. Your input was flagged for "violence".',
            None,
            403,
            metadata={"reasons": ["violence"]},
        ),
    ),
    ("by DashScope", 400, {"code": "DataInspectionFailed", "message": "no"}),
    (
        "by Tencent",
        400,
        {
            "Response": {
                "Error": {
                    "Code": "OperationDenied.TextIllegalDetected",
                    "Message": "no",
                }
            }
        },
    ),
    (
        "by MiniMax",
        400,
        {"base_resp": {"status_code": 1026, "status_msg": "input new_sensitive"}},
    ),
    ("by DeepSeek", 400, error("Content Exists Risk", INVALID, INVALID)),
    (
        "by Moonshot",
        400,
        error(
            "The request was rejected because it was considered high risk",
            "content_filter",
        ),
    ),
    (
        "by Gemini",
        400,
        error(
            "The prompt was blocked",
            None,
            400,
            status="INVALID_ARGUMENT",
            details=[{"reason": "PROHIBITED_CONTENT"}],
        ),
    ),
]

NO_POLICY = [
    (
        "annotations of a filter that filtered nothing",
        500,
        error(
            "No choices: {'content_filter_results': {'hate': {'filtered': False, 'severity': 'safe'}}}",
            "server_error",
        ),
        SERVER,
    ),
    (
        "annotations in a body",
        400,
        {
            **error("Bad temperature", INVALID),
            "prompt_filter_results": [
                {"content_filter_results": {"hate": {"filtered": False}}}
            ],
        },
        REQUEST,
    ),
    (
        "annotations in a text",
        400,
        error(
            "Unsupported; filters said content_filter_result={'filtered': false}",
            INVALID,
        ),
        REQUEST,
    ),
    (
        "the service of the filter",
        500,
        error("The content filter could not be reached", "internal_server_error"),
        SERVER,
    ),
    (
        "a policy of retries",
        400,
        error("Unknown field: retry_policy", INVALID, "invalid_retry_policy"),
        REQUEST,
    ),
]

TOO_LONG = [
    (
        "the newer endpoints of Bedrock",
        400,
        error(
            "prompt tokens (400007) exceed model maximum (278528) for openai.gpt-x",
            INVALID,
            "validation_error",
        ),
    ),
    (
        "the same, about the input",
        400,
        error(
            "Input length (140000) exceeds maximum allowed token size (131072)",
            "validation_error",
        ),
    ),
    (
        "the same, about the request",
        400,
        error(
            "The request contains 300000 tokens, which exceeds the model's maximum of 200000",
            INVALID,
        ),
    ),
    (
        "Bedrock, of Claude",
        400,
        {
            "__type": "ValidationException",
            "message": "The model returned the following errors: prompt is too long: 227255 tokens > 200000 maximum",
        },
    ),
    (
        "a proxy of Copilot",
        400,
        error(
            "prompt token count of 140000 exceeds the limit of 128000",
            INVALID,
            "model_max_prompt_tokens_exceeded",
        ),
    ),
    ("by a code that says it", 400, error("no", None, "prompt_tokens_exceeded")),
    ("by a code of a window", 400, error("no", "ContextWindowOverflow")),
    ("by a code of llama.cpp", 400, error("no", "exceed_context_size_error", 400)),
    (
        "MiniMax",
        400,
        error(
            "invalid params, context window exceeds limit (2013)", "bad_request_error"
        ),
    ),
    (
        "LM Studio",
        400,
        {
            "error": "Trying to keep the first 12000 tokens when context the overflows. The model is loaded with context length of only 8192 tokens"
        },
    ),
    (
        "GPUStack",
        400,
        error(
            "Illegal param: prefill 744 tokens exceed n_ctx_per_seq, try a larger context",
            INVALID,
            400,
        ),
    ),
    (
        "SambaNova",
        400,
        error(
            "The maximum context length of X is 32768. However, answering your request will take 39732 tokens.",
            INVALID,
        ),
    ),
    (
        "SGLang",
        400,
        {
            "object": "error",
            "message": "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
            "type": "BadRequestError",
            "code": 400,
        },
    ),
    (
        "TensorRT",
        400,
        error("Prompt length (9000) exceeds maximum input length (8192)"),
    ),
    (
        "Moonshot",
        400,
        error(
            "Invalid request: Your request exceeded model token limit: 8192 (requested: 9000)",
            INVALID,
        ),
    ),
    (
        "xAI",
        400,
        {
            "code": "Client specified an invalid argument",
            "error": "This model's maximum prompt length is 131072 but the request contains 200000 tokens.",
        },
    ),
    ("Zhipu", 400, error("Prompt 超长", None, "1261")),
    (
        "Mistral",
        400,
        {
            "object": "error",
            "message": "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
            "type": INVALID,
        },
    ),
    (
        "Cohere",
        400,
        {
            "message": "too many tokens: total number of tokens in the prompt cannot exceed 4081"
        },
    ),
    (
        "DashScope",
        400,
        {
            "code": "InvalidParameter",
            "message": "Range of input length should be [1, 129024]",
        },
    ),
    (
        "a vLLM of today",
        400,
        error(
            "You passed 9000 input tokens and asked for 100 output tokens. However, the model's context length is only 8192 tokens",
            "BadRequestError",
            400,
        ),
    ),
    (
        "a 413 of tokens",
        413,
        error("The conversation is too long for the context window of this model"),
    ),
    (
        "llama.cpp of today, by 500",
        500,
        error("Context size has been exceeded.", "server_error", 500),
    ),
    ("Ollama", 400, {"error": "the input length exceeds the context length"}),
    (
        "Gemini",
        400,
        error(
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            None,
            400,
            status="INVALID_ARGUMENT",
        ),
    ),
    (
        "messages and tools",
        400,
        error(
            "The messages and tools take 300000 tokens; the context limit is 262144 tokens, reduce the input",
            INVALID,
        ),
    ),
]

TOO_LARGE = [
    (
        "one request beyond a minute's tokens",
        429,
        error(
            "Request too large for gpt-x in organization o on tokens per min (TPM): Limit 30000, Requested 45000.",
            "tokens",
            "rate_limit_exceeded",
        ),
    ),
    (
        "the same by 413",
        413,
        error(
            "Request too large for model `x` on tokens per minute (TPM): Limit 6000, Requested 8000, please reduce your message size and try again.",
            "tokens",
            "rate_limit_exceeded",
        ),
    ),
    (
        "a single request",
        429,
        error(
            "A single request of 50000 tokens exceeds your limit of 40000 tokens per minute",
            "rate_limit_error",
        ),
    ),
    (
        "a message larger than gRPC takes",
        429,
        {
            "code": 8,
            "status": "RESOURCE_EXHAUSTED",
            "message": "Sent message larger than max (5000000 vs. 4194304)",
        },
    ),
    ("bytes", 413, error("Request exceeds the maximum size", "request_too_large")),
    (
        "bytes of Gemini",
        400,
        error(
            "Request payload size exceeds the limit: 20971520 bytes.",
            None,
            400,
            status="INVALID_ARGUMENT",
        ),
    ),
    (
        "a page of nginx",
        413,
        "<html><head><title>413 Request Entity Too Large</title></head></html>",
    ),
    (
        "an answer's length",
        400,
        error(
            "max_tokens is too large: 32000. This model supports at most 16384 completion tokens",
            INVALID,
            "invalid_value",
        ),
    ),
    (
        "an answer's length of Claude",
        400,
        error(
            "max_tokens: 64000 > 8192, which is the maximum allowed number of output tokens for x",
            INVALID,
        ),
    ),
    (
        "a text too long for its field",
        400,
        error(
            "Invalid 'messages[0].content': string too long. Expected at most 1048576",
            INVALID,
            "string_above_max_length",
        ),
    ),
    (
        "too many images",
        400,
        error("This model supports at most 1 image per prompt", INVALID, INVALID),
    ),
]

MODELS = [
    (
        "no model loaded",
        404,
        {"error": "No models loaded. Please load a model in the developer page"},
    ),
    ("by a code that says it", 400, error("no", None, "model_retired")),
    (
        "by a code of an endpoint",
        404,
        error("no", "NotFound", "InvalidEndpointOrModel.NotFound"),
    ),
    ("by a code in parts", 400, error("no", None, "UnsupportedModel.Chat")),
    (
        "NVIDIA",
        404,
        {
            "status": 404,
            "title": "Not Found",
            "detail": "Function 'x': Not found for account 'y'",
        },
    ),
    (
        "Cloudflare",
        400,
        {
            "success": False,
            "errors": [{"code": 5007, "message": "No such model @cf/x or task"}],
        },
    ),
    ("a model that left", 410, error("The model has been removed")),
    (
        "LM Studio",
        400,
        error(
            'Invalid model identifier "x". Please specify a valid downloaded model',
            INVALID,
            "model_not_found",
        ),
    ),
    ("Xinference", 400, {"detail": "Model not found in the model list, uid: x"}),
    (
        "an end of life",
        400,
        {
            "__type": "ValidationException",
            "message": "This model version has reached the end of its life.",
        },
    ),
]

ALL = [
    *KEYS,
    *((f"5xx: {story}", status, body, SERVER) for story, status, body in FIVE_HUNDRED),
    *((f"policy: {story}", status, body, POLICY) for story, status, body in POLICIES),
    *((f"no policy: {story}", *row) for story, *row in NO_POLICY),
    *(
        (f"too long: {story}", status, body, OVERFLOW)
        for story, status, body in TOO_LONG
    ),
    *(
        (f"too large: {story}", status, body, REQUEST)
        for story, status, body in TOO_LARGE
    ),
    *((f"model: {story}", status, body, MODEL) for story, status, body in MODELS),
]


@pytest.mark.parametrize(
    ("status", "body", "kind"), [r[1:] for r in ALL], ids=[r[0] for r in ALL]
)
def test_refusals(answered, status, body, kind):
    assert classify(answered(status, body)).kind == kind


NOT_SO = [
    (
        "a role out of a list",
        400,
        error("role must be a member of ['user', 'assistant']", INVALID),
        REQUEST,
    ),
    ("a key of a cache", 400, error("no", None, "invalid_idempotency_key"), REQUEST),
    ("a key of an object", 400, error("no", None, "object_key_invalid"), REQUEST),
    (
        "an answer's length beyond the model's",
        400,
        error(
            "max_tokens of 9000 exceeds the model's maximum of 4096 output tokens",
            INVALID,
        ),
        REQUEST,
    ),
    (
        "a limit of an account per minute, by code",
        429,
        error("no", None, "account_rate_limit_exceeded"),
        RATE,
    ),
    (
        "a limit that says how to get more",
        429,
        error("Rate limit exceeded. Users on a paid plan get more."),
        RATE,
    ),
    (
        "a limit that is exhausted for now",
        429,
        error("Request limit exhausted, retry in 2s"),
        RATE,
    ),
    (
        "sessions under way at once",
        429,
        error("You have met the concurrent session limit"),
        RATE,
    ),
    (
        "a limit that is not one's own",
        429,
        error(
            "Server is temporarily limiting requests (not your usage limit)",
            "rate_limit_error",
        ),
        RATE,
    ),
    (
        "a policy of caching",
        400,
        error("Unknown content_cache_policy", INVALID, "unknown_parameter"),
        REQUEST,
    ),
    (
        "a field called context",
        400,
        error("context_window must be an integer", INVALID),
        REQUEST,
    ),
    (
        "a service for billing that is down",
        503,
        error("no", None, "billing_service_unavailable"),
        SERVER,
    ),
    (
        "a moderation that is down",
        503,
        error("no", None, "moderation_service_error"),
        SERVER,
    ),
    (
        "a model that is loaded",
        429,
        error("no", None, "model_overloaded_retry"),
        SERVER,
    ),
]


@pytest.mark.parametrize(
    ("status", "body", "kind"), [r[1:] for r in NOT_SO], ids=[r[0] for r in NOT_SO]
)
def test_what_only_sounds_like_it(answered, status, body, kind):
    assert classify(answered(status, body)).kind == kind


OWNERS = [
    (
        "an owner who is gone, by code",
        400,
        error("no", None, "owner_deactivated"),
        AUTH,
    ),
    (
        "a user who is no member, by code",
        400,
        error("no", None, "user_not_member_of_org"),
        AUTH,
    ),
    (
        "an owner who is gone, in words",
        400,
        error("The owner of this API key is no longer active", INVALID),
        AUTH,
    ),
    ("a key that is suspended", 400, error("The API key was suspended", INVALID), AUTH),
    (
        "OpenRouter's canonical type of a refusal",
        400,
        error("no", None, 400, metadata={"error_type": "refusal"}),
        POLICY,
    ),
    (
        "OpenRouter's canonical type of load",
        429,
        error("no", None, 429, metadata={"error_type": "provider_overloaded"}),
        SERVER,
    ),
    (
        "a sequence longer than the model's",
        400,
        error("Sequence length 9000 exceeds max_model_len 8192"),
        OVERFLOW,
    ),
    (
        "tokens of a request, which no wait makes fewer",
        429,
        error("Requested tokens exceed the maximum tokens per request"),
        REQUEST,
    ),
]


@pytest.mark.parametrize(
    ("status", "body", "kind"), [r[1:] for r in OWNERS], ids=[r[0] for r in OWNERS]
)
def test_more_refusals(answered, status, body, kind):
    assert classify(answered(status, body)).kind == kind
