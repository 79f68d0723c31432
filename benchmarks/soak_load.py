"""Chance: which model is asked, for what, what strikes it, and when we leave.

Everything here follows from the seed. What happens when is up to the machine.
"""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING, Any, Final

from langchain_anthropic import ChatAnthropic
from langchain_core.runnables import ConfigurableField
from langchain_openai import ChatOpenAI

from benchmarks.soak_calls import (
    ASYNC_WAYS,
    KINDS,
    RESTARTABLE,
    WAYS,
    Call,
    Contender,
    contender,
)
from benchmarks.soak_reuse import ReusingChatAnthropic, ReusingChatOpenAI
from benchmarks.soak_signals import ANSWER
from benchmarks.soak_stage import CANDIDATES, HEALTHY, PINGS, Plan
from langchain_reliable import (
    CallOptions,
    CircuitBreaker,
    Group,
    Health,
    Hedge,
    ReliableChatModel,
)
from langchain_reliable.observers import Timeline
from langchain_reliable.testing import FAULTS, ScriptedChatModel

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENTS_OWN: Final = 1.0
"""The clients' own time-out, in seconds."""
_LIMIT: Final = 0.25
_LIMITS: Final[dict[str, dict[str, float | None]]] = {
    "no limit": {"first_chunk_timeout": None, "idle_timeout": None},
    "stream limits": {"first_chunk_timeout": _LIMIT, "idle_timeout": _LIMIT},
    "attempt limit": {"idle_timeout": _LIMIT, "attempt_timeout": 1.5 * _LIMIT},
    "total limit": {"first_chunk_timeout": _LIMIT, "total_timeout": 4 * _LIMIT},
}
_HEDGES: Final = (
    None,
    Hedge(after=0.1, whole_after=0.1, max_share=1.0),
    Hedge(after=_LIMIT / 2, whole_after=2 * _LIMIT, max_share=0.2),
    Hedge(after="p95", max_share=1.0),
    None,
)
"""Five, so that each meets all limits and all ways to commit."""
_FORKED: Final[dict[str, Any]] = {
    "first_chunk_timeout": _LIMIT,
    "idle_timeout": _LIMIT,
    "commit_on": "complete",
    "initial_backoff": 0.02,
    "max_retry_after": 0.1,
}
_COMMITS: Final = ("first_chunk", "payload", "text", "complete")
_FAMILIES: Final = ("openai", "anthropic")
_FAULTS: Final = sorted({*FAULTS, "trickle", PINGS})
_COMPARED: Final = 0.25
"""Share of the calls that are healthy and timed, half of them at the bare child."""


