"""Every fault on the wire before the first word ends in the backup's text, once."""

from __future__ import annotations

import pytest

from langchain_reliable.testing import FAULTS, says

PAIRS = [
    ("openai", "openai"),
    ("openai", "anthropic"),
    ("anthropic", "openai"),
]

ANSWERS = {
    "trickle": "a slow answer is an answer",
    "content-filter": "it finished, and said why it says nothing",
    "no-done": "complete without its last line",
    "finish-then-cut": "complete before the cut",
    "finish-then-stall": "complete before the stall",
    "reasoning-then-silence": "it has spoken",
}
SPEAKS_FIRST = {
    "content-then-error",
    "content-then-cut",
    "content-then-stall",
    "malformed-event",
    "no-finish",
}
LEAVES_AS_IT_CAME = {"content-policy"}
HANGS = {
    "hang-before-headers",
    "hang-after-headers",
    "keep-alives-then-silence",
    "role-then-silence",
    "content-then-stall",
}

BEFORE_COMMIT = sorted(set(FAULTS) - set(ANSWERS) - SPEAKS_FIRST - LEAVES_AS_IT_CAME)
IN_ONE_PIECE = sorted(SPEAKS_FIRST - {"no-finish"})


def patience(fault: str) -> dict[str, float]:
    """The client's own read timeout, short where the server hangs."""
    return {"timeout": 0.25} if fault in HANGS else {}


def check_backup_answers(surface, reliable, clients, fault, pair):
    first, second = pair
    sim = clients.sim
    sim.script("the-primary", FAULTS[fault])
    sim.script("the-backup", says("the backup says hello"))
    model = reliable(
        clients.of(first, "the-primary", **patience(fault)),
        clients.of(second, "the-backup"),
        max_retries=0,
    )

    outcome = surface(model)

    assert outcome.error is None, repr(outcome.error)
    assert outcome.text == "the backup says hello"
    assert (sim.count("the-primary"), sim.count("the-backup")) == (1, 1)
    heard = outcome.heard
    assert (heard.starts, heard.ends, heard.errors) == (1, 1, 0)
    assert list(outcome.usage) == ["the-backup"]
    assert len({chunk.id for chunk in outcome.chunks}) <= 1
    if surface.streams:
        assert "".join(heard.tokens) == "the backup says hello"
    sim.wait_closed()


@pytest.mark.parametrize("pair", PAIRS, ids="-to-".join)
@pytest.mark.parametrize("fault", BEFORE_COMMIT)
def test_the_backup_answers(surface, reliable, clients, fault, pair):
    check_backup_answers(surface, reliable, clients, fault, pair)


@pytest.mark.parametrize("surface", ["invoke", "ainvoke"], indirect=True)
@pytest.mark.parametrize("pair", PAIRS, ids="-to-".join)
@pytest.mark.parametrize("fault", IN_ONE_PIECE)
def test_an_answer_in_one_piece_was_not_seen_before_it_is_whole(
    surface, reliable, clients, fault, pair
):
    check_backup_answers(surface, reliable, clients, fault, pair)


@pytest.mark.parametrize("family", ["openai", "anthropic"])
def test_a_content_policy_leaves_as_it_came(surface, reliable, clients, family):
    clients.sim.script("the-primary", FAULTS["content-policy"])
    model = reliable(clients.of(family, "the-primary"), clients.openai("the-backup"))
    outcome = surface(model)
    assert type(outcome.error).__module__.startswith(f"langchain_{family}")
    assert clients.sim.count("the-backup") == 0


@pytest.mark.parametrize("family", ["openai", "anthropic"])
@pytest.mark.parametrize(
    "fault", ["content-filter", "no-done", "finish-then-cut", "reasoning-then-silence"]
)
@pytest.mark.parametrize("surface", ["stream", "astream"], indirect=True)
def test_what_is_an_answer_is_kept(surface, reliable, clients, family, fault):
    if (family, fault) == ("openai", "reasoning-then-silence"):
        pytest.skip("ChatOpenAI does not show reasoning of chat completions")
    clients.sim.script("the-primary", FAULTS[fault])
    patient = {"timeout": 0.25} if fault == "reasoning-then-silence" else {}
    model = reliable(
        clients.of(family, "the-primary", **patient), clients.openai("the-backup")
    )
    outcome = surface(model)
    assert clients.sim.count("the-backup") == 0
    if fault == "reasoning-then-silence":
        assert outcome.error.served_by == "the-primary"
    else:
        assert outcome.trail["served_by"] == "the-primary"


@pytest.mark.parametrize("family", ["openai", "anthropic"])
def test_refused_connections_fail_over(surface, reliable, clients, family):
    dead = clients.of(family, "the-primary").model_copy()
    base = clients.sim.refusing_url + ("/v1" if family == "openai" else "")
    dead = type(dead)(model="the-primary", base_url=base, api_key="sk-test")
    outcome = surface(reliable(dead, clients.openai("the-backup")))
    # Nothing was sent, so the next is asked at once.
    assert outcome.attempts == ["the-primary: connection", "the-backup: answered"]


class TestWithTheClientsDefaultSettings:
    @pytest.mark.parametrize("family", ["openai", "anthropic"])
    def test_a_persistent_503_is_asked_three_times_per_candidate(
        self, surface, reliable, clients, family
    ):
        sim = clients.sim
        sim.script("a", FAULTS["error-503"])
        sim.script("b", FAULTS["error-503"])
        outcome = surface(reliable(clients.of(family, "a"), clients.of(family, "b")))
        assert (sim.count("a"), sim.count("b")) == (3, 3)
        assert "6 attempts on 2 models" in str(outcome.error)

    @pytest.mark.parametrize("family", ["openai", "anthropic"])
    def test_a_recovering_one_answers(self, surface, reliable, clients, family, clock):
        fault = FAULTS["rate-limited"]
        clients.sim.script("a", fault, fault, says("back again"))
        outcome = surface(reliable(clients.of(family, "a"), clients.openai("b")))
        assert outcome.text == "back again"
        assert clock.slept == [2.0, 2.0]
        assert clients.sim.count("b") == 0

    @pytest.mark.parametrize("family", ["openai", "anthropic"])
    def test_the_callers_objects_stay_as_they_were(
        self, surface, reliable, clients, family
    ):
        clients.sim.script("a", FAULTS["error-503"])
        child = clients.of(family, "a", max_retries=1)
        surface(reliable(child, max_retries=0))
        assert clients.sim.count("a") == 1
        assert child.max_retries == 1
        sdk = child.root_client if family == "openai" else child._client
        assert sdk.max_retries == 1

    def test_children_may_keep_their_own_retries(self, reliable, clients):
        retry_at_once = FAULTS["error-503"].__class__(
            trouble=FAULTS["error-503"].trouble,
            headers=(("retry-after-ms", "1"),),
        )
        clients.sim.script("a", retry_at_once)
        child = clients.openai("a", max_retries=1)
        model = reliable(child, max_retries=0, manage_child_retries=False)
        with pytest.raises(Exception, match="503"):
            model.invoke("hello?")
        assert clients.sim.count("a") == 2
