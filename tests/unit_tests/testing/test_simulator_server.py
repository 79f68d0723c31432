"""What the simulator counts, and what it leaves behind: nothing."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from http.client import HTTPConnection
from urllib.parse import urlsplit

import httpx
import pytest

from langchain_reliable.testing import (
    content_then_stall,
    hang_after_headers,
    hang_before_headers,
    keep_alives_then_silence,
    rate_limited,
    says,
    simulator,
)
from langchain_reliable.testing.__main__ import main

both = pytest.mark.parametrize("family", ["openai", "anthropic"])


def post(url, path, body, **headers):
    """Post by hand and return status, headers and body."""
    wire = HTTPConnection(urlsplit(url).netloc, timeout=5)
    try:
        wire.request("POST", path, body=body, headers=headers)
        answer = wire.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        wire.close()


def ask(sim, path, **body):
    status, _, answer = post(sim.url, path, json.dumps(body))
    return status, json.loads(answer)


@both
async def test_requests_are_recorded(sim, client, hear, family):
    await hear(client(family, "model-a"), "invoke")
    await hear(client(family, "model-b"), "astream")
    await hear(client(family, "model-a"), "stream")
    assert [r.model for r in sim.requests] == ["model-a", "model-b", "model-a"]
    assert [r.number for r in sim.requests] == [1, 2, 3]
    assert [r.streaming for r in sim.requests] == [False, True, True]
    assert (sim.count("model-a"), sim.count("model-c"), sim.count()) == (2, 0, 3)
    assert sim.requests[0].body["messages"] == [{"role": "user", "content": "Hi"}]


@both
async def test_keys_are_kept_but_never_shown(sim, client, hear, family):
    await hear(client(family, "model"), "invoke")
    (request,) = sim.requests
    key = "sk-test" if family == "openai" else "sk-ant-test"
    assert request.key == key
    assert key not in repr(request)
    assert key in str(request.headers)


@both
@pytest.mark.parametrize("way", ["stream", "astream"])
async def test_a_client_that_leaves_is_noticed(sim, client, family, way):
    sim.script("model", content_then_stall("one two three", after=1))
    model = client(family, "model")
    if way == "stream":
        stream = model.stream("Hi")
        while next(stream).text != "one":
            pass
        assert sim.open_streams == 1
        stream.close()
    else:
        astream = model.astream("Hi")
        while (await anext(astream)).text != "one":
            pass
        assert sim.open_streams == 1
        await astream.aclose()
    await sim.await_closed()
    assert (sim.open_streams, sim.abandoned) == (0, 1)


@both
@pytest.mark.parametrize("way", ["stream", "invoke"])
def test_a_stall_may_be_closed(sim, client, family, way):
    sim.script("model", content_then_stall("one two three", after=1, seconds=0.01))
    model = client(family, "model")
    with pytest.raises(Exception, match=r"closed|Connection error"):
        list(model.stream("Hi")) if way == "stream" else model.invoke("Hi")
    sim.wait_closed()


def test_pings_may_go_on_until_the_client_leaves(sim):
    sim.script("model", keep_alives_then_silence(every=0.001))
    body = {"model": "model", "messages": [], "stream": True}
    with httpx.stream(
        "POST", f"{sim.openai_url}/chat/completions", json=body
    ) as answer:
        pings = (line for line in answer.iter_lines() if line)
        assert len({next(pings) for _ in range(20)}) == 1
        assert sim.open_streams == 1
    sim.wait_closed()
    assert sim.abandoned == 1


@pytest.mark.parametrize("fault", [hang_before_headers, hang_after_headers])
async def test_a_cancelled_call_is_noticed(sim, client, fault):
    sim.script("model", fault())
    call = asyncio.create_task(client("openai", "model").ainvoke("Hi"))
    await sim.await_asked("model")
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await sim.await_closed()
    assert sim.abandoned == 1


def test_waiting_for_a_response_that_never_ends(sim, client):
    sim.script("model", content_then_stall("one two", after=1))
    stream = client("openai", "model").stream("Hi")
    next(stream)
    with pytest.raises(TimeoutError, match=r"responses in progress: 1; .*model"):
        sim.wait_closed(timeout=0.01)
    stream.close()
    sim.wait_closed()


async def test_waiting_for_a_request_that_never_comes(sim):
    with pytest.raises(TimeoutError, match="not asked for gpt-z"):
        sim.wait_asked("gpt-z", timeout=0.01)
    with pytest.raises(TimeoutError, match="asked so far: nothing"):
        await sim.await_asked("gpt-z", timeout=0.01)


def test_waiting_for_a_request_in_another_thread(sim, client):
    caller = threading.Thread(target=client("openai", "model").invoke, args=("Hi",))
    caller.start()
    sim.wait_asked("model")
    caller.join()
    sim.wait_closed()


def test_stopping_is_quick_and_leaves_no_thread(client):
    before = threading.active_count()
    with simulator() as sim:
        assert threading.active_count() == before + 1
        sim.script("model", hang_after_headers())
        wires = [HTTPConnection(urlsplit(sim.url).netloc) for _ in range(5)]
        body = json.dumps({"model": "model", "stream": True})
        for wire in wires:
            wire.request("POST", "/v1/chat/completions", body=body)
        sim.wait_asked("model", times=5)
        assert (sim.open_streams, sim.open_connections) == (5, 5)
        begun = time.monotonic()
    assert time.monotonic() - begun < 4  # it waits for no client
    assert threading.active_count() == before
    assert (sim.open_streams, sim.open_connections) == (0, 0)
    for wire in wires:
        wire.close()


def test_stopping_while_a_client_reads_nothing():
    with simulator() as sim:
        sim.script("model", says("x" * 20_000_000, chunks=4))
        wire = HTTPConnection(urlsplit(sim.url).netloc)
        wire.request(
            "POST", "/v1/chat/completions", body='{"model": "model", "stream": true}'
        )
        sim.wait_asked("model")
    assert sim.open_connections == 0
    wire.close()


def test_a_new_script_replaces_the_old(sim):
    sim.script("model", "one", "two")
    told = []
    for replies in ((), ("three",)):
        if replies:
            sim.script("model", *replies)
        _, answer = ask(sim, "/v1/messages", model="model")
        told.append(answer["content"][0]["text"])
    assert told == ["one", "three"]


def test_an_empty_script_is_refused(sim):
    with pytest.raises(ValueError, match="the script of 'model' is empty"):
        sim.script("model")


@pytest.mark.parametrize(
    ("path", "body", "status", "says_so"),
    [
        ("/v1/responses", '{"model": "m"}', 404, "not POST /v1/responses"),
        ("/v1/messages", "{}", 400, "you must provide a model"),
        ("/v1/messages", "[]", 400, "you must provide a model"),
        ("/v1/chat/completions", "not json", 400, "you must provide a model"),
    ],
)
def test_requests_that_make_no_sense(sim, path, body, status, says_so):
    got, _, answer = post(sim.url, path, body)
    assert got == status
    assert says_so in json.loads(answer)["error"]["message"]


def test_what_is_not_http_is_dropped(sim):
    wire = HTTPConnection(urlsplit(sim.url).netloc, timeout=5)
    wire.connect()
    wire.sock.sendall(b"what is this?\r\n\r\n")
    assert wire.sock.recv(100) == b""
    wire.close()


def test_a_client_may_ask_whether_to_continue(sim):
    status, _, answer = post(
        sim.url, "/v1/messages", '{"model": "m"}', Expect="100-continue"
    )
    assert status == 200
    assert b"Hello from m." in answer


def test_headers_look_like_the_providers(sim):
    body = '{"model": "m"}'
    _, openai, _ = post(sim.url, "/v1/chat/completions", body)
    _, anthropic, _ = post(sim.url, "/v1/messages?beta=true", body)
    assert openai["x-request-id"].startswith("req_")
    assert openai["content-type"] == anthropic["content-type"] == "application/json"
    assert anthropic["request-id"].startswith("req_")
    assert sim.requests[1].path == "/v1/messages"


@pytest.mark.parametrize(
    ("path", "body", "says_so"),
    [
        ("/v1/chat/completions", {"messages": [], "thinking": 1}, "Unknown parameter"),
        (
            "/v1/chat/completions",
            {"messages": [{"role": "bot", "content": "x"}]},
            "'bot'",
        ),
        (
            "/v1/chat/completions",
            {"messages": [{"role": "user", "content": [{"type": "thinking"}]}]},
            "'thinking'",
        ),
        (
            "/v1/chat/completions",
            {"messages": [{"role": "tool", "tool_call_id": "a", "content": "x"}]},
            "must be a response",
        ),
        ("/v1/messages", {"messages": []}, "max_tokens"),
        ("/v1/messages", {"messages": [], "max_tokens": 1, "seed": 1}, "seed"),
        (
            "/v1/messages",
            {"max_tokens": 1, "messages": [{"role": "system", "content": "x"}]},
            "messages.0.role",
        ),
        (
            "/v1/messages",
            {
                "max_tokens": 1,
                "messages": [{"role": "user", "content": [{"type": "image_url"}]}],
            },
            "'image_url'",
        ),
        (
            "/v1/messages",
            {
                "max_tokens": 1,
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "tool_result", "tool_use_id": "a"}],
                    }
                ],
            },
            "unexpected `tool_use_id`",
        ),
    ],
)
def test_strict_refuses_what_the_api_would(path, body, says_so):
    with simulator(strict=True) as sim:
        status, answer = ask(sim, path, model="m", **body)
    assert status == 400
    assert says_so in answer["error"]["message"]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_strict_reads_a_tool_loop(path):
    openai = [
        {"role": "system", "content": "x"},
        {"role": "user", "content": [{"type": "text", "text": "x"}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "a"}]},
        {"role": "tool", "tool_call_id": "a", "content": "3"},
    ]
    anthropic = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a"}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]},
    ]
    messages = openai if "chat" in path else anthropic
    with simulator(strict=True) as sim:
        status, _ = ask(sim, path, model="m", max_tokens=1, messages=messages)
    assert status == 200


def test_a_taken_port_is_an_error(sim):
    port = urlsplit(sim.url).port
    with pytest.raises(OSError, match="in use"), simulator(port=port):
        pass


def test_the_command_line(capsys):
    def play():
        url = capsys.readouterr().out.split()[4].rstrip(";")
        status, _, _ = post(url, "/v1/messages", '{"model": "error-529"}')
        assert status == 529
        raise KeyboardInterrupt

    assert main(["--port", "0"], wait=play) == 0


def test_the_command_line_lists_every_fault(capsys):
    assert main(["--port", "0", "--strict"], wait=lambda: None) == 0
    shown = capsys.readouterr().out
    assert "content-then-cut" in shown
    assert "curl -N" in shown


def test_the_command_line_on_a_taken_port(sim, capsys):
    assert main(["--port", str(urlsplit(sim.url).port)]) == 1
    assert "in use" in capsys.readouterr().err


def test_without_h11_the_simulator_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "h11", None)
    monkeypatch.delitem(
        sys.modules, "langchain_reliable.testing._simulator.server", raising=False
    )
    with (
        pytest.raises(
            ImportError, match=r'pip install "langchain-reliable\[testing\]"'
        ),
        simulator(),
    ):
        pass


def test_importing_it_imports_neither_h11_nor_an_sdk():
    code = (
        "import sys, langchain_reliable.testing; "
        "print(sorted({'h11', 'openai', 'anthropic', 'langchain_openai', "
        "'langchain_anthropic'} & sys.modules.keys()))"
    )
    run = subprocess.run(  # noqa: S603 - our own interpreter and words
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


def test_replies_read_as_what_they_are():
    assert rate_limited(retry_after=2).headers == (("retry-after", "2"),)
