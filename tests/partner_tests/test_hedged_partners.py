"""Whoever loses to a hedge is closed to its socket, whatever its client is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from partner_classes import PARTNER_CLASSES, PartnerClass

from langchain_reliable import Hedge, ReliableChatModel
from langchain_reliable.testing import (
    ScriptedChatModel,
    hang_after_headers,
    hang_before_headers,
    keep_alives_then_silence,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.messages import AIMessage

    from langchain_reliable.testing import Simulator

pytestmark = pytest.mark.filterwarnings("ignore")  # the packages' own

NAMES = ("ChatOpenAI", "ChatAnthropic", "ChatGoogleGenerativeAI", "ChatBedrockConverse")
CLASSES = [one for one in PARTNER_CLASSES if one.name in NAMES]
SILENT = {
    "before its headers": hang_before_headers(),
    "after its headers": hang_after_headers(),
    "with pings": keep_alives_then_silence(every=0.05),
}


@pytest.mark.parametrize("surface", ["invoke", "ainvoke", "stream", "astream"])
@pytest.mark.parametrize("silent", SILENT)
@pytest.mark.parametrize("partner", CLASSES, ids=lambda one: one.name)
def test_the_losers_request_is_closed_to_its_socket(
    partner: PartnerClass,
    sim: Simulator,
    silent: str,
    surface: str,
    asked: Callable[[Any, str], AIMessage],
) -> None:
    first = partner.make(sim)
    second = ScriptedChatModel(model="second", script=["the second"])
    hedge = Hedge(after=0.2, whole_after=0.2, max_share=1)
    model = ReliableChatModel(models=[first, second], hedge=hedge, circuit_breaker=None)
    for _ in range(20):  # until whatever is made at first use is made
        if asked(model, surface).text != "the second":
            break
    before = sim.count()
    sim.script(partner.model, SILENT[silent])
    assert asked(model, surface).text == "the second"
    assert sim.count() == before + 1
    sim.wait_closed()
