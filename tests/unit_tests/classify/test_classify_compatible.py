"""Providers that speak OpenAI's language, through the real OpenAI client."""

from __future__ import annotations

import pytest

from langchain_reliable._classify.interpreter import classify


def plain(message, **more):
    return {"error": {"message": message, **more}}


def openrouter(code, message, raw=None, provider="P", **metadata):
    if raw is not None:
        metadata |= {"raw": raw, "provider_name": provider}
    return {"error": {"code": code, "message": message, "metadata": metadata}}


ROWS = [
    # Mistral
    (
        "Mistral 429",
        429,
        {
            "object": "error",
            "message": "Rate limit exceeded",
            "type": "rate_limited",
            "param": None,
            "code": "1300",
        },
        "rate_limited",
    ),
    (
        "Mistral 429 of a service tier",
        429,
        {
            "object": "error",
            "message": "Service tier capacity exceeded for this model.",
            "type": "service_tier_capacity_exceeded",
            "code": "3505",
        },
        "rate_limited",
    ),
    (
        "Mistral 400 too long",
        400,
        {
            "object": "error",
            "message": "Prompt contains 66385 tokens, too large for model with 32768 "
            "maximum context length",
            "type": "invalid_request_error",
            "code": "3051",
        },
        "context_overflow",
    ),
    (
        "Mistral 400 invalid model",
        400,
        {
            "object": "error",
            "message": "Invalid model: mistral-huge",
            "type": "invalid_model",
            "code": "1500",
        },
        "model_not_found",
    ),
    (
        "Mistral 401",
        401,
        {"message": "Unauthorized", "request_id": "1"},
        "auth",
    ),
    (
        "Mistral 422",
        422,
        {
            "object": "error",
            "message": {
                "detail": [
                    {
                        "type": "extra_forbidden",
                        "loc": ["body", "x"],
                        "msg": "Extra inputs are not permitted",
                        "input": "insufficient balance",
                    }
                ]
            },
        },
        "bad_request",
    ),
    (
        "Mistral 500",
        500,
        {
            "object": "error",
            "message": "Service unavailable.",
            "type": "internal_server_error",
            "code": "1000",
        },
        "server_error",
    ),
    # Groq
    (
        "Groq 413 larger than the limit",
        413,
        plain(
            "Request too large for model `llama-3.1-8b-instant` in organization "
            "`org_1` service tier `on_demand` on tokens per minute (TPM): Limit 6000, "
            "Requested 9000, please reduce your message size and try again.",
            type="tokens",
            code="rate_limit_exceeded",
        ),
        "bad_request",
    ),
    (
        "Groq 400 bad tool call",
        400,
        plain(
            "Failed to call a function.",
            type="invalid_request_error",
            code="tool_use_failed",
            failed_generation="insufficient balance",
        ),
        "invalid_output",
    ),
    (
        "Groq 400 retired model",
        400,
        plain(
            "The model `x` has been decommissioned and is no longer supported.",
            type="invalid_request_error",
            code="model_decommissioned",
        ),
        "model_not_found",
    ),
    (
        "Groq 400 too long",
        400,
        plain(
            "Please reduce the length of the messages or completion.",
            type="invalid_request_error",
            code="context_length_exceeded",
        ),
        "context_overflow",
    ),
    (
        "Groq 498",
        498,
        plain("Flex tier capacity exceeded", type="x"),
        "server_error",
    ),
    (
        "Groq 503",
        503,
        plain("x is currently over capacity.", type="internal_server_error"),
        "server_error",
    ),
    # Together
    (
        "Together 402",
        402,
        plain("Credit limit exceeded, please navigate to billing.", type="x"),
        "quota_exhausted",
    ),
    (
        "Together 403 too long",
        403,
        plain(
            "This model's maximum context length is 8193 tokens, however you requested "
            "9000 tokens.",
            type="invalid_request_error",
        ),
        "context_overflow",
    ),
    (
        "Together 422 too long",
        422,
        plain(
            "Input validation error: `inputs` tokens + `max_new_tokens` must be <= "
            "8193. Given: 8000 `inputs` tokens and 512 `max_new_tokens`",
            type="invalid_request_error",
        ),
        "context_overflow",
    ),
    (
        "Together 404",
        404,
        plain(
            "Unable to access model x. Please visit https://api.together.ai/models",
            type="invalid_request_error",
            code="model_not_available",
        ),
        "model_not_found",
    ),
    (
        "Together 429",
        429,
        plain(
            "You have reached the rate limit specific to this model x.",
            type="model_rate_limit",
            code=None,
        ),
        "rate_limited",
    ),
    (
        "Together 503",
        503,
        plain("The server is overloaded or not ready yet.", type="x"),
        "server_error",
    ),
    # Fireworks
    (
        "Fireworks 412 that is money",
        412,
        plain(
            "Account a is suspended, possibly due to reaching the monthly spending "
            "limit or failure to pay past invoices.",
            code="PRECONDITION_FAILED",
            type="error",
        ),
        "quota_exhausted",
    ),
    (
        "Fireworks 412 that is not",
        412,
        plain("LoRA not loaded", code="PRECONDITION_FAILED", type="error"),
        "bad_request",
    ),
    (
        "Fireworks 404",
        404,
        plain(
            "Model not found, inaccessible, and/or not deployed",
            code="NOT_FOUND",
            type="error",
        ),
        "model_not_found",
    ),
    (
        "Fireworks 400 too long",
        400,
        plain(
            "The prompt is too long: 200000, model maximum context length: 131071",
            type="invalid_request_error",
        ),
        "context_overflow",
    ),
    # DeepSeek
    (
        "DeepSeek 402",
        402,
        plain("Insufficient Balance", type="unknown_error", code="invalid_request"),
        "quota_exhausted",
    ),
    (
        "DeepSeek 401",
        401,
        plain(
            "Authentication Fails, Your api key: ****abcd is invalid",
            type="authentication_error",
            code="invalid_request_error",
        ),
        "auth",
    ),
    (
        "DeepSeek 400 unknown model",
        400,
        plain("Model Not Exist", type="invalid_request_error", code=None, param=None),
        "model_not_found",
    ),
    (
        "DeepSeek 400 risky content",
        400,
        plain("Content Exists Risk", type="invalid_request_error"),
        "content_policy",
    ),
    (
        "DeepSeek 400 too long",
        400,
        plain(
            "This model's maximum context length is 131072 tokens. However, you "
            "requested 140000 tokens.",
            type="invalid_request_error",
        ),
        "context_overflow",
    ),
    (
        "DeepSeek 400 max_tokens",
        400,
        plain(
            "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]",
            type="invalid_request_error",
        ),
        "bad_request",
    ),
    # xAI
    (
        "xAI 400 wrong key",
        400,
        {
            "code": "invalid-argument",
            "error": "Incorrect API key provided. You can obtain one from the console.",
        },
        "auth",
    ),
    (
        "xAI 400 bad argument",
        400,
        {
            "code": "Client specified an invalid argument",
            "error": "Argument not supported: stop",
        },
        "bad_request",
    ),
    (
        "xAI 400 too long",
        400,
        {
            "code": "invalid-argument",
            "error": "This model's maximum prompt length is 131072 but the request "
            "contains 537812 tokens.",
        },
        "context_overflow",
    ),
    (
        "xAI 403 that is money",
        403,
        {
            "code": "The caller does not have permission to execute the operation",
            "error": "Your newly created team doesn't have any credits yet.",
        },
        "quota_exhausted",
    ),
    (
        "xAI 429 that is money",
        429,
        {
            "code": "Some resource has been exhausted",
            "error": "Your team t has either used all available credits or reached "
            "its monthly spending limit.",
        },
        "quota_exhausted",
    ),
    (
        "xAI 403 usage guidelines",
        403,
        {
            "code": "The caller does not have permission",
            "error": "Content violates usage guidelines. Failed check: "
            "SAFETY_CHECK_TYPE_BIO",
        },
        "content_policy",
    ),
    (
        "xAI 503",
        503,
        {
            "code": "The service is currently unavailable",
            "error": "The model is at capacity and currently cannot serve this.",
        },
        "server_error",
    ),
    # OpenRouter
    (
        "OpenRouter 429 upstream",
        429,
        openrouter(429, "Provider returned error", "m is temporarily rate-limited."),
        "rate_limited",
    ),
    (
        "OpenRouter 429 free models per day",
        429,
        openrouter(
            429,
            "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 "
            "free model requests per day",
            headers={"X-RateLimit-Remaining": "0"},
        ),
        "quota_exhausted",
    ),
    (
        "OpenRouter 429 free models per minute",
        429,
        openrouter(429, "Rate limit exceeded: free-models-per-min."),
        "rate_limited",
    ),
    (
        "OpenRouter 402",
        402,
        openrouter(
            402,
            "This request requires more credits, or fewer max_tokens. You requested "
            "up to 64000 tokens, but can only afford 5.",
        ),
        "quota_exhausted",
    ),
    (
        "OpenRouter 402 of what is under way",
        402,
        openrouter(402, "In flight", limit_source="openrouter_in_flight_budget"),
        "quota_exhausted",
    ),
    (
        "OpenRouter 403 moderation",
        403,
        openrouter(
            403,
            'm requires moderation on P. Your input was flagged for "violence".',
            reasons=["violence"],
        ),
        "content_policy",
    ),
    (
        "OpenRouter 404 no endpoint",
        404,
        openrouter(404, "No endpoints found for m."),
        "model_not_found",
    ),
    (
        "OpenRouter 400 model",
        400,
        openrouter(400, "m/x is not a valid model ID"),
        "model_not_found",
    ),
    (
        "OpenRouter 400 wrapping an upstream overflow",
        400,
        openrouter(
            400,
            "Provider returned error",
            '{"error":{"message":"prompt is too long: 2 > 1","type":'
            '"invalid_request_error"}}',
        ),
        "context_overflow",
    ),
    (
        "OpenRouter 400 wrapping an upstream quota",
        400,
        openrouter(
            400,
            "Provider returned error",
            '{"error":{"code":"insufficient_quota"}}',
        ),
        "quota_exhausted",
    ),
    ("OpenRouter 408", 408, openrouter(408, "Timed out"), "timeout"),
    ("OpenRouter 502", 502, openrouter(502, "Bad upstream"), "server_error"),
    (
        "OpenRouter 401",
        401,
        openrouter(401, "No auth credentials found"),
        "auth",
    ),
    # Perplexity
    (
        "Perplexity 400 model",
        400,
        plain("Invalid model 'x'.", type="invalid_model", code=400),
        "model_not_found",
    ),
    (
        "Perplexity 401 that is money",
        401,
        plain(
            "You exceeded your current quota, please check your plan and billing "
            "details.",
            type="insufficient_quota",
            code=401,
        ),
        "quota_exhausted",
    ),
    (
        "Perplexity 401 page",
        401,
        b"<html><title>401 Authorization Required</title></html>",
        "auth",
    ),
    # Cerebras
    (
        "Cerebras 429 per minute",
        429,
        {
            "message": "Tokens per minute limit exceeded - too many tokens processed.",
            "type": "too_many_tokens_error",
            "param": "quota",
            "code": "token_quota_exceeded",
        },
        "rate_limited",
    ),
    (
        "Cerebras 429 per day",
        429,
        {
            "message": "Tokens per day limit exceeded - too many tokens processed.",
            "type": "too_many_tokens_error",
            "param": "quota",
            "code": "token_quota_exceeded",
        },
        "quota_exhausted",
    ),
    (
        "Cerebras 429 queue",
        429,
        {
            "message": "We're experiencing high traffic right now!",
            "type": "too_many_requests_error",
            "param": "queue",
            "code": "queue_exceeded",
        },
        "server_error",
    ),
    (
        "Cerebras 401",
        401,
        {
            "message": "Wrong API Key",
            "type": "invalid_request_error",
            "code": "wrong_api_key",
        },
        "auth",
    ),
    (
        "Cerebras 400 too long",
        400,
        {
            "message": "Please reduce the length of the messages or completion.",
            "type": "invalid_request_error",
            "code": "context_length_exceeded",
        },
        "context_overflow",
    ),
    # Moonshot
    (
        "Moonshot 429 that is money",
        429,
        plain(
            "Your account org-1 is suspended, please check your plan and billing "
            "details",
            type="exceeded_current_quota_error",
        ),
        "quota_exhausted",
    ),
    (
        "Moonshot 429 overloaded",
        429,
        plain(
            "The engine is currently overloaded, please try again later",
            type="engine_overloaded_error",
        ),
        "server_error",
    ),
    (
        "Moonshot 429",
        429,
        plain(
            "Your account reached max request: 3, please try again after 1 seconds",
            type="rate_limit_reached_error",
        ),
        "rate_limited",
    ),
    (
        "Moonshot 400 high risk",
        400,
        plain(
            "The request was rejected because it was considered high risk",
            type="content_filter",
        ),
        "content_policy",
    ),
    (
        "Moonshot 400 too long",
        400,
        plain(
            "Invalid request: Your request exceeded model token limit: 8192",
            type="invalid_request_error",
        ),
        "context_overflow",
    ),
    (
        "Moonshot 401",
        401,
        plain("Invalid Authentication", type="invalid_authentication_error"),
        "auth",
    ),
    (
        "Moonshot 404",
        404,
        plain(
            "Not found the model x or Permission denied",
            type="resource_not_found_error",
        ),
        "model_not_found",
    ),
    # Zhipu and Z.AI
    *(
        (f"Zhipu {code}", status, plain("请求失败", code=code), kind)
        for code, status, kind in (
            ("1000", 401, "auth"),
            ("1113", 429, "quota_exhausted"),
            ("1211", 400, "model_not_found"),
            ("1214", 400, "bad_request"),
            ("1261", 400, "context_overflow"),
            ("1301", 400, "content_policy"),
            ("1302", 429, "rate_limited"),
            ("1304", 429, "quota_exhausted"),
            ("1305", 429, "server_error"),
            ("1308", 429, "quota_exhausted"),
            ("1234", 500, "server_error"),
        )
    ),
    # Qwen through DashScope
    (
        "DashScope 429 requests",
        429,
        plain(
            "Requests rate limit exceeded, please try again later.",
            type="limit_requests",
            code="limit_requests",
        ),
        "rate_limited",
    ),
    (
        "DashScope 429 tokens, called insufficient quota",
        429,
        plain(
            "You exceeded your current quota, please check your plan and billing "
            "details. For more information on this error, read the docs: "
            "https://help.aliyun.com/zh/model-studio/error-code#token-limit",
            type="insufficient_quota",
            code="insufficient_quota",
        ),
        "rate_limited",
    ),
    (
        "DashScope 400 in arrears",
        400,
        plain(
            "Access denied, please make sure your account is in good standing.",
            type="Arrearage",
            code="Arrearage",
        ),
        "quota_exhausted",
    ),
    (
        "DashScope 403 free tier used up",
        403,
        plain(
            "The free tier of the model has been exhausted.",
            type="AllocationQuota.FreeTierOnly",
            code="AllocationQuota.FreeTierOnly",
        ),
        "quota_exhausted",
    ),
    (
        "DashScope 400 inspection",
        400,
        plain(
            "Output data may contain inappropriate content.",
            type="data_inspection_failed",
            code="data_inspection_failed",
        ),
        "content_policy",
    ),
    (
        "DashScope 400 too long",
        400,
        plain(
            "<400> InternalError.Algo.InvalidParameter: Range of input length should "
            "be [1, 30720]",
            type="invalid_request_error",
            code="invalid_parameter_error",
        ),
        "context_overflow",
    ),
    (
        "DashScope 401",
        401,
        plain(
            "Incorrect API key provided.",
            type="invalid_request_error",
            code="invalid_api_key",
        ),
        "auth",
    ),
    (
        "DashScope 404",
        404,
        plain(
            "The model `x` does not exist or you do not have access to it.",
            type="invalid_request_error",
            code="model_not_found",
        ),
        "model_not_found",
    ),
    # SiliconFlow
    (
        "SiliconFlow 400 model",
        400,
        {"code": 20012, "message": "Model does not exist.", "data": None},
        "model_not_found",
    ),
    (
        "SiliconFlow 403 that is money",
        403,
        {"code": 30001, "message": "Sorry, your account balance is insufficient"},
        "quota_exhausted",
    ),
    (
        "SiliconFlow 503",
        503,
        {"code": 50505, "message": "Model service overloaded.", "data": None},
        "server_error",
    ),
    ("SiliconFlow 401 as a string", 401, '"Invalid token"', "auth"),
    (
        "SiliconFlow 429",
        429,
        {"message": "Request was rejected due to rate limiting. Details:TPM limit"},
        "rate_limited",
    ),
    # vLLM, llama.cpp, TGI, NIM
    (
        "vLLM 400 too long",
        400,
        {
            "object": "error",
            "message": "This model's maximum context length is 4096 tokens. However, "
            "you requested 5000 tokens.",
            "type": "BadRequestError",
            "code": 400,
        },
        "context_overflow",
    ),
    (
        "vLLM 404",
        404,
        {
            "object": "error",
            "message": "The model `x` does not exist.",
            "type": "NotFoundError",
            "code": 404,
        },
        "model_not_found",
    ),
    (
        "vLLM 500",
        500,
        {"object": "error", "message": "", "type": "InternalServerError", "code": 500},
        "server_error",
    ),
    (
        "llama.cpp 400 too long",
        400,
        plain(
            "the request exceeds the available context size",
            code=400,
            type="exceed_context_size_error",
            n_ctx=4096,
        ),
        "context_overflow",
    ),
    (
        "llama.cpp 503 loading",
        503,
        plain("Loading model", code=503, type="unavailable_error"),
        "server_error",
    ),
    (
        "TGI 422 too long",
        422,
        {
            "error": "Input validation error: `inputs` must have less than 1024 "
            "tokens. Given: 2000",
            "error_type": "validation",
        },
        "context_overflow",
    ),
    (
        "TGI 429 overloaded",
        429,
        {"error": "Model is overloaded", "error_type": "overloaded"},
        "server_error",
    ),
    (
        "TGI 424",
        424,
        {
            "error": "Request failed during generation: CUDA",
            "error_type": "generation",
        },
        "server_error",
    ),
    (
        "Hugging Face 402",
        402,
        {"error": "You have exceeded your monthly included credits for Inference."},
        "quota_exhausted",
    ),
    (
        "Hugging Face 503 loading",
        503,
        {"error": "Model x is currently loading", "estimated_time": 20.0},
        "server_error",
    ),
    (
        "Hugging Face 400 no provider",
        400,
        plain(
            "The requested model 'x' is not supported by any provider you have.",
            type="invalid_request_error",
            code="model_not_supported",
        ),
        "model_not_found",
    ),
    (
        "NIM 404",
        404,
        {
            "status": 404,
            "title": "Not Found",
            "detail": "Function 'f': Not found for account 'a'",
        },
        "model_not_found",
    ),
    (
        "NIM 402",
        402,
        {"detail": "Cloud credits expired. Please contact NVIDIA."},
        "quota_exhausted",
    ),
    (
        "NIM 422",
        422,
        {"type": "urn:inference-service:problem-details:unprocessable-entity"},
        "bad_request",
    ),
    # Databricks
    (
        "Databricks 429",
        429,
        {
            "error_code": "REQUEST_LIMIT_EXCEEDED",
            "message": "Exceeded workspace output tokens per minute rate limit",
        },
        "rate_limited",
    ),
    (
        "Databricks 404",
        404,
        {
            "error_code": "ENDPOINT_NOT_FOUND",
            "message": "The given endpoint does not exist",
        },
        "model_not_found",
    ),
    (
        "Databricks 403 throttling",
        403,
        {"error_code": "PERMISSION_DENIED", "message": "Rate limit exceeded."},
        "rate_limited",
    ),
    (
        "Databricks 400 max_tokens",
        400,
        {
            "error_code": "BAD_REQUEST",
            "message": "Bad request: max_tokens (10000) cannot exceed 8192.",
        },
        "bad_request",
    ),
    # watsonx
    (
        "watsonx 403 quota",
        403,
        {"errors": [{"code": "token_quota_reached", "message": "Quota"}], "trace": "t"},
        "quota_exhausted",
    ),
    (
        "watsonx 404",
        404,
        {
            "errors": [{"code": "model_not_supported", "message": "Model 'x'"}],
            "status_code": 404,
        },
        "model_not_found",
    ),
    (
        "watsonx 400 too long",
        400,
        {
            "errors": [
                {
                    "code": "invalid_input_argument",
                    "message": "Invalid input: the number of input tokens 5000 cannot "
                    "exceed the total tokens limit 4096 for this model",
                }
            ]
        },
        "context_overflow",
    ),
    (
        "watsonx 401",
        401,
        {"errors": [{"code": "authentication_token_expired", "message": "Expired"}]},
        "auth",
    ),
    # LiteLLM proxy and relays
    (
        "LiteLLM proxy 400 that is money",
        400,
        plain(
            "Budget has been exceeded! Current cost: 12.5, Max budget: 10.0",
            type="budget_exceeded",
            code="400",
        ),
        "quota_exhausted",
    ),
    (
        "LiteLLM proxy 429 without deployments",
        429,
        plain(
            "No deployments available for selected model, Try again in 5 seconds.",
            type="None",
            code="429",
        ),
        "rate_limited",
    ),
    (
        "LiteLLM proxy 401",
        401,
        plain("Authentication Error, Invalid proxy", type="auth_error", code="401"),
        "auth",
    ),
    (
        "LiteLLM proxy 401 for this model",
        401,
        plain(
            "key not allowed to access model.",
            type="key_model_access_denied",
            code="401",
        ),
        "auth",
    ),
    (
        "LiteLLM proxy 400 overflow in words",
        400,
        plain(
            "litellm.ContextWindowExceededError: litellm.BadRequestError: x",
            type=None,
            code="400",
        ),
        "context_overflow",
    ),
    (
        "a relay 403 that is money, in Chinese",
        403,
        plain("用户额度不足", type="new_api_error", code="insufficient_user_quota"),
        "quota_exhausted",
    ),
    (
        "a relay 403 that is money, in words alone",
        403,
        plain("账户余额不足", type="new_api_error"),
        "quota_exhausted",
    ),
    ("402 in Spanish", 402, plain("Saldo insuficiente"), "quota_exhausted"),
    ("429 in Japanese", 429, plain("しばらくしてから"), "rate_limited"),
    ("401 in German", 401, plain("Schlüssel ungültig"), "auth"),
    ("400 in Chinese about length", 400, plain("输入过长"), "context_overflow"),
    ("400 in Chinese about safety", 400, plain("内容安全"), "content_policy"),
    ("400 as a list", 400, [{"error": {"code": 400, "message": "x"}}], "bad_request"),
    ("500 as a number", 500, "7", "server_error"),
]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [row[1:] for row in ROWS],
    ids=[row[0] for row in ROWS],
)
def test_answers_of_providers_that_speak_openai(through_openai, status, body, kind):
    failure = classify(through_openai(status, body))
    assert failure.kind == kind
    assert failure.status == status


