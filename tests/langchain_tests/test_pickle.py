"""Copied, deep-copied, pickled, fresh or used: each goes on as itself."""

from __future__ import annotations

import copy
import pickle
import pickletools

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import ConfigurableField
from pydantic import BaseModel

from langchain_reliable import (
    Candidate,
    CircuitBreaker,
    Group,
    Health,
    ReliableChatModel,
    RetryBudget,
    rotate_keys,
)
from langchain_reliable.observers import (
    CustomEventObserver,
    LoggingObserver,
    OpenTelemetryObserver,
    Timeline,
)
from langchain_reliable.testing import (
    ScriptedChatModel,
    error_status,
    says,
    tool_call,
)


def pickled(one):
    return pickle.loads(pickle.dumps(one))  # noqa: S301 - our own


def deep(one):
    return one.model_copy(deep=True)


def shallow(one):
    return one.model_copy()


ALL = [copy.copy, shallow, copy.deepcopy, deep, pickled]
APART = [copy.deepcopy, deep, pickled]
ORDERS = ["ordered", "round_robin", "weighted"]


class City(BaseModel):
    name: str


def weather(city: str) -> str:
    """Look out of the window."""
    return city


@pytest.fixture
def used(run):
    """Ask in several ways, so that all that is made at first use is made."""

    def asked(model):
        model.invoke("?")
        list(model.stream("?"))
        run(model.ainvoke("?"))
        return model

    return asked


@pytest.fixture
def make(clients, sim):
    """Make a wrapper of Anthropic children, whose first entry is down."""
    sim.script("down", error_status(503))

    def made(order="ordered", **settings):
        group = Group(
            [
                clients.anthropic("down"),
                Candidate(clients.anthropic("up"), weight=2.0),
                clients.anthropic("well"),
            ],
            order=order,
        )
        models = [Candidate(clients.anthropic("down"), name="first"), group]
        return ReliableChatModel(
            models=models, initial_backoff=0, max_retries=0, **settings
        )

    return made


@pytest.mark.parametrize("copied", ALL)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("is_used", [False, True], ids=["fresh", "used"])
def test_a_copy_fails_over_as_the_model_does(make, sim, copied, order, is_used, used):
    model = make(order, retry_budget=RetryBudget())
    if is_used:
        used(model)
    again = copied(model)
    assert repr(again) == repr(model)
    assert again.invoke("?").text in ("Hello from up.", "Hello from well.")
    pieces = "".join(chunk.text for chunk in again.stream("?"))
    assert pieces in ("Hello from up.", "Hello from well.")
    sim.wait_closed()


@pytest.mark.parametrize("copied", [copy.copy, shallow, copy.deepcopy, deep])
def test_a_copy_knows_what_the_model_knows(make, copied):
    model = make()
    again = copied(model)
    model.invoke("?")
    assert again.health is model.health


def test_a_pickled_one_begins_with_fresh_health(make, used):
    model = make(circuit_breaker=CircuitBreaker(failures=1))
    model.health.isolate("well")
    used(model)
    again = pickled(model)
    assert again.health.snapshot() == ()
    assert again.circuit_breaker == model.circuit_breaker


def test_models_that_share_health_share_it_still(make):
    health = Health()
    one, other = pickled((make(health=health), make(health=health)))
    assert one.health is other.health
    assert one.health is not health


@pytest.mark.parametrize("copied", APART)
def test_a_deep_copy_begins_a_round_of_its_own(copied):
    names = [ScriptedChatModel(model=name) for name in "abc"]
    model = ReliableChatModel(models=[Group(names, order="round_robin")])
    assert model.invoke("?").text == "Hello from a."
    again = copied(model)
    assert again.invoke("?").text == "Hello from a."
    assert model.invoke("?").text == "Hello from b."


def test_a_shallow_copy_goes_on_with_the_same_round():
    names = [ScriptedChatModel(model=name) for name in "abc"]
    model = ReliableChatModel(models=[Group(names, order="round_robin")])
    assert model.invoke("?").text == "Hello from a."
    assert copy.copy(model).invoke("?").text == "Hello from b."


@pytest.mark.parametrize("copied", APART)
def test_a_deep_copy_asks_its_own_children(copied, used):
    child = ScriptedChatModel(model="a")
    model = used(ReliableChatModel(models=[child]))
    again = copied(model)
    theirs = again.models[0].model
    assert theirs is not child
    assert again.models[0]._kept == {}
    assert again.invoke("?").text == "Hello from a."


@pytest.mark.parametrize("is_used", [False, True], ids=["fresh", "used"])
def test_what_a_child_says_to_being_pickled_is_what_leaves(clients, is_used, used):
    child = clients.openai("a")
    model = ReliableChatModel(models=[child, clients.anthropic("b")])
    if is_used:
        used(model)
    for copied in APART:
        with pytest.raises(TypeError) as own:
            copied(child)
        with pytest.raises(TypeError) as ours:
            copied(model)
        assert str(ours.value) == str(own.value)
    assert copy.copy(model).invoke("?").text == "Hello from a."


