"""Tools are bound once per child and set of tools, and change when these change."""

from __future__ import annotations

import gc
import weakref

import pytest
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from pydantic import BaseModel

from langchain_reliable import CallOptions, Candidate, ReliableChatModel
from langchain_reliable.testing import ScriptedChatModel


@tool
def weather(city: str) -> str:
    """Look out of the window."""
    return f"sunny in {city}"


@tool
def clock(zone: str) -> str:
    """Look at the wall."""
    return f"noon in {zone}"


def described(words):
    function = {"name": "f", "description": words, "parameters": {"type": "object"}}
    return {"type": "function", "function": function}


def told(child):
    """Return what a child's last request said of its tools."""
    tools = child.requests[-1].kwargs.get("tools", ())
    return [one["function"].get("description") for one in tools]


def names(child):
    tools = child.requests[-1].kwargs.get("tools", ())
    return [one["function"]["name"] for one in tools]


@pytest.fixture
def child():
    return ScriptedChatModel(model="a")


@pytest.fixture
def model(child):
    return ReliableChatModel(models=[child])


def test_the_same_tools_are_bound_once(surface, model, child):
    bound = model.bind_tools([weather, clock])
    for _ in range(3):
        surface(bound)
    assert len(child.bindings) == 1
    assert names(child) == ["weather", "clock"]


def test_so_they_are_where_an_agent_binds_anew(model, child):
    for _ in range(3):
        model.bind_tools([weather, clock]).invoke("?")
    assert len(child.bindings) == 1


def test_each_child_binds_its_own(reliable):
    children = [ScriptedChatModel(model=name) for name in "ab"]
    bound = reliable(*children).bind_tools([weather])
    for name in "abab":
        bound.invoke("?", reliable=CallOptions(start_at=name))
    assert [len(one.bindings) for one in children] == [1, 1]


def test_other_tools_in_a_call_are_other_tools(model, child):
    for tools in ([weather], [clock], [clock, weather], [weather], []):
        model.bind_tools(tools).invoke("?")
        assert names(child) == [one.name for one in tools]


@pytest.mark.parametrize(
    "settings",
    [
        {"tool_choice": "any"},
        {"tool_choice": {"type": "function", "function": {"name": "weather"}}},
        {"strict": True},
        {"parallel_tool_calls": False},
    ],
)
def test_other_settings_are_another_binding(model, child, settings):
    for given in ({}, settings, {}, settings):
        model.bind_tools([weather], **given).invoke("?")
        for name in settings:
            assert (name in child.requests[-1].kwargs) is (name in given)


def test_two_classes_of_one_name_are_two():
    class Binds(ScriptedChatModel):
        def bind_tools(self, tools, *, form=None, **kwargs):
            return self.bind(tools=[], form=sorted(form.model_fields))

    def form(field):
        return type("Form", (BaseModel,), {"__annotations__": {field: str}})

    child = Binds(model="a")
    for field in ("one", "two"):
        model = ReliableChatModel(models=[child])
        model.bind_tools([weather], form=form(field)).invoke("?")
        assert child.requests[-1].kwargs["form"] == [field]


def test_what_was_edited_is_bound_again(model, child):
    edited = described("before")
    bound = model.bind_tools([edited])
    for words in ("before", "after", "after"):
        edited["function"]["description"] = words
        bound.invoke("?")
        assert told(child) == [words]
    assert len(child.bindings) == 2


def test_so_it_is_with_tools_of_langchains(model, child):
    @tool
    def edited(city: str) -> str:
        """Before."""
        return city

    bound = model.bind_tools([edited])
    for words in ("before", "after"):
        edited.description = words
        bound.invoke("?")
        assert told(child) == [words]


def test_a_list_in_which_others_stand_now_is_bound_again(model, child):
    tools = [weather]
    for others in ([weather], [clock], [clock, weather], [weather]):
        tools[:] = others
        model.invoke("?", tools=tools)
        assert names(child) == [one.name for one in others]


def test_so_is_a_setting_that_was_edited(model, child):
    choice = {"type": "function", "function": {"name": "weather"}}
    bound = model.bind_tools([weather, clock], tool_choice=choice)
    for name in ("weather", "clock", "clock"):
        choice["function"]["name"] = name
        bound.invoke("?")
        assert name in str(child.requests[-1].kwargs["tool_choice"])
    assert len(child.bindings) == 2


def test_a_call_may_bring_tools_along(model, child):
    plain = described("plain")
    for _ in range(2):
        model.invoke("?", tools=[plain])
        assert told(child) == ["plain"]
    assert len(child.bindings) == 1


def test_other_keywords_of_a_call_are_its_own(model, child):
    bound = model.bind_tools([weather])
    for seed in (1, 2):
        bound.invoke("?", seed=seed)
        assert child.requests[-1].kwargs["seed"] == seed
    assert len(child.bindings) == 1


def test_nothing_is_kept_for_ever(model, child):
    class Marked(dict):
        """A dict that can be watched."""

    first = Marked(described("first"))
    gone = weakref.ref(first)
    model.invoke("?", tools=[first])
    del first
    for number in range(100):
        model.invoke("?", tools=[described(f"number {number}")])
        assert told(child) == [f"number {number}"]
    child.record.requests.clear()
    child.record.bindings.clear()
    gc.collect()
    assert gone() is None


def test_candidates_settings_stay_their_own(reliable):
    child = ScriptedChatModel(model="a")
    plain = reliable(child).bind_tools([weather])
    own = Candidate(child, kwargs={"parallel_tool_calls": False})
    for model in (plain, reliable(own).bind_tools([weather])):
        model.invoke("?")
    said = [one.kwargs.get("parallel_tool_calls") for one in child.requests]
    assert said == [None, False]


class BindsOnce(ScriptedChatModel):
    """Has a form of its own for tools, and takes nothing that has it already."""

    def bind_tools(self, tools, **settings):
        if any(isinstance(one, frozenset) for one in tools):
            raise TypeError
        return self.bind(tools=[frozenset([one.name]) for one in tools], **settings)


@pytest.mark.parametrize("in_a_chain", [False, True])
def test_what_is_bound_to_a_child_is_not_bound_again(in_a_chain):
    child = BindsOnce(model="m", script=["hi", "hi"])
    bound = child.bind_tools([weather])
    given = RunnableLambda(lambda messages: messages) | bound if in_a_chain else bound
    model = ReliableChatModel(models=[given])
    assert model.invoke("hi", temperature=0).text == "hi"
    [asked] = child.requests
    assert asked.kwargs["tools"] == [frozenset(["weather"])]
