"""The timeline: what it keeps, and pictures with nothing cut or overlapping."""

from __future__ import annotations

import asyncio
import copy
import pickle
import re
import threading
import xml.etree.ElementTree as ET
from io import StringIO

import pytest
from rich.console import Console

from langchain_reliable import AllModelsFailed, FailureKind, ReliableChatModel
from langchain_reliable.events import (
    Abandoned,
    Answered,
    AttemptFailed,
    AttemptRecord,
    AttemptStarted,
    Committed,
    GaveUp,
    Interrupted,
    Waiting,
)
from langchain_reliable.failures import Failure
from langchain_reliable.observers import Timeline
from langchain_reliable.testing import ScriptedChatModel, fails, says

LONG = "anthropic.claude-sonnet-4-5-20250929-v1:0"
DOWN = Failure(kind=FailureKind.SERVER_ERROR, status=503, summary="503: no")
LIMITED = Failure(kind=FailureKind.RATE_LIMITED, status=429)
SILENT = Failure(kind=FailureKind.TIMEOUT, summary="nothing was said")
CUT = Failure(kind=FailureKind.CONNECTION, summary="ReadError")


class Told:
    """Tells a timeline of a made-up call."""

    def __init__(
        self, timeline: Timeline, call: int = 1, *, streams: bool = True
    ) -> None:
        self.timeline, self.call, self.at = timeline, call, 100.0
        self.streams = streams
        self.number = 0
        self.nths: dict[str, int] = {}

    def asks(self, candidate, wait=0.0):
        if wait:
            self._tell(Waiting, candidate=candidate, seconds=wait)
        self.at += wait
        self.number += 1
        nth = self.nths[candidate] = self.nths.get(candidate, 0) + 1
        facts = {"number": self.number, "nth": nth, "streams": self.streams}
        self._tell(AttemptStarted, candidate=candidate, **facts)
        return nth

    def tries(self, candidate, seconds, failure=None, wait=0.0, opened=None, held=0):
        nth = self.asks(candidate, wait)
        self.at += seconds
        record = AttemptRecord(
            number=self.number,
            candidate=candidate,
            nth=nth,
            wait=wait,
            seconds=seconds,
            opened=opened,
            held=held,
            failure=failure,
            error=ValueError("a secret prompt") if failure else None,
        )
        how = Committed if failure is None else AttemptFailed
        self._tell(how, attempt=record)
        return self

    def ends(self, how, after=0.0, **facts):
        self.at += after
        self._tell(how, **facts)

    def _tell(self, how, **facts):
        self.timeline(how(call=self.call, at=self.at, **facts))


def one_attempt(told):
    told.tries("gpt-5.4", 0.4).ends(Answered, 1.3, candidate="gpt-5.4")


def three_attempts(told):
    told.tries("gpt-5.4", 0.31, DOWN, opened=0.1, held=2)
    told.tries("gpt-5.4", 0.25, DOWN, wait=0.7)
    told.tries("claude-sonnet-5", 0.4).ends(Answered, 1.9, candidate="claude-sonnet-5")


def eight_attempts(told):
    told.tries("gpt-5.4", 0.002, LIMITED).tries("gpt-5.4", 0.002, LIMITED, wait=0.5)
    told.tries("gpt-5.4", 0.002, LIMITED, wait=1).tries(LONG, 60, CUT)
    told.tries(f"azure/{LONG}/{LONG}", 0.1, DOWN).tries("b", 0.1, CUT)
    told.tries("日本語モデル", 0.2, DOWN).tries("<b>&amp;", 0.3)
    told.ends(Answered, 12, candidate="<b>&amp;")


def nobody_answers(told):
    told.tries("gpt-5.4", 0.31, DOWN).tries("claude-sonnet-5", 0.4, DOWN)
    told.ends(GaveUp, attempts=())


def broken_off(told):
    told.tries("gpt-5.4", 0.4)
    told.ends(Interrupted, 0.8, candidate="gpt-5.4", failure=CUT)


def goes_on(told):
    told.tries("gpt-5.4", 0.0001, CUT).tries("claude-sonnet-5", 0.4)


def left_in_the_middle(told):
    told.tries("gpt-5.4", 0.4).ends(Abandoned, 0.5, candidate="gpt-5.4")


def in_no_time(told):
    told.tries("gpt-5.4", 0.0).ends(Answered, candidate="gpt-5.4")


