"""A second of soak, and what its judge says to answers that are none."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk

from benchmarks import soak
from benchmarks.soak_calls import Call, Contender, Told
from benchmarks.soak_judge import MARKS, VERDICTS, marks, verdict
from benchmarks.soak_listeners import Screen
from benchmarks.soak_report import table
from benchmarks.soak_rest import Before
from benchmarks.soak_stage import Plan
from langchain_reliable import Health, StreamInterrupted
from langchain_reliable.failures import Failure, FailureKind

ASKED = Contender(name="asked", views={}, health=Health())
WELL = ("healthy",)
PLAN = Plan(7, 3, {"first": ("content-then-cut",), "second": WELL})
FIRST, SECOND = "7.first.0 7.first.1 7.first.2", "7.second.0 7.second.1 7.second.2"


def test_a_second_of_it_is_all_right(monkeypatch):
    monkeypatch.setattr(soak, "PAIRS", 2)
    report = soak.run(1.2, seed=4, round_=0.6).as_dict()
    assert report["ok"], table(report)
    assert tuple(report["answers"]) == VERDICTS
    assert report["answers"]["right"] > 10
    assert report["answers"]["wrong"] == report["answers"]["lost"] == 0
    assert set(report["left behind"].values()) == {0}
    assert {"tasks", "threads", "sockets", "generators"} <= set(report["left behind"])
    assert set(report["memory per 1,000 calls"]) == {"kB", "blocks"}
    assert set(report["milliseconds"]) == {"under load", "at rest"}
    assert report["milliseconds"]["at rest"]["stream"].keys() >= {"added p50"}
    assert set(report["seen"]) == set(MARKS)
    assert json.loads(json.dumps(report)) == report
    assert "left behind" in table(report)


def judged(told, way="stream", kind="text"):
    call = Call(asked=ASKED, plans=(PLAN,), way=way, kind=kind)
    return verdict(call, PLAN, told)[0]


def shown(*pieces):
    told = Told()
    for piece in pieces:
        told.take(AIMessageChunk(content=piece))
    return told


@pytest.mark.parametrize(
    ("pieces", "word"),
    [
        ((SECOND,), "right"),
        ((SECOND[:10], SECOND[10:]), "right"),
        ((SECOND[:10],), "wrong"),
        ((SECOND, SECOND), "wrong"),
        ((FIRST[:9], SECOND), "wrong"),
        ((), "wrong"),
        (("8.second.0 8.second.1 8.second.2",), "wrong"),
    ],
    ids=["whole", "in pieces", "short", "doubled", "mixed", "nothing", "another's"],
)
def test_only_one_candidates_whole_answer_is_right(pieces, word):
    assert judged(shown(*pieces)) == word


def test_a_trail_that_names_another_is_wrong():
    trail = {"reliable": {"served_by": "first"}}
    told = Told(whole=AIMessage(SECOND, response_metadata=trail))
    assert judged(told, "invoke") == "wrong"


@pytest.mark.parametrize(
    ("pieces", "partial", "word"),
    [
        ((FIRST[:9],), FIRST[:9], "typed"),
        ((FIRST[:9],), FIRST, "wrong"),
        ((FIRST[:9], SECOND[:9]), FIRST[:9] + SECOND[:9], "wrong"),
    ],
    ids=["as shown", "more than shown", "mixed"],
)
def test_an_interruption_says_what_was_shown(pieces, partial, word):
    told = shown(*pieces)
    told.error = StreamInterrupted(
        partial=AIMessage(partial),
        served_by="first",
        attempts=(),
        failure=Failure(kind=FailureKind.CONNECTION, summary="cut"),
    )
    assert judged(told) == word


def test_an_error_that_should_not_have_left_is_wrong():
    assert judged(Told(error=ConnectionError("reset"))) == "wrong"


def test_who_leaves_has_seen_the_beginning_of_one_answer():
    told = shown(FIRST[:9])
    told.left = True
    assert judged(told) == "left"
    told.take(AIMessageChunk(content=SECOND))
    assert judged(told) == "wrong"


def screened(*pieces):
    """Return what a UI was told: chunks by message id, or a message to remove."""
    told = Told(screen=Screen())
    for number, text in pieces:
        told.screen.take(AIMessageChunk(content=text, id=number))
    told.look_at_screen()
    return told


def test_an_answer_that_was_taken_back_is_right_if_the_next_one_is_whole():
    told = screened(("1", FIRST[:9]), ("2", SECOND))
    told.whole = AIMessage(SECOND)
    assert judged(told, "heard") == "right"
    assert marks(told) == ["restarted"]


def test_an_answer_that_was_not_taken_back_is_wrong():
    told = screened(("1", FIRST[:9]), ("1", SECOND))
    told.whole = AIMessage(SECOND)
    assert judged(told, "heard") == "wrong"


def test_a_broken_answer_that_nobody_restarts_is_wrong_where_somebody_could():
    told = screened(("1", FIRST[:9]))
    told.error = StreamInterrupted(
        partial=AIMessage(FIRST[:9]),
        served_by="first",
        attempts=(),
        failure=Failure(kind=FailureKind.CONNECTION, summary="cut"),
    )
    assert judged(told, "heard") == "typed"
    restarts = Contender(name="asked", views={}, health=Health(), restarts=True)
    call = Call(asked=restarts, plans=(PLAN,), way="heard")
    assert verdict(call, PLAN, told)[0] == "wrong"


def test_what_answers_went_through_is_counted():
    rows = [
        {"candidate": "first", "kind": None, "lost": True},
        {"candidate": "second", "kind": None, "hedged": True},
    ]
    trail = {"reliable": {"served_by": "second", "attempts": rows}}
    told = Told(whole=AIMessage(SECOND, response_metadata=trail))
    assert marks(told) == ["hedged", "won by the hedge"]


def test_what_is_left_behind_is_told():
    over = threading.Event()
    loop = asyncio.new_event_loop()
    runs = threading.Thread(target=loop.run_forever)
    runs.start()
    before = Before()
    left = threading.Thread(target=over.wait, name="forgotten")
    left.start()
    try:
        told = before.details(loop)
    finally:
        over.set()
        loop.call_soon_threadsafe(loop.stop)
        runs.join()
        left.join()
        loop.close()
    assert "thread forgotten" in told
    assert "in wait" in told
