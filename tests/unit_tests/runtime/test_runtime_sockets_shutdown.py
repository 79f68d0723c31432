"""A read is ended from outside, and nobody else's connection is harmed by it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

import httpx
import httpx2
import pytest

from langchain_reliable._children.clients.watched_http import watched
from langchain_reliable._core.timeouts import NO_TIMEOUTS, AttemptTimer, Timeouts
from langchain_reliable._runtime.clock import SystemClock
from langchain_reliable._runtime.sockets.shutdown import SocketShutdown, attempt_here

CLOCK = SystemClock()


def attempt(limits=NO_TIMEOUTS, **fields):
    timer = AttemptTimer(limits, CLOCK.now(), streams=True, **fields)
    return SocketShutdown(timer, CLOCK)


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    theirs.settimeout(5)
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def here():
    """An attempt that this thread works for."""
    one = attempt()
    one.begin()
    yield one
    one.end()


def test_a_thread_that_reads_is_woken(pair):
    ours, _ = pair
    one, read = attempt(), []
    held = one.hold(ours)
    reader = threading.Thread(target=lambda: read.append(ours.recv(1)))
    reader.start()
    one.shut_down()
    reader.join(30)
    assert read == [b""]
    held.release()
    held.release()  # once more does no harm


def test_what_was_released_is_left_alone(pair):
    ours, theirs = pair
    one = attempt()
    one.hold(ours).release()
    one.shut_down()
    ours.send(b"x")
    assert theirs.recv(1) == b"x"


def test_what_is_held_later_is_shut_down_at_once(pair):
    ours, theirs = pair
    one = attempt()
    one.shut_down()
    one.hold(ours)
    assert theirs.recv(1) == b""
    assert one.time_left() == 0


def test_a_reader_that_closed_its_socket_gives_its_number_to_nobody(pair):
    ours, _ = pair
    one = attempt()
    one.hold(ours)
    number = ours.fileno()
    ours.close()
    next_, peer = socket.socketpair()
    assert number in {next_.fileno(), peer.fileno()}
    with next_, peer:
        one.shut_down()
        next_.send(b"x")
        assert peer.recv(1) == b"x"


def test_a_dropped_attempt_keeps_no_connection_open(pair):
    ours, theirs = pair
    one = attempt()
    one.hold(ours)
    ours.close()
    del one
    assert theirs.recv(1) == b""


def test_a_thread_works_for_one_attempt_at_a_time(here):
    assert attempt_here() is here
    here.end()
    assert attempt_here() is None


# --- clients ------------------------------------------------------------------------


class Server:
    """Answers with headers and a first piece, and the rest when it is told to."""

    def __init__(self):
        self.go_on, self.connections = threading.Event(), 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self.asked, self.ended = threading.Event(), threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,)).start()

    def _serve(self, connection):
        with connection, suppress(ConnectionError):  # a reset is an end as well
            while (data := connection.recv(65536)).startswith(b"GET"):
                if b"/silent" in data:
                    self.asked.set()
                else:
                    head = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"
                    connection.sendall(head + b"a")
                    if b"/slow" not in data:
                        connection.sendall(b"b")
        self.ended.set()

    def close(self):
        self._server.close()


@pytest.fixture
def server():
    one = Server()
    yield one
    one.close()


@pytest.fixture(params=[httpx, httpx2], ids=["httpx", "httpx2"])
def library(request):
    return request.param


@pytest.fixture
def client(library, server):
    with library.Client(base_url=server.url, timeout=5) as client:
        yield client


def test_a_body_is_ended_from_outside(client, server, here, library):
    with watched(client).stream("GET", "/slow") as response:
        body = response.iter_raw(1)
        assert next(body) == b"a"
        here.shut_down()
        with pytest.raises(library.HTTPError):
            next(body)
    assert server.ended.wait(30)


def test_a_connection_that_has_answered_goes_on_serving(client, server, here):
    view = watched(client)
    assert view.get("/").text == "ab"
    here.shut_down()
    here.end()
    assert view.get("/").text == "ab"
    assert client.get("/").text == "ab"  # whose connections they are
    assert server.connections == 1


def test_nothing_is_sent_for_nobody(client, server, here):
    here.shut_down()
    with pytest.raises(ConnectionAbortedError, match="nobody waits"):
        watched(client).get("/")
    assert not server.connections


def test_before_its_headers_a_request_ends_at_its_own_timeout(
    client, server, library, monkeypatch
):
    monkeypatch.setattr(
        "langchain_reliable._children.clients.watched_http._MARGIN", 0.1
    )
    one = attempt(Timeouts(attempt=0.1))
    one.begin()
    with pytest.raises(library.ReadTimeout):
        watched(client).get("/silent")
    one.end()
    assert server.ended.wait(30)


def test_before_its_headers_a_request_is_ended_from_outside(client, server, library):
    view, one, raised = watched(client), attempt(), []

    def ask():
        one.begin()
        try:
            view.get("/silent")
        except library.HTTPError as error:
            raised.append(error)

    assert view.get("/").text == "ab"
    reader = threading.Thread(target=ask)
    reader.start()
    assert server.asked.wait(5)
    one.shut_down()
    assert server.ended.wait(5)
    reader.join(5)
    assert len(raised) == 1
    assert view.get("/").text == "ab"  # on another connection


def test_a_limit_before_the_headers_leaves_the_body_its_time(client, monkeypatch):
    asked = []
    one = attempt(Timeouts(attempt=0.1))
    one.begin()

    def answer(request):
        timeouts = request.extensions["timeout"]
        asked.extend([timeouts, timeouts.get("read"), timeouts.get("pool")])
        return type(client).send(client, request)  # any response of the library

    monkeypatch.setattr(client._transport, "handle_request", answer)
    view = watched(client)
    client._transport = type(client._transport)()
    view.get("/")
    one.end()
    timeouts, *short = asked
    assert all(seconds <= 1.1 for seconds in short)
    assert timeouts.get("read") == 5


def test_what_waits_for_ever_is_limited_as_well(client):
    one = attempt(Timeouts(attempt=1))
    one.begin()
    client.timeout = None
    with watched(client).stream("GET", "/") as response:
        timeouts = response.request.extensions["timeout"]
        timeouts.attempt = one
        assert 0 < timeouts.get("read") <= 2
        timeouts.attempt = None
        assert timeouts.get("read") is None
    one.end()


def test_a_closed_client_stays_closed(client, library):
    view = watched(client)
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        view.get("/")


def test_a_transport_without_sockets_is_used_as_it_is(library, here):
    answer = library.MockTransport(lambda _: library.Response(200, text="ok"))
    with library.Client(transport=answer) as client:
        view = watched(client)
        assert view.get("http://nowhere.invalid").text == "ok"
        assert view._transport.handler is answer.handler
        assert watched(view) is None


def test_a_proxy_is_told_as_well(library):
    with library.Client(proxy="http://127.0.0.1:9", trust_env=False) as client:
        view = watched(client)
        [through] = view._mounts.values()
        assert through._pool is next(iter(client._mounts.values()))._pool
        view.close()


def test_only_clients_that_are_known_are_viewed(library):
    class Wrapper(library.Client):
        """As the SDKs have it."""

        def __del__(self):
            raise AssertionError

    class Own(library.Client):
        def __del__(self):
            pass

        def send(self, *_, **__):
            raise NotImplementedError

    assert watched(object()) is None
    assert watched(library.AsyncClient()) is None
    assert watched(Own()) is None
    wrapper = object.__new__(Wrapper)
    wrapper.__dict__.update(library.Client().__dict__)
    assert type(watched(wrapper)) is library.Client
    del Wrapper.__del__
