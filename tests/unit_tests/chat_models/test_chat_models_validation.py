"""What is set, copied or said at a call is looked at as it is at construction."""

from __future__ import annotations

import logging

import pytest
from pydantic import ValidationError, model_validator

from langchain_reliable import CallOptions, Candidate, FailureKind, ReliableChatModel
from langchain_reliable.testing import ScriptedChatModel


def scripted(name, *script):
    return ScriptedChatModel(model=name, script=list(script))


def set_field(model, **field):
    [(name, value)] = field.items()
    setattr(model, name, value)
    return model


def copy(model, **field):
    return model.model_copy(update=field)


CHANGED = pytest.mark.parametrize("changed", [set_field, copy])


@CHANGED
def test_models_that_are_changed_later_are_asked(surface, reliable, changed):
    model = reliable(scripted("a"))
    model.invoke("?")
    changed_one = changed(model, models=[scripted("b", "hello")])
    assert surface(changed_one).attempts == ["b: answered"]


@CHANGED
@pytest.mark.parametrize(
    ("field", "said"),
    [
        ({"models": [3]}, r"models\[0\]: got a value of type int"),
        ({"models": []}, "`models` is empty"),
        ({"max_retries": -3}, "max_retries"),
        ({"commit_on": "never"}, "commit_on"),
        ({"observers": ["x"]}, r"observers\[0\]"),
        ({"circuit_breaker": True}, "circuit_breaker"),
    ],
)
def test_what_is_changed_later_is_checked(reliable, changed, field, said):
    model = reliable(scripted("a", "hello"))
    with pytest.raises(ValidationError, match=said):
        changed(model, **field)
    assert model.invoke("?").text == "hello"


def test_a_subclass_may_set_fields_when_it_is_built():
    class Patient(ReliableChatModel):
        patience: int = 0

        @model_validator(mode="after")
        def _waits(self):
            self.max_retries = self.patience = self.patience + 1
            return self

    model = Patient(models=[scripted("a")])
    assert (model.max_retries, model.patience) == (1, 1)


def test_a_model_that_was_asked_equals_its_copy(reliable):
    model = reliable(scripted("a"))
    early = model.model_copy()
    model.invoke("?")
    assert model == early == model.model_copy()
    assert model != model.model_copy(update={"max_retries": 7})


@pytest.mark.parametrize(
    ("said", "error", "write"),
    [
        ({"reliable": {"start_at": "a"}}, TypeError, r"CallOptions\(start_at=...\)"),
        ({"reliable": {"failover": 0}}, TypeError, r"CallOptions\(failover=...\)"),
        ({"reliable": CallOptions}, TypeError, "write reliable=CallOptions"),
        ({"model": 3}, TypeError, "of type int; write a model's name"),
        ({"model": ""}, ValueError, "is empty; write a model's name"),
    ],
)
def test_a_call_says_what_to_write(surface, reliable, said, error, write):
    child = scripted("a")
    outcome = surface(reliable(child), **said)
    with pytest.raises(error, match=write):
        raise outcome.error
    assert child.request_count == 0


@pytest.mark.parametrize(
    ("timeout", "error"),
    [
        (-1, ValueError),
        (float("inf"), ValueError),
        (float("nan"), ValueError),
        ("x", TypeError),
        (None, TypeError),
    ],
)
def test_a_check_takes_seconds(reliable, run, timeout, error):
    model = reliable(scripted("a"))
    with pytest.raises(error, match="write a number of seconds"):
        model.check(timeout=timeout)
    with pytest.raises(error, match="write a number of seconds"):
        run(model.acheck(timeout=timeout))


# --- classify= --------------------------------------------------------------------


def raises(error):
    raise KeyError(str(error))


def raises_again(error):
    raise error


@pytest.mark.parametrize(
    ("classify", "told"),
    [
        (raises, "raised KeyError in raises, line"),
        (raises_again, "raised ConnectionError in raises_again, line"),
        (lambda _: "authh", "returned a value of type str that is no opinion"),
        (lambda _: True, "returned a value of type bool"),
        (lambda _: FailureKind, "returned a value of type EnumType"),
    ],
)
def test_a_classifier_gone_wrong_has_no_opinion_and_is_told_of_once(
    reliable, caplog, classify, told
):
    ill = Candidate(scripted("a", ConnectionError("my prompt")), max_retries=1)
    model = reliable(ill, scripted("b", "hello"), classify=classify)
    answers = [model.invoke("my prompt"), model.model_copy().invoke("my prompt")]
    kinds = [
        [one["kind"] for one in answer.response_metadata["reliable"]["attempts"]]
        for answer in answers
    ]
    assert kinds == [["connection", "connection", None], ["connection", None]]
    [line] = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert told in line.getMessage()
    assert line.exc_info is None
    assert "my prompt" not in line.getMessage()
