"""What goes onto a cassette, and which recorded request is the same as a new one.

Rules for vcrpy live here. Which test plays which cassette never does.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from key_shapes import REDACTED, blacked_out

if TYPE_CHECKING:
    from vcr.request import Request

SIMULATOR: Final = "http://simulator.test"
"""Where recorded clients think the simulator is. It listens on another port each time,
so its address is replaced before a request is compared or stored."""

_LOOPBACK: Final = re.compile(r"^http://127\.0\.0\.1:\d+")

_KEY_HEADERS: Final = (
    "authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "cookie",
    "openai-organization",
    "openai-project",
    "x-amz-security-token",
)

_KEPT_OF_REQUESTS: Final = frozenset(
    {"accept", "content-type", "anthropic-version", "anthropic-beta", *_KEY_HEADERS}
) - {"openai-organization", "openai-project"}
_KEPT_OF_RESPONSES: Final = re.compile(
    r"content-(type|encoding)|retry-after(-ms)?|x-should-retry|(x-)?request-id"
    r"|(x|anthropic)-ratelimit-.*|x-amzn-errortype"
)
"""Headers that mean something to a client. A list of what stays is safer than one of
what goes, and a cassette recorded anew on another machine stays the same."""


def same_llm(one: Request, other: Request) -> None:
    """Match requests that ask for the same model, both streaming or neither."""
    asked, recorded = _asked(one), _asked(other)
    assert asked == recorded, f"{asked} != {recorded}"


def _asked(request: Request) -> tuple[object, bool]:
    try:
        body = json.loads(request.body or b"{}")
    except ValueError:
        return None, False
    return body.get("model"), bool(body.get("stream"))


def trimmed_request(request: Request) -> Request:
    """Take off a request what differs from run to run."""
    request.uri = _LOOPBACK.sub(SIMULATOR, request.uri)
    request.method = request.method.upper()  # aiohttp's are as they were written
    request.headers = {
        name: value
        for name, value in request.headers.items()
        if name.lower() in _KEPT_OF_REQUESTS
    }
    return request


def trimmed_response(response: dict[str, Any]) -> dict[str, Any]:
    """Take off a response what names somebody, and what no client reads."""
    kept = {
        name: value
        for name, value in response["headers"].items()
        if _KEPT_OF_RESPONSES.fullmatch(name.lower())
    }
    body = response["body"]["string"]
    return {**response, "headers": kept, "body": {"string": _without_names(body)}}


def _without_names(body: bytes) -> bytes:
    try:
        return blacked_out(body.decode()).encode()
    except UnicodeDecodeError:
        return body


MATCH_ON: Final = ("method", "scheme", "host", "port", "path", "llm")
"""The body is left out: it changes with every release of a partner package. Model and
`stream` stay in, so two models on one host are never mixed up."""

SETTINGS: Final = {
    "match_on": MATCH_ON,
    "allow_playback_repeats": False,  # else a recorded 503, 200 is played as 503, 503
    "decode_compressed_response": True,
    "filter_headers": [(name, REDACTED) for name in _KEY_HEADERS],
    "filter_query_parameters": [("key", REDACTED)],
    "before_record_request": trimmed_request,
    "before_record_response": trimmed_response,
}
"""No `record_mode`: pytest-recording lets it win over the command line."""
