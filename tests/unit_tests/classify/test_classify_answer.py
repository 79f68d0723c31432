"""What a finished answer comes to: per shape, in pieces and in one piece."""

from __future__ import annotations

import json

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from langchain_reliable._classify.answer import AnswerJudge, merged
from langchain_reliable._runtime.payload import PROVIDER_BROKE
from langchain_reliable.errors import (
    BrokenToolCall,
    EmptyAnswer,
    FilteredAnswer,
    FinishedWithError,
    IncompleteStream,
)
from langchain_reliable.failures import FailureKind, Verdict
from langchain_reliable.policies import Policy

FULL = '{"path": "/etc/app.conf", "content": "one; two"}'
ARGS = json.loads(FULL)
CUT = FULL[:-9]
JUDGE = AnswerJudge()
GOES_ON = AnswerJudge(passes_filtered_on=True)


def chunk(content="", info=None, provider="openai", **fields) -> ChatGenerationChunk:
    metadata = {"model_provider": provider, **fields.pop("metadata", {})}
    message = AIMessageChunk(content=content, response_metadata=metadata, **fields)
    return ChatGenerationChunk(message=message, generation_info=info)


def piece(args, name=None, id_=None, index=0):
    return {"name": name, "args": args, "id": id_, "index": index}


def ends(finish):
    return chunk(info={"finish_reason": finish})


# --- streams, as partner packages make them -------------------------------------------


def openai(*texts, finish="tool_calls"):
    """The name first, then the arguments in pieces, by index."""
    parts = [
        one
        for at, text in enumerate(texts)
        for one in (
            piece("", "write_file", f"call_{at}", at),
            *(piece(text[n : n + 7], None, None, at) for n in range(0, len(text), 7)),
        )
    ]
    return [*(chunk(tool_call_chunks=[one]) for one in parts), ends(finish)]


def responses(*texts, finish="completed"):
    """The same, beside content blocks; the status stands in the metadata."""
    parts = openai(*texts)[:-1]
    for one in parts:
        one.message.content = [{"type": "function_call", "arguments": "", "index": 0}]
    last = chunk([], metadata={"status": finish}, chunk_position="last")
    return [*parts, last]


def anthropic(*texts, finish="tool_use"):
    """Blocks and pieces side by side; why it ended stands in the metadata."""
    parts = []
    for at, text in enumerate(texts):
        block = {"type": "tool_use", "id": f"toolu_{at}", "name": "write_file"}
        block |= {"input": {}, "index": at}
        begun = piece("", "write_file", f"toolu_{at}", at)
        parts.append(chunk([block], None, "anthropic", tool_call_chunks=[begun]))
        for n in range(0, len(text), 11):
            delta = {"type": "input_json_delta", "partial_json": text[n : n + 11]}
            told = [piece(text[n : n + 11], None, None, at)]
            fields = {"tool_call_chunks": told}
            parts.append(chunk([{**delta, "index": at}], None, "anthropic", **fields))
    end = {"stop_reason": finish, "stop_sequence": None}
    last = chunk([], None, "anthropic", metadata=end, chunk_position="last")
    return [*parts, last]


def in_one_piece(provider, index=None):
    """Each call whole, in one chunk (Groq and Mistral as text, Gemini as a mapping)."""

    def stream(*texts, finish="tool_calls"):
        calls = [
            piece(text, "write_file", f"call_{at}", at if index else None)
            for at, text in enumerate(texts)
        ]
        told = [chunk("", None, provider, tool_call_chunks=[one]) for one in calls]
        return [*told, chunk("", {"finish_reason": finish}, provider)]

    return stream


def ollama(*texts, finish="stop"):
    calls = [
        {"name": "write_file", "args": json.loads(text), "id": f"call_{at}"}
        for at, text in enumerate(texts)
    ]
    return [
        chunk("", None, "ollama", tool_calls=calls),
        chunk("", {"done_reason": finish}, "ollama"),
    ]


groq, mistral = in_one_piece("groq", index=True), in_one_piece("mistralai", index=True)
gemini = in_one_piece("google_genai")
bedrock = anthropic
SHAPES = {
    "openai": openai,
    "responses": responses,
    "anthropic": anthropic,
    "groq": groq,
    "mistral": mistral,
    "gemini": gemini,
}


def fault_of(chunks, judge=JUDGE, finish="?", **how):
    found = finish
    if finish == "?":
        info = chunks[-1].generation_info or {}
        said = {**info, **chunks[-1].message.response_metadata}
        keys = ("finish_reason", "stop_reason", "done_reason", "status")
        found = next((said[key].lower() for key in keys if key in said), None)
    return judge.fault_of_stream(chunks, found, **how)


