"""The troubles of which `explain` tells, and what becomes of calls in them."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from langchain_reliable._core.steps import Plan
from langchain_reliable._text.redact import plain_name
from langchain_reliable._text.wording import failure_label
from langchain_reliable.chat_models._explain.rehearsal import (
    Rehearsal,
    ScriptedError,
    Trouble,
)
from langchain_reliable.chat_models._explain.report import Explanation, Scenario
from langchain_reliable.chat_models._explain.settings import notes_on, warnings_on
from langchain_reliable.errors import AllModelsFailed, TimeLimitExceeded
from langchain_reliable.failures import Failure
from langchain_reliable.failures import FailureKind as Kind
from langchain_reliable.health import Health

if TYPE_CHECKING:
    from langchain_reliable._core.steps import Route
    from langchain_reliable.chat_models._call_factory import CallFactory
    from langchain_reliable.chat_models._explain.rehearsal import Rehearsed
    from langchain_reliable.chat_models.settings import ModelSettings

Surface = Literal["stream", "invoke"]

_OVERLOADED: Final = Failure(kind=Kind.SERVER_ERROR, status=503)
_CUT: Final = Failure(kind=Kind.CONNECTION)


class _Script(NamedTuple):
    """A scenario: a trouble, and whose it is.

    Attributes:
        name: What it is called.
        trouble: How attempts go wrong.
        everybody: Whether at every candidate; else at the first alone.
        lasts: Seconds for which there is a call each second; 0 for one call.
    """

    name: str
    trouble: Trouble
    everybody: bool = False
    lasts: int = 0


def _rate_limited(seconds: float) -> Trouble:
    failure = Failure(kind=Kind.RATE_LIMITED, status=429, retry_after=seconds)
    return Trouble(failure)


_SCRIPTS: Final = (
    _Script("refused", Trouble(Failure(kind=Kind.CONNECTION, request_sent=False))),
    _Script("503", Trouble(_OVERLOADED)),
    _Script("rate limited, asked to wait 2 s", _rate_limited(2)),
    _Script("rate limited, asked to wait 60 s", _rate_limited(60)),
    _Script("wrong key", Trouble(Failure(kind=Kind.AUTH, status=401))),
    _Script("silent", Trouble()),
    _Script("breaks before the first word", Trouble(_CUT)),
    _Script("breaks in mid-answer", Trouble(_CUT, in_words=True)),
    _Script(
        "prompt too long", Trouble(Failure(kind=Kind.CONTEXT_OVERFLOW, status=400))
    ),
    _Script("content filter", Trouble(Failure(kind=Kind.CONTENT_POLICY, status=400))),
    _Script("down for a minute, 1 call/s", Trouble(_OVERLOADED), lasts=60),
    _Script("everything down", Trouble(_OVERLOADED), everybody=True),
)


def explain(
    model: ModelSettings, factory: CallFactory, surface: Surface
) -> Explanation:
    """Say what a model would do.

    Args:
        model: Its fields.
        factory: What its calls are made with.
        surface: How it is asked.
    """
    plan = _taking_no_turns(factory.router.plan())
    streams = surface == "stream"
    rows = [_row(_rehearsal(model, factory, plan, streams), one) for one in _SCRIPTS]
    return Explanation(
        first=plain_name(plan.routes[0].name),
        surface=surface,
        scenarios=tuple(rows),
        warnings=warnings_on(model, plan),
        notes=notes_on(model, plan, streams=streams),
    )


def _taking_no_turns(plan: Plan) -> Plan:
    """Return the same without what a call would take: turns and rate limits."""
    return Plan(
        [
            tier._replace(
                routes=tuple(replace(one, take_turn=None) for one in tier.routes),
                turns=None,
            )
            for tier in plan.tiers
        ]
    )


def _rehearsal(
    model: ModelSettings,
    factory: CallFactory,
    plan: Plan,
    streams: bool,  # noqa: FBT001 - as it is passed on
) -> Rehearsal:
    health, budget = Health(), model.retry_budget
    return Rehearsal(
        plan=plan,
        policy=factory.policy,
        health=health,
        bucket=None if budget is None else health.bucket(budget),
        streams=streams,
        holds_all=factory.holds_all,
    )


def _row(rehearsal: Rehearsal, script: _Script) -> Scenario:
    first = rehearsal.plan.routes[0]
    if script.lasts:
        return _minute(rehearsal, script, first)

    def trouble_of(route: Route, _now: float) -> Trouble | None:
        return script.trouble if script.everybody or route is first else None

    told = rehearsal.call(trouble_of)
    return Scenario(
        scenario=script.name,
        answered_by=told.answered_by,
        caller_sees=_seen(told),
        seconds=None if math.isinf(told.seconds) else told.seconds,
        requests=dict(told.requests),
    )


def _minute(rehearsal: Rehearsal, script: _Script, first: Route) -> Scenario:
    """Return what becomes of many calls, one after the other."""

    def trouble_of(route: Route, now: float) -> Trouble | None:
        return script.trouble if route is first and now < script.lasts else None

    now, longest = 0.0, 0.0
    requests: Counter[str] = Counter()
    answers: Counter[str | None] = Counter()
    errors: Counter[str] = Counter()
    for second in range(script.lasts):
        told = rehearsal.call(trouble_of, max(now, float(second)))
        now, longest = told.ended_at, max(longest, told.seconds)
        requests += told.requests
        answers[told.answered_by] += 1
        if told.answered_by is None:
            errors[_seen(told)] += 1
    mostly = answers.most_common(1)[0][0]
    failed = sum(errors.values())
    seen = f"{failed} of {script.lasts} calls fail" if failed else "every call answered"
    return Scenario(
        scenario=script.name,
        answered_by=mostly,
        caller_sees=seen,
        seconds=longest,
        requests=dict(requests),
    )


def _seen(told: Rehearsed) -> str:
    """Say what a caller gets."""
    if told.answered_by is not None:
        return f"{plain_name(told.answered_by)} answers"
    if told.interrupted:
        return "StreamInterrupted: the first words, then this error"
    error = told.error
    if isinstance(error, AllModelsFailed):
        return "AllModelsFailed"
    if isinstance(error, TimeLimitExceeded):
        return type(error).__name__
    if isinstance(error, ScriptedError):
        return f"the model's own error ({failure_label(error.failure)})"
    return "nothing, without an end"
