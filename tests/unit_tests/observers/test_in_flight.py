"""Two attempts at once: each is told by its number, in every order of their ends."""

from __future__ import annotations

import logging
import xml.etree.ElementTree as ET

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableLambda
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from langchain_reliable.events import (
    Abandoned,
    Answered,
    AttemptFailed,
    AttemptLost,
    AttemptRecord,
    AttemptStarted,
    CircuitOpened,
    Committed,
    FailedOver,
    GaveUp,
    Hedged,
    Interrupted,
    PassedOver,
    Restarted,
    SlowCall,
    Waiting,
)
from langchain_reliable.failures import Failure, FailureKind
from langchain_reliable.observers import (
    CustomEventObserver,
    LoggingObserver,
    OpenTelemetryObserver,
    Timeline,
)

DOWN = Failure(kind=FailureKind.SERVER_ERROR, status=503)
CUT = Failure(kind=FailureKind.CONNECTION)
NAMES = {1: "gpt", 2: "claude", 3: "gemini"}


class Story:
    """The events of one made-up call, a second apart; attempt 2 is a hedge."""

    def __init__(self, call=1):
        self.call, self.at, self.events, self.begun = call, 100.0, [], {}

    def tell(self, event, *, after=1.0, **facts):
        self.at += after
        self.events.append(event(call=self.call, at=self.at, **facts))
        return self

    def asks(self, number, *, hedged=False):
        self.begun[number] = self.at + 1
        facts = {"number": number, "nth": 1, "streams": True, "hedged": hedged}
        return self.tell(AttemptStarted, candidate=NAMES[number], **facts)

    def record(self, number, **facts):
        return AttemptRecord(
            number=number,
            candidate=NAMES[number],
            nth=1,
            wait=0.0,
            seconds=self.at + 1 - self.begun[number],
            hedged=number == 2,
            **facts,
        )

    def fails(self, number, failure=DOWN):
        record = self.record(number, failure=failure, error=ValueError("secret"))
        return self.tell(AttemptFailed, attempt=record)

    def commits(self, number, *, failed_over=None):
        moved = number > 1 if failed_over is None else failed_over
        record = self.record(number)
        return self.tell(Committed, attempt=record, failed_over=moved)

    def loses(self, number):
        return self.tell(AttemptLost, attempt=self.record(number, lost=True))

    def moves_on(self, source, target):
        """Ask the next entry after both have failed."""
        two = {"source": NAMES[source], "target": NAMES[target], "failure": DOWN}
        return self.tell(FailedOver, **two, number=target).asks(target)

    def answers(self, number):
        facts = {"candidate": NAMES[number], "number": number}
        return self.tell(Answered, **facts, input_tokens=3, output_tokens=number)


def hedged():
    """Return a call in which both are under way."""
    story = Story()
    story.asks(1)
    story.at += 1
    story.events.append(
        Hedged(call=1, at=story.at, source="gpt", target="claude", after=2.0, number=2)
    )
    return story.asks(2, hedged=True)


ENDS = {
    "the first wins": lambda s: s.commits(1).loses(2).answers(1),
    "the first wins, the other is told first": (
        lambda s: s.loses(2).commits(1).answers(1)
    ),
    "the hedge wins": lambda s: s.commits(2).loses(1).answers(2),
    "the hedge wins, the other is told last": (
        lambda s: s.commits(2).answers(2).loses(1)
    ),
    "the first fails": lambda s: s.fails(1).commits(2).answers(2),
    "the hedge fails": lambda s: s.fails(2).commits(1).answers(1),
    "both fail, in order": lambda s: (
        s.fails(1).fails(2).moves_on(2, 3).commits(3).answers(3)
    ),
    "both fail, the hedge first": (
        lambda s: s.fails(2).fails(1).moves_on(1, 3).commits(3).answers(3)
    ),
}
TOLD = {
    "the first wins": ("answered", "lost"),
    "the first wins, the other is told first": ("answered", "lost"),
    "the hedge wins": ("lost", "answered"),
    "the hedge wins, the other is told last": ("lost", "answered"),
    "the first fails": ("failed", "answered"),
    "the hedge fails": ("answered", "failed"),
    "both fail, in order": ("failed", "failed", "answered"),
    "both fail, the hedge first": ("failed", "failed", "answered"),
}
WORDS = {"server error 503": "failed", "lost the race": "lost"}


