"""Answers in the shapes of three APIs, whole and as events, and what asks for them.

The shapes are those of real traffic; the words are made up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI
from wire import as_events, as_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2
    from langchain_core.language_models import BaseChatModel

    Json = dict[str, Any]

PIXEL = "iVBORw0KGgo="
PAPER = "JVBERi0xLjQ="
SOUND = "UklGRg=="
WEATHER = {
    "name": "weather",
    "description": "Look out of the window.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
SEEN = [
    SystemMessage("Be brief."),
    HumanMessage(
        [
            {"type": "text", "text": "What is this?"},
            {"type": "image", "base64": PIXEL, "mime_type": "image/png"},
            {"type": "image", "url": "https://example.com/a.png"},
            {
                "type": "file",
                "base64": PAPER,
                "mime_type": "application/pdf",
                "filename": "a.pdf",
            },
        ]
    ),
]
"""A picture, a picture elsewhere and a paper, in LangChain's own blocks."""


@dataclass(frozen=True)
class Shape:
    """A question, a child that asks it, and the answer on the wire.

    Attributes:
        document: The answer in one piece.
        events: The answer as a stream.
        versions: Output versions that matter to this API.
    """

    cls: type[BaseChatModel]
    document: Json
    events: list[Json]
    end: str = ""
    settings: Json = field(default_factory=dict)
    tools: tuple[Json, ...] = ()
    messages: tuple[Any, ...] = tuple(SEEN)

    def child(self, **settings: Any) -> BaseChatModel:
        return self.cls(model="m", api_key="sk-test", **self.settings, **settings)

    def bound(self, model: BaseChatModel) -> Any:
        return model.bind_tools(list(self.tools)) if self.tools else model

    def reply(self, request: httpx2.Request) -> httpx2.Response:
        streams = b'"stream":true' in request.content
        return as_events(self.events, self.end) if streams else as_json(self.document)


# --- Anthropic messages -------------------------------------------------------------

_FOUND = {
    "type": "web_search_result",
    "title": "Weather",
    "url": "https://weather.example/rome",
    "encrypted_content": "Eo8B",
    "page_age": None,
}
_PAGE = {
    "type": "web_search_result_location",
    "cited_text": "It is sunny.",
    "url": "https://weather.example/rome",
    "title": "Weather",
    "encrypted_index": "Eo8C",
}
_PAPER_PAGE = {
    "type": "page_location",
    "cited_text": "Always sunny.",
    "document_index": 0,
    "document_title": "a.pdf",
    "start_page_number": 1,
    "end_page_number": 2,
    "file_id": None,
}
_MESSAGE = {
    "id": "msg_01",
    "type": "message",
    "role": "assistant",
    "model": "m-20250929",
    "content": [
        {"type": "thinking", "thinking": "Let me see.", "signature": "EqQB"},
        {"type": "redacted_thinking", "data": "EqkE"},
        {
            "type": "server_tool_use",
            "id": "srvtoolu_01",
            "name": "web_search",
            "input": {"query": "weather Rome"},
        },
        {
            "type": "web_search_tool_result",
            "tool_use_id": "srvtoolu_01",
            "content": [_FOUND],
        },
        {"type": "text", "text": "It is "},
        {"type": "text", "text": "sunny", "citations": [_PAGE, _PAPER_PAGE]},
        {
            "type": "tool_use",
            "id": "toolu_01",
            "name": "weather",
            "input": {"city": "Rome"},
        },
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 46,
        "cache_creation_input_tokens": 7,
        "cache_read_input_tokens": 3,
        "output_tokens": 84,
        "service_tier": "standard",
        "server_tool_use": {"web_search_requests": 1},
    },
}


def _anthropic_events(message: Json) -> Iterator[Json]:
    start = {**message, "content": [], "stop_reason": None}
    yield {"type": "message_start", "message": start}
    for at, block in enumerate(message["content"]):
        told = {"type": "content_block_start", "index": at}
        yield {**told, "content_block": _EMPTY.get(block["type"], lambda b: b)(block)}
        for delta in _deltas(block):
            yield {"type": "content_block_delta", "index": at, "delta": delta}
        yield {"type": "content_block_stop", "index": at}
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": message["usage"]}
    yield {"type": "message_stop"}


