"""What the real clients make of every fault: the proof that it looks real.

A row reads `told before|finish reason` or `told before!error status code`.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from functools import partial

import pytest

from langchain_reliable import testing
from langchain_reliable.testing import (
    FAULTS,
    SimulatedRequest,
    Trouble,
    content_then_cut,
    content_then_error,
    error_first,
    error_status,
    malformed_event,
    no_finish,
    rate_limited,
    role_then_error,
    says,
    tool_call,
    trickle,
)
from langchain_reliable.testing._simulator import faults
from langchain_reliable.testing._simulator.dialects.openai import OpenAI
from langchain_reliable.testing._simulator.plans import plan
from langchain_reliable.testing._simulator.wire import Send

EIGHT = "one two three four five six seven eight"
OVERLOADED_LATE = "APIStatusError 200 overloaded_error"  # HTTP said 200 before

# fault: (OpenAI invoke, OpenAI stream, Anthropic invoke, Anthropic stream)
HEARD = {
    "error-400": ("!OpenAIInvalidRequestError 400 invalid_value",) * 2
    + ("!AnthropicInvalidRequestError 400 invalid_request_error",) * 2,
    "error-401": ("!OpenAIAuthenticationError 401 invalid_api_key",) * 2
    + ("!AnthropicAuthenticationError 401 authentication_error",) * 2,
    "error-403": (
        "!OpenAIPermissionDeniedError 403 unsupported_country_region_territory",
    )
    * 2
    + ("!AnthropicPermissionDeniedError 403 permission_error",) * 2,
    "error-404": ("!OpenAIModelNotFoundError 404 model_not_found",) * 2
    + ("!AnthropicModelNotFoundError 404 not_found_error",) * 2,
    "error-408": ("!APIStatusError 408 timeout",) * 2
    + ("!RequestTimeoutError 408 timeout_error",) * 2,
    "error-413": ("!APIStatusError 413 request_too_large",) * 2
    + ("!ContentTooLargeError 413 request_too_large",) * 2,
    "error-429": ("!OpenAIRateLimitError 429 rate_limit_exceeded",) * 2
    + ("!AnthropicRateLimitError 429 rate_limit_error",) * 2,
    "error-500": ("!OpenAIAPIError 500 server_error",) * 2
    + ("!AnthropicAPIError 500 api_error",) * 2,
    "error-503": ("!OpenAIAPIError 503 service_unavailable",) * 2
    + ("!AnthropicAPIError 503 api_error",) * 2,
    "error-529": ("!OpenAIAPIError 529 server_overloaded",) * 2
    + ("!AnthropicOverloadedError 529 overloaded_error",) * 2,
    "rate-limited": ("!OpenAIRateLimitError 429 rate_limit_exceeded",) * 2
    + ("!AnthropicRateLimitError 429 rate_limit_error",) * 2,
    "quota-exhausted": ("!OpenAIRateLimitError 429 insufficient_quota",) * 2
    + ("!AnthropicInvalidRequestError 400 invalid_request_error",) * 2,
    "overloaded": ("!OpenAIAPIError 503 server_overloaded",) * 2
    + ("!AnthropicOverloadedError 529 overloaded_error",) * 2,
    "context-overflow": ("!OpenAIInvalidRequestError 400 context_length_exceeded",) * 2
    + ("!AnthropicContextOverflowError 400 invalid_request_error",) * 2,
    "content-policy": ("!OpenAIInvalidRequestError 400 content_policy_violation",) * 2
    + ("!AnthropicInvalidRequestError 400 invalid_request_error",) * 2,
    "upstream-connect-error": ("!OpenAIAPIError 503",) * 2
    + ("!AnthropicAPIError 503",) * 2,
    "error-under-200": ("!ValueError", "!ValueError", "!TypeError", "!ValueError"),
    "reset": ("!OpenAIConnectionError",) * 2 + ("!AnthropicConnectionError",) * 2,
    "empty-body": ("!JSONDecodeError", "!ValueError") * 2,
    "done-only": ("!IndexError", "!ValueError", "|None", "|None"),
    "error-first": (
        "!OpenAIAPIError 503 server_overloaded",
        "!APIError server_overloaded",
        "!AnthropicOverloadedError 529 overloaded_error",
        f"!{OVERLOADED_LATE}",
    ),
    "role-then-error": (
        "!OpenAIAPIError 503 server_overloaded",
        "!APIError server_overloaded",
        "!AnthropicOverloadedError 529 overloaded_error",
        f"!{OVERLOADED_LATE}",
    ),
    "role-then-cut": (
        "!OpenAIConnectionError",
        "!OpenAIConnectionError",
        "!AnthropicConnectionError",
        "!RemoteProtocolError",
    ),
    "content-then-error": (
        "!OpenAIAPIError 503 server_overloaded",
        "one two!APIError server_overloaded",
        "!AnthropicOverloadedError 529 overloaded_error",
        f"one two!{OVERLOADED_LATE}",
    ),
    "content-then-cut": (
        "!OpenAIConnectionError",
        "one two!OpenAIConnectionError",
        "!AnthropicConnectionError",
        "one two!RemoteProtocolError",
    ),
    "malformed-event": ("!JSONDecodeError", "one two!JSONDecodeError") * 2,
    "no-finish": (f"{EIGHT}|None",) * 4,
    "no-done": (f"{EIGHT}|stop",) * 2 + (f"{EIGHT}|end_turn",) * 2,
    "finish-then-cut": (
        f"{EIGHT}|stop",
        f"{EIGHT}!OpenAIConnectionError",
        f"{EIGHT}|end_turn",
        f"{EIGHT}!RemoteProtocolError",
    ),
    "empty-answer": ("|stop",) * 2 + ("|end_turn",) * 2,
    "content-filter": ("|content_filter",) * 2 + ("|refusal",) * 2,
}

# Silent ones, heard with a read time-out.
TIMED_OUT = ("!OpenAITimeoutError",) * 2 + ("!AnthropicTimeoutError",)
SILENT = {
    "hang-before-headers": (*TIMED_OUT, "!AnthropicTimeoutError"),
    "hang-after-headers": (*TIMED_OUT, "!ReadTimeout"),
    "keep-alives-then-silence": (*TIMED_OUT, "!ReadTimeout"),
    "role-then-silence": (*TIMED_OUT, "!ReadTimeout"),
    "reasoning-then-silence": (*TIMED_OUT, "!ReadTimeout"),
    "content-then-stall": (
        "!OpenAITimeoutError",
        "one two!OpenAITimeoutError",
        "!AnthropicTimeoutError",
        "one two!ReadTimeout",
    ),
    "finish-then-stall": (
        f"{EIGHT}|stop",
        f"{EIGHT}!OpenAITimeoutError",
        f"{EIGHT}|end_turn",
        f"{EIGHT}!ReadTimeout",
    ),
}
ADD = {"name": "add", "description": "Add", "parameters": {"type": "object"}}
COLUMNS = [(family, way) for family in ("openai", "anthropic") for way in ("", "s")]


def surface(way: str, prefix: str) -> str:
    return prefix + ("stream" if way else "invoke")


def test_each_fault_is_exported_and_has_its_line_in_the_catalogue():
    made = {
        name
        for name, one in vars(faults).items()
        if inspect.isfunction(one) and one.__module__ == faults.__name__
    }
    public = {name for name in made if not name.startswith("_")}
    named = {name.replace("-", "_") for name in FAULTS}
    assert public <= set(testing.__all__)
    assert public - named == {"error_status", "content_filtered"}  # a number, a filter


def test_the_tables_cover_the_catalogue():
    assert HEARD.keys() | SILENT.keys() | {"trickle"} == FAULTS.keys()


@pytest.mark.parametrize("prefix", ["", "a"], ids=["sync", "async"])
@pytest.mark.parametrize("fault", HEARD)
async def test_real_clients_hear_each_fault(sim, client, hear, fault, prefix):
    sim.script("model", FAULTS[fault])
    heard = [
        str(await hear(client(family, "model"), surface(way, prefix)))
        for family, way in COLUMNS
    ]
    assert tuple(heard) == HEARD[fault]
    await sim.await_closed()


@pytest.mark.parametrize("prefix", ["", "a"], ids=["sync", "async"])
@pytest.mark.parametrize(("family", "way"), COLUMNS)
async def test_real_clients_time_out_on_silence(sim, client, hear, family, way, prefix):
    async def listen(fault):
        sim.script(fault, FAULTS[fault])
        model = client(family, fault, timeout=0.3)
        if prefix:
            return str(await hear(model, surface(way, prefix)))
        return await asyncio.to_thread(
            lambda: str(asyncio.run(hear(model, surface(way, prefix))))
        )

    heard = await asyncio.gather(*map(listen, SILENT))
    column = COLUMNS.index((family, way))
    assert heard == [row[column] for row in SILENT.values()]
    await sim.await_closed()
    whole = 1 if way == "" else 0  # a JSON body with its finish is all there
    assert sim.abandoned == len(SILENT) - whole


@pytest.mark.parametrize("prefix", ["", "a"], ids=["sync", "async"])
@pytest.mark.parametrize(("family", "way"), COLUMNS)
async def test_a_trickle_arrives_whole(sim, client, hear, family, way, prefix):
    sim.script("slow", trickle("one two three", pause=0.001))
    heard = await hear(client(family, "slow"), surface(way, prefix))
    assert heard.message.text == "one two three"


@pytest.mark.parametrize("family", ["openai", "anthropic"])
async def test_a_refused_connection(sim, hear, family, client):
    model = client(family, "any", base_url=sim.refusing_url)
    heard = await hear(model, "invoke")
    assert "ConnectionError" in str(heard)
    assert sim.count() == 0


@pytest.mark.parametrize("family", ["openai", "anthropic"])
async def test_retry_headers_reach_the_client(sim, client, hear, family):
    sim.script(
        "busy",
        rate_limited(retry_after=2.5, retry_after_ms=250, should_retry=False),
        rate_limited(retry_after="Wed, 21 Oct 2026 07:28:00 GMT"),
        error_status(503, retry_after=1, headers={"X-Extra": "yes"}),
    )
    first, second, third = [
        (await hear(client(family, "busy"), "invoke")).error.response.headers
        for _ in range(3)
    ]
    assert first["retry-after"] == "2.5"
    assert first["retry-after-ms"] == "250"
    assert first["x-should-retry"] == "false"
    assert second["retry-after"] == "Wed, 21 Oct 2026 07:28:00 GMT"
    assert third["retry-after"] == "1"
    assert third["x-extra"] == "yes"


async def test_anthropic_says_whether_to_try_again(sim, client, hear):
    sim.script("claude", error_status(529), error_status(401))
    hints = [
        (await hear(client("anthropic", "claude"), "invoke")).error.response.headers
        for _ in range(2)
    ]
    assert [hint["x-should-retry"] for hint in hints] == ["true", "false"]


async def test_a_status_nobody_knows_still_has_a_body(sim, client, hear):
    sim.script("odd", error_status(418, message="short and stout"), error_status(502))
    model = client("openai", "odd")
    teapot, gateway = await hear(model, "invoke"), await hear(model, "invoke")
    assert "short and stout" in str(teapot.error)
    assert str(gateway) == "!OpenAIAPIError 502 server_error"


@pytest.mark.parametrize(
    ("build", "openai", "anthropic"),
    [
        (error_first, "rate_limit_exceeded", "rate_limit_error"),
        (role_then_error, "rate_limit_exceeded", "rate_limit_error"),
        (
            partial(content_then_error, "a b", after=0),
            "rate_limit_exceeded",
            "rate_limit_error",
        ),
    ],
)
async def test_any_trouble_may_strike_inside_a_stream(
    sim, client, hear, build, openai, anthropic
):
    sim.script("model", build(trouble=Trouble(kind="rate_limited")))
    heard = await hear(client("openai", "model"), "stream")
    assert str(heard) == f"!APIError {openai}"
    heard = await hear(client("anthropic", "model"), "stream")
    assert str(heard) == f"!APIStatusError 200 {anthropic}"


async def test_silent_chunks_come_before_the_error(sim, client, hear):
    sim.script("model", role_then_error(silent=3))
    heard = await hear(client("openai", "model"), "stream")
    assert len(heard.chunks) == 4
    assert str(heard).startswith("!APIError")


@pytest.mark.parametrize("family", ["openai", "anthropic"])
async def test_a_fault_may_strike_inside_a_tool_call(sim, client, hear, family):
    call = tool_call("add", a=1, b=2)
    sim.script("model", content_then_cut(says(calls=[call]), after=2))
    model = client(family, "model").bind_tools([ADD])
    heard = await hear(model, "stream")
    told = [piece for chunk in heard.chunks for piece in chunk.tool_call_chunks]
    assert told[0]["name"] == "add"
    assert "".join(piece["args"] for piece in told) == '{"a": '
    assert heard.error is not None


@pytest.mark.parametrize("family", ["openai", "anthropic"])
async def test_failing_then_recovering_is_a_list(sim, client, hear, family):
    sim.script("model", error_status(503), error_status(503), "back again")
    heard = [await hear(client(family, "model"), "invoke") for _ in range(4)]
    assert [h.error is None for h in heard] == [False, False, True, True]
    assert heard[3].message.text == "back again"


@pytest.mark.parametrize("build", [content_then_cut, malformed_event])
def test_a_fault_beyond_the_answer_is_refused(build):
    with pytest.raises(ValueError, match="after=3, but the answer has 2 pieces"):
        build("one two", after=3)


async def test_a_missing_finish_reports_no_usage_either(sim, client, hear):
    sim.script("model", no_finish("one two"))
    heard = await hear(client("openai", "model"), "stream")
    assert heard.message.usage_metadata is None


def test_a_malformed_document_is_never_other_json():
    for length in range(60):
        answer = says("x" * length + " one two three")
        request = SimulatedRequest(
            number=1,
            model="m",
            path="",
            headers={},
            body={},
            streaming=False,
            key=None,
        )
        for after in range(4):
            steps = plan(malformed_event(answer, after=after), OpenAI(), request)
            body = b"".join(step.data for step in steps if isinstance(step, Send))
            with pytest.raises(ValueError, match="line 1"):
                json.loads(body)
