"""What can be wrong with a request or a provider, whatever the API.

Each dialect has a table of its own for how it words these kinds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


KINDS: Final = (
    "bad_request",
    "context_overflow",
    "content_policy",
    "auth",
    "billing",
    "forbidden",
    "not_found",
    "timeout",
    "conflict",
    "too_large",
    "unprocessable",
    "rate_limited",
    "quota_exhausted",
    "server_error",
    "overloaded",
    "unavailable",
    "gateway_timeout",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One error of a provider.

    Attributes:
        kind: What it is, the same for every API: one of `KINDS`.
        status: HTTP status, where it differs from the usual one.
        message: Text of the error, where it differs from the usual one.
        code: The API's word for the error, where it differs: OpenAI's `code`,
            Anthropic's `type`, Google's `status`, the name of AWS's exception.
        retry_after: Seconds to wait, for APIs that say so in the body.
    """

    kind: str
    status: int | None = None
    message: str | None = None
    code: str | None = None
    retry_after: float | None = None

    def __post_init__(self) -> None:
        """Refuse a kind for which no API has words."""
        if self.kind not in KINDS:
            raise ValueError(f"kind={self.kind!r} is none of {', '.join(KINDS)}")


@dataclass(frozen=True, slots=True)
class Wording:
    """How one API words a kind of trouble; `{model}` stands for the model asked.

    Attributes:
        status: The usual HTTP status.
        code: The API's word for it; empty where it has none.
        message: What people read.
    """

    status: int
    code: str
    message: str

    def says(self, trouble: Trouble, model: str) -> str:
        """Return the message of this trouble."""
        return trouble.message or self.message.format(model=model)


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
