"""How structured answers end that are empty, cut, or left in the middle."""

from __future__ import annotations

from contextlib import aclosing, closing

import pytest
from pydantic import BaseModel

from langchain_reliable import AllModelsFailed, StreamInterrupted
from langchain_reliable.testing import (
    Gate,
    ScriptedChatModel,
    error_status,
    finish_then_cut,
    says,
    says_nothing,
    streams,
    tool_call,
)

# `ChatOpenAI` dumps what the SDK parsed, and pydantic says so (langchain-openai 1.7.3).
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")

WHOLE = '{"setup": "why?", "punchline": "because"}'
TOLD = {"setup": "why?", "punchline": "because"}
CALLED = says(calls=[tool_call("Joke", **TOLD)])


class Joke(BaseModel):
    """A joke."""

    setup: str
    punchline: str


SCHEMA = {**Joke.model_json_schema(), "title": "Joke"}


@pytest.mark.parametrize("commit_on", ["payload", "complete"])
def test_a_kept_empty_answer_is_read_by_its_own_childs_parser(
    reliable, clients, run, commit_on
):
    clients.sim.script("claude", says_nothing())
    clients.sim.script("gpt", error_status(503))
    models = [clients.anthropic("claude"), clients.openai("gpt")]
    model = reliable(*models, max_retries=0, commit_on=commit_on)
    view = model.with_structured_output(Joke)  # OpenAI's parser would raise
    assert view.invoke("?") is None
    assert view.batch(["?", "?"]) == [None, None]
    assert list(view.stream("?")) == []

    async def all_at_once():
        return await view.ainvoke("?"), [piece async for piece in view.astream("?")]

    assert run(all_at_once()) == (None, [])


def test_what_a_kept_empty_answer_teaches_is_of_its_own_child(reliable):
    quiet = ScriptedChatModel(model="quiet", script=[says_nothing()])
    other = ScriptedChatModel(
        model="other", script=[ConnectionError("down"), streams("never says why")]
    )
    model = reliable(quiet, other, max_retries=0)
    assert "".join(chunk.text for chunk in model.stream("?")) == ""
    assert "".join(chunk.text for chunk in model.stream("?")) == "never says why"


@pytest.mark.parametrize("way", ["stream", "astream"])
def test_a_form_that_the_wire_swallowed_after_the_finish_is_an_interruption(
    reliable, clients, run, way
):
    clients.sim.script("gpt", finish_then_cut(WHOLE))
    view = reliable(clients.openai("gpt")).with_structured_output(Joke)

    async def asked():
        return [piece async for piece in view.astream("?")]

    with pytest.raises(StreamInterrupted) as caught:
        run(asked()) if way == "astream" else list(view.stream("?"))
    assert caught.value.partial.text == WHOLE
    assert caught.value.kind == "connection"


@pytest.mark.parametrize("settings", [{}, {"streaming": True}], ids=["held", "joined"])
def test_what_swallowed_it_is_what_the_trail_names(reliable, clients, settings):
    clients.sim.script("gpt", finish_then_cut(WHOLE))
    clients.sim.script("claude", error_status(503))
    models = [clients.openai("gpt", **settings), clients.anthropic("claude")]
    model = reliable(*models, max_retries=0, commit_on="complete")
    view = model.with_structured_output(Joke)
    with pytest.raises(AllModelsFailed) as caught:
        view.invoke("?") if settings else list(view.stream("?"))
    kinds = [one.failure.kind for one in caught.value.attempts]
    assert kinds == ["connection", "server_error"]


def test_a_form_that_can_be_read_is_whole_though_the_wire_broke(reliable, clients):
    clients.sim.script("claude", finish_then_cut(CALLED))
    view = reliable(clients.anthropic("claude")).with_structured_output(Joke)
    assert list(view.stream("?"))[-1] == Joke(**TOLD)


def test_leaving_does_not_wait_for_the_rest(reliable, clients):
    with Gate() as gate:
        told = says(calls=[tool_call("Joke", **TOLD)], gates={3: gate})
        clients.sim.script("claude", told)
        in_this_thread = {"first_chunk_timeout": None, "idle_timeout": None}
        model = reliable(clients.anthropic("claude"), **in_this_thread)
        view = model.with_structured_output(SCHEMA)
        with closing(view.stream("?")) as stream:
            next(stream)
        clients.sim.wait_closed()
        assert clients.sim.abandoned == 1


def test_leaving_does_not_wait_for_the_rest_async(reliable, clients, run):
    async def left():
        async with aclosing(view.astream("?")) as stream:
            await anext(stream)
        await clients.sim.await_closed()

    with Gate() as gate:
        told = says(calls=[tool_call("Joke", **TOLD)], gates={3: gate})
        clients.sim.script("claude", told)
        view = reliable(clients.anthropic("claude")).with_structured_output(SCHEMA)
        run(left())
        assert clients.sim.abandoned == 1
