"""What `ChatGoogleGenerativeAI` makes of the simulator's Gemini.

A row reads `told before|finish reason` or `told before!error status`.
"""

from __future__ import annotations

import asyncio

import pytest
from langchain_core.messages import HumanMessage, ToolMessage

from langchain_reliable.testing import (
    FAULTS,
    Usage,
    rate_limited,
    says,
    simulator,
    tool_call,
)

EIGHT = "one two three four five six seven eight"
ADD = {"name": "add", "description": "Add", "parameters": {"type": "object"}}

HEARD = {
    "error-400": ("!GoogleInvalidRequestError",) * 2,
    "error-401": ("!GoogleAuthenticationError",) * 2,
    "error-403": ("!GooglePermissionDeniedError",) * 2,
    "error-404": ("!GoogleModelNotFoundError",) * 2,
    "error-408": ("!ChatGoogleGenerativeAIError",) * 2,
    "error-413": ("!ChatGoogleGenerativeAIError",) * 2,
    "error-429": ("!GoogleRateLimitError",) * 2,
    "error-500": ("!GoogleAPIError 500",) * 2,
    "error-503": ("!GoogleAPIError 503",) * 2,
    "error-529": ("!GoogleAPIError 529",) * 2,
    "rate-limited": ("!GoogleRateLimitError",) * 2,
    "quota-exhausted": ("!GoogleRateLimitError",) * 2,
    "overloaded": ("!GoogleAPIError 503",) * 2,
    "context-overflow": ("!GoogleContextOverflowError 400",) * 2,
    "content-policy": ("|None",) * 2,
    "upstream-connect-error": ("!GoogleAPIError 503",) * 2,
    "error-under-200": ("|None", "!GoogleAPIError 500"),
    "reset": ("!ReadError",) * 2,
    "empty-body": ("|None", "!ValueError"),
    "done-only": ("|None",) * 2,
    "error-first": ("!GoogleAPIError 503",) * 2,
    "role-then-error": ("!GoogleAPIError 503",) * 2,
    "role-then-cut": ("!RemoteProtocolError",) * 2,
    "content-then-error": ("!GoogleAPIError 503", "one two!GoogleAPIError 503"),
    "content-then-cut": ("!RemoteProtocolError", "one two!RemoteProtocolError"),
    "malformed-event": ("!JSONDecodeError", "one two!UnknownApiResponseError"),
    "no-finish": (f"{EIGHT}|None",) * 2,
    "no-done": (f"{EIGHT}|STOP",) * 2,
    "finish-then-cut": (f"{EIGHT}|STOP", f"{EIGHT}!RemoteProtocolError"),
    "empty-answer": ("|STOP",) * 2,
    "content-filter": ("|SAFETY",) * 2,
}
"""What is heard of each fault by `invoke`, and by `stream`."""

SILENT = {
    "hang-before-headers": ("!ReadTimeout",) * 2,
    "hang-after-headers": ("!ReadTimeout",) * 2,
    "keep-alives-then-silence": ("!ReadTimeout",) * 2,
    "role-then-silence": ("!ReadTimeout",) * 2,
    "content-then-stall": ("!ReadTimeout", "one two!ReadTimeout"),
    "finish-then-stall": (f"{EIGHT}|STOP", f"{EIGHT}!ReadTimeout"),
    "reasoning-then-silence": ("!ReadTimeout",) * 2,
}
everywhere = pytest.mark.parametrize(
    "surface", ["invoke", "ainvoke", "stream", "astream"]
)


def test_the_tables_cover_the_catalogue():
    assert HEARD.keys() | SILENT.keys() | {"trickle"} == FAULTS.keys()


@everywhere
async def test_it_hears_each_fault(sim, client, hear, surface):
    model = client("gemini", "model")
    heard = {}
    for fault in HEARD:
        sim.script("model", FAULTS[fault])
        heard[fault] = str(await hear(model, surface))
    column = "stream" in surface
    assert heard == {fault: row[column] for fault, row in HEARD.items()}
    await sim.await_closed()


@pytest.mark.parametrize("surface", ["ainvoke", "astream"])
async def test_it_times_out_on_silence(sim, client, hear, surface):
    def as_asked(request):
        return FAULTS.get(request.body["contents"][-1]["parts"][0]["text"], "ready")

    sim.script("model", as_asked)
    model = client("gemini", "model", timeout=1.0)
    await hear(model, surface)  # takes time to be built, and blocks the loop for it
    heard = await asyncio.gather(*(hear(model, surface, fault) for fault in SILENT))
    column = surface == "astream"
    assert [str(one) for one in heard] == [row[column] for row in SILENT.values()]
    await sim.await_closed()


@everywhere
async def test_it_reads_thoughts_calls_and_usage(sim, client, hear, surface):
    calls = [tool_call("add", a=1, b="käse"), tool_call("add", id="mine", a=2)]
    usage = Usage(input_tokens=7, output_tokens=9)
    sim.script("model", says("so be it", thinks="hm hm", calls=calls, usage=usage))
    model = client("gemini", "model").bind_tools([ADD])
    message = (await hear(model, surface)).message
    assert message.text == "so be it"
    reasoning = [b for b in message.content_blocks if b["type"] == "reasoning"]
    assert reasoning[0]["reasoning"] == "hm hm"
    assert [call["args"] for call in message.tool_calls] == [
        {"a": 1, "b": "käse"},
        {"a": 2},
    ]
    assert message.tool_calls[1]["id"] == "mine"
    reported = message.usage_metadata
    assert (reported["input_tokens"], reported["output_tokens"]) == (7, 9)
    assert sim.requests[0].key == "AI-test"


async def test_strict_rules_read_what_it_sends_back(client, hear):
    calls = [tool_call("add", a=1), tool_call("add", a=2)]
    with simulator(strict=True) as strict:
        strict.script("gemini-3-pro", says("so", thinks="hm", calls=calls), "done")
        model = client("gemini", "gemini-3-pro", base_url=strict.gemini_url)
        tools = model.bind_tools([ADD])
        called = (await hear(tools, "stream")).message
        results = [
            ToolMessage("3", tool_call_id=call["id"], name="add")
            for call in called.tool_calls
        ]
        heard = await hear(tools, "invoke", [HumanMessage("Hi"), called, *results])
        assert str(heard) == "done|STOP"


async def test_the_wait_it_is_asked_for_stands_in_the_body(sim, client, hear):
    sim.script("model", rate_limited(retry_after=48))
    heard = await hear(client("gemini", "model"), "invoke")
    assert "'retryDelay': '48s'" in str(heard.error)
