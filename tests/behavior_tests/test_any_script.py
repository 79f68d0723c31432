"""Whatever children do: one candidate's whole text, or one typed error."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

import httpx
import pytest
from every_way import BASIC, Way
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from langchain_core.exceptions import (
    ContextOverflowError,
    ModelError,
    ModelRateLimitError,
)
from our_threads import wait_for_rest
from turned_clock import TurnedClock

from langchain_reliable import (
    AllModelsFailed,
    Candidate,
    ReliableChatModel,
    StreamInterrupted,
)
from langchain_reliable.errors import AnswerRejected
from langchain_reliable.testing import (
    Gate,
    ScriptedChatModel,
    fails,
    refuses,
    says,
    stalls,
)

NAMES = ("first", "second", "third")
PROVIDERS = (ConnectionError, TimeoutError, ModelRateLimitError, ContextOverflowError)
PROVIDERS = (*PROVIDERS, httpx.ReadError, httpx.RemoteProtocolError)
NOT_A_PROVIDERS = (KeyError, RuntimeError)


@dataclass(frozen=True)
class Entry:
    """What a child does at one request, and what it says if it gets to its end."""

    what: str
    size: int = 0
    at: int = 0
    silent: int = 0
    thinks: int = 0
    error: type[Exception] | None = None

    def text(self, name, place):
        if self.what == "refuses":
            return ""
        return " ".join(f"{name}-{place}-{word}" for word in range(self.size))

    def scripted(self, name, place, gate):
        thoughts = [f"hm{n} " for n in range(self.thinks)]
        finish = {"unfinished": None, "error": "error", "length": "length"}
        told = says(
            self.text(name, place),
            silent=self.silent,
            thinks=thoughts,
            finish=finish.get(self.what, "stop"),
        )
        at = min(self.at, self.size + self.thinks)
        match self.what:
            case "breaks":
                return fails(self.error("reset"), told, after=at)
            case "stalls":
                return stalls(gate, told, after=at)
            case "refuses":
                return refuses("no")
        return told


sizes = st.integers(0, 4)
entries = st.builds(
    Entry,
    what=st.sampled_from(
        ["says", "says", "breaks", "breaks", "unfinished", "error", "length", "refuses"]
    ),
    size=sizes,
    at=sizes,
    silent=st.integers(0, 3),
    thinks=st.integers(0, 2),
    error=st.sampled_from(PROVIDERS + NOT_A_PROVIDERS[:1]),
)
stalling = st.builds(Entry, what=st.just("stalls"), size=sizes, at=sizes)
scripts = st.lists(
    st.lists(entries, min_size=1, max_size=4), min_size=1, max_size=len(NAMES)
)
manners = st.fixed_dictionaries(
    {
        "max_retries": st.integers(0, 2),
        "max_attempts": st.integers(1, 6),
        "commit_on": st.sampled_from(["first_chunk", "payload", "text", "complete"]),
        "require_finish_reason": st.sampled_from(["auto", True, False]),
        "total_timeout": st.sampled_from([None, 1.0, 30.0]),
        "max_retry_after": st.sampled_from([0.0, 5.0]),
    }
)
LIMITS = {"first_chunk_timeout": None, "idle_timeout": None}


@pytest.fixture(autouse=True)
def _quiet(caplog):
    """What is logged of hundreds of failing calls helps nobody."""
    caplog.set_level(logging.CRITICAL, logger="langchain_reliable")


QUIETLY = {"suppress_health_check": [HealthCheck.function_scoped_fixture]}


class Play:
    """Scripted children behind one model, and what a call of it came to."""

    def __init__(self, scripts, manner, limits, *, clock=None):
        self.manner, self.clock, self.gate = manner, clock, Gate()
        self.scripts = dict(zip(NAMES, scripts, strict=False))
        self.children = {name: self._child(name) for name in self.scripts}
        # The last may be asked once more often than the others.
        *others, last = self.children.values()
        self.retries = dict.fromkeys(self.children, manner["max_retries"])
        self.retries[last.model] += 1
        models = [*others, Candidate(last, max_retries=self.retries[last.model])]
        self.model = ReliableChatModel(models=models, **manner, **limits)
        if clock is not None:
            self.model._clock = clock

    def _child(self, name):
        told = [
            one.scripted(name, place, self.gate)
            for place, one in enumerate(self.scripts[name])
        ]
        return ScriptedChatModel(model=name, script=told)

    def ask(self, way):
        self.way = Way(way, asyncio.run)
        with self.gate:
            self.told = self.way(self.model)
        assert wait_for_rest()
        return self

    @property
    def possible(self):
        """Every text that somebody could have said to its end."""
        return {
            one.text(name, place): name
            for name, script in self.scripts.items()
            for place, one in enumerate(script)
        }

    def check(self):
        self.check_what_was_told()
        self.check_what_it_took()

    def check_what_was_told(self):
        told = self.told
        if told.error is None:
            assert told.seen == told.text, str(told)
            assert told.text in self.possible, str(told)
            return
        event(type(told.error).__name__)
        assert isinstance(told.error, self.allowed), str(told)
        in_the_middle = isinstance(told.error, (StreamInterrupted, *NOT_A_PROVIDERS))
        assert told.seen == "" or in_the_middle, str(told)
        assert any(text.startswith(told.seen) for text in self.possible), str(told)
        if isinstance(told.error, StreamInterrupted):
            assert told.error.partial.text == told.seen
            assert self.way.shows
            assert self.manner["commit_on"] != "complete"

    allowed = (
        AllModelsFailed,
        StreamInterrupted,
        AnswerRejected,
        ModelError,
        *PROVIDERS,
        *NOT_A_PROVIDERS,
    )

    def check_what_it_took(self):
        asked = {name: child.request_count for name, child in self.children.items()}
        assert sum(asked.values()) <= self.manner["max_attempts"]
        for name, count in asked.items():
            assert count <= self.retries[name] + 1
            child = self.children[name]
            assert child.open_streams == 0
        if self.clock is not None:
            assert self.clock.time <= self.longest_wait

    @property
    def longest_wait(self):
        items = len(self.children) - 1
        waits = items * self.manner["max_retry_after"] + self.model.max_last_wait
        total = self.manner["total_timeout"]
        return waits if total is None else min(waits, total)


@settings(max_examples=250, deadline=None, **QUIETLY)
@given(scripts=scripts, manner=manners)
@pytest.mark.parametrize("way", BASIC)
def test_one_text_or_one_error(way, scripts, manner):
    Play(scripts, manner, LIMITS, clock=TurnedClock(chance=0.99)).ask(way).check()


@settings(max_examples=60, deadline=None, **QUIETLY)
@given(scripts=scripts, manner=manners)
@pytest.mark.parametrize("way", ["astream_events_v2", "langgraph_messages"])
def test_so_it_is_where_tokens_are_listened_to(way, scripts, manner):
    Play(scripts, manner, LIMITS, clock=TurnedClock(chance=0.99)).ask(way).check()


SHORT = {
    "first_chunk_timeout": 0.004,
    "idle_timeout": 0.004,
    "attempt_timeout": 0.01,
}


@settings(max_examples=50, deadline=None, **QUIETLY)
@given(
    scripts=st.lists(
        st.lists(st.one_of(stalling, entries), min_size=1, max_size=3),
        min_size=1,
        max_size=len(NAMES),
    ),
    manner=manners,
)
@pytest.mark.parametrize("way", BASIC)
def test_and_with_silence_and_limits(way, scripts, manner):
    quick = {**manner, "initial_backoff": 0.0}
    Play(scripts, quick, SHORT).ask(way).check()
