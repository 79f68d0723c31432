"""With one healthy child nothing changes, on the wire and in the answer."""

from __future__ import annotations

import pytest
import wire_shapes as shapes
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.rate_limiters import InMemoryRateLimiter
from same_answer import pieces, said

from langchain_reliable import Candidate
from langchain_reliable.testing import ScriptedChatModel, overloaded, says, tool_call

FAMILIES = ("openai", "anthropic")
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Look out of the window.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
KWARGS = {
    "plain": {},
    "stop": {"stop": ["END"]},
    "temperature": {"temperature": 0.5},
    "tools": {"tools": [TOOL]},
}


def sent(clients):
    one = clients.sim.requests[-1]
    return one.path, one.body


@pytest.mark.parametrize("kwargs", KWARGS.values(), ids=KWARGS)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_request(surface, reliable, clients, family, kwargs):
    child = clients.of(family, "m")
    bound = child.bind_tools(kwargs["tools"]) if "tools" in kwargs else child
    surface(bound, **{k: v for k, v in kwargs.items() if k != "tools"})
    bare = sent(clients)
    surface(reliable(child), **kwargs)
    assert sent(clients) == bare


@pytest.mark.parametrize("output_version", ["v0", "v1"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_answer(surface, reliable, clients, family, output_version):
    clients.sim.script("m", says("some words", calls=[tool_call("weather", city="x")]))
    child = clients.of(family, "m", output_version=output_version)
    bare = surface(child.bind_tools([TOOL])).message
    ours = surface(reliable(child).bind_tools([TOOL])).message
    assert ours.response_metadata.pop("reliable")["served_by"] == "m"
    numbers = {"id", "created"}
    for one in (bare, ours):
        for name in numbers:
            one.response_metadata.pop(name, None)
    assert [_told(block) for block in ours.content_blocks] == [
        _told(block) for block in bare.content_blocks
    ]
    assert [type(block) for block in ours.content] == [
        type(block) for block in bare.content
    ]
    assert [call["args"] for call in ours.tool_calls] == [{"city": "x"}]
    assert ours.usage_metadata == bare.usage_metadata
    assert ours.response_metadata.keys() == bare.response_metadata.keys()


def _told(block):
    """Return a block without the number that the simulator gave the request."""
    return {name: value for name, value in block.items() if name != "id"}


@pytest.mark.parametrize("output_version", ["v0", "v1"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_chunks(surface, reliable, clients, family, output_version):
    clients.sim.script("m", says("some words, no more"))
    child = clients.of(family, "m", output_version=output_version)
    bare = [chunk.content for chunk in surface(child).chunks]
    assert [chunk.content for chunk in surface(reliable(child)).chunks] == bare


SHAPES = {
    "thoughts, search, citations": (shapes.THOUGHTS_SEARCH_AND_CITATIONS, "v0"),
    "the same in blocks": (shapes.THOUGHTS_SEARCH_AND_CITATIONS, "v1"),
    "parallel calls": (shapes.PARALLEL_CALLS, "v0"),
    "parallel calls in blocks": (shapes.PARALLEL_CALLS, "v1"),
    "spoken": (shapes.SPOKEN, "v0"),
    "spoken in blocks": (shapes.SPOKEN, "v1"),
    "responses": (shapes.REASONING_SEARCH_AND_CITATIONS, "responses/v1"),
    "responses as of old": (shapes.REASONING_SEARCH_AND_CITATIONS, "v0"),
    "responses in blocks": (shapes.REASONING_SEARCH_AND_CITATIONS, "v1"),
}


@pytest.mark.parametrize(("spec", "version"), SHAPES.values(), ids=SHAPES)
def test_what_providers_do_beyond_text_is_untouched(
    surface, reliable, wire, spec, version
):
    wire.reply = spec.reply
    child = spec.child(output_version=version)
    alone = surface(spec.bound(child), list(spec.messages))
    ours = surface(spec.bound(reliable(child)), list(spec.messages))
    assert alone.error is None, repr(alone.error)
    assert ours.error is None, repr(ours.error)
    assert ours.trail["served_by"] == "m"
    assert said(ours.message) == said(alone.message)
    assert ours.message.content_blocks == alone.message.content_blocks
    assert pieces(ours) == pieces(alone)
    assert ours.usage == alone.usage
    if not child.disable_streaming:  # else it is one chunk here, and none there
        assert ours.heard.tokens == alone.heard.tokens
    bare, sent = wire.sent
    assert sent == bare

    goes_on = [*spec.messages, alone.message, *_results(alone.message)]
    surface(spec.bound(child), goes_on)
    surface(spec.bound(reliable(child)), goes_on)
    bare, sent = wire.sent[2:]
    assert sent == bare


def _results(message):
    results = [
        ToolMessage("sunny", tool_call_id=call["id"]) for call in message.tool_calls
    ]
    return [*results, HumanMessage("And tomorrow?")]


def test_each_child_keeps_its_output_version(surface, reliable, clients):
    clients.sim.script("a", overloaded())
    first = Candidate(clients.openai("a"), max_retries=0)
    for version, kind in (("v0", str), ("v1", list)):
        second = clients.openai("b", output_version=version)
        message = surface(reliable(first, second)).message
        assert isinstance(message.content, kind)
        assert message.text == "Hello from b."


def test_a_child_that_must_not_stream_is_asked_for_the_whole(
    surface, reliable, clients
):
    child = clients.openai("m", disable_streaming=True)
    assert surface(reliable(child)).text == "Hello from m."
    assert not clients.sim.requests[-1].streaming


def test_a_child_that_streams_always_does(surface, reliable, clients):
    child = clients.openai("m", streaming=True)
    assert surface(reliable(child)).text == "Hello from m."
    assert clients.sim.requests[-1].streaming


class Own(BaseCallbackHandler):
    def __init__(self):
        self.heard = []

    def on_chat_model_start(self, serialized, messages, **kwargs):
        self.heard.append("start")
        self.tags = kwargs.get("tags")

    def on_llm_end(self, response, **kwargs):
        self.heard.append("end")
        self.said = response.generations[0][0].text

    def on_llm_error(self, error, **kwargs):
        self.heard.append("error")


def test_a_childs_own_callbacks_hear_every_attempt(surface, reliable, clients):
    clients.sim.script("a", overloaded(), says("at last"))
    own = Own()
    child = clients.openai("a", callbacks=[own], tags=["mine"])
    outcome = surface(reliable(child))
    assert own.heard == ["start", "error", "start", "end"]
    assert own.tags == ["mine"]
    assert own.said == "at last"
    assert (outcome.heard.starts, outcome.heard.ends) == (1, 1)
    assert outcome.heard.errors == 0


def test_a_bindings_config_is_the_childs_own(surface, reliable, clients):
    own = Own()
    child = clients.openai("a").with_config(callbacks=[own], tags=["outer"])
    outcome = surface(reliable(child))
    assert own.heard == ["start", "end"]
    assert own.tags == ["outer"]
    assert outcome.heard.starts == 1


def test_a_childs_own_cache_is_asked_first(reliable):
    cache = InMemoryCache()
    child = ScriptedChatModel(model="a", cache=cache)
    model = reliable(child)
    assert model.invoke("?").text == model.invoke("?").text == "Hello from a."
    assert child.request_count == 1


async def test_a_childs_own_cache_is_asked_first_in_async(reliable):
    child = ScriptedChatModel(model="a", cache=InMemoryCache())
    model = reliable(child)
    await model.ainvoke("?")
    assert (await model.ainvoke("?")).text == "Hello from a."
    assert child.request_count == 1


def test_the_models_cache_holds_answers_of_the_first_alone(reliable, clients):
    clients.sim.script("a", overloaded(), says("mine"))
    first = Candidate(clients.openai("a"), max_retries=0)
    model = reliable(
        first, clients.openai("b"), cache=InMemoryCache(), circuit_breaker=None
    )
    assert model.invoke("?").text == "Hello from b."
    assert model.invoke("?").text == "mine"
    again = model.invoke("?")
    assert again.text == "mine"
    story = {"attempts": [], "skipped": [], "failed_over": False}
    told = {"served_by": "a", "cached": True, **story}
    assert again.response_metadata["reliable"] == told
    assert clients.sim.count("a") == 2


def test_the_models_cache_in_async(reliable, clients, run):
    model = reliable(clients.openai("a"), cache=InMemoryCache())
    run(model.ainvoke("?"))
    again = run(model.ainvoke("?"))
    assert again.response_metadata["reliable"]["cached"] is True
    assert clients.sim.count("a") == 1


def test_two_models_do_not_answer_from_each_others_cache(reliable, clients):
    cache = InMemoryCache()
    one = reliable(clients.openai("a"), clients.openai("b"), cache=cache)
    other = reliable(clients.openai("b"), clients.openai("a"), cache=cache)
    assert one.invoke("?").text != other.invoke("?").text


def test_a_childs_rate_limiter_is_waited_for(surface, reliable):
    limiter = InMemoryRateLimiter(requests_per_second=1000, check_every_n_seconds=0.001)
    child = ScriptedChatModel(model="a", rate_limiter=limiter)
    assert surface(reliable(child)).text == "Hello from a."


@pytest.mark.parametrize("family", FAMILIES)
def test_generate_tells_what_it_cost_as_the_child_does(reliable, clients, family):
    child = clients.of(family, "m")
    bare = child.generate([[HumanMessage("?")]]).llm_output
    assert reliable(child).generate([[HumanMessage("?")]]).llm_output == bare
    assert family == "anthropic" or bare["token_usage"]["total_tokens"] > 0