def speaks_for_long(told):
    told.tries("gpt-5.4", 0.002).ends(Answered, 3599, candidate="gpt-5.4")


def held_for_long(told):
    told.tries("gpt-5.4", 0.6, SILENT, opened=0.11, held=1)
    told.tries("gpt-5.4-mini", 0.6, SILENT)
    told.tries("claude-sonnet-5", 0.4, opened=0.25, held=7)
    told.ends(Answered, 0.5, candidate="claude-sonnet-5")


def twelve_attempts(told):
    for number in range(12):
        name = f"{LONG}/{number // 3}"
        told.tries(name, 0.1 + number, DOWN, wait=number % 3, opened=0.05, held=2)
    told.ends(GaveUp, attempts=())


def one_millisecond(told):
    told.tries("gpt-5.4", 0.001, opened=0.0004, held=1)
    told.ends(Answered, 0.0001, candidate="gpt-5.4")


def three_hundred_seconds(told):
    told.tries("gpt-5.4", 0.004, DOWN)
    told.tries("claude-sonnet-5", 120, SILENT, opened=119.9, held=1)
    told.tries("claude-sonnet-5", 60, opened=0.1, held=512, wait=4)
    told.ends(Answered, 116, candidate="claude-sonnet-5")


def still_connecting(told):
    told.tries("gpt-5.4", 0.3, DOWN).asks("claude-sonnet-5")


def just_begun(told):
    told.asks("gpt-5.4")


def cancelled_while_held(told):
    told.asks("gpt-5.4")
    told.ends(Abandoned, 0.9, candidate="gpt-5.4", opened=0.3)


def left_in_a_wait(told):
    told.tries("gpt-5.4", 0.4, LIMITED).ends(Abandoned, 0.5, candidate="gpt-5.4")


def whole_answer(told):
    told.streams = False
    told.tries("gpt-5.4", 0.3, DOWN).tries("claude-sonnet-5", 1.2)
    told.ends(Answered, candidate="claude-sonnet-5")


CALLS = (
    held_for_long,
    twelve_attempts,
    one_millisecond,
    three_hundred_seconds,
    still_connecting,
    just_begun,
    cancelled_while_held,
    left_in_a_wait,
    whole_answer,
    one_attempt,
    three_attempts,
    eight_attempts,
    nobody_answers,
    broken_off,
    goes_on,
    left_in_the_middle,
    in_no_time,
    speaks_for_long,
)


@pytest.fixture
def timeline():
    return Timeline()


def test_tells_what_a_call_came_to(timeline):
    three_attempts(Told(timeline))
    assert str(timeline) == (
        "claude-sonnet-5 answered, 3 attempts, first word at 1.66 s, 3.56 s in all\n"
        "  gpt-5.4          [-+x                                     ]"
        "  server error 503  0.31 s\n"
        "    attempt 2      [   ........--x                          ]"
        "  server error 503  0.25 s  waited 0.70 s\n"
        "  claude-sonnet-5  [              ----|=====================]"
        "  answered          2.30 s\n"
        "  (- connecting  + held  x failed  | first word  = speaking  . waiting)"
    )


@pytest.mark.parametrize(
    ("call", "title"),
    [
        (just_begun, "no word yet, 1 attempt, 0 ms"),
        (left_in_a_wait, "left in a wait, 1 attempt, 0.90 s"),
        (one_attempt, "gpt-5.4 answered, 1 attempt, first word at 0.40 s, 1.70 s"),
        (nobody_answers, "nobody answered, 2 attempts, 0.71 s"),
        (broken_off, "gpt-5.4 broke off, 1 attempt, first word at 0.40 s, 1.20 s"),
        (goes_on, "claude-sonnet-5 speaks, 2 attempts, 0.40 s"),
        (
            left_in_the_middle,
            "gpt-5.4 was left early, 1 attempt, first word at 0.40 s, 0.90 s",
        ),
        (in_no_time, "gpt-5.4 answered, 1 attempt, 0 ms"),
    ],
)
def test_says_in_one_line_how_it_went(timeline, call, title):
    call(Told(timeline))
    whole = "so far" if call in (goes_on, just_begun) else "in all"
    assert timeline.last.summary.title == f"{title} {whole}"
    assert repr(timeline.last) == f"<call: {title} {whole}>"


# --- as a picture -----------------------------------------------------------------


