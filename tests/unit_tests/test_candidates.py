"""Bad construction names the field and says what to write."""

from __future__ import annotations

import builtins
import pickle
import re
import sys

import pytest
from langchain_core.callbacks import StdOutCallbackHandler
from langchain_core.prompts import ChatPromptTemplate
from pydantic import ValidationError

from langchain_reliable import Candidate, Group, ReliableChatModel
from langchain_reliable.observers import Timeline
from langchain_reliable.testing import ScriptedChatModel

CHILD = ScriptedChatModel(model="a")


async def later(_: object) -> None:
    """Answer too late."""


BAD = {
    "no models at all": ({}, ["models", "Field required"]),
    "an empty list": ({"models": []}, ["models", "is empty", "Candidate(...)"]),
    "a model without the list": ({"models": CHILD}, ["models=[primary, backup]"]),
    "a string without the list": ({"models": "openai:x"}, ["models=[primary"]),
    "something else": ({"models": [CHILD, 3]}, ["models[1]", "of type int"]),
    "a class": (
        {"models": [ScriptedChatModel]},
        ["models[0]", "the class ScriptedChatModel (call it: ScriptedChatModel(...))"],
    ),
    "an empty group": ({"models": [[]]}, ["models[0]", "at least one model"]),
    "something else in a group": ({"models": [[3]]}, ["models[0]", "of type int"]),
    "a misspelled option": (
        {"models": [CHILD], "max_retry": 1},
        ["`max_retry`", "did you mean `max_retries`?"],
    ),
    "an unknown option": (
        {"models": [CHILD], "zzz": "sk-secret"},
        ["`zzz`", "known are", "max_attempts"],
    ),
    "a time limit by a foreign name": (
        {"models": [CHILD], "timeout": 3},
        ["`timeout`", "total_timeout (the whole call)", "attempt_timeout"],
    ),
    "fallbacks": ({"models": [CHILD], "fallbacks": [CHILD]}, ["models=[a, b]"]),
    "a sampling parameter": (
        {"models": [CHILD], "temperature": 0.2},
        ["ChatOpenAI(model=..., temperature=...)", "invoke(..., temperature=...)"],
    ),
    "a router's cooldown": (
        {"models": [CHILD], "cooldown_time": 3},
        ["circuit_breaker=CircuitBreaker(open_for=...)"],
    ),
    "a router's allowance": (
        {"models": [CHILD], "allowed_fails": 3},
        ["circuit_breaker=CircuitBreaker(failures=...)"],
    ),
    "a router's retries": ({"models": [CHILD], "num_retries": 3}, ["max_retries=..."]),
    "a router's models": ({"model_list": []}, ["models=[a, b]"]),
    "a key": (
        {"models": [CHILD], "api_key": "sk-secret"},
        ["belongs to each model", "api_key=..."],
    ),
    "a callable's exceptions": (
        {"models": [CHILD], "exceptions_to_handle": ()},
        ["verdicts={...}"],
    ),
    "a trick for a name": (
        {"models": [CHILD], "a\r\nforged": 1},
        ["unknown option `a forged`"],
    ),
    "a negative number": ({"models": [CHILD], "max_retries": -1}, ["max_retries"]),
    "no attempts": ({"models": [CHILD], "max_attempts": 0}, ["max_attempts"]),
    "not a number": (
        {"models": [CHILD], "max_backoff": float("nan")},
        ["max_backoff", "finite"],
    ),
    "a fallback that is no list": (
        {"models": [CHILD], "model_fallbacks": {"a": "b"}},
        ['model_fallbacks={"a": ["b"]}'],
    ),
    "fallbacks that are no mapping": (
        {"models": [CHILD], "model_fallbacks": ["a"]},
        ["model_fallbacks", "dictionary"],
    ),
    "an unknown kind": (
        {"models": [CHILD], "verdicts": {"timeut": "next"}},
        ["verdicts", "timeout"],
    ),
    "an unknown verdict": (
        {"models": [CHILD], "verdicts": {"timeout": "again"}},
        ["verdicts.timeout", "'retry', 'next' or 'raise'"],
    ),
    "a classifier that can't be called": (
        {"models": [CHILD], "classify": 3},
        ["classify", "callable"],
    ),
    "an asynchronous classifier": (
        {"models": [CHILD], "classify": later},
        ["classify", "write `def`, not `async def`"],
    ),
    "an observer without the list": (
        {"models": [CHILD], "observers": Timeline()},
        ["observers=[Timeline()]"],
    ),
    "an observer that is no function": (
        {"models": [CHILD], "observers": [print, "sk-secret"]},
        ["observers[1]", "of type str", "a function that takes an event"],
    ),
    "an observer's class": (
        {"models": [CHILD], "observers": [Timeline]},
        ["observers[0]", "the class Timeline (call it: Timeline())"],
    ),
    "an asynchronous observer": (
        {"models": [CHILD], "observers": [later]},
        ["observers[0]", "write `def`, not `async def`"],
    ),
    "a callback handler": (
        {"models": [CHILD], "observers": [StdOutCallbackHandler()]},
        ["observers[0]", "callbacks=[StdOutCallbackHandler(...)]"],
    ),
    "an empty name": ({"models": [""]}, ["models[0]", "an empty name"]),
    "a prompt": (
        {"models": [CHILD, ChatPromptTemplate.from_template("sk-secret")]},
        ["models[1]", "ChatPromptTemplate", "prompt | model"],
    ),
    "a circuit breaker that can't grow": (
        {
            "models": [CHILD],
            "circuit_breaker": {"open_for": 400, "max_open_for": 300},
        },
        ["circuit_breaker", "open_for=400 is longer than max_open_for=300"],
    ),
}


