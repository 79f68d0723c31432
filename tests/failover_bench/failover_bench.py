"""The sixteen faults of the public Failover Bench, rebuilt on the simulator.

Each fault strikes a primary; a healthy backup stands behind it. Every contestant gets
the same real clients (`ChatOpenAI`, a time-out of 30 s, two retries of their SDK), as
LangChain's row of the public bench does. `bench_rules` says what is asked of them.

Run it as a command for the table: `make failover-bench`. Its time is real, so it takes
about two minutes; all scenarios run beside each other. In the tests time runs fast.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from bench_pace import Pace
from bench_rules import (
    CLIENT_RETRIES,
    CLIENT_TIMEOUT,
    INTERVAL,
    SCENARIOS,
    Call,
    Scenario,
    Seen,
    answers,
)
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_openai import ChatOpenAI
from langchain_openai.chat_models import _client_utils as caches

from langchain_reliable import ReliableChatModel
from langchain_reliable.testing import Simulator, simulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterable

    from langchain_reliable.testing import Reply, SimulatedRequest

SURFACES = ("stream", "astream")
TOKEN = 0.015
"""Seconds between two tokens where time is real."""
GRACE = 5.0
"""Real seconds that a busy machine may take beyond what time running fast asks for."""
APART = 0.3
"""Seconds from one scenario's beginning to the next one's."""
PUBLISHED = {
    "LangChain ChatOpenAI + with_fallbacks": "9 pass, 3 partial, 4 safe",
    "LiteLLM Router, as it comes and tuned": "9 pass, 3 partial, 4 safe",
    "LiteLLM proxy": "9 pass, 3 partial, 4 safe",
    "Bifrost v2.1.1": "9 pass, 3 partial, 3 safe, 1 fail",
    "Portkey Gateway": "11 pass, 2 partial, 3 fail",
    "DeepSeek Harness + dsh-llm-fallbacks": "12 pass, 3 partial, 1 safe",
    "the bench's own reference client": "16 pass",
}
SOURCE = (
    "github.com/failoverbench/failoverbench, results/full/SCORECARD.md of 2026-09-12"
)


# --- contestants ------------------------------------------------------------------

Contestant: TypeAlias = Callable[[ChatOpenAI, ChatOpenAI, Pace], Any]


def with_fallbacks(primary: ChatOpenAI, backup: ChatOpenAI, _: Pace) -> Any:
    """Use what LangChain brings along."""
    return primary.with_fallbacks([backup])


def ours(**limits: Any) -> Contestant:
    """Use a `ReliableChatModel`; numbers are limits in the bench's seconds."""

    def contestant(
        primary: ChatOpenAI, backup: ChatOpenAI, pace: Pace
    ) -> ReliableChatModel:
        settings = dict(limits)
        if pace.second != 1:
            settings = {"first_chunk_timeout": 60.0, "idle_timeout": 60.0, **settings}
        scaled = {
            name: value * pace.second if isinstance(value, float) else value
            for name, value in settings.items()
        }
        model = ReliableChatModel(models=[primary, backup], **scaled)
        model._clock = pace
        return model

    return contestant


SET = {"commit_on": "complete", "first_chunk_timeout": 10.0, "idle_timeout": 10.0}
CONTESTANTS: dict[str, Contestant] = {
    "with_fallbacks": with_fallbacks,
    "ours, defaults": ours(),
    "ours, set": ours(**SET),
}


# --- one call ---------------------------------------------------------------------


@dataclass
class Caller:
    """Asks a model on one surface."""

    surface: str
    pace: Pace

    async def ask(self, model: Any, longest: float, *, whole: bool = False) -> Call:
        """Ask, and wait for an end as long as can be expected."""
        call = Call(began=self.pace.seconds())
        carried_out = self._ainvoke if whole else self._astream
        if self.surface == "stream":
            blocking = self._invoke if whole else self._stream
            work = _in_thread(lambda: _noted(call, lambda: blocking(model, call)))
        else:
            work = _anoted(call, carried_out(model, call))
        with suppress(TimeoutError):
            await asyncio.wait_for(work, longest * self.pace.second + GRACE)
        call.seconds = self.pace.seconds() - call.began
        if whole:  # nothing in it waits at a socket, so its seconds are no shorter ones
            call.seconds *= self.pace.second
        return call

    def _stream(self, model: Any, call: Call) -> None:
        usage = UsageMetadataCallbackHandler()
        for chunk in model.stream("hello?", config={"callbacks": [usage]}):
            _take(call, chunk)
        call.counted = dict(usage.usage_metadata)

    async def _astream(self, model: Any, call: Call) -> None:
        usage = UsageMetadataCallbackHandler()
        async for chunk in model.astream("hello?", config={"callbacks": [usage]}):
            _take(call, chunk)
        call.counted = dict(usage.usage_metadata)

    def _invoke(self, model: Any, call: Call) -> None:
        _take(call, model.invoke("hello?"))

    async def _ainvoke(self, model: Any, call: Call) -> None:
        _take(call, await model.ainvoke("hello?"))


def _take(call: Call, message: Any) -> None:
    call.shown += message.text
    named = message.response_metadata.get("model_name")
    call.model_name = call.model_name or named
    call.has_usage = call.has_usage or bool(message.usage_metadata)


def _noted(call: Call, work: Callable[[], None]) -> None:
    try:
        work()
    except Exception as error:  # noqa: BLE001 - judged later
        call.error = error
    call.ended = True


async def _anoted(call: Call, work: Awaitable[None]) -> None:
    try:
        await work
    except Exception as error:  # noqa: BLE001 - judged later
        call.error = error
    call.ended = True


