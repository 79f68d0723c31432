"""Gemini, Vertex and Bedrock, through google-genai and botocore themselves."""

from __future__ import annotations

import json

import botocore.awsrequest
import botocore.config
import botocore.eventstream
import botocore.exceptions
import botocore.session
import httpx
import pytest
from google.genai import Client, errors, types
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_google_genai.chat_models import (
    GoogleContextOverflowError,
    GoogleRateLimitError,
)

from langchain_reliable._classify.interpreter import classify

RPC = "type.googleapis.com/google.rpc."


def google(code, status, message, *details):
    return {
        "error": {
            "code": code,
            "message": message,
            "status": status,
            "details": list(details),
        }
    }


def retry_info(delay):
    return {"@type": f"{RPC}RetryInfo", "retryDelay": delay}


def quota(*ids):
    return {
        "@type": f"{RPC}QuotaFailure",
        "violations": [{"quotaMetric": "m", "quotaId": name} for name in ids],
    }


def info(reason):
    return {"@type": f"{RPC}ErrorInfo", "reason": reason, "domain": "googleapis.com"}


QUOTA = (
    "You exceeded your current quota, please check your plan and billing details. "
    "* Quota exceeded for metric: generate_content_requests, limit: 10, model: m"
)
MINUTE = "GenerateContentPaidTierInputTokensPerModelPerMinute"
DAY = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
GOOGLE = [
    (
        "429 per minute",
        429,
        google(
            429, "RESOURCE_EXHAUSTED", QUOTA, quota(MINUTE), retry_info("48.939935699s")
        ),
        "rate_limited",
        48.939935699,
    ),
    (
        "429 per day",
        429,
        google(429, "RESOURCE_EXHAUSTED", QUOTA, quota(DAY), retry_info("20s")),
        "quota_exhausted",
        20.0,
    ),
    (
        "429 per day and per minute",
        429,
        google(429, "RESOURCE_EXHAUSTED", QUOTA, quota(MINUTE, DAY)),
        "quota_exhausted",
        None,
    ),
    (
        "429 of a limit of nothing",
        429,
        google(429, "RESOURCE_EXHAUSTED", QUOTA.replace("10", "0")),
        "quota_exhausted",
        None,
    ),
    (
        "429 with the wait in words alone",
        429,
        google(429, "RESOURCE_EXHAUSTED", "Please retry in 12.5s."),
        "rate_limited",
        12.5,
    ),
    (
        "429 of Vertex",
        429,
        google(429, "RESOURCE_EXHAUSTED", "Resource exhausted. Try again later."),
        "rate_limited",
        None,
    ),
    (
        "400 wrong key",
        400,
        google(400, "INVALID_ARGUMENT", "API key not valid.", info("API_KEY_INVALID")),
        "auth",
        None,
    ),
    (
        "400 too long",
        400,
        google(
            400,
            "INVALID_ARGUMENT",
            "The input token count (1196265) exceeds the maximum number of tokens "
            "allowed (1048575).",
        ),
        "context_overflow",
        None,
    ),
    (
        "400 answer too long",
        400,
        google(
            400,
            "INVALID_ARGUMENT",
            "Unable to submit request because it has a maxOutputTokens value of 9 but "
            "the supported range is from 1 to 8.",
        ),
        "bad_request",
        None,
    ),
    (
        "400 country",
        400,
        google(
            400,
            "FAILED_PRECONDITION",
            "User location is not supported for the API use.",
        ),
        "bad_request",
        None,
    ),
    (
        "400 that is money",
        400,
        google(
            400,
            "FAILED_PRECONDITION",
            "Gemini API free tier is not available in your country. Please enable "
            "billing on your project in Google AI Studio.",
        ),
        "quota_exhausted",
        None,
    ),
    (
        "401",
        401,
        google(401, "UNAUTHENTICATED", "Request had invalid credentials."),
        "auth",
        None,
    ),
    (
        "403 service disabled",
        403,
        google(403, "PERMISSION_DENIED", "Enable it", info("SERVICE_DISABLED")),
        "auth",
        None,
    ),
    (
        "403 that is money",
        403,
        google(
            403,
            "PERMISSION_DENIED",
            "This API method requires billing to be enabled.",
            info("BILLING_DISABLED"),
        ),
        "quota_exhausted",
        None,
    ),
    (
        "403 that is throttling",
        403,
        {
            "error": {
                "code": 403,
                "message": "Rate Limit Exceeded",
                "errors": [{"domain": "usageLimits", "reason": "rateLimitExceeded"}],
            }
        },
        "rate_limited",
        None,
    ),
    (
        "404",
        404,
        google(404, "NOT_FOUND", "models/x is not found for API version v1beta"),
        "model_not_found",
        None,
    ),
    ("499", 499, google(499, "CANCELLED", "Cancelled"), "connection", None),
    ("500", 500, google(500, "INTERNAL", "An internal error"), "server_error", None),
    ("501", 501, google(501, "UNIMPLEMENTED", "Not here"), "server_error", None),
    ("503", 503, google(503, "UNAVAILABLE", "Overloaded"), "server_error", None),
    ("504", 504, google(504, "DEADLINE_EXCEEDED", "Deadline"), "timeout", None),
    ("502 page", 502, "<html><title>Error 502</title></html>", "server_error", None),
    (
        "a list, as streams have it",
        429,
        [google(429, "RESOURCE_EXHAUSTED", "x", retry_info("7s"))],
        "rate_limited",
        7.0,
    ),
]


