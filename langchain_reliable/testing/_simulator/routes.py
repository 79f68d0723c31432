"""Which API a path belongs to, and what a request asks of it.

The model and the wish to be streamed stand in the body at some APIs, in the path at
others.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote

from langchain_reliable.testing._simulator.dialects.anthropic import Anthropic
from langchain_reliable.testing._simulator.dialects.bedrock import Bedrock
from langchain_reliable.testing._simulator.dialects.bedrock_invoke import BedrockInvoke
from langchain_reliable.testing._simulator.dialects.cohere import Cohere
from langchain_reliable.testing._simulator.dialects.gemini import Gemini
from langchain_reliable.testing._simulator.dialects.mistral import Mistral
from langchain_reliable.testing._simulator.dialects.ollama import Ollama
from langchain_reliable.testing._simulator.dialects.openai import OpenAI
from langchain_reliable.testing._simulator.dialects.openrouter import OpenRouter
from langchain_reliable.testing._simulator.wire import SimulatedRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_reliable.testing._simulator.wire import Dialect

OPENAI: Final[Dialect] = OpenAI()
"""Also what is spoken at a path that nobody knows."""


@dataclass(frozen=True, slots=True)
class _Route:
    """Paths of one API.

    Attributes:
        shown: The path, as people write it.
        path: Matches it; may have the groups `model` and `streams`.
        dialect: What is spoken there.
        streams: Whether it streams where the body does not say.
    """

    shown: str
    path: re.Pattern[str]
    dialect: Dialect
    streams: bool = False


_ROUTES: Final = (
    _Route(
        "/api/v1/chat/completions",
        re.compile(r"/api/v1/chat/completions"),
        OpenRouter(),
    ),
    _Route(
        "/mistral/v1/chat/completions",
        re.compile(r"/mistral/v1/chat/completions"),
        Mistral(),
    ),
    _Route(
        "/openai/deployments/{model}/chat/completions",
        re.compile(r"/openai/deployments/(?P<model>[^/]+)/chat/completions"),
        OPENAI,
    ),
    _Route("/v1/chat/completions", re.compile(r"(/[\w.-]+)*/chat/completions"), OPENAI),
    _Route("/v1/messages", re.compile(r"/v1/messages"), Anthropic()),
    _Route(
        "/v1beta/models/{model}:generateContent",
        re.compile(
            r"(/[\w.-]+)*/models/(?P<model>[^/:]+)"
            r":((?P<streams>streamGenerateContent)|generateContent)"
        ),
        Gemini(),
    ),
    _Route(
        "/model/{id}/converse",
        re.compile(r"/model/(?P<model>[^/]+)/((?P<streams>converse-stream)|converse)"),
        Bedrock(),
    ),
    _Route(
        "/model/{id}/invoke",
        re.compile(
            r"/model/(?P<model>[^/]+)"
            r"/((?P<streams>invoke-with-response-stream)|invoke)"
        ),
        BedrockInvoke(),
    ),
    _Route("/v2/chat", re.compile(r"/v2/chat"), Cohere()),
    _Route("/api/chat", re.compile(r"/api/chat"), Ollama(), streams=True),
)
PATHS: Final = tuple(route.shown for route in _ROUTES)
"""Every path, as people write it."""

_AWS_KEY: Final = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/]+)")


def read(
    number: int, target: str, headers: Mapping[str, str], body: bytes
) -> tuple[Dialect | None, SimulatedRequest]:
    """Return what is spoken at `target`, if anything, and the request as asked."""
    path, _, query = target.partition("?")
    route, match = _matching(path)
    parsed = _parsed(body)
    in_path = match.groupdict() if match else {}
    streams = route.streams if route else False
    request = SimulatedRequest(
        number=number,
        model=unquote(in_path.get("model") or str(parsed.get("model", ""))),
        path=path,
        headers=headers,
        body=parsed,
        streaming=bool(in_path.get("streams") or parsed.get("stream", streams)),
        key=_key(headers, query),
    )
    return route.dialect if route else None, request


def _matching(path: str) -> tuple[_Route | None, re.Match[str] | None]:
    for route in _ROUTES:
        if match := route.path.fullmatch(path):
            return route, match
    return None, None


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _key(headers: Mapping[str, str], query: str) -> str | None:
    sent = headers.get("authorization", "")
    signed = _AWS_KEY.match(sent)
    told = (
        headers.get("x-api-key"),
        signed[1] if signed else sent.removeprefix("Bearer "),
        headers.get("x-goog-api-key"),
        headers.get("api-key"),
        parse_qs(query).get("key", [None])[0],
    )
    return next(filter(None, told), None)
