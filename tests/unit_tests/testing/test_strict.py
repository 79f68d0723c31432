"""What the strict simulator refuses, and in which words."""

from __future__ import annotations

import pytest

from langchain_reliable.testing._simulator.strict.complaint import complaint
from langchain_reliable.testing._simulator.wire import seal

CALL = {"id": "a", "type": "function", "function": {"name": "t", "arguments": "{}"}}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "a", "content": "3"}
USER = {"role": "user", "content": "x"}
MARK = {"type": "ephemeral"}


def text(words, **more):
    return {"type": "text", "text": words, **more}


def of(role, *blocks):
    return {"role": role, "content": list(blocks)}


def long_call(length):
    return {**CALLED, "tool_calls": [{**CALL, "id": "x" * length}]}


OPENAI = {
    "a mark": ([of("user", text("x", cache_control=MARK))], "content[0].cache_control"),
    "an unknown block": ([of("user", {"type": "thinking"})], "'thinking'"),
    "a picture by the assistant": (
        [of("assistant", {"type": "image_url", "image_url": {"url": "data:"}})],
        "only allowed for messages with role 'user'",
    ),
    "a file by the assistant": (
        [of("assistant", {"type": "file", "file": {}})],
        "file",
    ),
    "nothing said": ([{"role": "assistant", "content": None}], "got null"),
    "nothing asked": ([{"role": "user", "content": None}], "got null"),
    "a long id": ([USER, long_call(41), RESULT], "maximum length 40"),
    "a result without a call": ([USER, RESULT], "must be a response"),
    "a result of another call": (
        [CALLED, {**RESULT, "tool_call_id": "b"}],
        "must be a response",
    ),
    "a call without a result": ([CALLED, USER], "did not have response messages: a"),
    "a call at the end": ([USER, CALLED], "did not have response messages: a"),
    "an unknown role": ([{"role": "bot", "content": "x"}], "'bot'"),
}


@pytest.mark.parametrize(("messages", "says_so"), OPENAI.values(), ids=OPENAI)
def test_what_openai_refuses(messages, says_so):
    said = complaint("openai", {"model": "m", "messages": messages})
    assert said is not None
    assert says_so in said


def test_what_openai_reads():
    spoken = {"role": "assistant", "content": None, "audio": {"id": "audio_1"}}
    refused = of("assistant", {"type": "refusal", "refusal": "no"})
    seen = of("user", {"type": "image_url", "image_url": {"url": "data:"}})
    messages = [seen, CALLED, RESULT, spoken, refused, USER]
    assert complaint("openai", {"model": "m", "messages": messages}) is None


THOUGHT = {"type": "thinking", "thinking": "hm", "signature": seal("hm")}
HIDDEN = {"type": "redacted_thinking", "data": seal("")}
USED = {"type": "tool_use", "id": "a", "name": "t", "input": {}}
TOLD = {"type": "tool_result", "tool_use_id": "a", "content": "3"}
MANUAL = {"type": "enabled", "budget_tokens": 1024}

