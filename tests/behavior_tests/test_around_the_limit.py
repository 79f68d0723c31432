"""Answers that come right around their limit, many at once, over one pool.

`LANGCHAIN_RELIABLE_LIMIT_CALLS=1000` makes as many calls in each thread.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from langchain_openai import ChatOpenAI
from our_threads import wait_for_rest

from langchain_reliable import Candidate, ReliableChatModel
from langchain_reliable._runtime.reader_thread import abandoned_readers
from langchain_reliable.testing import ScriptedChatModel, says

CALLS = int(os.environ.get("LANGCHAIN_RELIABLE_LIMIT_CALLS", "10"))
THREADS = 16
LIMIT = 0.5


def piece(**choice):
    chunk = {
        "id": "one",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "primary",
        "choices": [{"index": 0, "delta": {}, "finish_reason": None, **choice}],
    }
    return f"data: {json.dumps(chunk)}\n\n".encode()


def pieces(asked):
    yield piece(delta={"role": "assistant", "content": f"{asked} "})
    yield piece(delta={"content": "answered"})
    yield piece(finish_reason="stop")
    yield b"data: [DONE]\n\n"


def whole(asked):
    message = {"role": "assistant", "content": f"{asked} answered"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    answer = {"id": "one", "object": "chat.completion", "created": 0}
    return json.dumps({**answer, "model": "primary", "choices": [choice]}).encode()


class Handler(BaseHTTPRequestHandler):
    """Sends headers at once, pings, and its answer when the limit is nearly over."""

    protocol_version = "HTTP/1.1"
    open = 0
    lock = threading.Lock()

    def do_POST(self):
        size = int(self.headers["content-length"])
        asked = json.loads(self.rfile.read(size))
        self.count(1)
        try:
            self.answer(asked["messages"][-1]["content"], streams=asked.get("stream"))
        except OSError:
            self.close_connection = True
        finally:
            self.count(-1)

    def answer(self, asked, *, streams):
        form = "text/event-stream" if streams else "application/json"
        self.send_response(200)
        self.send_header("content-type", form)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self.wait(b": keep-alive\n\n" if streams else b" ")
        for part in pieces(asked) if streams else [whole(asked)]:
            self.send(part)
        self.wfile.write(b"0\r\n\r\n")

    def wait(self, ping):
        about = random.uniform(0.4, 1.2) * LIMIT  # noqa: S311 - any will do
        over = time.monotonic() + (30 if random.random() < 0.1 else about)  # noqa: S311
        while (left := over - time.monotonic()) > 0:
            time.sleep(min(left, LIMIT / 5))
            self.send(ping)

    def send(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    @classmethod
    def count(cls, change):
        with cls.lock:
            cls.open += change

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


@pytest.fixture
def url():
    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


def model_at(url, **limits):
    primary = ChatOpenAI(model="primary", base_url=url, api_key="sk-test")
    backup = ScriptedChatModel(name="backup", script=[says("from the backup")] * 10**5)
    return ReliableChatModel(
        models=[Candidate(primary, **limits), backup],
        max_retries=0,
        circuit_breaker=None,
    )


def ask(model, prompt, *, wholly):
    if wholly:
        answer = model.invoke(prompt)
        return answer.text, answer.response_metadata["reliable"]
    chunks = list(model.stream(prompt))
    return "".join(one.text for one in chunks), chunks[-1].response_metadata["reliable"]


@pytest.mark.parametrize("wholly", [False, True], ids=["stream", "invoke"])
def test_every_answer_is_right_and_every_late_request_ends(url, wholly):
    limits = {"attempt_timeout" if wholly else "first_chunk_timeout": LIMIT}
    model = model_at(url, **limits)
    failed, wrong = [], []

    def calls(thread):
        for number in range(CALLS):
            text, trail = ask(model, f"{thread}-{number}", wholly=wholly)
            kinds = [one["kind"] for one in trail["attempts"] if one["kind"]]
            failed.extend(kinds)
            first = f"{thread}-{number} answered"
            if text != ("from the backup" if kinds else first):
                wrong.append((text, kinds))

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(calls, range(THREADS)))
    assert not wrong
    assert 0 < len(failed) < THREADS * CALLS
    assert set(failed) == {"timeout"}  # no connection was harmed that others used
    assert wait_for_rest(10)
    assert not abandoned_readers()
    over = time.monotonic() + 10
    while Handler.open and time.monotonic() < over:
        time.sleep(0.01)
    assert not Handler.open
