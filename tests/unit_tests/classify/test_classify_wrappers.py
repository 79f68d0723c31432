"""What others put around a provider's error: gateways, wrappers, transports, code."""

# ruff: noqa: E501 - bodies stand on one line each

from __future__ import annotations

import json
import sys
import types
from types import SimpleNamespace

import httpx
import openai
import pytest

from langchain_reliable._classify.interpreter import classify

RATE, QUOTA, SERVER, AUTH = "rate_limited", "quota_exhausted", "server_error", "auth"
CONNECTION, TIMEOUT, BAD_STREAM = "connection", "timeout", "bad_stream"
REQUEST, OVERFLOW, POLICY = "bad_request", "context_overflow", "content_policy"
MODEL, UNKNOWN = "model_not_found", "unknown"


def error(message, kind=None, code=None, **more):
    return {"error": {"message": message, "type": kind, "code": code, **more}}


def routed(raw, code=429, name="Acme", **more):
    """An envelope of OpenRouter around what a provider has sent."""
    return error(
        "Provider returned error",
        None,
        code,
        metadata={"raw": raw, "provider_name": name, **more},
    )


GATEWAYS = [
    (
        "an envelope around a limit",
        429,
        routed("m is temporarily rate-limited upstream"),
        RATE,
    ),
    (
        "an envelope around an empty account",
        429,
        routed(json.dumps(error("Insufficient balance"))),
        QUOTA,
    ),
    (
        "an envelope around a long prompt",
        400,
        routed(json.dumps(error("prompt is too long: 3 > 2")), 400),
        OVERFLOW,
    ),
    (
        "an envelope around a bad request",
        400,
        routed(
            json.dumps(error("supports at most 1 image", "invalid_request_error")), 400
        ),
        REQUEST,
    ),
    (
        "an envelope around a filter",
        400,
        routed(json.dumps(error("no", None, "content_filter")), 400),
        POLICY,
    ),
    (
        "an envelope around a weekly limit",
        429,
        routed("weekly usage limit reached"),
        QUOTA,
    ),
    (
        "an envelope that names its kind",
        502,
        routed("", 502, error_type="provider_unavailable"),
        SERVER,
    ),
    (
        "a code of the source of the limit",
        429,
        routed("busy", limit_source="upstream_provider_shared_pool"),
        RATE,
    ),
    (
        "a gateway that quotes JSON in its message",
        429,
        {
            "status": "failure",
            "message": 'Invalid response from x: {"error":{"message":"Model busy, retry later"}}',
            "error": {"message": "Model busy", "type": "APIError", "code": "429"},
        },
        RATE,
    ),
    (
        "Vercel around Z.ai",
        429,
        error(
            "Insufficient balance or no resource package. Please recharge.",
            "AI_APICallError",
        ),
        QUOTA,
    ),
    (
        "Cloudflare at its limit",
        429,
        {"success": False, "error": [{"code": 2003, "message": "Rate limited"}]},
        RATE,
    ),
    (
        "Cloudflare without capacity",
        429,
        {
            "success": False,
            "errors": [
                {
                    "code": 3040,
                    "message": "AiError: Capacity temporarily exceeded, please try again.",
                }
            ],
        },
        SERVER,
    ),
    (
        "Cloudflare's free allocation",
        429,
        {
            "success": False,
            "errors": [
                {
                    "code": 3036,
                    "message": "you have used up your daily free allocation of 10,000 neurons",
                }
            ],
        },
        QUOTA,
    ),
    (
        "Google without capacity",
        429,
        error(
            "No capacity available for model x on the server",
            None,
            429,
            status="RESOURCE_EXHAUSTED",
            details=[{"reason": "MODEL_CAPACITY_EXHAUSTED"}],
        ),
        SERVER,
    ),
    ("Kong", 429, {"message": "API rate limit exceeded"}, RATE),
    (
        "Kong without a route",
        404,
        {"message": "no Route matched with those values"},
        REQUEST,
    ),
    (
        "Envoy",
        503,
        "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
        SERVER,
    ),
    ("an API gateway's plan", 429, {"message": "Limit Exceeded"}, RATE),
    (
        "MiniMax, throttled",
        200,
        {"base_resp": {"status_code": 1002, "status_msg": "rate limit"}},
        RATE,
    ),
    (
        "MiniMax, tokens",
        400,
        {"base_resp": {"status_code": 1039, "status_msg": "token limit"}},
        RATE,
    ),
    (
        "MiniMax, key",
        400,
        {"base_resp": {"status_code": 1004, "status_msg": "login fail"}},
        AUTH,
    ),
    (
        "MiniMax, newer key",
        400,
        {"base_resp": {"status_code": 2049, "status_msg": "invalid"}},
        AUTH,
    ),
    (
        "MiniMax, balance",
        500,
        {"base_resp": {"status_code": 1008, "status_msg": "insufficient"}},
        QUOTA,
    ),
    (
        "MiniMax, plan",
        400,
        {"base_resp": {"status_code": 2056, "status_msg": "usage limit"}},
        QUOTA,
    ),
    (
        "MiniMax, time",
        400,
        {"base_resp": {"status_code": 1001, "status_msg": "timeout"}},
        TIMEOUT,
    ),
    (
        "MiniMax, inside",
        400,
        {"base_resp": {"status_code": 1013, "status_msg": "internal"}},
        SERVER,
    ),
    (
        "MiniMax, parameters",
        400,
        {"base_resp": {"status_code": 2013, "status_msg": "invalid params"}},
        REQUEST,
    ),
    (
        "MiniMax, answer",
        400,
        {"base_resp": {"status_code": 1027, "status_msg": "output sensitive"}},
        POLICY,
    ),
    (
        "Baidu at its pace",
        429,
        {"error_code": 18, "error_msg": "Open api qps request limit reached"},
        RATE,
    ),
    (
        "Baidu at its day",
        429,
        {"error_code": 17, "error_msg": "Open api daily request limit reached"},
        QUOTA,
    ),
    ("a plain text", 429, "Rate limit exceeded", RATE),
    ("a plain text of money", 403, "Insufficient account balance", QUOTA),
    (
        "a list",
        503,
        [error("The model is overloaded", None, 503, status="UNAVAILABLE")],
        SERVER,
    ),
]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [r[1:] for r in GATEWAYS if r[1] != 200],
    ids=[r[0] for r in GATEWAYS if r[1] != 200],
)
def test_gateways(answered, status, body, kind):
    assert classify(answered(status, body)).kind == kind


