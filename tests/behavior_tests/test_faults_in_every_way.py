"""Every fault, in every way to ask: the text exactly once, or one typed error."""

from __future__ import annotations

import time
from enum import Enum, auto

import pytest
from every_way import BASIC, PIECE_BY_PIECE, WAYS

from langchain_reliable import (
    AllModelsFailed,
    Candidate,
    ReliableChatModel,
    StreamInterrupted,
)
from langchain_reliable._core import timeouts
from langchain_reliable.testing import FAULTS, says, trickle

pytestmark = [
    pytest.mark.filterwarnings(
        "ignore::langchain_core._api.beta_decorator.LangChainBetaWarning"
    ),
    pytest.mark.filterwarnings("ignore:.*v3.*"),
]

LIMIT = 0.2
CLIENTS_OWN = 0.4
"""The primary's own read time-out, after which an abandoned reader ends."""
FAR_TOO_LATE = 60.0
"""What no machine takes, however busy it is."""

PRIMARY = "one two three four five six seven eight"
BACKUP = "the backup says hello"
PAIRS = [("openai", "openai"), ("openai", "anthropic"), ("anthropic", "openai")]
FAULTS_HERE = {**FAULTS, "trickle": trickle(PRIMARY, pause=0.005)}


SILENT = {
    "hang-before-headers",
    "hang-after-headers",
    "keep-alives-then-silence",
    "role-then-silence",
    "reasoning-then-silence",
    "content-then-stall",
    "finish-then-stall",
}
"""Faults that only a limit ends; calls with others have none that could be missed."""


class End(Enum):
    """What becomes of a call whose primary has a fault and whose backup is well."""

    BACKUP = auto()
    """The backup's text, and nothing of the primary's."""
    PRIMARY = auto()
    """The primary's text: the fault doesn't harm an answer."""
    SILENCE = auto()
    """The primary's answer, which is without a word and says why."""
    INTERRUPTED = auto()
    """The primary's first words, and `StreamInterrupted`."""
    ITS_OWN = auto()
    """The primary's own exception."""


SHOWN = {
    "content-policy": End.ITS_OWN,
    "content-filter": End.SILENCE,
    "trickle": End.PRIMARY,
    "no-done": End.PRIMARY,
    "finish-then-cut": End.PRIMARY,
    "finish-then-stall": End.PRIMARY,
    "content-then-error": End.INTERRUPTED,
    "content-then-cut": End.INTERRUPTED,
    "content-then-stall": End.INTERRUPTED,
    "malformed-event": End.INTERRUPTED,
    "no-finish": End.INTERRUPTED,
    "reasoning-then-silence": End.INTERRUPTED,
}
"""How faults end where pieces are shown as they come; all others: the backup."""

ONCE_WHOLE = {
    **{fault: end for fault, end in SHOWN.items() if end is not End.INTERRUPTED},
    "no-finish": End.PRIMARY,  # a JSON body is whole or is none
}
"""How they end where the answer is shown when it is whole."""

HELD = {fault: end for fault, end in SHOWN.items() if end is not End.INTERRUPTED}
"""How they end with `commit_on="complete"`."""


@pytest.fixture(autouse=True)
def _little_time_after_the_finish(monkeypatch):
    monkeypatch.setattr(timeouts, "AFTER_FINISH", LIMIT)


