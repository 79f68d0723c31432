"""Tool calls as a class reads them that looks beside the message alone."""

from __future__ import annotations

from langchain_core.messages import AIMessage, HumanMessage

from langchain_reliable._children.neutral_messages import with_openai_calls

CALL = {"name": "weather", "args": {"city": "Rome"}, "id": "call_1"}
FORM = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Rome"}'},
}


def test_calls_stand_beside_the_message_too():
    given = AIMessage("", tool_calls=[CALL], additional_kwargs={"kept": 1})
    told = with_openai_calls(given)
    assert told.additional_kwargs == {"kept": 1, "tool_calls": [FORM]}
    assert told.tool_calls == given.tool_calls
    assert given.additional_kwargs == {"kept": 1}


def test_all_else_stays_as_it_is():
    own = AIMessage("", tool_calls=[CALL], additional_kwargs={"tool_calls": [FORM]})
    for message in (own, AIMessage("hi"), HumanMessage("hi")):
        assert with_openai_calls(message) is message
