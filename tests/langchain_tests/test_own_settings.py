"""What is one child's own stays with it: its settings, and its list of messages."""

from __future__ import annotations

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.runnables import RunnableLambda
from pydantic import ValidationError

from langchain_reliable import Candidate
from langchain_reliable.testing import ScriptedChatModel, overloaded, says

JOKE = {
    "title": "joke",
    "description": "A joke.",
    "type": "object",
    "properties": {"rating": {"type": "integer"}},
    "required": ["rating"],
}


def tell_time() -> str:
    """Tell the time."""
    return "noon"


# --- Candidate(kwargs=) -------------------------------------------------------------


def test_a_candidates_own_win_over_the_calls_and_the_bound(surface, reliable, clients):
    child = clients.openai("a").bind(max_tokens=1, seed=1, temperature=0.1)
    own = Candidate(child, kwargs={"max_tokens": 8000, "temperature": 0.2})
    surface(reliable(own), max_tokens=64000, top_p=0.5)
    [body] = [one.body for one in clients.sim.requests]
    assert body["max_completion_tokens"] == 8000
    assert (body["temperature"], body["top_p"], body["seed"]) == (0.2, 0.5, 1)


def test_none_removes_what_the_call_or_a_binding_says(surface, reliable, clients):
    child = clients.anthropic("a").bind(top_k=3)
    own = Candidate(child, kwargs={"temperature": None, "top_k": None})
    surface(reliable(own), temperature=0.7, top_p=0.5)
    [body] = [one.body for one in clients.sim.requests]
    assert not {"temperature", "top_k"} & body.keys()
    assert body["top_p"] == 0.5


def test_a_childs_own_field_is_left_where_the_calls_is_removed(reliable, clients):
    child = clients.openai("a", temperature=0.3)
    own = Candidate(child, kwargs={"temperature": None})
    reliable(own).invoke("?", temperature=0.7)
    assert clients.sim.requests[0].body["temperature"] == 0.3


def test_nothing_is_merged_inside(reliable, clients):
    own = Candidate(clients.openai("a"), kwargs={"extra_body": {"x": 1}})
    reliable(own).invoke("?", extra_body={"y": 2})
    body = clients.sim.requests[0].body
    assert (body["x"], "y" in body) == (1, False)


def test_each_has_its_own(surface, reliable, clients):
    clients.sim.script("a", overloaded())
    models = [
        Candidate(clients.openai(name), max_retries=0, kwargs={"max_tokens": most})
        for name, most in (("a", 16000), ("b", 8000))
    ]
    surface(reliable(*models), max_tokens=64000)
    sent = [one.body["max_completion_tokens"] for one in clients.sim.requests]
    assert sent == [16000, 8000]


def test_they_win_over_the_structured_form(reliable, clients):
    clients.sim.script("a", says('{"rating": 7}'))
    own = Candidate(clients.openai("a"), kwargs={"seed": 9, "strict": None})
    asked = reliable(own).with_structured_output(JOKE, method="json_schema")
    assert asked.invoke("?", seed=1) == {"rating": 7}
    body = clients.sim.requests[0].body
    assert body["seed"] == 9
    assert body["response_format"]["type"] == "json_schema"


def test_they_go_through_a_childs_binding_of_tools(reliable, clients):
    own = Candidate(clients.anthropic("a"), kwargs={"parallel_tool_calls": False})
    model = reliable(own).bind_tools([tell_time], parallel_tool_calls=True)
    model.invoke("?")
    body = clients.sim.requests[0].body
    assert body["tool_choice"]["disable_parallel_tool_use"] is True


def test_runnables_have_their_own_too(surface, reliable):
    said = []

    def answer(_, **kwargs):
        said.append(kwargs)
        return AIMessage("hi")

    own = Candidate(RunnableLambda(answer).bind(a=1), kwargs={"b": 2, "c": None})
    surface(reliable(own), b=1, c=1)
    assert said == [{"a": 1, "b": 2}]


@pytest.mark.parametrize(
    ("name", "says_how"),
    [
        ("model", "bind(model=...)"),
        ("stop", "bind(stop=...)"),
        ("tools", "bind_tools([...])"),
        ("tool_choice", "bind(tool_choice=...)"),
        ("response_format", "bind(response_format=...)"),
        ("messages", "every call decides"),
        ("stream", "every call decides"),
        ("reliable", "every call decides"),
    ],
)
def test_what_every_call_decides_is_refused_at_the_door(name, says_how):
    with pytest.raises(ValidationError) as refused:
        Candidate(ScriptedChatModel(model="a"), kwargs={"seed": 1, name: "x"})
    assert says_how in str(refused.value)
    assert name in str(refused.value)


# --- messages -----------------------------------------------------------------------


class Editing(ScriptedChatModel):
    """Edits what it is given, as a careless wrapper does."""

    def _edit(self, messages):
        messages[-1].content = "edited"
        messages[0] = SystemMessage("not yours")
        messages.append(HumanMessage("added"))

    def _generate(self, messages, *args, **kwargs):
        self.seen(messages)
        self._edit(messages)
        return super()._generate(messages, *args, **kwargs)

    async def _agenerate(self, messages, *args, **kwargs):
        self.seen(messages)
        self._edit(messages)
        return await super()._agenerate(messages, *args, **kwargs)

    def _stream(self, messages, *args, **kwargs):
        self.seen(messages)
        self._edit(messages)
        yield from super()._stream(messages, *args, **kwargs)

    async def _astream(self, messages, *args, **kwargs):
        self.seen(messages)
        self._edit(messages)
        async for chunk in super()._astream(messages, *args, **kwargs):
            yield chunk

    def seen(self, messages):
        SEEN.append([one.content for one in messages])


SEEN: list[list[str]] = []


def test_whoever_edits_messages_harms_nobody_else(surface, reliable):
    SEEN.clear()
    down = [ConnectionError("reset")] * 2
    editing = [Editing(model=name, script=down) for name in "ab"]
    model = reliable(*editing, ScriptedChatModel(model="c"), max_retries=1)
    talk = [SystemMessage("be brief"), HumanMessage("hi")]
    assert surface(model, talk).text.strip() == "Hello from c."
    last = editing[0].requests[0], model.models[2].model.requests[0]
    assert SEEN == [["be brief", "hi"]] * 4
    assert [one.content for one in last[1].messages] == ["be brief", "hi"]
    assert [type(one) for one in last[1].messages] == [SystemMessage, HumanMessage]


def test_a_healthy_child_gets_the_messages_themselves(reliable):
    child = ScriptedChatModel(model="a")
    message = HumanMessage([{"type": "text", "text": "hi"}])
    reliable(child).invoke([message])
    [given] = child.requests[0].messages
    assert given is message
