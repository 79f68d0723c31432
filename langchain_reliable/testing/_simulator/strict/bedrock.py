"""What Bedrock's Converse API refuses to read, in the words of the API.

Rules of the API itself; a model's own rules come on top at the real one.
"""

# ruff: noqa: SIM905 - a table of words reads best as words

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from langchain_reliable.testing._simulator.wire import dicts_in, seal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Message = Mapping[str, Any]

_FIELDS: Final = frozenset(
    "model messages system inferenceConfig toolConfig guardrailConfig "
    "additionalModelRequestFields promptVariables additionalModelResponseFieldPaths "
    "requestMetadata performanceConfig serviceTier outputConfig "
    "projectIdentifier".split()
)
_BLOCKS: Final = frozenset(
    "text image document video audio toolUse toolResult guardContent cachePoint "
    "reasoningContent citationsContent searchResult toolAddition toolRemoval".split()
)
_ID: Final = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
"""As the API's own model says, which botocore has on board."""


def complaints_of_bedrock(body: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the API would say about `body`."""
    for name in body.keys() - _FIELDS:
        yield f"#: extraneous key [{name}] is not permitted"
    messages = list(dicts_in(body.get("messages")))
    if not messages or messages[0].get("role") != "user":
        yield (
            "A conversation must start with a user message. Try again with a "
            "conversation that starts with a user message."
        )
    for at, message in enumerate(messages):
        yield from _about_message(message, at)
    yield from _about_turns(messages)
    uses_tools = any(_ids(one, "toolUse") + _ids(one, "toolResult") for one in messages)
    if uses_tools and not body.get("toolConfig"):
        # https://github.com/langgenius/dify/issues/17545
        yield (
            "The toolConfig field must be defined when using toolUse and toolResult "
            "content blocks."
        )


def _about_message(message: Message, at: int) -> Iterator[str]:
    blocks = list(dicts_in(message.get("content")))
    if not blocks:
        # https://github.com/earendil-works/pi/pull/3443
        yield (
            f"The content field in the Message object at messages.{at} is empty. Add a "
            "ContentBlock object to the content field and try again."
        )
    for nth, block in enumerate(blocks):
        where = f"messages.{at}.content.{nth}"
        if block.keys() - _BLOCKS or len(block) != 1:
            yield f"The ContentBlock object at {where} must set one of its fields."
        if not str(block.get("text", "x")).strip():
            # https://github.com/boto/botocore/issues/3525
            yield (
                f"The text field in the ContentBlock object at {where} is blank. Add "
                "text to the text field, and try again."
            )
        yield from _about_seal(block, where)
        for id_ in _ids({"content": [block]}, "toolUse"):
            if not _ID.fullmatch(id_):
                yield (
                    f"Value '{id_}' at '{where}.toolUse.toolUseId' failed to satisfy "
                    f"constraint: Member must satisfy pattern: {_ID.pattern}"
                )


def _about_seal(block: Mapping[str, Any], where: str) -> Iterator[str]:
    """As Claude does at Anthropic; other models send no signatures."""
    text = block.get("reasoningContent", {}).get("reasoningText")
    if text and text.get("signature", seal(text["text"])) != seal(text["text"]):
        yield f"{where}: Invalid `signature` in `thinking` block"


def _about_turns(messages: Sequence[Message]) -> Iterator[str]:
    """https://github.com/agno-agi/agno/issues/6698 ."""
    nobody: Message = {"content": []}
    for at, (before, message) in enumerate(pairwise((nobody, *messages, nobody))):
        used, given = _ids(before, "toolUse"), _ids(message, "toolResult")
        if missing := [one for one in used if one not in given]:
            yield (
                f"Expected toolResult blocks at messages.{at}.content for the "
                f"following Ids: {', '.join(missing)}"
            )
        if len(given) > len(used):
            yield (
                f"The number of toolResult blocks at messages.{at}.content exceeds the "
                "number of toolUse blocks of previous turn."
            )
        if before.get("role") == message.get("role"):
            # https://github.com/genkit-ai/aws-bedrock-js-plugin/issues/664
            yield (
                "A conversation must alternate between user and assistant roles. Make "
                "sure the conversation alternates between them and try again."
            )


def _ids(message: Message, kind: str) -> list[str]:
    blocks = (one.get(kind) for one in dicts_in(message.get("content")))
    return [str(one.get("toolUseId")) for one in blocks if one]
