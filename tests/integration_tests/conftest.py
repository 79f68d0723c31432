"""Real clients at the simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI

from langchain_reliable.testing import Simulator, simulator

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clients:
    """Makes real clients for the models of one simulator."""

    def __init__(self, sim: Simulator) -> None:
        self.sim = sim

    def openai(self, model: str, **settings: Any) -> ChatOpenAI:
        return ChatOpenAI(
            model=model,
            base_url=self.sim.openai_url,
            api_key="sk-test",
            stream_usage=True,
            **settings,
        )

    def anthropic(self, model: str, **settings: Any) -> ChatAnthropic:
        return ChatAnthropic(
            model=model,
            base_url=self.sim.anthropic_url,
            api_key="sk-ant-test",
            max_tokens=100,
            **settings,
        )

    def of(self, family: str, model: str, **settings: Any) -> Any:
        return getattr(self, family)(model, **settings)


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with simulator() as running:
        yield running


@pytest.fixture
def clients(sim: Simulator) -> Clients:
    return Clients(sim)
