"""The rows of partner classes: true where the packages are installed, and enough."""

from __future__ import annotations

import importlib

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from pydantic import SecretStr

from langchain_reliable import ReliableChatModel, rotate_keys
from langchain_reliable._children import partners
from langchain_reliable._children.partners import PARTNERS, Partner, partner_of
from langchain_reliable._children.sdk_retries import without_sdk_retries


@pytest.mark.parametrize("row", PARTNERS.values(), ids=lambda row: row.name)
def test_a_row_names_what_its_class_has(row):
    path, name = row.name.rsplit(".", 1)
    cls = getattr(pytest.importorskip(path.partition(".")[0]), name, None)
    cls = cls or getattr(importlib.import_module(path), name)
    assert f"{cls.__module__}.{cls.__qualname__}" == row.name
    has = cls.model_fields.keys() | cls.__private_attributes__.keys()
    paths = {**row.retries_off, **row.read_timeouts}
    named = {one.partition(".")[0] for one in paths} | {*row.key_fields}
    assert named - has - row.arguments.keys() <= {"max_retries"}
    assert any(one in has for one in row.model_fields)


class ChatNew(FakeListChatModel):
    """A class of a partner package that does not exist yet."""

    engine: str = "new-1"
    attempts: int = 5
    patience: float = 600.0
    token: SecretStr = SecretStr("first")


def test_one_row_is_all_that_a_new_partner_takes(monkeypatch):
    row = Partner(
        name=f"{__name__}.ChatNew",
        sends_finish=True,
        retries_off={"attempts": 1},
        read_timeouts={"patience": 1},
        model_fields=("engine",),
        key_fields=("token",),
    )
    partners._row_of.cache_clear()
    monkeypatch.setattr(partners, "PARTNERS", {**PARTNERS, row.name: row})
    child = ChatNew(responses=["hi"])
    try:
        assert partner_of(child) is row
        copy = without_sdk_retries(child, 5.0)
        assert (copy.attempts, copy.patience) == (1, 5.0)
        assert (child.attempts, child.patience) == (5, 600.0)
        one, two = rotate_keys(child, ["a", "b"]).members
        assert one.model.token.get_secret_value() == "a"
        assert two.model.token.get_secret_value() == "b"
        answer = ReliableChatModel(models=[child]).invoke("hi")
        assert answer.response_metadata["reliable"]["served_by"] == "new-1"
    finally:
        partners._row_of.cache_clear()


def test_the_most_special_row_counts():
    class Own(ChatOpenAI):
        """A user's own."""

    azure = AzureChatOpenAI(
        azure_endpoint="https://x", api_version="1", azure_deployment="d", api_key="k"
    )
    assert partner_of(Own(api_key="k")).providers == ("openai",)
    assert partner_of(azure).providers == ("azure",)
    assert partner_of(azure).family == "openai"
