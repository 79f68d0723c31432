"""A tracer sees one run of the model, whatever its children went through."""

from __future__ import annotations

import pytest
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda

from langchain_reliable.testing import overloaded, reset


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
