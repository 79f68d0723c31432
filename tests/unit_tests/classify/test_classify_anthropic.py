"""Anthropic, through the real client, its streams included."""

from __future__ import annotations

import json

import pytest
from langchain_anthropic import ChatAnthropic

from langchain_reliable._classify.interpreter import classify


def error(type_, message, **details):
    inner = {"type": type_, "message": message}
    if details:
        inner["details"] = details
    return {"type": "error", "error": inner}


ROWS = [
    (
        "429 with retry-after",
        429,
        error(
            "rate_limit_error",
            "This request would exceed your organization's rate limit of 450,000 "
            "input tokens per minute. To raise this limit, purchase credits to "
            "advance to the next usage tier at "
            "https://console.anthropic.com/settings/billing.",
        ),
        {"retry-after": "41", "x-should-retry": "true"},
        "rate_limited",
        41.0,
    ),
    (
        "429 with an empty bucket and no retry-after",
        429,
        error("rate_limit_error", "Rate limited"),
        {
            "date": "Mon, 23 Nov 2026 07:00:00 GMT",
            "anthropic-ratelimit-input-tokens-remaining": "0",
            "anthropic-ratelimit-input-tokens-reset": "2026-11-23T07:00:30Z",
            "anthropic-ratelimit-requests-remaining": "99",
            "anthropic-ratelimit-requests-reset": "2026-11-23T07:05:00Z",
        },
        "rate_limited",
        30.0,
    ),
    (
        "429 ramp limit",
        429,
        error("rate_limit_error", "x", error_code="ramp_limit_exceeded"),
        {"retry-after": "9"},
        "rate_limited",
        9.0,
    ),
    (
        "429 spend limit",
        429,
        error("rate_limit_error", "x", error_code="enforced_spend_limit_reached"),
        {},
        "quota_exhausted",
        None,
    ),
    (
        "400 that is money",
        400,
        error(
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API. Please go "
            "to Plans & Billing to upgrade or purchase credits.",
        ),
        {},
        "quota_exhausted",
        None,
    ),
    (
        "400 usage limit that the user set",
        400,
        error(
            "invalid_request_error",
            "You have reached your specified API usage limits. You will regain "
            "access on 2026-12-01 at 00:00 UTC.",
        ),
        {},
        "quota_exhausted",
        None,
    ),
    ("402", 402, error("billing_error", "Billing error"), {}, "quota_exhausted", None),
    (
        "400 prompt too long",
        400,
        error(
            "invalid_request_error",
            "prompt is too long: 213462 tokens > 200000 maximum",
        ),
        {},
        "context_overflow",
        None,
    ),
    (
        "400 prompt and answer too long together",
        400,
        error(
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 190000 + 20000 > "
            "200000, decrease input length or `max_tokens` and try again",
        ),
        {},
        "context_overflow",
        None,
    ),
    (
        "400 answer too long",
        400,
        error(
            "invalid_request_error",
            "max_tokens: 90000 > 8192, which is the maximum allowed number of output "
            "tokens for claude-3-5-sonnet-20241022",
        ),
        {},
        "bad_request",
        None,
    ),
    (
        "400 filtered",
        400,
        error("invalid_request_error", "Output blocked by content filtering policy"),
        {},
        "content_policy",
        None,
    ),
    (
        "400 with numbers that are no status",
        400,
        error(
            "invalid_request_error",
            "messages.429.content: field required (took 503 ms)",
        ),
        {},
        "bad_request",
        None,
    ),
    (
        "401",
        401,
        error("authentication_error", "invalid x-api-key"),
        {},
        "auth",
        None,
    ),
    ("403", 403, error("permission_error", "Not allowed"), {}, "auth", None),
    (
        "404",
        404,
        error("not_found_error", "model: claude-sonet"),
        {},
        "model_not_found",
        None,
    ),
    (
        "413",
        413,
        error("request_too_large", "Request exceeds the maximum size"),
        {},
        "bad_request",
        None,
    ),
    ("500", 500, error("api_error", "Internal server error"), {}, "server_error", None),
    (
        "503 in plain text",
        503,
        b"upstream connect error or disconnect/reset before headers.",
        {},
        "server_error",
        None,
    ),
    ("504", 504, error("timeout_error", "Timed out"), {}, "timeout", None),
    ("529", 529, error("overloaded_error", "Overloaded"), {}, "server_error", None),
]


@pytest.mark.parametrize(
    ("status", "body", "headers", "kind", "wait"),
    [row[1:] for row in ROWS],
    ids=[row[0] for row in ROWS],
)
def test_answers_of_anthropic(through_anthropic, status, body, headers, kind, wait):
    failure = classify(through_anthropic(status, body, headers))
    assert (failure.kind, failure.retry_after) == (kind, pytest.approx(wait))


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("overloaded_error", "server_error"),
        ("rate_limit_error", "rate_limited"),
        ("api_error", "server_error"),
        ("invalid_request_error", "bad_request"),
        ("authentication_error", "auth"),
        ("permission_error", "auth"),
        ("not_found_error", "model_not_found"),
        ("timeout_error", "timeout"),
        ("billing_error", "quota_exhausted"),
    ],
)
def test_an_error_event_under_200_is_read_by_its_type(through_anthropic, type_, kind):
    event = f"event: error\ndata: {json.dumps(error(type_, 'Sorry'))}\n\n"
    raised = through_anthropic(
        200, event, {"content-type": "text/event-stream"}, stream=True
    )
    failure = classify(raised)
    assert (failure.kind, failure.status, failure.code) == (kind, 200, type_)


def test_an_error_event_that_is_not_json_is_a_bad_stream(through_anthropic):
    raised = through_anthropic(
        200,
        "event: error\ndata: oh no\n\n",
        {"content-type": "text/event-stream"},
        stream=True,
    )
    assert classify(raised).kind == "bad_stream"


def test_a_keyword_the_client_refuses_is_a_bad_request():
    model = ChatAnthropic(model_name="m", api_key="x", max_retries=0)
    with pytest.raises(TypeError) as caught:
        model.invoke("hi", seed=1)
    assert classify(caught.value).kind == "bad_request"
