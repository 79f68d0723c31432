"""The gate for text that is not ours: no tricks, no secrets, and short.

What providers say and what callers name their models goes into error texts, notes,
logs, tables, HTML, pictures and terminals. It passes through here once, where a failure
or a name is made, so that every place that shows it may trust it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    # Pinecone, Jina, E2B, Vercel's gateway, Voyage, Langfuse's kin by `sk-` above.
    _Secret(
        ("pcsk_", "jina_", "e2b_", "vck_", "sess-", "api_org_"),
        re.compile(
            r"(?<![A-Za-z0-9])(?:pcsk_|jina_|e2b_|vck_|sess-|api_org_)[\w*-]{12,}"
        ),
    ),
    _Secret(("pa-",), re.compile(r"(?<![A-Za-z0-9-])pa-[\w-]{32,}")),
    # Google: API keys (old and new), access and refresh tokens, client secrets.
    _Secret(
        ("AIza", "ya29.", "AQ.", "GOCSPX-", "1//"),
        re.compile(
            r"(?<![A-Za-z0-9])(?:(?:AIza|ya29\.|GOCSPX-)[\w.-]{10,}"
            r"|AQ\.[\w-]{20,}|1//[\w-]{20,})"
        ),
    ),
    # AWS: access keys, and Bedrock's own in both forms.
    _Secret(
        ("AKIA", "ASIA", "ABSK", "bedrock-api-key-"),
        re.compile(
            r"\b(?:(?:AKIA|ASIA)[A-Z0-9]{12,}|ABSK[\w+/=]{20,}"
            r"|bedrock-api-key-[\w+/=%-]{16,})"
        ),
    ),
    # Azure: keys of its AI services, and secrets of an app registration.
    _Secret(("JQQJ",), re.compile(r"\b\w{20,}JQQJ\w{8,}")),
    _Secret(("Q~",), re.compile(r"(?<![\w~.-])[\w.~-]{3}\dQ~[\w.~-]{24,}")),
    _Secret(
        (
            "ghp_",
            "gho_",
            "ghu_",
            "ghs_",
            "ghr_",
            "github_pat_",
            "glpat-",
            "xox",
            "xapp-",
            "npm_",
            "pypi-",
            "hvs.",
            "SG.",
        ),
        re.compile(
            r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|xapp-|npm_|pypi-|hvs\."
            r"|SG\.)[\w.-]{10,}",
        ),
    ),
    _Secret(
        ("dapi", "tgp_", "lsv2_", "ls__"),
        re.compile(r"\b(?:dapi[0-9a-f]{16,}(?:-\d)?|(?:tgp_|lsv2_|ls__)[\w-]{10,})"),
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


# --- tricks -----------------------------------------------------------------------

_SEQUENCES: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,8}[@-~]"  # colors, cursor
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]{0,200}"
    r"(?:\x07|\x1b\\|\x9c)"  # titles, links
)
_GAPS: Final = re.compile("[\t-\r\x1c-\x1f\x85\u2028\u2029]")
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"  # control characters
    "\xad\u200b\u2060-\u2064\ufeff"  # nothing to see
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # change the direction
    "\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"  # no text, no XML
)
_HALVES: Final = re.compile("[\ud800-\udfff]")
"""Surrogates: no encoding can write them."""

_NAME: Final = 100


def harmless(text: str) -> str:
    """Return `text` without what would steer a terminal, a log, a page or an eye."""
    if text.isprintable():
        return text
    text = _GAPS.sub(" ", _SEQUENCES.sub("", text))
    return _HALVES.sub("\N{REPLACEMENT CHARACTER}", _UNSEEN.sub("", text))


def plain_name(name: str) -> str:
    """Return a name of a candidate, out of a setting or a call, fit to be shown."""
    if name.isprintable() and len(name) <= _NAME:
        return name
    return clip(harmless(name), _NAME) or "unnamed"


# --- secrets ----------------------------------------------------------------------


def redact(text: str) -> str:
    """Return `text` without anything that looks like a key, token or password."""
    for hint, secret in _HINTS:
        if hint in text:
            text = secret.looks.sub(secret.shown, text)
    return text


class Secrets:
    """Secrets that are known by value, and are hidden whatever they look like.

    A part of one is hidden as well: providers echo keys by half, and texts are cut.
    """

    _PIECE: Final = 8
    """Shorter pieces are left: four characters of a key are what providers show."""

    def __init__(self, values: Iterable[str]) -> None:
        """Take the secrets in; those shorter than eight characters are none."""
        size = self._PIECE
        self._pieces = frozenset(
            value[at : at + size]
            for value in values
            for at in range(len(value) - size + 1)
        )

    def hide(self, text: str) -> str:
        """Return `text` without them."""
        size = self._PIECE
        ends = range(len(text) - size + 1)
        if self._pieces.isdisjoint(text[at : at + size] for at in ends):
            return text
        shown, at = [], 0
        while at < len(text):
            end = at
            while text[end : end + size] in self._pieces:
                end += 1
            if end > at:
                shown.append(HIDDEN)
                at = end + size - 1
            else:
                shown.append(text[at])
                at += 1
        return "".join(shown)


def clip(text: str, limit: int) -> str:
    """Return `text` on one line and at most `limit` characters long."""
    line = " ".join(_head(text, limit).split())
    return line if len(line) <= limit else line[: max(limit - 1, 0)].rstrip() + "…"


def redact_line(text: str, limit: int = 200) -> str:
    """Return foreign text fit to be shown, on one line of at most `limit` characters.

    Tricks go first: a key with an invisible character in it would not look like one.
    """
    return clip(redact(harmless(_head(text, limit))), limit)


def _head(text: str, limit: int) -> str:
    """Cut a long text before it is read, never in the middle of a word.

    Half a key would no longer look like one.
    """
    bound = limit * _ROOM
    if len(text) <= bound:
        return text
    words = text[:bound].rsplit(None, 1)
    return f"{words[0]} …" if len(words) > 1 else "…"
