"""LangChain's stock middleware around a model whose children break down."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    ClearToolUsesEdit,
    ContextEditingMiddleware,
    HumanInTheLoopMiddleware,
    LLMToolSelectorMiddleware,
    ModelCallLimitMiddleware,
    ModelFallbackMiddleware,
    ModelRetryMiddleware,
    SummarizationMiddleware,
)
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from langchain_reliable import AllModelsFailed
from langchain_reliable.testing import (
    ScriptedChatModel,
    content_then_cut,
    context_overflow,
    overloaded,
    reset,
    says,
    tool_call,
)

unseen = pytest.mark.skipif(
    version("langchain").startswith("1.4."),
    reason="before 1.5, agents show what their summaries are made of",
)
QUESTION: Any = {"messages": [("user", "how is it in Rome?")]}
LOOKS = says(calls=[tool_call("weather", city="Rome")])
CHOOSES = says(calls=[tool_call("ToolSelectionResponse", tools=["weather"])])
LONG_AGO: Any = {
    "messages": [
        HumanMessage("good morning"),
        AIMessage("good morning"),
        HumanMessage("I am in Rome"),
        AIMessage("lucky you"),
        HumanMessage("how is it here?"),
    ]
}


@tool
def weather(city: str) -> str:
    """Look out of the window."""
    return f"sunny in {city}"


@tool
def time() -> str:
    """Look at the clock."""
    return "noon"


@pytest.fixture(params=["invoke", "ainvoke"])
def ask(request, run):
    """Run an agent, in sync and async."""

    def ask_(agent, question, config=None):
        if request.param == "invoke":
            return agent.invoke(question, config)

        async def go():
            return await agent.ainvoke(question, config)

        return run(go())

    return ask_


@pytest.fixture
def model(reliable, clients):
    return reliable(clients.openai("gpt"), clients.anthropic("claude"), max_retries=0)


def summing_up(model):
    return SummarizationMiddleware(model, trigger=("messages", 4), keep=("messages", 1))


@pytest.mark.parametrize(
    ("gpt", "claude"),
    [
        ([reset()], ["All is summed up.", "Sunny."]),
        (["All is summed up.", reset()], ["Sunny."]),
        ([reset(), "Sunny."], ["All is summed up.", "Sunny."]),
    ],
    ids=["the_first_is_dead", "dies_after_the_summary", "dies_in_the_summary"],
)
def test_a_summary_through_an_outage(ask, model, clients, gpt, claude):
    clients.sim.script("gpt", *gpt)
    clients.sim.script("claude", *claude)
    agent = create_agent(model, middleware=[summing_up(model)])
    first, *_, last = ask(agent, LONG_AGO)["messages"]
    assert first.text.endswith("All is summed up.")
    assert last.text == "Sunny."


def test_a_summary_that_overflows_is_asked_for_again_shorter(ask, model, clients):
    clients.sim.script("gpt", context_overflow(), "Summed up.", "Sunny.")
    clients.sim.script("claude", context_overflow())
    agent = create_agent(model, middleware=[summing_up(model)])
    assert ask(agent, LONG_AGO)["messages"][-1].text == "Sunny."
    again = str(clients.sim.requests[2].body["messages"])
    assert "middle of conversation omitted" in again


def streamed_words(agent):
    words = {"summarization": "", None: ""}
    for chunk, about in agent.stream(LONG_AGO, stream_mode="messages"):
        if isinstance(chunk, AIMessage):
            words[about.get("lc_source")] += chunk.text
    return words


def test_a_summary_streams_as_it_would_of_one_model(model, clients):
    clients.sim.script("gpt", "All is summed up.", "Sunny.", reset())
    clients.sim.script("claude", "All is summed up.", "Sunny.")
    alone, ours = (
        streamed_words(create_agent(one, middleware=[summing_up(one)]))
        for one in (clients.openai("gpt"), model)
    )
    assert alone == ours
    assert ours[None] == "Sunny."


@unseen
def test_what_no_graph_shows_is_restarted_in_mid_answer(model, clients):
    """langchain 1.5 keeps the tokens of a summary to itself, so nothing was seen."""
    clients.sim.script("gpt", content_then_cut(), "Sunny.")
    clients.sim.script("claude", "All is summed up.")
    agent = create_agent(model, middleware=[summing_up(model)])
    assert streamed_words(agent)[None] == "Sunny."


@unseen
@pytest.mark.filterwarnings("ignore:.*v3.*")
@pytest.mark.filterwarnings(
    "ignore::langchain_core._api.beta_decorator.LangChainBetaWarning"
)
def test_nor_is_it_shown_as_events(model, clients):
    clients.sim.script("gpt", content_then_cut(), "Sunny.")
    clients.sim.script("claude", "All is summed up.")
    agent = create_agent(model, middleware=[summing_up(model)])
    stream = agent.stream_events(LONG_AGO, version="v3")
    assert [str(one.text) for one in stream.messages][-1] == "Sunny."


class Counter(ScriptedChatModel):
    """Counts a hundred tokens a message."""

    def get_num_tokens_from_messages(self, messages, tools=None, **kwargs):
        assert [one.name for one in tools or ()] == ["weather"]
        return 100 * len(messages)


def test_old_results_are_cleared_by_a_count_of_the_model(ask, reliable, clients):
    down = clients.anthropic("claude", max_retries=0)
    clients.sim.script("claude", reset())
    backup = Counter(model="b", script=[LOOKS, "Sunny."])
    edit = ClearToolUsesEdit(trigger=200, keep=0, placeholder="[gone]")
    agent = create_agent(
        reliable(down, backup, max_retries=0),
        [weather],
        middleware=[ContextEditingMiddleware(edits=[edit], token_count_method="model")],
    )
    said = ask(agent, QUESTION)["messages"]
    assert said[-1].text == "Sunny."
    assert said[-2].text == "sunny in Rome"
    sent = backup.requests[-1].messages
    assert [one.text for one in sent if isinstance(one, ToolMessage)] == ["[gone]"]


def test_a_call_limit_counts_calls_and_not_attempts(ask, model, clients):
    clients.sim.script("gpt", overloaded())
    clients.sim.script("claude", LOOKS, "Sunny.")
    limit = ModelCallLimitMiddleware(run_limit=2, exit_behavior="error")
    agent = create_agent(model, [weather], middleware=[limit])
    assert ask(agent, QUESTION)["messages"][-1].text == "Sunny."


def test_retries_around_it_do_not_multiply(ask, model, clients):
    clients.sim.script("gpt", overloaded())
    clients.sim.script("claude", overloaded())
    retry = ModelRetryMiddleware(max_retries=5, initial_delay=0)
    with pytest.raises(AllModelsFailed):
        ask(create_agent(model, [weather], middleware=[retry]), QUESTION)
    assert clients.sim.count() == 2


def test_a_fallback_around_it_comes_after_all_of_them(ask, model, clients):
    clients.sim.script("gpt", LOOKS, overloaded())
    clients.sim.script("claude", overloaded())
    clients.sim.script("other", "Sunny.")
    fallback = ModelFallbackMiddleware(clients.openai("other"))
    agent = create_agent(model, [weather], middleware=[fallback])
    assert ask(agent, QUESTION)["messages"][-1].text == "Sunny."
    assert [one.model for one in clients.sim.requests] == [
        *("gpt", "gpt", "claude", "other")
    ]


def test_it_is_a_fallback_of_another(ask, model, clients):
    clients.sim.script("first", overloaded())
    clients.sim.script("gpt", overloaded())
    clients.sim.script("claude", LOOKS, "Sunny.")
    agent = create_agent(
        clients.openai("first", max_retries=0),
        [weather],
        middleware=[ModelFallbackMiddleware(model)],
    )
    assert ask(agent, QUESTION)["messages"][-1].text == "Sunny."


def test_it_selects_tools_for_others(ask, model, clients):
    clients.sim.script("gpt", overloaded())
    clients.sim.script("claude", CHOOSES, LOOKS, CHOOSES, "Sunny.")
    chosen = LLMToolSelectorMiddleware(model=model, max_tools=1)
    agent = create_agent(model, [weather, time], middleware=[chosen])
    assert ask(agent, QUESTION)["messages"][-1].text == "Sunny."
    [only] = clients.sim.requests[-1].body["tools"]
    assert only["name"] == "weather"


@pytest.mark.parametrize(
    ("decision", "looked"),
    [
        ({"type": "approve"}, "sunny in Rome"),
        (
            {
                "type": "edit",
                "edited_action": {"name": "weather", "args": {"city": "Oslo"}},
            },
            "sunny in Oslo",
        ),
        ({"type": "reject", "message": "no need"}, "no need"),
    ],
    ids=["approved", "edited", "rejected"],
)
def test_what_a_person_decided_outlives_an_outage(
    ask, model, clients, decision, looked
):
    clients.sim.script("gpt", LOOKS, reset())
    clients.sim.script("claude", "Thanks.")
    agent = create_agent(
        model,
        [weather],
        middleware=[HumanInTheLoopMiddleware(interrupt_on={"weather": True})],
        checkpointer=InMemorySaver(),
    )
    config: Any = {"configurable": {"thread_id": "1"}}
    assert ask(agent, QUESTION, config)["__interrupt__"]
    *_, result, last = ask(agent, Command(resume={"decisions": [decision]}), config)[
        "messages"
    ]
    assert looked in result.text
    assert last.text == "Thanks."
