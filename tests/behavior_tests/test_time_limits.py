"""No limit is outlasted, and none runs while the caller is at work."""

from __future__ import annotations

import asyncio
import time
from contextvars import ContextVar

import pytest
from by_hand import ByHand, chunk
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.exceptions import ModelTimeoutError
from langchain_core.rate_limiters import BaseRateLimiter, InMemoryRateLimiter
from turned_clock import JumpingClock

from langchain_reliable import (
    AllModelsFailed,
    Candidate,
    ReliableChatModel,
    StreamInterrupted,
)
from langchain_reliable._core import timeouts
from langchain_reliable._runtime import peek
from langchain_reliable.errors import (
    AttemptTimeout,
    FirstChunkTimeout,
    IdleTimeout,
    LastChanceTimeout,
    TotalTimeout,
)
from langchain_reliable.testing import (
    FAULTS,
    Gate,
    ScriptedChatModel,
    fails,
    metadata_chunks,
    says,
    stalls,
    streams,
)

SOON = 0.05
MUCH = 10.0
"""What is surely too long on any machine."""
TOLD = "one two three four five six seven eight"


def model_of(*models, **settings):
    return ReliableChatModel(models=models, initial_backoff=0, **settings)


def scripted(*script, model="primary"):
    return ScriptedChatModel(model=model, script=script)


def backup():
    return scripted("the backup", model="backup")


@pytest.fixture
def timed(surface):
    """Ask on one of the four surfaces, and tell how long it took."""

    def ask(model, **kwargs):
        began = time.monotonic()
        outcome = surface(model, **kwargs)
        return outcome, time.monotonic() - began

    return ask


streaming = pytest.mark.parametrize("surface", ["stream", "astream"], indirect=True)
in_one_piece = pytest.mark.parametrize("surface", ["invoke", "ainvoke"], indirect=True)


@pytest.fixture
def gate():
    with Gate() as gate:
        yield gate


# --- each limit ends what it limits -----------------------------------------------


@streaming
@pytest.mark.parametrize("told", [0, 300], ids=["nothing", "held metadata"])
def test_a_first_word_that_does_not_come_goes_to_the_next(timed, gate, told):
    first = scripted(streams(*metadata_chunks(told), gate))
    outcome, seconds = timed(model_of(first, backup(), first_chunk_timeout=SOON))
    assert outcome.text == "the backup"
    assert first.request_count == 1
    assert SOON <= seconds < MUCH


@streaming
def test_metadata_that_keeps_coming_does_not_satisfy_it(timed):
    def gives():
        while True:
            time.sleep(SOON / 50)
            yield chunk()

    async def agives():
        while True:
            await asyncio.sleep(SOON / 50)
            yield chunk()

    first = ByHand(gives=gives, agives=agives)
    outcome, seconds = timed(
        model_of(first, backup(), first_chunk_timeout=SOON, idle_timeout=MUCH)
    )
    assert outcome.text == "the backup"
    assert SOON <= seconds < MUCH


@pytest.mark.parametrize("commit_on", ["payload", "complete"])
@pytest.mark.parametrize("limit", ["first_chunk_timeout", "total_timeout"])
@streaming
def test_nor_does_metadata_that_never_lets_go(timed, commit_on, limit, monkeypatch):
    """The child never waits, so that no timer and no other task gets its turn."""
    monkeypatch.setattr(peek, "MAX_HELD_CHUNKS", 10**9)

    def gives():
        while True:
            yield chunk()

    async def agives():
        while True:
            yield chunk()

    model = model_of(
        ByHand(gives=gives, agives=agives),
        backup(),
        commit_on=commit_on,
        **{limit: SOON},
    )
    outcome, seconds = timed(model)
    if limit == "first_chunk_timeout":
        assert outcome.text == "the backup"
    else:
        assert type(outcome.error) is TotalTimeout
    assert seconds < MUCH


@streaming
def test_the_last_one_is_not_hurried(timed):
    model = model_of(scripted(stalls(2 * SOON)), first_chunk_timeout=SOON)
    assert timed(model)[0].text == TOLD


@streaming
def test_nor_is_the_last_attempt_that_there_may_be(timed):
    first = scripted(stalls(2 * SOON))
    model = model_of(first, backup(), first_chunk_timeout=SOON, max_attempts=1)
    assert timed(model)[0].text == TOLD