ANTHROPIC = {
    "nothing": ([], "at least one message"),
    "an unknown role": ([of("system", text("x"))], "messages.0.role"),
    "an unknown block": ([of("user", {"type": "image_url"})], "Input tag 'image_url'"),
    "another's field": (
        [USER, of("assistant", text("x", annotations=[]))],
        "messages.1.content.0.text.annotations: Extra inputs are not permitted",
    ),
    "a mark on a thought": (
        [USER, of("assistant", {**THOUGHT, "cache_control": MARK})],
        "thinking.cache_control: Extra inputs",
    ),
    "a picture by the assistant": (
        [USER, of("assistant", {"type": "image", "source": {}})],
        "'image' blocks are not permitted within assistant turns",
    ),
    "a thought by the user": ([of("user", THOUGHT)], "within user turns"),
    "an unsigned thought": (
        [USER, of("assistant", {"type": "thinking", "thinking": "hm"})],
        "thinking.signature: Field required",
    ),
    "an edited thought": (
        [USER, of("assistant", {**THOUGHT, "thinking": "hmm"})],
        "Invalid `signature` in `thinking` block",
    ),
    "a made-up hidden thought": (
        [USER, of("assistant", {**HIDDEN, "data": "x"})],
        "Invalid `data`",
    ),
    "an id with dots": (
        [USER, of("assistant", {**USED, "id": "f.t:0"})],
        "tool_use.id: String should match pattern",
    ),
    "a search of another": (
        [USER, of("assistant", {**USED, "type": "server_tool_use"})],
        "'^srvtoolu_",
    ),
    "no words": ([of("user", text(""))], "must be non-empty"),
    "no words in a text": ([{"role": "user", "content": ""}], "must be non-empty"),
    "only space": ([of("user", text(" \n"))], "non-whitespace"),
    "no blocks": ([USER, of("assistant"), USER], "must have non-empty content"),
    "space at the end": ([USER, of("assistant", text("x "))], "trailing whitespace"),
    "a result without a call": ([of("user", TOLD)], "unexpected `tool_use_id`"),
    "a late result": (
        [USER, of("assistant", USED), USER, of("user", TOLD)],
        "without `tool_result` blocks immediately after: a",
    ),
    "a call at the end": ([USER, of("assistant", USED)], "without `tool_result`"),
    "one id for two": (
        [USER, of("assistant", USED, USED), of("user", TOLD)],
        "ids must be unique",
    ),
}


@pytest.mark.parametrize(("messages", "says_so"), ANTHROPIC.values(), ids=ANTHROPIC)
def test_what_anthropic_refuses(messages, says_so):
    body = {"model": "m", "max_tokens": 1, "messages": messages}
    said = complaint("anthropic", body)
    assert said is not None
    assert says_so in said


LOOP = [USER, of("assistant", text("x"), USED), of("user", TOLD)]


def test_manual_thinking_wants_a_thought_first():
    body = {"model": "m", "max_tokens": 1, "messages": LOOP}
    assert "found `text`" in complaint("anthropic", {**body, "thinking": MANUAL})
    adaptive = {**body, "thinking": {"type": "adaptive"}}
    assert complaint("anthropic", adaptive) is None
    ended = {**body, "messages": [*LOOP, of("assistant", text("x")), USER]}
    assert complaint("anthropic", {**ended, "thinking": MANUAL}) is None


def test_what_anthropic_reads():
    loop = [of("assistant", HIDDEN, THOUGHT, text(" "), USED), of("user", TOLD)]
    marked = of("user", text("x", cache_control=MARK), {"type": "image", "source": {}})
    body = {"model": "m", "max_tokens": 1, "thinking": MANUAL}
    messages = [marked, *loop, of("assistant")]
    assert complaint("anthropic", {**body, "messages": messages}) is None


# --- Gemini -----------------------------------------------------------------------

ASKED = {"role": "user", "parts": [{"text": "x"}]}
CALLING = {"functionCall": {"name": "add", "args": {}}, "thoughtSignature": seal("add")}
ANSWERING = {"functionResponse": {"name": "add", "response": {"output": 3}}}


def turn(role, *parts):
    return {"role": role, "parts": list(parts)}


GEMINI = {
    "nothing asked": ([], "contents is not specified"),
    "an unknown role": ([turn("assistant", {"text": "x"})], "valid role: user, model"),
    "no parts": ([ASKED, turn("model"), ASKED], "contents[1].parts"),
    "a part with nothing in it": ([turn("user", {"thought": True})], "one initialized"),
    "an unknown part": (
        [turn("user", {"type": "text", "text": "x"})],
        "Unknown name \"type\" at 'contents[0].parts[0]'",
    ),
    "a foreign signature": (
        [ASKED, turn("model", {"text": "x", "thoughtSignature": "abc="})],
        "Corrupted thought signature",
    ),
    "a call without a result": (
        [ASKED, turn("model", CALLING), ASKED],
        "number of function response parts",
    ),
    "one result of two": (
        [ASKED, turn("model", CALLING, CALLING), turn("user", ANSWERING)],
        "number of function response parts",
    ),
    "a result without a call": (
        [ASKED, turn("model", {"text": "x"}), turn("user", ANSWERING)],
        "immediately after a function call turn",
    ),
    "a call at the beginning": (
        [turn("model", CALLING), turn("user", ANSWERING)],
        "immediately after a user turn",
    ),
}


