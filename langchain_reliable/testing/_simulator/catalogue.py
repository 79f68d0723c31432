"""Every fault by name, with usual numbers, as the command line offers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from langchain_reliable.testing._answers import says_nothing
from langchain_reliable.testing._simulator import faults

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_reliable.testing._simulator.replies import Reply

FAULTS: Final[Mapping[str, Reply]] = {
    **{
        f"error-{status}": faults.error_status(status)
        for status in (400, 401, 403, 404, 408, 413, 429, 500, 503, 529)
    },
    "rate-limited": faults.rate_limited(retry_after=2),
    "quota-exhausted": faults.quota_exhausted(),
    "overloaded": faults.overloaded(),
    "context-overflow": faults.context_overflow(),
    "content-policy": faults.content_policy(),
    "upstream-connect-error": faults.upstream_connect_error(),
    "error-under-200": faults.error_under_200(),
    "reset": faults.reset(),
    "hang-before-headers": faults.hang_before_headers(),
    "hang-after-headers": faults.hang_after_headers(),
    "keep-alives-then-silence": faults.keep_alives_then_silence(),
    "empty-body": faults.empty_body(),
    "done-only": faults.done_only(),
    "error-first": faults.error_first(),
    "role-then-error": faults.role_then_error(),
    "role-then-cut": faults.role_then_cut(),
    "role-then-silence": faults.role_then_silence(),
    "content-then-error": faults.content_then_error(),
    "content-then-cut": faults.content_then_cut(),
    "content-then-stall": faults.content_then_stall(),
    "malformed-event": faults.malformed_event(),
    "no-finish": faults.no_finish(),
    "no-done": faults.no_done(),
    "finish-then-cut": faults.finish_then_cut(),
    "finish-then-stall": faults.finish_then_stall(),
    "empty-answer": says_nothing(),
    "content-filter": faults.content_filtered(),
    "reasoning-then-silence": faults.reasoning_then_silence(),
    "trickle": faults.trickle(),
}
"""Every fault by name, with usual numbers: the catalogue of the command line."""
