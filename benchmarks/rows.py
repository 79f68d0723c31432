"""What is measured, how often, and what it may cost at most: streams and calls.

`rows_of_people` has what applications do with them. Rounds and sizes are chosen for
some eight minutes in all, on two cores.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import children, works
from benchmarks.contestants import (
    LEAST,
    LITELLM,
    NO_IDLE,
    NO_TIMEOUTS,
    OBSERVED,
    OURS,
    WHERE_LIMITS_NEED_NO_THREAD,
)
from benchmarks.imports import Imports
from benchmarks.rounds import Race
from benchmarks.row import Metric, Row
from benchmarks.rows_of_people import ROWS_OF_PEOPLE
from benchmarks.works import Size
from langchain_reliable import ReliableChatModel

if TYPE_CHECKING:
    from benchmarks.rounds import Cast
    from benchmarks.works import Model, Work


# --- lines ------------------------------------------------------------------------


def _chunk(**targets: float) -> tuple[Metric, ...]:
    return (Metric(name="per_chunk", unit="µs/chunk", per_unit=1e-6, targets=targets),)


def _crowd(**targets: float) -> tuple[Metric, ...]:
    return (
        Metric(
            name="throughput",
            title="throughput",
            unit="k chunks/s",
            per_unit=1e3,
            more_is_better=True,
            targets=targets,
        ),
        Metric(name="p50", title="p50 of a stream", unit="ms", per_unit=1e-3),
        Metric(name="p99", title="p99 of a stream", unit="ms", per_unit=1e-3),
    )


def _threads(**targets: float) -> tuple[Metric, ...]:
    """Return the lines of a crowd of threads, which is held to what it computes."""
    cpu = Metric(
        name="cpu", title="CPU", unit="µs/chunk", per_unit=1e-6, targets=targets
    )
    return (*_crowd(), cpu)


_SYNC = {OURS: 1.05, NO_IDLE: 1.05}
_ASYNC = {OURS: 1.07}
_WIRE = {OURS: 1.05, NO_IDLE: 1.05, NO_TIMEOUTS: 1.05, OBSERVED: 1.05}
_WIRE_ASYNC = {OURS: 1.05, NO_IDLE: 1.05, OBSERVED: 1.05}


def _first(most: float) -> tuple[Metric, ...]:
    return (
        Metric(
            name="first", unit="ms", per_unit=1e-3, shows="added", targets={OURS: most}
        ),
    )


CALL = (Metric(name="per_call", unit="µs", per_unit=1e-6, targets={OURS: 1.12}),)
CALL_ADDED = (Metric(name="per_call", unit="µs", per_unit=1e-6, shows="added"),)
PEAK = (Metric(name="peak", unit="MiB", per_unit=2**20, targets={OURS: 1.02}),)
IMPORT = (
    Metric(
        name="seconds",
        title="after `BaseChatModel`",
        unit="ms",
        per_unit=1e-3,
        shows="added",
        targets={OURS: 75},
    ),
    Metric(
        name="modules",
        title="modules, after `BaseChatModel`",
        unit="modules",
        shows="added",
    ),
    Metric(
        name="seconds_after_core",
        title="after `langchain_core` alone",
        unit="ms",
        per_unit=1e-3,
        shows="added",
    ),
    Metric(
        name="modules_after_core",
        title="modules, after `langchain_core` alone",
        unit="modules",
        shows="added",
    ),
)


# --- races ------------------------------------------------------------------------


def _all(cast: Cast, work: Work, **size: int) -> Race:
    return Race(cast, work, Size(**size))


def _few(cast: Cast, work: Work, **size: int) -> Race:
    return Race(cast, work, Size(**size), contestants=WHERE_LIMITS_NEED_NO_THREAD)


def _and_least(race: Race) -> Race:
    """Let the least that a relay can be take part, where a target is out of reach."""
    return replace(race, contestants=(*race.contestants, LEAST))


def _and_litellm(race: Race) -> Race:
    """Let LiteLLM's Router take part, where requests go over the wire."""
    return replace(race, contestants=(*race.contestants, LITELLM))


def _once(cast: Cast, work: Work, **size: int) -> Race:
    """Skip the warm-up: what is counted is no time."""
    return replace(_few(cast, work, **size), warm_ups=0)


def _all_forgotten(model: Model) -> None:
    """Let a call be the first one that finds the dead model dead."""
    if isinstance(model, ReliableChatModel):
        model.health.reset()


def _known_to_be_dead(model: Model) -> None:
    if isinstance(model, ReliableChatModel):
        model.health.isolate("dead")


_INSTANT, _OPENAI, _ANTHROPIC = children.instant, children.openai, children.anthropic
_TURNS = children.taking_turns
_AFTER_DEAD = children.instant_after_a_dead_one
_AFTER_MISSING = children.openai_after_a_missing_one
_CALLS = partial(works.calls, before=_all_forgotten)
_ACALLS = partial(works.acalls, before=_all_forgotten)
_KNOWN = partial(works.calls, before=_known_to_be_dead)


# --- the table --------------------------------------------------------------------

