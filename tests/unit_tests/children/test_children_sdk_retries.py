"""Copies whose SDK does not retry, and children rebuilt for another model."""

from __future__ import annotations

import gc
from typing import Any

import httpx
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import FakeListChatModel
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from pydantic import PrivateAttr

from langchain_reliable import CallOptions
from langchain_reliable._children import sdk_retries
from langchain_reliable._children.base import ChildConfig
from langchain_reliable._children.clients.copies import changed
from langchain_reliable._children.clients.watched_http import (
    _WatchedTransport,
    watched,
)
from langchain_reliable._children.rebuild import rebuilt_for_model
from langchain_reliable._children.sdk_retries import without_sdk_retries
from langchain_reliable._text.log_once import LogOnce
from langchain_reliable.testing import ScriptedChatModel

MODEL = "claude-sonnet-4-5"
OTHER = "claude-3-5-haiku-20241022"


def azure(**settings):
    return AzureChatOpenAI(
        azure_endpoint="https://example.openai.azure.com",
        api_version="2025-01-01",
        azure_deployment="east",
        api_key="sk-test",
        **settings,
    )


class TestWithoutRetries:
    @pytest.mark.parametrize(
        "make",
        [lambda: ChatOpenAI(model="gpt-5.4", api_key="sk-test"), azure],
        ids=["openai", "azure"],
    )
    def test_openai_clients_are_replaced(self, make):
        child = make()
        copy = without_sdk_retries(child)
        assert copy.max_retries == 0
        for client in (copy.root_client, copy.root_async_client):
            assert client.max_retries == 0
        for resource in (copy.client, copy.async_client):
            assert resource._client.max_retries == 0
        assert child.max_retries is None
        assert child.root_client.max_retries == 2
        assert child.client._client.max_retries == 2

    def test_anthropic_clients_are_built_without(self):
        child = ChatAnthropic(model=MODEL, api_key="sk-test")
        copy = without_sdk_retries(child)
        assert copy._client.max_retries == copy._async_client.max_retries == 0
        assert child._client.max_retries == 2

    def test_anthropic_clients_in_use_are_replaced(self):
        child = ChatAnthropic(model=MODEL, api_key="sk-test", max_retries=4)
        assert child._client.max_retries == 4
        copy = without_sdk_retries(child)
        assert copy._client.max_retries == copy._async_client.max_retries == 0
        assert child._client.max_retries == 4

    def test_a_client_that_anthropic_makes_later_can_be_ended_from_outside(self):
        child = ChatAnthropic(model=MODEL, api_key="sk-test", max_retries=0)
        copy = without_sdk_retries(child)
        client = copy._client.messages._client._client
        assert type(client._transport) is _WatchedTransport
        assert copy._client._client is client
        assert "_client" not in child.__dict__
        assert type(child._client._client._transport) is not _WatchedTransport
        assert client._transport._pool is child._client._client._transport._pool

    def test_the_connections_are_shared(self):
        child = ChatOpenAI(model="gpt-5.4", api_key="sk-test")
        client = without_sdk_retries(child).root_client._client
        assert client._transport._pool is child.root_client._client._transport._pool

    def test_a_copy_of_a_client_that_closes_itself_closes_nothing(self):
        class Theirs:
            def __init__(self):
                self.http = httpx.Client()

            def __del__(self):
                self.http.close()

        owner = Theirs()
        copy = changed(owner, "http", watched)
        assert isinstance(copy, Theirs)
        assert type(copy.http._transport) is _WatchedTransport
        del copy
        gc.collect()
        assert not owner.http.is_closed

    def test_who_has_no_retries_is_used_as_it_is(self, caplog):
        child = FakeListChatModel(responses=["hi"])
        assert without_sdk_retries(child) is child
        assert not caplog.messages

    def test_google_reads_its_field_and_one_means_off(self, monkeypatch):
        class ChatGoogleGenerativeAI(FakeListChatModel):
            max_retries: int = 6

        ChatGoogleGenerativeAI.__module__ = "langchain_google_genai.chat_models"
        ChatGoogleGenerativeAI.__qualname__ = "ChatGoogleGenerativeAI"
        child = ChatGoogleGenerativeAI(responses=["hi"])
        assert without_sdk_retries(child).max_retries == 1
        assert child.max_retries == 6

    def test_a_field_of_a_class_that_nobody_listed_is_set_on_a_copy(self, caplog):
        class Unlisted(FakeListChatModel):
            max_retries: int = 3
            timeout: float = 60.0

        child = Unlisted(responses=["hi"])
        copy = without_sdk_retries(child, 5.0)
        assert (copy.max_retries, copy.timeout) == (0, 5.0)
        assert (child.max_retries, child.timeout) == (3, 60.0)
        assert not caplog.messages

    def test_one_that_made_its_client_from_the_field_is_built_anew(self):
        class TheirClient:
            def __init__(self, retries):
                self.retries = retries

        class Unlisted(FakeListChatModel):
            max_retries: int = 3
            timeout: float = 60.0
            _their_client: TheirClient = PrivateAttr()

            def model_post_init(self, context):
                self._their_client = TheirClient(self.max_retries)

        child = Unlisted(responses=["hi"])
        assert without_sdk_retries(child)._their_client.retries == 0
        assert child._their_client.retries == 3

    def test_one_warning_where_nothing_can_be_done(self, caplog, monkeypatch):
        monkeypatch.setattr(sdk_retries, "_warned", LogOnce())

        class StrangeSession:
            pass

        class Stubborn(FakeListChatModel):
            session: Any = StrangeSession()

        child = Stubborn(responses=["hi"])
        assert without_sdk_retries(child, 5.0) is child
        assert without_sdk_retries(child, 5.0) is child
        [said] = caplog.messages
        assert "outlives our time limits" in said
        assert "retries by itself" in said

    def test_a_client_of_httpx_is_replaced_wherever_it_is_kept(self):
        class Unlisted(FakeListChatModel):
            http: Any = None
            _other: Any = PrivateAttr()

        with httpx.Client(timeout=60) as one, httpx.Client(timeout=3) as other:
            child = Unlisted(responses=["hi"], http=one)
            child._other = other
            copy = without_sdk_retries(child, 5.0)
            assert (copy.http.timeout.read, copy._other.timeout.read) == (5.0, 3.0)
            assert copy.http.timeout.connect == 60
            assert copy.http._transport._pool is one._transport._pool
            assert (one.timeout.read, child.http) == (60, one)

    def test_bedrock_without_a_client_of_its_own_is_told_what_to_write(
        self, caplog, monkeypatch
    ):
        monkeypatch.setattr(sdk_retries, "_warned", LogOnce())

        class ChatBedrockConverse(FakeListChatModel):
            pass

        ChatBedrockConverse.__module__ = "langchain_aws.chat_models.bedrock_converse"
        ChatBedrockConverse.__qualname__ = "ChatBedrockConverse"
        child = ChatBedrockConverse(responses=["hi"])
        assert without_sdk_retries(child) is child
        assert "max_attempts" in caplog.messages[0]