class Load:
    """Makes calls by chance."""

    def __init__(self, url: str, seed: int) -> None:
        chance = random.Random(seed)
        self._url = url
        self._numbers = itertools.count(1)
        self._models = {
            (family, name, reuses): _client(family, name, url, reuses=reuses)
            for family in _FAMILIES
            for name in CANDIDATES
            for reuses in (False, True)
        }
        self._health = Health()
        self._timeline = Timeline()
        self._contenders = [
            self._contender(chance, at) for at in range(4 * len(_LIMITS))
        ]
        self._pairs = {
            family: (
                Contender(name=f"bare {family}", views={"text": bare}, health=Health()),
                contender(f"plain {family}", ReliableChatModel(models=[bare, second])),
            )
            for family in _FAMILIES
            for bare, second in [
                (self._models[family, n, False] for n in ("first", "second"))
            ]
        }

    def chance(self, name: str) -> random.Random:
        return random.Random(name)

    # --- calls ----------------------------------------------------------------------

    def call(self, chance: random.Random, *, async_: bool) -> Call:
        """Return any call."""
        way = chance.choice(ASYNC_WAYS if async_ else WAYS)
        asked = chance.choice(self._contenders)
        if asked.reuses and (way == "events" or way in RESTARTABLE):
            way = "astream" if async_ else "stream"  # LangChain adds up what it keeps
        if "agent" in way and "agent" not in asked.views:
            way = "aheard" if async_ else "heard"
        if chance.random() < (0.05 if asked.health is self._health else 0.5):
            asked.health.reset()  # a wrong key would keep it out for five minutes
        kind = chance.choice(KINDS)
        if kind not in asked.views or way == "events" or way in RESTARTABLE:
            kind = "text"
        count = chance.randint(2, 3) if "batch" in way else 1
        return Call(
            asked=asked,
            plans=tuple(self._plan(chance) for _ in range(count)),
            way=way,
            kind=kind,
            leaves=_leaves(chance, way),
            at=chance.randint(1, 12),
            after=chance.uniform(0.0, 0.3),
            listens=_is_single(way) and chance.random() < 0.4,
            options=_options(chance) if _is_single(way) else None,
        )

    def compares(self, chance: random.Random) -> bool:
        """Return whether it is time to compare with the bare child."""
        return chance.random() < _COMPARED / 2

    def pair(self, chance: random.Random, *, async_: bool) -> list[tuple[str, Call]]:
        """Return two healthy calls, at the bare child and at ours, in any order."""
        way = chance.choice(("ainvoke", "astream") if async_ else ("invoke", "stream"))
        words = chance.randint(10, 40)
        pair = self._pairs[chance.choice(_FAMILIES)]
        calls = []
        for who, asked in zip(("bare", "ours"), pair, strict=True):
            told = dict.fromkeys(CANDIDATES, (HEALTHY,))
            plans = (Plan(next(self._numbers), words, told),)
            calls.append((who, Call(asked=asked, plans=plans, way=way)))
        chance.shuffle(calls)
        return calls

    def call_in_fork(self, chance: random.Random) -> Callable[[], Call]:
        """Return what makes a call with clients of its own; the second is well."""
        told = {"first": (chance.choice(_FAULTS),), "second": (HEALTHY,)}
        if chance.random() < 0.3:
            told["first"] = (HEALTHY,)
        plan = Plan(next(self._numbers), 10, told)
        way = chance.choice(("invoke", "stream"))
        families = chance.choices(_FAMILIES, k=2)

        def call() -> Call:
            model = ReliableChatModel(
                models=[
                    _client(family, name, self._url)
                    for family, name in zip(families, told, strict=True)
                ],
                health=self._health,
                observers=[self._timeline],
                circuit_breaker=None,
                verdicts=dict.fromkeys(("content_policy", "bad_request"), "next"),
                **_FORKED,
            )
            asked = Contender(
                name="in a fork", views={"text": model}, health=self._health
            )
            return Call(asked=asked, plans=(plan,), way=way)

        return call

    def model_for_handlers(self) -> ReliableChatModel:
        """Return a model that needs no socket, and shares what is told and known."""
        return ReliableChatModel(
            models=[ScriptedChatModel(model="handler", script=[ANSWER])],
            health=self._health,
            observers=[self._timeline],
        )

    def _plan(self, chance: random.Random) -> Plan:
        told = {
            "first": _tries(chance, 0.85),
            "twin": _tries(chance, 0.6),
            "second": _tries(chance, 0.25),
        }
        return Plan(next(self._numbers), chance.randint(4, 30), told)

    # --- models ---------------------------------------------------------------------

    def _contender(self, chance: random.Random, at: int) -> Contender:
        limits = sorted(_LIMITS)[at % len(_LIMITS)]
        commit_on = _COMMITS[at // len(_LIMITS) % len(_COMMITS)]
        shared = chance.random() < 0.4
        families = chance.choices(_FAMILIES, k=3)
        reuses = commit_on == "complete" and at % 2 == 0  # what is held is kept apart
        first, twin, second = (
            self._models[family, name, reuses]
            for family, name in zip(families, CANDIDATES, strict=True)
        )
        order = chance.choice(("ordered", "round_robin", "weighted"))
        in_group = chance.random() < 0.5
        models = [Group([first, twin], order=order), second]
        settings: dict[str, Any] = {
            "max_retries": chance.choice([0, 1, 2]),
            "initial_backoff": 0.02,
            "max_retry_after": 0.1,
            "max_last_wait": chance.choice([0.1, 2.5]),
            "commit_on": commit_on,
            "last_chance_timeout": CLIENTS_OWN,  # pings would keep a client for ever
            **_LIMITS[limits],
        }
        health = self._health if shared else Health()
        breaker = CircuitBreaker(failures=5, open_for=0.2, max_open_for=1.0)
        settings |= {"health": health, "circuit_breaker": breaker if shared else None}
        settings |= {
            "hedge": _HEDGES[at % len(_HEDGES)],
            "on_interrupt": chance.choice(["raise", "restart", "restart"]),
        }
        if chance.random() < 0.3:
            settings |= {"observers": [self._timeline if shared else Timeline()]}
        model = ReliableChatModel(
            models=models if in_group else [first, twin, second], **settings
        )
        hedge = model.hedge.after if model.hedge else None
        name = (
            f"{'/'.join(families)} {limits} {commit_on} {shared=} {in_group=} "
            f"{reuses=} {hedge=} {model.on_interrupt}"
        )
        if reuses:
            views = {"text": model, "tools": contender(name, model).views["tools"]}
            return Contender(name=name, views=views, health=health, reuses=True)
        if chance.random() < 0.2:
            tries = ConfigurableField(id="tries")
            told = model.configurable_fields(max_retries=tries)
            view = told.with_config(configurable={"tries": 1})
            views = {"text": view}
            return Contender(
                name=f"{name} configured",
                views=views,
                health=health,
                restarts=model.on_interrupt == "restart",
            )
        return contender(name, model)


def _client(family: str, model: str, url: str, *, reuses: bool = False) -> Any:
    if family == "openai":
        return (ReusingChatOpenAI if reuses else ChatOpenAI)(
            model=model,
            base_url=f"{url}/v1",
            api_key="sk-test",
            stream_usage=True,
            timeout=CLIENTS_OWN,
            max_retries=0,
        )
    return (ReusingChatAnthropic if reuses else ChatAnthropic)(
        model=model,
        base_url=url,
        api_key="sk-ant-test",
        max_tokens=100,
        timeout=CLIENTS_OWN,
        max_retries=0,
    )


def _tries(chance: random.Random, share: float) -> tuple[str, ...]:
    """Return what one candidate meets, try by try."""
    if chance.random() >= share:
        return (HEALTHY,)
    fault = chance.choice(_FAULTS)
    return (fault, HEALTHY) if chance.random() < 0.3 else (fault,)


def _leaves(chance: random.Random, way: str) -> str:
    """Return how we leave before the end, if we do."""
    if chance.random() >= 0.3:
        return ""
    match way:
        case "stream":
            return chance.choice(["break", "drop", "raise"])
        case "astream":
            return chance.choice(["break", "drop", "raise", "cancel", "timeout"])
        case "ainvoke" | "abatch" | "events" | "aheard" | "aagent":
            return chance.choice(["cancel", "timeout"])
    return ""


def _is_single(way: str) -> bool:
    """Return whether it is one call of the model that we make ourselves."""
    return "batch" not in way and "agent" not in way and way != "events"


def _options(chance: random.Random) -> CallOptions | None:
    if chance.random() >= 0.15:
        return None
    match chance.choice(["total", "start", "alone"]):
        case "total":
            return CallOptions(total_timeout=chance.choice([0.05, 0.2, 0.4]))
        case "start":
            return CallOptions(start_at="second")
    return CallOptions(failover=False)
