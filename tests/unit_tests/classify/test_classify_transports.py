"""Sockets, HTTP libraries, and what SDKs make of their errors."""

from __future__ import annotations

import asyncio
import errno
import http.client
import json
import socket
import ssl
import urllib.error
import zlib

import anthropic
import anyio
import httpcore
import httpx
import httpx2
import openai
import pytest
import requests
import urllib3
from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelInvalidRequestError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelRateLimitError,
    ModelRefusalError,
    ModelTimeoutError,
    OutputParserException,
)
from langchain_openai.chat_models.base import (
    OpenAIAPIContextOverflowError,
    OpenAIConnectionError,
    OpenAIRefusalError,
    OpenAITimeoutError,
)

from langchain_reliable._classify.interpreter import classify

REQUEST = httpx2.Request("POST", "https://api.example.com/v1")


def after(raised, cause):
    raised.__cause__ = cause
    return raised


def during(raised, context):
    raised.__context__ = context
    return raised


ROWS = [
    ("a builtin timeout", TimeoutError(), "timeout"),
    ("asyncio's timeout", asyncio.TimeoutError(), "timeout"),  # noqa: UP041 - as SDKs raise it
    ("a socket's timeout", socket.timeout("timed out"), "timeout"),  # noqa: UP041 - as SDKs raise it
    ("ETIMEDOUT", OSError(errno.ETIMEDOUT, "Connection timed out"), "timeout"),
    ("connection refused", ConnectionRefusedError(111, "refused"), "connection"),
    ("connection reset", ConnectionResetError(104, "reset"), "connection"),
    ("a broken pipe", BrokenPipeError(32, "Broken pipe"), "connection"),
    ("no route", OSError(errno.EHOSTUNREACH, "No route to host"), "connection"),
    ("no name", socket.gaierror(-2, "Name or service not known"), "connection"),
    ("a TLS error", ssl.SSLError(1, "EOF"), "connection"),
    ("a bad certificate", ssl.SSLCertVerificationError(1, "x"), "connection"),
    ("the end of a file", EOFError(), "connection"),
    ("a file that is missing", FileNotFoundError(2, "x"), "unknown"),
    ("a hang-up", http.client.RemoteDisconnected("x"), "connection"),
    ("half an answer", http.client.IncompleteRead(b""), "connection"),
    ("urllib", urllib.error.URLError("x"), "connection"),
    (
        "urllib out of time",
        urllib.error.URLError(TimeoutError()),
        "timeout",
    ),
    *(
        (f"{package.__name__} {name}", getattr(package, name)("x"), kind)
        for package in (httpx, httpx2)
        for name, kind in (
            ("ConnectTimeout", "timeout"),
            ("ReadTimeout", "timeout"),
            ("WriteTimeout", "timeout"),
            ("PoolTimeout", "timeout"),
            ("ConnectError", "connection"),
            ("ReadError", "connection"),
            ("WriteError", "connection"),
            ("CloseError", "connection"),
            ("ProxyError", "connection"),
            ("RemoteProtocolError", "connection"),
            ("UnsupportedProtocol", "bad_request"),
            ("InvalidURL", "bad_request"),
            ("DecodingError", "bad_stream"),
            ("TooManyRedirects", "connection"),
        )
    ),
    ("httpcore out of time", httpcore.ReadTimeout(), "timeout"),
    ("httpcore refused", httpcore.ConnectError(), "connection"),
    (
        "the password of a proxy",
        httpx.ProxyError("407 Proxy Authentication Required"),
        "auth",
    ),
    ("requests out of time", requests.ReadTimeout("x"), "timeout"),
    ("requests connecting too long", requests.ConnectTimeout("x"), "timeout"),
    ("requests refused", requests.ConnectionError("x"), "connection"),
    ("requests and TLS", requests.exceptions.SSLError("x"), "connection"),
    (
        "requests broken in the middle",
        requests.exceptions.ChunkedEncodingError("Connection broken"),
        "connection",
    ),
    (
        "requests without a scheme",
        requests.exceptions.MissingSchema("x"),
        "bad_request",
    ),
    (
        "requests and a key with a line break",
        requests.exceptions.InvalidHeader("return character(s) in header value"),
        "auth",
    ),
    (
        "requests and half JSON",
        requests.exceptions.JSONDecodeError("Expecting value", "x", 0),
        "bad_stream",
    ),
    (
        "requests out of retries",
        requests.exceptions.RetryError("too many 503 error responses"),
        "server_error",
    ),
    (
        "urllib3 refused",
        urllib3.exceptions.NewConnectionError(None, "refused"),
        "connection",
    ),
    (
        "urllib3 out of time",
        urllib3.exceptions.ReadTimeoutError(None, "x", "x"),
        "timeout",
    ),
    ("urllib3 broken", urllib3.exceptions.ProtocolError("x"), "connection"),
    ("anyio broken", anyio.BrokenResourceError(), "connection"),
    ("anyio at the end", anyio.EndOfStream(), "connection"),
    ("half JSON", json.JSONDecodeError("x", "x", 0), "bad_stream"),
    (
        "bytes that are no text",
        UnicodeDecodeError("utf-8", b"x", 0, 1, "x"),
        "bad_stream",
    ),
    ("bytes that do not unpack", zlib.error("x"), "bad_stream"),
    (
        "a key with letters no header can hold",
        UnicodeEncodeError("ascii", "x", 0, 1, "ordinal not in range(128)"),
        "auth",
    ),
    (
        "a prompt with half a letter",
        UnicodeEncodeError("utf-8", "x", 0, 1, "surrogates not allowed"),
        "bad_request",
    ),
    ("OpenAI out of time", openai.APITimeoutError(REQUEST), "timeout"),
    ("OpenAI unreachable", openai.APIConnectionError(request=REQUEST), "connection"),
    ("LangChain's OpenAI out of time", OpenAITimeoutError(REQUEST), "timeout"),
    (
        "LangChain's OpenAI unreachable",
        OpenAIConnectionError(request=REQUEST),
        "connection",
    ),
    (
        "LangChain's OpenAI overflow inside a stream",
        OpenAIAPIContextOverflowError("x", REQUEST, body=None),
        "context_overflow",
    ),
    ("Anthropic out of time", anthropic.APITimeoutError(REQUEST), "timeout"),
    (
        "a key with a line break, as a connection error",
        after(
            openai.APIConnectionError(request=REQUEST),
            httpx2.LocalProtocolError("Illegal header value b'Bearer sk-1\\n'"),
        ),
        "auth",
    ),
    (
        "a key with strange letters, as a connection error",
        after(
            openai.APIConnectionError(request=REQUEST),
            UnicodeEncodeError("ascii", "x", 0, 1, "ordinal not in range(128)"),
        ),
        "auth",
    ),
    (
        "a connection error while handling a mistake",
        after(openai.APIConnectionError(request=REQUEST), TypeError("x")),
        "connection",
    ),
    ("OpenAI without a key", openai.OpenAIError("Missing credentials."), "auth"),
    (
        "OpenAI without a key, as it said before",
        openai.OpenAIError("The api_key client option must be set either by …"),
        "auth",
    ),
    (
        "a 200 the SDK chokes on",
        openai.APIResponseValidationError(
            httpx2.Response(200, request=REQUEST), body=None
        ),
        "bad_stream",
    ),
    (
        "a parse that met the filter",
        openai.ContentFilterFinishReasonError(),
        "content_policy",
    ),
    ("a refusal", OpenAIRefusalError("I cannot"), "content_policy"),
    ("a refusal of the family", ModelRefusalError("I cannot"), "content_policy"),
    ("an answer that did not parse", OutputParserException("x"), "invalid_output"),
    ("LangChain 401", ModelAuthenticationError("x"), "auth"),
    ("LangChain 403", ModelPermissionDeniedError("x"), "auth"),
    ("LangChain 400", ModelInvalidRequestError("x"), "bad_request"),
    ("LangChain 404", ModelNotFoundError("x"), "model_not_found"),
    ("LangChain 429", ModelRateLimitError("x"), "rate_limited"),
    (
        "LangChain 429 that is money",
        ModelRateLimitError("insufficient_quota"),
        "quota_exhausted",
    ),
    ("LangChain 5xx", ModelAPIError("x"), "server_error"),
    ("LangChain out of time", ModelTimeoutError("x"), "timeout"),
    ("LangChain unreachable", ModelConnectionError("x"), "connection"),
    ("LangChain overflow", ContextOverflowError("x"), "context_overflow"),
    (
        "no chunk at all",
        ValueError("No generations found in stream."),
        "bad_stream",
    ),
    (
        "no chunk at all, in other words",
        ValueError("No generation chunks were returned"),
        "bad_stream",
    ),
    (
        "an error under 200, as langchain_openai raises it",
        ValueError({"message": "Slow down", "code": 429}),
        "rate_limited",
    ),
    ("a home-made error", RuntimeError("gateway down"), "unknown"),
    (
        "a home-made error with numbers",
        RuntimeError("took 450 ms, port 443"),
        "unknown",
    ),
    ("a home-made error with a name", RuntimeError("gpt-4-0409 failed"), "unknown"),
    ("a home-made error with tokens", RuntimeError("4096 tokens"), "unknown"),
    (
        "a home-made error with a setting",
        ValueError("rate_limit must be > 0"),
        "unknown",
    ),
    ("a status in words", RuntimeError("HTTP 503 from the gateway"), "server_error"),
    ("a status and its name", RuntimeError("429 Too Many Requests"), "rate_limited"),
    ("a status in brackets", RuntimeError("[429] Too Many Requests"), "rate_limited"),
    ("an error code in words", RuntimeError("Error code: 401 - {}"), "auth"),
    ("an unknown status in words", RuntimeError("HTTP 477 from there"), "unknown"),
    (
        "words of a rate limit",
        RuntimeError("Rate limit exceeded, slow down"),
        "rate_limited",
    ),
    ("words of a timeout", RuntimeError("The read timed out"), "timeout"),
    ("words of a refusal", RuntimeError("connection refused"), "connection"),
    (
        "a dict in words",
        RuntimeError("Error: {'error': {'code': 'insufficient_quota'}}"),
        "quota_exhausted",
    ),
    (
        "a cause behind a home-made error",
        after(RuntimeError("call failed"), openai.APITimeoutError(REQUEST)),
        "timeout",
    ),
    (
        "a context behind a home-made error",
        during(RuntimeError("call failed"), httpx.ReadTimeout("x")),
        "timeout",
    ),
    (
        "a context two steps down",
        during(RuntimeError("a"), during(ValueError("b"), httpx.ReadError("x"))),
        "connection",
    ),
    (
        "a context behind an error that is sure of itself",
        during(httpx.ReadError("x"), httpx.ReadTimeout("x")),
        "connection",
    ),
    (
        "a mistake between a home-made error and its cause",
        during(RuntimeError("a"), during(KeyError("b"), httpx.ReadError("x"))),
        "connection",
    ),
    (
        "a group of one",
        ExceptionGroup("g", [httpx.ReadTimeout("x")]),
        "timeout",
    ),
    (
        "a group of several",
        ExceptionGroup("g", [RuntimeError("x"), ConnectionRefusedError()]),
        "connection",
    ),
    (
        "a group behind an error",
        after(RuntimeError("x"), ExceptionGroup("g", [httpx.ReadError("x")])),
        "connection",
    ),
    (
        "a group behind a connection error",
        after(httpx.ConnectError("x"), ExceptionGroup("g", [TimeoutError()])),
        "connection",
    ),
]


