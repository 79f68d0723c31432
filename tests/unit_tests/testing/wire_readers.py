"""Small readers of what each API sends, written from its documentation.

They read a whole answer and a stream into the same `Told`, so that tests can compare
both, and every dialect, with what the script says.
"""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.eventstream import EventStreamBuffer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Told:
    """What a client of an API has understood."""

    text: str = ""
    thoughts: str = ""
    names: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    finish: str | None = None
    usage: tuple[int, int] | None = None
    error: str | None = None

    @property
    def calls(self) -> dict[str, tuple[str, Any]]:
        """Name and arguments of each tool call, by its id."""
        return {
            id_: (name, json.loads(self.arguments[id_]))
            for id_, name in self.names.items()
        }

    def take(self, block: dict[str, Any]) -> None:
        """Add what a block says and thinks; all but Google name it so."""
        self.text += block.get("text", "")
        self.thoughts += block.get("thinking", "")

    def begin_call(self, id_: str, name: str, arguments: str = "") -> None:
        self.names[id_] = name
        self.arguments[id_] = arguments

    def go_on_with_call(self, arguments: str) -> None:
        last = list(self.names)[-1]
        self.arguments[last] += arguments


def sse(body: bytes) -> Iterator[dict[str, Any]]:
    for line in body.decode().splitlines():
        if line.startswith("data: ") and line != "data: [DONE]":
            yield json.loads(line.removeprefix("data: "))


def lines(body: bytes) -> Iterator[dict[str, Any]]:
    yield from map(json.loads, body.splitlines())


def event_stream(body: bytes) -> Iterator[dict[str, Any]]:
    """Yield `{name: payload}`; botocore checks lengths and checksums."""
    buffer = EventStreamBuffer()
    buffer.add_data(body)
    for message in buffer:
        names = (
            message.headers.get(f":{kind}-type") for kind in ("event", "exception")
        )
        name = next(filter(None, names))
        yield {str(name): json.loads(message.payload)}


def read_gemini(told: Told, event: dict[str, Any]) -> None:
    told.error = event.get("error", {}).get("message", told.error)
    told.error = event.get("promptFeedback", {}).get("blockReason", told.error)
    for candidate in event.get("candidates", ()):
        told.finish = candidate.get("finishReason", told.finish)
        for part in candidate["content"].get("parts", ()):
            if call := part.get("functionCall"):
                told.begin_call(call["id"], call["name"], json.dumps(call["args"]))
            elif part.get("thought"):
                told.thoughts += part["text"]
            else:
                told.text += part["text"]
    if told.finish and (usage := event.get("usageMetadata")):
        output = usage["candidatesTokenCount"] + usage.get("thoughtsTokenCount", 0)
        told.usage = usage["promptTokenCount"], output
        assert sum(told.usage) == usage["totalTokenCount"]


def read_bedrock(told: Told, event: dict[str, Any]) -> None:
    ((name, payload),) = event.items()
    match name:
        case "contentBlockStart":
            use = payload["start"]["toolUse"]
            told.begin_call(use["toolUseId"], use["name"])
        case "contentBlockDelta":
            match payload["delta"]:
                case {"text": text}:
                    told.text += text
                case {"reasoningContent": {"text": text}}:
                    told.thoughts += text
                case {"toolUse": {"input": arguments}}:
                    told.go_on_with_call(arguments)
        case "messageStop":
            told.finish = payload["stopReason"]
        case "metadata":
            usage = payload["usage"]
            told.usage = usage["inputTokens"], usage["outputTokens"]
        case _ if "Exception" in name:
            told.error = payload["message"]


def read_chunk(told: Told, event: dict[str, Any]) -> None:
    """Read Claude's event out of a chunk of Bedrock's older API."""
    if "chunk" not in event:
        read_bedrock(told, event)
        return
    read_claude(told, json.loads(b64decode(event["chunk"]["bytes"])))


def read_claude(told: Told, event: dict[str, Any]) -> None:
    match event:
        case {
            "type": "content_block_start",
            "content_block": {"id": id_, "name": name},
        }:
            told.begin_call(id_, name)
        case {"delta": {"text": text}}:
            told.text += text
        case {"delta": {"thinking": text}}:
            told.thoughts += text
        case {"delta": {"partial_json": arguments}}:
            told.go_on_with_call(arguments)
        case {
            "type": "message_delta",
            "delta": {"stop_reason": reason},
            "usage": usage,
        }:
            told.finish = reason
            told.usage = usage["input_tokens"], usage["output_tokens"]


def read_claude_whole(told: Told, answer: dict[str, Any]) -> None:
    if answer.get("type") != "message":
        told.error = answer["message"]
        return
    told.finish = answer["stop_reason"]
    told.usage = answer["usage"]["input_tokens"], answer["usage"]["output_tokens"]
    for block in answer["content"]:
        told.take(block)
        if block["type"] == "tool_use":
            told.begin_call(block["id"], block["name"], json.dumps(block["input"]))


def read_bedrock_whole(told: Told, answer: dict[str, Any]) -> None:
    told.error = answer.get("message")
    told.finish = answer.get("stopReason")
    for block in answer.get("output", {}).get("message", {}).get("content", ()):
        match block:
            case {"text": text}:
                told.text += text
            case {"reasoningContent": {"reasoningText": {"text": text}}}:
                told.thoughts += text
            case {"toolUse": use}:
                arguments = json.dumps(use["input"])
                told.begin_call(use["toolUseId"], use["name"], arguments)
    if usage := answer.get("usage"):
        told.usage = usage["inputTokens"], usage["outputTokens"]


