"""Healthy answers, as the real clients read them."""

from __future__ import annotations

import pytest

from langchain_reliable.testing import (
    Gate,
    Usage,
    refuses,
    says,
    says_nothing,
    tool_call,
)

both = pytest.mark.parametrize("family", ["openai", "anthropic"])
everywhere = pytest.mark.parametrize(
    "surface", ["invoke", "ainvoke", "stream", "astream"]
)
TOOLS = [
    {"name": "add", "description": "Add", "parameters": {"type": "object"}},
    {"name": "multiply", "description": "Multiply", "parameters": {"type": "object"}},
]


@both
@everywhere
async def test_an_unscripted_model_answers_with_its_name(
    sim, client, hear, family, surface
):
    heard = await hear(client(family, "model-a"), surface)
    assert heard.message.text == "Hello from model-a."
    assert heard.message.response_metadata["model_name"] == "model-a"
    assert heard.message.response_metadata["model_provider"] == family


@both
@everywhere
async def test_usage_is_reported(sim, client, hear, family, surface):
    usage = Usage(input_tokens=7, output_tokens=3)
    sim.script("model", says("a b c", usage=usage))
    heard = await hear(client(family, "model"), surface)
    reported = heard.message.usage_metadata
    assert (reported["input_tokens"], reported["output_tokens"]) == (7, 3)


@both
@everywhere
async def test_parallel_tool_calls_with_text(sim, client, hear, family, surface):
    calls = [tool_call("add", a=1, b=2), tool_call("multiply", a=3, b="käse")]
    sim.script("model", says("let me see", calls=calls))
    heard = await hear(client(family, "model").bind_tools(TOOLS), surface)
    assert heard.message.text == "let me see"
    assert [(c["name"], c["args"]) for c in heard.message.tool_calls] == [
        ("add", {"a": 1, "b": 2}),
        ("multiply", {"a": 3, "b": "käse"}),
    ]
    ids = [c["id"] for c in heard.message.tool_calls]
    assert len(set(ids)) == 2


@both
async def test_tool_calls_of_two_requests_have_different_ids(sim, client, hear, family):
    sim.script("model", says(calls=[tool_call("add"), tool_call("add", id="mine")]))
    model = client(family, "model").bind_tools(TOOLS)
    first, second = await hear(model, "invoke"), await hear(model, "stream")
    ids = [[c["id"] for c in h.message.tool_calls] for h in (first, second)]
    assert ids[0][0] != ids[1][0]
    assert ids[0][1] == ids[1][1] == "mine"


@everywhere
async def test_thinking_blocks(sim, client, hear, surface):
    sim.script("claude", says("so be it", thinks="let me think"))
    thinking = {"type": "enabled", "budget_tokens": 1024}
    model = client("anthropic", "claude", thinking=thinking, max_tokens=2048)
    heard = await hear(model, surface)
    block = heard.message.content[0]
    assert (block["type"], block["thinking"]) == ("thinking", "let me think")
    assert block["signature"]
    assert heard.message.text == "so be it"


async def test_openai_shows_reasoning_to_clients_that_know_it(sim, client, hear):
    sim.script("deep", says("so", thinks="hm hm"))
    streamed = await hear(client("openai", "deep"), "stream")
    assert str(streamed) == "so|stop"
    assert len(streamed.chunks) > len(["role", "so", "finish", "usage"])


@pytest.mark.parametrize("surface", ["invoke", "ainvoke"])
async def test_an_openai_refusal(sim, client, hear, surface):
    sim.script("model", refuses("I will not"))
    heard = await hear(client("openai", "model"), surface)
    assert heard.message.additional_kwargs["refusal"] == "I will not"
    assert heard.message.text == ""


@pytest.mark.parametrize("surface", ["stream", "astream"])
async def test_chat_openai_drops_the_words_of_a_streamed_refusal(
    sim, client, hear, surface
):
    sim.script("model", refuses("I will not"))
    heard = await hear(client("openai", "model"), surface)
    assert len(heard.chunks) == len(["role", "I", " will", " not", "end", "usage", ""])
    assert str(heard) == "|stop"


@everywhere
async def test_an_anthropic_refusal(sim, client, hear, surface):
    sim.script("model", refuses("I will not"))
    heard = await hear(client("anthropic", "model"), surface)
    assert str(heard) == "I will not|refusal"


@both
@everywhere
async def test_finish_reasons_are_translated(sim, client, hear, family, surface):
    sim.script("model", says("cut sh", finish="length"))
    heard = await hear(client(family, "model"), surface)
    word = "length" if family == "openai" else "max_tokens"
    assert str(heard) == f"cut sh|{word}"


@both
async def test_an_unmarked_end_after_silence(sim, client, hear, family):
    sim.script("model", says_nothing(finish=None, silent=2))
    heard = await hear(client(family, "model"), "stream")
    assert heard.message.text == ""
    assert "None" in str(heard)


async def test_usage_can_be_withheld(sim, client, hear):
    sim.script("model", says("one", usage=False))
    heard = await hear(client("openai", "model"), "stream")
    assert heard.message.usage_metadata is None
    heard = await hear(client("openai", "model"), "invoke")
    assert heard.message.usage_metadata is None


@both
async def test_chunks_are_cut_as_told(sim, client, hear, family):
    sim.script("model", says(chunks=["he", "llo"]), says("hello", chunks=5))
    model = client(family, "model")
    for pieces in (["he", "llo"], list("hello")):
        heard = await hear(model, "stream")
        assert [c.text for c in heard.chunks if c.text] == pieces


@both
@pytest.mark.parametrize("told", [0, 1, 2])
def test_a_gate_holds_the_stream(sim, client, family, told):
    with Gate() as gate:
        sim.script("model", says("one two", gates={told: gate}, delay=0.001))
        stream = client(family, "model").stream("Hi")
        next(stream)  # the role chunk, or `message_start`
        texts = (str(chunk.text) for chunk in stream if chunk.text)
        heard = [next(texts) for _ in range(told)]
        gate.wait_reached()
        assert heard == ["one", " two"][:told]
        assert sim.open_streams == 1
        gate.open()
        assert [*heard, *texts] == ["one", " two"]
        sim.wait_closed()


@both
async def test_healthy_answers_share_a_connection(sim, client, hear, family):
    model = client(family, "model")
    for surface in ("invoke", "invoke", "ainvoke", "astream", "ainvoke"):
        await hear(model, surface)
    await sim.await_closed()
    assert sim.open_connections == 2  # one for the sync client, one for the async
    assert sim.abandoned == 0


@both
@everywhere
async def test_a_function_decides_when_it_sees_the_request(
    sim, client, hear, family, surface
):
    sim.script("model", lambda asked: asked.body["messages"][-1]["content"])
    heard = await hear(client(family, "model"), surface)
    assert heard.message.text == sim.requests[-1].body["messages"][-1]["content"]


@both
async def test_a_function_that_raises_is_a_server_error(sim, client, hear, family):
    sim.script("model", lambda asked: asked.body["nothing there"])
    heard = await hear(client(family, "model"), "invoke")
    assert "500" in str(heard)
