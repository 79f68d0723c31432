"""Whether a request fits a candidate, before it is sent: size, media, tools and tags.

A candidate is put off only where it is *known* not to fit; what nobody knows fits. So
sizes are estimated from below: six characters a token, which hardly any language or
code exceeds, and nothing for what can't be counted without the network or a tokenizer.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from langchain_core.messages import BaseMessage

IMAGE, AUDIO, PDF, VIDEO, TOOLS = 1, 2, 4, 8, 16
"""What a request may need, as bits; an `IntFlag` takes many times as long."""

_NEEDS: Final = {
    IMAGE: ("image_inputs", "images"),
    AUDIO: ("audio_inputs", "audio"),
    PDF: ("pdf_inputs", "PDFs"),
    VIDEO: ("video_inputs", "video"),
    TOOLS: ("tool_calling", "tools"),
}
"""How a model's profile calls each need, and how people do."""

_NEED_OF_TYPE: Final = {
    "image": IMAGE,
    "image_url": IMAGE,
    "input_image": IMAGE,
    "audio": AUDIO,
    "input_audio": AUDIO,
    "video": VIDEO,
    "video_url": VIDEO,
}
_FILES: Final = frozenset({"file", "input_file", "document", "media"})
"""Blocks that say within what they hold."""

_NEED_OF_MEDIA_TYPE: Final = {
    "image": IMAGE,
    "audio": AUDIO,
    "video": VIDEO,
    "application/pdf": PDF,
}
_MEDIA_TYPE_KEYS: Final = ("mime_type", "media_type")
_DATA_KEYS: Final = ("file_data", "url", "file_url", "filename", "file_name")
_INNER_KEYS: Final = ("source", "file")

_CHARACTERS_A_TOKEN: Final = 6
"""At least: a request that fits must not be kept from its model."""
_BOOKED_CHARACTERS_A_TOKEN: Final = 4
"""As usual: limits on tokens are booked by what a request is likely to take."""
_PICTURE_TOKENS: Final = 1_000


