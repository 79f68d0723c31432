"""What every child is asked with, and what every child can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableBinding

from langchain_reliable._children.rebuild import model_field

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Awaitable,
        Callable,
        Hashable,
        Iterator,
        Mapping,
    )

    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, ChatResult
    from langchain_core.runnables import Runnable, RunnableConfig

    from langchain_reliable._children.structured_output import (
        ChildOutput,
        OutputReader,
        OutputSpec,
    )
    from langchain_reliable.candidates import Candidate


class Request(NamedTuple):
    """What the caller asked for, the same for every child.

    Attributes:
        messages: What is said.
        stop: Words to stop at.
        kwargs: The call's keywords.
        output: What becomes of its structured output, if that was asked for.
        as_events: Whether LangChain makes protocol events of the chunks, for which it
            takes them as the child made them.
        given: The messages as they were given, whatever becomes of the list.
        contents: What they held then.
        config: The config of the call, where a child may read it.
        account_of: Tells whose account a candidate uses, by its name.
    """

    messages: list[BaseMessage]
    stop: list[str] | None
    kwargs: Mapping[str, Any]
    output: OutputReader | None = None
    as_events: bool = False
    given: tuple[BaseMessage, ...] = ()
    contents: tuple[Any, ...] = ()
    config: RunnableConfig | None = None
    account_of: Callable[[str], Hashable | None] | None = None

    def afresh(self) -> Request:
        """Return the request for a further attempt: nobody has edited its messages.

        The first attempt is handed the caller's own, as a bare model is. A message is
        copied, and what it holds is shared.
        """
        messages = [
            message.model_copy(update={"content": content})
            for message, content in zip(self.given, self.contents, strict=True)
        ]
        return self._replace(messages=messages)


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

    def aanswer(self, request: Request) -> Awaitable[ChatResult]:
        """Return its answer in one piece; the twin of `answer`."""

    def output_for(
        self, spec: OutputSpec, config: RunnableConfig | None = None
    ) -> ChildOutput:
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


def with_own(kwargs: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return call keywords as a candidate wants them: its own win, `None` removes."""
    merged = {**kwargs, **own}
    return {n: v for n, v in merged.items() if v is not None or n not in own}


# --- what a user wrote in `models` --------------------------------------------------


def own_model(candidate: Candidate) -> str | None:
    """Return the name of a candidate's own model, where it has one."""
    model, kwargs, _ = unwrapped(candidate.model)
    if isinstance(bound := kwargs.get("model"), str):
        return bound
    if not isinstance(model, BaseChatModel):
        return None
    name = getattr(model, model_field(model) or "model_name", None)
    return name if isinstance(name, str) and name else None


def bare_model(candidate: Candidate) -> Runnable[Any, Any]:
    """Return a candidate's child without the bindings around it."""
    return unwrapped(candidate.model)[0]


def unwrapped(
    model: Runnable[Any, Any],
) -> tuple[Runnable[Any, Any], dict[str, Any], list[RunnableConfig]]:
    """Take plain bindings off a model; one with listeners is left as it is."""
    kwargs: dict[str, Any] = {}
    configs: list[RunnableConfig] = []
    while isinstance(model, RunnableBinding) and not model.config_factories:
        kwargs = {**model.kwargs, **kwargs}
        configs.insert(0, model.config)
        model = model.bound
    return model, kwargs, configs
