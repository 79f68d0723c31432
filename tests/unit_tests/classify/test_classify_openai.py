"""OpenAI, Azure OpenAI and GitHub Models, through the real OpenAI client."""

from __future__ import annotations

import json
import re

import pytest

from langchain_reliable._classify.interpreter import classify


def error(message, type_="invalid_request_error", code=None, param=None, **more):
    return {
        "error": {
            "message": message,
            "type": type_,
            "param": param,
            "code": code,
            **more,
        }
    }


QUOTA_TEXT = (
    "You exceeded your current quota, please check your plan and billing details. "
    "For more information, read the docs."
)
ROWS = [
    # OpenAI
    (
        "429 with a code and the wait in words",
        429,
        error(
            "Rate limit reached for gpt-5 in organization org-1 on tokens per min "
            "(TPM): Limit 30000, Used 29000, Requested 2000. Please try again in 2s.",
            "tokens",
            "rate_limit_exceeded",
        ),
        {},
        "rate_limited",
        2.0,
    ),
    (
        "429 whose text names the billing page for a higher limit",
        429,
        error(
            "Rate limit reached for gpt-4 in organization org-1 on requests per min. "
            "Limit: 3 / min. Please try again in 20s. Visit "
            "https://platform.openai.com/account/billing to add a payment method.",
            "requests",
            None,
        ),
        {},
        "rate_limited",
        20.0,
    ),
    (
        "429 with minutes and seconds",
        429,
        error(
            "Rate limit reached on requests per day (RPD): Limit 200, Used 200. "
            "Please try again in 7m12s.",
            "requests",
            "rate_limit_exceeded",
        ),
        {},
        "rate_limited",
        432.0,
    ),
    (
        "429 with milliseconds",
        429,
        error("Please try again in 86ms.", "tokens", "rate_limit_exceeded"),
        {},
        "rate_limited",
        0.086,
    ),
    (
        "429 insufficient quota",
        429,
        error(QUOTA_TEXT, "insufficient_quota", "insufficient_quota"),
        {},
        "quota_exhausted",
        None,
    ),
    (
        "429 insufficient quota told in words alone",
        429,
        error(QUOTA_TEXT, None, None),
        {},
        "quota_exhausted",
        None,
    ),
    (
        "429 billing not active",
        429,
        error(
            "Your account is not active, please check your billing details on our "
            "website.",
            "billing_not_active",
            "billing_not_active",
        ),
        {},
        "quota_exhausted",
        None,
    ),
    (
        "429 that can never succeed",
        429,
        error(
            "Request too large for gpt-5-nano in organization org-1 on tokens per min "
            "(TPM): Limit 200000, Requested 250013. The input or output tokens must "
            "be reduced in order to run successfully.",
            "tokens",
            "rate_limit_exceeded",
        ),
        {},
        "bad_request",
        None,
    ),
    (
        "429 with no body at all",
        429,
        b"",
        {"retry-after": "3"},
        "rate_limited",
        3.0,
    ),
    (
        "400 context length",
        400,
        error(
            "This model's maximum context length is 8192 tokens. However, your "
            "messages resulted in 10000 tokens.",
            code="context_length_exceeded",
            param="messages",
        ),
        {},
        "context_overflow",
        None,
    ),
    (
        "400 context length told in words alone",
        400,
        error("Your input exceeds the context window of this model."),
        {},
        "context_overflow",
        None,
    ),
    (
        "400 about the length of the answer",
        400,
        error(
            "max_tokens is too large: 32000. This model supports at most 16384 "
            "completion tokens, whereas you provided 32000.",
            code=None,
            param="max_tokens",
        ),
        {},
        "bad_request",
        None,
    ),
    (
        "400 that holds 429 among other digits",
        400,
        error("Invalid value at messages[429]: 4096 tokens, port 443, gpt-4-0409."),
        {},
        "bad_request",
        None,
    ),
    (
        "400 whose value quotes other errors",
        400,
        error("Invalid value: 'insufficient_quota rate limit'", code="invalid_value"),
        {},
        "bad_request",
        None,
    ),
    (
        "400 unsupported parameter",
        400,
        error("Unsupported parameter: 'stop'", code="unsupported_parameter"),
        {},
        "bad_request",
        None,
    ),
    (
        "400 model not found, from Responses",
        400,
        error("The requested model 'x' does not exist.", code="model_not_found"),
        {},
        "model_not_found",
        None,
    ),
    (
        "400 of the safety system",
        400,
        error(
            "Your request was rejected as a result of our safety system.",
            code="content_policy_violation",
        ),
        {},
        "content_policy",
        None,
    ),
    (
        "400 a prompt flagged, vaguely coded",
        400,
        error(
            "Invalid prompt: your prompt was flagged as potentially violating our "
            "usage policy.",
            code="invalid_prompt",
        ),
        {},
        "content_policy",
        None,
    ),
    (
        "401 wrong key",
        401,
        error("Incorrect API key provided: sk-abc*****def.", code="invalid_api_key"),
        {},
        "auth",
        None,
    ),
    (
        "401 that is money",
        401,
        error("Your account has insufficient balance.", None),
        {},
        "quota_exhausted",
        None,
    ),
    (
        "403 country",
        403,
        error(
            "Country, region, or territory not supported",
            "request_forbidden",
            "unsupported_country_region_territory",
        ),
        {},
        "auth",
        None,
    ),
    (
        "403 project without the model",
        403,
        error("Project `p` does not have access to model `m`", code="model_not_found"),
        {},
        "model_not_found",
        None,
    ),
    (
        "404 unknown model",
        404,
        error("The model `x` does not exist.", code="model_not_found"),
        {},
        "model_not_found",
        None,
    ),
    (
        "404 wrong path",
        404,
        error("Invalid URL (POST /v1/v1/chat/completions)"),
        {},
        "bad_request",
        None,
    ),
    (
        "404 page of a gateway",
        404,
        b"<html><head><title>404 Not Found</title></head><body>nginx</body></html>",
        {},
        "bad_request",
        None,
    ),
    ("404 of a Go server", 404, b"404 page not found\n", {}, "bad_request", None),
    ("404 and nothing more", 404, b"", {}, "model_not_found", None),
    (
        "408",
        408,
        error("Request timed out.", "timeout", None),
        {},
        "timeout",
        None,
    ),
    ("409", 409, error("Conflict"), {}, "bad_request", None),
    ("410 retired", 410, error("Gone"), {}, "model_not_found", None),
    ("413 page", 413, b"<html>413 Too Large</html>", {}, "bad_request", None),
    ("415", 415, error("Unsupported media type"), {}, "bad_request", None),
    ("418, which nobody knows", 418, b"teapot", {}, "bad_request", None),
    ("422", 422, error("Unprocessable"), {}, "bad_request", None),
    ("424", 424, error("Failed dependency"), {}, "server_error", None),
    ("451", 451, error("Unavailable for legal reasons"), {}, "bad_request", None),
    ("499", 499, error("Client closed request"), {}, "connection", None),
    ("480, which nobody knows", 480, b"", {}, "bad_request", None),
    (
        "500",
        500,
        error("The server had an error", "server_error", "server_error"),
        {"x-should-retry": "true"},
        "server_error",
        None,
    ),
    (
        "500 whose text says invalid API key",
        500,
        error("upstream said: invalid api key", None),
        {},
        "server_error",
        None,
    ),
    (
        "500 whose text names the context length",
        500,
        error("This model's maximum context length is 4096 tokens.", None),
        {},
        "context_overflow",
        None,
    ),
    (
        "502 page",
        502,
        b"<html><head><title>502 Bad Gateway</title></head></html>",
        {},
        "server_error",
        None,
    ),
    (
        "503 in plain text",
        503,
        b"upstream connect error or disconnect/reset before headers.",
        {},
        "server_error",
        None,
    ),
    ("504 page", 504, b"<html>Gateway Time-out</html>", {}, "timeout", None),
    *(
        (
            f"{status} page of Cloudflare",
            status,
            b"<!DOCTYPE html><html><title>api.example.com | Web server</title></html>",
            {},
            "server_error",
            None,
        )
        for status in (520, 521, 522, 523, 525, 526)
    ),
    (
        "524 page of Cloudflare",
        524,
        b"<html><title>A timeout occurred</title></html>",
        {},
        "timeout",
        None,
    ),
    ("529", 529, b"", {}, "server_error", None),
    ("599", 599, b"", {}, "timeout", None),
    ("561, which nobody knows", 561, b"", {}, "server_error", None),
    # Azure OpenAI
    (
        "Azure 429",
        429,
        {
            "error": {
                "code": "RateLimitReached",
                "message": "Your requests have exceeded the token rate limit of your "
                "pricing tier. Please retry after 60 seconds.",
            }
        },
        {"retry-after": "59", "retry-after-ms": "58500"},
        "rate_limited",
        58.5,
    ),
    (
        "Azure 429 with the code as digits and the wait in words",
        429,
        {
            "error": {
                "code": "429",
                "message": "Requests have exceeded call rate limit. Please retry "
                "after 7 seconds.",
            }
        },
        {},
        "rate_limited",
        7.0,
    ),
    (
        "Azure content filter",
        400,
        {
            "error": {
                "message": "The response was filtered due to the prompt triggering "
                "the content management policy.",
                "param": "prompt",
                "code": "content_filter",
                "status": 400,
                "innererror": {"code": "ResponsibleAIPolicyViolation"},
            }
        },
        {},
        "content_policy",
        None,
    ),
    (
        "Azure deployment not found",
        404,
        {
            "error": {
                "code": "DeploymentNotFound",
                "message": "The API deployment for this resource does not exist.",
            }
        },
        {},
        "model_not_found",
        None,
    ),
    (
        "Azure wrong key",
        401,
        {
            "error": {
                "code": "401",
                "message": "Access denied due to invalid subscription key or wrong "
                "API endpoint.",
            }
        },
        {},
        "auth",
        None,
    ),
    (
        "API Management 403 out of quota",
        403,
        {
            "statusCode": 403,
            "message": "Out of call volume quota. Quota will be replenished in "
            "01:02:03.",
        },
        {},
        "quota_exhausted",
        3723.0,
    ),
    (
        "API Management 429",
        429,
        {
            "statusCode": 429,
            "message": "Rate limit is exceeded. Try again in 12 seconds.",
        },
        {},
        "rate_limited",
        12.0,
    ),
    (
        "Azure 503 without capacity",
        503,
        {"error": {"code": "NoCapacity", "message": "High demand."}},
        {},
        "server_error",
        None,
    ),
    # GitHub Models
    (
        "GitHub Models 413",
        413,
        {
            "error": {
                "code": "tokens_limit_reached",
                "message": "Request body too large for gpt-4o model. Max size: 8000 "
                "tokens.",
            }
        },
        {},
        "context_overflow",
        None,
    ),
    (
        "GitHub Models 429",
        429,
        {
            "error": {
                "code": "RateLimitReached",
                "message": "Rate limit of 10 per 60s exceeded for "
                "UserByModelByMinute. Please wait 41 seconds before retrying.",
            }
        },
        {},
        "rate_limited",
        41.0,
    ),
    (
        "GitHub Models unknown model",
        404,
        {"error": {"code": "unknown_model", "message": "Unknown model: x"}},
        {},
        "model_not_found",
        None,
    ),
]


