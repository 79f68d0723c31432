"""Faults in real models: as often as told, of the kind told, and never in silence."""

from __future__ import annotations

import logging

import pytest
from langchain_openai import ChatOpenAI

from langchain_reliable import (
    AllModelsFailed,
    Candidate,
    Group,
    ReliableChatModel,
    StreamInterrupted,
    classify,
)
from langchain_reliable.testing import (
    Faults,
    ScriptedChatModel,
    inject,
    says,
    simulator,
    tool_call,
)
from langchain_reliable.testing._inject import _KINDS

ANSWER = says("one two three")


def child(name, *script):
    return ScriptedChatModel(model=name, script=script or [ANSWER])


def always(**faults):
    return Faults(**faults)


@pytest.mark.parametrize("kind", _KINDS)
def test_a_kind_is_what_the_classifier_makes_of_it(surface, kind):
    error = surface(inject(child("a"), always(errors={kind: 1}))).error
    assert classify(error).kind == kind


@pytest.mark.parametrize("fault", ["cut_before", "cut_after"])
def test_a_cut_is_a_broken_connection(surface, fault):
    outcome = surface(inject(child("a"), always(**{fault: 1})))
    assert classify(outcome.error).kind == "connection"
    seen = "".join(chunk.text for chunk in outcome.chunks)
    assert seen == ("one" if fault == "cut_after" and surface.streams else "")


def test_a_stream_cut_after_its_first_word_is_interrupted(surface, reliable):
    model = inject(reliable(child("a"), child("b")), always(cut_after=1))
    error = surface(model).error
    assert isinstance(error, StreamInterrupted if surface.streams else AllModelsFailed)


def test_silence_and_latency_pass_on_the_clock(surface, clock):
    faults = Faults(silent=1, silent_seconds=50, latency=(2, 2))
    outcome = surface(inject(child("a"), faults, clock=clock))
    assert classify(outcome.error).kind == "timeout"
    assert clock.slept == [52]


def test_shares_are_kept_and_a_seed_repeats_them(reliable):
    def kinds(seed):
        model = inject(child("a"), Faults(errors={"server_error": 0.3}), seed=seed)
        return [failed(model) for _ in range(400)]

    once = kinds(7)
    assert 0.2 < sum(once) / 400 < 0.4
    assert kinds(7) == once != kinds(8)


def failed(model):
    try:
        model.invoke("?")
    except Exception:  # noqa: BLE001 - any will do
        return True
    return False


def test_an_application_goes_on_and_the_model_itself_is_left_alone(surface, reliable):
    first, second = child("a"), child("b")
    model = reliable(Candidate(first, name="x"), Group([second]))
    faulty = inject(model, Faults(errors={"server_error": 0.2}), seed=1)
    for _ in range(10):
        assert surface(faulty).text == "one two three"
    assert faulty.health is not model.health
    assert type(first) is type(second) is ScriptedChatModel
    assert faulty.models[0].name == "x"


def test_it_says_what_it_is(caplog):
    caplog.set_level(logging.WARNING, logger="langchain_reliable")
    faulty = inject(ReliableChatModel(models=[child("a")]), Faults(silent=0.5))
    assert "faults are injected into ReliableChatModel" in caplog.text
    assert repr(faulty).endswith("with injected faults")
    assert repr(faulty.models[0].model).endswith("with injected faults")
    assert isinstance(faulty, ReliableChatModel)


def test_a_real_client_stays_what_it_is():
    with simulator() as sim:
        sim.script("gpt", says(calls=[tool_call("look", where="there")]))
        client = ChatOpenAI(model="gpt", api_key="none", base_url=sim.openai_url)
        model = ReliableChatModel(models=[client.bind(temperature=0.5), child("b")])
        faulty = inject(model, Faults())
        bound = faulty.bind_tools([look])
        assert bound.invoke("?").tool_calls[0]["name"] == "look"
        first, *_ = bound.stream("?")
        assert first is not None
        assert sim.requests[0].body["temperature"] == 0.5
        assert "tools" in sim.requests[0].body


def look(where: str) -> str:
    """Look somewhere."""
    return where


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ({"errors": {"empty": 0.1}}, "can't inject 'empty'"),
        ({"errors": {"auth": 0.9}, "silent": 0.2}, "in sum at most 1"),
        ({"cut_before": -0.1}, "from 0 to 1"),
        ({"latency": (2, 1)}, "two numbers of seconds"),
    ],
)
def test_what_can_not_be_done_is_refused(faults, said):
    with pytest.raises(ValueError, match=said):
        Faults(**faults)


def test_only_chat_models_take_faults():
    with pytest.raises(TypeError, match="not into a function"):
        inject(lambda _: 1, Faults())
