"""SDKs that are no test dependency: classes of the same name, shape and attributes."""

from __future__ import annotations

import http
import json
from datetime import timedelta
from types import SimpleNamespace

import pytest

from langchain_reliable._classify.interpreter import classify

MISTRAL = "mistralai.client.errors.sdkerror.SDKError"
COHERE = "cohere.errors.too_many_requests_error.TooManyRequestsError"
API_CORE = "google.api_core.exceptions"
LITELLM = "litellm.exceptions"
HUB = "huggingface_hub.errors"

ROWS = [
    # Classes without their bases
    ("botocore.errorfactory.ModelNotReadyException", {}, "server_error", None),
    ("ssl.SSLCertVerificationError", {}, "connection", None),
    ("httpx.ReadTimeout", {}, "timeout", None),
    ("httpx2.RemoteProtocolError", {}, "connection", None),
    ("urllib3.exceptions.IncompleteRead", {}, "connection", None),
    (
        "langchain_openai.chat_models.base.OpenAIRateLimitError",
        {},
        "rate_limited",
        None,
    ),
    ("langchain_openai.chat_models.base.OpenAIAPIError", {}, "server_error", None),
    (
        "langchain_google_genai.chat_models.ChatGoogleGenerativeAIError",
        {
            "args": (
                (
                    "Error calling model 'm' (X): 429 RESOURCE_EXHAUSTED. "
                    "{'error': {'code': 429, 'details': [{'retryDelay': '17s'}]}}"
                ),
            )
        },
        "rate_limited",
        17.0,
    ),
    # Mistral's own SDK: the body is a string
    (
        MISTRAL,
        {
            "status_code": 429,
            "body": '{"object":"error","type":"rate_limited","code":"1300"}',
            "headers": {"Retry-After": "8"},
        },
        "rate_limited",
        8.0,
    ),
    (
        MISTRAL,
        {"status_code": 401, "body": '{"detail":"Unauthorized"}'},
        "auth",
        None,
    ),
    (
        "mistralai.models.sdkerror.SDKError",
        {
            "message": "API error occurred: Status 503. Body: upstream connect error",
            "raw_response": SimpleNamespace(
                status_code=503, text="upstream", headers=7
            ),
        },
        "server_error",
        None,
    ),
    (
        "mistralai.client.errors.no_response_error.NoResponseError",
        {},
        "connection",
        None,
    ),
    # Cohere
    (
        COHERE,
        {
            "status_code": 429,
            "body": {
                "message": "You are using a Trial key, limited to 40 API calls "
                "/ minute."
            },
        },
        "rate_limited",
        None,
    ),
    (
        COHERE,
        {
            "status_code": 429,
            "body": {
                "message": "You are using a Trial key, which is limited to 1000 API "
                "calls / month."
            },
        },
        "quota_exhausted",
        None,
    ),
    (
        "cohere.errors.bad_request_error.BadRequestError",
        {
            "status_code": 400,
            "body": {
                "message": "too many tokens: total number of tokens in the prompt "
                "cannot exceed 4081"
            },
        },
        "context_overflow",
        None,
    ),
    (
        "cohere.errors.unauthorized_error.UnauthorizedError",
        {"status_code": 401, "body": {"message": "invalid api token"}},
        "auth",
        None,
    ),
    (
        "cohere.core.api_error.ApiError",
        {"status_code": 498, "body": {"message": "blocked output"}},
        "content_policy",
        None,
    ),
    (
        "cohere.errors.client_closed_request_error.ClientClosedRequestError",
        {"status_code": 499, "body": None},
        "connection",
        None,
    ),
    # Ollama
    (
        "ollama._types.ResponseError",
        {"error": 'model "x" not found, try pulling it first', "status_code": 404},
        "model_not_found",
        None,
    ),
    (
        "ollama._types.ResponseError",
        {"error": "model 'x' not found, try pulling it first", "status_code": -1},
        "model_not_found",
        None,
    ),
    (
        "ollama._types.ResponseError",
        {"error": "registry does not support tools", "status_code": 400},
        "bad_request",
        None,
    ),
    (
        "ollama._types.ResponseError",
        {"error": "llama runner process has terminated", "status_code": 500},
        "server_error",
        None,
    ),
    (
        "ollama._types.ResponseError",
        {"error": "unauthorized", "status_code": 401},
        "auth",
        None,
    ),
    (
        "ollama._types.RequestError",
        {"error": "must provide a model"},
        "bad_request",
        None,
    ),
    # google-api-core
    (
        f"{API_CORE}.ResourceExhausted",
        {
            "code": http.HTTPStatus.TOO_MANY_REQUESTS,
            "message": "Quota exceeded for m.",
            "details": [
                SimpleNamespace(
                    retry_delay=SimpleNamespace(seconds=3, nanos=500000000)
                ),
                SimpleNamespace(violations=[SimpleNamespace(quota_id="PerMinute")]),
            ],
        },
        "rate_limited",
        3.5,
    ),
    (
        f"{API_CORE}.ResourceExhausted",
        {
            "code": 429,
            "grpc_status_code": SimpleNamespace(name="RESOURCE_EXHAUSTED"),
            "details": [
                SimpleNamespace(retry_delay=timedelta(seconds=4)),
                SimpleNamespace(violations=[SimpleNamespace(quota_id="RunsPerDay")]),
            ],
        },
        "quota_exhausted",
        4.0,
    ),
    (f"{API_CORE}.DeadlineExceeded", {"code": 504}, "timeout", None),
    (f"{API_CORE}.ServiceUnavailable", {"code": 503}, "server_error", None),
    (f"{API_CORE}.PermissionDenied", {"code": 403}, "auth", None),
    (f"{API_CORE}.InvalidArgument", {"code": 400}, "bad_request", None),
    (f"{API_CORE}.Unauthenticated", {"code": 401}, "auth", None),
    (
        f"{API_CORE}.RetryError",
        {"message": "Timeout of 60.0s exceeded"},
        "timeout",
        None,
    ),
    ("google.auth.exceptions.DefaultCredentialsError", {}, "auth", None),
    ("google.auth.exceptions.RefreshError", {}, "auth", None),
    ("google.auth.exceptions.TransportError", {}, "connection", None),
    (
        "google.generativeai.types.generation_types.StopCandidateException",
        {},
        "content_policy",
        None,
    ),
    # aiohttp
    (
        "aiohttp.client_exceptions.ClientResponseError",
        {
            "status": 429,
            "message": "Too Many Requests",
            "headers": {"Retry-After": "5"},
        },
        "rate_limited",
        5.0,
    ),
    (
        "aiohttp.client_exceptions.ContentTypeError",
        {"status": 200, "args": (("url", "POST"), ()), "message": "not JSON"},
        "bad_stream",
        None,
    ),
    ("aiohttp.client_exceptions.ClientPayloadError", {}, "connection", None),
    ("aiohttp.client_exceptions.ClientConnectorError", {}, "connection", None),
    ("aiohttp.client_exceptions.ServerDisconnectedError", {}, "connection", None),
    ("aiohttp.client_exceptions.ServerTimeoutError", {}, "timeout", None),
    # LiteLLM
    (
        f"{LITELLM}.RateLimitError",
        {
            "status_code": 429,
            "message": "litellm.RateLimitError: OpenAIException - Rate limit reached. "
            "Please try again in 1.5s.",
        },
        "rate_limited",
        1.5,
    ),
    (
        f"{LITELLM}.RateLimitError",
        {
            "status_code": 429,
            "message": "litellm.RateLimitError: OpenAIException - You exceeded your "
            "current quota, please check your plan and billing details.",
        },
        "quota_exhausted",
        None,
    ),
    (
        f"{LITELLM}.ContextWindowExceededError",
        {"status_code": 400},
        "context_overflow",
        None,
    ),
    (
        f"{LITELLM}.ContentPolicyViolationError",
        {"status_code": 400},
        "content_policy",
        None,
    ),
    (f"{LITELLM}.BudgetExceededError", {"status_code": 429}, "quota_exhausted", None),
    (f"{LITELLM}.Timeout", {"status_code": 408}, "timeout", None),
    (f"{LITELLM}.APIConnectionError", {"status_code": 500}, "connection", None),
    (f"{LITELLM}.ServiceUnavailableError", {"status_code": 503}, "server_error", None),
    (f"{LITELLM}.UnsupportedParamsError", {"status_code": 400}, "bad_request", None),
    (
        f"{LITELLM}.MidStreamFallbackError",
        {"original_exception": TimeoutError()},
        "server_error",
        None,
    ),
    (
        "litellm.types.router.RouterRateLimitError",
        {
            "cooldown_time": 60.0,
            "message": "No deployments available for selected model, Try again in 60 "
            "seconds.",
        },
        "rate_limited",
        60.0,
    ),
    # Hugging Face
    (
        f"{HUB}.HfHubHTTPError",
        {
            "response": SimpleNamespace(status_code=402, headers={}, text="x"),
            "server_message": "You have exceeded your monthly included credits",
        },
        "quota_exhausted",
        None,
    ),
    (
        f"{HUB}.RepositoryNotFoundError",
        {"response": SimpleNamespace(status_code=401, headers={}, text="")},
        "model_not_found",
        None,
    ),
    (
        f"{HUB}.GatedRepoError",
        {"response": SimpleNamespace(status_code=403, headers={}, text="")},
        "auth",
        None,
    ),
    (f"{HUB}.InferenceTimeoutError", {}, "timeout", None),
    (f"{HUB}.OverloadedError", {}, "server_error", None),
    # DashScope, Zhipu, watsonx
    (
        "requests.exceptions.HTTPError",
        {
            "args": (
                (
                    "request_id: r \n status_code: 429 \n code: Throttling.RateQuota\n"
                    "message: Requests rate limit exceeded"
                ),
            )
        },
        "rate_limited",
        None,
    ),
    (
        "requests.exceptions.HTTPError",
        {
            "args": (
                (
                    "request_id: r \n status_code: 400 \n code: DataInspectionFailed\n"
                    "message: x"
                ),
            )
        },
        "content_policy",
        None,
    ),
    (
        "dashscope.common.error.RequestFailure",
        {"name": "Throttling.RateQuota", "http_code": 429, "message": "Slow down"},
        "rate_limited",
        None,
    ),
    (
        "dashscope.common.error.RequestFailure",
        {"name": "InternalError.Algo", "message": "Algorithm"},
        "server_error",
        None,
    ),
    ("dashscope.common.error.AuthenticationError", {}, "auth", None),
    ("dashscope.common.error.TimeoutException", {}, "timeout", None),
    ("dashscope.common.error.ServiceUnavailableError", {}, "server_error", None),
    ("dashscope.common.error.InvalidModel", {}, "model_not_found", None),
    (
        "zhipuai.core._errors.APIReachLimitError",
        {
            "status_code": 429,
            "args": (
                ('Error code: 429, with error text {"error":{"code":"1113","x"}}'),
            ),
        },
        "quota_exhausted",
        None,
    ),
    ("zhipuai.core._errors.APIServerFlowExceedError", {}, "server_error", None),
    (
        "ibm_watsonx_ai.wml_client_error.ApiRequestFailure",
        {
            "args": (
                (
                    "Failure during chat. (POST https://x)\nStatus code: 429, body: "
                    '{"errors":[{"code":"rate_limit_reached_requests"}]}'
                ),
            )
        },
        "rate_limited",
        None,
    ),
    # NVIDIA's LangChain package raises a bare Exception
    (
        "app.Exception_",
        {"args": ("[429] Too Many Requests\n{'status': 429}",)},
        "rate_limited",
        None,
    ),
    (
        "app.Exception_",
        {"args": ("[404] Not Found\nFunction 'f': Not found for account",)},
        "model_not_found",
        None,
    ),
    # Databricks, Together, Fireworks, Replicate by the names of their classes
    (
        "databricks.sdk.errors.platform.ResourceExhausted",
        {"error_code": "RESOURCE_EXHAUSTED", "retry_after_secs": 6},
        "rate_limited",
        6.0,
    ),
    ("databricks.sdk.errors.platform.TemporarilyUnavailable", {}, "server_error", None),
    ("databricks.sdk.errors.platform.DeadlineExceeded", {}, "timeout", None),
    ("together.error.RateLimitError", {"http_status": 429}, "rate_limited", None),
    ("together.error.AuthenticationError", {}, "auth", None),
    ("fireworks.client.error.RateLimitError", {}, "rate_limited", None),
    ("fireworks.client.error.PermissionError", {"http_code": "403"}, "auth", None),
    ("app.models.InsufficientBalanceError", {}, "quota_exhausted", None),
    ("azure.core.exceptions.ServiceRequestError", {}, "connection", None),
    (
        "azure.core.exceptions.HttpResponseError",
        {"status_code": 503},
        "server_error",
        None,
    ),
    (
        "websockets.exceptions.ConnectionClosedError",
        {"code": 1001, "reason": "going away"},
        "connection",
        None,
    ),
    ("grpc.aio._call.AioRpcError", {"code": None}, "unknown", None),
]