class Content(NamedTuple):
    """What a request holds.

    Attributes:
        characters: Of its text.
        pictures: Pictures, and documents as one page each.
        needs: The bits of what a model must be able to read.
    """

    characters: int
    pictures: int
    needs: int

    @property
    def least_tokens(self) -> int:
        """The tokens that it has at least."""
        pictures = self.pictures * _PICTURE_TOKENS
        return self.characters // _CHARACTERS_A_TOKEN + pictures

    @property
    def likely_tokens(self) -> int:
        """The tokens that it probably has."""
        pictures = self.pictures * _PICTURE_TOKENS
        return -(-self.characters // _BOOKED_CHARACTERS_A_TOKEN) + pictures


class Capacity(NamedTuple):
    """What is known of what a candidate takes.

    Attributes:
        window: Tokens that fit; `None` where nobody knows.
        holds_answers: Whether the answer has to fit into the window as well.
        lacks: The bits of what it is known not to read.
    """

    window: int | None = None
    holds_answers: bool = False
    lacks: int = 0


ANYTHING: Final = Capacity()
"""Nothing is known, so everything fits."""


def capacity(context_window: int | None, profile: Mapping[str, Any] | None) -> Capacity:
    """Return what is known of a candidate.

    Args:
        context_window: What its owner says, of questions and answers together.
        profile: What LangChain knows of the model; its window is that of questions.
    """
    profile = profile or {}
    lacks = sum(bit for bit, (name, _) in _NEEDS.items() if profile.get(name) is False)
    if context_window is not None:
        return Capacity(context_window, holds_answers=True, lacks=lacks)
    window = profile.get("max_input_tokens")
    return Capacity(window if isinstance(window, int) else None, lacks=lacks)


def fits(
    content: Content, capacity: Capacity, *, tools: bool = False, max_tokens: int = 0
) -> bool:
    """Return whether a request may fit a candidate, as far as anybody knows.

    Args:
        content: What the request holds.
        capacity: What is known of the candidate.
        tools: Whether the model may call tools.
        max_tokens: The most that the answer may take, where that is said.
    """
    window, holds_answers, lacks = capacity
    if lacks and lacks & (content.needs | (TOOLS if tools else 0)):
        return False
    if window is None:
        return True
    return content.least_tokens + (max_tokens if holds_answers else 0) <= window


def misfit(
    content: Content, capacity: Capacity, *, tools: bool = False, max_tokens: int = 0
) -> str:
    """Say why a request does not fit, in a few words; nothing where it does."""
    missing = capacity.lacks & (content.needs | (TOOLS if tools else 0))
    if missing:
        names = [name for bit, (_, name) in _NEEDS.items() if bit & missing]
        return f"takes no {' or '.join(names)}"
    if fits(content, capacity, tools=tools, max_tokens=max_tokens):
        return ""
    tokens = content.least_tokens + (max_tokens if capacity.holds_answers else 0)
    return f"at least {tokens:,} tokens, and {capacity.window:,} fit"


# --- reading the messages -------------------------------------------------------------


def scan(messages: Iterable[BaseMessage]) -> Content:
    """Return what messages hold, looking once at each."""
    characters = pictures = needs = 0
    for message in messages:
        content = message.content
        if type(content) is str:
            characters += len(content)
        elif content:
            more, pages, seen = _scanned(content)
            characters += more
            pictures += pages
            needs |= seen
    return Content(characters, pictures, needs)


def _scanned(content: str | Iterable[Any]) -> Content:
    """Return what a content holds: a text, or blocks that may hold others."""
    if isinstance(content, str):
        return Content(len(content), 0, 0)
    characters = pictures = needs = 0
    for block in content:
        more, pages, seen = _block(block)
        characters += more
        pictures += pages
        needs |= seen
    return Content(characters, pictures, needs)


def _block(block: object) -> Content:
    if isinstance(block, str):
        return Content(len(block), 0, 0)
    if not isinstance(block, dict):
        return _NOTHING
    kind = block.get("type")
    if not isinstance(kind, str):
        kind = ""
    need = _need_of_file(block) if kind in _FILES else _NEED_OF_TYPE.get(kind, 0)
    if need:
        return Content(0, int(need in (IMAGE, PDF)), need)
    if isinstance(text := block.get("text"), str):
        return Content(len(text), 0, 0)
    inner = block.get("content")  # the result of a tool
    return _scanned(inner) if isinstance(inner, (str, list)) else _NOTHING


_NOTHING: Final = Content(0, 0, 0)


def _need_of_file(block: Mapping[str, Any]) -> int:
    """Return what a file needs, by its media type or name; 0 where nothing says."""
    for part in (block, *(block.get(key) for key in _INNER_KEYS)):
        if not isinstance(part, dict):
            continue
        for said in filter(_is_text, map(part.get, _MEDIA_TYPE_KEYS)):
            need = _NEED_OF_MEDIA_TYPE.get(said) or _NEED_OF_MEDIA_TYPE.get(
                said.partition("/")[0]
            )
            if need:
                return need
        # A name, an address or the head of a data URL may say it as well.
        for said in filter(_is_text, map(part.get, _DATA_KEYS)):
            if said.startswith("data:application/pdf") or said[-4:].lower() == ".pdf":
                return PDF
    return 0


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str)


# --- tags -----------------------------------------------------------------------------


def places_with_tags(
    tags: Sequence[Collection[str]], asked: Collection[str]
) -> list[int]:
    """Return the places of the candidates that have all of the tags asked for.

    Args:
        tags: Those of each candidate.
        asked: Those of the call.

    Raises:
        ValueError: No candidate has them all; the text says which tags there are.
    """
    wanted = frozenset(asked)
    if found := [place for place, own in enumerate(tags) if wanted.issubset(own)]:
        return found
    names = ", ".join(map(repr, sorted(wanted)))
    counts = Counter(tag for own in tags for tag in set(own))
    if not counts:
        there = "no candidate has any: write Candidate(model, tags=(...))"
    else:
        listed = ", ".join(
            f"{tag!r} ({count})" for tag, count in sorted(counts.items())
        )
        there = f"there are {listed} among {len(tags)} candidates"
    what = f"all of the tags {names}" if len(wanted) > 1 else f"the tag {names}"
    raise ValueError(f"no candidate has {what}; {there}")
