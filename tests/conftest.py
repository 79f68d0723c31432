"""What all tests share: the four surfaces of a chat model, and a clock to turn."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.callbacks.base import BaseCallbackHandler

from langchain_reliable import ReliableChatModel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from langchain_core.messages import AIMessage, AIMessageChunk

T = TypeVar("T")

with suppress(ImportError):  # the partner packages' tests do without it
    from hypothesis import HealthCheck, settings

    # That a machine is busy with other work is no finding about the code.
    slow = [HealthCheck.too_slow]
    settings.register_profile(
        "busy", settings(), deadline=None, suppress_health_check=slow
    )
    settings.load_profile("busy")

SURFACES = ("invoke", "ainvoke", "stream", "astream")


_finishers: list[Callable[[], Awaitable[None]]] = []
"""What to do before an event loop ends; clients keep idle connections in theirs."""


def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """Run async work in a loop of its own and leave nothing open."""

    async def run() -> T:
        try:
            return await work
        finally:
            for finish in _finishers:
                await finish()

    return asyncio.run(run())


class FakeClock:
    """A clock that waits by moving on; chance is what the test says."""

    def __init__(self, chance: float = 0.5) -> None:
        self.time = 1000.0
        self.slept: list[float] = []
        self._chance = chance

    def now(self) -> float:
        return self.time

    def sleep_until(self, moment: float) -> None:
        self.slept.append(moment - self.time)
        self.time = moment

    async def asleep_until(self, moment: float) -> None:
        self.sleep_until(moment)

    def chance(self) -> float:
        return self._chance


class Listener(BaseCallbackHandler):
    """Hears what a caller's callbacks hear."""

    def __init__(self) -> None:
        self.starts = 0
        self.ends = 0
        self.errors = 0
        self.tokens: list[str] = []

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        self.starts += 1

    def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
        self.tokens.append(token if isinstance(token, str) else _text_of(token))

    def on_llm_end(self, *args: Any, **kwargs: Any) -> None:
        self.ends += 1

    def on_llm_error(self, *args: Any, **kwargs: Any) -> None:
        self.errors += 1


def _text_of(content: list[Any]) -> str:
    return "".join(block.get("text", "") for block in content)


@dataclass
class Outcome:
    """What came of one call, on whichever surface."""

    chunks: list[AIMessageChunk] = field(default_factory=list)
    message: AIMessage | None = None
    error: BaseException | None = None
    heard: Listener = field(default_factory=Listener)
    usage: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        assert self.message is not None, repr(self.error)
        return self.message.text

    @property
    def trail(self) -> dict[str, Any]:
        assert self.message is not None, repr(self.error)
        return self.message.response_metadata["reliable"]

    @property
    def attempts(self) -> list[str]:
        """The trail in words: who was asked, and what came of it."""
        return [
            f"{one['candidate']}: {one['kind'] or 'answered'}"
            for one in self.trail["attempts"]
        ]


class Surface:
    """Calls any model on one of the four surfaces and tells what came of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.streams = name.endswith("stream")

    def __call__(
        self, model: Any, /, question: Any = "hello?", **kwargs: Any
    ) -> Outcome:
        outcome = Outcome()
        usage = UsageMetadataCallbackHandler()
        kwargs.setdefault("config", {"callbacks": [outcome.heard, usage]})
        try:
            if self.name.startswith("a"):
                run_to_end(self._acall(model, question, kwargs, outcome))
            else:
                self._call(model, question, kwargs, outcome)
        except Exception as error:  # noqa: BLE001 - looked at by the test
            outcome.error = error
        outcome.usage = usage.usage_metadata
        return outcome

    def _call(self, model: Any, question: Any, kwargs: Any, outcome: Outcome) -> None:
        if not self.streams:
            outcome.message = model.invoke(question, **kwargs)
            return
        for chunk in model.stream(question, **kwargs):
            outcome.chunks.append(chunk)
        outcome.message = _added(outcome.chunks)

    async def _acall(
        self, model: Any, question: Any, kwargs: Any, outcome: Outcome
    ) -> None:
        if not self.streams:
            outcome.message = await model.ainvoke(question, **kwargs)
            return
        async for chunk in model.astream(question, **kwargs):
            outcome.chunks.append(chunk)
        outcome.message = _added(outcome.chunks)


def _added(chunks: list[AIMessageChunk]) -> AIMessage:
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return whole


@pytest.fixture(params=SURFACES)
def surface(request: pytest.FixtureRequest) -> Surface:
    """One of the four surfaces; a test with it runs on each."""
    return Surface(request.param)


@pytest.fixture
def at_end_of_loop() -> list[Callable[[], Awaitable[None]]]:
    """What to do before an event loop ends; add to it, and take it away again."""
    return _finishers


@pytest.fixture
def run() -> Callable[[Coroutine[Any, Any, T]], T]:
    """Runs async work in a loop of its own and leaves nothing open."""
    return run_to_end


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def reliable(clock: FakeClock) -> Callable[..., ReliableChatModel]:
    """Make a model whose waits pass at once, on the clock of the test."""

    def make(*models: Any, **settings: Any) -> ReliableChatModel:
        model = ReliableChatModel(models=list(models), **settings)
        model._clock = clock
        return model

    return make
