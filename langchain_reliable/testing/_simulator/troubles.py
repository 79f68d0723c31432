"""What can be wrong with a request or a provider, and how each API words it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One error of a provider.

    Attributes:
        kind: A key of `WORDINGS`.
        status: HTTP status, where it differs from the usual one.
        message: Text of the error, where it differs from the usual one.
        code: OpenAI's `code` or Anthropic's `type`, where it differs.
    """

    kind: str
    status: int | None = None
    message: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAIWording:
    """How OpenAI says it; `{model}` stands for the model asked."""

    status: int
    type: str
    code: str | None
    message: str
    param: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnthropicWording:
    """How Anthropic says it; `{model}` stands for the model asked."""

    status: int
    type: str
    message: str


@dataclass(frozen=True, slots=True)
class Wording:
    """How the two APIs say the same thing."""

    openai: OpenAIWording
    anthropic: AnthropicWording


def _said(
    status: int | tuple[int, int],
    openai: tuple[str, str | None, str],
    anthropic: tuple[str, str],
    param: str | None = None,
) -> Wording:
    theirs, others = status if isinstance(status, tuple) else (status, status)
    type_, code, message = openai
    return Wording(
        OpenAIWording(
            status=theirs, type=type_, code=code, message=message, param=param
        ),
        AnthropicWording(status=others, type=anthropic[0], message=anthropic[1]),
    )


_INVALID = "invalid_request_error"

WORDINGS: Final[Mapping[str, Wording]] = {
    "bad_request": _said(
        400,
        (_INVALID, "invalid_value", "Invalid value for 'messages'."),
        (_INVALID, "messages.0.content: Input should be a valid list"),
        param="messages",
    ),
    "context_overflow": _said(
        400,
        (
            _INVALID,
            "context_length_exceeded",
            (
                "This model's maximum context length is 8192 tokens. However, your "
                "messages resulted in 9000 tokens. Please reduce their length."
            ),
        ),
        (_INVALID, "prompt is too long: 210000 tokens > 200000 maximum"),
        param="messages",
    ),
    "content_policy": _said(
        400,
        (
            _INVALID,
            "content_policy_violation",
            "Your request was rejected by our safety system.",
        ),
        (_INVALID, "Output blocked by content filtering policy"),
    ),
    "auth": _said(
        401,
        (_INVALID, "invalid_api_key", "Incorrect API key provided: sk-****test."),
        ("authentication_error", "invalid x-api-key"),
    ),
    "billing": _said(
        402,
        ("billing_error", "billing_not_active", "Your account is not active."),
        ("billing_error", "There is an issue with your billing information."),
    ),
    "forbidden": _said(
        403,
        (
            _INVALID,
            "unsupported_country_region_territory",
            "Country, region, or territory not supported",
        ),
        ("permission_error", "Your API key may not use the specified resource."),
    ),
    "not_found": _said(
        404,
        (
            _INVALID,
            "model_not_found",
            "The model `{model}` does not exist or you do not have access to it.",
        ),
        ("not_found_error", "model: {model}"),
    ),
    "timeout": _said(
        408,
        ("timeout", "timeout", "Request timed out."),
        ("timeout_error", "Request timed out"),
    ),
    "conflict": _said(
        409,
        (_INVALID, "conflict", "The resource was changed by another request."),
        (_INVALID, "Conflict"),
    ),
    "too_large": _said(
        413,
        (_INVALID, "request_too_large", "Request body is too large."),
        ("request_too_large", "Request exceeds the maximum size"),
    ),
    "unprocessable": _said(
        422,
        (_INVALID, None, "The request could not be processed."),
        (_INVALID, "The request could not be processed"),
    ),
    "rate_limited": _said(
        429,
        (
            "requests",
            "rate_limit_exceeded",
            (
                "Rate limit reached for {model} in organization org-simulated on "
                "requests per min (RPM): Limit 3, Used 3, Requested 1."
            ),
        ),
        (
            "rate_limit_error",
            (
                "This request would exceed your organization's rate limit of 5 "
                "requests per minute."
            ),
        ),
    ),
    "quota_exhausted": _said(
        (429, 400),
        (
            "insufficient_quota",
            "insufficient_quota",
            (
                "You exceeded your current quota, please check your plan and billing "
                "details."
            ),
        ),
        (_INVALID, "Your credit balance is too low to access the Anthropic API."),
    ),
    "server_error": _said(
        500,
        (
            "server_error",
            "server_error",
            "The server had an error while processing your request. Sorry about that!",
        ),
        ("api_error", "Internal server error"),
    ),
    "overloaded": _said(
        (503, 529),
        (
            "server_error",
            "server_overloaded",
            "The engine is currently overloaded, please try again later.",
        ),
        ("overloaded_error", "Overloaded"),
    ),
    "unavailable": _said(
        503,
        ("server_error", "service_unavailable", "Service temporarily unavailable."),
        ("api_error", "Service temporarily unavailable"),
    ),
    "gateway_timeout": _said(
        504,
        ("server_error", "gateway_timeout", "The request timed out upstream."),
        ("timeout_error", "The request timed out upstream"),
    ),
}
"""Every trouble, by kind."""

KIND_OF_STATUS: Final[Mapping[int, str]] = {
    400: "bad_request",
    401: "auth",
    402: "billing",
    403: "forbidden",
    404: "not_found",
    408: "timeout",
    409: "conflict",
    413: "too_large",
    422: "unprocessable",
    429: "rate_limited",
    500: "server_error",
    503: "unavailable",
    504: "gateway_timeout",
    529: "overloaded",
}
"""What a bare status usually means."""

_FIRST_SERVER_ERROR = 500


def trouble_of(status: int, message: str | None = None) -> Trouble:
    """Return the trouble that `status` usually means."""
    other = "server_error" if status >= _FIRST_SERVER_ERROR else "bad_request"
    kind = KIND_OF_STATUS.get(status, other)
    return Trouble(kind=kind, status=status, message=message)