class TestForModel:
    def test_openai(self):
        child = ChatOpenAI(
            model="gpt-4o", api_key="sk-test", temperature=0.3, base_url="http://x/v1"
        )
        other = rebuilt_for_model(child, "gpt-4o-mini")
        assert other.model_name == "gpt-4o-mini"
        assert other.temperature == 0.3
        assert other.openai_api_base == "http://x/v1"
        assert other.openai_api_key.get_secret_value() == "sk-test"
        assert child.model_name == "gpt-4o"

    def test_what_openai_derives_from_a_name_is_derived_anew(self):
        child = ChatOpenAI(model="o1", api_key="sk-test")
        assert child.temperature == 1
        assert rebuilt_for_model(child, "gpt-4o").temperature is None

    def test_anthropic_takes_max_tokens_from_the_new_model(self):
        child = ChatAnthropic(model=OTHER, api_key="sk-test")
        fresh = ChatAnthropic(model=MODEL, api_key="sk-test")
        other = rebuilt_for_model(child, MODEL)
        assert other.max_tokens == fresh.max_tokens != child.max_tokens
        assert other.profile == fresh.profile

    def test_max_tokens_of_the_user_stay(self):
        child = ChatAnthropic(model=OTHER, api_key="sk-test", max_tokens=7)
        assert rebuilt_for_model(child, MODEL).max_tokens == 7

    def test_for_azure_the_name_is_the_deployment(self):
        other = rebuilt_for_model(azure(temperature=0.3), "west")
        assert other.deployment_name == "west"
        assert "deployments/west" in str(other.root_client.base_url)
        assert other.temperature == 0.3

    def test_who_has_no_name_cannot_be_rebuilt(self):
        assert rebuilt_for_model(FakeListChatModel(responses=["hi"]), "x") is None

    def test_who_will_not_be_rebuilt_is_not(self):
        class LogOnce(FakeListChatModel):
            model: str = "a"

            def model_post_init(self, context):
                if self.model == "b":
                    raise RuntimeError("never b")

        assert rebuilt_for_model(LogOnce(responses=["hi"], model="a"), "b") is None


def test_deadlines_of_single_calls_share_their_clients(reliable):
    model = reliable(ScriptedChatModel())
    for total in range(60, 120):
        model.invoke("Hi", reliable=CallOptions(total_timeout=total))
    kept = model._factory.router.candidates[0]._kept
    assert sum(isinstance(how, ChildConfig) for how in kept) <= 6


def test_names_of_models_that_callers_make_up_are_not_kept_for_ever(reliable):
    model = reliable(ScriptedChatModel())
    for number in range(300):
        model.invoke("Hi", model=f"made up {number}")
    [candidate] = model._router.candidates
    assert max(len(model._router._plans), len(candidate._kept)) <= 256
