"""`hedge` at the door, and on every way that LangChain takes with a model's fields."""

from __future__ import annotations

import json
import pickle

import pytest
from langchain_core.load import dumpd, load
from langchain_core.runnables import ConfigurableField
from langchain_openai import ChatOpenAI

from langchain_reliable import Candidate, Hedge, ReliableChatModel
from langchain_reliable.testing import ScriptedChatModel


def model_of(**settings):
    children = [ScriptedChatModel(model=name, script=[name]) for name in ("a", "b")]
    return ReliableChatModel(models=children, **settings)


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        (None, None),
        (2, Hedge(after=2.0)),
        (0.1, Hedge(after=0.1)),
        ("p95", Hedge(after="p95")),
        (Hedge(after=1, whole_after=30), Hedge(after=1.0, whole_after=30)),
        ({"after": 3, "max_share": 0.1}, Hedge(after=3.0, max_share=0.1)),
    ],
)
def test_what_may_be_written(written, stored):
    assert model_of(hedge=written).hedge == stored
    assert Candidate(ScriptedChatModel(), hedge=written).hedge == stored


@pytest.mark.parametrize("wrong", [0, 0.05, -1, True, "p99", float("inf"), [2]])
def test_what_may_not_says_what_to_write(wrong):
    with pytest.raises(ValueError, match=r"hedge=2\.0"):
        model_of(hedge=wrong)
    with pytest.raises(ValueError, match=r"hedge=2\.0"):
        Candidate(ScriptedChatModel(), hedge=wrong)


@pytest.mark.parametrize("hedge", [None, 2.0, "p95"])
def test_it_travels(hedge):
    model = model_of(hedge=hedge)
    assert pickle.loads(pickle.dumps(model)).hedge == model.hedge  # noqa: S301 - ours
    assert model.model_copy().hedge == model.hedge
    assert dumpd(model)["kwargs"].get("hedge") == (
        None if model.hedge is None else model.hedge.model_dump()
    )


@pytest.mark.filterwarnings("ignore:The function `load` is in beta")
def test_a_loaded_model_hedges():
    child = ChatOpenAI(model="gpt-5.4", api_key="no key")
    models = [Candidate(child, hedge=Hedge(after=2, whole_after=9)), child]
    model = ReliableChatModel(models=models, hedge="p95", on_interrupt="restart")
    again = load(
        json.loads(json.dumps(dumpd(model))),
        valid_namespaces=["langchain_reliable"],
        allowed_objects=[ReliableChatModel, ChatOpenAI],
        secrets_map={"OPENAI_API_KEY": "no key"},
    )
    assert again.hedge == Hedge(after="p95")
    assert again.models[0].hedge == Hedge(after=2, whole_after=9)
    assert again.on_interrupt == "restart"


def test_it_is_configurable():
    field = ConfigurableField(id="hedge")
    model = model_of().configurable_fields(hedge=field)
    hedged = model.with_config(configurable={"hedge": 2.0})
    assert hedged.invoke("?").text == "a"
    with pytest.raises(ValueError, match=r"hedge=2\.0"):
        model.with_config(configurable={"hedge": 0}).invoke("?")


def test_a_candidate_has_its_own_or_none():
    model = ReliableChatModel(
        models=[
            Candidate(ScriptedChatModel(model="a"), hedge=None),
            Candidate(ScriptedChatModel(model="b"), hedge=5),
            ScriptedChatModel(model="c"),
        ],
        hedge=Hedge(after=2, whole_after=9, max_share=0.5),
    )
    rules = [route.hedge for route in model._router.plan().routes]
    assert rules[0] is None
    assert (rules[1].stream, rules[1].whole) == (5, None)
    assert (rules[2].stream, rules[2].whole, rules[2].share) == (2, 9, 0.5)


def test_tokens_are_shared_by_copies_through_health():
    model = model_of(hedge=2.0)
    assert model.model_copy().health.hedges is model.health.hedges
