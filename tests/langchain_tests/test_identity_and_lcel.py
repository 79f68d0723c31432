"""Written down and read again, copied, configured: it stays who it is."""

from __future__ import annotations

import copy
import json

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.load import dumpd, load
from langchain_core.runnables import ConfigurableField, RunnableParallel
from langchain_openai import ChatOpenAI

from langchain_reliable import Candidate, CircuitBreaker, Group, ReliableChatModel
from langchain_reliable.testing import ScriptedChatModel, fails, says

KEY = "sk-verysecret"


@pytest.fixture
def model():
    return ReliableChatModel(
        models=[
            Candidate(ChatOpenAI(model="x", api_key=KEY), name="first", max_retries=1),
            Group(
                [
                    ChatAnthropic(model="y", api_key=KEY),
                    ChatAnthropic(model="z", api_key=KEY),
                ],
                order="round_robin",
            ),
        ],
        idle_timeout=7.0,
        verdicts={"content_policy": "next"},
        circuit_breaker=CircuitBreaker(failures=5),
        observers=[print],
    )


@pytest.mark.filterwarnings("ignore:The function `load` is in beta")
def test_written_down_and_read_again(model):
    paper = json.loads(json.dumps(dumpd(model)))
    again = load(
        paper,
        allowed_objects=[ReliableChatModel, ChatOpenAI, ChatAnthropic],
        valid_namespaces=["langchain_reliable"],
        secrets_map={"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY},
    )
    assert repr(again) == repr(model)
    assert again.idle_timeout == 7.0
    assert again.verdicts == model.verdicts
    assert again.circuit_breaker == CircuitBreaker(failures=5)
    assert again.models[0].max_retries == 1
    assert again.models[1].order == "round_robin"
    assert again.observers == ()


def test_no_key_in_any_form_of_it(model):
    forms = [repr(model), str(model), json.dumps(dumpd(model)), model.asdict()]
    forms += [model.model_dump(), model.model_dump_json(), model._get_llm_string()]
    assert not [form for form in forms if KEY in str(form)]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda one: one.copy()])
@pytest.mark.filterwarnings("ignore:.*copy.*deprecated")
def test_a_copy_answers_too(copied):
    model = ReliableChatModel(models=[ScriptedChatModel(model="a")])
    model.invoke("?")
    assert copied(model).invoke("?").text == "Hello from a."


@pytest.mark.parametrize("name", sorted(ReliableChatModel.model_fields))
def test_every_field_can_be_configured(name):
    model = ReliableChatModel(models=[ScriptedChatModel(model="a")])
    open_ = model.configurable_fields(**{name: ConfigurableField(id="it")})
    told = open_.with_config(configurable={"it": getattr(model, name)})
    assert told.invoke("?").text == "Hello from a."


def test_health_survives_being_configured():
    dead = ScriptedChatModel(model="dead", script=[fails(ConnectionError("down"))])
    model = ReliableChatModel(
        models=[dead, ScriptedChatModel(model="b")], max_retries=2, initial_backoff=0
    )
    open_ = model.configurable_fields(max_attempts=ConfigurableField(id="tries"))
    for _ in range(3):
        told = open_.with_config(configurable={"tries": 9}).invoke("?")
        assert told.text == "Hello from b."
    assert dead.request_count == 3


def test_the_usual_ways_around_a_model(surface):
    model = ReliableChatModel(models=[ScriptedChatModel(model="a")])
    other = ScriptedChatModel(model="b", script=[says("other")])
    which = ConfigurableField(id="which")
    options = model.configurable_alternatives(which, default_key="own", other=other)
    assert surface(options).text == "Hello from a."
    assert surface(options.with_config(configurable={"which": "other"})).text == "other"
    assert surface(model.with_retry()).text == "Hello from a."
    assert surface(model.with_fallbacks([other])).text == "Hello from a."
    assert surface(model.bind(stop=["x"])).text == "Hello from a."
    both = RunnableParallel(one=model, two=model).invoke("?")
    assert both["one"].text == both["two"].text == "Hello from a."
