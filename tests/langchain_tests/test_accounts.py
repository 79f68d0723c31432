"""What one account's model made is not sent to another: a conversation moves on."""

from __future__ import annotations

import httpx2
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
from wire import as_events, as_json, wire  # noqa: F401 - a fixture

from langchain_reliable import Group
from langchain_reliable._children.identity import account_key
from langchain_reliable._children.messages import MessageAdapter
from langchain_reliable.candidates import Candidate

SEALED = {"store": False, "include": ["reasoning.encrypted_content"]}
FORMS = {
    "sealed": {**SEALED, "output_version": "responses/v1"},
    "sealed, v1": {**SEALED, "output_version": "v1"},
    "sealed, v0": {**SEALED, "output_version": "v0"},
    "by id": {"use_previous_response_id": True},
}


def account(key, form, **fields):
    fields = {"model": "m", "use_responses_api": True, **FORMS[form], **fields}
    return ChatOpenAI(api_key=key, **fields)


def said_by(key):
    """Return what an account answers, sealed for itself."""
    thought = {
        "type": "reasoning",
        "id": f"rs_{key}",
        "summary": [],
        "encrypted_content": f"sealed-by-{key}",
    }
    text = {"type": "output_text", "text": f"I am {key}.", "annotations": []}
    spoken = {
        "type": "message",
        "id": f"msg_{key}",
        "role": "assistant",
        "status": "completed",
        "content": [text],
    }
    return {
        "id": f"resp_{key}",
        "object": "response",
        "created_at": 0,
        "status": "completed",
        "model": "m",
        "output": [thought, spoken],
        "tools": [],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "usage": {
            "input_tokens": 1,
            "output_tokens": 1,
            "total_tokens": 2,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
    }


def as_stream(document):
    thought, spoken = document["output"]
    [text] = spoken["content"]
    at = {"output_index": 1, "item_id": spoken["id"], "content_index": 0}
    empty = {**document, "output": [], "status": "in_progress", "usage": None}
    events = [
        {"type": "response.created", "response": empty},
        {"type": "response.output_item.added", "output_index": 0, "item": thought},
        {"type": "response.output_item.done", "output_index": 0, "item": thought},
        {"type": "response.output_text.delta", **at, "delta": text["text"]},
        {"type": "response.completed", "response": document},
    ]
    numbered = [{**one, "sequence_number": n} for n, one in enumerate(events)]
    return as_events(numbered)


class Accounts:
    """Accounts that refuse what another one has made."""

    def __init__(self):
        self.down = set()

    def __call__(self, request):
        key = request.headers["authorization"].removeprefix("Bearer ")
        told = request.content.decode()
        if key in self.down:
            return httpx2.Response(503, json={"error": {"message": "overloaded"}})
        others = {"A", "B"} - {key}
        if any(f"sealed-by-{one}" in told or f"resp_{one}" in told for one in others):
            words = "The encrypted content for item rs_1 could not be verified."
            error = {"message": words, "code": "invalid_encrypted_content"}
            return httpx2.Response(400, json={"error": error})
        answer = said_by(key)
        return as_stream(answer) if '"stream":true' in told else as_json(answer)


@pytest.fixture
def accounts(wire):  # noqa: F811 - the fixture above
    wire.reply = Accounts()
    return wire


@pytest.mark.parametrize("form", FORMS)
def test_a_conversation_moves_to_another_account(surface, reliable, accounts, form):
    model = reliable(account("A", form), account("B", form), max_retries=0)
    talk = [HumanMessage("hi")]
    first = surface(model, talk)
    assert first.text == "I am A."
    talk += [first.message, HumanMessage("and now?")]
    accounts.reply.down.add("A")
    answer = surface(model, talk)
    assert answer.text == "I am B."
    assert answer.attempts == ["m: server_error", "m #2: answered"]
    told = accounts.requests[-1].content.decode()
    assert "I am A." in told
    assert "hi" in told


@pytest.mark.parametrize("form", FORMS)
def test_it_comes_home_with_what_is_its_own(surface, reliable, accounts, form):
    a, b = account("A", form), account("B", form)
    model = reliable(Group([a, b], order="round_robin"))
    talk = [HumanMessage("hi")]
    for turn in range(4):
        answer = surface(model, talk)
        assert answer.text == f"I am {'AB'[turn % 2]}."
        assert len(answer.attempts) == 1
        talk += [answer.message, HumanMessage("and now?")]
    assert len(accounts.requests) == 4
    told = accounts.requests[2].content.decode()
    assert "sealed-by-A" in told or "resp_A" in told


@pytest.mark.parametrize("form", FORMS)
def test_what_nobody_tells_of_is_asked_once_more(surface, reliable, accounts, form):
    first = surface(account("A", form), "hi").message
    talk = [HumanMessage("hi"), first, HumanMessage("and now?")]
    accounts.requests.clear()
    answer = surface(reliable(account("B", form)), talk)
    assert answer.text == "I am B."
    assert len(accounts.requests) == 2
    assert "I am A." in accounts.requests[-1].content.decode()


def test_another_refusal_is_a_refusal(surface, reliable, accounts):
    first = account("A", "sealed").invoke("hi")
    talk = [HumanMessage("hi"), first, HumanMessage("and now?")]
    accounts.requests.clear()
    error = {"message": "max_output_tokens is too large", "code": "invalid_value"}
    accounts.reply = lambda _: httpx2.Response(400, json={"error": error})
    outcome = surface(reliable(account("A", "sealed")), talk)
    assert "too large" in str(outcome.error)
    assert len(accounts.requests) == 1


def test_the_same_account_for_another_model_keeps_it(reliable, accounts):
    form = "sealed"
    model = reliable(account("A", form), account("A", form, model="n"), max_retries=0)
    talk = [HumanMessage("hi"), model.invoke("hi"), HumanMessage("and now?")]
    model.invoke(talk, model="n")
    assert "sealed-by-A" in accounts.requests[-1].content.decode()


def test_claudes_seal_is_told_in_common_words_where_it_is_refused(reliable, wire):  # noqa: F811
    thought = {"type": "thinking", "thinking": "hm", "signature": "of another"}
    call = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
    said = AIMessage(
        [thought, call],
        tool_calls=[{"name": "f", "args": {}, "id": "t1"}],
        response_metadata={"model_provider": "anthropic"},
    )
    talk = [HumanMessage("hi"), said, ToolMessage("done", tool_call_id="t1")]

    def reply(request):
        if b"of another" in request.content:
            words = "messages.1.content.0: Invalid `signature` in `thinking` block"
            error = {"type": "invalid_request_error", "message": words}
            return httpx2.Response(400, json={"type": "error", "error": error})
        return as_json(
            {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": "m",
                "content": [{"type": "text", "text": "well"}],
                "stop_reason": "end_turn",
                "usage": {"input_tokens": 1, "output_tokens": 1},
            }
        )

    wire.reply = reply
    thinking = {"type": "enabled", "budget_tokens": 1024}
    child = ChatAnthropic(model="m", api_key="k", max_tokens=2048, thinking=thinking)
    assert reliable(child).invoke(talk).text == "well"
    assert len(wire.bodies) == 2
    assert "thinking" not in wire.bodies[-1]


# --- reasoning of partners ----------------------------------------------------------

TEXT = {"type": "text", "text": "Look."}
ANSWERS = {
    "bedrock_converse": {
        "type": "reasoning_content",
        "reasoning_content": {"text": "hm", "signature": "s"},
    },
    "bedrock": {"type": "thinking", "thinking": "hm", "signature": "s"},
    "mistralai": {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
    "groq": {"type": "reasoning", "reasoning": "hm"},
    "ollama": {"type": "reasoning", "reasoning": "hm"},
    "openrouter": {"type": "reasoning", "reasoning": "hm"},
    "deepseek": {"type": "reasoning", "reasoning": "hm"},
    "anthropic": {"type": "thinking", "thinking": "hm", "signature": "s"},
    "openai": {"type": "reasoning", "id": "rs_1", "summary": []},
    "google_genai": {"type": "thinking", "thinking": "hm"},
}
READERS = {
    "langchain_aws.chat_models.bedrock_converse.ChatBedrockConverse": "bedrock",
    "langchain_mistralai.chat_models.ChatMistralAI": "mistralai",
    "langchain_groq.chat_models.ChatGroq": "groq",
    "langchain_ollama.chat_models.ChatOllama": "ollama",
    "langchain_cohere.chat_models.ChatCohere": "cohere",
    "langchain_openrouter.chat_models.ChatOpenRouter": "openrouter",
    "langchain_fireworks.chat_models.ChatFireworks": "fireworks",
    "langchain_huggingface.chat_models.huggingface.ChatHuggingFace": "huggingface",
}


def reader(path):
    """Return an instance of a class that is called like a partner's."""
    module, _, name = path.rpartition(".")
    return object.__new__(type(name, (), {"__module__": module}))


@pytest.mark.parametrize("path", READERS)
@pytest.mark.parametrize("author", ANSWERS)
def test_a_partners_reasoning_is_read_by_its_own_alone(author, path):
    said = AIMessage(
        [ANSWERS[author], TEXT], response_metadata={"model_provider": author}
    )
    talk = [HumanMessage("hi"), said, HumanMessage("and?")]
    [_, read, _] = MessageAdapter(reader(path)).adapt(talk)
    if author.startswith(READERS[path]):
        assert read is said
    else:
        assert read.content == "Look."


def test_accounts_are_told_apart_by_key_and_endpoint():
    a, same = (Candidate(account("A", "sealed")) for _ in range(2))
    assert account_key(a) == account_key(same)
    assert account_key(a) != account_key(Candidate(account("B", "sealed")))