def read_cohere(told: Told, event: dict[str, Any]) -> None:
    delta = event.get("delta", {})
    message = delta.get("message", {})
    match event["type"]:
        case "content-delta":
            told.take(message["content"])
        case "tool-call-start":
            call = message["tool_calls"]
            told.begin_call(call["id"], call["function"]["name"])
        case "tool-call-delta":
            told.go_on_with_call(message["tool_calls"]["function"]["arguments"])
        case "message-end":
            told.finish = delta["finish_reason"]
            told.error = delta.get("error")
            if usage := delta.get("usage"):
                tokens = usage["tokens"]
                told.usage = tokens["input_tokens"], tokens["output_tokens"]


def read_cohere_whole(told: Told, answer: dict[str, Any]) -> None:
    message = answer.get("message", {})
    if isinstance(message, str):
        told.error = message
        return
    told.finish = answer.get("finish_reason")
    for block in message.get("content", ()):
        told.take(block)
    for call in message.get("tool_calls", ()):
        function = call["function"]
        told.begin_call(call["id"], function["name"], function["arguments"])
    if usage := answer.get("usage"):
        tokens = usage["tokens"]
        told.usage = tokens["input_tokens"], tokens["output_tokens"]


def read_ollama(told: Told, line: dict[str, Any]) -> None:
    told.error = line.get("error", told.error)
    message = line.get("message", {})
    told.text += message.get("content", "")
    told.thoughts += message.get("thinking", "")
    for call in message.get("tool_calls", ()):
        arguments = json.dumps(call["function"]["arguments"])
        told.begin_call(call["id"], call["function"]["name"], arguments)
    if line.get("done"):
        told.finish = line.get("done_reason")
        if "eval_count" in line:
            told.usage = line["prompt_eval_count"], line["eval_count"]


def read_choices(
    told: Told,
    event: dict[str, Any],
    read_content: Callable[[Told, dict[str, Any]], None],
) -> None:
    """Read what is shaped like OpenAI's chat completions, a chunk or a whole answer."""
    for choice in event.get("choices", ()):
        told.finish = choice["finish_reason"] or told.finish
        said = choice.get("delta") or choice.get("message")
        read_content(told, said)
        for call in said.get("tool_calls") or ():
            function = call["function"]
            if "id" in call:
                told.begin_call(call["id"], function["name"], function["arguments"])
            else:
                told.go_on_with_call(function["arguments"])
    if usage := event.get("usage"):
        told.usage = usage["prompt_tokens"], usage["completion_tokens"]


def read_openrouter(told: Told, event: dict[str, Any]) -> None:
    def content(told: Told, said: dict[str, Any]) -> None:
        told.text += said.get("content") or ""
        told.thoughts += said.get("reasoning") or ""

    told.error = event.get("error", {}).get("message", told.error)
    read_choices(told, event, content)


def read_mistral(told: Told, event: dict[str, Any]) -> None:
    def content(told: Told, said: dict[str, Any]) -> None:
        told_in = said.get("content") or ""
        if isinstance(told_in, str):
            told.text += told_in
            return
        for block in told_in:
            told.text += block.get("text", "")
            thoughts = block.get("thinking", ())
            told.thoughts += "".join(thought["text"] for thought in thoughts)

    if event.get("object") == "error" or "detail" in event:
        told.error = event.get("message") or event["detail"]
    read_choices(told, event, content)


@dataclass(frozen=True)
class Api:
    """How an API is asked, and how its answers are read."""

    whole: str
    stream: str
    events: Callable[[bytes], Iterator[dict[str, Any]]]
    read: Callable[[Told, dict[str, Any]], None]
    read_whole: Callable[[Told, dict[str, Any]], None]
    finish: tuple[str, str, str]
    """Its words for `stop`, `length` and `tool_calls`."""


APIS = {
    "gemini": Api(
        whole="/v1beta/models/m:generateContent",
        stream="/v1beta/models/m:streamGenerateContent?alt=sse",
        events=sse,
        read=read_gemini,
        read_whole=read_gemini,
        finish=("STOP", "MAX_TOKENS", "STOP"),
    ),
    "bedrock": Api(
        whole="/model/m/converse",
        stream="/model/m/converse-stream",
        events=event_stream,
        read=read_bedrock,
        read_whole=read_bedrock_whole,
        finish=("end_turn", "max_tokens", "tool_use"),
    ),
    "bedrock_invoke": Api(
        whole="/model/m/invoke",
        stream="/model/m/invoke-with-response-stream",
        events=event_stream,
        read=read_chunk,
        read_whole=read_claude_whole,
        finish=("end_turn", "max_tokens", "tool_use"),
    ),
    "cohere": Api(
        whole="/v2/chat",
        stream="/v2/chat",
        events=sse,
        read=read_cohere,
        read_whole=read_cohere_whole,
        finish=("COMPLETE", "MAX_TOKENS", "TOOL_CALL"),
    ),
    "ollama": Api(
        whole="/api/chat",
        stream="/api/chat",
        events=lines,
        read=read_ollama,
        read_whole=read_ollama,
        finish=("stop", "length", "stop"),
    ),
    "mistral": Api(
        whole="/mistral/v1/chat/completions",
        stream="/mistral/v1/chat/completions",
        events=sse,
        read=read_mistral,
        read_whole=read_mistral,
        finish=("stop", "length", "tool_calls"),
    ),
    "openrouter": Api(
        whole="/api/v1/chat/completions",
        stream="/api/v1/chat/completions",
        events=sse,
        read=read_openrouter,
        read_whole=read_openrouter,
        finish=("stop", "length", "tool_calls"),
    ),
}
