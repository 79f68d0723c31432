"""More shapes found in the wild: issues, error tables, forums."""

# ruff: noqa: E501 - bodies stand as they were sent

from __future__ import annotations

import pytest

from langchain_reliable._classify.interpreter import classify

ROWS = [
    (
        "openai 429 tpm day",
        429,
        {
            "error": {
                "message": "Rate limit reached for gpt-4o in organization org on tokens per day (TPD): Limit 90000, Used 89999, Requested 100. Please try again in 1m2s.",
                "type": "tokens",
                "code": "rate_limit_exceeded",
            }
        },
        "rate_limited",
    ),
    (
        "openai billing hard",
        400,
        {
            "error": {
                "message": "Billing hard limit has been reached",
                "type": "invalid_request_error",
                "code": "billing_hard_limit_reached",
            }
        },
        "quota_exhausted",
    ),
    (
        "openai deactivated",
        401,
        {
            "error": {
                "message": "The OpenAI account associated with this API key has been deactivated.",
                "type": "invalid_request_error",
                "code": "account_deactivated",
            }
        },
        "auth",
    ),
    (
        "openai 404 deprecated",
        404,
        {
            "error": {
                "message": "The model `gpt-4-32k` has been deprecated, learn more here",
                "type": "invalid_request_error",
                "code": "model_not_found",
            }
        },
        "model_not_found",
    ),
    (
        "openai 400 string too long",
        400,
        {
            "error": {
                "message": "Invalid 'messages[0].content': string too long. Expected a string with maximum length 1048576, but got a string with length 2000000 instead.",
                "type": "invalid_request_error",
                "code": "string_above_max_length",
            }
        },
        "bad_request",
    ),
    (
        "openai image 400",
        400,
        {
            "error": {
                "message": "You uploaded an unsupported image.",
                "type": "invalid_request_error",
                "code": "invalid_image_format",
            }
        },
        "bad_request",
    ),
    (
        "openai 401 no key",
        401,
        {
            "error": {
                "message": "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth",
                "type": "invalid_request_error",
                "code": None,
            }
        },
        "auth",
    ),
    (
        "openai 403 html cf",
        403,
        "<html><title>Attention Required! | Cloudflare</title></html>",
        "auth",
    ),
    (
        "openai 429 html",
        429,
        "<html><head><title>429 Too Many Requests</title></head></html>",
        "rate_limited",
    ),
    (
        "azure 404 resource",
        404,
        {"error": {"message": "Resource not found", "code": "404"}},
        "model_not_found",
    ),
    (
        "azure 401 token",
        401,
        {
            "error": {
                "message": "The access token is missing, invalid, audience is incorrect, or have expired.",
                "code": "unauthorized",
            }
        },
        "auth",
    ),
    (
        "azure 429 s0",
        429,
        {
            "error": {
                "message": "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024 have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after 26 seconds.",
                "code": "429",
            }
        },
        "rate_limited",
    ),
    (
        "azure 400 op",
        400,
        {
            "error": {
                "message": "The chatCompletion operation does not work with the specified model, x.",
                "code": "OperationNotSupported",
            }
        },
        "bad_request",
    ),
    (
        "azure 424?",
        408,
        {"error": {"message": "The operation was timeout.", "code": "Timeout"}},
        "timeout",
    ),
    (
        "azure 403 vnet",
        403,
        {
            "error": {
                "message": "Access denied due to Virtual Network/Firewall rules.",
                "code": "403",
            }
        },
        "auth",
    ),
    (
        "azure 400 ctx",
        400,
        {
            "error": {
                "message": "This model's maximum context length is 16385 tokens. However, your messages resulted in 20000 tokens.",
                "code": "context_length_exceeded",
            }
        },
        "context_overflow",
    ),
    (
        "gemini compat list",
        429,
        [
            {
                "error": {
                    "code": 429,
                    "message": "Resource has been exhausted (e.g. check quota).",
                    "status": "RESOURCE_EXHAUSTED",
                }
            }
        ],
        "rate_limited",
    ),
    (
        "gemini compat key",
        400,
        [
            {
                "error": {
                    "code": 400,
                    "message": "API key not valid. Please pass a valid API key.",
                    "status": "INVALID_ARGUMENT",
                    "details": [
                        {
                            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                            "reason": "API_KEY_INVALID",
                        }
                    ],
                }
            }
        ],
        "auth",
    ),
    (
        "deepseek 422",
        422,
        {
            "error": {
                "message": "Failed to deserialize the JSON body",
                "type": "invalid_request_error",
            }
        },
        "bad_request",
    ),
    (
        "deepseek 429",
        429,
        {"error": {"message": "Too many requests", "type": "rate_limit"}},
        "rate_limited",
    ),
    (
        "deepseek 503",
        503,
        {
            "error": {
                "message": "Service is too busy.",
                "type": "service_unavailable_error",
            }
        },
        "server_error",
    ),
    (
        "together 429 capacity",
        429,
        {
            "error": {
                "message": "You have reached the rate limit specific to this model. Please add more credits at..",
                "type": "model_rate_limit",
                "code": None,
            }
        },
        "rate_limited",
    ),
    (
        "together 400 tok",
        400,
        {
            "error": {
                "message": "`inputs` tokens + `max_new_tokens` must be <= 4097. Given: 4000 `inputs` tokens and 200 `max_new_tokens`",
                "type": "invalid_request_error",
            }
        },
        "context_overflow",
    ),
    (
        "fireworks 401",
        401,
        {
            "error": {
                "message": "The API key you provided is invalid.",
                "code": "UNAUTHORIZED",
                "type": "error",
            }
        },
        "auth",
    ),
    (
        "fireworks 400 ctx",
        400,
        {
            "error": {
                "message": "The prompt is too long: 140000, model maximum context length: 131072",
                "type": "invalid_request_error",
                "code": "invalid_request",
            }
        },
        "context_overflow",
    ),
    (
        "fireworks 429",
        429,
        {
            "error": {
                "message": "Request rate limited",
                "code": "RATE_LIMITED",
                "type": "error",
            }
        },
        "rate_limited",
    ),
    (
        "fireworks 503",
        503,
        {
            "error": {
                "message": "Service overloaded",
                "code": "SERVICE_UNAVAILABLE",
                "type": "error",
            }
        },
        "server_error",
    ),
    (
        "xai 429",
        429,
        {
            "code": "Some resource has been exhausted",
            "error": "Too many requests for team t and model grok. Your team's rate limit is - Requests per Second (actual/limit): 5/4",
        },
        "rate_limited",
    ),
    (
        "xai 404",
        404,
        {
            "code": "Some requested entity was not found",
            "error": "The model grok-x does not exist or your team does not have access to it.",
        },
        "model_not_found",
    ),
    (
        "xai 403 blocked",
        403,
        {
            "code": "The caller does not have permission to execute the specified operation",
            "error": "API key is currently blocked",
        },
        "auth",
    ),
    (
        "xai 401",
        401,
        {"code": "unauthenticated:bad-credentials", "error": "..."},
        "auth",
    ),
    (
        "perplexity 429",
        429,
        {
            "error": {
                "message": "Request rate limit exceeded",
                "type": "rate_limit_exceeded",
                "code": 429,
            }
        },
        "rate_limited",
    ),
    (
        "perplexity 400 roles",
        400,
        {
            "error": {
                "message": "Last message must have role `user`.",
                "type": "invalid_message",
                "code": 400,
            }
        },
        "bad_request",
    ),
    (
        "cerebras 404",
        404,
        {
            "message": "Model x does not exist or you do not have access to it.",
            "type": "not_found_error",
            "param": "model",
            "code": "model_not_found",
        },
        "model_not_found",
    ),
    (
        "cerebras 402",
        402,
        {"message": "Payment required", "type": "payment_required"},
        "quota_exhausted",
    ),
    (
        "moonshot 403",
        403,
        {
            "error": {
                "message": "You do not have permission",
                "type": "permission_denied_error",
            }
        },
        "auth",
    ),
    (
        "moonshot 400 ctx2",
        400,
        {
            "error": {
                "message": "Invalid request: total message size 4194305 exceeds limit 4194304",
                "type": "invalid_request_error",
            }
        },
        "bad_request",
    ),
    (
        "kimi usage",
        403,
        {
            "error": {
                "message": "You've reached your usage limit for this billing cycle.",
                "type": "access_terminated_error",
            }
        },
        "quota_exhausted",
    ),
    (
        "zhipu 1305 429 openai",
        429,
        {"error": {"message": "x", "code": 1305}},
        "server_error",
    ),
    (
        "zhipu 401",
        401,
        {"error": {"code": "401", "message": "令牌已过期或验证不正确"}},
        "auth",
    ),
    (
        "siliconflow 503",
        503,
        {
            "code": 50505,
            "message": "Model service overloaded. Please try again later.",
            "data": None,
        },
        "server_error",
    ),
    (
        "siliconflow 400 len",
        400,
        {
            "code": 20015,
            "message": "length of prompt_tokens (15936) must be less than max_seq_len (8192).",
            "data": None,
        },
        "context_overflow",
    ),
    (
        "vllm null",
        400,
        {
            "object": "error",
            "message": "'max_tokens' or 'max_completion_tokens' is too large: 5000. This model's maximum context length is 4096 tokens and your request has 100 input tokens (5000 > 4096 - 100).",
            "type": "BadRequestError",
            "code": 400,
        },
        "context_overflow",
    ),
    (
        "vllm decoder",
        400,
        {
            "object": "error",
            "message": "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
            "type": "BadRequestError",
            "code": 400,
        },
        "context_overflow",
    ),
    (
        "vllm tool choice",
        400,
        {
            "object": "error",
            "message": '"auto" tool choice requires --enable-auto-tool-choice',
            "type": "BadRequestError",
            "code": 400,
        },
        "bad_request",
    ),
    ("vllm 401", 401, {"error": "Unauthorized"}, "auth"),
    (
        "sglang ctx",
        400,
        {
            "object": "error",
            "message": "The input (5000 tokens) is longer than the model's context length (4096 tokens).",
            "type": "BadRequestError",
            "code": 400,
        },
        "context_overflow",
    ),
    (
        "lmstudio",
        400,
        {
            "error": "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens, which is not enough."
        },
        "context_overflow",
    ),
    (
        "llamacpp old",
        500,
        {
            "error": {
                "message": "the request exceeds the available context size. try increasing the context size or enable context shift",
                "code": 500,
                "type": "server_error",
            }
        },
        "context_overflow",
    ),
    (
        "github unauthorized",
        401,
        {"error": {"message": "Bad credentials", "code": "unauthorized"}},
        "auth",
    ),
    (
        "github no access",
        403,
        {"error": {"message": "No access to model: openai/gpt-5", "code": "no_access"}},
        "auth",
    ),
    (
        "github unavailable",
        400,
        {"error": {"message": "Unavailable model: x", "code": "unavailable_model"}},
        "model_not_found",
    ),
    ("nim 429", 429, {"status": 429, "title": "Too Many Requests"}, "rate_limited"),
    (
        "nim 403",
        403,
        {"status": 403, "title": "Forbidden", "detail": "Authorization failed"},
        "auth",
    ),
    ("nim 404 page", 404, "404 page not found", "bad_request"),
    (
        "databricks 400 ctx",
        400,
        {
            "error_code": "BAD_REQUEST",
            "message": '{"error":{"message":"prompt is too long: 2 tokens > 1 maximum"}}',
        },
        "context_overflow",
    ),
    (
        "databricks 403",
        403,
        {"error_code": "PERMISSION_DENIED", "message": "You do not have permission"},
        "auth",
    ),
    (
        "databricks 429 res",
        429,
        {"error_code": "RESOURCE_EXHAUSTED", "message": "Too many requests."},
        "rate_limited",
    ),
    (
        "litellm rl handler",
        429,
        {
            "error": {
                "message": "LiteLLM Rate Limit Handler for rate limit type = key. Crossed TPM / RPM / Max Parallel Request Limit.",
                "type": None,
                "code": "429",
            }
        },
        "rate_limited",
    ),
    (
        "litellm key model",
        401,
        {
            "error": {
                "message": "Authentication Error, API Key not allowed to access model. This token can only access models=['x'].",
                "type": "key_model_access_denied",
                "code": "401",
            }
        },
        "auth",
    ),
    (
        "litellm invalid model",
        400,
        {
            "error": {
                "message": "litellm.BadRequestError: Invalid model name passed in model=x. Call `/v1/models`",
                "type": None,
                "code": "400",
            }
        },
        "model_not_found",
    ),
    (
        "litellm 400 wraps policy",
        400,
        {"error": {"message": "litellm.ContentPolicyViolationError: x", "code": "400"}},
        "content_policy",
    ),
    (
        "litellm 500 wraps",
        500,
        {"error": {"message": "litellm.APIConnectionError: x", "code": "500"}},
        "server_error",
    ),
    (
        "litellm 408",
        408,
        {"error": {"message": "litellm.Timeout: x", "code": "408"}},
        "timeout",
    ),
    (
        "openrouter 403 key limit",
        403,
        {
            "error": {
                "message": "Key limit exceeded (monthly limit). Manage it using https://openrouter.ai/settings/keys",
                "code": 403,
            }
        },
        "quota_exhausted",
    ),
    (
        "openrouter 404 policy",
        404,
        {
            "error": {
                "message": "No endpoints found matching your data policy",
                "code": 404,
            }
        },
        "model_not_found",
    ),
    (
        "openrouter 503",
        503,
        {
            "error": {
                "message": "There is no available model provider that meets your routing requirements",
                "code": 503,
            }
        },
        "server_error",
    ),
    (
        "openrouter 400 ctx",
        400,
        {
            "error": {
                "message": "This endpoint's maximum context length is 131072 tokens. However, you requested about 140000 tokens (139000 of text input, 1000 in the output). Please reduce the length of either one.",
                "code": 400,
            }
        },
        "context_overflow",
    ),
    ("hf 401", 401, {"error": "Invalid username or password."}, "auth"),
    (
        "hf 403",
        403,
        {
            "error": "This authentication method does not have sufficient permissions to call Inference Providers on behalf of user x"
        },
        "auth",
    ),
    (
        "hf 429 free",
        429,
        {
            "error": "You have reached the free monthly usage limit for x. Subscribe to PRO"
        },
        "quota_exhausted",
    ),
    ("hf 504", 504, "<html>504</html>", "timeout"),
    (
        "cohere 400 invalid model",
        400,
        {"message": "model 'x' not found, make sure the correct model ID was used"},
        "model_not_found",
    ),
    (
        "mistral 400 role",
        400,
        {
            "object": "error",
            "message": "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant",
            "type": "invalid_request_message_order",
            "code": "3230",
        },
        "bad_request",
    ),
    ("mistral 402?", 402, {"message": "x"}, "quota_exhausted"),
    (
        "mistral 403 inactive sub",
        403,
        {
            "message": "Inactive subscription or usage limit reached. Check your subscription on https://admin.mistral.ai/"
        },
        "quota_exhausted",
    ),
    (
        "mistral 429 monthly",
        429,
        {
            "object": "error",
            "message": "Requests rate limit exceeded",
            "type": "rate_limited",
            "code": "1300",
        },
        "rate_limited",
    ),
    (
        "qwen 403 model access",
        403,
        {
            "error": {
                "message": "Model access denied.",
                "type": "Model.AccessDenied",
                "code": "Model.AccessDenied",
            }
        },
        "auth",
    ),
    (
        "qwen 429 free",
        429,
        {
            "error": {
                "message": "Free allocated quota exceeded.",
                "type": "insufficient_quota",
                "code": "insufficient_quota",
            }
        },
        "quota_exhausted",
    ),
    (
        "qwen 500",
        500,
        {
            "error": {
                "message": "An internal error has occured",
                "type": "internal_error",
                "code": "internal_error",
            }
        },
        "server_error",
    ),
    (
        "qwen 429 alloc",
        429,
        {
            "error": {
                "message": "Allocated quota exceeded, please increase your quota limit.",
                "type": "insufficient_quota",
                "code": "insufficient_quota",
            }
        },
        "rate_limited",
    ),
    (
        "anthropic 403 region",
        403,
        {"error": {"type": "forbidden", "message": "Request not allowed"}},
        "auth",
    ),
    (
        "vertex anthropic 429",
        429,
        [
            {
                "error": {
                    "code": 429,
                    "message": "Quota exceeded for aiplatform.googleapis.com/online_prediction_input_tokens_per_minute_per_base_model with base model: anthropic-claude.",
                    "status": "RESOURCE_EXHAUSTED",
                }
            }
        ],
        "rate_limited",
    ),
    (
        "vertex 403 api",
        403,
        [
            {
                "error": {
                    "code": 403,
                    "message": "Vertex AI API has not been used in project 1 before or it is disabled.",
                    "status": "PERMISSION_DENIED",
                    "details": [{"reason": "SERVICE_DISABLED"}],
                }
            }
        ],
        "auth",
    ),
    (
        "vertex 404 model",
        404,
        [
            {
                "error": {
                    "code": 404,
                    "message": "Publisher Model `projects/p/locations/l/publishers/google/models/x` was not found or your project does not have access to it.",
                    "status": "NOT_FOUND",
                }
            }
        ],
        "model_not_found",
    ),
    (
        "gemini 400 expired key",
        400,
        [
            {
                "error": {
                    "code": 400,
                    "message": "API key expired. Please renew the API key.",
                    "status": "INVALID_ARGUMENT",
                    "details": [{"reason": "API_KEY_INVALID"}],
                }
            }
        ],
        "auth",
    ),
    (
        "gemini 403 leaked",
        403,
        [
            {
                "error": {
                    "code": 403,
                    "message": "Your API key was reported as leaked. Please use another API key.",
                    "status": "PERMISSION_DENIED",
                }
            }
        ],
        "auth",
    ),
    (
        "gemini 429 prepay",
        429,
        [
            {
                "error": {
                    "code": 429,
                    "message": "Your prepayment credits are depleted. Please go to AI Studio",
                    "status": "RESOURCE_EXHAUSTED",
                }
            }
        ],
        "quota_exhausted",
    ),
    (
        "gemini 429 spend cap",
        429,
        [
            {
                "error": {
                    "code": 429,
                    "message": "Your project has exceeded its monthly spending cap. ",
                    "status": "RESOURCE_EXHAUSTED",
                }
            }
        ],
        "quota_exhausted",
    ),
    (
        "watsonx 404 apikey",
        400,
        {
            "errorCode": "BXNIM0415E",
            "errorMessage": "Provided API key could not be found.",
        },
        "auth",
    ),
    (
        "watsonx 429",
        429,
        {
            "errors": [
                {"code": "rate_limit_reached_requests", "message": "rate limit reached"}
            ]
        },
        "rate_limited",
    ),
    (
        "watsonx 500",
        500,
        {"errors": [{"code": "downstream_request_failed", "message": "x"}]},
        "server_error",
    ),
]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [row[1:] for row in ROWS],
    ids=[row[0] for row in ROWS],
)
def test_answers_found_in_the_wild(through_openai, status, body, kind):
    assert classify(through_openai(status, body)).kind == kind


