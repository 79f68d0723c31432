"""Observers never break a call, and none is called for a token."""

from __future__ import annotations

import json
import logging
import threading

import pytest

from langchain_reliable import AllModelsFailed, StreamInterrupted
from langchain_reliable.observers import LoggingObserver
from langchain_reliable.testing import ScriptedChatModel, fails, says

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
        go_on.wait(5)

    slow = reliable(ScriptedChatModel(), observers=[blocks])
    thread = threading.Thread(target=slow.invoke, args=("?",))
    thread.start()
    try:
        assert blocked.wait(5)
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
    lines = [one.getMessage() for one in caplog.records]
    assert [line.split(" after ")[0] for line in lines] == [
        "ill attempt 1 failed",
        "waiting 0.25 s for ill",
        "ill attempt 2 failed",
        "moving on: ill -> well",
        "well broke off in mid-answer: connection failed: ConnectionError",
    ]
    assert PROMPT not in "".join(lines)


def test_a_warning_says_what_to_do(reliable, caplog):
    class Locked(Exception):
        status_code = 401

    ill = ScriptedChatModel(model="ill", script=[Locked("no")])
    reliable(ill, ScriptedChatModel()).invoke("?")
    (line,) = [one for one in caplog.records if one.levelname == "WARNING"]
    assert line.getMessage().endswith("(check its key and what that may do)")


def test_lines_go_where_they_are_sent(reliable, caplog):
    mine = logging.getLogger("mine")
    caplog.set_level(logging.INFO, "mine")
    ill = ScriptedChatModel(script=[ConnectionError("no")])
    with pytest.raises(AllModelsFailed):
        reliable(ill, ill, observers=[LoggingObserver(mine)]).invoke("?")
    assert "no model answered" in [
        one.getMessage().split(" after ")[0]
        for one in caplog.records
        if one.name == "mine"
    ]


# --- the trail --------------------------------------------------------------------


def test_the_trail_is_plain_json_bounded_and_without_text(surface, reliable):
    ill = ScriptedChatModel(model="ill", script=[ConnectionError(PROMPT)])
    well = ScriptedChatModel(model="well", script=["a secret answer"])
    outcome = surface(reliable(ill, well), PROMPT)
    trail = outcome.trail
    assert list(trail) == ["served_by", "attempts", "skipped", "failed_over"]
    for one in trail["attempts"]:
        assert list(one) == ["candidate", "kind", "status", "seconds", "wait"]
    assert trail["served_by"] == "well"
    assert trail["failed_over"] is True
    assert trail["attempts"][0]["kind"] == "connection"
    assert trail["attempts"][-1]["kind"] is None
    told = json.dumps(trail)
    assert json.loads(told) == trail
    assert "secret" not in told
    assert len(told) < 1000


def test_an_error_carries_the_same_records(reliable):
    ill = ScriptedChatModel(model="ill", script=[ConnectionError("no")])
    model = reliable(ill, ill, max_retries=9, circuit_breaker=None, max_attempts=5)
    with pytest.raises(AllModelsFailed) as caught:
        model.invoke(PROMPT)
    attempts = caught.value.attempts
    assert [one.number for one in attempts] == [1, 2, 3, 4, 5]
    assert {one.failure.kind.value for one in attempts} == {"connection"}
    assert PROMPT not in str(caught.value)
