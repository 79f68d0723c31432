"""Children that are Runnables: only the caller's callbacks are kept from them."""

from __future__ import annotations

import logging

import pytest
from langchain.chat_models import init_chat_model
from langchain_core.messages import AIMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import (
    ConfigurableField,
    RunnableConfig,
    RunnableLambda,
)
from langgraph.graph import START, MessagesState, StateGraph

from langchain_reliable import Candidate
from langchain_reliable._children import prepare
from langchain_reliable._children.runnable import ConfiguredChild
from langchain_reliable.testing import overloaded, says, tool_call

JOKE = {
    "title": "joke",
    "description": "A joke.",
    "type": "object",
    "properties": {"rating": {"type": "integer"}},
    "required": ["rating"],
}
MODEL = ConfigurableField(id="model")
CALL = [tool_call("joke", rating=7)]
BRIEF = ChatPromptTemplate([("system", "be brief"), MessagesPlaceholder("messages")])


def weather(city: str) -> str:
    """Look out of the window."""
    return f"sunny in {city}"


@pytest.fixture
def fields(clients):
    return clients.openai("small").configurable_fields(model_name=MODEL)


@pytest.fixture
def alternatives(clients):
    which = ConfigurableField(id="model")
    child = clients.openai("small")
    big = clients.anthropic("big")
    return child.configurable_alternatives(which, default_key="small", big=big)


@pytest.fixture
def configurable(clients):
    return init_chat_model(
        "small",
        model_provider="openai",
        configurable_fields=("model",),
        api_key="k",
        base_url=clients.sim.openai_url,
    )


@pytest.fixture(params=["fields", "alternatives", "configurable", "prompt", "bound"])
def child(request):
    if request.param == "prompt":
        return BRIEF | request.getfixturevalue("fields")
    if request.param == "bound":
        return request.getfixturevalue("configurable").bind(seed=1)
    return request.getfixturevalue(request.param)


BIG = {"configurable": {"model": "big"}}


def test_the_model_that_the_config_names_is_asked(surface, reliable, child, clients):
    for config, name in ((None, "small"), (BIG, "big")):
        answer = surface(reliable(child), config=config)
        assert answer.text.strip() == f"Hello from {name}."
    assert [one.model for one in clients.sim.requests] == ["small", "big"]


def test_so_it_is_through_bindings_and_chains(surface, reliable, child):
    model = reliable(child).with_config(BIG)
    assert surface(model, config=None).text.strip() == "Hello from big."
    chain = RunnableLambda(lambda words: words) | reliable(child)
    assert surface(chain, config=BIG).text.strip() == "Hello from big."


def test_so_it_is_in_batches(reliable, child, run):
    model, small = reliable(child), {"configurable": {"model": "small"}}
    for answers in (
        model.batch(["?", "?"], [BIG, small]),
        run(model.abatch(["?", "?"], [BIG, small])),
    ):
        told = [one.text.strip() for one in answers]
        assert told == ["Hello from big.", "Hello from small."]


@pytest.mark.parametrize("named", [True, False])
def test_so_it_is_in_graphs(reliable, child, run, named):
    model = reliable(child)

    def ask(state, config: RunnableConfig):
        asked = model.invoke(state["messages"], *([config] if named else []))
        return {"messages": [asked]}

    graph = StateGraph(MessagesState).add_node("ask", ask).add_edge(START, "ask")
    built, said = graph.compile(), {"messages": [("user", "hi")]}
    config = {"configurable": {"model": "big", "thread_id": "t"}}
    for end in (built.invoke(said, config), run(built.ainvoke(said, config))):
        assert end["messages"][-1].text.strip() == "Hello from big."


def test_what_it_becomes_does_not_retry_by_itself(surface, reliable, child, clients):
    clients.sim.script("big", overloaded())
    model = reliable(child, clients.openai("backup"), max_retries=0)
    assert surface(model, config=BIG).text.strip() == "Hello from backup."
    assert clients.sim.count("big") == 1


def test_it_is_asked_for_a_form_in_its_own_way(reliable, child, clients, run):
    for name in ("small", "big"):
        clients.sim.script(name, says("prose"), says(calls=CALL))
    view = reliable(child, initial_backoff=0).with_structured_output(
        JOKE, method="function_calling"
    )
    assert view.invoke("?") == {"rating": 7}
    assert run(view.ainvoke("?", BIG)) == {"rating": 7}
    assert clients.sim.count("big") == 2


def test_tools_reach_the_model_at_its_end(surface, reliable, child, clients):
    surface(reliable(child).bind_tools([weather]), config=BIG)
    [body] = [one.body for one in clients.sim.requests]
    assert len(body["tools"]) == 1


def test_a_prompt_stands_before_it(surface, reliable, clients):
    chain = BRIEF | clients.openai("a").bind(seed=1)
    answer = surface(reliable(chain), "hi there")
    [body] = [one.body for one in clients.sim.requests]
    assert body["seed"] == 1
    assert [one["content"] for one in body["messages"]] == ["be brief", "hi there"]
    assert answer.heard.starts == 1


def test_a_candidates_own_settings_reach_it(reliable, child, clients):
    reliable(Candidate(child, kwargs={"top_p": 0.5})).invoke("?", BIG, top_p=0.9)
    assert clients.sim.requests[0].body["top_p"] == 0.5


def test_what_was_made_of_it_is_not_kept_for_ever(reliable, fields):
    model = reliable(fields)
    for number in range(100):
        model.invoke("?", {"configurable": {"model": f"m{number}"}})
    kept = model.models[0]._kept.values()
    [made] = [one._built for one in kept if isinstance(one, ConfiguredChild)]
    assert len(made) <= 32


# --- opaque ones --------------------------------------------------------------------


def telling(heard):
    """A child that answers for the tenant in its config."""

    def answer(_, config: RunnableConfig):
        heard.append(config)
        return AIMessage(f"for {config['configurable'].get('tenant')}")

    return RunnableLambda(answer)


def test_a_lambda_reads_what_the_call_says(surface, reliable):
    heard = []
    config = {
        "configurable": {"tenant": "acme"},
        "metadata": {"purpose": "test"},
        "tags": ["one"],
        "run_name": "ours",
    }
    model = reliable(telling(heard))
    assert surface(model, config=config).text == "for acme"
    assert heard[0]["metadata"]["purpose"] == "test"
    assert heard[0]["tags"] == ["one"]
    assert "run_name" not in heard[0]


def test_its_runs_are_heard_by_nobody(surface, reliable):
    heard = []
    answer = surface(reliable(telling(heard)))
    assert answer.heard.starts == 1
    assert heard


def test_a_childs_own_bind_tools_is_used(reliable):
    bound = []

    class Odd(RunnableLambda):
        def bind_tools(self, tools, **settings):
            bound.append((tools, settings))
            return self

    odd = Odd(lambda _: AIMessage("hi"))
    reliable(odd).bind_tools([weather], tool_choice="any").invoke("?")
    assert bound == [([weather], {"tool_choice": "any"})]


def test_whose_retries_are_their_own_is_said_once(reliable, fields, caplog):
    prepare._warned.clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            reliable(telling([])).invoke("?")
            reliable(fields).invoke("?")
    told = [one.getMessage() for one in caplog.records if "retries" in one.msg]
    assert len(told) == 1
    assert "RunnableLambda" in told[0]


def test_a_sequence_that_ends_otherwise_is_called_as_it_is(surface, reliable, clients):
    chain = clients.openai("a", max_retries=0) | (lambda message: message)
    assert surface(reliable(chain)).text.strip() == "Hello from a."