def shapes(timeline):
    root = ET.fromstring(timeline.last.svg)  # noqa: S314 - our own
    space = "{http://www.w3.org/2000/svg}"
    return root, [one for one in root.iter() if one.tag != f"{space}style"]


@pytest.mark.parametrize("call", CALLS)
def test_nothing_in_the_picture_is_cut_or_overlaps(timeline, call):
    call(Told(timeline))
    root, parts = shapes(timeline)
    width, height = float(root.get("width")), float(root.get("height"))
    lines: dict[float, list[tuple[float, float]]] = {}
    for one in parts:
        if one.tag.endswith("text"):
            x, y, size = (float(one.get(name)) for name in ("x", "y", "font-size"))
            wide = sum(2 if ord(c) > 0x1100 and c != "…" else 1 for c in one.text)
            wide *= 7.2 * size / 12
            move = {"start": 0, "middle": 0.5, "end": 1}[one.get("text-anchor")]
            left = x - wide * move
            assert left >= -1, one.text
            assert left + wide <= width + 1, one.text
            assert size <= y <= height - 2
            lines.setdefault(y, []).append((left, left + wide))
        if one.tag.endswith("rect"):
            x, wide = float(one.get("x")), float(one.get("width"))
            assert wide >= 2.9
            assert x >= 0
            assert x + wide <= width
    for spans in lines.values():
        for before, after in zip(sorted(spans), sorted(spans)[1:], strict=False):
            assert before[1] <= after[0] + 0.5


@pytest.mark.parametrize("call", CALLS)
def test_a_notebook_gets_markup_that_follows_its_theme(timeline, call):
    call(Told(timeline))
    html = timeline._repr_html_()
    assert "<style" not in html
    assert 'fill="currentColor"' in html
    assert "prefers-color-scheme" in timeline.last.svg
    assert not re.search(r"(href|src|url\()", html)


@pytest.mark.parametrize("width", [40, 72, 100, 200])
@pytest.mark.parametrize("call", CALLS)
def test_a_terminal_gets_whole_lines(timeline, call, width):
    call(Told(timeline))
    console = Console(file=StringIO(), width=width, force_terminal=False)
    console.print(timeline)
    lines = console.file.getvalue().splitlines()
    summary = timeline.last.summary
    if width > 60:
        assert len(lines) == 2 + len(summary.entries) + (len(summary.title) > width)
        assert all(tried.what in "".join(lines) for tried in summary.tries)


def test_tells_connecting_from_held(timeline):
    held_for_long(Told(timeline))
    assert [row.split("]")[0] for row in str(timeline).splitlines()[1:4]] == [
        "  gpt-5.4          [--++++++++x                             ",
        "  gpt-5.4-mini     [           -----------x                 ",
        "  claude-sonnet-5  [                       -----+|==========",
    ]
    told = [one.text for one in shapes(timeline)[1] if one.tag.endswith("}title")]
    assert told == [
        (
            "gpt-5.4: timed out: nothing was said; "
            "first chunk after 0.11 s, 1 chunk held back"
        ),
        "gpt-5.4-mini: timed out: nothing was said; not a chunk came",
        "claude-sonnet-5: answered; first chunk after 0.25 s, 7 chunks held back",
    ]


def test_marks_where_an_answer_broke_off(timeline):
    broken_off(Told(timeline))
    (row,) = str(timeline).splitlines()[1:-1]
    assert row.startswith("  gpt-5.4  [------------|==========================x]")


def test_a_whole_answer_is_asked_for_and_no_chunk_waited_for(timeline):
    whole_answer(Told(timeline))
    assert str(timeline).endswith("(- asked  x failed  | answer)")
    assert "connecting" not in timeline.last.svg
    assert "chunk" not in timeline.last.svg


def test_names_the_commit(timeline):
    three_attempts(Told(timeline))
    assert "first word 1.66 s" in timeline.last.svg
    timeline.clear()
    in_no_time(Told(timeline))
    assert "answer 0 ms" in timeline.last.svg


# --- what is kept -----------------------------------------------------------------


def test_keeps_the_last_calls_only():
    timeline = Timeline(keep=2)
    for call in range(1, 6):
        one_attempt(Told(timeline, call))
    late = Told(timeline, 1)
    late.ends(Answered, candidate="gpt-5.4")
    assert [one.summary.number for one in timeline.calls] == [4, 5]
    assert repr(timeline) == "Timeline(keep=2): 2 calls"
    timeline.clear()
    assert timeline.last is None
    assert str(timeline) == timeline._repr_html_() == "no calls yet"