def test_no_lock_and_no_client_is_in_it(make, used):
    observers = [Timeline(), CustomEventObserver(), LoggingObserver()]
    model = used(make("weighted", observers=[*observers, OpenTelemetryObserver()]))
    names = {
        str(told)
        for _, told, _ in pickletools.genops(pickle.dumps(model))
        if isinstance(told, str)
    }
    assert names >= {"langchain_anthropic.chat_models", "ReliableChatModel"}
    foreign = ("anthropic._", "httpx", "httpcore", "_thread", "threading", "_factory")
    assert not [name for name in names if name.startswith(foreign)]


@pytest.mark.parametrize("copied", ALL)
def test_observers_come_along(copied, used):
    observers = (
        Timeline(keep=3),
        CustomEventObserver("mine"),
        LoggingObserver(),
        OpenTelemetryObserver(),
    )
    child = FakeListChatModel(responses=["hi"])
    model = used(ReliableChatModel(models=[child], observers=observers))
    again = copied(model)
    assert again.invoke("?").text == "hi"
    timeline = again.observers[0]
    assert (timeline is observers[0]) == (copied is not pickled)
    assert len(timeline) == (1 if copied is pickled else 3)
    assert list(map(type, again.observers)) == list(map(type, observers))


@pytest.mark.parametrize("copied", APART)
def test_several_keys_come_along(clients, sim, copied, used):
    group = rotate_keys(clients.anthropic("a"), ["sk-one", "sk-two"])
    model = used(ReliableChatModel(models=[group]))
    again = copied(model)
    asked = len(sim.requests)
    assert again.invoke("?").text == "Hello from a."
    assert [one.key for one in sim.requests[asked:]] == ["sk-one"]
    assert "sk-" not in repr(again)


# --- what stands around a model ---------------------------------------------------


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled])
def test_bound_tools_come_along(clients, sim, copied):
    sim.script("a", says(calls=[tool_call("weather", city="Rome")]))
    model = ReliableChatModel(models=[clients.anthropic("a")])
    bound = model.bind_tools([weather], tool_choice="any")
    bound.invoke("?")
    asked = copied(bound).invoke("?")
    assert [call["args"] for call in asked.tool_calls] == [{"city": "Rome"}]
    first, second = (one.body["tools"] for one in sim.requests)
    assert first == second


@pytest.mark.parametrize("copied", [copy.copy, shallow, copy.deepcopy, deep, pickled])
def test_a_structured_view_comes_along(clients, sim, copied):
    sim.script("a", error_status(503))
    sim.script("b", says(calls=[tool_call("City", name="Rome")]))
    models = [clients.anthropic(name) for name in "ab"]
    model = ReliableChatModel(models=models, max_retries=0)
    view = model.with_structured_output(City)
    assert view.invoke("?") == City(name="Rome")
    again = copied(view)
    assert again.invoke("?") == City(name="Rome")
    assert list(again.stream("?"))[-1] == City(name="Rome")


def test_a_form_is_never_found_by_the_place_of_a_child_that_is_gone():
    model = ReliableChatModel(models=[FakeListChatModel(responses=["a"])])
    view = model.with_structured_output(City)
    view.spec._forms[1] = "of another process"
    assert pickled(view).spec._forms == {}
    assert copy.deepcopy(view).spec._forms == {}


@pytest.mark.parametrize("copied", [copy.deepcopy, pickled])
def test_chains_and_configured_models_come_along(make, copied):
    open_ = make().configurable_fields(max_retries=ConfigurableField(id="tries"))
    prompt = ChatPromptTemplate.from_messages([("user", "{what}")])
    chain = prompt | open_.with_config(configurable={"tries": 1})
    chain.invoke({"what": "?"})
    assert copied(chain).invoke({"what": "?"}).text == "Hello from up."


# --- copies with other settings ---------------------------------------------------


def test_a_candidate_with_another_model_asks_that_one():
    one = Candidate(ScriptedChatModel(model="a"))
    ReliableChatModel(models=[one]).invoke("?")
    other = one.model_copy(update={"model": ScriptedChatModel(model="b")})
    assert ReliableChatModel(models=[other]).invoke("?").text == "Hello from b."


def test_a_candidate_with_other_keywords_says_those():
    child = ScriptedChatModel(model="a")
    one = Candidate(child, kwargs={"seed": 1})
    ReliableChatModel(models=[one]).invoke("?")
    other = one.model_copy(update={"kwargs": {"seed": 2}})
    ReliableChatModel(models=[other]).invoke("?")
    assert [request.kwargs["seed"] for request in child.requests] == [1, 2]


def test_a_group_in_another_order_takes_that_order():
    group = Group([ScriptedChatModel(model=name) for name in "ab"])
    ReliableChatModel(models=[group]).invoke("?")
    other = group.model_copy(update={"order": "round_robin"})
    model = ReliableChatModel(models=[other])
    assert {model.invoke("?").text for _ in range(2)} == {
        "Hello from a.",
        "Hello from b.",
    }
