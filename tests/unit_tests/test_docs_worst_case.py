"""The worst case of one call, as docs/limits.md states it, measured by turning a clock.

Run this file to write the table anew.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from langchain_reliable import ReliableChatModel
from langchain_reliable._core.call import Call
from langchain_reliable._core.steps import GiveUp, Launch, Wait
from langchain_reliable.failures import Failure, FailureKind
from langchain_reliable.testing import ScriptedChatModel

PAGE = Path(__file__).parents[2] / "docs" / "limits.md"
BEGIN, END = "<!-- worst case: written by its test -->", "<!-- end of worst case -->"


class Late(Exception):
    """A failure that comes at the last moment that the limits allow."""


def worst(candidates: int, *, streams: bool) -> tuple[int, float]:
    """Return requests and seconds of a call in which everything comes too late.

    Each attempt breaks just before its limit with a 503, so that it is tried again,
    and each wait is as long as it can be.
    """
    children = [ScriptedChatModel(model=str(at)) for at in range(candidates)]
    factory = ReliableChatModel(models=children, circuit_breaker=None)._factory
    failure = Failure(kind=FailureKind.SERVER_ERROR, status=503)
    plan = factory.router.plan()
    call: Call[str] = Call(plan, factory.policy, lambda _: failure, streams=streams)
    now = requests = 0.0
    for _ in range(1000):
        match call.what_now(now):
            case Launch(attempt):
                limits = attempt.timeouts
                silent = limits.first_chunk or limits.last_chance
                now += (silent if streams else limits.answer) or 0.0
                requests += 1
                call.failed(attempt, Late(), now, 1.0)
            case Wait(until):
                now = until
            case GiveUp():
                return int(requests), now
    raise AssertionError("the call never ends")


def table() -> str:
    rows = [
        "| candidates | requests | stream: to its first word | answer in one piece |",
        "| --- | --- | --- | --- |",
    ]
    for candidates in range(1, 5):
        requests, to_first_word = worst(candidates, streams=True)
        _, whole = worst(candidates, streams=False)
        said = f"{whole:,.0f} s, and the last client's own time-out, three times"
        if candidates == 1:
            said = "the client's own time-out, three times"
        rows.append(f"| {candidates} | {requests} | {to_first_word:,.0f} s | {said} |")
    return "\n".join(rows)


def stated() -> str:
    text = PAGE.read_text(encoding="utf-8")
    found = re.search(f"{BEGIN}\n\n(.*?)\n\n{END}", text, flags=re.DOTALL)
    return found.group(1) if found else ""


def test_the_page_states_the_worst_case():
    assert stated() == table()


@pytest.mark.parametrize("candidates", [1, 2, 3, 4])
def test_no_stream_with_defaults_waits_without_a_bound(candidates):
    requests, seconds = worst(candidates, streams=True)
    assert requests == 3 * candidates
    assert seconds < 3600


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    made = f"{BEGIN}\n\n{table()}\n\n{END}"
    PAGE.write_text(
        re.sub(f"{BEGIN}.*?{END}", lambda _: made, text, flags=re.DOTALL),
        encoding="utf-8",
    )