class Failed:
    """What the Responses API says of a failed response."""

    def __init__(self, code, message):
        self.code, self.message = code, message

    def __repr__(self):
        return f"Failed({self.code!r})"


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (
            ValueError({"message": "Provider returned error", "code": 502}),
            "server_error",
        ),
        (ValueError(Failed("rate_limit_exceeded", "Slow down")), "rate_limited"),
        (ValueError(Failed("server_error", "Oops")), "server_error"),
        (
            ValueError(
                Failed(
                    "invalid_prompt",
                    "Invalid prompt: we've limited access to this content for safety "
                    "reasons.",
                )
            ),
            "content_policy",
        ),
        (
            ValueError(
                "{'base_resp': {'status_code': 8, 'status_msg': 'insufficient "
                "balance'}}"
            ),
            "quota_exhausted",
        ),
        (RuntimeError("Timed out after 450 ms waiting on port 443"), "timeout"),
        (ValueError("Invalid header value b'Bearer x'"), "auth"),
        (
            ValueError(
                "Did not find openai_api_key, please add an environment "
                "variable `OPENAI_API_KEY` which contains it"
            ),
            "auth",
        ),
        (RuntimeError("Error response 429 while fetching https://x"), "rate_limited"),
        (RuntimeError("request failed: status=503"), "server_error"),
        (
            ValueError(
                "Error raised by bedrock service: An error occurred "
                "(ThrottlingException) when calling the InvokeModel operation"
            ),
            "rate_limited",
        ),
        (RuntimeError("Open api qps request limit reached"), "rate_limited"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_words_found_in_the_wild(raised, kind):
    assert classify(raised).kind == kind
