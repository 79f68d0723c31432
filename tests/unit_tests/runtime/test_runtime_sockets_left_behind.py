"""A thread that nobody waits for is ended, with whatever client it reads."""

from __future__ import annotations

import http.client
import socket
import threading
from contextlib import closing, contextmanager, suppress

import httpx
import httpx2
import pytest
import requests

from langchain_reliable._core.timeouts import NO_TIMEOUTS, AttemptTimer
from langchain_reliable._runtime.clock import SystemClock
from langchain_reliable._runtime.sockets import left_behind
from langchain_reliable._runtime.sockets.left_behind import (
    WATCHER,
    WorkingThread,
    leave_behind,
)
from langchain_reliable._runtime.sockets.shutdown import SocketShutdown

PART = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n"
WHOLE = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab"
ANSWERS = {b"/silent": b"", b"/drips": b"HTTP/1.1 200", b"/part": PART, b"/": WHOLE}


class Server:
    """Answers by path, and counts its connections; it tells of those that ended."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.asked, self.ended = threading.Semaphore(0), threading.Semaphore(0)
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,)).start()

    def _serve(self, connection):
        with connection, suppress(OSError):
            while request := connection.recv(65536):
                connection.sendall(ANSWERS[request.split()[1]])
                self.asked.release()
        self.ended.release()

    def close(self):
        self._listener.close()


@pytest.fixture
def server():
    one = Server()
    yield one
    one.close()


def by_hand(url):
    host = url.removeprefix("http://").partition("/")[0]
    with closing(http.client.HTTPConnection(host)) as connection:
        connection.request("GET", url.removeprefix(f"http://{host}"))
        with connection.getresponse() as response:
            return response.read()


def in_a_stream(url):
    with requests.get(url, stream=True, timeout=60) as response:
        return list(response.iter_lines())


CLIENTS = {
    "requests": lambda url: requests.get(url, timeout=60),
    "requests, a stream": in_a_stream,
    "http.client": by_hand,
    "httpx": lambda url: httpx.get(url, timeout=60),
    "httpx2": lambda url: httpx2.get(url, timeout=60),
}


@contextmanager
def working(work):
    """Let a thread work for an attempt, and end for good at the end of the test."""
    attempt, over = WorkingThread(), threading.Event()

    def go():
        attempt.begin()
        with suppress(Exception):
            work()
        attempt.end()
        over.set()

    thread = threading.Thread(target=go, daemon=True)
    thread.start()
    try:
        yield attempt, over
    finally:
        thread.join(5)


@pytest.mark.parametrize("path", ["/silent", "/drips", "/part"])
@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_whatever_reads_is_ended(server, client, path):
    with working(lambda: client(server.url + path)) as (attempt, over):
        assert server.asked.acquire(timeout=5)
        leave_behind(attempt)
        assert over.wait(5)
        assert server.ended.acquire(timeout=5)


def test_a_client_that_tries_again_is_ended_again(server):
    def stubborn():
        for _ in range(3):
            with suppress(requests.RequestException):
                requests.get(f"{server.url}/silent", timeout=60)

    with working(stubborn) as (attempt, over):
        leave_behind(attempt)
        assert over.wait(5)
    assert server.connections == 3


def test_a_connection_that_has_answered_goes_on_serving(server):
    session, answered, go_on = requests.Session(), threading.Event(), threading.Event()

    def answered_already():
        session.get(server.url)
        answered.set()
        go_on.wait(5)

    with session, working(answered_already) as (attempt, _):
        assert answered.wait(5)
        leave_behind(attempt)
        assert session.get(server.url).text == "ab"
        go_on.set()
    assert server.connections == 1


def test_a_thread_that_works_for_another_by_now_is_left_alone(server):
    first, second = WorkingThread(), WorkingThread()
    texts = []

    def both():
        first.begin()
        first.end()
        second.begin()
        with suppress(requests.RequestException):
            texts.append(requests.get(f"{server.url}/silent", timeout=60))
        second.end()

    with working(both):
        assert server.asked.acquire(timeout=5)
        leave_behind(first)
        assert not server.ended.acquire(timeout=0.05)
        leave_behind(second)
    assert not texts


def read_in(*modules):
    """Return a function that reads a socket in a frame of each module."""
    inner = None
    for module in modules:
        space = {"__name__": module, "inner": inner}
        call = "inner(self)" if inner else "self._sock.recv(1)"
        exec(f"def read(self): return {call}", space)  # noqa: S102 - frames to look at
        inner = space["read"]
    return inner


@pytest.mark.parametrize(
    ("modules", "is_ended"),
    [
        (("httpcore._backends.sync", "httpcore._sync.http11"), True),
        (("httpcore._backends.sync", "httpcore._sync.http2", "http.client"), False),
        (("socket", "redis.connection"), False),
        (("somebodys.own",), False),
    ],
    ids=lambda one: "-".join(one) if isinstance(one, tuple) else str(one),
)
def test_only_a_connection_of_one_request_is_shut_down(modules, is_ended):
    ours, theirs = socket.socketpair()
    holder = type("Holder", (), {})()
    holder._sock = ours
    theirs.settimeout(0.05)
    with ours, theirs, working(lambda: read_in(*modules)(holder)) as (attempt, over):
        read_begins(attempt)
        attempt.end_read()
        if is_ended:
            assert theirs.recv(1) == b""
        else:
            with pytest.raises(TimeoutError):
                theirs.recv(1)
            theirs.send(b"x")
        assert over.wait(5)


def read_begins(attempt):
    """Wait until a thread stands in a read."""
    for _ in range(1000):
        frame = left_behind.sys._current_frames().get(attempt._ident)
        if frame is not None and frame.f_code.co_name == "read":
            return
        threading.Event().wait(0.001)


def test_nobody_looks_once_all_have_ended(server):
    with working(lambda: requests.get(f"{server.url}/silent", timeout=60)) as (one, _):
        assert server.asked.acquire(timeout=5)
        leave_behind(one)
        watchers = [each for each in threading.enumerate() if each.name == WATCHER]
    for each in watchers:
        each.join(5)
        assert not each.is_alive()
    leave_behind(one)
    assert not left_behind._left


def test_a_thread_that_waits_for_something_else_is_forgotten(monkeypatch):
    monkeypatch.setattr(left_behind, "_LOOKS", 0)
    go_on = threading.Event()
    with working(lambda: go_on.wait(5)) as (attempt, over):
        while not attempt.is_at_work():
            threading.Event().wait(0.001)
        leave_behind(attempt)
        for each in threading.enumerate():
            if each.name == WATCHER:
                each.join(5)
        assert not left_behind._left
        assert not over.is_set()
        go_on.set()


def test_a_thread_that_begins_too_late_is_ended_as_well(server):
    attempt = SocketShutdown(
        AttemptTimer(NO_TIMEOUTS, 0.0, streams=True), SystemClock()
    )
    attempt.shut_down()

    def work():
        attempt.begin()
        with suppress(requests.RequestException):
            requests.get(f"{server.url}/silent", timeout=60)
        attempt.end()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(5)
    assert not thread.is_alive()


def test_a_forked_process_has_none(monkeypatch):
    monkeypatch.setattr(left_behind, "_left", {WorkingThread(): 0})
    monkeypatch.setattr(left_behind, "_watching", True)
    monkeypatch.setattr(left_behind, "_lock", left_behind._lock)
    left_behind._forget()
    assert not left_behind._left
    assert not left_behind._watching