@pytest.mark.parametrize(
    ("name", "attributes", "kind", "wait"),
    ROWS,
    ids=[f"{number} {row[0]} is {row[2]}" for number, row in enumerate(ROWS)],
)
def test_shapes(shaped, name, attributes, kind, wait):
    failure = classify(shaped(name, **attributes))
    assert (failure.kind, failure.retry_after) == (kind, wait)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("RESOURCE_EXHAUSTED", "rate_limited"),
        ("UNAVAILABLE", "server_error"),
        ("DEADLINE_EXCEEDED", "timeout"),
        ("UNAUTHENTICATED", "auth"),
        ("PERMISSION_DENIED", "auth"),
        ("INVALID_ARGUMENT", "bad_request"),
        ("NOT_FOUND", "model_not_found"),
        ("CANCELLED", "connection"),
        ("INTERNAL", "server_error"),
    ],
)
def test_grpc_keeps_everything_in_methods(code, kind):
    def refuse(_):
        raise RuntimeError

    rpc = type("RpcError", (Exception,), {"__module__": "grpc"})
    call = type(
        "AioRpcError",
        (rpc,),
        {
            "__module__": "grpc.aio._call",
            "code": lambda _: SimpleNamespace(name=code),
            "details": lambda _: "what the server said",
            "trailing_metadata": lambda _: (("retry-after", b"3"),),
        },
    )
    failure = classify(call())
    assert (failure.kind, failure.retry_after) == (kind, 3.0)
    assert failure.code == code
    call.details = call.trailing_metadata = refuse
    assert classify(call()).kind == kind


