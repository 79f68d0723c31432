"""Bedrock's clients, which are fixed when they are built."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from partner_classes import CLAUDE

from langchain_reliable import ReliableChatModel
from langchain_reliable._children import sdk_retries
from langchain_reliable._children.sdk_retries import without_sdk_retries
from langchain_reliable._text.log_once import LogOnce
from langchain_reliable.testing import hang_before_headers, simulator

if TYPE_CHECKING:
    from langchain_reliable.testing import Simulator

boto3 = pytest.importorskip("boto3")
aws = pytest.importorskip("langchain_aws")
pytestmark = pytest.mark.filterwarnings("ignore")

KEYS = {"aws_access_key_id": "AKIAMADEUP", "aws_secret_access_key": "made up"}
ONCE = {"retries": {"max_attempts": 0}}


def bedrock(sim: Simulator, **fields: Any) -> Any:
    where = {"region_name": "us-east-1", "endpoint_url": sim.bedrock_url}
    return aws.ChatBedrockConverse(model=CLAUDE, **{**where, **KEYS, **fields})


def own_client(sim: Simulator, **settings: Any) -> Any:
    """Make a client as a user does who has other credentials for it."""
    config = boto3.session.Config(**settings)
    return boto3.client(
        "bedrock-runtime",
        region_name="eu-central-1",
        endpoint_url=sim.bedrock_url,
        config=config,
        **{**KEYS, "aws_access_key_id": "AKIAOFANOTHER"},
    )


@pytest.fixture(autouse=True)
def nothing_said_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk_retries, "_warned", LogOnce())


def test_the_settings_of_a_client_stay_but_for_two(sim, caplog):
    config = boto3.session.Config(max_pool_connections=7, connect_timeout=3)
    model = bedrock(sim, config=config)
    made = without_sdk_retries(model, 5.0).client.meta.config
    assert made.retries["total_max_attempts"] == 1
    assert (made.read_timeout, made.connect_timeout) == (5.0, 3)
    assert made.max_pool_connections == 7
    assert model.client.meta.config.read_timeout == 60
    assert not caplog.messages


def test_a_client_with_other_credentials_is_kept_and_told_of(sim, caplog):
    model = bedrock(sim, client=own_client(sim))
    assert without_sdk_retries(model, 5.0) is model
    [said] = caplog.messages
    assert "max_attempts" in said


def test_who_has_done_what_the_warning_says_is_not_warned(sim, caplog):
    model = bedrock(sim, client=own_client(sim, **ONCE))
    assert without_sdk_retries(model, 5.0) is model
    assert not caplog.messages


def test_hung_calls_keep_nobody_from_the_healthy_region(sim):
    with simulator() as well:
        sim.script(CLAUDE, hang_before_headers())
        regions = [bedrock(sim), bedrock(well, region_name="us-west-2")]
        limits = {"attempt_timeout": 0.5, "max_retries": 0, "circuit_breaker": None}
        model = ReliableChatModel(models=regions, **limits)
        answers = asyncio.run(model.abatch(["hi"] * 12))
        assert [one.text for one in answers] == [f"Hello from {CLAUDE}."] * 12
        assert well.count() == 12
    sim.wait_closed(timeout=15)
