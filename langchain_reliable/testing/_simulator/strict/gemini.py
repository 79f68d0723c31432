"""What Gemini's `generateContent` refuses to read, in the words of the API."""

# ruff: noqa: SIM905 - a table of words reads best as words

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from langchain_reliable.testing._simulator.wire import dicts_in, seal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Content = Mapping[str, Any]

_FIELDS: Final = frozenset(
    "model contents tools toolConfig safetySettings systemInstruction "
    "generationConfig cachedContent labels serviceTier store".split()
)
_PARTS: Final = frozenset(
    "text inlineData fileData functionCall functionResponse executableCode "
    "codeExecutionResult".split()
)
"""What a part may hold; one of them it must."""

_BESIDES: Final = frozenset(
    "thought thoughtSignature videoMetadata mediaResolution partMetadata".split()
)
_ROLES: Final = frozenset(("user", "model", "function", None))
_PASSES_UNSEEN: Final = "skip_thought_signature_validator"
"""https://ai.google.dev/gemini-api/docs/thought-signatures : for calls of others."""

_IN_URLS: Final = str.maketrans("+/", "-_")
"""Google's own client sends base64 in the alphabet of URLs, and both are read."""

_WANT_SIGNATURES: Final = "gemini-3"


def complaints_of_gemini(body: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the API would say about `body`, which names its model too."""
    for name in body.keys() - _FIELDS:
        yield _unknown(name, "")
    contents = list(dicts_in(body.get("contents")))
    if not contents:
        yield "* GenerateContentRequest.contents: contents is not specified"
    for at, content in enumerate(contents):
        yield from _about_content(content, at)
    yield from _about_turns(contents)
    if str(body.get("model", "")).startswith(_WANT_SIGNATURES):
        yield from _about_missing_signatures(contents)


def _unknown(name: str, where: str) -> str:
    placed = f" at '{where}'" if where else ""
    return f'Invalid JSON payload received. Unknown name "{name}"{placed}: Cannot find'


def _about_content(content: Content, at: int) -> Iterator[str]:
    if content.get("role") not in _ROLES:
        yield "Please use a valid role: user, model."
    parts = list(dicts_in(content.get("parts")))
    if not parts:
        # https://github.com/langchain-ai/langchain-google/issues/691
        yield (
            f"* GenerateContentRequest.contents[{at}].parts: contents.parts must not "
            "be empty."
        )
    for nth, part in enumerate(parts):
        where = f"contents[{at}].parts[{nth}]"
        for name in part.keys() - _PARTS - _BESIDES:
            yield _unknown(name, where)
        if not part.keys() & _PARTS:
            yield (
                f"* GenerateContentRequest.{where}.data: required oneof field 'data' "
                "must have one initialized field"
            )
        yield from _about_signature(part)


def _about_signature(part: Mapping[str, Any]) -> Iterator[str]:
    """https://github.com/google-gemini/gemini-cli/issues/13467 ."""
    signature = part.get("thoughtSignature", _PASSES_UNSEEN)
    name = part.get("functionCall", {}).get("name", "")
    ours = seal(name).translate(_IN_URLS)
    if signature != _PASSES_UNSEEN and signature.translate(_IN_URLS) != ours:
        yield "Corrupted thought signature."


def _about_turns(contents: Sequence[Content]) -> Iterator[str]:
    """https://github.com/google-gemini/gemini-cli/issues/11814 and 5443 ."""
    nothing: Content = {"role": "model", "parts": []}
    for before, content in pairwise((nothing, *contents)):
        asked = _count(before, "functionCall")
        answered = _count(content, "functionResponse")
        if answered and not asked:
            # https://github.com/langchain-ai/langchain/issues/27799
            yield (
                "Please ensure that function response turn comes immediately after a "
                "function call turn."
            )
        elif asked != answered:
            yield (
                "Please ensure that the number of function response parts is equal to "
                "the number of function call parts of the function call turn."
            )
        if _count(content, "functionCall") and before.get("role") == "model":
            yield (
                "Please ensure that function call turn comes immediately after a user "
                "turn or after a function response turn."
            )


def _count(content: Content, kind: str) -> int:
    return sum(kind in part for part in dicts_in(content.get("parts")))


def _about_missing_signatures(contents: Sequence[Content]) -> Iterator[str]:
    """https://github.com/nanbingxyz/5ire/issues/405 ; the first has one for all."""
    for at, content in enumerate(contents):
        calls = [p for p in dicts_in(content.get("parts")) if "functionCall" in p]
        if calls and "thoughtSignature" not in calls[0]:
            name = calls[0]["functionCall"].get("name")
            yield (
                "Function call is missing a thought_signature in functionCall parts. "
                f"Additional data, function call `default_api:{name}`, position {at}."
            )
