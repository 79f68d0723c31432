"""No text of ours repeats a secret that a child holds, whatever it looks like."""

from __future__ import annotations

import logging

import pytest
from langchain_core.runnables import RunnableLambda
from langchain_openai import ChatOpenAI
from pydantic import Field, SecretStr

from langchain_reliable import AllModelsFailed, Candidate, ReliableChatModel
from langchain_reliable.chat_models._secrets import key_variables, secrets_of
from langchain_reliable.testing import ScriptedChatModel

KEY = "a1b2c3d4e5f60718293a4b5c6d7e8f90"


class Refused(Exception):
    status_code = 401


class Keyed(ScriptedChatModel):
    api_key: SecretStr = SecretStr(KEY)


class Plain(ScriptedChatModel):
    default_headers: dict[str, str] = Field({"X-Api-Key": KEY})


class Named(ScriptedChatModel):
    access_token: str = KEY


class InUrl(ScriptedChatModel):
    url: str = f"https://me:{KEY}@host/?api-version=1"


def holders():
    bare = ScriptedChatModel(name="x")
    yield "a secret field", Keyed(name="x")
    yield "a header", Plain(name="x")
    yield "a field named like a key", Named(name="x")
    yield "a password in a URL", InUrl(name="x")
    yield "a binding", bare.bind(extra_headers={"Authorization": f"Bearer {KEY}"})
    yield "a candidate's own keyword", Candidate(bare, kwargs={"api_key": KEY})
    yield "a model of several", ReliableChatModel(models=[Keyed(name="x")])


@pytest.mark.parametrize(
    ("where", "holder"), [*holders()], ids=lambda one: str(one)[:24]
)
def test_a_secret_is_found_where_it_stands(where, holder):
    assert KEY[:8] not in secrets_of(holder).hide(f"wrong key {KEY}")
    assert KEY[:8] not in secrets_of(holder).hide(f"wrong key {KEY[:22]}")


def test_what_is_no_secret_is_left_alone():
    child = ScriptedChatModel(name="x").bind(model="gpt-5.4-turbo", stop=["sentences"])
    assert (
        secrets_of(child).hide("gpt-5.4-turbo sentences") == "gpt-5.4-turbo sentences"
    )
    assert secrets_of(RunnableLambda(len)).hide("lambda") == "lambda"


def test_no_text_of_a_failed_call_holds_the_key(caplog):
    said = f"Incorrect API key provided: {KEY}. {KEY[:22]} is wrong"
    children = [Keyed(name=one, script=[Refused(said)] * 4) for one in "ab"]
    model = ReliableChatModel(models=children)
    with caplog.at_level(logging.DEBUG), pytest.raises(AllModelsFailed) as caught:
        model.invoke("hi")
    error = caught.value
    texts = [
        str(error),
        caplog.text,
        str(model.health),
        error.attempts[0].failure.summary,
    ]
    assert not [text for text in texts if KEY[:9] in text]
    assert KEY in str(error.attempts[0].error)  # the original leaves as it came


def test_only_variables_of_keys_are_named():
    class WithServers(ScriptedChatModel):
        @property
        def lc_secrets(self):
            return {"api_key": "X_API_KEY", "mcp_servers": "X_MCP_SERVERS"}

    assert key_variables(WithServers(name="x")) == ["X_API_KEY"]
    assert key_variables(ChatOpenAI(api_key="x", model="y")) == ["OPENAI_API_KEY"]
