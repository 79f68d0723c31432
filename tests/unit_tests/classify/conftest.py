"""Ways to make the exceptions that providers make, without a provider."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import groq
import httpx
import httpx2
import openai
import pytest


def _answer(status, body, headers, package):
    headers = dict(headers or {})
    if isinstance(body, bytes | str):
        return package.Response(status, headers=headers, content=body)
    headers.setdefault("content-type", "application/json")
    return package.Response(status, headers=headers, content=json.dumps(body))


def _raised(call):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any, and all are looked at
        call()
    return caught.value


@pytest.fixture
def through_openai():
    """Have the real OpenAI client meet an answer; return what it raises."""

    def meet(status: int, body: Any, headers=None):
        transport = httpx2.MockTransport(
            lambda _: _answer(status, body, headers, httpx2)
        )
        with (
            httpx2.Client(transport=transport) as http,
            openai.OpenAI(api_key="x", http_client=http, max_retries=0) as client,
        ):
            return _raised(
                lambda: client.chat.completions.create(model="m", messages=[])
            )

    return meet


@pytest.fixture
def through_openai_stream():
    """Have the real OpenAI client read these events; return what it raises."""

    def meet(*events: str):
        body = "".join(f"{event}\n\n" for event in events)
        transport = httpx2.MockTransport(
            lambda _: _answer(200, body, {"content-type": "text/event-stream"}, httpx2)
        )
        with (
            httpx2.Client(transport=transport) as http,
            openai.OpenAI(api_key="x", http_client=http, max_retries=0) as client,
        ):
            return _raised(
                lambda: list(
                    client.chat.completions.create(model="m", messages=[], stream=True)
                )
            )

    return meet


@pytest.fixture
def through_anthropic():
    """Have the real Anthropic client meet an answer; return what it raises."""

    def meet(status: int, body: Any, headers=None, *, stream=False):
        transport = httpx2.MockTransport(
            lambda _: _answer(status, body, headers, httpx2)
        )
        with (
            httpx2.Client(transport=transport) as http,
            anthropic.Anthropic(api_key="x", http_client=http, max_retries=0) as client,
        ):
            return _raised(
                lambda: list(
                    client.messages.create(
                        model="m", messages=[], max_tokens=5, stream=stream
                    )
                )
            )

    return meet


@pytest.fixture
def through_groq():
    """Have the real Groq client meet an answer; return what it raises."""

    def meet(status: int, body: Any, headers=None):
        transport = httpx.MockTransport(lambda _: _answer(status, body, headers, httpx))
        with (
            httpx.Client(transport=transport) as http,
            groq.Groq(api_key="x", http_client=http, max_retries=0) as client,
        ):
            return _raised(
                lambda: client.chat.completions.create(model="m", messages=[])
            )

    return meet


@pytest.fixture
def shaped():
    """Make an exception of a class with this module, name and bases."""

    def make(path: str, *args, bases: tuple[type, ...] = (Exception,), **attributes):
        module, _, qualname = path.rpartition(".")
        made = type(qualname, bases, {"__module__": module})(*args)
        for key, value in attributes.items():
            setattr(made, key, value)
        return made

    return make


@pytest.fixture
def response():
    """Make a response as httpx or requests keep it, already read."""

    def make(status: int, body: Any = b"", headers=None):
        return _answer(status, body, headers, httpx)

    return make


@pytest.fixture(scope="session")
def _stage():
    """Keep one OpenAI client for all answers: making one takes its time."""
    stage = {}
    transport = httpx2.MockTransport(lambda _: _answer(*stage["answer"], httpx2))
    with (
        httpx2.Client(transport=transport) as http,
        openai.OpenAI(api_key="x", http_client=http, max_retries=0) as client,
    ):
        stage["client"] = client
        yield stage


@pytest.fixture
def answered(_stage):
    """Have the real OpenAI client meet an answer; return what it raises."""

    def meet(status: int, body: Any, headers=None):
        _stage["answer"] = status, body, headers
        ask = _stage["client"].chat.completions.create
        return _raised(lambda: ask(model="m", messages=[]))

    return meet


@pytest.fixture
def streamed(_stage):
    """Have the real OpenAI client read these events; return what it raises."""

    def meet(*events: str):
        body = "".join(f"{event}\n\n" for event in events)
        _stage["answer"] = 200, body, {"content-type": "text/event-stream"}
        ask = _stage["client"].chat.completions.create
        return _raised(lambda: list(ask(model="m", messages=[], stream=True)))

    return meet