@pytest.mark.parametrize(
    ("body", "kind"),
    [r[2:] for r in GATEWAYS if "base_resp" in str(r[2])],
    ids=[r[0] for r in GATEWAYS if "base_resp" in str(r[2])],
)
def test_a_body_in_the_arguments(body, kind):
    """Partner packages raise an error of Python's with the body of a good answer."""
    assert classify(ValueError(body)).kind == kind


IN_STREAM = [
    ("a bare string of a limit", '{"error": "Rate limit exceeded"}', RATE),
    ("a bare string of the server", '{"error": "Internal server error"}', SERVER),
    ("a bare string of load", '{"error": "The model is overloaded"}', SERVER),
    ("a bare string of a long prompt", '{"error": "prompt is too long"}', OVERFLOW),
    ("a bare string of money", '{"error": "insufficient balance (1008)"}', QUOTA),
    ("a bare string of a week", '{"error": "weekly usage limit reached"}', QUOTA),
    ("a bare string of nothing", '{"error": "x"}', BAD_STREAM),
    (
        "a number and a text",
        '{"error": {"code": 502, "message": "Provider disconnected"}}',
        SERVER,
    ),
    ("a type only", '{"error": {"type": "overloaded_error", "message": ""}}', SERVER),
]


@pytest.mark.parametrize(
    ("event", "kind"), [r[1:] for r in IN_STREAM], ids=[r[0] for r in IN_STREAM]
)
def test_errors_in_a_stream(streamed, event, kind):
    assert classify(streamed(f"data: {event}")).kind == kind