def test_an_upstream_reset_in_the_body_is_a_wait(through_openai):
    reset = openrouter(
        429,
        "Rate limit exceeded: free-models-per-min.",
        headers={
            "X-RateLimit-Limit": "20",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": "1700000030000",
        },
    )
    failure = classify(through_openai(429, reset), now=1_700_000_000.0)
    assert failure.retry_after == 30.0


@pytest.mark.parametrize(
    ("body", "wait"),
    [
        (plain("Please try again in 6.91s. Upgrade", code="rate_limit_exceeded"), 6.91),
        (plain("Please try again after 1 seconds"), 1.0),
        (plain("Try again in 5 seconds. Passed model=m."), 5.0),
        (plain("Please try again in 9m38.016s."), 578.016),
        (plain("x", retry_after=12), 12.0),
        (plain("x", retry_after_ms=1500), 1.5),
        (plain("x", metadata={"retry_after_seconds": 3}), 3.0),
    ],
)
def test_waits_in_bodies_and_words(through_openai, body, wait):
    assert classify(through_openai(429, body)).retry_after == pytest.approx(wait)


def test_groqs_own_client_is_read_alike(through_groq):
    limited = plain(
        "Rate limit reached on tokens per minute (TPM): Limit 6000, Used 5982, "
        "Requested 709. Please try again in 6.91s.",
        type="tokens",
        code="rate_limit_exceeded",
    )
    failure = classify(through_groq(429, limited, {"retry-after": "7"}))
    assert (failure.kind, failure.retry_after) == ("rate_limited", 7.0)
    failure = classify(through_groq(401, plain("Invalid API Key")))
    assert failure.kind == "auth"
