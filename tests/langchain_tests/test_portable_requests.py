"""A conversation goes on with another provider, and back."""

from __future__ import annotations

import copy

import httpx2
import pytest
from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import (
    AIMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

from langchain_reliable import ReliableChatModel
from langchain_reliable._children.messages import MessageAdapter
from langchain_reliable.testing import (
    ScriptedChatModel,
    overloaded,
    says,
    simulator,
    tool_call,
)

MANUAL = {"type": "enabled", "budget_tokens": 50}
MARKED = {"type": "text", "text": "hello", "cache_control": {"type": "ephemeral"}}
PIXEL = "iVBORw0KGgo="


@tool
def weather(city: str) -> str:
    """Look out of the window."""
    return f"sunny in {city}"


CALLS = [tool_call("weather", city="Rome"), tool_call("weather", city="Oslo")]


@pytest.fixture
def sim():
    with simulator(strict=True) as running:
        yield running


@pytest.fixture
def at_home(monkeypatch, sim):
    """Clients call OpenAI and Anthropic; the strict simulator answers there."""
    url = httpx2.URL(sim.url)

    for transport, name in (
        (httpx2.HTTPTransport, "handle_request"),
        (httpx2.AsyncHTTPTransport, "handle_async_request"),
    ):
        monkeypatch.setattr(transport, name, _rerouted(getattr(transport, name), url))


def _rerouted(handle, url):
    here = {"scheme": url.scheme, "host": url.host, "port": url.port}

    def rerouted(self, request):
        request.url = request.url.copy_with(**here)
        return handle(self, request)

    return rerouted


def gpt(**settings):
    return ChatOpenAI(model="gpt", api_key="sk-test", stream_usage=True, **settings)


def claude(**settings):
    return ChatAnthropic(model="claude", api_key="x", max_tokens=100, **settings)


def gemini():
    package = pytest.importorskip("langchain_google_genai")
    return package.ChatGoogleGenerativeAI(model="gemini-3-pro", google_api_key="x")


# --- agents -------------------------------------------------------------------------


def looped(surface, model, messages):
    """Go on until an answer calls no tool; return who answered, in order."""
    served = []
    while True:
        outcome = surface(model, messages)
        assert outcome.error is None, repr(outcome.error)
        served.append(outcome.trail["served_by"])
        messages.append(outcome.message)
        if not outcome.message.tool_calls:
            return served
        messages += [
            ToolMessage("sunny", tool_call_id=call["id"])
            for call in outcome.message.tool_calls
        ]


def sent_to(sim, model):
    return [one.body for one in sim.requests if one.model == model]


def test_an_agent_goes_to_another_provider_and_back(surface, reliable, sim, at_home):
    thinks = says("Let me look.", thinks="two cities", calls=CALLS)
    sim.script("claude", thinks, overloaded(), says("Sunny.", thinks="hm"))
    sim.script("gpt", says("And now?", calls=CALLS))
    model = reliable(claude(thinking=MANUAL), gpt(), max_retries=0)
    bound = model.bind_tools([weather])
    said = [SystemMessage([dict(MARKED)]), HumanMessage([dict(MARKED)])]
    before = copy.deepcopy(said)
    assert looped(surface, bound, said) == ["claude", "gpt", "claude"]
    said.append(HumanMessage("and tomorrow?"))
    assert looped(surface, bound, said) == ["claude"]
    assert said[:2] == before

    [asked] = sent_to(sim, "gpt")
    assert "two cities" not in str(asked)
    assert "cache_control" not in str(asked)
    assert [one["role"] for one in asked["messages"]][2:] == [
        "assistant",
        "tool",
        "tool",
    ]
    first, _, back, later = sent_to(sim, "claude")
    assert "cache_control" in str(first)
    assert "thinking" not in back  # a turn that another model began has no thoughts
    assert later["thinking"] == MANUAL
    # What was thought holds only while all before it stays as it was.
    assert back["messages"][: len(first["messages"])] == first["messages"]
    assert later["messages"][: len(back["messages"])] == back["messages"]
    assert later["messages"][1]["content"][0]["thinking"] == "two cities"


def test_an_agent_that_began_without_thoughts(surface, reliable, sim, at_home):
    sim.script("gpt", says(calls=CALLS), overloaded())
    still = says("Still.", thinks="hm")
    sim.script("claude", says(calls=CALLS), says("Sunny."), still)
    model = reliable(gpt(), claude(thinking=MANUAL), max_retries=0)
    bound = model.bind_tools([weather])
    said = [HumanMessage("how is it?")]
    assert looped(surface, bound, said) == ["gpt", "claude", "claude"]
    said.append(HumanMessage("and tomorrow?"))
    assert looped(surface, bound, said) == ["claude"]
    thinking = [one.get("thinking") for one in sent_to(sim, "claude")]
    assert thinking == [None, None, MANUAL]


def test_adaptive_thinking_asks_for_no_first_thought(reliable, sim, at_home):
    sim.script("gpt", says(calls=CALLS), overloaded())
    adaptive = {"type": "adaptive"}
    model = reliable(gpt(), claude(thinking=adaptive), max_retries=0)
    agent = create_agent(model, [weather])
    said = agent.invoke({"messages": [("user", "how is it?")]})["messages"]
    assert said[-1].text == "Hello from claude."
    assert [one["thinking"] for one in sent_to(sim, "claude")] == [adaptive]


# --- marks and ids ------------------------------------------------------------------


def test_marks_stay_where_they_may_be_understood(clients):
    said = [HumanMessage(["first", dict(MARKED)])]
    bare = {"type": "text", "text": "hello"}
    assert MessageAdapter(gpt()).adapt(said)[0].content == ["first", bare]
    gateway = clients.openai("anthropic/claude")
    for other in (gateway, claude(), gemini(), ScriptedChatModel()):
        assert MessageAdapter(other).adapt(said) is said


@pytest.mark.parametrize(
    ("model", "given"), [(gpt, "x" * 60), (claude, "functions.weather:0")]
)
def test_ids_fit_their_reader(model, given):
    calls = [{"name": "t", "args": {}, "id": one} for one in (given, "fits")]
    said, other = AIMessage("", tool_calls=calls), AIMessage("", tool_calls=calls[1:])
    told, result, kept = MessageAdapter(model()).adapt(
        [said, ToolMessage("ok", tool_call_id=given), other]
    )
    call, fits = told.tool_calls
    assert fits["id"] == "fits"
    assert call["id"] == result.tool_call_id != given
    assert len(call["id"]) <= 40
    assert call["id"].replace("_", "").isalnum()
    assert kept is other


def test_a_call_that_did_not_parse_goes_with_its_result():
    broken = {"name": "weather", "args": "{bad", "id": "x" * 60, "error": None}
    said = AIMessage(
        "", invalid_tool_calls=[broken], response_metadata={"model_provider": "groq"}
    )
    result = ToolMessage("say that again", tool_call_id="x" * 60)
    told, answered = MessageAdapter(gpt()).adapt([said, result])
    assert told.invalid_tool_calls[0]["id"] == answered.tool_call_id
    assert MessageAdapter(gpt()).adapt([said]) == []


# --- another provider's answers, block by block -------------------------------------


def answer(provider, *blocks, **more):
    return AIMessage(
        list(blocks), response_metadata={"model_provider": provider}, **more
    )


CITED = answer(
    "anthropic",
    {"type": "thinking", "thinking": "hm", "signature": "s"},
    {"type": "redacted_thinking", "data": "x"},
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
    {"type": "text", "text": "It is "},
    {
        "type": "text",
        "text": "sunny",
        "citations": [
            {
                "type": "web_search_result_location",
                "url": "https://a.example",
                "title": "A",
                "cited_text": "c",
                "encrypted_index": "i",
            },
            {
                "type": "char_location",
                "document_index": 0,
                "document_title": "of the user",
                "cited_text": "c",
                "start_char_index": 0,
                "end_char_index": 1,
            },
        ],
    },
    {"type": "text", "text": ", says "},
    {
        "type": "text",
        "text": "A.",
        "citations": [
            {
                "type": "web_search_result_location",
                "url": "https://a.example",
                "title": "A",
                "cited_text": "c",
                "encrypted_index": "i",
            }
        ],
    },
)
LINKED = answer(
    "openai",
    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "e"},
    {"type": "web_search_call", "id": "ws_1", "status": "completed"},
    {
        "type": "text",
        "text": "Sunny ([a](https://a.example)).",
        "id": "msg_1",
        "annotations": [
            {"type": "url_citation", "url": "https://a.example", "title": "A"}
        ],
    },
    id="resp_1",
)
DRAWN = answer(
    "openai",
    {
        "type": "image_generation_call",
        "id": "ig_1",
        "result": PIXEL,
        "status": "completed",
        "output_format": "png",
    },
    {"type": "text", "text": "There.", "id": "msg_1", "annotations": []},
)
PAINTED = answer(
    "google_genai",
    {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
    {"type": "text", "text": "There.", "extras": {"signature": "c2ln"}},
    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
)
SPOKEN = AIMessage(
    "",
    additional_kwargs={"audio": {"id": "audio_1", "data": "x", "transcript": "Sunny."}},
    response_metadata={"model_provider": "openai"},
)
REFUSED = AIMessage(
    "",
    additional_kwargs={"refusal": "I can't."},
    response_metadata={"model_provider": "openai"},
)
REFUSED_IN_BLOCKS = answer("openai", {"type": "refusal", "refusal": "I can't."})
BEDROCK = answer(
    "bedrock_converse",
    {"type": "reasoning_content", "reasoning_content": {"text": "hm"}},
    {"type": "text", "text": "Sunny."},
)
LINK = "([A](https://a.example))"


@pytest.mark.parametrize(
    ("said", "reader", "told"),
    [
        (CITED, gpt, f"It is sunny {LINK}, says A."),
        (LINKED, claude, "Sunny ([a](https://a.example))."),
        (DRAWN, claude, "[image]\nThere."),
        (PAINTED, gpt, "There.\n[image]"),
        (SPOKEN, claude, "Sunny."),
        (REFUSED, claude, "I can't."),
        (REFUSED_IN_BLOCKS, claude, "I can't."),
        (BEDROCK, claude, "Sunny."),
        (BEDROCK, gpt, "Sunny."),
    ],
    ids=[
        "citations become links",
        "a link that stands there stays one",
        "a picture is named",
        "a picture of Gemini is named",
        "speech becomes text",
        "a refusal stays",
        "a refusal in blocks stays",
        "bedrock to anthropic",
        "bedrock to openai",
    ],
)
def test_another_providers_answer_in_common_words(said, reader, told):
    before = copy.deepcopy(said)
    [heard] = MessageAdapter(reader()).adapt([said])
    assert heard.content == told
    assert (heard.id, heard.additional_kwargs, heard.response_metadata) == (
        None,
        {},
        {},
    )
    assert said == before


def test_standard_blocks_are_read_as_well():
    blocks = CITED.model_copy(
        update={
            "content": CITED.content_blocks,
            "response_metadata": {
                "model_provider": "anthropic",
                "output_version": "v1",
            },
        }
    )
    [heard] = MessageAdapter(gpt()).adapt([blocks])
    assert heard.content == f"It is sunny {LINK}, says A."


@pytest.mark.parametrize(
    "said",
    [
        answer("anthropic", {"type": "thinking", "thinking": "hm", "signature": "s"}),
        answer("anthropic", {"type": "text", "text": "\n\n"}),
    ],
    ids=["only thoughts", "only space"],
)
def test_who_said_nothing_portable_is_left_out(said):
    assert MessageAdapter(gpt()).adapt([said]) == []


def test_what_is_its_own_stays_as_it_is():
    for own, model in ((CITED, claude()), (LINKED, gpt()), (PAINTED, gemini())):
        said = [HumanMessage("hi"), own]
        assert MessageAdapter(model).adapt(said) is said


def test_others_read_what_they_like():
    class Mine(ChatOpenAI):
        pass

    nested = ReliableChatModel(models=[claude()])
    for other in (Mine(model="m", api_key="x"), ScriptedChatModel(), nested):
        assert MessageAdapter(other).adapt([CITED])[0] is CITED


# --- Google -------------------------------------------------------------------------


def parts_for_gemini(said):
    """Return what the real class would send, by role."""
    child = gemini()
    request = child._prepare_request(MessageAdapter(child).adapt(said))
    return [(one.role, one.parts) for one in request["contents"]]


LOOKED = answer(
    "anthropic",
    {"type": "thinking", "thinking": "hm", "signature": "s"},
    {"type": "text", "text": "Let me look."},
    {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "x"}},
    tool_calls=[{"name": "weather", "args": {"city": "x"}, "id": "toolu_1"}],
)