@pytest.fixture(params=ENDS, ids=str)
def story(request):
    story = ENDS[request.param](hedged())
    story.told = TOLD[request.param]
    story.winner = NAMES[story.told.index("answered") + 1]
    return story


# --- the timeline -----------------------------------------------------------------


def drawn(events):
    timeline = Timeline()
    for event in events:
        timeline(event)
    return timeline.last


def test_the_timeline_tells_each(story):
    picture = drawn(story.events)
    tries = picture.attempts
    assert [one.candidate for one in tries] == ["gpt", "claude", "gemini"][: len(tries)]
    assert tuple(WORDS.get(one.what, one.what) for one in tries) == story.told
    assert [one.hedged for one in tries] == [False, True, False][: len(tries)]
    assert picture.summary.committed.candidate == story.winner
    assert picture.summary.title.startswith(f"{story.winner} answered")
    assert tries[1].start < min(one.end for one in tries[:2])  # both at once
    assert all(not one.wait for one in tries[:2])


def test_the_loser_is_faded_and_the_bars_stand_side_by_side(story):
    picture = drawn(story.events)
    root = ET.fromstring(picture.svg)  # noqa: S314 - our own
    groups = [one for one in root.iter() if one.get("opacity") == "0.45"]
    lost = story.told.count("lost")
    assert len(groups) == 2 * lost  # in its row, and in the legend
    rows = str(picture).splitlines()[1 : 1 + len(story.told)]
    assert [row.split("]")[0].count("/") for row in rows] == [
        1 if one == "lost" else 0 for one in story.told
    ]


def test_nothing_but_the_end_counts_as_the_length_of_a_call():
    told = drawn(hedged().commits(2).answers(2).loses(1).events)
    assert told.summary.end == told.attempts[1].end


@pytest.mark.parametrize("number", [None, 1, 2])
def test_a_call_that_is_left_while_both_are_asked(number):
    story = hedged().tell(Abandoned, candidate="gpt", number=number, opened=0.5)
    story.tell(Abandoned, candidate="claude", number=2)
    picture = drawn(story.events)
    assert [one.what for one in picture.attempts] == ["left early"] * 2
    assert picture.summary.title.startswith("gpt was left early")
    opened = [one.opened is not None for one in picture.attempts]
    assert opened == [number in (None, 1), number in (None, 2)]


def test_a_winner_that_is_left_leaves_the_loser_a_loser():
    story = hedged().commits(1).tell(Abandoned, candidate="gpt", number=1)
    assert [one.what for one in drawn(story.events).attempts] == [
        "left early",
        "lost the race",
    ]


# --- traces and metrics -------------------------------------------------------------


class Heard:
    def __init__(self):
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader])
        self.observer = OpenTelemetryObserver(
            tracer_provider=self.tracers, meter_provider=self.meters
        )

    def __call__(self, events):
        for event in events:
            self.observer(event)
        return self.exporter.get_finished_spans()

    def points(self, name):
        """Return what was counted: attributes and value, without our prefix."""
        found = []
        for resource in self.reader.get_metrics_data().resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == f"langchain_reliable.{name}":
                        found.extend(metric.data.data_points)
        return [(_short(one.attributes), getattr(one, "value", 0)) for one in found]


def _short(attributes):
    return {
        name.removeprefix("langchain_reliable."): value
        for name, value in attributes.items()
        if not name.startswith("gen_ai")
    }


@pytest.fixture
def heard():
    heard = Heard()
    yield heard
    heard.meters.shutdown()


def fate(attributes):
    if "error.type" in attributes:
        return "failed"
    return "lost" if attributes.get("lost") else "answered"


