"""Tracers are told who has answered: provider and model, by which costs are counted."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import langsmith
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_core.tracers import LangChainTracer
from langchain_core.tracers.context import collect_runs
from langgraph.graph import START, MessagesState, StateGraph
from langsmith.utils import get_env_var

from langchain_reliable import CircuitBreaker, ReliableChatModel
from langchain_reliable.chat_models import _tracing
from langchain_reliable.testing import ScriptedChatModel

CLAUDE = ("anthropic", "claude-x")
GPT = ("openai", "gpt-x")


class OpenAI(ScriptedChatModel):
    """Says of itself what ChatOpenAI would."""

    def _get_ls_params(self, stop=None, **kwargs):
        return {
            "ls_provider": "openai",
            "ls_model_name": kwargs.get("model", self.model),
            "ls_model_type": "chat",
            "ls_temperature": 0.5,
        }


class Anthropic(ScriptedChatModel):
    """Says of itself what ChatAnthropic would."""

    def _get_ls_params(self, stop=None, **kwargs):
        return {
            "ls_provider": "anthropic",
            "ls_model_name": kwargs.get("model", self.model),
            "ls_model_type": "chat",
            "ls_max_tokens": 1024,
        }


class Recorder(langsmith.Client):
    """Keeps what it would send."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1", api_key="none", auto_batch_tracing=False)
        self.begun: list[dict[str, Any]] = []
        self.ended: list[dict[str, Any]] = []

    def create_run(self, name: str, inputs: Any, run_type: str, **facts: Any) -> None:
        if run_type == "llm":
            self.begun.append(facts)

    def update_run(self, run_id: Any, **facts: Any) -> None:
        if "ls_model_type" in (facts.get("extra") or {}).get("metadata", {}):
            self.ended.append(facts)

    @property
    def first(self):
        """What was told of the model when its run began."""
        [run] = self.begun
        return names(run["extra"]["metadata"])

    @property
    def last(self):
        """What was told of it when its run had ended: this is what costs go by."""
        [run] = self.ended
        return names(run["extra"]["metadata"])


def names(metadata):
    return metadata.get("ls_provider"), metadata.get("ls_model_name")


@pytest.fixture
def recorder():
    client = Recorder()
    yield client
    client.cleanup()


@pytest.fixture
def tracer(recorder):
    return LangChainTracer(client=recorder)


def gpt(*script):
    return OpenAI(model="gpt-x", script=list(script) or ["Hello."])


def claude():
    return Anthropic(model="claude-x", script=["Hello."])


def down():
    return gpt(ConnectionError("no"))


# --- every way to another model ---------------------------------------------------


def fails_over(reliable):
    return reliable(down(), claude(), max_retries=0, circuit_breaker=None)


def circuit_is_open(reliable):
    breaker = CircuitBreaker(failures=1)
    model = reliable(down(), claude(), max_retries=0, circuit_breaker=breaker)
    model.invoke("?")
    return model


def is_isolated(reliable):
    model = reliable(gpt(), claude())
    model.health.isolate("gpt-x")
    return model


def is_a_sibling(reliable):
    return reliable([down(), claude()], max_retries=0, circuit_breaker=None)


WAYS = [fails_over, circuit_is_open, is_isolated, is_a_sibling]
KNOWN_BEFORE = [circuit_is_open, is_isolated]


@pytest.mark.parametrize("way", WAYS)
def test_a_tracer_is_told_who_has_answered(surface, reliable, way, tracer, recorder):
    model = way(reliable).with_config(callbacks=[tracer])
    assert surface(model).text == "Hello."
    assert recorder.last == CLAUDE
    metadata = recorder.ended[0]["extra"]["metadata"]
    assert "ls_temperature" not in metadata
    assert metadata["ls_max_tokens"] == 1024
    assert metadata["usage_metadata"]["total_tokens"] > 0


