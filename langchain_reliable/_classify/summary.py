"""One short line for people about a failure.

Foreign text is cut and scrubbed here. Prompts, completions and keys must never be in
it, so text that may hold them is left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from langchain_reliable._text.redact import clip, redact_line
from langchain_reliable.failures import FailureKind as Kind

if TYPE_CHECKING:
    from langchain_reliable._classify.evidence import Evidence

_LINE: Final = 200
_READ: Final = 600
_QUOTED: Final = re.compile(
    r"(?<!\w)(?:'[^']{41,}(?:'|$)|\"[^\"]{41,}(?:\"|$)|`[^`]{41,}(?:`|$))"
)
_TITLE: Final = re.compile(r"<title>([^<]{1,100})", re.IGNORECASE)

# Their text is the model's own words, or the caller's.
_SILENT_KINDS: Final = frozenset({Kind.INVALID_OUTPUT})
_SILENT_CLASSES: Final = frozenset(
    {
        "pydantic_core:ValidationError",
        "langchain_core:OutputParserException",
        "langchain_core:ModelRefusalError",
        "langchain_openai:OpenAIRefusalError",
    }
)


def summarize(
    kind: Kind, status: int | None, code: str | None, evidence: Evidence
) -> str:
    """Write status, code and the provider's message, cut short."""
    head = " ".join(str(part) for part in (status, code) if part is not None)
    name = evidence.names[0].split(":")[1]
    silent = kind in _SILENT_KINDS or evidence.names[0] in _SILENT_CLASSES
    message = "" if silent else _message(evidence.message)
    line = ": ".join(part for part in (head or name, message) if part)
    return redact_line(line, _LINE)


def _message(text: str) -> str:
    """Cut a message: of a page its title, of what it quotes nothing long."""
    start = text[:_READ]
    if "<html" in start.lower() or start.lstrip().startswith("<"):
        title = _TITLE.search(start)
        return f"a page: {clip(title[1], 100)}" if title else "a page"
    return _QUOTED.sub("'…'", start)