@streaming
def test_a_stall_in_mid_answer_is_an_interruption(timed, gate):
    model = model_of(scripted(stalls(gate, after=2)), backup(), idle_timeout=10 * SOON)
    outcome, seconds = timed(model)
    assert type(outcome.error) is StreamInterrupted
    assert type(outcome.error.__cause__) is IdleTimeout
    assert isinstance(outcome.error.__cause__, (TimeoutError, ModelTimeoutError))
    assert outcome.error.partial.text == "one two"
    assert seconds < MUCH


@streaming
def test_but_with_the_whole_answer_held_it_is_not(timed, gate):
    model = model_of(
        scripted(stalls(gate, after=2)),
        backup(),
        idle_timeout=SOON,
        commit_on="complete",
    )
    assert timed(model)[0].text == "the backup"


@in_one_piece
def test_attempt_timeout_ends_an_answer_in_one_piece(timed, gate):
    outcome, seconds = timed(
        model_of(scripted(stalls(gate)), backup(), attempt_timeout=SOON)
    )
    assert outcome.text == "the backup"
    assert seconds < MUCH


@in_one_piece
def test_an_answer_in_one_piece_knows_no_limits_on_chunks(timed):
    model = model_of(
        scripted(stalls(2 * SOON)),
        backup(),
        first_chunk_timeout=SOON,
        idle_timeout=SOON,
    )
    assert timed(model)[0].text == TOLD


@in_one_piece
@pytest.mark.parametrize("family", ["openai", "anthropic"])
def test_nor_do_its_clients(timed, clients, family, monkeypatch):
    """Their own read time-out is lowered for streams alone."""
    monkeypatch.setattr("langchain_reliable._core.timeouts._MARGIN", 0.0)
    clients.sim.script("primary", says("late", delay=4 * SOON))
    model = model_of(
        clients.of(family, "primary"),
        clients.of(family, "backup"),
        first_chunk_timeout=SOON,
        idle_timeout=SOON,
    )
    assert timed(model)[0].text == "late"


def test_attempt_timeout_ends_a_trickle(timed):
    words = says(TOLD, pause=SOON / 2)
    model = model_of(scripted(words), attempt_timeout=SOON, idle_timeout=MUCH)
    outcome, seconds = timed(model)
    error = outcome.error
    if isinstance(error, StreamInterrupted):
        error = error.__cause__
    assert type(error) is AttemptTimeout
    assert seconds < MUCH


def test_a_candidates_own_limit_counts(timed, gate):
    first = Candidate(scripted(stalls(gate)), attempt_timeout=SOON)
    outcome, seconds = timed(model_of(first, backup(), attempt_timeout=MUCH * 10))
    assert outcome.text == "the backup"
    assert seconds < MUCH


# --- one budget -------------------------------------------------------------------


def test_total_timeout_leaves_a_call_alone_that_keeps_it(timed):
    first = scripted(ConnectionError("reset"), "the primary")
    outcome, seconds = timed(model_of(first, total_timeout=MUCH * 10))
    assert outcome.text == "the primary"
    assert seconds < MUCH


def test_total_timeout_is_one_budget_for_all_attempts(timed, gate):
    silent = [scripted(stalls(gate), model=f"silent-{n}") for n in range(3)]
    model = model_of(*silent, attempt_timeout=8 * SOON, total_timeout=16 * SOON)
    outcome, seconds = timed(model)
    assert type(outcome.error) is AllModelsFailed
    kinds = [type(one.error) for one in outcome.error.attempts]
    assert kinds == [AttemptTimeout, TotalTimeout]
    assert "total_timeout=0.8 is used up" in str(outcome.error)
    assert seconds < MUCH


def test_a_wait_that_would_outlast_it_is_not_begun(timed, clock):
    first = scripted(ConnectionError("reset"))
    long = dict.fromkeys(("initial_backoff", "max_backoff", "max_last_wait"), 100)
    model = ReliableChatModel(models=[first], total_timeout=10, **long)
    model._clock = clock
    outcome, _ = timed(model)
    assert type(outcome.error) is ConnectionError
    assert clock.slept == []


def test_a_rate_limiter_is_waited_for_within_it(timed):
    slow = InMemoryRateLimiter(requests_per_second=0.2, check_every_n_seconds=SOON / 5)
    child = ScriptedChatModel(rate_limiter=slow)
    outcome, seconds = timed(model_of(child, total_timeout=SOON))
    assert type(outcome.error) is TotalTimeout
    assert child.request_count == 0
    assert seconds < MUCH


class SlowRateLimiter(BaseRateLimiter):
    """Has room in an hour, and lets that pass."""

    def __init__(self, clock):
        self._clock = clock

    def acquire(self, *, blocking=True):
        self._clock.time += 3600 if blocking else 0
        return blocking

    async def aacquire(self, *, blocking=True):
        return self.acquire(blocking=blocking)


