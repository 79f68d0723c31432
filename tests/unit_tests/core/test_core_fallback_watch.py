"""A model that is refused call after call is told of, though a fallback answers."""

from __future__ import annotations

import pytest

from langchain_reliable.testing import ScriptedChatModel


class Refused(Exception):
    status_code = 400


def scripted(name, *script):
    return ScriptedChatModel(model=name, script=list(script))


@pytest.fixture
def said(caplog):
    """Return how often the refusals were told of so far."""
    return lambda: caplog.text.count("calls in a row")


def ask(model, times):
    for _ in range(times):
        model.invoke("hi")


def test_five_refusals_in_a_row_are_said_once(reliable, said, caplog):
    model = reliable(scripted("first", Refused("no such field")), scripted("second"))
    ask(model, 4)
    assert said() == 0
    ask(model, 3)
    assert said() == 1
    assert "first refused 5 calls in a row" in caplog.text
    assert "no such field" in caplog.text


def test_it_is_said_again_after_five_minutes(reliable, said, clock):
    model = reliable(scripted("first", Refused("no")), scripted("second"))
    ask(model, 9)
    clock.sleep_until(clock.now() + 301)
    ask(model, 3)
    assert said() == 2


def test_all_surfaces_count(surface, reliable, said):
    model = reliable(scripted("first", Refused("no")), scripted("second"))
    for _ in range(5):
        assert surface(model).error is None
    assert said() == 1


def test_an_answer_between_them_ends_the_row(reliable, said):
    script = [Refused("no")] * 4 + ["yes"] + [Refused("no")] * 4
    model = reliable(scripted("first", *script), scripted("second"))
    ask(model, 9)
    assert said() == 0


def test_another_failure_between_them_ends_the_row(reliable, said):
    script = [Refused("no")] * 4 + [ConnectionError("reset")] + [Refused("no")] * 4
    model = reliable(
        scripted("first", *script),
        scripted("second"),
        max_retries=0,
        circuit_breaker=None,
    )
    ask(model, 9)
    assert said() == 0


def test_a_model_by_itself_fails_aloud_anyway(reliable, said):
    model = reliable(scripted("first", Refused("no")))
    for _ in range(7):
        with pytest.raises(Refused):
            model.invoke("hi")
    assert said() == 0


def test_a_second_candidate_that_refuses_is_no_wrong_choice(reliable, said):
    model = reliable(
        scripted("first", ConnectionError("reset")),
        scripted("second", Refused("no")),
        scripted("third"),
        max_retries=0,
        circuit_breaker=None,
    )
    ask(model, 7)
    assert said() == 0


def test_what_is_remembered_is_bounded(reliable):
    model = reliable(scripted("first", Refused("no")), scripted("second"))
    for number in range(300):
        model.invoke("hi", model=f"made-up-{number}")
    assert len(model.health.fallback_watch.rows) <= 256