class Scene:
    """A primary with a fault, a healthy backup, and what became of a call."""

    def __init__(self, clients, way, pair):
        self.sim = clients.sim
        self.way = way
        self.clients = clients
        self.pair = pair
        self.asks = 2 if way.name in ("batch", "abatch") else 1

    def play(self, fault, backup=None, **settings):
        self.fault = fault
        self.sim.script("primary", FAULTS_HERE[fault])
        self.sim.script("backup", backup or says(BACKUP))
        first, second = self.pair
        backup = self.clients.of(second, "backup")
        model = ReliableChatModel(
            models=[self._primary(first, fault), backup], max_retries=0, **settings
        )
        began = time.monotonic()
        self.told = self.way(model)
        self.seconds = time.monotonic() - began
        return self

    def _primary(self, family, fault):
        if fault not in SILENT:
            return self.clients.of(family, "primary")
        limits = {"attempt_timeout": LIMIT}
        if self.way.shows:
            limits = {"first_chunk_timeout": LIMIT, "idle_timeout": LIMIT}
            if fault in SHOWN:  # its words may come as late as they want
                del limits["first_chunk_timeout"]
        model = self.clients.of(family, "primary", timeout=CLIENTS_OWN)
        return Candidate(model, **limits)

    def check(self, end):
        told = self.told
        match end:
            case End.BACKUP | End.PRIMARY | End.SILENCE:
                text = {End.BACKUP: BACKUP, End.PRIMARY: PRIMARY, End.SILENCE: ""}[end]
                assert told.error is None, str(told)
                assert (told.text, told.seen) == (text, text)
            case End.INTERRUPTED:
                assert type(told.error) is StreamInterrupted, str(told)
                assert PRIMARY.startswith(told.seen)
                assert told.error.partial.text == told.seen
                assert told.error.served_by == "primary"
            case End.ITS_OWN:
                assert type(told.error).__module__.startswith("langchain_"), str(told)
                assert told.seen == ""
        asked = self.asks if end is End.BACKUP else 0
        sent = self.sim.count("primary")
        may_be_late = end is End.BACKUP and self.fault in SILENT
        if not may_be_late:  # a limit may end what a busy machine has not sent yet
            assert sent == self.asks, f"{self.seconds:.3f} s: {told}"
        assert sent <= self.asks
        assert self.sim.count("backup") == asked
        assert self.seconds < FAR_TOO_LATE
        self.sim.wait_closed()


@pytest.fixture
def scene(clients, way, pair):
    return Scene(clients, way, pair)


def ends_of(fault, way, pair, how):
    openai_is_silent = fault == "reasoning-then-silence" and pair[0] == "openai"
    if way not in PIECE_BY_PIECE:
        return ONCE_WHOLE.get(fault, End.BACKUP)
    if openai_is_silent:  # ChatOpenAI does not show reasoning of chat completions
        return End.BACKUP
    return how.get(fault, End.BACKUP)


@pytest.mark.parametrize("pair", [("openai", "anthropic")], ids="-to-".join)
@pytest.mark.parametrize("way", BASIC, indirect=True)
@pytest.mark.parametrize("fault", sorted(FAULTS_HERE))
def test_any_fault_ends_in_one_text_or_one_error(scene, fault, way, pair):
    scene.play(fault).check(ends_of(fault, way.name, pair, SHOWN))


FAILS_UNSEEN = sorted({*FAULTS_HERE} - {*SHOWN} - {"empty-answer"})


@pytest.mark.parametrize("pair", [("openai", "anthropic")], ids="-to-".join)
@pytest.mark.parametrize("way", ["invoke", "astream"], indirect=True)
@pytest.mark.parametrize("fault", FAILS_UNSEEN)
def test_where_the_backup_fails_too_one_error_tells_of_both(scene, fault, pair):
    told = scene.play(fault, backup=FAULTS["error-503"]).told
    assert type(told.error) is AllModelsFailed, str(told)
    assert [one.candidate for one in told.error.attempts] == ["primary", "backup"]
    assert told.seen == ""
    scene.sim.wait_closed()


CHOSEN = [
    "error-503",
    "hang-after-headers",
    "role-then-cut",
    "content-then-error",
    "content-then-stall",
    "no-finish",
    "finish-then-cut",
]
EVERY_OTHER_WAY = sorted(set(WAYS) - set(BASIC))


@pytest.mark.parametrize("pair", PAIRS, ids="-to-".join)
@pytest.mark.parametrize("way", EVERY_OTHER_WAY, indirect=True)
@pytest.mark.parametrize("fault", CHOSEN)
def test_so_it_does_in_every_way_between_all_families(scene, fault, way, pair):
    scene.play(fault).check(ends_of(fault, way.name, pair, SHOWN))


@pytest.mark.parametrize("pair", [("anthropic", "openai")], ids="-to-".join)
@pytest.mark.parametrize("way", ["stream", "astream"], indirect=True)
@pytest.mark.parametrize("fault", sorted(FAULTS_HERE))
def test_with_commit_on_complete_no_fault_is_an_interruption(scene, fault, way, pair):
    scene.play(fault, commit_on="complete").check(ends_of(fault, way.name, pair, HELD))


@pytest.mark.parametrize("pair", [("openai", "anthropic")], ids="-to-".join)
@pytest.mark.parametrize("way", PIECE_BY_PIECE[2:], indirect=True)
@pytest.mark.parametrize("fault", CHOSEN[3:])
def test_nor_in_any_other_way(scene, fault, way, pair):
    scene.play(fault, commit_on="complete").check(ends_of(fault, way.name, pair, HELD))
