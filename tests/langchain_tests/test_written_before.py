"""What 0.1 has written down can still be read."""

from __future__ import annotations

import base64
import json
import pickle
import warnings
from pathlib import Path

from langchain_core.load import load
from langchain_openai import ChatOpenAI

from langchain_reliable import CircuitBreaker, ReliableChatModel

FOLDER = Path(__file__).parent / "written_before"


def test_a_dump_of_0_1_loads():
    written = json.loads((FOLDER / "dump_0_1.json").read_text())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # LangChain says that `load` is in beta
        model = load(
            written,
            secrets_map={"OPENAI_API_KEY": "made-up"},
            valid_namespaces=["langchain_reliable"],
            allowed_objects=[ReliableChatModel, ChatOpenAI],
        )
    assert isinstance(model, ReliableChatModel)
    assert (len(model.models), model.max_retries) == (2, 1)


def test_a_pickle_of_0_1_loads_with_the_defaults_of_newer_fields():
    written = base64.b64decode((FOLDER / "pickle_0_1.b64").read_text())
    model = pickle.loads(written)  # noqa: S301 - our own
    assert model.invoke("hi").text == "hello"
    assert model.last_chance_timeout == 600.0
    assert type(model.circuit_breaker) in (CircuitBreaker, type(None))


def test_dumps_say_where_the_class_has_always_been():
    assert ReliableChatModel.get_lc_namespace() == ["langchain_reliable", "chat_models"]