LITELLM = "litellm.exceptions."
WRAPPED = [
    (
        "quota",
        "RateLimitError",
        429,
        "litellm.RateLimitError: RateLimitError: OpenAIException - You exceeded your current quota, please check your plan and billing details.",
        QUOTA,
    ),
    (
        "quota as code",
        "RateLimitError",
        429,
        "litellm.RateLimitError: AzureException - Error code: 429 - {'error': {'message': 'no', 'type': 'insufficient_quota', 'code': 'insufficient_quota'}}",
        QUOTA,
    ),
    (
        "spend limit as code",
        "RateLimitError",
        429,
        'litellm.RateLimitError: OpenAIException - {"error":{"message":"no","code":"project_spend_limit_exceeded"}}',
        QUOTA,
    ),
    (
        "week",
        "RateLimitError",
        429,
        'litellm.RateLimitError: Ollama_chatException - {"error":"you have reached your weekly usage limit"}',
        QUOTA,
    ),
    (
        "balance behind a bad request",
        "BadRequestError",
        400,
        "litellm.BadRequestError: DeepseekException - Insufficient Balance",
        QUOTA,
    ),
    (
        "balance behind 500",
        "InternalServerError",
        500,
        "litellm.InternalServerError: MinimaxException - insufficient balance (1008)",
        QUOTA,
    ),
    (
        "pace",
        "RateLimitError",
        429,
        "litellm.RateLimitError: VertexAIException - Quota exceeded for requests per minute",
        RATE,
    ),
    (
        "Anthropic's pace",
        "RateLimitError",
        429,
        'litellm.RateLimitError: AnthropicException - {"type":"error","error":{"type":"rate_limit_error","message":"would exceed your rate limit of 20,000 input tokens per minute"}}',
        RATE,
    ),
    (
        "overflow behind a bad request",
        "BadRequestError",
        400,
        "litellm.BadRequestError: BedrockException - prompt tokens (40) exceed model maximum (20)",
        OVERFLOW,
    ),
    (
        "load",
        "InternalServerError",
        500,
        'litellm.InternalServerError: AnthropicException - {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
        SERVER,
    ),
    (
        "a key in a server's words",
        "InternalServerError",
        500,
        "litellm.InternalServerError: the API key service is down, invalid api key cache",
        SERVER,
    ),
    (
        "a switched off organization",
        "BadRequestError",
        400,
        'litellm.BadRequestError: AnthropicException - {"type":"error","error":{"type":"invalid_request_error","message":"This organization has been disabled."}}',
        AUTH,
    ),
]


@pytest.mark.parametrize(
    ("name", "status", "text", "kind"),
    [r[1:] for r in WRAPPED],
    ids=[r[0] for r in WRAPPED],
)
def test_litellm(shaped, name, status, text, kind):
    raised = shaped(LITELLM + name, text, status_code=status, message=text)
    assert classify(raised).kind == kind


def caused(outer, cause):
    outer.__cause__ = cause
    return outer


def test_a_wrapper_with_a_status_does_not_hide_the_code_beneath(shaped, answered):
    beneath = answered(429, error("no", "insufficient_quota", "insufficient_quota"))
    outer = shaped("myproxy.errors.GatewayError", "upstream said no", status_code=429)
    assert classify(caused(outer, beneath)).kind == QUOTA


def test_a_wrapper_with_its_own_status_is_believed(shaped, answered):
    beneath = answered(401, error("no", None, "invalid_api_key"))
    outer = shaped("myproxy.errors.GatewayError", "gateway broke", status_code=503)
    assert classify(caused(outer, beneath)).kind == SERVER