@pytest.mark.parametrize("way", KNOWN_BEFORE)
def test_the_start_tells_of_the_first_that_may_be_asked(
    surface, reliable, way, tracer, recorder
):
    surface(way(reliable).with_config(callbacks=[tracer]))
    assert recorder.first == CLAUDE


def test_the_start_tells_of_the_first_where_nothing_speaks_against_it(
    surface, reliable, tracer, recorder
):
    surface(reliable(gpt(), claude()).with_config(callbacks=[tracer]))
    assert recorder.first == recorder.last == GPT


def test_where_all_are_held_back_the_start_tells_of_the_first(reliable):
    model = reliable(gpt(), claude())
    for name in ("gpt-x", "claude-x"):
        model.health.isolate(name)
    assert names(model._get_ls_params()) == GPT


@pytest.mark.parametrize("way", WAYS)
def test_a_tracer_in_a_chain_is_told(surface, reliable, way, tracer, recorder):
    chain = ChatPromptTemplate.from_template("{question}") | way(reliable)
    surface(chain.with_config(callbacks=[tracer]), {"question": "?"})
    assert recorder.last == CLAUDE


def test_a_tracer_of_the_model_itself_is_told(surface, reliable, tracer, recorder):
    model = fails_over(reliable)
    surface(model.model_copy(update={"callbacks": [tracer]}))
    assert recorder.last == CLAUDE


def test_every_tracer_of_a_run_is_told(surface, reliable, tracer, recorder):
    other = Recorder()
    both = [tracer, LangChainTracer(client=other)]
    surface(fails_over(reliable).with_config(callbacks=both))
    assert recorder.last == other.last == CLAUDE
    other.cleanup()


@pytest.fixture
def switched_on(monkeypatch, recorder):
    """Switch tracing on as a user does, by the environment."""
    for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"):
        monkeypatch.setenv(name, "true")
    get_env_var.cache_clear()
    with langsmith.tracing_context(client=recorder):
        yield
    monkeypatch.undo()
    get_env_var.cache_clear()


@pytest.mark.usefixtures("switched_on")
def test_so_it_is_where_the_environment_asks_for_a_tracer(surface, reliable, recorder):
    surface(fails_over(reliable))
    assert recorder.last == CLAUDE


@pytest.mark.parametrize("surface", ["invoke", "stream"], indirect=True)
def test_so_it_is_in_a_block_that_collects_runs(surface, reliable):
    with collect_runs() as collected:
        surface(fails_over(reliable))
    [run] = collected.traced_runs
    assert names(run.extra["metadata"]) == CLAUDE


async def test_events_tell_it_from_the_first_token_on(reliable, tracer, recorder):
    model = fails_over(reliable)
    seen = [
        (event["event"], names(event["metadata"]))
        async for event in model.astream_events(
            "?", version="v2", config={"callbacks": [tracer]}
        )
    ]
    assert seen[0] == ("on_chat_model_start", GPT)
    assert {told for what, told in seen if what != "on_chat_model_start"} == {CLAUDE}
    assert recorder.last == CLAUDE


