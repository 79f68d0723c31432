"""A tracer sees one run of the model, whatever its children went through."""

from __future__ import annotations

from typing import Any

import langsmith
import pytest
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langsmith.utils import get_env_var

from langchain_reliable.testing import overloaded, reset

SWITCHES = ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2")


class Recorder(langsmith.Client):
    """Keeps what it would send."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1", api_key="none", auto_batch_tracing=False)
        self.begun: list[tuple[str, dict[str, Any]]] = []
        self.ended: list[dict[str, Any]] = []

    def create_run(self, name: str, inputs: Any, run_type: str, **facts: Any) -> None:
        self.begun.append((run_type, facts))

    def update_run(self, run_id: Any, **facts: Any) -> None:
        self.ended.append(facts)


@pytest.fixture
def recorder(monkeypatch):
    """Switch tracing on as a user does, with a client that sends nothing."""
    for name in SWITCHES:
        monkeypatch.setenv(name, "true")
    get_env_var.cache_clear()
    client = Recorder()
    with langsmith.tracing_context(client=client):
        yield client
    client.cleanup()
    monkeypatch.undo()
    get_env_var.cache_clear()


@pytest.fixture
def model(reliable, clients):
    """Two tries at a dead model, one at a chain that fails, then the answer."""
    clients.sim.script("gpt", reset())
    clients.sim.script("other", overloaded())
    prompted = RunnableLambda(lambda said: said) | clients.openai(
        "other", max_retries=0
    )
    models = clients.openai("gpt"), prompted, clients.anthropic("claude")
    return reliable(*models, max_retries=1)


def test_one_run_of_a_model_by_itself(surface, recorder, model):
    outcome = surface(model)
    assert outcome.text == "Hello from claude."
    assert len(outcome.attempts) == 5
    [(kind, facts)] = recorder.begun
    assert kind == "llm"
    assert facts["extra"]["metadata"]["ls_provider"] == "openai"
    [end] = recorder.ended
    assert end["error"] is None
    told = end["extra"]["metadata"]["usage_metadata"]
    assert told["total_tokens"] > 0


def test_one_run_of_a_model_in_a_chain(surface, recorder, model):
    chain = ChatPromptTemplate.from_template("{question}") | model
    outcome = surface(chain, {"question": "?"})
    assert outcome.text == "Hello from claude."
    assert [kind for kind, _ in recorder.begun] == ["chain", "prompt", "llm"]
    parents = {str(facts.get("parent_run_id")) for _, facts in recorder.begun[1:]}
    assert parents == {str(recorder.begun[0][1]["id"])}


def test_one_run_that_failed(surface, recorder, model, clients):
    clients.sim.script("claude", overloaded())
    assert surface(model).error is not None
    assert [kind for kind, _ in recorder.begun] == ["llm"]
    assert "AllModelsFailed" in recorder.ended[0]["error"]
