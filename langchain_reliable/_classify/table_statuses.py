"""What an HTTP status says where nothing more exact is known.

Statuses only; words are never read here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from langchain_reliable.failures import FailureKind as Kind

if TYPE_CHECKING:
    from collections.abc import Mapping


class Row(NamedTuple):
    """Statuses of one meaning, and the place they come from."""

    kind: Kind
    statuses: tuple[int, ...]
    source: str


ROWS: Final = (
    Row(Kind.BAD_REQUEST, (400, 405, 406, 409, 411, 412, 413, 414), "RFC 9110"),
    Row(Kind.BAD_REQUEST, (415, 416, 417, 418, 421, 422, 426), "RFC 9110"),
    Row(Kind.BAD_REQUEST, (423, 425, 428, 431, 451), "RFC 4918, 8470, 6585, 7725"),
    Row(Kind.BAD_REQUEST, (435,), "Zhipu: file too large"),
    Row(Kind.AUTH, (401, 403, 407), "RFC 9110; 407: the proxy's password"),
    Row(Kind.AUTH, (434,), "Zhipu: no permission for this API"),
    Row(Kind.AUTH, (498,), "Esri and nginx: invalid token"),
    Row(Kind.CONTENT_POLICY, (446,), "Portkey: a guardrail said no"),
    Row(Kind.QUOTA_EXHAUSTED, (402,), "RFC 9110; DeepSeek, OpenRouter, Fireworks"),
    Row(Kind.MODEL_NOT_FOUND, (404, 410), "RFC 9110; 410: retired"),
    Row(Kind.TIMEOUT, (408, 504), "RFC 9110"),
    Row(Kind.TIMEOUT, (524, 598, 599), "Cloudflare and proxies: no answer in time"),
    Row(Kind.RATE_LIMITED, (429,), "RFC 6585"),
    Row(Kind.CONNECTION, (444, 460, 499), "nginx, AWS ELB: closed before the answer"),
    Row(Kind.SERVER_ERROR, (424,), "Bedrock, Hugging Face: the model behind failed"),
    Row(Kind.SERVER_ERROR, (500, 501, 502, 503, 505), "RFC 9110"),
    Row(Kind.SERVER_ERROR, (506, 507, 508, 509, 510, 511), "RFC 2295, 4918, 6585"),
    Row(Kind.SERVER_ERROR, (520, 521, 522, 523, 525), "Cloudflare: origin in trouble"),
    Row(Kind.SERVER_ERROR, (526, 527, 530), "Cloudflare: origin in trouble"),
    Row(Kind.SERVER_ERROR, (529,), "Anthropic: overloaded"),
)

KIND_OF: Final[Mapping[int, Kind]] = {
    status: row.kind for row in ROWS for status in row.statuses
}
"""Every status that is known by name."""

_CLIENT_ERRORS: Final = range(400, 500)
_SERVER_ERRORS: Final = range(500, 600)


def kind_of(status: int | None) -> Kind | None:
    """Say what a status means; `None` below 400 and where there is none."""
    if status is None:
        return None
    if (known := KIND_OF.get(status)) is not None:
        return known
    if status in _CLIENT_ERRORS:
        return Kind.BAD_REQUEST
    return Kind.SERVER_ERROR if status in _SERVER_ERRORS else None