def test_keeps_at_least_one():
    with pytest.raises(ValueError, match="keep at least one"):
        Timeline(keep=0)


def test_keeps_no_exception(timeline):
    three_attempts(Told(timeline))
    nobody_answers(Told(timeline, 2))
    assert b"secret prompt" not in pickle.dumps(timeline._calls)


def test_copies_tell_the_same_timeline(timeline):
    assert copy.deepcopy(timeline) is copy.copy(timeline) is timeline
    assert pickle.loads(pickle.dumps(Timeline(keep=3)))._keep == 3  # noqa: S301 - our own


def test_calls_of_many_threads_stay_apart():
    timeline = Timeline(keep=100)
    model = ReliableChatModel(
        models=[ScriptedChatModel(model="gpt-5.4", script=["Hello there."])],
        observers=[timeline],
    )
    threads = [threading.Thread(target=model.invoke, args=("?",)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.summary.fate for one in timeline.calls} == {"answered"}
    assert len(timeline) == 20


# --- with a model -----------------------------------------------------------------


def test_follows_calls_on_every_surface(surface, reliable, timeline):
    gpt = ScriptedChatModel(model="gpt-5.4", script=[ConnectionError("no route")])
    claude = ScriptedChatModel(model="claude-sonnet-5", script=["Hello there."])
    model = reliable(gpt, claude, observers=[timeline], max_retries=1)
    surface(model)
    tries = timeline.last.attempts
    assert [one.what for one in tries] == ["connection", "connection", "answered"]
    assert tries[1].wait > 0
    assert timeline.last.summary.fate == "answered"


def test_an_empty_answer_that_is_the_best_there_is(reliable, timeline):
    gpt = ScriptedChatModel(model="gpt-5.4", script=[says("")])
    other = ScriptedChatModel(model="other", script=[ConnectionError("no")])
    reliable(gpt, other, observers=[timeline], max_retries=0).invoke("?")
    summary = timeline.last.summary
    assert summary.fate == "answered"
    assert summary.committed is summary.tries[0]
    assert "gpt-5.4 answered" in summary.title
    assert summary.tries[0].what == "answered, empty"
    assert timeline.last.svg


def test_a_stream_that_breaks_and_one_that_nobody_answers(reliable, timeline):
    cut = ScriptedChatModel(
        model="gpt-5.4",
        script=[fails(ConnectionError, says("one two three"), after=2)],
    )
    model = reliable(cut, observers=[timeline])
    with pytest.raises(Exception, match="broke off"):
        list(model.stream("?"))
    assert timeline.last.attempts[0].what.startswith("broke off")
    down = [
        ScriptedChatModel(model=name, script=[ConnectionError("no")])
        for name in ("a", "b")
    ]
    with pytest.raises(AllModelsFailed):
        reliable(*down, observers=[timeline]).invoke("?")
    assert timeline.last.summary.fate == "gave up"


@pytest.mark.parametrize("surface", ["stream", "astream"], indirect=True)
def test_what_was_held_of_a_real_call(surface, reliable, timeline):
    silent = fails(ConnectionError, says("x", silent=5))
    gpt = ScriptedChatModel(model="gpt-5.4", script=[silent])
    claude = ScriptedChatModel(model="claude", script=[ConnectionError("no"), "Hi."])
    surface(reliable(gpt, claude, observers=[timeline], max_retries=0))
    surface(reliable(claude, observers=[timeline]))
    (stalled, shut), (answered,) = (one.attempts for one in timeline.calls)
    assert (stalled.opened, stalled.held) == (0.0, 5)
    assert shut.opened is None
    assert answered.opened == 0.0


async def test_a_call_that_is_cancelled_in_a_wait(timeline):
    gpt = ScriptedChatModel(model="gpt-5.4", script=[ConnectionError("no")])
    model = ReliableChatModel(
        models=[gpt], observers=[timeline], initial_backoff=300, max_last_wait=300
    )
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(model.ainvoke("?"), 0.01)
    assert timeline.last.summary.fate == "left"


def test_a_stream_that_is_left_early(reliable, timeline):
    stream = reliable(ScriptedChatModel(), observers=[timeline]).stream("?")
    next(stream)
    stream.close()
    assert timeline.last.summary.fate == "left"
    assert "left early" in str(timeline)
