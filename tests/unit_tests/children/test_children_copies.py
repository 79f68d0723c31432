"""Copies that differ in one place; what was given stays as it is."""

from __future__ import annotations

from types import SimpleNamespace

from pydantic import BaseModel, PrivateAttr

from langchain_reliable._children.clients.copies import changed, without


class Model(BaseModel):
    settings: dict = {"a": 1}
    _client: SimpleNamespace = PrivateAttr(
        default_factory=lambda: SimpleNamespace(inner=SimpleNamespace(timeout=60))
    )


def test_what_stands_on_the_way_is_copied_and_nothing_else():
    model = Model()
    copy = changed(model, "_client.inner.timeout", lambda old: old / 2)
    assert copy._client.inner.timeout == 30
    assert model._client.inner.timeout == 60
    assert copy.settings is model.settings


def test_a_key_of_a_dictionary_may_be_new():
    model = Model()
    assert changed(model, "settings.b", lambda _: 2).settings == {"a": 1, "b": 2}
    assert model.settings == {"a": 1}


def test_what_stays_as_it_was_is_no_copy():
    model = Model()
    assert changed(model, "settings.a", lambda _: 1) is model


def test_where_there_is_nothing_nothing_is_changed():
    model = Model()
    assert changed(model, "other", lambda _: 1) is model
    assert changed(model, "_client.missing.timeout", lambda _: 1) is model
    assert without(model, "other") is model


def test_what_was_made_before_is_left_out():
    client = SimpleNamespace(chat="made", url="x")
    copy = without(SimpleNamespace(client=client), "client.chat")
    assert vars(copy.client) == {"url": "x"}
    assert client.chat == "made"


class KeepsAMethod:
    def __init__(self):
        self.seconds = 60
        self.make = self.made

    def made(self):
        return self.seconds


def test_a_method_that_it_keeps_sees_the_copy():
    one = KeepsAMethod()
    copy = changed(one, "seconds", lambda _: 5)
    assert (copy.make(), one.make()) == (5, 60)
