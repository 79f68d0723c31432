"""Gemini, Bedrock, Cohere, Ollama and OpenRouter, read from the wire.

The same script says the same in every dialect, whole and streamed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from botocore.eventstream import ChecksumMismatch
from wire_readers import APIS, Told

from langchain_reliable.testing import (
    FAULTS,
    ErrorReply,
    Gate,
    Trouble,
    Usage,
    content_policy,
    content_then_cut,
    content_then_error,
    done_only,
    error_first,
    error_status,
    keep_alives_then_silence,
    malformed_event,
    no_finish,
    overloaded,
    quota_exhausted,
    rate_limited,
    refuses,
    says,
    says_nothing,
    tool_call,
)
from langchain_reliable.testing._simulator.troubles import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_reliable.testing import Simulator

BEDROCK = ("bedrock", "bedrock_invoke")
everywhere = pytest.mark.parametrize("name", APIS)
both_ways = pytest.mark.parametrize("way", ["whole", "stream"])


class Client:
    """Asks a simulator in any dialect, and notes how the body came to its end."""

    def __init__(self, sim: Simulator, http: httpx.Client) -> None:
        self._sim = sim
        self._http = http

    def ask(self, name: str, way: str, reply: Any = None) -> httpx.Response:
        if reply is not None:
            self._sim.script("m", reply)
        body = {"model": "m", "stream": way == "stream"}
        return self._http.post(getattr(APIS[name], way), json=body)

    def hear(self, name: str, way: str, reply: Any = None) -> Told:
        response = self.ask(name, way, reply)
        told, api = Told(), APIS[name]
        if way == "whole" or response.is_error:
            api.read_whole(told, response.json())
        else:
            for event in api.events(response.content):
                api.read(told, event)
        return told

    def hear_until_it_breaks(self, name: str, reply: Any) -> tuple[Told, Exception]:
        """Read a stream that does not end as it should."""
        self._sim.script("m", reply)
        api, told, sent = APIS[name], Told(), b""
        body = {"model": "m", "stream": True}
        try:
            with self._http.stream("POST", api.stream, json=body) as response:
                for data in response.iter_raw():
                    sent += data
        except httpx.TransportError as error:
            for event in api.events(sent):
                api.read(told, event)
            return told, error
        raise AssertionError("the stream has come to its end")


def read(name: str, sent: bytes) -> Told:
    told, api = Told(), APIS[name]
    for event in api.events(sent):
        api.read(told, event)
    return told


@pytest.fixture
def client(sim: Simulator) -> Iterator[Client]:
    url = sim.url
    with httpx.Client(base_url=url, timeout=5, trust_env=False, verify=False) as http:  # noqa: S501 - spares reading certificates
        yield Client(sim, http)


@everywhere
@both_ways
def test_an_unscripted_model_answers_with_its_name(client, sim, name, way):
    told = client.hear(name, way)
    assert told.text == "Hello from m."
    assert told.finish == APIS[name].finish[0]
    assert (sim.requests[0].model, sim.requests[0].streaming) == ("m", way == "stream")


@everywhere
@both_ways
def test_usage_and_the_finish_of_a_long_answer(client, name, way):
    usage = Usage(input_tokens=7, output_tokens=3)
    told = client.hear(name, way, says("a b c", finish="length", usage=usage))
    assert told.usage == (7, 3)
    assert told.finish == APIS[name].finish[1]


@everywhere
@both_ways
def test_thoughts_text_and_two_calls(client, name, way):
    calls = [tool_call("add", a=1, b="käse"), tool_call("add", id="mine", a=2)]
    told = client.hear(name, way, says("let me see", thinks="hm hm", calls=calls))
    assert (told.thoughts, told.text) == ("hm hm", "let me see")
    first, second = told.calls
    assert told.calls[first] == ("add", {"a": 1, "b": "käse"})
    assert second == "mine"
    assert told.calls["mine"] == ("add", {"a": 2})
    assert told.finish == APIS[name].finish[2]


@pytest.mark.parametrize("name", sorted(APIS.keys() - {"openrouter"}))  # has `refusal`
@both_ways
def test_a_refusal_is_text_where_the_api_has_no_word_for_it(client, name, way):
    assert client.hear(name, way, refuses("I will not")).text == "I will not"


@everywhere
@both_ways
def test_an_answer_with_nothing_in_it(client, name, way):
    told = client.hear(name, way, says_nothing(silent=2))
    assert (told.text, told.calls) == ("", {})
    assert told.finish == APIS[name].finish[0]


@everywhere
@both_ways
def test_an_unmarked_end(client, name, way):
    told = client.hear(name, way, no_finish("one two"))
    assert (told.text, told.finish) == ("one two", None)
    told = client.hear(name, way, says("one two", finish=None))
    assert (told.text, told.finish) == ("one two", None)


@everywhere
def test_silent_events_come_before_the_first_word(client, name):
    few = client.ask(name, "stream", says("one")).content
    more = client.ask(name, "stream", says("one", silent=3)).content
    events = APIS[name].events
    assert len(list(events(more))) == len(list(events(few))) + 3


@everywhere
def test_a_stream_has_an_event_per_piece(client, name):
    one = client.ask(name, "stream", says(chunks=["a"])).content
    four = client.ask(name, "stream", says(chunks=["a", "b", "c", "d"])).content
    events = APIS[name].events
    assert len(list(events(four))) == len(list(events(one))) + 3


@everywhere
def test_a_gate_holds_the_stream(client, sim, name):
    api = APIS[name]
    with Gate() as gate:
        sim.script("m", says("one two", gates={1: gate}))
        body = {"model": "m", "stream": True}
        with client._http.stream("POST", api.stream, json=body) as response:
            parts, sent = response.iter_raw(), b""
            while read(name, sent).text != "one":
                sent += next(parts)
            gate.wait_reached()
            gate.open()
            assert read(name, sent + b"".join(parts)).text == "one two"


# --- errors before an answer ------------------------------------------------------


@everywhere
@both_ways
def test_every_status_has_a_body_in_the_words_of_the_api(client, name, way):
    for status in (400, 401, 403, 404, 408, 413, 429, 500, 502, 503, 529):
        reply = error_status(status, message="short and stout")
        assert client.ask(name, way, reply).status_code == status
        assert client.hear(name, way).error == "short and stout"


@pytest.mark.parametrize(
    ("name", "kind", "status", "said"),
    [
        ("gemini", "auth", 400, "API_KEY_INVALID"),
        ("gemini", "overloaded", 503, "UNAVAILABLE"),
        ("gemini", "context_overflow", 400, "exceeds the maximum number of tokens"),
        ("gemini", "quota_exhausted", 429, "PerDay"),
        ("gemini", "gateway_timeout", 504, "DEADLINE_EXCEEDED"),
        ("bedrock", "auth", 403, "security token"),
        ("bedrock", "overloaded", 503, "unable to process"),
        ("bedrock", "context_overflow", 400, "Input is too long"),
        ("bedrock", "quota_exhausted", 429, "tokens per day"),
        ("cohere", "auth", 401, "invalid api token"),
        ("cohere", "content_policy", 498, "blocked"),
        ("cohere", "quota_exhausted", 429, "month"),
        ("mistral", "auth", 401, '{"detail":"Unauthorized"}'),
        ("mistral", "overloaded", 429, "service_tier_capacity_exceeded"),
        ("mistral", "rate_limited", 429, '"1300"'),
        ("ollama", "not_found", 404, "model 'm' not found"),
        ("ollama", "overloaded", 503, "server busy"),
        ("openrouter", "rate_limited", 429, "m is temporarily rate-limited upstream"),
        ("openrouter", "quota_exhausted", 402, "credits"),
        ("openrouter", "content_policy", 403, "flagged"),
        ("openrouter", "server_error", 502, '"raw"'),
    ],
)
@both_ways
def test_each_api_has_its_own_status_for_a_trouble(
    client, name, kind, status, said, way
):
    response = client.ask(name, way, ErrorReply(trouble=Trouble(kind=kind)))
    assert response.status_code == status
    assert said in response.text


@pytest.mark.parametrize(
    ("reply", "exception"),
    [
        (rate_limited(), "ThrottlingException"),
        (overloaded(), "ServiceUnavailableException"),
        (quota_exhausted(), "ThrottlingException"),
        (error_status(500), "InternalServerException"),
    ],
)
def test_bedrock_names_its_exception_in_a_header(client, reply, exception):
    response = client.ask("bedrock", "whole", reply)
    assert response.headers["x-amzn-errortype"].partition(":")[0] == exception


@both_ways
def test_gemini_says_in_the_body_how_long_to_wait(client, way):
    for reply in (
        rate_limited(48.5),
        overloaded(48.5),
        error_status(429, retry_after=48.5),
    ):
        response = client.ask("gemini", way, reply)
        delays = [one.get("retryDelay") for one in response.json()["error"]["details"]]
        assert "48.5s" in delays
        assert "retry-after" not in response.headers


@pytest.mark.parametrize("name", sorted(APIS.keys() - {"gemini"}))
def test_others_say_it_in_a_header(client, name):
    response = client.ask(name, "whole", rate_limited(retry_after=48.5))
    assert response.headers["retry-after"] == "48.5"


@both_ways
def test_gemini_blocks_a_prompt_with_a_200(client, way):
    response = client.ask("gemini", way, content_policy())
    assert response.status_code == 200
    assert client.hear("gemini", way).error == "PROHIBITED_CONTENT"


@pytest.mark.parametrize("name", [*APIS, "openai", "anthropic"])
def test_each_api_has_words_for_every_kind_of_trouble(client, name):
    others = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
    path = others.get(name) or APIS[name].whole
    for kind in KINDS:
        client._sim.script("m", ErrorReply(trouble=Trouble(kind=kind)))
        response = client._http.post(path, json={"model": "m"})
        blocks_with_200 = (name, kind) == ("gemini", "content_policy")
        assert response.is_error != blocks_with_200
        assert response.json()


def test_a_kind_that_no_api_has_words_for():
    with pytest.raises(ValueError, match="kind='tired' is none of bad_request, "):
        Trouble(kind="tired")


# --- errors inside a stream -------------------------------------------------------


@everywhere
def test_an_error_inside_a_stream(client, name):
    trouble = Trouble(kind="overloaded", message="no more")
    told = client.hear(name, "stream", content_then_error("a b c", trouble=trouble))
    assert (told.text, told.error) == ("a b", "no more")
    told = client.hear(name, "stream", error_first(trouble=trouble))
    assert (told.text, told.error) == ("", "no more")


@everywhere
def test_an_error_inside_a_stream_is_a_status_without_one(client, name):
    response = client.ask(name, "whole", content_then_error("a b c"))
    assert response.status_code == (429 if name == "mistral" else 503)


def test_bedrock_passes_on_what_no_stream_knows_as_the_models_own_error(client):
    reply = error_first(trouble=Trouble(kind="auth"))
    (event,) = APIS["bedrock"].events(client.ask("bedrock", "stream", reply).content)
    assert list(event) == ["modelStreamErrorException"]


@everywhere
def test_a_cut_stream_breaks_off_between_two_events(client, name):
    told, error = client.hear_until_it_breaks(name, content_then_cut("a b c"))
    assert isinstance(error, httpx.RemoteProtocolError)
    assert (told.text, told.finish) == ("a b", None)


@everywhere
def test_a_cut_inside_a_tool_call_leaves_no_whole_call(client, name):
    answer = says("so", calls=[tool_call("add", a=1, b=2)])
    told, _ = client.hear_until_it_breaks(name, content_then_cut(answer, after=3))
    assert told.text == "so"
    assert all(not text.endswith("}") for text in told.arguments.values())


@pytest.mark.parametrize("name", sorted(APIS.keys() - set(BEDROCK)))
def test_a_malformed_event_is_no_json(client, name):
    with pytest.raises(json.JSONDecodeError):
        client.hear(name, "stream", malformed_event("a b c"))


@pytest.mark.parametrize("name", BEDROCK)
def test_a_malformed_message_fails_its_checksum(client, name):
    with pytest.raises(ChecksumMismatch):
        client.hear(name, "stream", malformed_event("a b c"))


@everywhere
def test_a_malformed_document_is_no_json(client, name):
    with pytest.raises(json.JSONDecodeError):
        client.hear(name, "whole", malformed_event("a b c"))


@everywhere
@both_ways
def test_an_answer_that_only_begins_and_ends(client, name, way):
    told = client.hear(name, way, done_only())
    assert (told.text, told.calls) == ("", {})
    assert told.finish == ("load" if name == "ollama" else None)


SILENT = ("hang", "silence", "stall", "trickle")


@everywhere
@both_ways
def test_every_fault_of_the_catalogue_is_spoken(client, name, way):
    for fault, reply in FAULTS.items():
        if any(word in fault for word in SILENT):
            continue
        try:
            client.ask(name, way, reply)
        except httpx.TransportError:
            assert "cut" in fault or fault == "reset"


KEEP_ALIVES = {
    "gemini": b"\r\n",
    "bedrock": b"\0",
    "bedrock_invoke": b"\0",
    "cohere": b": keep-alive\n\n",
    "mistral": b": keep-alive\n\n",
    "ollama": b" ",
    "openrouter": b": OPENROUTER PROCESSING\n\n",
}


@everywhere
def test_what_only_keeps_a_connection_alive(client, sim, name):
    sim.script("m", keep_alives_then_silence())
    body = {"model": "m", "stream": True}
    with client._http.stream("POST", APIS[name].stream, json=body) as response:
        sent, parts = b"", response.iter_raw()
        while len(sent) < 3 * len(KEEP_ALIVES[name]):
            sent += next(parts)
    assert sent == 3 * KEEP_ALIVES[name]
    sim.wait_closed()
    assert sim.abandoned == 1


@pytest.mark.parametrize("told", [1, 2, 3])
def test_usage_is_counted_up_at_gemini(client, told):
    usage = Usage(input_tokens=7, output_tokens=3)
    answer = says("a b c", usage=usage)
    body = client.ask("gemini", "stream", answer).content
    counted = list(APIS["gemini"].events(body))[told - 1]["usageMetadata"]
    assert counted["candidatesTokenCount"] == told
    assert counted["totalTokenCount"] == 7 + told


@everywhere
@both_ways
def test_usage_can_be_withheld(client, name, way):
    told = client.hear(name, way, says("one", usage=False))
    assert told.usage == ((0, 0) if "bedrock" in name else None)


# --- the requests -----------------------------------------------------------------

VERTEX = "/v1beta1/projects/p/locations/us-central1/publishers/google/models"


@pytest.mark.parametrize(
    ("path", "model", "streaming"),
    [
        ("/v1beta/models/gemini-2.5-flash:generateContent", "gemini-2.5-flash", False),
        (f"{VERTEX}/gemini-2.5-flash:streamGenerateContent", "gemini-2.5-flash", True),
        ("/model/us.amazon.nova-v1%3A0/converse", "us.amazon.nova-v1:0", False),
        ("/openai/deployments/gpt-a/chat/completions", "gpt-a", False),
    ],
)
def test_the_path_may_name_the_model(client, sim, path, model, streaming):
    assert client._http.post(path, json={}).status_code == 200
    assert (sim.requests[0].model, sim.requests[0].streaming) == (model, streaming)


@pytest.mark.parametrize(
    "path", ["/openai/v1", "/inference/v1", "/v1", "", "/api/openai/v1"]
)
def test_other_providers_speak_openai_below_their_own_paths(client, path):
    response = client._http.post(f"{path}/chat/completions", json={"model": "m"})
    assert response.json()["choices"][0]["message"]["content"] == "Hello from m."


def test_ollama_streams_unless_it_is_told_not_to(client, sim):
    client._http.post("/api/chat", json={"model": "m"})
    assert sim.requests[0].streaming


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"x-goog-api-key": "key-1"}, ""),
        ({}, "?key=key-1"),
        ({"api-key": "key-1"}, ""),
        ({"authorization": "Bearer key-1"}, ""),
        ({"authorization": "AWS4-HMAC-SHA256 Credential=key-1/2026/us/bedrock"}, ""),
    ],
)
def test_the_key_is_read_wherever_it_stands(client, sim, headers, query):
    path = f"/v1beta/models/m:generateContent{query}"
    client._http.post(path, json={}, headers=headers)
    assert sim.requests[0].key == "key-1"


@pytest.mark.parametrize(
    ("model", "native"),
    [("anthropic/claude", "end_turn"), ("google/gemini", "STOP"), ("other", "stop")],
)
def test_openrouter_repeats_the_finish_in_the_models_own_words(client, model, native):
    body = {"model": model}
    answer = client._http.post(APIS["openrouter"].whole, json=body).json()
    choice = answer["choices"][0]
    assert (choice["finish_reason"], choice["native_finish_reason"]) == ("stop", native)


def test_mistral_gives_its_calls_ids_of_nine_characters(client):
    told = client.hear("mistral", "stream", says(calls=[tool_call("add", a=1)]))
    assert [len(id_) for id_ in told.calls] == [9]


def test_openrouter_sends_comments_while_it_waits(client):
    body = client.ask("openrouter", "stream").text
    assert body.startswith(": OPENROUTER PROCESSING\n\n")


def test_strict_rules_stay_away_from_dialects_that_have_none(client):
    odd = {"model": "m", "nobody": "knows this"}
    assert client._http.post("/v2/chat", json=odd).status_code == 200