_EMPTY = {
    "thinking": lambda _: {"type": "thinking", "thinking": "", "signature": ""},
    "text": lambda b: {
        "type": "text",
        "text": "",
        **({"citations": []} if "citations" in b else {}),
    },
    "tool_use": lambda b: {**b, "input": {}},
    "server_tool_use": lambda b: {**b, "input": {}},
}


def _deltas(block: Json) -> Iterator[Json]:
    match block["type"]:
        case "thinking":
            yield {"type": "thinking_delta", "thinking": block["thinking"][:5]}
            yield {"type": "thinking_delta", "thinking": block["thinking"][5:]}
            yield {"type": "signature_delta", "signature": block["signature"]}
        case "text":
            for one in block.get("citations", ()):
                yield {"type": "citations_delta", "citation": one}
            yield {"type": "text_delta", "text": block["text"]}
        case "tool_use":
            yield {"type": "input_json_delta", "partial_json": '{"city": '}
            yield {"type": "input_json_delta", "partial_json": '"Rome"}'}
        case "server_tool_use":
            query = '{"query": "weather Rome"}'
            yield {"type": "input_json_delta", "partial_json": query}


# --- OpenAI chat completions --------------------------------------------------------

_CALLS = [
    {
        "id": f"call_{at}",
        "type": "function",
        "function": {"name": "weather", "arguments": f'{{"city": "{city}"}}'},
    }
    for at, city in enumerate(("Rome", "Oslo"))
]
_TOKENS = {
    "prompt_tokens": 20,
    "completion_tokens": 30,
    "total_tokens": 50,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 8, "audio_tokens": 0},
}


def _completion(message: Json, finish: str) -> Json:
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
    return {
        **_STAMP,
        "object": "chat.completion",
        "choices": [choice],
        "usage": _TOKENS,
    }


_STAMP = {
    "id": "chatcmpl-1",
    "created": 1_760_000_000,
    "model": "m-2025",
    "service_tier": "default",
    "system_fingerprint": "fp_1",
}


def _completion_events(calls: list[Json]) -> Iterator[Json]:
    begun = {"role": "assistant", "content": "", "refusal": None}
    deltas: list[Json] = [begun, {"content": "Let me"}, {"content": " look."}]
    for at, call in enumerate(calls):
        empty = {**call["function"], "arguments": ""}
        deltas.append({"tool_calls": [{"index": at, **call, "function": empty}]})
        rest = {"arguments": call["function"]["arguments"]}
        deltas.append({"tool_calls": [{"index": at, "function": rest}]})
    finishes = [*(None for _ in deltas), "tool_calls"]
    for delta, finish in zip([*deltas, {}], finishes, strict=True):
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        yield {**_CHUNK, "choices": [choice], "usage": None}
    yield {**_CHUNK, "choices": [], "usage": _TOKENS}


_CHUNK = {**_STAMP, "object": "chat.completion.chunk"}


# --- OpenAI responses ---------------------------------------------------------------

_CITED = {
    "type": "url_citation",
    "start_index": 3,
    "end_index": 8,
    "title": "Weather",
    "url": "https://weather.example/rome",
}
_ITEMS: list[Json] = [
    {
        "id": "rs_1",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "Let me see."}],
        "encrypted_content": "gAAA",
    },
    {
        "id": "ws_1",
        "type": "web_search_call",
        "status": "completed",
        "action": {"type": "search", "query": "weather Rome"},
    },
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [
            {
                "type": "output_text",
                "text": "It is sunny",
                "annotations": [_CITED],
                "logprobs": [],
            }
        ],
    },
    {
        "id": "fc_1",
        "type": "function_call",
        "status": "completed",
        "arguments": '{"city": "Rome"}',
        "call_id": "call_1",
        "name": "weather",
    },
]
_RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1_782_322_100,
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "metadata": {},
    "model": "m-2025",
    "output": _ITEMS,
    "parallel_tool_calls": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "store": False,
    "usage": {
        "input_tokens": 20,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": 30,
        "output_tokens_details": {"reasoning_tokens": 8},
        "total_tokens": 50,
    },
}


def _response_events() -> Iterator[Json]:
    begun = {**_RESPONSE, "status": "in_progress", "output": [], "usage": None}
    events: list[Json] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for at, item in enumerate(_ITEMS):
        events += ({**one, "output_index": at} for one in _item_events(item))
    events.append({"type": "response.completed", "response": _RESPONSE})
    for number, event in enumerate(events):
        yield {**event, "sequence_number": number}