@pytest.mark.filterwarnings("error")
def test_gemini_goes_on_with_a_tool_call_of_another(caplog):
    said = [HumanMessage("?"), LOOKED, ToolMessage("sunny", tool_call_id="toolu_1")]
    _, (role, [text, call]), (_, [result]) = parts_for_gemini(said)
    assert (role, text.text, text.thought) == ("model", "Let me look.", None)
    assert call.function_call.name == result.function_response.name == "weather"
    assert call.thought_signature == "skip_thought_signature_validator"
    assert caplog.messages == []  # the class itself has nothing to drop


def test_gemini_sees_what_another_has_drawn():
    _, (_, [picture, text]), _ = parts_for_gemini(
        [HumanMessage("draw"), DRAWN, HumanMessage("bluer")]
    )
    assert picture.inline_data.mime_type == "image/png"
    assert text.text == "There."


def test_what_gemini_signed_stays_with_it(surface, reliable, sim, at_home):
    signed = answer(
        "google_genai",
        {"type": "thinking", "thinking": "secret", "signature": "c2ln"},
        {"type": "text", "text": "Let me look.", "extras": {"signature": "c2ln"}},
        additional_kwargs={
            "__gemini_function_call_thought_signatures__": {"1-a": "c2ln"},
            "function_call": {"name": "weather", "arguments": "{}"},
        },
        tool_calls=[{"name": "weather", "args": {}, "id": "1-a"}],
    )
    said = [HumanMessage("?"), signed, ToolMessage("sunny", tool_call_id="1-a")]
    for child in (gpt(), claude(thinking=MANUAL)):
        outcome = surface(reliable(child).bind_tools([weather]), said)
        assert outcome.error is None, repr(outcome.error)
        sent = str(sim.requests[-1].body)
        assert "Let me look." in sent
        assert "secret" not in sent
        assert "c2ln" not in sent