def test_and_outside_the_limits_of_an_attempt(timed, clock):
    child = ScriptedChatModel(script=["patience"], rate_limiter=SlowRateLimiter(clock))
    model = model_of(child, attempt_timeout=60, first_chunk_timeout=60)
    model._clock, began = clock, clock.time
    assert timed(model)[0].text == "patience"
    assert clock.time >= began + 3600


def test_while_another_is_free_nobody_waits_for_a_rate_limiter(timed):
    full = InMemoryRateLimiter(requests_per_second=0.01)
    child = ScriptedChatModel(script=["patience"], rate_limiter=full)
    outcome, seconds = timed(model_of(child, backup()))
    assert outcome.text == "the backup"
    assert seconds < 5
    assert child.request_count == 0


def test_nor_does_a_sibling_of_its_group(timed):
    full = InMemoryRateLimiter(requests_per_second=0.01)
    child = ScriptedChatModel(script=["patience"], rate_limiter=full)
    outcome, seconds = timed(model_of([child, backup()]))
    assert outcome.text == "the backup"
    assert seconds < 5
    assert child.request_count == 0


# --- the caller's time is its own -------------------------------------------------


any_limit = pytest.mark.parametrize(
    "limit", ["first_chunk_timeout", "idle_timeout", "attempt_timeout", "total_timeout"]
)
after_silence = pytest.mark.parametrize(
    "silent", [0, 100], ids=["at once", "after long silence"]
)


@pytest.fixture
def jumping():
    return JumpingClock()


@any_limit
@after_silence
def test_no_limit_runs_while_the_caller_works_sync(limit, silent, jumping):
    child = scripted(says("one two three", silent=silent, pause=SOON / 50))
    model = model_of(child, backup(), **{limit: 60})
    model._clock = jumping
    texts = []
    for piece in model.stream("hello?"):
        texts.append(piece.text)
        jumping.jump(3600 if piece.text else 0)
    assert "".join(texts) == "one two three"


@any_limit
@after_silence
def test_no_limit_runs_while_the_caller_works_async(limit, silent, jumping):
    child = scripted(says("one two three", silent=silent, pause=SOON / 50))
    model = model_of(child, backup(), **{limit: 60})
    model._clock = jumping

    async def texts():
        async for piece in model.astream("hello?"):
            yield piece.text
            jumping.jump(3600 if piece.text else 0)
            await asyncio.sleep(0.001)  # timers that are due have their turn

    async def heard():
        return "".join([text async for text in texts()])

    assert jumping.run(heard()) == "one two three"


def test_a_runaway_is_ended_though_its_reader_is_always_ahead():
    def gives():
        while True:
            yield chunk("x")

    stream = model_of(ByHand(gives=gives), attempt_timeout=SOON).stream("hello?")
    with pytest.raises(StreamInterrupted) as caught:
        for _ in stream:
            pass
    assert type(caught.value.__cause__) is AttemptTimeout


async def test_a_runaway_is_ended_though_it_never_lets_go():
    async def agives():
        while True:
            yield chunk("x")

    stream = model_of(ByHand(agives=agives), attempt_timeout=SOON).astream("hello?")
    with pytest.raises(StreamInterrupted) as caught:
        async for _ in stream:
            pass
    assert type(caught.value.__cause__) is AttemptTimeout


# --- after the finish -------------------------------------------------------------


@streaming
@pytest.mark.parametrize("commit_on", ["payload", "complete"])
def test_chatter_after_the_finish_is_cut_off(timed, monkeypatch, commit_on):
    monkeypatch.setattr(timeouts, "AFTER_FINISH", SOON)

    def gives():
        yield chunk("whole")
        yield chunk(finish="stop")
        while True:
            time.sleep(SOON / 50)
            yield chunk()

    async def agives():
        yield chunk("whole")
        yield chunk(finish="stop")
        while True:
            await asyncio.sleep(SOON / 50)
            yield chunk()

    child = ByHand(gives=gives, agives=agives)
    outcome, seconds = timed(model_of(child, commit_on=commit_on))
    assert outcome.text == "whole"
    assert seconds < MUCH


AFTERWARDS = {
    "a cut": ConnectionError("cut"),
    "a stall": Gate(limit=0.5),
}


