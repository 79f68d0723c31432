"""What applications make of a contestant: a model with tools, an agent."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from langchain_core.tools import StructuredTool

from langchain_reliable import Hedge, ReliableChatModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.language_models import BaseChatModel
    from langchain_core.tools import BaseTool

    from benchmarks.works import Model


@cache
def tools(count: int) -> tuple[BaseTool, ...]:
    """Return so many tools, each with a few arguments."""

    def search(query: str, limit: int = 10, language: str = "en") -> str:
        return f"{query} {limit} {language}"

    return tuple(
        StructuredTool.from_function(
            search, name=f"search_{at}", description=f"Search in collection {at}."
        )
        for at in range(count)
    )


def with_tools(model: Model, *, count: int) -> Model:
    """Return a model with so many tools bound."""
    return model.bind_tools(list(tools(count)))


def hedged(model: Model) -> Model:
    """Return a model that asks another one beside a silent one, each time."""
    if not isinstance(model, ReliableChatModel):
        return model
    return model.model_copy(update={"hedge": Hedge(after=0.1, max_share=1.0)})


@dataclass(frozen=True)
class Conversation:
    """A model that is asked within one conversation."""

    model: Model

    def invoke(self, question: str) -> Any:
        return self.model.invoke(question, {"configurable": {"thread_id": "42"}})


@dataclass(frozen=True)
class Middleware:
    """LangChain's own way to fall back in agents."""

    models: Sequence[BaseChatModel]


@dataclass(frozen=True)
class Agent:
    """An agent that is asked like a model."""

    graph: Any

    def invoke(self, question: str) -> Any:
        return self.graph.invoke({"messages": [("user", question)]})


def agent(model: Model, *, count: int) -> Agent:
    """Return an agent with so many tools."""
    from langchain.agents import create_agent  # noqa: PLC0415 - only where measured
    from langchain.agents.middleware import (  # noqa: PLC0415 - as above
        ModelFallbackMiddleware,
    )

    if isinstance(model, Middleware):
        first, *others = model.models
        middleware = [ModelFallbackMiddleware(*others)]
        return Agent(create_agent(first, list(tools(count)), middleware=middleware))
    return Agent(create_agent(model, list(tools(count))))


def agent_in_an_outage(model: Model, *, count: int) -> Agent:
    """Return the same; that the model named `dead` is out is known by now."""
    if isinstance(model, ReliableChatModel):
        model.health.isolate("dead")
    return agent(model, count=count)