def meet_google(status, body):
    content = body if isinstance(body, str) else json.dumps(body)
    transport = httpx.MockTransport(lambda _: httpx.Response(status, content=content))
    client = Client(
        api_key="x",
        http_options=types.HttpOptions(
            httpx_client=httpx.Client(transport=transport),
            retry_options=types.HttpRetryOptions(attempts=1),
        ),
    )
    with pytest.raises(errors.APIError) as caught:
        client.models.generate_content(model="m", contents="hi")
    client.close()
    return caught.value


@pytest.mark.parametrize(
    ("status", "body", "kind", "wait"),
    [row[1:] for row in GOOGLE],
    ids=[row[0] for row in GOOGLE],
)
def test_answers_of_gemini(status, body, kind, wait):
    failure = classify(meet_google(status, body))
    assert (failure.kind, failure.status) == (kind, status)
    assert failure.retry_after == pytest.approx(wait)


def test_langchains_google_errors_are_read_through_to_their_cause():
    body = google(429, "RESOURCE_EXHAUSTED", QUOTA, quota(DAY), retry_info("31s"))
    cause = errors.ClientError(429, body)
    wrapped = GoogleRateLimitError("Error calling model 'm'")
    wrapped.__cause__ = cause
    failure = classify(wrapped)
    assert (failure.kind, failure.retry_after) == ("quota_exhausted", 31.0)
    alone = GoogleRateLimitError(f"Error calling model 'm' (X): {cause}")
    failure = classify(alone)
    assert (failure.kind, failure.retry_after) == ("quota_exhausted", 31.0)
    assert failure.status == 429


def test_a_rate_limit_that_langchain_calls_an_overflow_is_a_rate_limit():
    body = google(429, "RESOURCE_EXHAUSTED", "Over the token limit per minute")
    assert classify(GoogleContextOverflowError(429, body)).kind == "rate_limited"
    body = google(400, "INVALID_ARGUMENT", "Over the token limit")
    assert classify(GoogleContextOverflowError(400, body)).kind == "context_overflow"


def test_a_google_stream_cut_in_the_middle_is_a_bad_stream():
    assert classify(errors.UnknownApiResponseError("x")).kind == "bad_stream"


def test_a_setting_the_google_client_refuses_is_a_bad_request():
    model = ChatGoogleGenerativeAI(model="m", google_api_key="x", max_retries=1)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any, and all are looked at
        model.invoke("hi", temperature="warm")
    assert classify(caught.value).kind == "bad_request"