ROWS: tuple[Row, ...] = (
    Row(
        "stream-1000",
        "stream of 1,000 chunks, sync",
        _and_least(_all(_INSTANT, works.drain, chunks=1_000)),
        _chunk(**_SYNC),
        rounds=35,
    ),
    Row(
        "astream-1000",
        "stream of 1,000 chunks, async",
        _and_least(_few(_INSTANT, works.adrain, chunks=1_000)),
        _chunk(**_ASYNC),
        rounds=35,
    ),
    Row(
        "stream-20000",
        "stream of 20,000 chunks, sync",
        _all(_INSTANT, works.drain, chunks=20_000),
        _chunk(**_SYNC),
        rounds=5,
    ),
    Row(
        "astream-20000",
        "stream of 20,000 chunks, async",
        _and_least(_few(_INSTANT, works.adrain, chunks=20_000)),
        _chunk(**_ASYNC),
        rounds=5,
    ),
    Row(
        "stream-openai",
        "`ChatOpenAI`, 1,000 chunks, sync",
        _and_litellm(_all(_OPENAI, works.drain, chunks=1_000)),
        _chunk(**_WIRE),
        rounds=9,
    ),
    Row(
        "astream-openai",
        "`ChatOpenAI`, 1,000 chunks, async",
        _and_litellm(_and_least(_few(_OPENAI, works.adrain, chunks=1_000))),
        _chunk(**_WIRE_ASYNC),
        rounds=9,
    ),
    Row(
        "stream-anthropic",
        "`ChatAnthropic`, 1,000 chunks, sync",
        _all(_ANTHROPIC, works.drain, chunks=1_000),
        _chunk(),
        rounds=7,
    ),
    Row(
        "astream-anthropic",
        "`ChatAnthropic`, 1,000 chunks, async",
        _few(_ANTHROPIC, works.adrain, chunks=1_000),
        _chunk(),
        rounds=7,
    ),
    Row(
        "first",
        "first word, sync",
        _and_least(_all(_INSTANT, works.first_word, chunks=20, calls=50)),
        _first(0.3),
        rounds=25,
    ),
    Row(
        "afirst",
        "first word, async",
        _few(_INSTANT, works.afirst_word, chunks=20, calls=50),
        _first(0.3),
        rounds=25,
    ),
    Row(
        "first-openai",
        "first word of `ChatOpenAI`, sync",
        _and_least(_all(_OPENAI, works.first_word, chunks=20, calls=10)),
        _first(0.15),
        rounds=25,
    ),
    Row(
        "afirst-openai",
        "first word of `ChatOpenAI`, async",
        _and_least(_few(_OPENAI, works.afirst_word, chunks=20, calls=10)),
        _first(0.3),
        rounds=25,
    ),
    Row(
        "invoke",
        "`invoke`",
        _few(_INSTANT, works.calls, calls=100),
        CALL,
        rounds=35,
    ),
    Row(
        "ainvoke",
        "`ainvoke`",
        _few(_INSTANT, works.acalls, calls=100),
        CALL,
        rounds=35,
    ),
    Row(
        "invoke-openai",
        "`invoke` of `ChatOpenAI`",
        _and_litellm(_few(_OPENAI, works.calls, chunks=3, calls=10)),
        CALL,
        rounds=25,
    ),
    Row(
        "ainvoke-openai",
        "`ainvoke` of `ChatOpenAI`",
        _and_litellm(_few(_OPENAI, works.acalls, chunks=3, calls=10)),
        CALL,
        rounds=25,
    ),
    Row(
        "tasks",
        "200 `astream` at once",
        _and_least(_few(_TURNS, works.tasks, chunks=50, crowd=200)),
        _crowd(**{OURS: 0.88}),
        rounds=7,
    ),
    Row(
        "tasks-openai",
        "200 `astream` of `ChatOpenAI` at once",
        _few(_OPENAI, works.tasks, chunks=20, crowd=200),
        _crowd(**{OURS: 0.95}),
        rounds=4,
    ),
    Row(
        "threads",
        "32 threads in `stream`",
        _all(_INSTANT, works.threads, chunks=200, crowd=32),
        _threads(**{OURS: 1.09}),
        rounds=7,
    ),
    Row(
        "threads-openai",
        "32 threads in `stream` of `ChatOpenAI`",
        _all(_OPENAI, works.threads, chunks=20, crowd=32),
        _threads(),
        rounds=7,
    ),
    Row(
        "failover",
        "`invoke` after a failure",
        _few(_AFTER_DEAD, _CALLS, calls=50),
        CALL_ADDED,
        rounds=25,
    ),
    Row(
        "afailover",
        "`ainvoke` after a failure",
        _few(_AFTER_DEAD, _ACALLS, calls=50),
        CALL_ADDED,
        rounds=25,
    ),
    Row(
        "failover-openai",
        "`invoke` of `ChatOpenAI` after a 404",
        _few(_AFTER_MISSING, _CALLS, chunks=3, calls=5),
        CALL_ADDED,
        rounds=15,
    ),
    Row(
        "failover-known",
        "`invoke` past a model known to be out",
        _few(_AFTER_DEAD, _KNOWN, calls=50),
        CALL_ADDED,
        rounds=25,
    ),
    Row(
        "memory",
        "peak of 20,000 chunks, sync",
        _once(_INSTANT, works.memory, chunks=20_000),
        PEAK,
        rounds=2,
    ),
    Row(
        "amemory",
        "peak of 20,000 chunks, async",
        _once(_INSTANT, works.amemory, chunks=20_000),
        PEAK,
        rounds=2,
    ),
    *ROWS_OF_PEOPLE,
    Row("import", "import", Imports(), IMPORT, rounds=7),
)
