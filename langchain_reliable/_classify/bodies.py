"""Search an error body, whatever its form, for what it says.

Mappings, lists, JSON in strings and bytes, `repr` in a message, protobuf. What the
words that are found mean is told by the tables.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from langchain_reliable._classify.findings import (
    READ_AT_MOST,
    Findings,
    as_status,
    peek,
    scan,
)

_NODES_AT_MOST: Final = 250

_CODES: Final = (
    "error_code",
    "errorcode",
    "reason",
    "limit_source",
    "code",
    "type",
    "status",
    "error_type",
    "errortype",
    "innererror",
    "__type",
)
_STATUSES: Final = (
    "status_code",
    "statuscode",
    "http_status",
    "httpstatuscode",
    "http_code",
    "httpcode",
)
_TEXTS: Final = (
    "message",
    "msg",
    "error",
    "detail",
    "error_message",
    "errormessage",
    "error_msg",
    "status_msg",
    "error_description",
    "raw",
    "title",
    "previous_errors",
)
_QUOTAS: Final = ("quotaid", "quota_id", "quota_limit")
_WAITS: Final = (
    "retrydelay",
    "retry_delay",
    "retry_after",
    "retry-after",
    "retryafter",
    "retry_after_seconds",
    "retryafterseconds",
    "retry_after_ms",
    "retryafterms",
    "retry_in",
    "wait_seconds",
    "resets_in_seconds",
    "reset_in_seconds",
    "reset_after",
    "resets_at",
    "reset_at",
    "estimated_time",
)
# What may hold the words of a user or of a model.
_FOREIGN: Final = frozenset(
    {
        "input",
        "inputs",
        "ctx",
        "prompt",
        "messages",
        "failed_generation",
        "generated_text",
        "choices",
        "param",
        "content_filter_result",
        "content_filter_results",
        "prompt_filter_results",
        "loc",
    }
)
_FILTERS: Final = ("content_filter_result", "content_filter_results")
_SAYS_NOTHING: Final = (
    "provider returned error",
    "upstream error",
    "error from provider",
    "an error occurred",
)


def loads(text: str | bytes) -> object:
    """Parse JSON; `None` for anything else."""
    head = text[:64].lstrip()[:1]
    if head not in ("{", "[", b"{", b"["):
        return None
    try:
        parsed: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return parsed


def search(body: object, found: Findings) -> None:
    """Look through a body, breadth first, at most so many nodes deep and wide."""
    nodes: list[object] = [body]
    for place in range(_NODES_AT_MOST):
        if place >= len(nodes):
            return
        nodes.extend(_look(nodes[place], found))


def _look(node: object, found: Findings) -> Sequence[object]:
    """Note what one node says; return what is to be looked at next."""
    if isinstance(node, str | bytes | bytearray):
        return _look_at_text(node, found)
    if isinstance(node, Mapping):
        return _look_at_mapping(node, found)
    if isinstance(node, list | tuple):
        return list(node[:_NODES_AT_MOST])
    return _look_at_record(node, found)


def _look_at_text(text: str | bytes | bytearray, found: Findings) -> Sequence[object]:
    if not isinstance(text, str):
        text = bytes(text[: READ_AT_MOST * 4]).decode("utf-8", "replace")
    if (parsed := loads(text[: READ_AT_MOST * 4])) is not None:
        return [parsed]
    scan(text, found)
    found.note_text(text[:READ_AT_MOST])
    return []


def _look_at_mapping(
    node: Mapping[object, object], found: Findings
) -> Sequence[object]:
    fields = {
        str(key).lower(): value
        for key, value in list(node.items())[:_NODES_AT_MOST]
        if isinstance(key, str)
    }
    for name in _CODES:
        found.note_code(fields.get(name))
    found.statuses.extend(
        status
        for name in _STATUSES
        if (status := as_status(fields.get(name))) is not None
    )
    found.quotas.extend(str(fields[name])[:200] for name in _QUOTAS if name in fields)
    found.waits.extend((name, fields[name]) for name in _WAITS if name in fields)
    _look_at_special_fields(fields, found)
    if isinstance(headers := fields.get("headers"), Mapping):
        found.headers.append(headers)
    below: list[object] = [
        text
        for name in _TEXTS
        if isinstance(text := fields.get(name), str) and _note_text_of(text, found)
    ]
    below += [
        value
        for name, value in fields.items()
        if isinstance(value, Mapping | list | tuple)
        and name not in _FOREIGN
        and name != "headers"
    ]
    return below


def _look_at_special_fields(fields: Mapping[str, object], found: Findings) -> None:
    """Note what MiniMax, content filters and gateways put under names of their own."""
    base = fields.get("base_resp")
    if isinstance(base, Mapping) and (code := base.get("status_code")):
        found.note_code(f"base_resp.{code}")
    annotations = fields.get(
        "content_filter_result", fields.get("content_filter_results")
    )
    if isinstance(annotations, Mapping) and any(
        map(_has_filtered, annotations.values())
    ):
        found.note_code("content_filter")
    metadata = fields.get("metadata")
    if found.quoted is None and isinstance(metadata, Mapping) and metadata.get("raw"):
        found.quoted = _quotation(metadata)


def _has_filtered(annotation: object) -> bool:
    return isinstance(annotation, Mapping) and annotation.get("filtered") is True


def _quotation(metadata: Mapping[object, object]) -> str:
    """Return the provider's own message out of an envelope, after its name."""
    inside = Findings(quoted="")
    search(metadata.get("raw"), inside)
    said = inside.texts[0] if inside.texts else ""
    name = metadata.get("provider_name")
    return f"{name}: {said}" if said and isinstance(name, str) and name else said


def says_nothing(text: str) -> bool:
    """Say whether a message is that of an envelope, and no more."""
    return text.lower().startswith(_SAYS_NOTHING)


def _note_text_of(text: str, found: Findings) -> bool:
    """Note a text; say whether it holds a body of its own and must be looked at."""
    if text.lstrip()[:1] in ("{", "["):
        return True
    if "{" in text:
        scan(text, found)
    found.note_text(text[:READ_AT_MOST])
    return False


def _look_at_record(node: object, found: Findings) -> Sequence[object]:
    """Look at a protobuf detail or a pydantic error: the same names as attributes."""
    below: list[object] = []
    for name in ("code", "type", "status", "reason", "error_code"):
        found.note_code(peek(node, name))
    if isinstance(message := peek(node, "message"), str):
        found.note_text(message[:READ_AT_MOST])
    if isinstance(quota := peek(node, "quota_id"), str):
        found.quotas.append(quota[:200])
    if (delay := peek(node, "retry_delay")) is not None:
        found.waits.append(("retry_delay", delay))
    violations = peek(node, "violations")
    if isinstance(violations, Sequence) and not isinstance(violations, str):
        below.extend(violations[:_NODES_AT_MOST])
    return below