@pytest.mark.parametrize(
    "name",
    ["retry_after", "retry_after_seconds", "retry_in", "retry_delay", "wait_seconds"],
)
def test_a_wait_told_by_what_stands_around(shaped, answered, name):
    beneath = answered(429, error("Slow down", None, "rate_limit_exceeded"))
    outer = shaped("myproxy.errors.GatewayError", "try later", **{name: 9})
    assert classify(caused(outer, beneath)).retry_after == 9.0


def test_a_wait_told_by_what_stands_beneath(shaped, answered):
    beneath = answered(429, error("Slow down"), {"retry-after": "4"})
    outer = shaped("myproxy.errors.GatewayError", "try later", status_code=429)
    assert classify(caused(outer, beneath)).retry_after == 4.0


def test_an_attempt_in_a_wrapper_is_looked_at(shaped, answered):
    beneath = answered(503, error("overloaded"))
    outer = shaped(
        "tenacity.RetryError",
        "RetryError[...]",
        last_attempt=SimpleNamespace(_exception=beneath),
    )
    assert classify(outer).kind == SERVER


AIOHTTP = "aiohttp.client_exceptions."
HTTP = "aiohttp.http_exceptions."
TRANSPORTS = [
    (
        "aiohttp: a body cut short",
        HTTP + "ContentLengthError",
        {
            "args": ("400, message: Not enough data",),
            "code": 400,
            "message": "Not enough data",
        },
        CONNECTION,
    ),
    (
        "aiohttp: a chunk cut short",
        HTTP + "TransferEncodingError",
        {"code": 400, "message": "Not enough data"},
        CONNECTION,
    ),
    (
        "aiohttp: a broken head",
        HTTP + "BadHttpMessage",
        {"code": 400, "message": "Expected HTTP/"},
        CONNECTION,
    ),
    (
        "aiohttp: a broken status line",
        HTTP + "BadStatusLine",
        {"code": 400, "message": "Bad status line"},
        CONNECTION,
    ),
    (
        "aiohttp: a broken encoding",
        HTTP + "ContentEncodingError",
        {"code": 400, "message": "Can not decode"},
        CONNECTION,
    ),
    (
        "aiohttp: a payload",
        AIOHTTP + "ClientPayloadError",
        {
            "args": (
                "Response payload is not completed: <ContentLengthError: 400, message='Not enough data'>",
            )
        },
        CONNECTION,
    ),
    (
        "aiohttp: the server left",
        AIOHTTP + "ServerDisconnectedError",
        {"args": ("Server disconnected",)},
        CONNECTION,
    ),
    (
        "aiohttp: a reset",
        AIOHTTP + "ClientConnectionResetError",
        {"args": ("Cannot write",)},
        CONNECTION,
    ),
    (
        "aiohttp: no connection",
        AIOHTTP + "ClientConnectorError",
        {"args": ("k", "e")},
        CONNECTION,
    ),
    ("aiohttp: a fingerprint", AIOHTTP + "ServerFingerprintMismatch", {}, CONNECTION),
    ("aiohttp: a slow socket", AIOHTTP + "SocketTimeoutError", {}, TIMEOUT),
    ("aiohttp: a slow connection", AIOHTTP + "ConnectionTimeoutError", {}, TIMEOUT),
    (
        "aiohttp: another content",
        AIOHTTP + "ContentTypeError",
        {"status": 200, "message": "unexpected mimetype: text/html"},
        BAD_STREAM,
    ),
    (
        "aiohttp: a page of a proxy",
        AIOHTTP + "ContentTypeError",
        {"status": 502, "message": "unexpected mimetype: text/html"},
        SERVER,
    ),
    (
        "aiohttp: an answer",
        AIOHTTP + "ClientResponseError",
        {
            "status": 429,
            "message": "Too Many Requests",
            "headers": {"Retry-After": "3"},
        },
        RATE,
    ),
    ("aiohttp: no URL", AIOHTTP + "NonHttpUrlClientError", {}, REQUEST),
    (
        "requests: a body cut short",
        "requests.exceptions.ChunkedEncodingError",
        {},
        CONNECTION,
    ),
    ("requests: no JSON", "requests.exceptions.JSONDecodeError", {}, BAD_STREAM),
    ("urllib3: a body cut short", "urllib3.exceptions.ProtocolError", {}, CONNECTION),
    (
        "botocore: no answer that parses",
        "botocore.parsers.ResponseParserError",
        {},
        BAD_STREAM,
    ),
    (
        "botocore: an event without a code",
        "botocore.exceptions.EventStreamError",
        {},
        BAD_STREAM,
    ),
    (
        "openai: a body that does not parse",
        "openai.APIResponseValidationError",
        {"status_code": 200},
        BAD_STREAM,
    ),
    (
        "mistral: a body that does not parse",
        "mistralai.client.errors.responsevalidationerror.ResponseValidationError",
        {"status_code": 200, "body": "<html>"},
        BAD_STREAM,
    ),
    (
        "openrouter: a body that does not parse",
        "openrouter.errors.responsevalidationerror.ResponseValidationError",
        {"status_code": 200, "body": "<html>"},
        BAD_STREAM,
    ),
    (
        "a generated SDK: a failing page",
        "openrouter.errors.responsevalidationerror.ResponseValidationError",
        {"status_code": 502, "body": "<html>"},
        SERVER,
    ),
    ("h2: a stream that was reset", "h2.exceptions.StreamClosedError", {}, CONNECTION),
    (
        "websockets: closed",
        "websockets.exceptions.ConnectionClosedError",
        {"code": 1011},
        CONNECTION,
    ),
]


