"""A stream that breaks in mid-answer is taken back, and another is shown whole.

These tests lean on what LangChain does with our chunks: it keeps the objects and adds
them up at the end. When a release does otherwise, they fail here; no answer is glued.
"""

from __future__ import annotations

import pytest
from langchain.agents import create_agent
from langchain_core.callbacks import BaseCallbackHandler, UsageMetadataCallbackHandler
from langchain_core.messages import AIMessageChunk, RemoveMessage
from langchain_core.tracers._streaming import _StreamingCallbackHandler

from langchain_reliable import (
    CustomEventObserver,
    ReliableChatModel,
    StreamInterrupted,
)
from langchain_reliable.events import AttemptFailed, Committed, FailedOver, Restarted
from langchain_reliable.testing import ScriptedChatModel, fails, says

BROKEN = "one two three four five six"
WHOLE = "the whole answer of the second"
ASKED = {"messages": [("user", "hello?")]}


def model_of(*more, ids=(False, False), second=WHOLE, **settings):
    first = fails(ConnectionResetError("cut"), says(BROKEN), after=3)
    children = [
        ScriptedChatModel(model="first", script=[first], message_ids=ids[0]),
        ScriptedChatModel(model="second", script=[second], message_ids=ids[1]),
        *more,
    ]
    settings = {"on_interrupt": "restart", "max_retries": 0, **settings}
    return ReliableChatModel(models=children, **settings)


class TokenListener(BaseCallbackHandler, _StreamingCallbackHandler):
    """Hears tokens, as LangGraph's listeners do, and how the run ends."""

    def __init__(self):
        self.chunks, self.ends, self.errors = [], [], []

    def on_llm_new_token(self, token, *, chunk=None, **kwargs):
        self.chunks.append(chunk.message)

    def on_llm_end(self, response, **kwargs):
        self.ends.append(response.generations[0][0].message)

    def on_llm_error(self, error, **kwargs):
        self.errors.append(error)

    def tap_output_aiter(self, run_id, output):
        return output

    def tap_output_iter(self, run_id, output):
        return output


@pytest.fixture(params=["invoke", "ainvoke"])
def invoke(request, run):
    if request.param == "invoke":
        return lambda model, listener: model.invoke(
            "?", config={"callbacks": [listener]}
        )
    return lambda model, listener: run(
        model.ainvoke("?", config={"callbacks": [listener]})
    )


@pytest.mark.parametrize("ids", [(False, False), (True, True), (True, False)])
def test_langchain_adds_up_the_second_answer_alone(invoke, ids):
    listener = TokenListener()
    answer = invoke(model_of(ids=ids), listener)
    assert answer.text == WHOLE
    assert listener.ends[0].text == WHOLE
    assert answer.usage_metadata == listener.ends[0].usage_metadata
    texts = {}
    for message in listener.chunks:
        texts[message.id] = texts.get(message.id, "") + message.text
    assert [text for text in texts.values() if text] == ["one two three", WHOLE]
    assert answer.id in texts
    assert texts[answer.id] == WHOLE


def test_usage_is_that_of_the_second_answer(invoke):
    usage = UsageMetadataCallbackHandler()
    alone = ScriptedChatModel(model="second", script=[WHOLE]).invoke("?")

    class Both(TokenListener):
        def on_llm_end(self, response, **kwargs):
            usage.on_llm_end(response, **kwargs)

    invoke(model_of(), Both())
    (counted,) = usage.usage_metadata.values()
    assert counted["output_tokens"] == alone.usage_metadata["output_tokens"]


def test_observers_and_the_trail_tell_of_it(invoke):
    heard = []
    answer = invoke(model_of(observers=[heard.append]), TokenListener())
    told = (AttemptFailed, FailedOver, Committed, Restarted)
    kinds = [type(one) for one in heard if isinstance(one, told)]
    assert kinds == [Committed, AttemptFailed, FailedOver, Committed, Restarted]
    trail = answer.response_metadata["reliable"]
    assert trail["served_by"] == "second"
    assert [row["kind"] for row in trail["attempts"]] == ["connection", None]


def test_if_nobody_else_answers_the_first_is_interrupted(invoke):
    listener = TokenListener()
    with pytest.raises(StreamInterrupted) as caught:
        invoke(model_of(second=ConnectionRefusedError("down")), listener)
    assert caught.value.partial.text == "one two three"
    assert caught.value.served_by == "first"
    assert [one.candidate for one in caught.value.attempts] == ["first", "second"]
    assert "".join(one.text for one in listener.chunks) == "one two three"


