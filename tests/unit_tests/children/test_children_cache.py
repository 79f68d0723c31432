"""A cache answers for nobody else, and keeps no answer that was only the least bad."""

from __future__ import annotations

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.messages import AIMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import ConfigurableField, RunnableLambda
from langchain_openai import ChatOpenAI

from langchain_reliable import CallOptions, Candidate, ReliableChatModel
from langchain_reliable.testing import ScriptedChatModel, says

KEY = "sk-a-secret-of-ours"


def openai(**fields):
    return ChatOpenAI(**{"model": "m", "api_key": KEY, **fields})


def key(*models, **call):
    return ReliableChatModel(models=list(models))._get_llm_string(**call)


def tool(**extras):
    described = {"name": "f", "parameters": {"type": "object", "properties": {}}}
    return {"type": "function", "function": described, **extras}


OTHERS = [
    openai(base_url="http://eu/v1"),
    openai(organization="org"),
    openai(default_query={"v": "2"}),
    openai(extra_body={"x": 1}),
    openai(model_kwargs={"x": 1}),
    openai(output_version="v1"),
    openai(stop=["x"]),
    openai().bind(seed=1),
    openai().bind_tools([tool()]),
    openai().with_config(tags=["x"]).bind(stop=["x"]),
    Candidate(openai(), kwargs={"top_p": 0.5}),
    Candidate(openai(), kwargs={"extra_headers": {"x-tenant": "b"}}),
]


@pytest.mark.parametrize("other", OTHERS)
def test_another_setting_is_another_answer(other):
    assert key(other) == key(other) != key(openai())


@pytest.mark.parametrize(
    "call",
    [
        {"temperature": 1},
        {"stop": ["x"]},
        {"tools": [tool()]},
        {"model": "n"},
        {"extra_body": {"deep": [{"er": 1}]}},
    ],
)
def test_another_call_is_another_answer(call):
    assert key(openai(), **call) == key(openai(), **call) != key(openai())


def test_a_tools_extras_are_part_of_it():
    model = ReliableChatModel(models=[openai()])
    keys = {
        model._get_llm_string(**model.bind_tools([one]).kwargs)
        for one in (tool(), tool(cache_control={"type": "ephemeral"}))
    }
    assert len(keys) == 2


@pytest.mark.parametrize(
    "same",
    [
        openai(api_key="another"),
        openai(max_retries=0, timeout=3),
        openai(tags=["x"], metadata={"x": 1}),
        openai().with_config(tags=["x"]),
        Candidate(openai(), max_retries=5, idle_timeout=3.0),
    ],
)
def test_what_shapes_nothing_shares_answers(same):
    assert key(same) == key(openai())


def test_nothing_secret_can_be_read_off_the_key():
    child = openai(default_headers={"authorization": "Bearer of-a-tenant"})
    told = key(child, extra_headers={"x": "of-a-call"})
    for secret in (KEY, "of-a-tenant", "of-a-call"):
        assert secret not in told


# --- Runnable children --------------------------------------------------------------

HOLDER = MessagesPlaceholder("messages")


def prompted(words, child):
    return ChatPromptTemplate([("system", words), HOLDER]) | child


def counting():
    """A child that says something else each time."""
    said = []

    def answer(_):
        said.append(1)
        return AIMessage(f"answer {len(said)}")

    return RunnableLambda(answer)


def configurable():
    field = ConfigurableField(id="model")
    return openai().configurable_fields(model_name=field)


def test_a_prompt_before_a_model_is_known_by_its_words(reliable):
    one, other = (prompted(words, openai()) for words in ("be brief", "be long"))
    assert key(one) == key(prompted("be brief", openai())) != key(other)
    child = ScriptedChatModel(model="a")
    model = reliable(prompted("be brief", child), cache=InMemoryCache())
    assert model.invoke("?").text == model.invoke("?").text
    assert child.request_count == 1


async def test_a_runnable_that_nobody_knows_is_not_cached(reliable):
    model = reliable(counting(), cache=InMemoryCache())
    assert [model.invoke("?").text for _ in range(2)] == ["answer 1", "answer 2"]
    assert (await model.ainvoke("?")).text == "answer 3"


def test_what_a_config_decides_is_not_cached():
    model = ReliableChatModel(models=[configurable()])
    assert not model._can_be_cached({})


def test_a_backup_that_nobody_knows_leaves_the_first_its_cache(reliable):
    first = ScriptedChatModel(model="a")
    model = reliable(first, Candidate(counting(), name="odd"), cache=InMemoryCache())
    for _ in range(3):
        assert model.invoke("?").text == "Hello from a."
    assert first.request_count == 1
    options = CallOptions(start_at="odd")
    said = [model.invoke("?", reliable=options).text for _ in range(2)]
    assert said == ["answer 1", "answer 2"]


# --- the least bad ------------------------------------------------------------------


def test_an_empty_answer_is_returned_and_not_kept(reliable):
    child = ScriptedChatModel(model="a", script=[says(""), says(""), says("a word")])
    model = reliable(child, cache=InMemoryCache(), max_retries=1)
    said = [model.invoke("?").text.strip() for _ in range(3)]
    assert said == ["", "a word", "a word"]


def test_an_empty_answer_that_was_accepted_is_an_answer(reliable):
    child = ScriptedChatModel(model="a", script=[says(""), says("a word")])
    model = reliable(child, cache=InMemoryCache(), on_empty="accept")
    assert [model.invoke("?").text for _ in range(2)] == ["", ""]


def test_a_childs_own_cache_keeps_no_empty_answer(reliable):
    child = ScriptedChatModel(
        model="a", script=[says(""), says("a word")], cache=InMemoryCache()
    )
    model = reliable(child, max_retries=1, initial_backoff=0)
    assert model.invoke("?").text.strip() == "a word"
    assert model.invoke("?").text.strip() == "a word"
    assert child.request_count == 2
