"""What `explain` says is what happens: every row, asked at the simulator."""

from __future__ import annotations

import pytest
from langchain_openai import ChatOpenAI

from langchain_reliable import (
    AllModelsFailed,
    Hedge,
    ReliableChatModel,
    StreamInterrupted,
)
from langchain_reliable.testing import (
    content_policy,
    content_then_cut,
    context_overflow,
    error_status,
    hang_after_headers,
    hang_before_headers,
    rate_limited,
    reset,
    role_then_cut,
    role_then_silence,
    simulator,
)

SURFACES = ("stream", "invoke")
FIRST, SECOND = "gpt-first", "gpt-second"
FAULTS = {
    "refused": None,
    "503": error_status(503),
    "rate limited, asked to wait 2 s": rate_limited(retry_after=2),
    "rate limited, asked to wait 60 s": rate_limited(retry_after=60),
    "wrong key": error_status(401),
    "breaks before the first word": role_then_cut(),
    "breaks in mid-answer": content_then_cut(),
    "prompt too long": context_overflow(),
    "content filter": content_policy(),
    "everything down": error_status(503),
}
SETTINGS = {
    "the defaults": {},
    "no retries": {"max_retries": 0},
    "holding all": {"commit_on": "complete"},
    "few requests": {"max_attempts": 3},
    "impatient": {"max_retry_after": 1, "max_last_wait": 1},
    "no backoff": {"initial_backoff": 0},
    "other verdicts": {"verdicts": {"content_policy": "next", "server_error": "next"}},
    "always to the end": {"circuit_breaker": None, "max_retries": 4},
}


class Chance:
    """A clock that waits by moving on, and as long as it may get."""

    def __init__(self):
        self.time = 1000.0

    def now(self):
        return self.time

    def sleep_until(self, moment):
        self.time = max(self.time, moment)

    async def asleep_until(self, moment):
        self.sleep_until(moment)

    def chance(self):
        return 1.0


@pytest.fixture(scope="module")
def sim():
    with simulator() as running:
        yield running


def client(sim, name, **settings):
    settings.setdefault("base_url", sim.openai_url)
    return ChatOpenAI(model=name, api_key="none", max_retries=0, **settings)


def models(sim, *, refused=False):
    first = {"base_url": f"{sim.refusing_url}/v1"} if refused else {}
    return [client(sim, FIRST, **first), client(sim, SECOND)]


def asked(sim, since):
    names = [one.model for one in sim.requests[since:]]
    return {name: names.count(name) for name in (FIRST, SECOND) if name in names}


def ask(model, surface):
    """Return who answered and the error of a call."""
    try:
        if surface == "invoke":
            message = model.invoke("?")
        else:
            first, *rest = model.stream("?")
            message = sum(rest, first)
    except Exception as error:  # noqa: BLE001 - looked at
        return None, error
    return message.response_metadata["reliable"]["served_by"], None


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("scenario", FAULTS)
def test_what_it_says_is_what_happens(sim, scenario, surface, settings):
    refused = scenario == "refused"
    model = ReliableChatModel(models=models(sim, refused=refused), **settings)
    clock = model._clock = Chance()
    for name in (FIRST, SECOND):
        sim.script(name, "one two three")
    if not refused:
        sim.script(FIRST, fault(scenario, surface))
    if scenario == "everything down":
        sim.script(SECOND, FAULTS[scenario])
    (row,) = [
        one for one in model.explain(surface).scenarios if one.scenario == scenario
    ]
    since = len(sim.requests)
    served_by, error = ask(model, surface)
    assert served_by == row.answered_by
    requests = asked(sim, since)
    if refused:
        requests = {FIRST: row.requests[FIRST], **requests}  # it never got there
    assert requests == row.requests
    assert clock.time - 1000 == pytest.approx(row.seconds)
    assert told_of(error, row)


def fault(scenario, surface):
    if scenario == "breaks before the first word" and surface == "invoke":
        return reset()
    return FAULTS[scenario]


def told_of(error, row):
    if error is None:
        return row.caller_sees == f"{row.answered_by} answers"
    if isinstance(error, (AllModelsFailed, StreamInterrupted)):
        return row.caller_sees.startswith(type(error).__name__)
    return row.caller_sees.startswith("the model's own error")


@pytest.mark.parametrize("surface", SURFACES)
def test_a_minute_of_outage(sim, surface):
    model = ReliableChatModel(models=models(sim))
    clock = model._clock = Chance()
    began = clock.time

    def down(_):
        return error_status(503) if clock.time - began < 60 else "one two three"

    sim.script(FIRST, down)
    sim.script(SECOND, "one two three")
    (row,) = [
        one for one in model.explain(surface).scenarios if "minute" in one.scenario
    ]
    since, longest = len(sim.requests), 0.0
    for second in range(60):
        clock.time = max(clock.time, began + second)
        start = clock.time
        served_by, _ = ask(model, surface)
        assert served_by == SECOND
        longest = max(longest, clock.time - start)
    assert asked(sim, since) == row.requests
    assert longest == pytest.approx(row.seconds)
    assert row.answered_by == SECOND
    assert row.caller_sees == "every call answered"


def test_silence(sim):
    model = ReliableChatModel(models=models(sim), first_chunk_timeout=0.2)
    sim.script(FIRST, role_then_silence())
    sim.script(SECOND, "one two three")
    (row,) = [one for one in model.explain().scenarios if one.scenario == "silent"]
    since = len(sim.requests)
    assert ask(model, "stream") == (row.answered_by, None)
    assert asked(sim, since) == row.requests
    assert row.seconds == 0.2


def test_silence_of_whole_answers(sim):
    """The client gives the socket up by itself, a little later than we say."""
    model = ReliableChatModel(models=models(sim), answer_timeout=0.2)
    sim.script(FIRST, hang_before_headers())
    sim.script(SECOND, "one two three")
    (row,) = [
        one for one in model.explain("invoke").scenarios if one.scenario == "silent"
    ]
    since = len(sim.requests)
    assert ask(model, "invoke") == (row.answered_by, None)
    assert asked(sim, since) == row.requests
    assert row.seconds == 0.2


@pytest.mark.parametrize("surface", SURFACES)
def test_silence_where_another_is_asked_beside(sim, surface):
    hedge = Hedge(after=0.2, whole_after=0.3)
    model = ReliableChatModel(models=models(sim), hedge=hedge)
    for name in (FIRST, SECOND):
        sim.script(name, "one two three")
        client(sim, name).invoke("?")  # what is made at first use is made
    told = model.explain(surface)
    (row,) = [one for one in told.scenarios if one.scenario == "silent"]
    assert row.seconds == {"stream": 0.2, "invoke": 0.3}[surface]
    sim.script(FIRST, hang_after_headers())
    since = len(sim.requests)
    assert ask(model, surface) == (row.answered_by, None)
    assert asked(sim, since) == row.requests == {FIRST: 1, SECOND: 1}
    (note,) = [one for one in told.notes if one.startswith("Hedging")]
    assert f"says nothing for {row.seconds:g} s" in note
    assert "Ten extra requests at once, then 0.05 for each call" in note


def test_what_is_not_hedged_is_not_said_to_be(sim):
    two = models(sim)
    whole = ReliableChatModel(models=two, hedge=2.0).explain("invoke")
    alone = ReliableChatModel(models=two[:1], hedge=2.0).explain()
    for told in (whole, alone):
        assert not [one for one in told.notes if one.startswith("Hedging")]
    measured = ReliableChatModel(models=two, hedge="p95").explain().notes
    assert "nineteen in twenty" in measured[0]
