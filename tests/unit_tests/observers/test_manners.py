"""Observers never break a call, and none is called for a token."""

from __future__ import annotations

import json
import logging
import threading

import pytest
from langchain_core.messages import AIMessageChunk

from langchain_reliable import AllModelsFailed, CircuitBreaker, StreamInterrupted
from langchain_reliable.observers import LoggingObserver
from langchain_reliable.testing import (
    ScriptedChatModel,
    Turn,
    Usage,
    fails,
    says,
    streams,
)

PROMPT = "a secret prompt"


class Raises:
    """An observer that raises at every event."""

    def __call__(self, event):
        raise ValueError("not today")


def test_one_that_raises_is_told_of_once_and_breaks_nothing(surface, reliable, caplog):
    class Unheard(Raises):
        pass

    ill = ScriptedChatModel(model="ill", script=[ConnectionError("no")])
    heard = []
    model = reliable(
        ill, ScriptedChatModel(script=["Hi."]), observers=[Unheard(), heard.append]
    )
    for _ in range(2):
        assert surface(model).text == "Hi."
    assert [one.levelname for one in caplog.records].count("ERROR") == 1
    assert heard


@pytest.mark.parametrize("words", [1, 500])
def test_none_is_called_for_a_token(surface, reliable, words):
    heard = []
    answer = says(" ".join(["word"] * words))
    model = reliable(ScriptedChatModel(script=[answer]), observers=[heard.append])
    surface(model)
    assert [type(one).__name__ for one in heard] == [
        "AttemptStarted",
        "Committed",
        "Answered",
    ]


def test_one_that_blocks_holds_up_its_own_call_alone(reliable):
    blocked, go_on = threading.Event(), threading.Event()

    def blocks(event):
        blocked.set()
        go_on.wait(30)

    slow = reliable(ScriptedChatModel(), observers=[blocks])
    thread = threading.Thread(target=slow.invoke, args=("?",))
    thread.start()
    try:
        assert blocked.wait(30)
        assert reliable(ScriptedChatModel()).invoke("?").text
        assert thread.is_alive()
    finally:
        go_on.set()
        thread.join()


def test_the_log_has_a_line_for_each_step_and_no_prompt(reliable, caplog):
    caplog.set_level(logging.DEBUG, "langchain_reliable")
    ill = ScriptedChatModel(model="ill", script=[ConnectionError("no")])
    well = ScriptedChatModel(
        model="well", script=[fails(ConnectionError, says("one two"), after=1)]
    )
    with pytest.raises(StreamInterrupted):
        list(reliable(ill, well, max_retries=1).stream(PROMPT))
    failed = "failed after 0.00 s: connection failed: ConnectionError: no"
    assert caplog.messages == [
        f"ill attempt 1 {failed}; retrying in 0.25 s",
        f"ill attempt 2 {failed}; switching to well",
        "well broke off in mid-answer: connection failed: ConnectionError",
    ]
    assert PROMPT not in caplog.text


class Status(Exception):
    def __init__(self, code: int, wait: str = "") -> None:
        super().__init__(f"no ({code})")
        self.status_code = code
        headers = {"retry-after": wait} if wait else {}
        self.response = type("R", (), {"headers": headers, "status_code": code})()


def scripted(name, *script):
    return ScriptedChatModel(model=name, script=list(script))