@pytest.mark.parametrize(
    ("raised", "kind"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_transports_and_wrappers(raised, kind):
    assert classify(raised).kind == kind


def test_a_context_that_was_cut_off_is_not_looked_at():
    raised = during(RuntimeError("x"), httpx.ReadTimeout("x"))
    raised.__suppress_context__ = True
    assert classify(raised).kind == "unknown"


def test_a_chain_that_bites_its_tail_ends():
    one, other = RuntimeError("a"), RuntimeError("b")
    one.__cause__, other.__cause__ = other, one
    assert classify(one).kind == "unknown"
    endless = RuntimeError("0")
    for number in range(50):
        endless = after(RuntimeError(str(number)), endless)
    assert classify(endless).kind == "unknown"


def test_httpx_and_requests_statuses_are_read_with_their_bodies(response):
    answer = response(400, {"error": {"code": "context_length_exceeded"}})
    answer.request = httpx.Request("POST", "https://x")
    with pytest.raises(httpx.HTTPStatusError) as caught:
        answer.raise_for_status()
    assert classify(caught.value).kind == "context_overflow"

    answer = requests.Response()
    answer.status_code = 429
    answer.headers["Retry-After"] = "11"
    with pytest.raises(requests.HTTPError) as caught:  # its body was never read
        answer.raise_for_status()
    failure = classify(caught.value)
    assert (failure.kind, failure.retry_after) == ("rate_limited", 11.0)
    answer._content = b'{"error": {"type": "insufficient_quota"}}'
    assert classify(caught.value).kind == "quota_exhausted"

    error = urllib.error.HTTPError("https://x", 503, "x", {"Retry-After": "2"}, None)
    failure = classify(error)
    error.close()
    assert (failure.kind, failure.retry_after) == ("server_error", 2.0)


@pytest.mark.parametrize(
    ("error", "sent"),
    [
        (ConnectionRefusedError(111, "refused"), False),
        (httpx.ConnectError("[Errno -2] Name or service not known"), False),
        (httpx.ReadError("reset"), None),
        (ConnectionResetError(104, "reset"), None),
        (httpx.ConnectTimeout("slow"), None),
    ],
    ids=["refused", "no such host", "read", "reset", "a timeout"],
)
def test_knows_where_nothing_of_a_request_was_sent(error, sent):
    assert classify(error).request_sent is sent
