"""What keys, tokens, people and organizations look like in text.

The shapes, and finding or blacking them out, live here. Which text is looked at is
said elsewhere.
"""

from __future__ import annotations

import re
from typing import Final

REDACTED: Final = "REDACTED"

SHAPES: Final = {
    "a key of OpenAI, Anthropic and many more": r"(?<![A-Za-z0-9])sk-[^\s\"'\\<,]+",
    "an AWS key": r"(?<![A-Za-z0-9])A(?:KI|SI)A[0-9A-Z]{8,}",
    "a Google key": r"AIza[\w-]{8,}",
    "a Google token": r"(?<![A-Za-z0-9])ya29\.[\w-]+",
    "a Groq key": r"(?<![A-Za-z0-9])gsk_\w+",
    "an xAI key": r"(?<![A-Za-z0-9])xai-\w+",
    "a Hugging Face token": r"(?<![A-Za-z0-9])hf_[A-Za-z0-9]{8,}",
    "a GitHub token": r"(?<![A-Za-z0-9])(?:gh[pousr]_|github_pat_)\w{8,}",
    "a bearer token": r"[Bb]earer\s+(?!REDACTED)[^\s\"'\\]+",
    "a JWT": r"eyJ[\w-]{5,}\.[\w-]+\.[\w-]*",
    "a key in a URL": r"[?&](?:api[-_]?)?key=(?!REDACTED)[^\s\"'&]+",
    "an e-mail address": r"[\w.+-]+@[\w-]+\.[A-Za-z][\w.-]*",
    "an organization": r"(?<![A-Za-z0-9])org[-_](?!REDACTED)\w+",
    "a project or workspace": r"(?<![A-Za-z0-9])(?:proj|wrkspc|user)[-_]\w{10,}",
    "a header that names its sender": (
        r"(?i)(?:set-cookie|openai-organization|openai-project|x-amz-security-token"
        r"|anthropic-organization-id|anthropic-workspace-id)['\"]?:"
    ),
}
"""What to look for, by the name that a failing test says."""

_FOUND: Final = {name: re.compile(shape) for name, shape in SHAPES.items()}


def found_in(text: str) -> list[str]:
    """Return what the text holds, in words that do not repeat it."""
    return [name for name, shape in _FOUND.items() if shape.search(text)]


def blacked_out(text: str) -> str:
    """Return the text without any of it."""
    for shape in _FOUND.values():
        text = shape.sub(REDACTED, text)
    return text
