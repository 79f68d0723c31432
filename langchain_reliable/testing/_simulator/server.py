"""HTTP/1.1 on the loopback: bytes in, steps out.

The only module that knows sockets and `h11`. It asks what to reply, and carries the
steps out.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import h11

from langchain_reliable.testing._simulator.wire import (
    Await,
    Cut,
    Hang,
    Head,
    Repeat,
    Reset,
    Rest,
    Send,
)

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

    from langchain_reliable.testing._simulator.board import Board
    from langchain_reliable.testing._simulator.wire import Step

_READ = 65_536
_AT_ONCE = struct.pack("ii", 1, 0)


class Answering(Protocol):
    """Decides what to reply; whoever does is told about the end as well."""

    def __call__(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[Step, ...]:
        """Return the steps that answer this request."""


class Server:
    """Accepts connections until it is told to stop."""

    def __init__(
        self, listener: socket.socket, board: Board, answer: Answering
    ) -> None:
        self._listener = listener
        self._board = board
        self._answer = answer
        self._connections: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set; leave nothing behind."""
        server = await asyncio.start_server(self._connected, sock=self._listener)
        try:
            await stop.wait()
        finally:
            server.close()
            for task in self._connections:
                task.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        self._board.connect(+1)
        peer = writer.get_extra_info(
            "socket"
        )  # asyncio does so only where proto is set
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await _Connection(reader, writer, self._board, self._answer).serve()
        except asyncio.CancelledError:  # stopped: do not wait until clients have read
            writer.transport.abort()
        finally:
            await _close(writer)
            self._board.connect(-1)


async def _close(writer: StreamWriter) -> None:
    writer.close()
    try:
        with suppress(OSError):
            await writer.wait_closed()
    except asyncio.CancelledError:  # stopped meanwhile
        writer.transport.abort()


class _Connection:
    """One client's connection: requests and responses, in turn."""

    def __init__(
        self,
        reader: StreamReader,
        writer: StreamWriter,
        board: Board,
        answer: Answering,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._board = board
        self._answer = answer
        self._http = h11.Connection(h11.SERVER)

    async def serve(self) -> None:
        """Answer requests for as long as both sides want to go on."""
        with suppress(OSError, h11.RemoteProtocolError):
            while (request := await self._request()) is not None:
                if not await self._respond(*request):
                    return
                self._http.start_next_cycle()

    async def _request(self) -> tuple[str, str, dict[str, str], bytes] | None:
        head: h11.Request | None = None
        body = b""
        while True:
            match await self._event():
                case h11.Request() as head:
                    pass
                case h11.Data(data=data):
                    body += data
                case h11.EndOfMessage() if head is not None:
                    names = {n.decode(): v.decode("latin-1") for n, v in head.headers}
                    return head.method.decode(), head.target.decode(), names, body
                case _:
                    return None

    async def _event(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                await self._send(h11.InformationalResponse(status_code=100, headers=[]))
            self._http.receive_data(await self._reader.read(_READ))
        return event

    async def _respond(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> bool:
        """Return whether the connection can be used again."""
        steps = self._answer(method, target, headers, body)
        telling = asyncio.create_task(self._tell(steps))
        leaving = asyncio.create_task(self._client_left())
        both = (telling, leaving)
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            told = telling.done() and not telling.cancelled()
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            self._board.end(abandoned=not told or telling.exception() is not None)
        return told and telling.exception() is None and telling.result()

    async def _client_left(self) -> None:
        """Return when the client has hung up; it has nothing to say meanwhile."""
        with suppress(OSError):
            while data := await self._reader.read(_READ):
                self._http.receive_data(data)

    async def _tell(self, steps: tuple[Step, ...]) -> bool:
        for step in steps:
            match step:
                case Head(status, headers):
                    named = list(headers)
                    await self._send(h11.Response(status_code=status, headers=named))
                case Send(data):
                    await self._send(h11.Data(data=data))
                case Rest(seconds):
                    await asyncio.sleep(seconds)
                case Await(gate):
                    await gate.await_open()
                case Hang():
                    await asyncio.Event().wait()
                case Repeat(data, every):
                    while True:
                        await self._send(h11.Data(data=data))
                        await asyncio.sleep(every)
                case Cut() | Reset():
                    self._hang_up(at_once=isinstance(step, Reset))
                    return False
        await self._send(h11.EndOfMessage())
        return self._http.our_state is h11.DONE

    async def _send(self, event: h11.Event) -> None:
        if data := self._http.send(event):
            self._writer.write(data)
            await self._writer.drain()

    def _hang_up(self, *, at_once: bool) -> None:
        if not at_once:
            self._writer.close()
            return
        client = self._writer.get_extra_info("socket")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self._writer.transport.abort()
