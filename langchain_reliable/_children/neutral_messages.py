"""Tells an answer, block by block, in words that every model understands.

The same answer always becomes the same words, or a provider that remembers what came
before would not know it again.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import AIMessage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from langchain_core.messages import BaseMessage

    Block = Mapping[str, Any]

_MEDIA: Final = frozenset(("image", "audio", "video", "file"))
"""What only some models can be shown as something that a model has said."""

_OF_A_MEDIUM: Final = ("type", "base64", "mime_type")
"""What is told of a picture or file: its author's id and extras are not."""


def in_common_words(
    answer: AIMessage, *, shows_media: bool, answered: Collection[str]
) -> AIMessage | None:
    """Return what every model understands of an answer; `None` if that is nothing.

    Args:
        answer: What a model of another provider said.
        shows_media: Whether the reader takes pictures and files among its own words.
        answered: Ids of the tool calls that have a result: one whose arguments did not
            parse is only known by it.
    """
    said = list(_said(answer, shows_media=shows_media))
    content = (
        _joined(said) or answer.text.strip()
    )  # LangChain drops lists of some providers
    invalid = [one for one in answer.invalid_tool_calls if one["id"] in answered]
    if not content and not answer.tool_calls and not invalid:
        return None
    return AIMessage(
        content=content,
        name=answer.name,
        tool_calls=answer.tool_calls,
        invalid_tool_calls=invalid,
    )


def _joined(pieces: list[str | dict[str, Any]]) -> Any:
    """Return a text where there is nothing else, without the space around it."""
    if all(isinstance(one, str) for one in pieces):
        return "".join(map(str, pieces)).strip()
    return [
        {"type": "text", "text": one} if isinstance(one, str) else one
        for one in pieces
        if not isinstance(one, str) or one.strip()
    ]


def _said(answer: AIMessage, *, shows_media: bool) -> Iterator[str | dict[str, Any]]:
    """Yield texts, and media as standard blocks.

    Reasoning, and what a provider's own tools were asked and said, is left out: it
    speaks to its author alone, and what matters of it stands in the text.
    """
    linked: set[str] = set()
    for block in _blocks(answer):
        match block["type"]:
            case "text":
                text = block.get("text") or ""
                yield text + "".join(_links(block, answer.text, linked))
            case kind if kind in _MEDIA and shows_media and "base64" in block:
                yield {name: block[name] for name in _OF_A_MEDIUM if name in block}
            case kind if kind in _MEDIA:
                yield f"\n[{kind}]\n"
    # What was said instead of an answer, each once. It is a block of its own since
    # langchain-core 1.7.5, made of `additional_kwargs` where it stands there, and was a
    # block that nobody knew before.
    known = [
        block.get("value") if block["type"] == "non_standard" else block
        for block in _blocks(answer)
    ]
    refused = (
        one.get("refusal")
        for one in (*known, answer.additional_kwargs)
        if isinstance(one, dict)
    )
    yield from dict.fromkeys(one for one in refused if isinstance(one, str))
    audio = answer.additional_kwargs.get("audio")
    if isinstance(audio, dict):  # OpenAI's chat completions
        yield audio.get("transcript") or "[audio]"


def _blocks(answer: AIMessage) -> Iterator[Block]:
    for block in answer.content_blocks:
        yield dict(block)


def _links(block: Block, text: str, linked: set[str]) -> Iterator[str]:
    """Yield links to the pages a text cites, each once, unless it names them itself."""
    for one in block.get("annotations") or ():
        url = one.get("url")
        if url and url not in linked and url not in text:
            linked.add(url)
            yield f" ([{one.get('title') or url}]({url}))"


def with_openai_calls(message: BaseMessage) -> BaseMessage:
    """Return a message whose tool calls stand in OpenAI's form beside it, too."""
    extras = message.additional_kwargs
    calls = getattr(message, "tool_calls", ())
    if not calls or "tool_calls" in extras:
        return message
    told = [
        {
            "id": one["id"],
            "type": "function",
            "function": {"name": one["name"], "arguments": json.dumps(one["args"])},
        }
        for one in calls
    ]
    return message.model_copy(
        update={"additional_kwargs": {**extras, "tool_calls": told}}
    )