@streaming
@pytest.mark.parametrize("then", AFTERWARDS.values(), ids=list(AFTERWARDS))
@pytest.mark.parametrize("commit_on", ["first_chunk", "payload", "text", "complete"])
@pytest.mark.parametrize(
    ("text", "finish"), [("whole", "stop"), ("whole", "length"), ("", "length")]
)
def test_what_comes_after_the_finish_is_no_failure(
    timed, monkeypatch, then, commit_on, finish, text
):
    monkeypatch.setattr(timeouts, "AFTER_FINISH", SOON)
    words = [text] if text else []
    child = scripted(streams(*words, chunk(finish=finish), then))
    outcome, seconds = timed(model_of(child, backup(), commit_on=commit_on))
    assert outcome.text == text
    assert child.request_count == 1
    assert seconds < MUCH


# --- a child that streams even where a whole answer is asked for ------------------


@in_one_piece
@pytest.mark.parametrize("family", ["openai", "anthropic"])
@pytest.mark.parametrize(
    ("fault", "says_it"),
    [("no-finish", "backup"), ("content-then-cut", "backup"), ("no-done", "primary")],
)
def test_a_streaming_client_is_read_as_a_stream_is(
    timed, clients, family, fault, says_it
):
    clients.sim.script("primary", FAULTS[fault])
    model = model_of(
        clients.of(family, "primary", streaming=True),
        clients.of(family, "backup", streaming=True),
        max_retries=0,
    )
    outcome, _ = timed(model)
    assert outcome.trail["served_by"] == says_it


@in_one_piece
@pytest.mark.parametrize("family", ["openai", "anthropic"])
def test_its_empty_answer_is_returned_if_nobody_says_more(timed, clients, family):
    clients.sim.script("primary", says(""))
    outcome, _ = timed(model_of(clients.of(family, "primary", streaming=True)))
    assert outcome.text == ""
    assert clients.sim.count("primary") == 2


# --- what surrounds a call --------------------------------------------------------

WHO = ContextVar("WHO", default="nobody")


def test_a_child_sees_the_callers_context_whoever_runs_it(surface):
    seen = []

    def gives():
        seen.append(WHO.get())
        yield chunk("hello")

    async def agives():
        seen.append(WHO.get())
        yield chunk("hello")

    def answers():
        seen.append(WHO.get())
        return "hello"

    async def aanswers():
        return answers()

    child = ByHand(gives=gives, agives=agives, answers=answers, aanswers=aanswers)
    token = WHO.set("the caller")
    try:
        surface(model_of(child, attempt_timeout=MUCH))
    finally:
        WHO.reset(token)
    assert seen == ["the caller"]


def test_usage_is_counted_once_through_a_reader_thread(timed):
    usage = UsageMetadataCallbackHandler()
    first = scripted(fails(ConnectionError("reset"), after=0), TOLD)
    model = model_of(first, attempt_timeout=MUCH, idle_timeout=MUCH)
    outcome, _ = timed(model, config={"callbacks": [usage]})
    assert outcome.text == TOLD
    assert usage.usage_metadata["primary"]["output_tokens"] == 8


@streaming
def test_huge_held_chunks_commit_rather_than_pile_up(timed):
    heavy = chunk()
    heavy.message.content = [
        {"type": "thinking", "thinking": "", "signature": "x" * 2**19}
    ]
    told = [heavy.model_copy(deep=True) for _ in range(4)]
    child = scripted(streams(*told, ConnectionError("reset")))
    outcome, _ = timed(model_of(child, backup(), max_retries=0))
    assert type(outcome.error) is StreamInterrupted
    assert len(outcome.chunks) >= 2


def test_a_missed_first_word_is_named_in_the_trail(timed, surface, gate):
    limits = {"first_chunk_timeout": SOON, "attempt_timeout": 2 * SOON}
    outcome, _ = timed(model_of(scripted(stalls(gate)), backup(), **limits))
    assert outcome.attempts == ["primary: timeout", "backup: answered"]


@streaming
def test_the_error_of_the_only_attempt_is_the_limits_own(timed, gate):
    """Nobody else: the first word is not hurried, but silence is ended."""
    first = scripted(streams(*metadata_chunks(1), gate))
    limits = {"first_chunk_timeout": SOON, "last_chance_timeout": SOON}
    outcome, _ = timed(model_of(first, **limits))
    assert type(outcome.error) is LastChanceTimeout


@streaming
def test_two_silent_ones_are_told_apart_in_the_error(timed, gate):
    silent = [scripted(stalls(gate), model=name) for name in ("a", "b")]
    limits = {"first_chunk_timeout": SOON, "attempt_timeout": 2 * SOON}
    outcome, _ = timed(model_of(*silent, **limits))
    assert [type(one.error) for one in outcome.error.attempts] == [
        FirstChunkTimeout,
        AttemptTimeout,
    ]