@pytest.mark.parametrize(
    ("path", "attributes", "kind"),
    [r[1:] for r in TRANSPORTS],
    ids=[r[0] for r in TRANSPORTS],
)
def test_transports(shaped, path, attributes, kind):
    failure = classify(shaped(path, *attributes.pop("args", ()), **attributes))
    assert failure.kind == kind


def test_a_broken_body_has_no_status(shaped):
    raised = shaped(
        HTTP + "ContentLengthError", "x", code=400, message="Not enough data"
    )
    assert classify(raised).status is None


def raised_in(module, source, **names):
    """Run source as if it stood in a module; return what it raises."""
    made = types.ModuleType(module)
    vars(made).update(names)
    code = compile(source, f"/lib/{module.replace('.', '/')}.py", "exec")
    exec(code, vars(made))  # noqa: S102 - our own text
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any, and all are looked at
        made.run()
    return caught.value


PARSING = [
    (
        "JSON that is none",
        "langchain_groq.chat_models",
        "def run():\n import json\n json.loads('<html>')",
    ),
    (
        "a page read as an answer",
        "langchain_groq.chat_models",
        "def _create_chat_result():\n '<html>'.choices\ndef run(): _create_chat_result()",
    ),
    (
        "an answer without a field",
        "langchain_fireworks.chat_models",
        "def _create_chat_result():\n {}['choices']\ndef run(): _create_chat_result()",
    ),
    (
        "an answer without content",
        "langchain_openai.chat_models.base",
        "def _create_chat_result():\n raise TypeError('Received response with null value for `choices`.')\ndef run(): _create_chat_result()",
    ),
    (
        "a chunk without a field",
        "langchain_openai.chat_models.base",
        "def _convert_chunk_to_generation_chunk():\n {}['delta']\ndef run(): _convert_chunk_to_generation_chunk()",
    ),
    (
        "a part that is missing, in the hook that asked",
        "langchain_cohere.chat_models",
        "def _generate():\n None.content\ndef run(): _generate()",
    ),
    (
        "a parser that raises ValueError",
        "openai._streaming",
        "def run():\n raise ValueError('expected value at line 1 column 1')",
    ),
]


@pytest.mark.parametrize(
    ("module", "source"), [r[1:] for r in PARSING], ids=[r[0] for r in PARSING]
)
def test_what_an_sdk_cannot_parse_is_a_bad_stream(module, source):
    assert classify(raised_in(module, source)).kind == BAD_STREAM