def _item_events(item: Json) -> Iterator[Json]:
    at = {"item_id": item["id"]}
    empty = {name: value for name, value in item.items() if name != "encrypted_content"}
    for name, nothing in (("summary", []), ("content", []), ("arguments", "")):
        if name in empty:
            empty[name] = nothing
    added = {**empty, **({"status": "in_progress"} if "status" in item else {})}
    yield {"type": "response.output_item.added", "item": added}
    match item["type"]:
        case "reasoning":
            of = {**at, "summary_index": 0}
            kind = "response.reasoning_summary"
            [part] = item["summary"]
            nothing = {**part, "text": ""}
            yield {"type": f"{kind}_part.added", **of, "part": nothing}
            yield {"type": f"{kind}_text.delta", **of, "delta": part["text"]}
            yield {"type": f"{kind}_text.done", **of, "text": part["text"]}
            yield {"type": f"{kind}_part.done", **of, "part": part}
        case "web_search_call":
            yield {"type": "response.web_search_call.searching", **at}
            yield {"type": "response.web_search_call.completed", **at}
        case "message":
            of = {**at, "content_index": 0}
            [part] = item["content"]
            nothing = {**part, "text": "", "annotations": []}
            kind = "response.output_text"
            yield {"type": "response.content_part.added", **of, "part": nothing}
            for delta in (part["text"][:5], part["text"][5:]):
                told = {"delta": delta, "logprobs": []}
                yield {"type": f"{kind}.delta", **of, **told}
            cited = {"annotation": _CITED, "annotation_index": 0}
            yield {"type": f"{kind}.annotation.added", **of, **cited}
            whole = {"text": part["text"], "logprobs": []}
            yield {"type": f"{kind}.done", **of, **whole}
            yield {"type": "response.content_part.done", **of, "part": part}
        case "function_call":
            kind, told = "response.function_call_arguments", item["arguments"]
            yield {"type": f"{kind}.delta", **at, "delta": told}
            yield {"type": f"{kind}.done", **at, "arguments": told}
    yield {"type": "response.output_item.done", "item": item}


# --- all of them --------------------------------------------------------------------

_FUNCTION = {"type": "function", "function": WEATHER}
_SAID = {"role": "assistant", "content": "Let me look.", "refusal": None}
_SPOKEN = {
    "role": "assistant",
    "content": None,
    "refusal": None,
    "audio": {
        "id": "audio_1",
        "data": SOUND,
        "expires_at": 1_760_000_900,
        "transcript": "It is sunny.",
    },
}
_PAPER_TO_CITE = {
    "type": "document",
    "source": {"type": "base64", "media_type": "application/pdf", "data": PAPER},
    "citations": {"enabled": True},
    "cache_control": {"type": "ephemeral"},
}

THOUGHTS_SEARCH_AND_CITATIONS = Shape(
    cls=ChatAnthropic,
    document=_MESSAGE,
    events=list(_anthropic_events(_MESSAGE)),
    settings={"max_tokens": 99, "thinking": {"type": "enabled", "budget_tokens": 50}},
    tools=(
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 1},
        _FUNCTION,
    ),
    messages=(
        SystemMessage(
            [{"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}]
        ),
        HumanMessage([_PAPER_TO_CITE, *SEEN[1].content]),
    ),
)
PARALLEL_CALLS = Shape(
    cls=ChatOpenAI,
    document=_completion({**_SAID, "tool_calls": _CALLS}, "tool_calls"),
    events=list(_completion_events(_CALLS)),
    end="data: [DONE]\n\n",
    tools=(_FUNCTION,),
    messages=(*SEEN[:1], HumanMessage([b for b in SEEN[1].content if "url" not in b])),
)
SPOKEN = Shape(
    cls=ChatOpenAI,
    document=_completion(_SPOKEN, "stop"),
    events=[],
    settings={
        "disable_streaming": True,
        "model_kwargs": {
            "modalities": ["text", "audio"],
            "audio": {"voice": "alloy", "format": "wav"},
        },
    },
    messages=(
        HumanMessage([{"type": "audio", "base64": SOUND, "mime_type": "audio/wav"}]),
    ),
)
REASONING_SEARCH_AND_CITATIONS = Shape(
    cls=ChatOpenAI,
    document=_RESPONSE,
    events=list(_response_events()),
    settings={
        "use_responses_api": True,
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
    },
    tools=({"type": "web_search"}, _FUNCTION),
)