AWS = [
    ("ThrottlingException", 429, "Too many requests", "rate_limited"),
    (
        "ThrottlingException",
        429,
        "Too many tokens, please wait before trying again.",
        "rate_limited",
    ),
    (
        "ThrottlingException",
        429,
        "Too many tokens per day, please wait before trying again.",
        "quota_exhausted",
    ),
    ("ThrottlingException", 400, "Rate exceeded", "rate_limited"),
    ("ServiceQuotaExceededException", 400, "Over quota", "quota_exhausted"),
    (
        "ValidationException",
        400,
        "Input is too long for requested model.",
        "context_overflow",
    ),
    (
        "ValidationException",
        400,
        "The provided model identifier is invalid.",
        "model_not_found",
    ),
    (
        "ValidationException",
        400,
        "Invocation of model ID m with on-demand throughput isn’t supported.",  # noqa: RUF001 - as sent
        "model_not_found",
    ),
    (
        "ValidationException",
        400,
        "The maximum tokens you requested exceeds the model limit of 4096.",
        "bad_request",
    ),
    ("ValidationException", 400, "A conversation must start…", "bad_request"),
    ("AccessDeniedException", 403, "You don't have access to the model", "auth"),
    (
        "AccessDeniedException",
        403,
        "Model access is denied due to INVALID_PAYMENT_INSTRUMENT",
        "quota_exhausted",
    ),
    ("ExpiredTokenException", 403, "The security token is expired", "auth"),
    ("UnrecognizedClientException", 403, "Invalid", "auth"),
    ("InvalidSignatureException", 403, "Signature expired", "auth"),
    (
        "ResourceNotFoundException",
        404,
        "This model version has reached the end of its life.",
        "model_not_found",
    ),
    ("ModelTimeoutException", 408, "Too long", "timeout"),
    ("ModelErrorException", 424, "Failed", "server_error"),
    ("ModelNotReadyException", 429, "Not ready", "server_error"),
    ("InternalServerException", 500, "Unexpected", "server_error"),
    ("ServiceUnavailableException", 503, "Capacity", "server_error"),
]


@pytest.fixture(scope="module")
def bedrock():
    session = botocore.session.get_session()
    session.set_credentials("a", "b")
    client = session.create_client(
        "bedrock-runtime",
        region_name="us-east-1",
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
    )
    yield client
    client.close()


@pytest.mark.parametrize(
    ("code", "status", "message", "kind"),
    AWS,
    ids=[f"{row[0]}: {row[2]}" for row in AWS],
)
def test_answers_of_bedrock(bedrock, code, status, message, kind):
    def answer(request, **_):
        raw = type("Raw", (), {"stream": lambda *_: [json.dumps(body).encode()]})()
        headers = {"x-amzn-ErrorType": code, "retry-after": "4"}
        return botocore.awsrequest.AWSResponse(request.url, status, headers, raw)

    body = {"message": message}
    bedrock.meta.events.register("before-send", answer, unique_id="answer")
    try:
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            bedrock.converse(modelId="m", messages=[])
    finally:
        bedrock.meta.events.unregister("before-send", unique_id="answer")
    failure = classify(caught.value)
    assert (failure.kind, failure.status, failure.code) == (kind, status, code)
    assert failure.retry_after == 4.0


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("throttlingException", "rate_limited"),
        ("modelStreamErrorException", "bad_stream"),
        ("internalServerException", "server_error"),
        ("validationException", "bad_request"),
        ("serviceUnavailableException", "server_error"),
        ("modelTimeoutException", "timeout"),
    ],
)
def test_errors_in_a_bedrock_event_stream(code, kind):
    error = {"Error": {"Code": code, "Message": "Sorry"}}
    raised = botocore.exceptions.EventStreamError(error, "ConverseStream")
    assert classify(raised).kind == kind


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (botocore.exceptions.NoCredentialsError(), "auth"),
        (botocore.exceptions.ReadTimeoutError(endpoint_url="https://x"), "timeout"),
        (botocore.exceptions.ConnectTimeoutError(endpoint_url="https://x"), "timeout"),
        (
            botocore.exceptions.EndpointConnectionError(endpoint_url="https://x"),
            "connection",
        ),
        (
            botocore.exceptions.ConnectionClosedError(endpoint_url="https://x"),
            "connection",
        ),
        (botocore.exceptions.ParamValidationError(report="x"), "bad_request"),
        (botocore.exceptions.NoRegionError(), "bad_request"),
        (botocore.eventstream.ChecksumMismatch(1, 2), "bad_stream"),
        (
            RuntimeError(
                "An error occurred (ThrottlingException) when calling the Converse "
                "operation (reached max retries: 4): Too many tokens"
            ),
            "rate_limited",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_botocore_raises_without_an_answer(raised, kind):
    assert classify(raised).kind == kind
