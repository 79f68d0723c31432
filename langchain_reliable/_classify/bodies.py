"""Search an error body, whatever its form, for what it says.

Forms only are known here: mappings, lists, JSON in strings and bytes, `repr` in a
message, protobuf. What the words found mean is never decided here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from langchain_reliable._classify.table_statuses import KIND_OF

READ_AT_MOST: Final = 16_000
"""Characters of one text that are looked at."""

_NODES_AT_MOST: Final = 250
_STATUS_CODES: Final = range(100, 600)

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
_EMPTY_WORDS: Final = frozenset({"error", "none", "null", "nil", "unknown_error"})
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
_SAYS_NOTHING: Final = (
    "provider returned error",
    "upstream error",
    "error from provider",
    "an error occurred",
)

_THREE_DIGITS: Final = re.compile(r"[0-9]{3}")
_PAIR: Final = re.compile(
    r"\b(error_?[cC]ode|error_?[tT]ype|error_name|code|type|status|reason|limit_source|__type|"
    r"status_?[cC]ode|quota_?[iI]d|quota_limit|retry_?[dD]elay|retry_after)"
    r"\\{0,4}[\"']?\s{0,4}[:=]\s{0,4}\\{0,4}"
    r"(?:\"([^\"\\]{0,120})|'([^'\\]{0,120})|([\w.-]{1,80}))"
)
_AWS_CODE: Final = re.compile(r"An error occurred \((\w{1,80})\) when calling")
_STATUS: Final = re.compile(
    r"^\s{0,4}[\[(]?([45]\d\d)[\])]?[:,]?\s{1,4}(?=[A-Z<{\"'])"
    r"|(?i:\b(?:error code|status code|status_code|status|http/\d(?:\.\d)?|"
    r"http status|http_code|http error|https?|client error|server error|api error|"
    r"error response|error)(?:[:=][ '\"(]{0,3}|[ '\"(]{1,3})([45]\d\d)\b"
    r"(?! ?(?:ms|s|sec|seconds|tokens|characters)\b))"
    r"|(?i:\btoo many ([45]\d\d) error responses)"
)


@dataclass(slots=True)
class Findings:
    """What was found, in the order of finding."""

    codes: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    quotas: list[str] = field(default_factory=list)
    waits: list[tuple[str, object]] = field(default_factory=list)
    headers: list[Mapping[object, object]] = field(default_factory=list)
    quoted: str | None = None
    """What a gateway quotes of the provider behind it, and whose it is."""

    def note_code(self, value: object) -> None:
        """Keep a code; one that is an HTTP status counts as that."""
        if isinstance(value, bool) or not isinstance(value, str | int):
            return
        if (status := as_status(value)) is not None:
            self.statuses.append(status)
        elif (word := str(value)[:120].strip()) and word.lower() not in _EMPTY_WORDS:
            self.codes.append(word)

    def note_text(self, text: str) -> None:
        """Keep a text unless there is nothing in it."""
        if text and text not in self.texts:
            self.texts.append(text)


def as_status(value: object) -> int | None:
    """Read an HTTP status: a number or digits between 100 and 599."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        if not _THREE_DIGITS.fullmatch(value):
            return None
        value = int(value)
    return int(value) if isinstance(value, int) and value in _STATUS_CODES else None


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


def scan(text: str, found: Findings) -> None:
    """Search a text for pairs such as `'code': 'insufficient_quota'`."""
    for match in _PAIR.finditer(text[:READ_AT_MOST]):
        name = match[1].lower().replace("_", "")
        value = next((group for group in match.groups()[1:] if group), "")
        if name.startswith("quota"):
            found.quotas.append(value)
        elif name.startswith("retry"):
            found.waits.append((name, value))
        else:
            found.note_code(value)
    if (aws := _AWS_CODE.search(text[:1000])) is not None:
        found.note_code(aws[1])


def status_in(text: str) -> int | None:
    """Read a status that a text calls one; a bare number is none."""
    for match in _STATUS.finditer(text[:2000]):
        status = int(next(group for group in match.groups() if group))
        if status in KIND_OF:
            return status
    return None


def peek(thing: object, name: str) -> object:
    """Read an attribute that may be missing, or a property that may raise."""
    try:
        found: object = getattr(thing, name, None)
    except Exception:  # noqa: BLE001 - a property may raise anything
        return None
    return found


def kept_by(thing: object) -> Mapping[str, object]:
    """Return the attributes that a thing itself holds; cheaper than asking for each."""
    kept = peek(thing, "__dict__")
    return kept if isinstance(kept, dict) else {}