BODIES = [
    {"code": "context_length_exceeded", "message": "x"},
    {"error": {"code": "context_length_exceeded", "message": "x"}},
    [{"error": {"code": "context_length_exceeded"}}],
    '{"error": {"code": "context_length_exceeded"}}',
    b'{"error": {"code": "context_length_exceeded"}}',
    bytearray(b'{"error": {"code": "context_length_exceeded"}}'),
    "{'error': {'code': 'context_length_exceeded'}}",
    '{"error": {"code": "context_length_exceeded", "message": "cut in the mid',
    {"error": '{"code": "context_length_exceeded"}'},
    {"error": {"message": "P: {'code': 'context_length_exceeded'}"}},
    {"error": {"metadata": {"raw": '{"error":{"code":"context_length_exceeded"}}'}}},
    {"error": {"details": [{"reason": "CONTEXT_LENGTH_EXCEEDED"}]}},
    {"detail": {"error_code": "contextLengthExceeded"}},
    (SimpleNamespace(code="context_length_exceeded", message="x"),),
]


@pytest.mark.parametrize("body", BODIES, ids=str)
def test_a_code_is_found_in_a_body_of_any_form(shaped, body):
    raised = shaped("sdk.APIStatusError", status_code=400, body=body)
    assert classify(raised).kind == "context_overflow"
    kept = SimpleNamespace(status_code=400, headers=None, text="")
    kept._content = json.dumps(BODIES[1]).encode()
    raised = shaped("sdk.APIStatusError", response=kept)
    assert classify(raised).kind == "context_overflow"
    raised = shaped("sdk.APIStatusError", f"Error code: 400 - {BODIES[1]}")
    assert classify(raised).kind == "context_overflow"


def test_what_users_and_models_wrote_is_not_searched(shaped):
    body = {
        "error": {
            "message": "Bad",
            "input": {"code": "insufficient_quota"},
            "failed_generation": {"message": "insufficient balance"},
        }
    }
    raised = shaped("sdk.APIStatusError", status_code=400, body=body)
    assert classify(raised).kind == "bad_request"
