"""HTTP clients whose requests can be ended from outside while a thread reads them.

A view of a client of httpx or httpx2 shares everything with it (connections, cookies,
hooks) except the way to its transports: they are told how long somebody waits, and an
attempt is told which socket answers it. Until the headers are there, nobody is told of
a socket: it is looked for among the requests of the client's pool. Where it is not
found, the request's own time-outs end it, a second after the limit, exactly.
"""

from __future__ import annotations

import socket
from functools import lru_cache, partial
from inspect import signature
from typing import TYPE_CHECKING, Any

from langchain_reliable._children.partners import names_of
from langchain_reliable._runtime.sockets.shutdown import attempt_here

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_reliable._runtime.sockets.shutdown import HeldSocket, SocketShutdown

_MARGIN = 1.0
"""Seconds by which a request outlasts our limit, so that ours is the one told."""

_CLIENTS = frozenset(
    f"{package}.Client"
    for package in ("httpx", "httpx2", "httpx._client", "httpx2._client")
)


def watched(client: Any) -> Any:
    """Return a view of an HTTP client whose requests can be ended from outside.

    Args:
        client: A sync client of httpx or httpx2; it is not changed. Anything else is
            not known here.

    Returns:
        The view; `None` where none can be made.
    """
    kind: Any = type(client)
    cls: Any = _class_of_view(kind)
    if cls is None or isinstance(client._transport, _WatchedTransport):
        return None
    view = cls.__new__(cls)
    view.__dict__.update(client.__dict__)
    view._transport = _WatchedTransport(client._transport, client)
    view._mounts = {
        pattern: transport and _WatchedTransport(transport, client)
        for pattern, transport in client._mounts.items()
    }
    return view


def watched_option(sdk_client: Any) -> dict[str, Any]:
    """Return the option by which a client of an SDK is given such a view.

    Args:
        sdk_client: A client of the generator that OpenAI, Anthropic and others share.
    """
    view = watched(getattr(sdk_client, "_client", None))
    takes = view and "http_client" in signature(sdk_client.with_options).parameters
    return {"http_client": view} if takes else {}


@lru_cache(maxsize=64)
def _class_of_view(cls: type) -> type | None:
    """Return the class of a view; one that closes itself when dropped would harm.

    The wrappers of the SDKs add that to a client, and nothing else that a view needs.
    """
    if names_of(cls).isdisjoint(_CLIENTS):
        return None
    for one in cls.__mro__:
        if not hasattr(one, "__del__"):
            return one
        own = {name for name, value in vars(one).items() if callable(value)}
        if own - {"__del__", "__init__"}:
            return None
    return None


class _WatchedTransport:
    """A transport that tells the attempt which socket it is answered on."""

    def __init__(self, transport: Any, client: Any) -> None:
        self._inner = transport
        self._client = client  # which closes its connections when it is dropped

    def handle_request(self, request: Any) -> Any:
        """Send a request; the name is httpx's."""
        if self._client.is_closed:
            msg = "Cannot send a request, as the client has been closed."
            raise RuntimeError(msg)
        if (attempt := attempt_here()) is None:
            return self._inner.handle_request(request)
        if attempt.shut:
            msg = "nobody waits for this request any more"
            raise ConnectionAbortedError(msg)
        own = request.extensions.get("timeout") or {}
        timeouts = _Timeouts(own, attempt)
        request.extensions = {**request.extensions, "timeout": timeouts}
        with attempt.found_by(partial(timeouts.socket_in, self._inner)):
            response = self._inner.handle_request(request)
        timeouts.attempt = None
        extensions = response.extensions
        if extensions.get("http_version") == b"HTTP/2":
            return response  # other requests are answered on a connection of HTTP/2
        if (sock := _open_socket(extensions.get("network_stream"))) is not None:
            body: Any = response.stream
            kind: Any = type(body)
            response.stream = _body_class(kind)(body, attempt.hold(sock))
        return response

    def close(self) -> None:
        """Close the connections, which are the client's."""
        self._inner.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _open_socket(stream: Any) -> socket.socket | None:
    sock = None if stream is None else stream.get_extra_info("socket")
    return sock if isinstance(sock, socket.socket) and sock.fileno() >= 0 else None


class _Timeouts(dict[str, Any]):
    """A request's time-outs until its headers are there: no longer than the limit.

    httpcore asks at each step; a connection that took long leaves less for the rest.
    """

    def __init__(self, own: dict[str, Any], attempt: SocketShutdown) -> None:
        super().__init__(own)
        self.attempt: SocketShutdown | None = attempt

    def get(self, key: str, default: Any = None) -> Any:
        """Return how long this step may take from now on."""
        own = super().get(key, default)
        left = None if self.attempt is None else self.attempt.time_left()
        if left is None:
            return own
        return left + _MARGIN if own is None else min(own, left + _MARGIN)

    def socket_in(self, transport: Any) -> socket.socket | None:
        """Return the socket on which the request waits for its headers, if it does.

        By what the pools of httpcore and httpcore2 keep to themselves: nothing else
        tells.
        """
        try:
            for one in [*transport._pool._requests]:
                if one.request.extensions.get("timeout") is self:
                    connection = one.connection
                    while type(connection).__name__ != "HTTP11Connection":
                        connection = connection._connection
                    return _open_socket(connection._network_stream)
        except AttributeError:  # it is not connected yet, or another library's
            pass
        return None


class _WatchedBody:
    """A body that is let go of before its connection may serve somebody else."""

    def __init__(self, body: Any, held: HeldSocket) -> None:
        self._body = body
        self._held = held

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._body
        finally:
            self._held.release()

    def close(self) -> None:
        self._held.release()
        self._body.close()


@lru_cache(maxsize=64)
def _body_class(cls: type) -> type:
    """Return the class of bodies of one library, which looks whose its streams are."""
    base = next(one for one in cls.__mro__ if one.__name__ == "SyncByteStream")
    return type("WatchedBody", (_WatchedBody, base), {})