@pytest.mark.parametrize(("given", "said"), BAD.values(), ids=list(BAD))
def test_bad_construction_says_what_to_write(given, said):
    with pytest.raises(ValidationError) as caught:
        ReliableChatModel(**given)
    for word in said:
        assert word in str(caught.value)
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Candidate(3), "of type int"),
        (lambda: Candidate(""), "an empty name"),
        (lambda: Candidate(CHILD, max_retries=-1), "max_retries"),
        (lambda: Candidate(CHILD, weight=0), "weight"),
        (lambda: Candidate(CHILD, context_window=0), "context_window"),
        (lambda: Candidate(CHILD, name=""), "name"),
        (lambda: Candidate(CHILD, nmae="x"), "nmae"),
        (lambda: Group(CHILD), "a group is a list"),
        (lambda: Group([CHILD], order="random"), "order"),
    ],
)
def test_bad_candidates_and_groups_too(make, said):
    with pytest.raises(ValidationError, match=said):
        make()


def test_names_need_langchain(monkeypatch):
    monkeypatch.setitem(sys.modules, "langchain.chat_models", None)
    with pytest.raises(ValidationError, match="pip install langchain"):
        ReliableChatModel(models=["openai:gpt-5.4"])


def test_a_name_that_cannot_be_opened_says_so():
    with pytest.raises(ValidationError, match=r"models\[0\]: \"nobody:x\" could not"):
        ReliableChatModel(models=["nobody:x"])


@pytest.mark.parametrize(
    ("given", "say"),
    [([CHILD, CHILD], "(models=[...])"), (CHILD, "(models=[a, b])")],
)
def test_positional_models_are_told_their_name(given, say):
    with pytest.raises(TypeError, match=re.escape(f"ReliableChatModel{say}")):
        ReliableChatModel(given)


class TestWithoutAKey:
    """One missing key is that candidate's failure, and not the end of a list."""

    @pytest.fixture(autouse=True)
    def no_keys(self, monkeypatch):
        for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "ANTHROPIC_API_KEY"):
            monkeypatch.delenv(name, raising=False)

    def test_the_others_answer_and_it_fails_as_auth(self, surface, reliable, caplog):
        model = reliable("openai:gpt-x", ScriptedChatModel(model="b", script=["hello"]))
        assert "there is no key for 'openai:gpt-x'" in caplog.text
        outcome = surface(model)
        assert outcome.text == "hello"
        [first, _] = outcome.message.response_metadata["reliable"]["attempts"]
        assert (first["candidate"], first["kind"]) == ("gpt-x", "auth")

    def test_tools_are_no_other_failure(self, reliable):
        model = reliable("openai:gpt-x", ScriptedChatModel(model="b", script=["hi"]))
        answer = model.bind_tools([lambda_tool]).invoke("?")
        [first, _] = answer.response_metadata["reliable"]["attempts"]
        assert first["kind"] == "auth"

    def test_a_class_that_does_not_mind_is_told_of_too(self, caplog):
        ReliableChatModel(models=["anthropic:claude-x", CHILD])
        assert "no key for 'anthropic:claude-x': set ANTHROPIC_API_KEY" in caplog.text

    def test_without_any_key_nothing_is_built(self):
        with pytest.raises(ValidationError, match=r"no key.*OPENAI_API_KEY"):
            ReliableChatModel(models=["openai:gpt-x", Candidate("openai:gpt-y")])

    def test_it_survives_pickling(self):
        model = ReliableChatModel(models=["openai:gpt-x", CHILD])
        again = pickle.loads(pickle.dumps(model))  # noqa: S301 - our own
        assert repr(again) == "ReliableChatModel(models=[gpt-x, a])"


def lambda_tool(city: str) -> str:
    """Tell the weather."""
    return city


def test_a_name_becomes_a_model(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    model = ReliableChatModel(models=["openai:gpt-5.4"])
    assert model.model_name == "gpt-5.4"


def test_construction_makes_no_copies_and_opens_nothing(monkeypatch):
    real = builtins.open
    monkeypatch.setattr(
        builtins, "open", lambda *a, **k: pytest.fail("opened") if a else real(*a, **k)
    )
    model = ReliableChatModel(models=[CHILD, [CHILD, CHILD]])
    assert not any(one._kept for one in model._factory.router.candidates)


class TestIdentity:
    def test_repr_is_one_line(self):
        model = ReliableChatModel(
            models=[CHILD, [CHILD, Candidate(CHILD, name="eu")], CHILD.bind(x=1)]
        )
        assert repr(model) == "ReliableChatModel(models=[a, [a, eu], a])"
        assert str(model) == repr(model)

    def test_names_are_unique(self):
        model = ReliableChatModel(models=[CHILD, CHILD])
        assert model.model_name == "a | a #2"

    def test_type_is_the_first_childs(self):
        assert ReliableChatModel(models=[CHILD])._llm_type == CHILD._llm_type
        chain = CHILD | (lambda message: message)
        assert ReliableChatModel(models=[chain])._llm_type == "reliable"

    def test_two_wrappers_do_not_answer_from_each_others_cache(self):
        one = ReliableChatModel(models=[CHILD])
        two = ReliableChatModel(models=[CHILD, ScriptedChatModel(model="b")])
        assert one._get_llm_string() != two._get_llm_string()

    def test_a_changed_field_is_heeded(self):
        model = ReliableChatModel(models=[CHILD])
        assert model.model_name == "a"
        other = model.model_copy(update={"models": (Candidate(CHILD, name="b"),)})
        assert (model.model_name, other.model_name) == ("a", "b")
