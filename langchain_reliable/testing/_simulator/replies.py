"""What the simulator may be told to reply, healthy or not.

A fault means the same to every API.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, TypeAlias

from langchain_reliable.testing._answers import Answer
from langchain_reliable.testing._simulator.troubles import Trouble
from langchain_reliable.testing._simulator.wire import SimulatedRequest

if TYPE_CHECKING:
    from langchain_reliable.testing._simulator.wire import Headers

OVERLOADED: Final = Trouble(kind="overloaded")


class Until(Enum):
    """How far a faulty response gets."""

    REQUEST = auto()
    """The request was read, nothing was sent."""
    HEADERS = auto()
    """Status and headers were sent."""
    OPENING = auto()
    """What precedes the first word was sent, as a role chunk or `message_start`."""
    PIECES = auto()
    """So many pieces of the answer were sent."""
    FINISH = auto()
    """Everything but the end-of-stream marker was sent."""


class Then(Enum):
    """What a faulty response does from there."""

    END = auto()
    """End the body as if nothing were missing."""
    CUT = auto()
    """Close the connection in the middle of the body."""
    RESET = auto()
    """Reset the connection."""
    HANG = auto()
    """Say nothing more."""
    PING = auto()
    """Keep the connection alive for a while, then say nothing more."""
    ERROR = auto()
    """Send an error event."""
    GARBLE = auto()
    """Send the next event broken, then go on."""
    BARE = auto()
    """Send the end-of-stream marker and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An answer that breaks on its way; build it with the constructors in `faults`.

    Attributes:
        answer: What would have been told.
        until: How far it gets.
        then: What happens there.
        after: For `Until.PIECES`, how many of them are told.
        seconds: How long a silence lasts before the connection is cut, or the time from
            one keep-alive to the next; `None` for a silence without an end.
        trouble: What an error event says.
    """

    answer: Answer
    until: Until
    then: Then
    after: int | None = None
    seconds: float | None = None
    trouble: Trouble = OVERLOADED


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorReply:
    """An error response: status, headers and a body in the words of the API.

    Attributes:
        trouble: What is wrong.
        headers: Further headers.
        text: A plain-text body in place of the API's own.
        ok: Send it with status 200, as some gateways do.
    """

    trouble: Trouble
    headers: Headers = ()
    text: str | None = None
    ok: bool = False


Given: TypeAlias = Answer | Fault | ErrorReply | str
"""What is replied to one request; a text stands for `says(text)`."""

Reply: TypeAlias = Given | Callable[[SimulatedRequest], Given]
"""What a script holds; a function decides when it sees the request."""