FOREIGN = [
    "Rate limit exceeded, slow down",
    "No generations. Body: {'content_filter_results': {'hate': {'filtered': False}}}",
    "blocked by content filter",
    "Incorrect API key provided",
    "prompt is too long",
    "insufficient balance",
    "connection refused",
    "the read timed out",
]


@pytest.mark.parametrize("text", FOREIGN)
def test_words_of_an_error_of_python_count_only_from_within_an_sdk(text):
    source = f"def run(): raise ValueError({text!r})"
    assert classify(raised_in("some_users_app", source)).kind == UNKNOWN
    assert classify(raised_in("langchain_x.chat_models", source)) is not None


def test_words_of_an_error_of_python_from_within_an_sdk_count():
    source = "def run(): raise ValueError('Rate limit exceeded, slow down')"
    assert classify(raised_in("langchain_x.chat_models", source)).kind == RATE
    assert classify(raised_in("openai._client", source)).kind == RATE


def test_a_status_or_a_code_in_the_words_counts_wherever_it_was_raised():
    source = "def run(): raise RuntimeError('HTTP 503 from the gateway')"
    assert classify(raised_in("some_users_app", source)).kind == SERVER
    source = "def run(): raise ValueError({'message': 'Slow down', 'code': 429})"
    assert classify(raised_in("some_users_app", source)).kind == RATE


def test_a_users_error_around_a_providers_is_the_providers(answered):
    beneath = answered(429, error("no", None, "insufficient_quota"))
    assert classify(caused(RuntimeError("it failed"), beneath)).kind == QUOTA


def test_annotations_of_a_filter_that_filtered_something_are_a_refusal():
    body = {
        "choices": [],
        "prompt_filter_results": [
            {"content_filter_results": {"hate": {"filtered": True}}}
        ],
    }
    raised = raised_in(
        "langchain_x.chat_models",
        "def run(): raise ValueError(text)",
        text=f"No choices: {body}",
    )
    assert classify(raised).kind == POLICY


SUMMARIES = [
    ("a text", routed("the shared pool is busy"), "Acme: the shared pool is busy"),
    (
        "JSON",
        routed(json.dumps(error("the shared pool is busy"))),
        "Acme: the shared pool is busy",
    ),
    (
        "a mapping",
        routed({"error": {"message": "the shared pool is busy"}}),
        "Acme: the shared pool is busy",
    ),
    ("bytes on more lines", routed("busy\nnow"), "Acme: busy now"),
]


@pytest.mark.parametrize(
    ("body", "said"), [r[1:] for r in SUMMARIES], ids=[r[0] for r in SUMMARIES]
)
def test_an_envelope_shows_what_stands_inside(answered, body, said):
    summary = classify(answered(429, body)).summary
    assert said in summary
    assert "Provider returned error" not in summary


def test_what_stands_inside_is_scrubbed(answered):
    summary = classify(
        answered(401, routed("bad key sk-abcdefghijklmnop", 401))
    ).summary
    assert "sk-abc" not in summary
    assert "Acme" in summary


def test_a_gateways_own_words_come_first(answered):
    body = routed("x")
    body["error"]["message"] = "This model has no endpoint for images"
    assert "no endpoint for images" in classify(answered(404, body)).summary


def test_an_envelope_with_nothing_inside_is_shown_as_it_is(answered):
    assert "Provider returned error" in classify(answered(429, routed(""))).summary
    assert (
        "Provider returned error"
        in classify(answered(429, routed(None, name=None))).summary
    )


def test_a_named_class_of_python_needs_no_words():
    assert (
        classify(raised_in("some_users_app", "def run(): raise TimeoutError('x')")).kind
        == TIMEOUT
    )
    assert (
        classify(
            raised_in("some_users_app", "def run(): raise ConnectionResetError('x')")
        ).kind
        == CONNECTION
    )


