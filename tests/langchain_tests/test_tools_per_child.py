"""Tools mean the same on every child, each bound in its own form."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool

from langchain_reliable import Candidate
from langchain_reliable._children.tools import _warned, bind_for_child
from langchain_reliable.testing import ScriptedChatModel, overloaded, says, tool_call


@tool
def weather(city: str) -> str:
    """Look out of the window."""
    return f"sunny in {city}"


@tool
def clock(zone: str) -> str:
    """Look at the wall."""
    return f"noon in {zone}"


@pytest.fixture
def model(reliable, clients):
    """A dead OpenAI child before an Anthropic one; both bodies can be looked at."""
    clients.sim.script("gpt", overloaded())
    first = Candidate(clients.openai("gpt"), max_retries=0)
    return reliable(first, clients.anthropic("claude"), circuit_breaker=None)


def bodies(clients):
    return {one.model: one.body for one in clients.sim.requests}


CHOICES = [
    ("any", "required", {"type": "any"}),
    ("required", "required", {"type": "any"}),
    (True, "required", {"type": "any"}),
    ("auto", "auto", {"type": "auto"}),
    ("none", "none", {"type": "none"}),
    (
        "weather",
        {"type": "function", "function": {"name": "weather"}},
        {"type": "tool", "name": "weather"},
    ),
    (
        {"type": "function", "function": {"name": "weather"}},
        {"type": "function", "function": {"name": "weather"}},
        {"type": "tool", "name": "weather"},
    ),
    (
        {"type": "tool", "name": "weather"},
        {"type": "function", "function": {"name": "weather"}},
        {"type": "tool", "name": "weather"},
    ),
    ({"type": "any"}, "required", {"type": "any"}),
]


@pytest.mark.parametrize(("choice", "openai", "anthropic"), CHOICES)
def test_tool_choice_means_the_same(surface, model, clients, choice, openai, anthropic):
    bound = model.bind_tools([weather, clock], tool_choice=choice)
    assert surface(bound).text == "Hello from claude."
    sent = bodies(clients)
    assert sent["gpt"]["tool_choice"] == openai
    assert sent["claude"]["tool_choice"] == anthropic
    assert [one["function"]["name"] for one in sent["gpt"]["tools"]] == [
        "weather",
        "clock",
    ]
    assert [one["name"] for one in sent["claude"]["tools"]] == ["weather", "clock"]


def test_parallel_and_strict_mean_the_same(surface, model, clients):
    surface(model.bind_tools([weather], parallel_tool_calls=False, strict=True))
    sent = bodies(clients)
    assert sent["gpt"]["parallel_tool_calls"] is False
    assert sent["gpt"]["tools"][0]["function"]["strict"] is True
    assert sent["claude"]["tool_choice"]["disable_parallel_tool_use"] is True
    assert sent["claude"]["tools"][0]["strict"] is True


def test_parallel_calls_arrive_whole_after_a_failover(surface, model, clients):
    calls = [tool_call("weather", city="Rome"), tool_call("clock", zone="CET")]
    clients.sim.script("claude", says("well", calls=calls))
    message = surface(model.bind_tools([weather, clock])).message
    assert [(one["name"], one["args"]) for one in message.tool_calls] == [
        ("weather", {"city": "Rome"}),
        ("clock", {"zone": "CET"}),
    ]
    assert len({one["id"] for one in message.tool_calls}) == 2
    assert message.invalid_tool_calls == []


BUILT_IN = [
    ({"type": "web_search"}, "gpt", "claude"),
    ({"type": "web_search_20250305", "name": "web_search"}, "claude", "gpt"),
]


@pytest.mark.parametrize(("built_in", "owner", "other"), BUILT_IN)
def test_a_built_in_tool_goes_to_its_provider_alone(
    reliable, clients, built_in, owner, other
):
    families = {"gpt": clients.openai, "claude": clients.anthropic}
    clients.sim.script("gpt", overloaded())
    clients.sim.script("claude", overloaded())
    children: list[Any] = [
        Candidate(make(name), max_retries=0) for name, make in families.items()
    ]
    with pytest.raises(Exception, match="no model answered"):
        reliable(*children).bind_tools([built_in, weather]).invoke("?")
    sent = {one.model: one.body.get("tools") for one in clients.sim.requests}
    assert len(sent[owner]) == 2
    assert len(sent[other]) == 1


def test_forcing_a_tool_that_only_the_other_has_passes_a_child_over(
    surface, reliable, clients
):
    search = {"type": "web_search_20250305", "name": "web_search"}
    model = reliable(clients.openai("gpt"), clients.anthropic("claude"))
    bound = model.bind_tools([search], tool_choice="web_search")
    assert surface(bound).trail["served_by"] == "claude"
    assert clients.sim.count("gpt") == 0


def test_a_child_that_cannot_bind_is_passed_over_with_one_warning(
    surface, reliable, clients, caplog
):
    _warned.clear()
    cannot = FakeListChatModel(responses=["no tools here"])
    model = reliable(cannot, clients.openai("gpt"), observers=())
    bound = model.bind_tools([weather])
    with caplog.at_level(logging.WARNING, "langchain_reliable"):
        assert surface(bound).text == "Hello from gpt."
        assert surface(bound).text == "Hello from gpt."
    told = [one for one in caplog.messages if "can't bind" in one]
    assert len(told) == 1


def test_if_none_can_bind_the_first_error_surfaces(surface, reliable):
    _warned.clear()
    one = FakeListChatModel(responses=["no tools here"])
    other = FakeListChatModel(responses=["here neither"])
    outcome = surface(reliable(one, other).bind_tools([weather]))
    assert isinstance(outcome.error, NotImplementedError)


SEARCH: dict[str, Any] = {"google_search": {}}


def gemini():
    package = pytest.importorskip("langchain_google_genai")
    return package.ChatGoogleGenerativeAI(model="gemini-3-pro", google_api_key="x")


def test_gemini_is_spared_settings_it_has_not():
    wishes = {"strict": True, "parallel_tool_calls": False, "tool_choice": "required"}
    child = gemini()
    bound = bind_for_child(child, {"tools": [weather], **wishes})
    assert bound.keys() == {"tools", "tool_choice"}
    config = child._prepare_request([HumanMessage("?")], **bound)["config"]
    choice = config.tool_config.function_calling_config
    assert (choice.mode, choice.allowed_function_names) == ("ANY", ["weather"])


def test_a_tool_of_gemini_goes_to_gemini_alone(surface, reliable, clients):
    assert "google_search" in str(bind_for_child(gemini(), {"tools": [SEARCH]}))
    bound = reliable(clients.openai("gpt")).bind_tools([SEARCH, weather])
    assert bound.kwargs["tools"][0] == SEARCH  # as it is, where no form is known
    assert surface(bound).error is None
    [sent] = clients.sim.requests
    assert [one["function"]["name"] for one in sent.body["tools"]] == ["weather"]


def test_without_the_tools_of_another_nothing_is_bound(surface, reliable, clients):
    bound = reliable(clients.openai("gpt")).bind_tools([SEARCH], strict=True)
    assert surface(bound).error is None
    assert "tools" not in clients.sim.requests[0].body


def test_no_tools_at_all_are_no_trouble(surface, reliable):
    child = FakeListChatModel(responses=["no tools here"])
    assert surface(reliable(child).bind_tools([])).text == "no tools here"


def test_what_is_no_tool_is_refused_when_it_is_bound(reliable, clients):
    with pytest.raises((ValueError, TypeError)):
        reliable(clients.openai("gpt")).bind_tools([object()])


def test_a_child_whose_binding_is_none_is_passed_over(surface, reliable, clients):
    class Odd(ScriptedChatModel):
        def bind_tools(self, tools, **kwargs):
            return self

    _warned.clear()
    model = reliable(Odd(), clients.openai("gpt"))
    assert surface(model.bind_tools([weather])).text == "Hello from gpt."