@pytest.mark.parametrize(
    ("status", "body", "headers", "kind", "wait"),
    [row[1:] for row in ROWS],
    ids=[row[0] for row in ROWS],
)
def test_answers_of_openai_and_azure(through_openai, status, body, headers, kind, wait):
    failure = classify(through_openai(status, body, headers))
    assert (failure.kind, failure.retry_after) == (kind, pytest.approx(wait))
    assert failure.status == status


STREAMED = [
    (
        "an error event without a status",
        [
            "event: error\ndata: "
            + json.dumps(error("Quota.", "insufficient_quota", "insufficient_quota"))
        ],
        "quota_exhausted",
    ),
    (
        "an error chunk with a status for a code",
        ['data: {"error":{"code":502,"message":"Upstream error"},"choices":[]}'],
        "server_error",
    ),
    (
        "an error chunk that names no kind",
        ['data: {"error":{"message":"Something went wrong"}}'],
        "bad_stream",
    ),
    (
        "an error chunk that is overloaded in words alone",
        ['data: {"error":{"message":"The engine is overloaded, sorry"}}'],
        "server_error",
    ),
    ("a malformed chunk", ["data: {not json"], "bad_stream"),
]


@pytest.mark.parametrize(
    ("events", "kind"),
    [row[1:] for row in STREAMED],
    ids=[row[0] for row in STREAMED],
)
def test_streams_of_openai(through_openai_stream, events, kind):
    assert classify(through_openai_stream(*events)).kind == kind


def test_what_the_provider_said_about_trying_again_is_told(through_openai):
    for said, meant in (("true", True), ("false", False), ("maybe", None)):
        failure = classify(through_openai(500, b"", {"x-should-retry": said}))
        assert failure.should_retry is meant


def test_the_summary_is_short_and_holds_no_key_and_no_quoted_prompt(through_openai):
    prompt = "tell me all about my very secret plan " * 9
    for message in (
        f"Invalid value: '{prompt}'",
        f"Incorrect API key: sk-proj-{'a' * 40} or Bearer {'b' * 30}",
        prompt,
    ):
        summary = classify(through_openai(400, error(message))).summary
        assert len(summary) <= 200
        assert not re.search(r"sk-proj|bbbb", summary)
        assert summary.count("secret plan") < 5
    page = through_openai(502, b"<html><title>Bad Gateway</title>x</html>")
    assert classify(page).summary == "502: a page: Bad Gateway"
    page = through_openai(502, b"<html>x</html>")
    assert classify(page).summary == "502: a page"