def test_each_attempt_has_a_span_of_its_own(heard, story):
    *attempts, call = sorted(heard(story.events), key=lambda one: one.name)
    assert call.name == "reliable chat"
    told = {one.attributes["langchain_reliable.attempt"]: one for one in attempts}
    assert tuple(fate(_short(told[at].attributes)) for at in sorted(told)) == story.told
    assert all(one.parent.span_id == call.context.span_id for one in attempts)
    assert told[2].attributes["langchain_reliable.hedged"] is True
    assert told[1].start_time <= told[2].start_time <= told[1].end_time
    winner = told[story.told.index("answered") + 1]
    assert winner.attributes["gen_ai.usage.input_tokens"] == 3
    assert all("gen_ai.usage" not in one for one in told[1].attributes) or (
        winner is told[1]
    )
    about = _short(call.attributes)
    assert about["served_by"] == story.winner
    assert about["failed_over"] is (story.winner != "gpt")
    assert about["attempts"] == len(story.told)
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_each_attempt_is_counted_once(heard, story):
    heard(story.events)
    counted = [(fate(facts), value) for facts, value in heard.points("attempts")]
    assert sorted(counted) == sorted((one, 1) for one in story.told)
    assert heard.points("hedges") == [({"source": "gpt", "target": "claude"}, 1)]
    moves = heard.points("failovers")
    assert [value for _, value in moves] == ([] if story.winner == "gpt" else [1])
    for facts, _ in moves:
        assert (facts["source"], facts["target"]) == ("gpt", story.winner)
        why = "error.type" if story.told[0] == "failed" else "reason"
        assert facts[why] == {"error.type": "server_error", "reason": "hedge"}[why]


def test_a_call_that_is_left_while_both_are_asked_ends_all_spans(heard):
    story = hedged().tell(Abandoned, candidate="gpt", number=1)
    spans = heard(story.tell(Abandoned, candidate="claude", number=2).events)
    assert [one.name for one in spans] == ["chat gpt", "chat claude", "reliable chat"]
    assert heard.observer._calls == {}
    assert trace.get_current_span() is trace.INVALID_SPAN


@pytest.mark.parametrize(("ends", "goes_on"), [(2, 1), (1, 2)])
def test_the_span_of_who_is_still_asked_stays_current(heard, ends, goes_on):
    heard(hedged().events)
    assert trace.get_current_span().attributes["langchain_reliable.attempt"] == 2
    story = hedged().fails(ends)
    heard([story.events[-1]])
    current = trace.get_current_span().attributes
    assert current["langchain_reliable.attempt"] == goes_on
    heard([story.commits(goes_on).events[-1]])
    assert trace.get_current_span() is trace.INVALID_SPAN


# --- the log ----------------------------------------------------------------------


def logged(caplog, events, level=logging.DEBUG):
    caplog.set_level(level, "langchain_reliable")
    observer = LoggingObserver()
    for event in events:
        observer(event)
    assert not observer._begun
    assert not observer._hedged
    return [(one.levelname, one.getMessage()) for one in caplog.records]


def test_the_log_names_each_attempt(caplog, story):
    lines = logged(caplog, story.events)
    assert lines[0] == ("INFO", "gpt is silent for 2.00 s; asking claude as well")
    told = {"failed": "failed after", "lost": "was slower than another; ended after"}
    for name, what in zip(NAMES.values(), story.told, strict=False):
        if what in told:
            assert (
                len([x for _, x in lines if f"{name} attempt 1 {told[what]}" in x]) == 1
            )


def test_a_failure_is_told_at_once_while_another_is_asked(caplog):
    story = hedged().fails(1)
    *_, (level, line) = logged(caplog, story.events, logging.INFO)
    assert level == "INFO"
    assert line.endswith("server error (503); another attempt is still under way")


def test_no_line_of_a_failure_is_swallowed_by_the_next(caplog):
    story = hedged().fails(1)
    story.tell(CircuitOpened, candidate="gpt", seconds=20.0).fails(2)
    why = {"source": "claude", "target": "gemini", "failure": DOWN}
    lines = [x for _, x in logged(caplog, story.tell(FailedOver, **why).events)]
    assert lines[1].startswith("gpt attempt 1 failed")
    assert lines[2] == "gpt left alone for 20 s: it failed too often in a row"
    assert lines[3].startswith("claude attempt 1 failed")
    assert lines[3].endswith("; switching to gemini")


def test_the_line_of_a_failure_is_written_though_the_call_is_left(caplog):
    story = Story().asks(1).fails(1).tell(Abandoned, candidate="gpt")
    ((_, line),) = logged(caplog, story.events)
    assert line == "gpt attempt 1 failed after 1.00 s: server error (503)"


