"""Errors that help the person at 3 a.m."""

from __future__ import annotations

import pickle
import traceback
from dataclasses import replace
from pathlib import Path

import httpx
import openai
import pytest
from langchain_core.exceptions import ModelError
from langchain_core.messages import AIMessage

import langchain_reliable
from langchain_reliable._text.terminal import cells
from langchain_reliable.errors import (
    AllModelsFailed,
    FirstChunkTimeout,
    IncompleteStream,
    OutputNotParsed,
    SchemaNotBound,
    StreamInterrupted,
    ToolsNotSupported,
    describe_failure,
)
from langchain_reliable.events import AttemptRecord
from langchain_reliable.failures import PROPAGATE, Failure, FailureKind


def tried(number, candidate="gpt-5.4", nth=1, kind="server_error", wait=0.0, **facts):
    failure = Failure(kind=FailureKind(kind), **facts)
    error = RuntimeError(f"{candidate} {number}")
    return AttemptRecord(
        number=number,
        candidate=candidate,
        nth=nth,
        wait=wait,
        seconds=0.5,
        failure=failure,
        error=error,
    )


HERE = Path(langchain_reliable.__file__).parent
LIMITED = "rate limited (429), asked to wait"


def test_the_table():
    error = AllModelsFailed(
        [
            tried(1, kind="rate_limited", status=429, retry_after=2.0),
            tried(2, nth=2, wait=2.0, kind="rate_limited", status=429, retry_after=40),
            tried(3, "claude-sonnet-5", kind="auth", status=401),
        ],
        "no time left",
    )
    lines = str(error).replace(f"\n{' ' * 12}", " ").splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        "no model answered (3 attempts on 2 models, 3.5 s): no time left",
        f"gpt-5.4 attempt 1 retried after 2.0 s {LIMITED} 2.0 s",
        f"gpt-5.4 attempt 2 moved on {LIMITED} 40.0 s",
        "claude-sonnet-5 attempt 1 gave up not authorized (401)",
        "claude-sonnet-5: check the API key and what it may do",
    ]
    starts = {line.index("rate ") for line in lines if "rate " in line}
    assert len(starts) == 1
    assert isinstance(error, ModelError)


LONG = "x" * 40 + " " + "words " * 60
WIDE = "\N{CJK UNIFIED IDEOGRAPH-4E2D}" * 60


@pytest.mark.parametrize(
    "name", ["a", "claude-sonnet-5", "n" * 90, "us.anthropic " * 4]
)
@pytest.mark.parametrize("summary", ["", "short", LONG, "x" * 300, WIDE])
@pytest.mark.parametrize("why", ["", "why " * 40])
def test_no_line_is_wider_than_88_columns(name, summary, why):
    rows = [
        tried(n, name, nth=n, kind="auth", wait=12.5, summary=summary)
        for n in range(1, 12)
    ]
    lines = str(AllModelsFailed(rows, why)).splitlines()
    assert max(map(cells, lines)) <= 88
    assert len(lines) <= 30


def test_where_there_is_no_room_beside_what_was_said_stands_below():
    rows = [tried(1, "n" * 29, wait=0.0), tried(2, "n" * 29, nth=2, wait=100.0)]
    lines = str(AllModelsFailed(rows)).splitlines()[1:3]
    assert lines[0].endswith("retried after 100.0 s")
    assert lines[1] == "      server error"


CALLS = """
def call(child):
    try:
        child()
    except Exception as error:
        return error
"""


def test_a_traceback_begins_where_the_child_was_called():
    def child():
        raise RuntimeError("down")

    frames = {}
    exec(compile(CALLS, str(HERE / "_runtime" / "x.py"), "exec"), frames)  # noqa: S102
    error = frames["call"](child)
    cause = AllModelsFailed([replace(tried(1), error=error)]).__cause__
    assert cause is error
    frames = traceback.extract_tb(cause.__traceback__)
    assert [frame.name for frame in frames] == ["child"]


def test_a_long_trail_shows_its_ends():
    error = AllModelsFailed([tried(n, nth=n) for n in range(1, 13)])
    rows = str(error).splitlines()[1:]
    assert len(rows) == 9
    assert "4 more" in rows[4]
    assert "attempt 12" in rows[-1]


def test_the_text_is_bounded():
    error = AllModelsFailed([tried(n, summary="x" * 500) for n in range(1, 13)])
    assert len(str(error)) < 2048


def test_survives_pickling():
    error = AllModelsFailed([tried(1), tried(2)], "why")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert str(again) == str(error)
    assert again.attempts == error.attempts


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (Failure(kind=FailureKind.TIMEOUT), "timed out"),
        (Failure(kind=FailureKind.SERVER_ERROR, status=200), "server error"),
        (
            Failure(kind=FailureKind.AUTH, status=401, summary="bad key"),
            "not authorized (401): bad key",
        ),
        (
            Failure(kind=FailureKind.AUTH, status=401, summary="401 bad_key: no"),
            "not authorized: 401 bad_key: no",
        ),
    ],
)
def test_describes_a_failure(failure, said):
    assert describe_failure(failure) == said


def test_every_kind_has_words():
    assert all(describe_failure(Failure(kind=kind)) for kind in FailureKind)


def test_propagate_reads_well():
    assert repr(PROPAGATE) == "PROPAGATE"


@pytest.mark.parametrize(
    "error",
    [
        StreamInterrupted(
            partial=AIMessage(content="half"),
            served_by="a",
            attempts=[tried(1)],
            failure=Failure(kind=FailureKind.TIMEOUT),
        ),
        FirstChunkTimeout(3.0),
        ToolsNotSupported("Whole"),
        SchemaNotBound("Whole"),
        OutputNotParsed("half"),
        IncompleteStream(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_error_survives_pickling(error):
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert again.failure == error.failure


def test_an_error_can_be_unpickled_though_those_of_sdks_cannot():
    request = httpx.Request("POST", "https://api.example.com")
    response = httpx.Response(503, request=request)
    sdk = openai.APIStatusError("down", response=response, body=None)
    attempt = replace(tried(1, status=503), error=sdk)
    failure, said = attempt.failure, AIMessage("half an ans")
    broken = StreamInterrupted(
        partial=said, served_by="a", attempts=[attempt], failure=failure
    )
    for error in (AllModelsFailed([attempt]), broken):
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
        assert str(copy) == str(error)
        assert [one.failure for one in copy.attempts] == [failure]
