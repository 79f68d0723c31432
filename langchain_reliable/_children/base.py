"""What every child is asked with, and what every child can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, ChatResult

    from langchain_reliable._children.structured_output import (
        ChildOutput,
        OutputReader,
        OutputSpec,
    )


class Request(NamedTuple):
    """What the caller asked for, the same for every child.

    Attributes:
        messages: What is said.
        stop: Words to stop at.
        kwargs: The call's keywords.
        output: What becomes of its structured output, if that was asked for.
        as_events: Whether LangChain makes protocol events of the chunks, for which it
            takes them as the child made them.
    """

    messages: list[BaseMessage]
    stop: list[str] | None
    kwargs: Mapping[str, Any]
    output: OutputReader | None = None
    as_events: bool = False


class Child(Protocol):
    """One child, ready to be called."""

    sends_finish: bool
    """Whether its streams are known to end with a finish reason; learned as well."""

    streams_inside: bool
    """Whether its whole answers are made of a stream that ends with a finish reason."""

    marks_its_end: bool
    """Whether a chunk that is marked as the last is so by the provider's own word."""

    def streams(self, request: Request, *, async_api: bool) -> bool:
        """Return whether its answer to this request would arrive in pieces."""

    @property
    def is_rate_limited(self) -> bool:
        """Whether it has a rate limiter to wait for."""

    def answers_in_pieces(self, request: Request, *, async_api: bool) -> bool:
        """Return whether it streams even where a whole answer is asked for."""

    def take_turn(self) -> None:
        """Wait for its rate limiter, if it has one."""

    async def atake_turn(self) -> None:
        """Wait for its rate limiter; the twin of `take_turn`."""

    def chunks(self, request: Request) -> Iterator[ChatGenerationChunk]:
        """Stream its answer."""

    def achunks(self, request: Request) -> AsyncIterator[ChatGenerationChunk]:
        """Stream its answer; the twin of `chunks`."""

    def answer(self, request: Request) -> ChatResult:
        """Return its answer in one piece."""

    async def aanswer(self, request: Request) -> ChatResult:
        """Return its answer in one piece; the twin of `answer`."""

    def output_for(self, spec: OutputSpec) -> ChildOutput:
        """Return how it is asked for structured output, and how that is read."""

    def ls_params(self, request: Request) -> Mapping[str, Any]:
        """Return what tracers are told of its model; nothing if it is none."""

    def tokens_in(self, messages: list[BaseMessage], tools: Any, **kwargs: Any) -> int:
        """Return how many tokens it takes these for; its API may be asked for it."""


@dataclass(frozen=True, slots=True)
class ChildConfig:
    """How a child is to be prepared; what is prepared is kept by it.

    Attributes:
        model: The model to ask it for; `None` means as it is.
        manage_retries: Whether its SDK's own retries are to be off.
        read_timeout: Seconds after which its client is to give up a silent socket;
            `None` leaves the client's own.
    """

    model: str | None = None
    manage_retries: bool = True
    read_timeout: float | None = None