# --- passing over, restarts, slow answers, waits for a limit ------------------------


def passed_over(reason="health", seconds=12.0):
    story = Story().tell(PassedOver, candidate="gpt", reason=reason, seconds=seconds)
    return story.asks(2).commits(2).answers(2)


def restarted():
    story = Story().asks(1).commits(1).fails(1, CUT)
    story.tell(FailedOver, source="gpt", target="claude", failure=CUT, number=2)
    story.asks(2).commits(2)
    facts = {"source": "gpt", "target": "claude", "message_id": "run-1", "number": 2}
    return story.tell(Restarted, **facts).answers(2)


def test_the_timeline_has_a_row_for_who_was_passed_over():
    picture = drawn(passed_over().events)
    first, second = picture.summary.entries
    assert (first.candidate, first.what) == ("gpt", "passed over (health, 12.0 s)")
    assert second.candidate == "claude"
    assert "gpt is left alone for another 12.0 s: passed over" in picture.svg
    assert str(picture).splitlines()[1].startswith("  gpt     [>    ")
    assert str(picture).endswith("> passed over)")


@pytest.mark.parametrize(
    ("reason", "seconds", "said"),
    [
        ("health", None, "gpt is left alone"),
        ("full", 3.0, "gpt has used up its limits for another 3.00 s"),
        ("fit", None, "gpt cannot take this request"),
        ("tags", None, "gpt lacks a tag that the call asks for"),
    ],
)
def test_the_log_and_a_chat_say_why_somebody_was_passed_over(
    caplog, reason, seconds, said
):
    events = passed_over(reason, seconds).events
    assert logged(caplog, events) == [("DEBUG", f"{said}; passed over")]
    (told,) = shown(events)
    assert told["text"] == f"{said}; asking claude"
    assert (told["type"], told["reason"]) == ("passed_over", reason)
    assert (told["candidate"], told["target"]) == ("gpt", "claude")


def test_a_span_and_a_counter_name_who_was_passed_over(heard):
    *_, call = heard(passed_over().events)
    about = _short(call.attributes)
    assert about["passed_over"] == ("gpt",)
    assert about["failed_over"] is True
    assert heard.points("passed_over") == [
        ({"candidate": "gpt", "reason": "health"}, 1)
    ]
    assert heard.points("failovers") == [
        ({"source": "gpt", "target": "claude", "reason": "health"}, 1)
    ]


def test_a_call_that_asks_nobody_is_drawn_and_has_a_span(heard):
    story = Story().tell(PassedOver, candidate="gpt", reason="health", seconds=9.0)
    story.tell(GaveUp, attempts=())
    picture = drawn(story.events)
    assert picture.summary.title == "nobody answered, 0 attempts, 1.00 s in all"
    assert "passed over (health, 9.00 s)" in str(picture)
    assert picture.svg
    (call,) = heard(story.events)
    assert not call.status.is_ok


@pytest.mark.parametrize(("count", "rows"), [(5, 5), (6, 6), (7, 6), (99, 6)])
def test_of_many_that_were_passed_over_one_row_stands_for_the_rest(count, rows):
    story = Story()
    for number in range(count):
        facts = {"candidate": f"gpt-{number}", "reason": "health", "seconds": 9.0}
        story.tell(PassedOver, after=0.0, **facts)
    entries = drawn(story.asks(1).commits(1).answers(1).events).summary.entries
    assert len(entries) == rows + 1
    more = [one.candidate for one in entries if "more" in one.candidate]
    assert more == ([f"{count - 5} more"] if count > 6 else [])


def test_calls_that_were_dropped_do_not_return():
    timeline = Timeline(keep=1)
    for call in (1, 2):
        for event in Story(call).asks(1).events:
            timeline(event)
    for event in Story(1).tell(PassedOver, candidate="gpt", reason="full").events:
        timeline(event)
    assert [one.summary.number for one in timeline.calls] == [2]


def test_a_restart_is_drawn_with_both_and_counts_for_the_second():
    picture = drawn(restarted().events)
    assert [one.what for one in picture.attempts] == [
        "broke off: connection, taken back",
        "answered",
    ]
    title = picture.summary.title
    assert title.startswith("claude answered, 2 attempts, one restart, first word at")