def test_an_answer_of_httpx_that_is_no_json(answered):
    raised = openai.APIResponseValidationError(
        response=httpx.Response(
            200, request=httpx.Request("POST", "http://x"), text="<html>"
        ),
        body=None,
    )
    assert classify(raised).kind == BAD_STREAM
    assert sys.modules  # nothing was imported for it


def test_litellms_own_label_does_not_hide_what_the_provider_said(shaped):
    body = {"message": "no", "type": "insufficient_quota", "code": "insufficient_quota"}
    own = {"status_code": 429, "type": "throttling_error", "code": "429"}
    assert (
        classify(shaped(LITELLM + "RateLimitError", "x", body=body, **own)).kind
        == QUOTA
    )
    told = "litellm.RateLimitError: OpenAIException - insufficient_quota"
    assert classify(shaped(LITELLM + "RateLimitError", told, **own)).kind == QUOTA
    assert classify(shaped(LITELLM + "RateLimitError", "x", **own)).kind == RATE


def test_a_500_that_litellm_made_of_a_broken_connection_is_that(shaped):
    broken = shaped("openai.APIConnectionError", "Connection error.")
    raised = shaped(LITELLM + "InternalServerError", "x", status_code=500)
    raised.__context__ = broken
    assert classify(raised).kind == CONNECTION
    raised = shaped("openai.InternalServerError", "x", status_code=500)
    raised.__context__ = broken
    assert classify(raised).kind == SERVER


def test_words_of_a_wrapper_yield_to_the_code_beneath(shaped, answered):
    beneath = answered(429, error("no", "insufficient_quota"))
    outer = shaped("tenacity.RetryError", "RetryError[<Future raised RateLimitError>]")
    outer.last_attempt = SimpleNamespace(_exception=beneath)
    assert classify(outer).kind == QUOTA


def test_a_peer_who_left_is_no_timeout_whatever_stands_around(shaped):
    """Over aiohttp httpx makes a timeout of a server that disconnected."""
    left = shaped(AIOHTTP + "ServerDisconnectedError", "Server disconnected")
    slow = caused(shaped("httpx.ConnectTimeout", "Server disconnected"), left)
    outer = caused(shaped("fireworks.APITimeoutError", "Request timed out."), slow)
    assert classify(outer).kind == CONNECTION
    slow = caused(shaped("httpx.ReadTimeout", ""), shaped("httpcore.ReadTimeout", ""))
    outer = caused(shaped("fireworks.APITimeoutError", "Request timed out."), slow)
    assert classify(outer).kind == TIMEOUT


def test_an_error_over_a_good_answer_could_not_read_it(shaped):
    raised = shaped(
        "openrouter.errors.OpenRouterDefaultError",
        "Unexpected response",
        status_code=200,
        body="<html>",
    )
    assert classify(raised).kind == BAD_STREAM


def test_a_reset_that_each_answer_carries_is_no_wait_of_a_broken_server(answered):
    headers = {"x-ratelimit-reset": "40", "ratelimit": '"default";r=0;t=30'}
    assert classify(answered(503, error("no"), headers)).retry_after is None
    assert classify(answered(429, error("no"), headers)).retry_after == 40.0


def test_a_form_that_did_not_parse_is_invalid_output():
    source = "def _parse_content(): int('x')\ndef run(): _parse_content()"
    source = source.replace("int('x')", "raise ValidationError")
    made = type(
        "ValidationError", (ValueError,), {"__module__": "pydantic_core._pydantic_core"}
    )
    raised = raised_in("openai.lib._parsing._completions", source, ValidationError=made)
    assert classify(raised).kind == "invalid_output"


def test_words_that_a_library_wrote_count_beneath_the_users_own_code():
    source = "def run(): raise RuntimeError('Event loop is closed')"
    assert classify(raised_in("httpcore._async.connection", source)).kind == CONNECTION
    assert classify(raised_in("some_users_app", source)).kind == UNKNOWN
