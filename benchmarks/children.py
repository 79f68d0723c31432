"""The models beneath the contestants.

Making a row's children lives here: one to be asked, one that stands behind it, and the
one that the bare contestant asks. Who wraps them, and what is asked, never does.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from langchain_core.exceptions import ModelTimeoutError
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.utils.function_calling import convert_to_openai_tool
from typing_extensions import override

from benchmarks.provider import BROKEN, MISSING, SILENT, refusing, saying
from langchain_reliable import Candidate, Group, ReliableChatModel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from langchain_core.callbacks import (
        AsyncCallbackManagerForLLMRun,
        CallbackManagerForLLMRun,
    )
    from langchain_core.messages import BaseMessage

    from langchain_reliable.candidates import Order

WORD = "word "


class Instant(BaseChatModel):
    """Answers at once, at the lowest price that LangChain permits.

    LangChain writes into the chunks that it gets, so each has to be a new one.
    """

    model: str = "instant"
    chunks: int = 1
    lets_others_go_first: bool = False
    """Whether the event loop gets a turn before each chunk, as it does on a network."""

    @property
    def _llm_type(self) -> str:
        return "instant"

    @override
    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        """Bind tools, as most partner classes do."""
        return self.bind(tools=[convert_to_openai_tool(one) for one in tools], **kwargs)

    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return _answer()

    @override
    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return _answer()

    @override
    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for left in range(self.chunks - 1, -1, -1):
            chunk = _chunk() if left else _last_chunk()
            if run_manager:
                run_manager.on_llm_new_token(WORD, chunk=chunk)
            yield chunk

    @override
    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        turns = self.lets_others_go_first
        for left in range(self.chunks - 1, -1, -1):
            if turns:
                await asyncio.sleep(0)
            chunk = _chunk() if left else _last_chunk()
            if run_manager:
                await run_manager.on_llm_new_token(WORD, chunk=chunk)
            yield chunk


class Dead(Instant):
    """Fails at once, in a way that sends a call to the next model without a wait."""

    @override
    def _generate(self, *_args: Any, **_kwargs: Any) -> ChatResult:
        raise ModelTimeoutError("no answer")

    @override
    async def _agenerate(self, *_args: Any, **_kwargs: Any) -> ChatResult:
        raise ModelTimeoutError("no answer")


class Wordy(Instant):
    """Fails at once, with so many MiB of an answer that says why.

    `chunks` is their number.
    """

    @override
    def _generate(self, *_args: Any, **_kwargs: Any) -> ChatResult:
        error = ModelTimeoutError("no answer")
        error.body = "x" * (self.chunks * 2**20)  # type: ignore[attr-defined] # as SDKs have it
        raise error


def _answer() -> ChatResult:
    message = AIMessage(content=WORD, response_metadata={"finish_reason": "stop"})
    return ChatResult(generations=[ChatGeneration(message=message)])


def _chunk() -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(content=WORD))


def _last_chunk() -> ChatGenerationChunk:
    return ChatGenerationChunk(
        message=AIMessageChunk(content=WORD, chunk_position="last"),
        generation_info={"finish_reason": "stop"},
    )


@dataclass(frozen=True)
class Children:
    """A row's models.

    Attributes:
        models: Whom the wrappers ask, in order.
        direct: Whom the bare contestant asks.
        order: Of the group that they make, if they make one.
        first_is_dead: Whether the first shall go by the name of `dead`.
        settings: Further fields of our model.
        wire: Their names and addresses, for who asks from another process.
    """

    models: tuple[Any, ...]
    direct: BaseChatModel
    order: Order | None = None
    first_is_dead: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    wire: tuple[tuple[str, str], ...] = ()


def healthy(make: Callable[..., BaseChatModel], *args: Any) -> Children:
    """Return two healthy models, the second of which will not be needed."""
    first = make(*args)
    return Children((first, make(*args)), first)


def instant(chunks: int, _url: Callable[[], str]) -> Children:
    return healthy(lambda: Instant(chunks=chunks))


def taking_turns(chunks: int, _url: Callable[[], str]) -> Children:
    return healthy(lambda: Instant(chunks=chunks, lets_others_go_first=True))


def instant_after_a_dead_one(chunks: int, _url: Callable[[], str]) -> Children:
    live = Instant(chunks=chunks)
    return Children((Dead(model="dead"), live), live)


def wordy_and_dead(chunks: int, _url: Callable[[], str]) -> Children:
    models = tuple(Wordy(model=f"wordy-{at}", chunks=chunks) for at in range(5))
    return Children(models, models[0])


def instant_group(
    chunks: int, _url: Callable[[], str], *, count: int, order: Order
) -> Children:
    members = tuple(
        Candidate(
            Instant(model=f"member-{at}", chunks=chunks),
            name=f"member-{at}",
            weight=1 + at % 3,
            price=(1.0 + at, 2.0),
        )
        for at in range(count)
    )
    return Children(members, Instant(chunks=chunks), order=order)


def limited(chunks: int, _url: Callable[[], str], **limits: Any) -> Children:
    """Return two models of which the first has limits; ours without any is bare."""
    first, second = (Instant(model=name, chunks=chunks) for name in ("first", "second"))
    free = ReliableChatModel(models=[first, second])
    return Children((Candidate(first, **limits), second), free)


def in_conversations(
    chunks: int, _url: Callable[[], str], *, count: int, order: Order
) -> Children:
    """Return a group with conversations; the same one that takes turns is bare."""
    group = instant_group(chunks, _url, count=count, order=order)
    turns = ReliableChatModel(models=[Group(group.models, order=order)])
    return replace(group, direct=turns, settings={"sticky": "thread_id"})


def instant_after_many_dead(
    chunks: int, _url: Callable[[], str], *, count: int, order: Order | None
) -> Children:
    dead = tuple(
        Candidate(Dead(model=f"dead-{at}"), name=f"dead-{at}") for at in range(count)
    )
    live = Instant(chunks=chunks)
    return Children((*dead, live), live, order=order)


def openai(chunks: int, url: Callable[[], str]) -> Children:
    name, at = saying(chunks), url()
    two = healthy(_chat_openai, name, at)
    return replace(two, wire=((name, f"{at}/v1"),) * 2)


def openai_without_wire(_chunks: int, _url: Callable[[], str]) -> Children:
    """Return clients whose transport answers at once: all of the SDK runs."""
    return healthy(_patched_openai, "gpt")


def openai_without_wire_after_a_dead_one(
    _chunks: int, _url: Callable[[], str]
) -> Children:
    live = _patched_openai("gpt")
    return Children(
        (_patched_openai("gpt", status=503), live), live, first_is_dead=True
    )


def openai_after_a_refusing_one(chunks: int, url: Callable[[], str]) -> Children:
    name, at = saying(chunks), url()
    return _pair_of_openai(("dead", refusing()), (name, at))


def openai_after_a_broken_one(chunks: int, url: Callable[[], str]) -> Children:
    name, at = saying(chunks), url()
    return _pair_of_openai((BROKEN, at), (name, at))


def _pair_of_openai(*places: tuple[str, str]) -> Children:
    first, live = (_chat_openai(name, at) for name, at in places)
    wire = tuple((name, f"{at}/v1") for name, at in places)
    return Children((first, live), live, first_is_dead=True, wire=wire)


def anthropic(chunks: int, url: Callable[[], str]) -> Children:
    return healthy(_chat_anthropic, saying(chunks), url())


def openai_after_a_missing_one(chunks: int, url: Callable[[], str]) -> Children:
    live = _chat_openai(saying(chunks), url())
    return Children((_chat_openai(MISSING, url()), live), live)


def openai_beside_a_silent_one(chunks: int, url: Callable[[], str]) -> Children:
    live = _chat_openai(saying(chunks), url())
    return Children((_chat_openai(SILENT, url()), live), live)


def _chat_openai(model: str, url: str) -> BaseChatModel:
    from langchain_openai import ChatOpenAI  # noqa: PLC0415 - only where it is measured

    return ChatOpenAI(
        model=model, base_url=f"{url}/v1", api_key="none-needed", stream_usage=True
    )


def _patched_openai(model: str, *, status: int = 200) -> BaseChatModel:
    import httpx2  # noqa: PLC0415 - as above
    from langchain_openai import ChatOpenAI  # noqa: PLC0415 - as above

    def reply(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, json=_COMPLETION)

    client = httpx2.Client(transport=httpx2.MockTransport(reply))
    return ChatOpenAI(
        model=model, api_key="none-needed", http_client=client, max_retries=0
    )


_COMPLETION: Final = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_790_000_000,
    "model": "gpt",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": WORD},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


def _chat_anthropic(model: str, url: str) -> BaseChatModel:
    from langchain_anthropic import ChatAnthropic  # noqa: PLC0415 - as above

    return ChatAnthropic(
        model=model, base_url=url, api_key="none-needed", max_tokens=4096
    )