def test_a_restart_is_told_in_traces_logs_and_chats(heard, caplog):
    events = restarted().events
    first, second, call = heard(events)
    assert fate(_short(first.attributes)) == "failed"
    assert fate(_short(second.attributes)) == "answered"
    assert _short(call.attributes)["restarted"] is True
    assert len(heard.points("restarts")) == len(heard.points("interruptions")) == 1
    assert sum(value for _, value in heard.points("failovers")) == 1
    lines = [line for _, line in logged(caplog, events)]
    assert lines[-1] == "the words of gpt are taken back; claude answers instead"
    told = shown(events)[-1]
    assert (told["type"], told["message_id"]) == ("restarted", "run-1")
    assert told["text"] == "gpt broke off; claude answers in its place"


def test_a_restart_that_fails_as_well_is_the_interruption_of_the_first(heard):
    story = Story().asks(1).commits(1).fails(1, CUT).asks(2).fails(2)
    story.tell(Interrupted, candidate="gpt", failure=CUT, number=1)
    picture = drawn(story.events)
    assert picture.summary.title.startswith("gpt broke off, 2 attempts")
    assert [one.what for one in picture.attempts] == [
        "broke off: connection",
        "server error 503",
    ]
    *_, call = heard(story.events)
    assert call.attributes["error.type"] == "connection"
    assert sum(value for _, value in heard.points("interruptions")) == 1


def test_a_slow_answer_is_told(heard, caplog):
    story = Story().asks(1).commits(1, failed_over=False)
    facts = {"candidate": "gpt", "seconds": 9.0, "limit": 8.0, "streams": True}
    story.tell(SlowCall, **facts).answers(1)
    assert drawn(story.events).attempts[0].what == "answered, slow"
    assert logged(caplog, story.events) == [
        ("INFO", "gpt was slow: its first word took 9.00 s, over 8.00 s")
    ]
    heard(story.events)
    assert heard.points("slow_calls") == [({"candidate": "gpt"}, 1)]
    assert shown(story.events)[0]["text"] == "gpt took 9.00 s to begin its answer"


def test_a_wait_for_a_limit_is_drawn_as_what_it_is():
    story = Story().tell(Waiting, candidate="gpt", seconds=2.0)
    story.at += 1
    assert "waited 2.00 s for a limit" in str(drawn(story.asks(1).events))
    facts = {"candidate": "gpt", "seconds": 1.0, "failure": DOWN}
    story = Story().asks(1).fails(1).tell(Waiting, **facts, for_limit=True)
    assert "waited 2.00 s for a limit" in str(drawn(story.asks(2).events))
    story = Story().asks(1).fails(1)
    story.tell(Waiting, candidate="gpt", seconds=1.0, failure=DOWN)
    assert str(drawn(story.asks(2).events)).count("waited 2.00 s\n") == 1


def test_a_wait_for_a_limit_is_told(caplog):
    story = Story().tell(Waiting, candidate="gpt", seconds=2.0)
    said = "waiting 2.00 s for a limit of gpt"
    assert [told["text"] for told in shown(story.events)] == [said]
    assert logged(caplog, story.events) == [("INFO", said)]


# --- in a chat --------------------------------------------------------------------


def shown(events):
    """Return what a chat UI is told of a call."""
    observer, heard = CustomEventObserver(), []

    class Listener(BaseCallbackHandler):
        def on_custom_event(self, name, data, **_):
            heard.append(data)

    def call(_):
        for event in events:
            observer(event)

    RunnableLambda(call).invoke("", {"callbacks": [Listener()]})
    return heard


def test_a_chat_is_told_of_both(story):
    told = shown(story.events)
    assert told[0]["text"] == "gpt is slow to answer; asking claude as well"
    assert (told[0]["type"], told[0]["attempt"]) == ("hedged", 2)
    types = {"attempt_failed": "failed", "attempt_lost": "lost"}
    ends = {x["attempt"]: types[x["type"]] for x in told[1:] if x["type"] in types}
    assert ends == {
        at: what for at, what in enumerate(story.told, 1) if what != "answered"
    }
