"""What is measured of applications: tools, agents, groups, outages, many calls."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias, get_args

from benchmarks import children, views, works
from benchmarks.contestants import (
    BARE,
    BARE_AGAIN,
    LITELLM,
    MIDDLEWARE,
    OURS,
    WITH_FALLBACKS,
)
from benchmarks.rounds import Race
from benchmarks.row import Metric, Row
from benchmarks.works import Size
from langchain_reliable import ReliableChatModel
from langchain_reliable.candidates import Order

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.rounds import Cast
    from benchmarks.works import Model, Work

View: TypeAlias = "Callable[..., Model]"

ORDERS: Final[tuple[Order, ...]] = get_args(Order)
_PAIR: Final = (BARE, OURS, BARE_AGAIN)
_TRIO: Final = (BARE, OURS, BARE_AGAIN, WITH_FALLBACKS)
_WIRE: Final = (*_TRIO, LITELLM)


def forgotten(model: Model) -> None:
    """Let a call be the first one that finds the dead model dead."""
    if isinstance(model, ReliableChatModel):
        model.health.reset()


def known(model: Model) -> None:
    """Let a call find that it is known already."""
    if isinstance(model, ReliableChatModel):
        model.health.isolate("dead")


_FIRST = partial(works.calls, before=forgotten)
_LATER = partial(works.calls, before=known)


def _call(most: float | None = None) -> tuple[Metric, ...]:
    targets = {} if most is None else {OURS: most}
    return (Metric(name="per_call", unit="µs", per_unit=1e-6, targets=targets),)


def _added(most: float | None = None) -> tuple[Metric, ...]:
    targets = {} if most is None else {OURS: most}
    metric = Metric(
        name="per_call", unit="ms", per_unit=1e-3, shows="added", targets=targets
    )
    return (metric,)


# --- tools and agents -------------------------------------------------------------


def _tools(name: str, title: str, cast: Cast, count: int, most: float) -> Row:
    race = Race(
        cast,
        works.calls,
        Size(calls=20),
        contestants=_TRIO,
        view=partial(views.with_tools, count=count),
    )
    plural = "tool" if count == 1 else "tools"
    return Row(name, f"{title}, {count} {plural}", race, _call(most), rounds=25)


def _agent(name: str, title: str, cast: Cast, most: float, view: View) -> Row:
    race = Race(
        cast,
        works.calls,
        Size(calls=10),
        contestants=(BARE, OURS, BARE_AGAIN, MIDDLEWARE),
        view=partial(view, count=10),
    )
    return Row(name, title, race, _call(most), rounds=25)


TOOLS = (
    *(_tools(f"tools-{n}", "`invoke`", children.instant, n, 1.4) for n in (1, 10, 100)),
    *(
        _tools(
            f"tools-{n}-openai",
            "`invoke` of `ChatOpenAI`, transport patched",
            children.openai_without_wire,
            n,
            1.10,
        )
        for n in (1, 10, 100)
    ),
    _agent(
        "agent",
        "`create_agent`, 10 tools",
        children.openai_without_wire,
        1.03,
        views.agent,
    ),
    _agent(
        "agent-outage",
        "`create_agent`, 10 tools, in an outage once known",
        children.openai_without_wire_after_a_dead_one,
        1.10,
        views.agent_in_an_outage,
    ),
)


# --- groups -----------------------------------------------------------------------

_MOST_FOR_GROUPS: Final = {2: 1.25, 10: 1.3, 50: 1.5}


def _group(order: Order, count: int) -> Row:
    cast = partial(children.instant_group, count=count, order=order)
    race = Race(cast, works.calls, Size(calls=50), contestants=_PAIR)
    title = f"`invoke`, group of {count}, {order}"
    metrics = _call(_MOST_FOR_GROUPS[count])
    return Row(f"group-{order}-{count}", title, race, metrics, rounds=15)


GROUPS = tuple(_group(order, count) for order in ORDERS for count in _MOST_FOR_GROUPS)


# --- limits and conversations -----------------------------------------------------

_MUCH: Final = 1_000_000_000
"""More than any sample asks for, so that nobody is ever full."""


def _limits(name: str, title: str, **limits: float) -> Row:
    race = Race(
        partial(children.limited, **limits),
        works.calls,
        Size(calls=100),
        contestants=_PAIR,
    )
    title = f"`invoke` with {title}, beside ours without"
    metrics = _added_microseconds(3)
    return Row(f"limits-{name}", title, race, metrics, rounds=25)


def _added_microseconds(most: float) -> tuple[Metric, ...]:
    targets = {OURS: most}
    metric = Metric(
        name="per_call", unit="µs", per_unit=1e-6, shows="added", targets=targets
    )
    return (metric,)


ROUTING = (
    _limits("requests", "`rpm`", rpm=_MUCH),
    _limits("at-once", "`max_parallel_requests`", max_parallel_requests=_MUCH),
    _limits("tokens", "`tpm`", tpm=_MUCH),
    Row(
        "sticky-10",
        "`invoke`, `sticky`, group of 10, beside the same taking turns",
        Race(
            partial(children.in_conversations, count=10, order="round_robin"),
            works.calls,
            Size(calls=100),
            contestants=_PAIR,
            view=views.Conversation,
        ),
        _added_microseconds(15),
        rounds=25,
    ),
)


# --- outages ----------------------------------------------------------------------

OUTAGES = (
    Row(
        "failover-refused",
        "first call of an outage, refused, `ChatOpenAI`",
        Race(
            children.openai_after_a_refusing_one,
            _FIRST,
            Size(chunks=3),
            contestants=_WIRE,
        ),
        _added(10),
        rounds=7,
    ),
    Row(
        "failover-503",
        "first call of an outage, 503, `ChatOpenAI`",
        Race(
            children.openai_after_a_broken_one,
            _FIRST,
            Size(chunks=3),
            contestants=_WIRE,
        ),
        _added(),
        rounds=7,
    ),
    Row(
        "outage-known",
        "outage once known, 503, `ChatOpenAI`",
        Race(
            children.openai_after_a_broken_one,
            _LATER,
            Size(chunks=3, calls=5),
            contestants=_WIRE,
        ),
        _call(1.05),
        rounds=9,
    ),
)


def _dead(name: str, title: str, count: int, order: Order | None) -> Row:
    cast = partial(children.instant_after_many_dead, count=count, order=order)
    work = partial(works.one_call, before=forgotten)
    race = Race(cast, work, Size(), contestants=_PAIR)
    metric = Metric(
        name="per_attempt",
        title="each attempt",
        unit="ms",
        per_unit=1e-3,
        shows="added",
        targets={OURS: 0.2},
    )
    return Row(name, title, race, (metric,), rounds=7)


DEAD = (
    _dead("dead-99-group", "`invoke` past 99 dead members of a group", 99, "ordered"),
    _dead("dead-99-turns", "the same, taking turns", 99, "round_robin"),
    _dead("dead-999", "`invoke` past 999 dead models of a list", 999, None),
)


# --- a slow first one -------------------------------------------------------------


def _hedge(name: str, title: str, work: Work) -> Row:
    race = Race(
        children.openai_beside_a_silent_one,
        work,
        Size(chunks=20, calls=5),
        contestants=_PAIR,
        view=views.hedged,
    )
    first = Metric(
        name="first", unit="ms", per_unit=1e-3, shows="added", targets={OURS: 15}
    )
    return Row(name, title, race, (first,), rounds=9)


_WON: Final = "first word where a hedge wins, without its wait, `ChatOpenAI`"
HEDGES = (
    _hedge("hedge", f"{_WON}, sync", works.first_word_of_hedge),
    _hedge("ahedge", f"{_WON}, async", works.afirst_word_of_hedge),
)


# --- many calls -------------------------------------------------------------------

FLAT = (
    Row(
        "memory-calls",
        "memory after 100,000 calls with made-up names and tools, over that after half",
        Race(
            children.instant,
            works.made_up_calls,
            Size(calls=100_000),
            contestants=_PAIR,  # the observed one's exporter keeps each span in memory
            warm_ups=0,
        ),
        (Metric(name="grown", unit="times", targets={OURS: 1.01}),),
        rounds=1,
    ),
)

ERRORS = (
    Row(
        "memory-errors",
        "peak of a call with five errors of 100 MiB, over one of one",
        Race(
            children.wordy_and_dead,
            works.memory_of_errors,
            Size(chunks=100),
            contestants=(BARE, OURS, WITH_FALLBACKS),
            warm_ups=0,
        ),
        (Metric(name="peak", unit="MiB", per_unit=2**20, targets={OURS: 1.1}),),
        rounds=2,
    ),
)

ROWS_OF_PEOPLE: Final = (
    *TOOLS,
    *GROUPS,
    *ROUTING,
    *OUTAGES,
    *DEAD,
    *HEDGES,
    *FLAT,
    *ERRORS,
)
