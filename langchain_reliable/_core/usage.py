"""What an answer has cost, as its messages say: tokens read off messages and chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatGeneration

Usage: TypeAlias = tuple[int | None, int | None]
"""Input and output tokens of an answer, where its message says."""

UNKNOWN_USAGE: Usage = (None, None)


def usage_of(message: BaseMessage) -> Usage:
    """Return the tokens that a message or chunk says it has cost."""
    usage = getattr(message, "usage_metadata", None)
    if not usage:
        return UNKNOWN_USAGE
    return usage.get("input_tokens"), usage.get("output_tokens")


def usage_among(parts: Iterable[ChatGeneration]) -> Usage:
    """Return the tokens that the parts of an answer have cost together.

    Chunks add up, as they do where LangChain merges them.
    """
    known = [
        usage for one in parts if (usage := usage_of(one.message)) != UNKNOWN_USAGE
    ]
    if not known:
        return UNKNOWN_USAGE
    return sum(one[0] or 0 for one in known), sum(one[1] or 0 for one in known)


def likely_usage(parts: Iterable[ChatGeneration], usage: Usage) -> Usage:
    """Return what an answer has probably cost, four characters a token."""
    characters = sum(len(one.message.text) for one in parts)
    return usage[0], -(-characters // 4)


def usage_at_end(chunks: Sequence[ChatGeneration], last: int) -> Usage:
    """Return the tokens of a whole stream.

    Most tell them once, among the last chunks; then nothing else is looked at. Some
    tell each chunk's own (Gemini), or begin with what the question has cost.
    """
    edges = chunks if len(chunks) <= last else (*chunks[:2], *chunks[-last:])
    known = []
    for one in edges:
        if getattr(one.message, "usage_metadata", None):
            known.append(usage_of(one.message))  # noqa: PERF401 - a frame costs more
    if len(known) > 1:
        return usage_among(chunks)
    return known[0] if known else UNKNOWN_USAGE