async def _in_thread(work: Callable[[], None]) -> None:
    """Work in a thread that nobody has to wait for in the end."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def run() -> None:
        work()
        with suppress(RuntimeError):  # nobody waits any more
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=run, daemon=True).start()
    await done.wait()


# --- one scenario -----------------------------------------------------------------


def struck(
    scenario: Scenario, contestant: Contestant, surface: str, *, fast: bool
) -> Seen:
    """Let a fault strike a contestant, on a simulator of its own."""
    return asyncio.run(_seen(scenario, contestant, surface, fast))


async def _seen(
    scenario: Scenario,
    contestant: Contestant,
    surface: str,
    fast: bool,  # noqa: FBT001 - passed on
) -> Seen:
    pace = Pace(scenario.second, fast=fast)
    seen = Seen(grace=pace.grace)
    caller = Caller(surface, pace)
    first, second = answers(0.0 if fast else TOKEN)
    with simulator() as sim:
        async with _clients(sim, pace) as clients:
            model = contestant(*clients, pace)
            replies = scenario.script(first, pace)
            noting = [_noting(one, seen, seen.primary, pace) for one in replies]
            sim.script("primary", *noting)
            sim.script("backup", _noting(second, seen, seen.backup, pace))
            pace.begin()
            for number in range(scenario.calls):
                await pace.wait_for(number * INTERVAL)
                seen.calls.append(await caller.ask(model, scenario.longest))
            sim.script("primary", first)
            seen.healthy = await caller.ask(model, scenario.longest, whole=True)
    return seen


def _noting(
    reply: Reply, seen: Seen, moments: list[float], pace: Pace
) -> Callable[[SimulatedRequest], Any]:
    """Give the same reply, and note when it was asked for."""

    def given(request: SimulatedRequest) -> Any:
        moments.append(pace.seconds())
        seen.prefilled |= request.body["messages"][-1]["role"] == "assistant"
        return reply(request) if callable(reply) else reply

    return given


@asynccontextmanager
async def _clients(sim: Simulator, pace: Pace) -> AsyncIterator[list[ChatOpenAI]]:
    clients = [
        ChatOpenAI(
            model=name,
            base_url=sim.openai_url,
            api_key="sk-test",
            stream_usage=True,
            max_retries=CLIENT_RETRIES,
            timeout=CLIENT_TIMEOUT * pace.second,
        )
        for name in ("primary", "backup")
    ]
    try:
        yield clients
    finally:
        for client in clients:
            client.root_client.close()
            await client.root_async_client.close()


# --- all of them ------------------------------------------------------------------

Cell: TypeAlias = tuple[str, str, str]
"""A contestant, a surface, a scenario."""


def all_struck(cells: Iterable[Cell], *, fast: bool) -> dict[Cell, Seen]:
    """Let every fault strike, all at nearly the same time."""
    seen: dict[Cell, Seen] = {}
    scenarios = {one.name: one for one in SCENARIOS}

    def fill(cell: Cell) -> None:
        name, surface, fault = cell
        scenario, contestant = scenarios[fault], CONTESTANTS[name]
        seen[cell] = struck(scenario, contestant, surface, fast=fast)

    threads = [threading.Thread(target=fill, args=(one,), daemon=True) for one in cells]
    for thread in threads:
        thread.start()
        thread.join(APART)
    for thread in threads:
        thread.join()
    forget_clients()
    return seen


def forget_clients() -> None:
    """Drop what `ChatOpenAI` keeps of each address."""
    caches._cached_sync_httpx_client.cache_clear()
    caches._cached_async_httpx_client.cache_clear()


def table(words: dict[Cell, str]) -> str:
    """Return the verdicts as text: a line per fault, a column per contestant."""
    columns = list(dict.fromkeys((name, surface) for name, surface, _ in words))
    heads = [", ".join(column) for column in columns]
    width = max(len(scenario.name) for scenario in SCENARIOS)
    lines = ["  ".join([" " * width, *heads])]
    for scenario in SCENARIOS:
        row = [
            words[(*column, scenario.name)].ljust(len(head))
            for column, head in zip(columns, heads, strict=True)
        ]
        lines.append("  ".join([scenario.name.ljust(width), *row]).rstrip())
    lines += ["", "measured here:"]
    for column, head in zip(columns, heads, strict=True):
        lines.append(f"  {head}: {_summed(words, column)}")
    lines += ["", f"published ({SOURCE}):"]
    lines += [f"  {name}: {summed}" for name, summed in PUBLISHED.items()]
    return "\n".join([*lines, ""])


def _summed(words: dict[Cell, str], column: tuple[str, str]) -> str:
    count = Counter(word for cell, word in words.items() if cell[:2] == column)
    order = ("pass", "partial", "safe", "fail")
    return ", ".join(f"{count[word]} {word}" for word in order if count[word])


def reasons(seen: dict[Cell, Seen]) -> str:
    """Return why a verdict is no pass, a line each."""
    lines = ["why:"]
    for scenario in SCENARIOS:
        for (name, surface, fault), one in seen.items():
            if fault == scenario.name and (word := scenario.verdict(one)) != "pass":
                lines.append(
                    f"  {name}, {surface}, {fault}: {word}: {scenario.why(one)}"
                )
    return "\n".join([*lines, ""])


def main() -> None:
    """Print the table, and why a verdict is no pass."""
    logging.getLogger("langchain_reliable").setLevel(logging.CRITICAL)
    cells = [
        (name, surface, scenario.name)
        for name in CONTESTANTS
        for surface in SURFACES
        for scenario in SCENARIOS
    ]
    seen = all_struck(cells, fast=False)
    judges = {scenario.name: scenario.verdict for scenario in SCENARIOS}
    words = {cell: judges[cell[-1]](seen[cell]) for cell in cells}
    sys.stdout.write(f"{table(words)}\n{reasons(seen)}")


if __name__ == "__main__":
    main()