@pytest.mark.parametrize(("contents", "says_so"), GEMINI.values(), ids=GEMINI)
def test_what_gemini_refuses(contents, says_so):
    said = complaint("gemini", {"model": "gemini-2.5-flash", "contents": contents})
    assert said is not None
    assert says_so in said


def test_gemini_names_a_field_that_it_does_not_know():
    said = complaint("gemini", {"contents": [ASKED], "messages": []})
    assert 'Unknown name "messages"' in str(said)


def test_gemini_3_wants_a_signature_with_the_first_call():
    bare = {"functionCall": CALLING["functionCall"]}
    passed = {**bare, "thoughtSignature": "skip_thought_signature_validator"}
    for call, model, is_fine in (
        (bare, "gemini-2.5-flash", True),
        (bare, "gemini-3-pro-preview", False),
        (passed, "gemini-3-pro-preview", True),
        (CALLING, "gemini-3-pro-preview", True),
    ):
        contents = [ASKED, turn("model", call), turn("user", ANSWERING)]
        said = complaint("gemini", {"model": model, "contents": contents})
        assert (said is None) == is_fine, (model, call)
        assert is_fine or "missing a thought_signature" in said


# --- Bedrock ----------------------------------------------------------------------

USING = {"toolUse": {"toolUseId": "a", "name": "add", "input": {}}}
GIVING = {"toolResult": {"toolUseId": "a", "content": [{"text": "3"}]}}
HELLO = of("user", {"text": "x"})


def thinking(text, signature):
    said = {"text": text, "signature": signature}
    return {"reasoningContent": {"reasoningText": said}}


BEDROCK = {
    "nothing asked": ([], "must start with a user message"),
    "the assistant first": (
        [of("assistant", {"text": "x"})],
        "must start with a user message",
    ),
    "nothing said": ([HELLO, of("assistant"), HELLO], "at messages.1 is empty"),
    "a blank text": ([of("user", {"text": " "})], "messages.0.content.0 is blank"),
    "an unknown block": ([of("user", text("x"))], "must set one of its fields"),
    "a foreign signature": (
        [HELLO, of("assistant", thinking("hm", "abc=")), HELLO],
        "Invalid `signature`",
    ),
    "a call without a result": (
        [HELLO, of("assistant", USING), HELLO],
        "Expected toolResult blocks at messages.2.content for the following Ids: a",
    ),
    "a result without a call": (
        [HELLO, of("assistant", {"text": "x"}), of("user", GIVING)],
        "exceeds the number of toolUse blocks",
    ),
    "an id with a blank": (
        [
            HELLO,
            of("assistant", {"toolUse": {**USING["toolUse"], "toolUseId": "a b"}}),
            of("user", {"toolResult": {**GIVING["toolResult"], "toolUseId": "a b"}}),
        ],
        "Member must satisfy pattern",
    ),
    "the same role twice": ([HELLO, HELLO], "must alternate"),
}


@pytest.mark.parametrize(("messages", "says_so"), BEDROCK.values(), ids=BEDROCK)
def test_what_bedrock_refuses(messages, says_so):
    asked = {"model": "m", "messages": messages, "toolConfig": {"tools": [{}]}}
    said = complaint("bedrock", asked)
    assert said is not None
    assert says_so in said


def test_bedrock_wants_the_tools_that_a_conversation_has_used():
    messages = [HELLO, of("assistant", USING), of("user", GIVING)]
    said = complaint("bedrock", {"model": "m", "messages": messages})
    assert "toolConfig field must be defined" in str(said)


def test_bedrock_reads_a_conversation_with_thoughts_and_tools():
    thought = thinking("hm", seal("hm"))
    messages = [HELLO, of("assistant", thought, USING), of("user", GIVING)]
    tools = {"toolConfig": {"tools": [{}]}}
    assert complaint("bedrock", {"model": "m", "messages": messages, **tools}) is None


def test_bedrock_names_a_field_that_it_does_not_know():
    said = complaint("bedrock", {"messages": [HELLO], "max_tokens": 9})
    assert "extraneous key [max_tokens]" in str(said)


def test_an_api_without_rules_reads_everything():
    assert complaint("cohere", {"anything": "goes"}) is None