BROKEN = {
    "cut": (CUT,),
    "cut after the first letter": ("{",),
    "a quote is missing": (FULL.replace('"one', "one"),),
    "more than an object": (FULL + "}",),
    "two objects": (FULL + FULL,),
    "words": ("I will write the file",),
    "a list": ("[1, 2]",),
    "null": ("null",),
    "a deep pit": ("[" * 2_000,),
    "the first of two": (CUT, FULL),
    "the last of two": (FULL, CUT),
    "the second of three": (FULL, CUT, "{}"),
}
WHOLE = {
    "an object": (FULL,),
    "none": ("",),
    "an empty object": ("{}",),
    "blanks": (" \n",),
    "blanks around": (f" {FULL}\n",),
    "a newline in a text": ('{"content": "one\ntwo"}',),
    "two calls": (FULL, FULL),
    "the second without any": (FULL, ""),
    "free-form input": ('{"__arg1": "print(\\"{\\")"}',),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
@pytest.mark.parametrize("texts", BROKEN.values(), ids=list(BROKEN))
def test_a_streams_broken_arguments_are_found(shape, texts):
    fault = fault_of(shape(*texts))
    assert isinstance(fault, BrokenToolCall)
    assert fault.failure.kind is FailureKind.INVALID_OUTPUT
    assert Policy().verdict(fault.failure) is Verdict.RETRY
    args = [call["args"] for call in fault.answer.tool_calls]
    assert all(one in (ARGS, {}) for one in args)
    assert len(args) + len(fault.answer.invalid_tool_calls) == len(texts)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
@pytest.mark.parametrize("texts", WHOLE.values(), ids=list(WHOLE))
def test_whole_arguments_are_not_touched(shape, texts):
    for how in ({}, {"shown": True}, {"expects_finish": True}):
        assert fault_of(shape(*texts), **how) is None


def test_a_stream_of_pieces_without_an_index_is_not_joined():
    halves = [piece(CUT, "f", "1", None), piece(FULL[-9:], None, None, None)]
    parts = [*(chunk(tool_call_chunks=[one]) for one in halves), ends("tool_calls")]
    assert isinstance(fault_of(parts), BrokenToolCall)


def test_one_index_with_two_ids_is_two_calls():
    twice = [piece(FULL, "f", "1"), piece(FULL, "f", "2")]
    parts = [*(chunk(tool_call_chunks=[one]) for one in twice), ends("tool_calls")]
    assert fault_of(parts) is None


def test_no_arguments_at_all_are_told_as_none():
    none = [chunk(tool_call_chunks=[piece(None, "f", "1")]), ends("tool_calls")]
    assert fault_of(none) is None


def test_a_servers_own_tool_is_not_judged():
    call = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    half = {"type": "input_json_delta", "partial_json": '{"query": "wea', "index": 0}
    parts = [chunk([{**call, "index": 0}]), chunk([half]), ends("end_turn")]
    assert fault_of(parts) is None
    assert fault_of([*parts[:-1], ends("length")]) is None


# --- cut by the output limit ----------------------------------------------------------

LENGTHS = ["length", "max_tokens", "incomplete", "model_length", "max_output_tokens"]


@pytest.mark.parametrize("finish", LENGTHS)
def test_what_the_limit_cut_is_not_asked_for_again(finish):
    fault = fault_of(openai(CUT), finish=finish)
    assert isinstance(fault, BrokenToolCall)
    assert Policy().verdict(fault.failure) is Verdict.NEXT


@pytest.mark.parametrize(
    ("stream", "broken"),
    [
        (openai(FULL), False),
        (anthropic(FULL), False),
        (groq(FULL), False),
        (mistral(FULL), False),
        (openai("{}"), True),  # which whole answers show for nothing at all
        (openai(FULL, ""), True),  # cut before its arguments began
        (anthropic(""), True),
        (gemini(FULL), True),
        (ollama(FULL), True),
        (groq('{"__arg1": "prin"}'), True),  # as OpenAI's free-form input comes
    ],
    ids=[
        "openai",
        "anthropic",
        "groq",
        "mistral",
        "an empty object",
        "nothing of the second",
        "nothing of the only one",
        "gemini",
        "ollama",
        "free-form input",
    ],
)
def test_a_last_call_that_nobody_can_see_to_be_whole(stream, broken):
    fault = fault_of(stream, finish="max_tokens")
    assert isinstance(fault, BrokenToolCall) == broken
    if fault is not None:
        assert fault.answer.invalid_tool_calls


def test_an_earlier_mapping_is_whole():
    fault = fault_of(gemini(FULL, FULL), finish="max_tokens")
    assert [call["args"] for call in fault.answer.tool_calls] == [ARGS]
    assert json.loads(fault.answer.invalid_tool_calls[0]["args"]) == ARGS


def test_a_text_that_the_limit_cut_is_an_answer():
    assert fault_of([chunk("half an ans"), ends("length")]) is None
    assert fault_of([ends("length")]) is None


# --- answers in one piece -------------------------------------------------------------


def whole(content="", finish="tool_calls", provider="openai", shared=None, **fields):
    metadata = {"model_provider": provider, "finish_reason": finish}
    message = AIMessage(content=content, response_metadata=metadata, **fields)
    generation = ChatGeneration(message=message)
    return ChatResult(generations=[generation], llm_output=shared)


def call(args=None, id_="1"):
    return {"name": "write_file", "args": ARGS if args is None else args, "id": id_}


def invalid(args, id_="2"):
    return {"name": "write_file", "args": args, "id": id_, "error": "no JSON"}


@pytest.mark.parametrize("args", [CUT, "words", None])
def test_a_call_that_langchain_could_not_read_is_broken(args):
    answer = whole(tool_calls=[call()], invalid_tool_calls=[invalid(args)])
    fault = JUDGE.fault_of_result(answer)
    assert isinstance(fault, BrokenToolCall)
    assert Policy().verdict(fault.failure) is Verdict.RETRY
    assert fault.answer.tool_calls[0]["args"] == ARGS


@pytest.mark.parametrize(
    "fields",
    [
        {"tool_calls": [call()]},
        {"tool_calls": [call({})]},
        {"tool_calls": [call(), call({}, "2")]},
        {"tool_calls": [call({"__arg1": "print("})]},
        {"invalid_tool_calls": [invalid(" ")]},
        {"content": [{"type": "refusal", "refusal": "I won't."}]},
        {"additional_kwargs": {"refusal": "I won't."}},
        {"content": "half an ans", "finish": "length"},
        {"content": [{"type": "server_tool_use", "input": {}}], "finish": "max_tokens"},
        {"content": [{"type": "image", "base64": "..."}], "finish": "stop"},
    ],
)
def test_an_answer_in_one_piece_that_is_one(fields):
    assert JUDGE.fault_of_result(whole(**fields)) is None


@pytest.mark.parametrize("provider", ["anthropic", "google_genai", "ollama", "mine"])
@pytest.mark.parametrize("finish", ["length", "max_tokens", "MAX_TOKENS"])
def test_a_last_mapping_that_the_limit_may_have_cut_is_broken(provider, finish):
    calls = [call(), call({"path": "/etc/app.conf", "content": ""}, "2")]
    fault = JUDGE.fault_of_result(
        whole(finish=finish, tool_calls=calls, provider=provider)
    )
    assert isinstance(fault, BrokenToolCall)
    assert Policy().verdict(fault.failure) is Verdict.NEXT
    assert [one["id"] for one in fault.answer.tool_calls] == ["1"]
    assert [one["id"] for one in fault.answer.invalid_tool_calls] == ["2"]


def test_a_text_that_was_read_to_its_end_is_whole():
    answer = whole(finish="length", tool_calls=[call()])
    assert JUDGE.fault_of_result(answer) is None
    answer.generations[0].message.response_metadata.pop("model_provider")
    assert JUDGE.fault_of_result(answer) is not None
    answer.llm_output = {"model_provider": "openai"}
    assert JUDGE.fault_of_result(answer) is None


def test_an_answer_of_no_generation_is_incomplete():
    assert isinstance(
        JUDGE.fault_of_result(ChatResult(generations=[])), IncompleteStream
    )


# --- finish reasons -------------------------------------------------------------------

ODDLY = ["malformed_function_call", "unexpected_tool_call", "malformed_tool_use"]
LEFT = {
    "nothing": [],
    "thoughts": [chunk([{"type": "thinking", "thinking": "I will call it."}])],
    "a leaked tail": [chunk(",unit:celsius}]})}}")],
}


@pytest.mark.parametrize("finish", ODDLY)
@pytest.mark.parametrize("left", LEFT.values(), ids=list(LEFT))
@pytest.mark.parametrize("judge", [JUDGE, AnswerJudge(accepts_empty=True)])
def test_a_finish_that_says_that_the_call_broke(finish, left, judge):
    assert isinstance(fault_of([*left, ends(finish)], judge), BrokenToolCall)
    message = merged(left)
    answer = whole(message.content, finish.upper())
    assert isinstance(judge.fault_of_result(answer), BrokenToolCall)


@pytest.mark.parametrize("finish", sorted(PROVIDER_BROKE))
def test_a_finish_that_says_that_the_provider_broke(finish):
    parts = [chunk("half"), ends(finish)]
    assert isinstance(fault_of(parts), FinishedWithError)
    assert isinstance(JUDGE.fault_of_result(whole("half", finish)), FinishedWithError)


FILTERS = ["content_filter", "refusal", "safety", "recitation", "guardrail_intervened"]


@pytest.mark.parametrize("finish", [*FILTERS, "prompt_blocked"])
@pytest.mark.parametrize("said", ["", "half an ans"])
def test_a_filters_finish_is_a_failure_where_the_user_says_so(finish, said):
    parts, answer = [chunk(said), ends(finish)], whole(said, finish)
    assert fault_of(parts) is None
    assert JUDGE.fault_of_result(answer) is None
    for fault in (fault_of(parts, GOES_ON), GOES_ON.fault_of_result(answer)):
        assert isinstance(fault, FilteredAnswer)
        assert fault.failure.kind is FailureKind.CONTENT_POLICY
        assert fault.answer.text == said


def test_half_a_call_counts_before_the_filter_once_it_was_shown():
    parts = openai(CUT, finish="content_filter")
    assert isinstance(fault_of(parts, GOES_ON), FilteredAnswer)
    assert isinstance(fault_of(parts, GOES_ON, shown=True), BrokenToolCall)


def test_the_length_is_no_filter():
    assert fault_of([chunk("half"), ends("length")], GOES_ON) is None


# --- silence --------------------------------------------------------------------------

SILENT = {
    "nothing": {"content": ""},
    "blanks": {"content": " \n\t"},
    "thinking": {"content": [{"type": "thinking", "thinking": "Hm."}]},
    "thinking and a blank text": {
        "content": [
            {"type": "thinking", "thinking": "Hm."},
            {"type": "text", "text": "\n"},
        ]
    },
    "reasoning beside the content": {
        "content": "",
        "additional_kwargs": {"reasoning_content": "Hm."},
    },
}


@pytest.mark.parametrize("fields", SILENT.values(), ids=list(SILENT))
@pytest.mark.parametrize("finish", ["stop", "end_turn", "completed", "ended"])
def test_an_answer_that_says_nothing_is_empty(fields, finish):
    parts, answer = [chunk(**fields), ends(finish)], whole(**fields, finish=finish)
    assert isinstance(fault_of(parts), EmptyAnswer)
    assert isinstance(JUDGE.fault_of_result(answer), EmptyAnswer)
    accepts = AnswerJudge(accepts_empty=True)
    assert fault_of(parts, accepts) is None
    assert accepts.fault_of_result(answer) is None


@pytest.mark.parametrize("fields", SILENT.values(), ids=list(SILENT))
def test_without_a_finish_it_was_cut(fields):
    assert isinstance(fault_of([chunk(**fields)], finish=None), IncompleteStream)


def test_an_empty_answer_keeps_what_to_return():
    fault = fault_of([ends("stop")], answer="kept")
    assert fault.answer == "kept"


def test_a_stream_that_should_have_said_why_it_ends_was_cut():
    assert fault_of([chunk("half")], finish=None) is None
    cut = fault_of([chunk("half")], finish=None, expects_finish=True)
    assert isinstance(cut, IncompleteStream)


# --- the message of a failed answer ---------------------------------------------------


def test_a_message_of_half_a_stream_has_no_call_that_could_run():
    message = merged(openai(FULL, CUT)[:-3])
    assert [one["args"] for one in message.tool_calls] == [ARGS]
    assert len(message.invalid_tool_calls) == 1
    assert merged([]).content == ""


def test_nor_does_its_content():
    block = {"type": "tool_call_chunk", "name": "f", "args": CUT, "id": "1", "index": 0}
    half = chunk(
        [block],
        metadata={"output_version": "v1"},
        tool_call_chunks=[piece(CUT, "f", "1")],
        chunk_position="last",
    )
    [one] = merged([half]).content
    assert one["type"] == "invalid_tool_call"


def test_what_we_say_of_an_answer_holds_no_word_of_it():
    for fault in (
        fault_of(openai(CUT)),
        fault_of([chunk("secret"), ends("refusal")], GOES_ON),
        JUDGE.fault_of_result(whole(invalid_tool_calls=[invalid("secret {")])),
    ):
        assert "app.conf" not in str(fault)
        assert "secret" not in str(fault)