@pytest.mark.parametrize(
    ("scripts", "settings", "ends"),
    [
        (
            [[[Status(429, "2")], [Status(500), "Hi."]]],
            {},
            ["; switching to b", "; retrying in 0.25 s"],
        ),
        (
            [[[Status(429, "2"), "Hi."], [Status(401)]]],
            {},
            ["; switching to b", "; asking a in 2.00 s"],
        ),
        (
            [[says("")], [ConnectionError("no")]],
            {"max_retries": 0},
            ["; switching to b", "; returning the empty answer of a"],
        ),
        (
            [[Status(503)], [Status(404)]],
            {"max_retries": 2, "initial_backoff": 0},
            [
                "; retrying at once",
                "; retrying at once",
                "; left alone for 20 s; switching to b",
                "; no model answered (4 attempts)",
            ],
        ),
        ([[Status(401)]], {}, ["; no model answered (1 attempt)"]),
    ],
    ids=["a sibling", "back to a sibling", "an empty answer", "nobody", "one alone"],
)
def test_a_line_ends_with_what_comes_of_it(
    surface, reliable, caplog, scripts, settings, ends
):
    caplog.set_level(logging.INFO, "langchain_reliable")
    names = iter("ab")
    models = [
        [scripted(next(names), *one) for one in item]
        if isinstance(item[0], list)
        else scripted(next(names), *item)
        for item in scripts
    ]
    surface(reliable(*models, **settings))
    lines = [line for line in caplog.messages if "answers again" not in line]
    assert len(lines) == len(ends)
    for line, end in zip(lines, ends, strict=True):
        assert line.endswith(end)
        assert " failed after 0.00 s: " in line


@pytest.mark.parametrize("surface", ["stream", "astream"], indirect=True)
def test_a_circuit_that_opens_after_the_commit_and_closes_again(
    surface, reliable, clock, caplog
):
    caplog.set_level(logging.INFO, "langchain_reliable")
    child = scripted("a", fails(Status(500), says("one two"), after=1), "Hi.")
    model = reliable(child, scripted("b"), circuit_breaker=CircuitBreaker(failures=1))
    surface(model)
    clock.time += 60
    surface(model)
    broke, alone, again = caplog.messages
    assert broke.startswith("a broke off in mid-answer: server error: 500")
    assert alone == "a left alone for 20 s: it failed too often in a row"
    assert again == "a answers again"


def test_nobody_being_free_is_told_too(reliable, caplog):
    locked = [scripted(name, Status(401)) for name in "ab"]
    model = reliable(*locked, fail_fast=True)
    for _ in range(2):
        with pytest.raises(AllModelsFailed):
            model.invoke("?")
    assert caplog.messages[-1] == "no model answered: none is free to be asked"


def test_a_warning_says_what_to_do(reliable, caplog):
    class Locked(Exception):
        status_code = 401

    ill = ScriptedChatModel(model="ill", script=[Locked("no")])
    reliable(ill, ScriptedChatModel()).invoke("?")
    (line,) = [one for one in caplog.records if one.levelname == "WARNING"]
    assert "(check the API key and what it may do); switching to" in line.getMessage()


@pytest.mark.parametrize("mine", [logging.getLogger("mine"), "mine"])
def test_lines_go_where_they_are_sent(reliable, caplog, mine):
    caplog.set_level(logging.INFO, "mine")
    ill = ScriptedChatModel(script=[ConnectionError("no")])
    with pytest.raises(AllModelsFailed):
        reliable(ill, ill, observers=[LoggingObserver(mine)]).invoke("?")
    *_, last = [one.getMessage() for one in caplog.records if one.name == "mine"]
    assert last.endswith("; no model answered (4 attempts)")


def test_lines_go_to_a_logger_or_to_its_name():
    with pytest.raises(TypeError, match="of type int; write a logger or its name"):
        LoggingObserver(3)


# --- the trail --------------------------------------------------------------------


def test_the_trail_is_plain_json_bounded_and_without_text(surface, reliable):
    ill = ScriptedChatModel(model="ill", script=[ConnectionError(PROMPT)])
    well = ScriptedChatModel(model="well", script=["a secret answer"])
    outcome = surface(reliable(ill, well), PROMPT)
    trail = outcome.trail
    assert list(trail) == ["served_by", "attempts", "skipped", "failed_over"]
    for one in trail["attempts"]:
        assert list(one) == [
            "candidate",
            "kind",
            "status",
            "seconds",
            "wait",
            "opened",
            "usage",
        ]
    assert trail["served_by"] == "well"
    assert trail["failed_over"] is True
    assert trail["attempts"][0]["kind"] == "connection"
    assert trail["attempts"][-1]["kind"] is None
    told = json.dumps(trail)
    assert json.loads(told) == trail
    assert "secret" not in told
    assert len(told) < 1000


