"""What travels between the simulator's parts: requests, bytes on tape, steps.

The dialects, the plans and the server share these words.
"""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from langchain_reliable.testing._answers import Answer
    from langchain_reliable.testing._signals import Gate
    from langchain_reliable.testing._simulator.troubles import Trouble

Headers: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedRequest:
    """What the simulator was asked.

    Attributes:
        number: 1 for the simulator's first request, and so on.
        model: The `model` of the body.
        path: The path, without its query.
        headers: Header names in lower case, with their values.
        body: The parsed JSON body.
        streaming: Whether a stream was asked for.
        key: The API key that was sent, if any.
    """

    number: int
    model: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: Mapping[str, Any]
    streaming: bool
    key: str | None = field(repr=False)

    @property
    def wants_usage(self) -> bool:
        """Whether an OpenAI stream was asked to report usage."""
        options = self.body.get("stream_options")
        return isinstance(options, dict) and bool(options.get("include_usage"))


@dataclass(frozen=True, slots=True)
class Head:
    """Send status and headers."""

    status: int
    headers: Headers


@dataclass(frozen=True, slots=True)
class Send:
    """Send a part of the body."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Rest:
    """Let time pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Await:
    """Wait until the test opens the gate."""

    gate: Gate


@dataclass(frozen=True, slots=True)
class Hang:
    """Say nothing more until the client leaves."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """Send the same again and again until the client leaves."""

    data: bytes
    every: float


@dataclass(frozen=True, slots=True)
class Cut:
    """Close the connection in the middle of the body."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Close the connection with a TCP reset."""


Step: TypeAlias = Head | Send | Rest | Await | Hang | Repeat | Cut | Reset
"""What the server does next; after the last step the response ends as it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tape:
    """The body of a healthy response, in the parts at which faults can strike.

    Attributes:
        opening: What comes before anything a user could see.
        pieces: One entry per piece of the answer.
        finish: The finish marker and what belongs to it.
        done: The end-of-stream marker.
    """

    opening: tuple[bytes, ...]
    pieces: tuple[bytes, ...]
    finish: tuple[bytes, ...]
    done: tuple[bytes, ...] = ()


class Dialect(Protocol):
    """One API: how it spells answers and errors."""

    @property
    def name(self) -> str:
        """The provider whose API this is."""

    @property
    def stream_type(self) -> str:
        """The content type of its streams."""

    @property
    def waits_in_body(self) -> bool:
        """Whether it says in an error's body, not in a header, how long to wait."""

    def headers(
        self, request: SimulatedRequest, answer: Answer | None = None, /
    ) -> Headers:
        """Return the headers of a response, but its content type.

        A whole `answer` is given along: some APIs count its tokens there.
        """

    def stream(self, answer: Answer, request: SimulatedRequest) -> Tape:
        """Return the answer as the parts of a stream."""

    def document(self, answer: Answer, request: SimulatedRequest) -> dict[str, Any]:
        """Return the answer as one JSON object."""

    def bare_stream(self, request: SimulatedRequest, /) -> tuple[bytes, ...]:
        """Return a stream that only begins and ends."""

    def bare_document(self, request: SimulatedRequest) -> dict[str, Any]:
        """Return an answer that lacks everything that makes it one."""

    def status(self, trouble: Trouble) -> int:
        """Return the HTTP status for this trouble."""

    def error_headers(self, trouble: Trouble, /) -> Headers:
        """Return what only the headers of an error say, if there is any such thing."""

    def error(self, trouble: Trouble, request: SimulatedRequest) -> dict[str, Any]:
        """Return the body of an error response."""

    def error_event(self, trouble: Trouble, request: SimulatedRequest) -> bytes:
        """Return the error as an event inside a stream."""

    def broken(self, event: bytes, /) -> bytes:
        """Return an event of a stream with its payload damaged."""

    def keep_alive(self) -> bytes:
        """Return what only keeps the connection of a stream alive."""


def compact(value: Mapping[str, Any]) -> bytes:
    """Return `value` as JSON without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def seal(thought: str) -> str:
    """Return the signature under a thought; another thought has another one."""
    return b64encode(sha256(f"simulated {thought}".encode()).digest()).decode()


def dicts_in(value: object) -> Iterator[Mapping[str, Any]]:
    """Yield the JSON objects of a list; nothing of what is none."""
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))
