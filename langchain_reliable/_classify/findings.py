"""What is looked for in an error, and how a text is searched for it.

Codes and statuses in the middle of a text count only where the text calls them so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from langchain_reliable._classify.table_statuses import KIND_OF

if TYPE_CHECKING:
    from collections.abc import Mapping

READ_AT_MOST: Final = 16_000
"""Characters of one text that are looked at."""

_STATUS_CODES: Final = range(100, 600)
_EMPTY_WORDS: Final = frozenset({"error", "none", "null", "nil", "unknown_error"})
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