@pytest.mark.parametrize("mode", ["messages", "values"])
@pytest.mark.parametrize("asks", ["invoke", "ainvoke"])
def test_a_node_whose_tokens_are_listened_to(reliable, tracer, recorder, mode, asks):
    model = fails_over(reliable)

    def ask(state):
        return {"messages": [model.invoke(state["messages"])]}

    async def aask(state):
        return {"messages": [await model.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("ask", ask if asks == "invoke" else aask)
    graph.add_edge(START, "ask")
    given = {"messages": [("user", "?")]}, {"callbacks": [tracer]}

    async def listen():
        async for _ in graph.compile().astream(*given, stream_mode=mode):
            pass

    asyncio.run(listen())
    assert recorder.last == CLAUDE


def test_the_run_keeps_the_id_and_the_metadata_that_the_caller_chose(
    surface, reliable, tracer, recorder
):
    run_id = uuid.uuid4()
    mine = {"tenant": "mine"}
    config = {"callbacks": [tracer], "run_id": run_id, "metadata": mine, "tags": ["t"]}
    model = fails_over(reliable)
    surface(RunnableLambda(lambda _: "?") | model.with_config(tags=["t"]))
    surface(model.with_config(config))
    assert recorder.begun[-1]["id"] == run_id
    metadata = recorder.ended[-1]["extra"]["metadata"]
    assert metadata["tenant"] == "mine"
    assert names(metadata) == CLAUDE
    assert mine == {"tenant": "mine"}


def test_a_model_that_was_asked_for_by_name(surface, reliable, tracer, recorder):
    model = reliable(gpt(), claude()).with_config(callbacks=[tracer])
    surface(model.bind(model="gpt-y"))
    assert recorder.last == ("openai", "gpt-y")


def test_a_runnable_that_answers_is_told_by_its_name(
    surface, reliable, tracer, recorder
):
    chain = claude() | RunnableLambda(lambda message: message)
    model = reliable(down(), chain, max_retries=0).with_config(callbacks=[tracer])
    answer = surface(model)
    provider, name = recorder.last
    assert name == answer.trail["served_by"]
    assert provider != "openai"


def test_a_sequence_is_told_by_the_model_at_its_end(
    surface, reliable, tracer, recorder
):
    chain = RunnableLambda(lambda said: said) | claude()
    model = reliable(down(), chain, max_retries=0).with_config(callbacks=[tracer])
    surface(model)
    assert recorder.last == CLAUDE


def test_a_call_that_nobody_answers_keeps_what_it_began_with(
    surface, reliable, tracer, recorder
):
    model = reliable(down(), down(), max_retries=0).with_config(callbacks=[tracer])
    assert surface(model).error is not None
    assert recorder.last == GPT


def test_hooks_of_a_subclass_get_no_keyword_of_ours(surface, tracer, recorder):
    seen: list[set[str]] = []

    class Mine(ReliableChatModel):
        def _generate(self, messages, stop=None, run_manager=None, **kwargs):
            seen.append(set(kwargs))
            return super()._generate(messages, stop, run_manager, **kwargs)

        async def _agenerate(self, messages, stop=None, run_manager=None, **kwargs):
            seen.append(set(kwargs))
            return await super()._agenerate(messages, stop, run_manager, **kwargs)

        def _stream(self, messages, stop=None, run_manager=None, **kwargs):
            seen.append(set(kwargs))
            return super()._stream(messages, stop, run_manager, **kwargs)

        def _astream(self, messages, stop=None, run_manager=None, **kwargs):
            seen.append(set(kwargs))
            return super()._astream(messages, stop, run_manager, **kwargs)

    model = Mine(models=[down(), claude()], max_retries=0)
    surface(model.with_config(callbacks=[tracer]))
    assert seen == [set()]
    assert recorder.last == (GPT if surface.streams else CLAUDE)


def test_nothing_is_configured_where_no_tracer_listens(surface, reliable, monkeypatch):
    class Listens(BaseCallbackHandler):
        pass

    def fail(*_args):
        pytest.fail("a run that nobody keeps was corrected")

    monkeypatch.setattr(_tracing, "_correct", fail)
    assert surface(fails_over(reliable)).text == "Hello."
    heard = fails_over(reliable).with_config(callbacks=[Listens()])
    assert surface(heard).text == "Hello."


def test_a_model_that_cannot_say_who_it_is_breaks_nothing(
    surface, reliable, tracer, recorder
):
    class Silent(ScriptedChatModel):
        def _get_ls_params(self, stop=None, **kwargs):
            raise RuntimeError("a secret")

    silent = Silent(model="silent-x", script=["Hello."])
    model = reliable(down(), silent, max_retries=0).with_config(callbacks=[tracer])
    assert surface(model).text == "Hello."
    assert recorder.last[1] == "silent-x"