def test_a_call_is_restarted_once(invoke):
    third = ScriptedChatModel(model="third", script=["never"])
    broken = fails(ConnectionResetError("cut"), says(WHOLE), after=2)
    with pytest.raises(StreamInterrupted) as caught:
        invoke(model_of(third, second=broken), TokenListener())
    assert caught.value.served_by == "second"
    assert caught.value.partial.text == "the whole"
    assert third.request_count == 0


def test_whoever_broke_off_is_not_asked_again_while_another_can_be(invoke, reliable):
    """There is one restart a call, so a model that always breaks must not have it."""
    broken = fails(ConnectionResetError("cut"), says(BROKEN), after=3)
    first = ScriptedChatModel(model="first", script=[broken])
    second = ScriptedChatModel(model="second", script=[WHOLE])
    model = reliable(first, second, on_interrupt="restart")
    assert invoke(model, TokenListener()).text == WHOLE
    assert first.request_count == 1


@pytest.mark.parametrize("others", [[], [ConnectionRefusedError("down")]])
def test_whoever_broke_off_is_asked_again_if_nobody_else_answers(
    invoke, reliable, others
):
    broken = fails(ConnectionResetError("cut"), says(BROKEN), after=3)
    first = ScriptedChatModel(model="first", script=[broken, WHOLE])
    others = [ScriptedChatModel(model="down", script=[one]) for one in others]
    model = reliable(first, *others, on_interrupt="restart")
    assert invoke(model, TokenListener()).text == WHOLE


def test_raise_is_the_default(invoke):
    with pytest.raises(StreamInterrupted):
        invoke(model_of(on_interrupt="raise"), TokenListener())


def test_blocks_and_texts_are_not_mixed(invoke):
    listener = TokenListener()
    model = model_of(output_version="v1")
    answer = invoke(model, listener)
    assert answer.text == WHOLE
    assert all(isinstance(block, dict) for block in answer.content)


@pytest.mark.parametrize("surface", ["stream", "astream"])
def test_streams_raise_whatever_the_field_says(surface, run):
    model = model_of()

    async def astreamed():
        return [chunk async for chunk in model.astream("?")]

    def streamed():
        return list(model.stream("?")) if surface == "stream" else run(astreamed())

    model.invoke("?", config={"callbacks": [TokenListener()]})  # leaves no trace
    with pytest.raises(StreamInterrupted):
        streamed()


@pytest.mark.filterwarnings("ignore:.*is in beta")
async def test_protocol_events_raise_whatever_the_field_says():
    stream = await model_of().astream_events("?", version="v3")
    with pytest.raises(StreamInterrupted):
        await stream.output


# --- agents -------------------------------------------------------------------------


def seen_by_a_ui(pieces):
    """Return the text of each message as a UI keeps them."""
    texts = {}
    for message in pieces:
        if isinstance(message, RemoveMessage):
            texts.pop(message.id)
        elif isinstance(message, AIMessageChunk):
            texts[message.id] = texts.get(message.id, "") + message.text
    return [text for text in texts.values() if text]


def test_an_agents_messages_hold_one_whole_answer():
    agent = create_agent(model_of(), tools=[])
    pieces, state = [], None
    for mode, piece in agent.stream(ASKED, stream_mode=["messages", "values"]):
        if mode == "messages":
            pieces.append(piece[0])
        else:
            state = piece
    assert [type(one) for one in pieces].count(RemoveMessage) == 1
    assert seen_by_a_ui(pieces) == [WHOLE]
    assert state["messages"][-1].text == WHOLE
    assert len(state["messages"]) == 2


async def test_an_agents_messages_hold_one_whole_answer_in_async():
    agent = create_agent(model_of(observers=[CustomEventObserver()]), tools=[])
    pieces, state, customs = [], None, []
    modes = ["messages", "values", "custom"]
    async for mode, piece in agent.astream(ASKED, stream_mode=modes):
        match mode:
            case "messages":
                pieces.append(piece[0])
            case "values":
                state = piece
            case "custom":
                customs.append(piece["reliable"])
    assert seen_by_a_ui(pieces) == [WHOLE]
    assert state["messages"][-1].text == WHOLE
    (removed,) = [one for one in pieces if isinstance(one, RemoveMessage)]
    (restarted,) = [one for one in customs if one["type"] == "restarted"]
    assert restarted["message_id"] == removed.id


async def test_events_v2_of_an_agent_end_with_the_second_answer():
    agent = create_agent(model_of(), tools=[])
    texts, end = {}, None
    async for event in agent.astream_events(ASKED, version="v2"):
        match event["event"]:
            case "on_chat_model_stream":
                chunk = event["data"]["chunk"]
                texts[chunk.id] = texts.get(chunk.id, "") + chunk.text
            case "on_chat_model_end":
                end = event["data"]["output"]
    assert end.text == WHOLE
    assert texts[end.id] == WHOLE
