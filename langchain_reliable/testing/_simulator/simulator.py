"""The provider simulator: its face towards tests.

It owns the server's thread and the addresses, and answers the questions that tests ask.
`h11` is not imported before a simulator is started.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING

from langchain_reliable.testing._signals import Signal
from langchain_reliable.testing._simulator.board import Board
from langchain_reliable.testing._simulator.plans import plan
from langchain_reliable.testing._simulator.replies import ErrorReply
from langchain_reliable.testing._simulator.routes import OPENAI, PATHS, read
from langchain_reliable.testing._simulator.strict.complaint import complaint
from langchain_reliable.testing._simulator.troubles import trouble_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_reliable.testing._simulator.replies import Given, Reply
    from langchain_reliable.testing._simulator.server import Server
    from langchain_reliable.testing._simulator.wire import SimulatedRequest, Step

_HOST = "127.0.0.1"
_STOP_LIMIT = 5.0
MISSING_H11 = (
    "The provider simulator needs h11, which is not installed: "
    'pip install "langchain-reliable[testing]"'
)


@contextmanager
def simulator(*, port: int = 0, strict: bool = False) -> Iterator[Simulator]:
    """Run a provider simulator on the loopback for the length of a block.

    A plain `with` in sync and async tests alike: the simulator lives in a thread of
    its own.

    Example:
        ```python
        with simulator() as sim:
            sim.script("gpt-a", rate_limited(retry_after=2), says("hello"))
            model = ChatOpenAI(model="gpt-a", base_url=sim.openai_url)
        ```

    Args:
        port: Port to listen on; any free one unless given.
        strict: Refuse requests that the real APIs would refuse, with a 400.

    Yields:
        The running simulator.

    Raises:
        ImportError: `h11` is not installed.
    """
    try:
        from langchain_reliable.testing._simulator.server import Server  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ImportError(MISSING_H11) from error
    running = Simulator(Server, port=port, strict=strict)
    running.start()
    try:
        yield running
    finally:
        running.stop()


class Simulator:
    """A loopback server that speaks as OpenAI, Anthropic, Google and others do.

    It replies per model name as it was told with `script`, and notes what it saw.
    Start it with `simulator()`; the dialect follows from the path that a client asks.
    """

    def __init__(
        self, server: type[Server], *, port: int = 0, strict: bool = False
    ) -> None:
        self._board = Board()
        self._strict = strict
        self._listener = socket.create_server((_HOST, port))
        self._refuser = socket.socket()  # bound and never listening: refuses
        self._refuser.bind((_HOST, 0))
        self._urls = _url(self._listener), _url(self._refuser)
        self._server = server(self._listener, self._board, self._answer)
        self._stop = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = Thread(
            target=lambda: asyncio.run(self._serve()), name="simulator", daemon=True
        )
        self._ready = Signal()

    @property
    def url(self) -> str:
        """Where the simulator listens."""
        return self._urls[0]

    @property
    def openai_url(self) -> str:
        """The `base_url` for `ChatOpenAI`."""
        return f"{self.url}/v1"

    @property
    def anthropic_url(self) -> str:
        """The `base_url` for `ChatAnthropic`."""
        return self.url

    @property
    def gemini_url(self) -> str:
        """The `base_url` for `ChatGoogleGenerativeAI`; Vertex AI's paths work too."""
        return self.url

    @property
    def bedrock_url(self) -> str:
        """The `endpoint_url` for `ChatBedrockConverse`."""
        return self.url

    @property
    def cohere_url(self) -> str:
        """The `base_url` for `ChatCohere`."""
        return self.url

    @property
    def mistral_url(self) -> str:
        """The `base_url` for `ChatMistralAI`."""
        return f"{self.url}/mistral/v1"

    @property
    def ollama_url(self) -> str:
        """The `base_url` for `ChatOllama`."""
        return self.url

    @property
    def openrouter_url(self) -> str:
        """The `base_url` for `ChatOpenRouter`."""
        return f"{self.url}/api/v1"

    @property
    def refusing_url(self) -> str:
        """A `base_url` at which every connection is refused."""
        return self._urls[1]

    @property
    def requests(self) -> tuple[SimulatedRequest, ...]:
        """Everything it was asked, in order."""
        return tuple(self._board.requests)

    @property
    def open_connections(self) -> int:
        """Connections that are open, idle ones in a client's pool included."""
        return self._board.counts.connections

    @property
    def open_streams(self) -> int:
        """Responses in progress: begun, and neither ended nor left by the client."""
        return self._board.counts.responses

    @property
    def abandoned(self) -> int:
        """Responses that the client left before their end."""
        return self._board.counts.abandoned

    def script(self, model: str, /, *replies: Reply) -> None:
        """Say what `model` replies: one reply per request, the last one repeats.

        A new script takes the place of the old one. Models without a script answer
        healthily.

        Args:
            model: The name that requests ask for.
            replies: Answers (`says(...)` or a text), faults, and functions that take
                the `SimulatedRequest` and return one of those. They run in the
                simulator's thread and may not block it.
        """
        if not replies:
            raise ValueError(f"the script of {model!r} is empty: say what it replies")
        self._board.script(model, replies)

    def count(self, model: str | None = None) -> int:
        """Return how many requests asked for `model`, or how many there were."""
        return self._board.count(model)

    def wait_closed(self, timeout: float = 2.0) -> None:
        """Wait until no response is in progress.

        Args:
            timeout: Seconds after which to give up.

        Raises:
            TimeoutError: A response is still in progress then.
        """
        with self._explained("closed", timeout):
            self._when_closed().wait(timeout)

    async def await_closed(self, timeout: float = 2.0) -> None:  # noqa: ASYNC109
        """Do what `wait_closed` does, without blocking the event loop.

        Async clients close their sockets in the event loop, so async tests want this
        one.
        """
        with self._explained("closed", timeout):
            await self._when_closed().await_(timeout)

    def wait_asked(self, model: str, times: int = 1, timeout: float = 5.0) -> None:
        """Wait until `model` was asked so many times, or raise `TimeoutError`."""
        with self._explained(f"asked for {model}", timeout):
            self._when_asked(model, times).wait(timeout)

    async def await_asked(
        self,
        model: str,
        times: int = 1,
        timeout: float = 5.0,  # noqa: ASYNC109
    ) -> None:
        """Do what `wait_asked` does, without blocking the event loop."""
        with self._explained(f"asked for {model}", timeout):
            await self._when_asked(model, times).await_(timeout)

    def start(self) -> None:
        """Begin to serve; `simulator()` does this."""
        self._thread.start()
        self._ready.wait(_STOP_LIMIT)

    def stop(self) -> None:
        """End every response and close every socket; `simulator()` does this."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(_STOP_LIMIT)
        self._listener.close()
        self._refuser.close()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ready.set()
        await self._server.run(self._stop)

    def _answer(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[Step, ...]:
        dialect, request = read(self._board.next_number(), target, headers, body)
        self._board.begin(request)
        if method != "POST" or dialect is None:
            return plan(_no_such_door(method, request.path), OPENAI, request)
        if not request.model:
            return plan(_NO_MODEL, dialect, request)
        asked = {"model": request.model, **request.body}
        if self._strict and (said := complaint(dialect.name, asked)):
            return plan(ErrorReply(trouble=trouble_of(400, said)), dialect, request)
        return plan(
            _given(self._board.next_reply(request.model), request), dialect, request
        )

    def _when_closed(self) -> Signal:
        return self._board.when(lambda: self.open_streams == 0)

    def _when_asked(self, model: str, times: int) -> Signal:
        return self._board.when(lambda: self.count(model) >= times)

    @contextmanager
    def _explained(self, what: str, timeout: float) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            asked = ", ".join(request.model for request in self.requests) or "nothing"
            raise TimeoutError(
                f"not {what} within {timeout} s; responses in progress: "
                f"{self.open_streams}; asked so far: {asked}"
            ) from None


_NO_MODEL = ErrorReply(
    trouble=trouble_of(400, "you must provide a model parameter, in a JSON body")
)


def _given(reply: Reply, request: SimulatedRequest) -> Given:
    if not callable(reply):
        return reply
    try:
        return reply(request)
    except Exception as error:  # noqa: BLE001 - told to the client, as a server would
        return ErrorReply(trouble=trouble_of(500, f"the script raised {error!r}"))


def _no_such_door(method: str, path: str) -> ErrorReply:
    doors = ", ".join(PATHS)
    return ErrorReply(
        trouble=trouble_of(
            404, f"the simulator speaks POST {doors}, not {method} {path}"
        )
    )


def _url(listener: socket.socket) -> str:
    return "http://{}:{}".format(*listener.getsockname())
