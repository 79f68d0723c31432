"""Every fault by name, with usual numbers, as the command line offers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from langchain_reliable.testing._answers import says_nothing
from langchain_reliable.testing._simulator.faults import (
    content_filtered,
    content_policy,
    content_then_cut,
    content_then_error,
    content_then_stall,
    context_overflow,
    done_only,
    empty_body,
    error_first,
    error_status,
    error_under_200,
    finish_then_cut,
    finish_then_stall,
    hang_after_headers,
    hang_before_headers,
    keep_alives_then_silence,
    malformed_event,
    no_done,
    no_finish,
    overloaded,
    quota_exhausted,
    rate_limited,
    reasoning_then_silence,
    reset,
    role_then_cut,
    role_then_error,
    role_then_silence,
    trickle,
    upstream_connect_error,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_reliable.testing._simulator.replies import Reply

FAULTS: Final[Mapping[str, Reply]] = {
    **{
        f"error-{status}": error_status(status)
        for status in (400, 401, 403, 404, 408, 413, 429, 500, 503, 529)
    },
    "rate-limited": rate_limited(retry_after=2),
    "quota-exhausted": quota_exhausted(),
    "overloaded": overloaded(),
    "context-overflow": context_overflow(),
    "content-policy": content_policy(),
    "upstream-connect-error": upstream_connect_error(),
    "error-under-200": error_under_200(),
    "reset": reset(),
    "hang-before-headers": hang_before_headers(),
    "hang-after-headers": hang_after_headers(),
    "keep-alives-then-silence": keep_alives_then_silence(),
    "empty-body": empty_body(),
    "done-only": done_only(),
    "error-first": error_first(),
    "role-then-error": role_then_error(),
    "role-then-cut": role_then_cut(),
    "role-then-silence": role_then_silence(),
    "content-then-error": content_then_error(),
    "content-then-cut": content_then_cut(),
    "content-then-stall": content_then_stall(),
    "malformed-event": malformed_event(),
    "no-finish": no_finish(),
    "no-done": no_done(),
    "finish-then-cut": finish_then_cut(),
    "finish-then-stall": finish_then_stall(),
    "empty-answer": says_nothing(),
    "content-filter": content_filtered(),
    "reasoning-then-silence": reasoning_then_silence(),
    "trickle": trickle(),
}
"""Every fault by name, with usual numbers: the catalogue of the command line."""
