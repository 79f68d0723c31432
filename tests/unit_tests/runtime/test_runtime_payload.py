"""What says something, and what only looks like it."""

from __future__ import annotations

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration

from langchain_reliable._runtime.payload import (
    finish_reason_of,
    has_answer,
    has_payload,
)

SAYS = {
    "text": {"content": "hi"},
    "a text block": {"content": [{"type": "text", "text": "hi"}]},
    "a plain string in a list": {"content": ["hi"]},
    "thinking": {"content": [{"type": "thinking", "thinking": "hm"}]},
    "reasoning": {"content": [{"type": "reasoning", "reasoning": "hm"}]},
    "a reasoning summary": {
        "content": [{"type": "reasoning", "summary": [{"text": "hm"}]}]
    },
    "reasoning beside the content": {
        "content": "",
        "additional_kwargs": {"reasoning_content": "hm"},
    },
    "a summary beside the content": {
        "content": "",
        "additional_kwargs": {"reasoning": {"summary": [{"text": "hm"}]}},
    },
    "a refusal block": {"content": [{"type": "refusal", "refusal": "no"}]},
    "a refusal beside the content": {
        "content": "",
        "additional_kwargs": {"refusal": "no"},
    },
    "an image": {"content": [{"type": "image", "base64": "..."}]},
    "audio": {"content": "", "additional_kwargs": {"audio": {"id": "a"}}},
    "a built-in tool's call": {"content": [{"type": "web_search_call", "id": "w"}]},
    "a tool call's name": {
        "content": "",
        "tool_call_chunks": [{"name": "f", "args": "", "id": "1", "index": 0}],
    },
    "a tool call's arguments": {
        "content": "",
        "tool_call_chunks": [{"name": None, "args": "{", "id": None, "index": 0}],
    },
}
SILENT = {
    "nothing": {"content": ""},
    "a newline": {"content": "\n"},
    "blanks in a list": {"content": [" ", "\t"]},
    "a blank text block": {"content": [{"type": "text", "text": " \n "}]},
    "a blank refusal": {"content": "", "additional_kwargs": {"refusal": " "}},
    "no blocks": {"content": []},
    "an empty string in a list": {"content": [""]},
    "an empty text block": {"content": [{"type": "text", "text": ""}]},
    "a signature": {
        "content": [{"type": "thinking", "thinking": "", "signature": "abc"}]
    },
    "redacted thinking": {"content": [{"type": "redacted_thinking", "data": "x"}]},
    "an encrypted reasoning item": {
        "content": [{"type": "reasoning", "id": "r", "summary": []}]
    },
    "a tool call's id alone": {
        "content": "",
        "tool_call_chunks": [{"name": None, "args": "", "id": "1", "index": 0}],
    },
    "usage": {
        "content": "",
        "usage_metadata": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
    },
    "an empty refusal": {"content": "", "additional_kwargs": {"refusal": None}},
    "an empty reasoning item beside the content": {
        "content": "",
        "additional_kwargs": {"reasoning": {"id": "r", "summary": []}},
    },
    "metadata": {"content": "", "response_metadata": {"id": "resp_1"}, "id": "x"},
}


@pytest.mark.parametrize("fields", SAYS.values(), ids=list(SAYS))
def test_says_something(fields):
    assert has_payload(AIMessageChunk(**fields))


@pytest.mark.parametrize("fields", SILENT.values(), ids=list(SILENT))
def test_is_silent(fields):
    assert not has_payload(AIMessageChunk(**fields))


def test_a_whole_messages_tool_call_says_something():
    call = {"name": "f", "args": {}, "id": "1"}
    assert has_payload(AIMessage(content="", tool_calls=[call]))


@pytest.mark.parametrize(
    ("info", "metadata", "finish"),
    [
        ({"finish_reason": "stop"}, {}, "stop"),
        ({}, {"stop_reason": "end_turn"}, "end_turn"),
        ({}, {"stopReason": "max_tokens"}, "max_tokens"),
        ({"finish_reason": "SAFETY"}, {}, "safety"),
        ({}, {"status": "completed"}, "completed"),
        ({}, {"status": "in_progress"}, None),
        ({}, {"done_reason": "stop"}, "stop"),
        ({"finish_reason": None}, {}, None),
        (None, {"finish_reason": ""}, None),
        ({}, {"prompt_feedback": {"block_reason": "SAFETY"}}, "prompt_blocked"),
        ({}, {"prompt_feedback": {"block_reason": 0}}, None),
        ({}, {"status": "incomplete"}, "incomplete"),
        (
            {},
            {
                "status": "incomplete",
                "incomplete_details": {"reason": "content_filter"},
            },
            "content_filter",
        ),
        (
            {"finish_reason": "error"},
            {"native_finish_reason": "MALFORMED_FUNCTION_CALL"},
            "malformed_function_call",
        ),
        ({"finish_reason": "stop", "native_finish_reason": "STOP"}, {}, "stop"),
        ({}, {"prompt_feedback": {"block_reason": "X_UNSPECIFIED"}}, None),
    ],
)
def test_finds_the_finish_reason(info, metadata, finish):
    message = AIMessage(content="", response_metadata=metadata)
    assert (
        finish_reason_of(ChatGeneration(message=message, generation_info=info))
        == finish
    )


REASONS = {
    "thinking": {"content": [{"type": "thinking", "thinking": "hm"}]},
    "reasoning beside a blank text": {
        "content": " \n",
        "additional_kwargs": {"reasoning_content": "hm"},
    },
    "reasoning beside a blank block": {
        "content": [
            {"type": "reasoning", "reasoning": "hm"},
            {"type": "text", "text": "\n"},
        ]
    },
    "a summary beside the content": {
        "content": "",
        "additional_kwargs": {"reasoning": {"summary": [{"text": "hm"}]}},
    },
}
ANSWERS = {
    name: fields
    for name, fields in SAYS.items()
    if not any(word in name for word in ("thinking", "reasoning", "summary"))
}


@pytest.mark.parametrize("fields", REASONS.values(), ids=list(REASONS))
def test_reasoning_is_a_payload_and_no_answer(fields):
    message = AIMessageChunk(**fields)
    assert has_payload(message)
    assert not has_answer(message)


@pytest.mark.parametrize("fields", ANSWERS.values(), ids=list(ANSWERS))
def test_all_else_is_an_answer(fields):
    assert has_answer(AIMessageChunk(**fields))


@pytest.mark.parametrize("fields", SILENT.values(), ids=list(SILENT))
def test_silence_is_no_answer(fields):
    assert not has_answer(AIMessageChunk(**fields))


def test_a_call_that_nobody_can_read_says_something():
    call = {"name": "f", "args": "{", "id": "1", "error": None}
    assert has_answer(AIMessage(content="", invalid_tool_calls=[call]))
