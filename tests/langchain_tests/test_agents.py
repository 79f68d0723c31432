"""Agents go on: an outage in the middle of a tool loop, forms, middleware, graphs."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    HumanInTheLoopMiddleware,
    ModelCallLimitMiddleware,
    ModelFallbackMiddleware,
    ModelRetryMiddleware,
)
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt
from pydantic import BaseModel

from langchain_reliable import CallOptions
from langchain_reliable.testing import (
    ScriptedChatModel,
    overloaded,
    says,
    tool_call,
)

pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
QUESTION: Any = {"messages": [("user", "how is it in Rome?")]}


@tool
def weather(city: str) -> str:
    """Look out of the window."""
    return f"sunny in {city}"


class Report(BaseModel):
    """A report."""

    city: str
    sky: str


LOOKS = says(calls=[tool_call("weather", city="Rome")])
TOLD = {"city": "Rome", "sky": "sunny"}


@pytest.fixture
def model(reliable, clients):
    """Breaks down between the tool call and the answer."""
    clients.sim.script("gpt", LOOKS, overloaded())
    clients.sim.script("claude", says("Sunny."))
    return reliable(clients.openai("gpt", max_retries=0), clients.anthropic("claude"))


def test_an_outage_in_the_middle_of_a_tool_loop(model):
    said = create_agent(model, [weather]).invoke(QUESTION)["messages"]
    assert [type(one).__name__ for one in said] == [
        "HumanMessage",
        "AIMessage",
        "ToolMessage",
        "AIMessage",
    ]
    assert said[-1].text == "Sunny."
    assert said[1].response_metadata["reliable"]["served_by"] == "gpt"
    assert said[-1].response_metadata["reliable"]["served_by"] == "claude"


def test_the_same_in_async(model, run):
    async def go():
        return await create_agent(model, [weather]).ainvoke(QUESTION)

    assert run(go())["messages"][-1].text == "Sunny."


def test_tokens_of_an_agent_are_told_once(model):
    pieces = create_agent(model, [weather]).stream(QUESTION, stream_mode="messages")
    chunks = [one for one, _ in pieces if isinstance(one, AIMessageChunk)]
    assert "".join(one.text for one in chunks) == "Sunny."
    names = [c["name"] for one in chunks for c in one.tool_call_chunks if c["name"]]
    assert names == ["weather"]


@pytest.mark.parametrize("strategy", [ProviderStrategy, ToolStrategy])
def test_a_report_in_a_form(reliable, clients, strategy):
    answer = (
        says(f'{{"city": "{TOLD["city"]}", "sky": "{TOLD["sky"]}"}}')
        if strategy is ProviderStrategy
        else says(calls=[tool_call("Report", **TOLD)])
    )
    clients.sim.script("gpt", LOOKS, overloaded())
    clients.sim.script("claude", answer)
    model = reliable(clients.openai("gpt"), clients.anthropic("claude"))
    agent = create_agent(model, [weather], response_format=strategy(Report))
    assert agent.invoke(QUESTION)["structured_response"] == Report(**TOLD)


def test_stock_middleware_around_it(model, clients):
    agent = create_agent(
        model,
        [weather],
        middleware=[
            ModelCallLimitMiddleware(run_limit=3),
            ModelRetryMiddleware(max_retries=1),
            ModelFallbackMiddleware(clients.openai("other")),
        ],
    )
    assert agent.invoke(QUESTION)["messages"][-1].text == "Sunny."
    assert clients.sim.count("other") == 0


def test_a_person_in_the_loop(model):
    agent = create_agent(
        model,
        [weather],
        middleware=[HumanInTheLoopMiddleware(interrupt_on={"weather": True})],
        checkpointer=InMemorySaver(),
    )
    config: Any = {"configurable": {"thread_id": "1"}}
    assert agent.invoke(QUESTION, config)["__interrupt__"]
    decided = Command(resume={"decisions": [{"type": "approve"}]})
    assert agent.invoke(decided, config)["messages"][-1].text == "Sunny."


def test_an_interrupt_in_a_tool_passes_through(reliable, clients):
    @tool
    def ask() -> str:
        """Ask a person."""
        return str(interrupt("well?"))

    clients.sim.script("gpt", says(calls=[tool_call("ask")]), says("Thanks."))
    agent = create_agent(
        reliable(clients.openai("gpt")), [ask], checkpointer=InMemorySaver()
    )
    config: Any = {"configurable": {"thread_id": "1"}}
    assert agent.invoke(QUESTION, config)["__interrupt__"]
    said = agent.invoke(Command(resume="fine"), config)["messages"]
    assert said[-1].text == "Thanks."


def test_options_pass_through_bindings(surface, reliable, clients):
    model = reliable(clients.openai("gpt"), clients.anthropic("claude"))
    bound = model.bind_tools([weather]).bind(reliable=CallOptions(start_at="claude"))
    assert surface(bound).trail["served_by"] == "claude"
    assert "reliable" not in clients.sim.requests[-1].body


def test_without_failover_the_first_error_leaves(surface, reliable, clients):
    clients.sim.script("gpt", overloaded())
    model = reliable(clients.openai("gpt"), clients.anthropic("claude"), max_retries=0)
    outcome = surface(model, reliable=CallOptions(failover=False))
    assert outcome.error is not None
    assert clients.sim.count("claude") == 0


def test_a_total_timeout_of_one_call(surface, reliable, clients):
    clients.sim.script("gpt", overloaded(retry_after=4))
    model = reliable(clients.openai("gpt"), max_attempts=20)
    outcome = surface(model, reliable=CallOptions(total_timeout=1))
    assert clients.sim.count("gpt") == 1
    assert outcome.error is not None


def test_an_unknown_name_to_start_at_says_who_there_is(surface, reliable, clients):
    outcome = surface(
        reliable(clients.openai("gpt")), reliable=CallOptions(start_at="gtp")
    )
    assert "gpt" in str(outcome.error)


def test_the_profile_is_the_common_ground(reliable, clients):
    one = clients.openai("gpt-5")
    other = clients.anthropic("claude-sonnet-4-5")
    common = reliable(one, other).profile
    assert common["max_input_tokens"] == min(
        one.profile["max_input_tokens"], other.profile["max_input_tokens"]
    )
    assert common["structured_output"] is True
    unknown = reliable(one, clients.openai("nobody-knows")).profile
    assert "structured_output" not in unknown
    assert reliable(clients.openai("nobody-knows")).profile is None


def test_tracers_are_told_of_the_first(reliable, clients):
    model = reliable(clients.openai("gpt"), clients.anthropic("claude"))
    assert model._get_ls_params()["ls_provider"] == "openai"
    assert model._get_ls_params()["ls_model_name"] == "gpt"
    assert model._llm_type == "openai-chat"


def test_tokens_are_counted_by_the_first(reliable):
    class Counting(AIMessage):
        pass

    class Counter(ScriptedChatModel):
        def get_num_tokens(self, text: str) -> int:
            return 7

        def get_token_ids(self, text: str) -> list[int]:
            return [1, 2]

        def get_num_tokens_from_messages(self, messages, tools=None, **kwargs):
            return 9

    model = reliable(Counter(), Counter())
    assert model.get_num_tokens("x") == 7
    assert model.get_token_ids("x") == [1, 2]
    assert model.get_num_tokens_from_messages([Counting(content="x")]) == 9


class CountsNot(ScriptedChatModel):
    """Its API, which would have to be asked, is down."""

    def get_num_tokens_from_messages(self, messages, tools=None, **kwargs):
        raise ConnectionError(self.model)


def test_tokens_are_counted_by_the_next_if_the_first_is_down(reliable, clients):
    foreign = AIMessage([{"type": "reasoning", "id": "rs_1", "summary": []}])

    class Counter(ScriptedChatModel):
        def get_num_tokens_from_messages(self, messages, tools=None, **kwargs):
            return 9

    away = {"anthropic_api_url": clients.sim.refusing_url}
    down = clients.anthropic("claude").model_copy(update=away)
    model = reliable(down, CountsNot(), Counter())
    assert model.get_num_tokens_from_messages([foreign]) == 9


def test_if_none_can_count_the_first_one_says_why(reliable):
    chain = RunnableLambda(lambda said: said) | CountsNot(model="c")
    model = reliable(CountsNot(model="a"), CountsNot(model="b"), chain)
    with pytest.raises(ConnectionError, match="a"):
        model.get_num_tokens_from_messages([AIMessage("x")])
