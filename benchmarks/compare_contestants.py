"""Who is compared: each one asks the same two models, and tells what a caller sees."""

from __future__ import annotations

import json
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import AIMessageChunk
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from benchmarks.provider import ROOT
from langchain_reliable import ReliableChatModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LITELLM: Final = "LiteLLM Router"
TIMEOUT: Final = 0.5
"""Seconds that each client waits for a silent socket; ours gets the same limits."""
_NO_END: Final = 20.0
_QUESTION: Final = "hello?"


@dataclass
class Seen:
    """What a caller has seen of one call."""

    text: str = ""
    arguments: list[Any] = field(default_factory=list)
    error: str | None = None
    ended: bool = False


def _three_times(first: ChatOpenAI) -> Any:
    return first.with_retry(stop_after_attempt=3, wait_exponential_jitter=False)


def _as_it_is(first: ChatOpenAI) -> Any:
    return first


@dataclass(frozen=True)
class Contestant:
    """One way to use two chat models."""

    build: Callable[[Any, ChatOpenAI], Any]
    ask: Callable[[Any, Seen], None]
    with_retries: Callable[[Any], Any] = _three_times

    def asker(self, base_url: str, *, retries: bool) -> Callable[[], Seen]:
        """Build it once, and return what asks it.

        Args:
            base_url: Where the simulator is.
            retries: Whether two retries are asked for in its own way. LangChain's
                `with_retry` holds for whole answers alone, so those are asked for.
        """
        first, second = (_client(name, base_url) for name in ("first", "second"))
        if not retries:
            model = self.build(first, second)
            return lambda: _watched(lambda seen: self.ask(model, seen))
        model = self.build(self.with_retries(first), second)
        ask = _whole if self.ask is _stream else self.ask
        return lambda: _watched(lambda seen: ask(model, seen))


def _watched(ask: Callable[[Seen], None]) -> Seen:
    """Ask in a thread, so that a call without an end is told and not waited for."""
    seen = Seen()

    def run() -> None:
        try:
            ask(seen)
        except Exception as error:  # noqa: BLE001 - told, whatever it is
            seen.error = f"`{type(error).__name__}`"
        seen.ended = True

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(_NO_END)
    return seen


def _client(name: str, base_url: str) -> ChatOpenAI:
    return ChatOpenAI(
        model=name,
        base_url=base_url,
        api_key=SecretStr("sk-test"),
        timeout=TIMEOUT,
    )


def _stream(model: Any, seen: Seen) -> None:
    """Stream as a chat does; tools are run with what the joined chunks say."""
    whole: Any = None
    for chunk in model.stream(_QUESTION):
        seen.text += chunk.text
        whole = chunk if whole is None else whole + chunk
    seen.arguments += [call["args"] for call in whole.tool_calls] if whole else []


def _whole(model: Any, seen: Seen) -> None:
    seen.text = model.invoke(_QUESTION).text


def _agent(first: Any, second: ChatOpenAI, *more: Any) -> Any:
    from langchain.agents import create_agent  # noqa: PLC0415 - slow
    from langchain.agents.middleware import (  # noqa: PLC0415 - as above
        ModelFallbackMiddleware,
    )

    def write_file(path: str = "", content: str = "") -> str:
        """Write a file."""
        return f"{path}: {len(content)} characters"

    return create_agent(
        first,
        tools=[write_file],
        middleware=[ModelFallbackMiddleware(second), *more],
    )


@dataclass(frozen=True)
class _Agent(Contestant):
    """An agent, whose retries are a middleware of LangChain's too."""

    def asker(self, base_url: str, *, retries: bool) -> Callable[[], Seen]:
        from langchain.agents.middleware import (  # noqa: PLC0415 - slow
            ModelRetryMiddleware,
        )

        more = ModelRetryMiddleware(max_retries=2, initial_delay=0, on_failure="error")
        first, second = (_client(name, base_url) for name in ("first", "second"))
        agent = _agent(first, second, *([more] if retries else []))
        return lambda: _watched(lambda seen: _stream_agent(agent, seen))


def _stream_agent(agent: Any, seen: Seen) -> None:
    """Stream the tokens of an agent, and note which tools it has run."""
    asked = {"messages": [{"role": "user", "content": _QUESTION}]}
    for mode, told in agent.stream(asked, stream_mode=["messages", "updates"]):
        if mode == "messages" and isinstance(told[0], AIMessageChunk):
            seen.text += told[0].text
        elif mode == "updates" and "model" in told:
            last = told["model"]["messages"][-1]
            seen.arguments += [call["args"] for call in last.tool_calls]


def _ours(first: ChatOpenAI, second: ChatOpenAI) -> ReliableChatModel:
    return ReliableChatModel(
        models=[first, second],
        initial_backoff=0.02,
        first_chunk_timeout=TIMEOUT,
        idle_timeout=TIMEOUT,
    )


CONTESTANTS: Final = {
    "bare": Contestant(lambda first, _: first, _stream),
    "with_fallbacks": Contestant(
        lambda first, second: first.with_fallbacks([second]), _stream
    ),
    "ModelFallbackMiddleware": _Agent(_agent, _stream_agent),
    "ours": Contestant(_ours, _stream, _as_it_is),
}


class LiteLLMWorker:
    """LiteLLM's Router in its own environment, asked over a pipe."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Wait until it says which version it is.

        Args:
            process: Runs `compare_litellm.py`.
        """
        self._process = process
        self.version: str = self._answer()["version"]
        self._routers = 0

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[LiteLLMWorker | None]:
        """Run it; `None` where there is no environment of its own."""
        python = ROOT / ".venv-litellm" / "bin" / "python"
        if not python.exists():
            yield None
            return
        with subprocess.Popen(  # noqa: S603 - a file of ours
            [str(python), str(ROOT / "benchmarks" / "compare_litellm.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield cls(process)
            finally:
                process.terminate()

    def asker(self, base_url: str) -> Callable[[], Seen]:
        """Make a new Router there, and return what asks it."""
        self._routers += 1
        number = self._routers
        wish = {"router": number, "base_url": base_url, "timeout": TIMEOUT}
        return lambda: Seen(**self._asked(wish))

    def _asked(self, wish: dict[str, Any]) -> dict[str, Any]:
        if self._process.stdin is None:
            raise RuntimeError("no pipe")
        self._process.stdin.write(json.dumps(wish) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        if self._process.stdout is None:
            raise RuntimeError("no pipe")
        while line := self._process.stdout.readline():
            if line.startswith("{"):
                answer: dict[str, Any] = json.loads(line)
                return answer
        raise RuntimeError("LiteLLM's process has ended; it said why above")
