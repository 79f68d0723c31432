"""Make text of a provider fit to be shown: no secrets in it, and short.

Every message, log line and event of the package passes its foreign text through
here. What a text means is never decided here.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

HIDDEN: Final = "[hidden]"
"""What stands in the place of a secret."""

_ROOM: Final = 4
"""How many times its limit a text may be long before it is cut unread."""


class _Secret(NamedTuple):
    """One way a secret looks; the cheap `hints` say whether to look at all."""

    hints: tuple[str, ...]
    looks: re.Pattern[str]
    shown: str = HIDDEN


_SECRETS: Final = (
    _Secret(
        ("-----BEGIN",),
        re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\w+/=\s\\]*"),
    ),
    # Keys by their known prefixes: OpenAI and its kin, Groq, xAI, Google, Hugging
    # Face, AWS, GitHub, GitLab, NVIDIA, Perplexity, Replicate, Cerebras, Databricks,
    # Together, Fireworks, LangSmith, Slack, Tavily.
    _Secret(
        ("sk-", "sk_", "pk-", "pk_", "rk-", "rk_"),
        re.compile(r"(?<![A-Za-z0-9])(?:sk|pk|rk)[-_][\w*-]{6,}"),
    ),
    _Secret(
        ("gsk_", "xai-", "csk-", "hf_", "fw_", "r8_", "pplx-", "nvapi-", "tvly-"),
        re.compile(
            r"(?<![A-Za-z0-9])(?:gsk_|xai-|csk-|hf_|fw_|r8_|pplx-|nvapi-|tvly-)"
            r"[\w*-]{8,}"
        ),
    ),
    _Secret(("AIza", "ya29."), re.compile(r"\b(?:AIza|ya29\.)[\w.-]{10,}")),
    _Secret(("AKIA", "ASIA"), re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}")),
    _Secret(
        ("ghp_", "gho_", "ghu_", "ghs_", "github_pat_", "glpat-", "xoxb-", "xoxp-"),
        re.compile(
            r"\b(?:gh[pous]_|github_pat_|glpat-|xox[bp]-)[\w-]{10,}",
        ),
    ),
    _Secret(
        ("dapi", "tgp_", "lsv2_"),
        re.compile(r"\b(?:dapi[0-9a-f]{16,}|tgp_[\w-]{10,}|lsv2_[\w-]{10,})"),
    ),
    _Secret(("eyJ",), re.compile(r"\beyJ[\w-]{8,}(?:\.[\w-]+){0,4}")),
    _Secret(
        ("earer ", "asic ", "EARER ", "ASIC "),
        re.compile(r"(?i:\b(bearer|basic)) +[\w.+/=~*-]{6,}"),
        rf"\1 {HIDDEN}",
    ),
    # A user and a password before a host.
    _Secret(("://",), re.compile(r"://[^/\s@'\"]{1,256}@"), f"://{HIDDEN}@"),
    # Whatever follows a name of a key, in a URL, a header or JSON.
    _Secret(
        (
            "key",
            "KEY",
            "Key",
            "oken",
            "OKEN",
            "ecret",
            "SECRET",
            "sig",
            "Sig",
            "assword",
        ),
        re.compile(
            r"(?i:\b((?:x-)?(?:goog-)?api[-_]?key|key|(?:access|auth|session|security|"
            r"id|refresh)?[-_]?token|(?:client[-_]?|access[-_]?)?secret(?:[-_]access)?"
            r"(?:[-_]?key)?|sig(?:nature)?|password|x-amz-security-token|"
            r"x-amz-signature|x-amz-credential))"
            r"(\\?[\"']?\s{0,3}[=:]\s{0,3}\\?[\"']?)[\w.+/%~*-]{8,}"
        ),
        rf"\1\2{HIDDEN}",
    ),
    # Zhipu: 32 hexadecimal digits, a dot, a secret.
    _Secret((".",), re.compile(r"\b[0-9a-f]{32}\.[A-Za-z0-9]{12,}")),
)


_HINTS: Final = tuple((hint, secret) for secret in _SECRETS for hint in secret.hints)


def redact(text: str) -> str:
    """Return `text` without anything that looks like a key, token or password."""
    for hint, secret in _HINTS:
        if hint in text:
            text = secret.looks.sub(secret.shown, text)
    return text


def clip(text: str, limit: int) -> str:
    """Return `text` on one line and at most `limit` characters long."""
    line = " ".join(_head(text, limit).split())
    return line if len(line) <= limit else line[: max(limit - 1, 0)].rstrip() + "…"


def redact_line(text: str, limit: int = 200) -> str:
    """Return `text` scrubbed, on one line, and at most `limit` characters long."""
    return clip(redact(_head(text, limit)), limit)


def _head(text: str, limit: int) -> str:
    """Cut a long text before it is read, never in the middle of a word.

    Half a key would no longer look like one.
    """
    bound = limit * _ROOM
    if len(text) <= bound:
        return text
    words = text[:bound].rsplit(None, 1)
    return f"{words[0]} …" if len(words) > 1 else "…"