@pytest.mark.parametrize("surface", ["stream", "astream"], indirect=True)
def test_a_stall_is_told_apart_from_a_way_that_is_shut(surface, reliable):
    told = []
    silent = scripted("silent", fails(Status(500), says("x", silent=3)))
    shut, well = scripted("shut", ConnectionError("no")), scripted("well", "Hi.")
    model = reliable(silent, shut, well, max_retries=0, observers=[told.append])
    outcome = surface(model)
    assert [one["opened"] for one in outcome.trail["attempts"]] == [0.0, None, 0.0]
    records = [one.attempt for one in told if hasattr(one, "attempt")]
    assert [(one.opened, one.held) for one in records] == [(0.0, 3), (None, 0), (0, 0)]


COST = {"input_tokens": 700, "output_tokens": 3}
FINISH = AIMessageChunk(content="", response_metadata={"finish_reason": "stop"})
USED = AIMessageChunk(content="", usage_metadata={**COST, "total_tokens": 703})


@pytest.mark.parametrize(
    ("story", "known"),
    [
        ([says("", usage=Usage(input_tokens=700, output_tokens=3))], COST),
        (
            [streams(USED, USED, Status(500))],
            {"input_tokens": 1400, "output_tokens": 6},
        ),
        ([Status(503)], None),
    ],
    ids=["an empty answer", "a stream that broke", "a refusal"],
)
def test_tokens_of_a_rejected_attempt_are_told_apart(surface, reliable, story, known):
    model = reliable(scripted("ill", *story), scripted("well", "Hi."), max_retries=0)
    outcome = surface(model)
    rejected, answered = outcome.trail["attempts"]
    in_one_piece = not surface.streams and isinstance(story[0], Turn)
    assert rejected["usage"] == (None if in_one_piece else known)
    assert answered["usage"] is None
    assert outcome.message.usage_metadata["input_tokens"] < 700
    assert list(outcome.usage) == ["well"]


def test_tokens_of_an_answer_that_is_returned_stand_in_it_alone(surface, reliable):
    ill = scripted("ill", says("", usage=Usage(input_tokens=700, output_tokens=3)))
    outcome = surface(reliable(ill, max_retries=0))
    assert outcome.message.usage_metadata["input_tokens"] == 700
    assert [one["usage"] for one in outcome.trail["attempts"]] == [None]


@pytest.mark.parametrize("surface", ["stream", "astream"], indirect=True)
def test_tokens_that_are_told_chunk_by_chunk_add_up(surface, reliable):
    told = []
    child = scripted("a", streams(USED, "one", *[USED, "two"] * 9, FINISH))
    outcome = surface(reliable(child, observers=[told.append]))
    assert outcome.message.usage_metadata["input_tokens"] == 7000
    assert (told[-1].input_tokens, told[-1].output_tokens) == (7000, 30)


@pytest.mark.parametrize("surface", ["stream", "astream"], indirect=True)
def test_tokens_of_a_broken_answer_are_in_its_record(surface, reliable):
    told = []
    ill = scripted("ill", streams("one", USED, Status(500)))
    error = surface(reliable(ill, observers=[told.append])).error
    (attempt,) = error.attempts
    assert (attempt.input_tokens, attempt.output_tokens) == (700, 3)
    assert (told[-1].input_tokens, told[-1].output_tokens) == (700, 3)


def test_an_error_carries_the_same_records(reliable):
    ill = ScriptedChatModel(model="ill", script=[ConnectionError("no")])
    model = reliable(ill, ill, max_retries=9, circuit_breaker=None, max_attempts=5)
    with pytest.raises(AllModelsFailed) as caught:
        model.invoke(PROMPT)
    attempts = caught.value.attempts
    assert [one.number for one in attempts] == [1, 2, 3, 4, 5]
    assert {one.failure.kind.value for one in attempts} == {"connection"}
    assert PROMPT not in str(caught.value)
