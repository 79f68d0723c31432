"""Runs a call without asking anybody: what a model would do, on a turned clock.

The same `Call` that serves real requests is carried through a script of failures; only
time and chance are made up. Chance is 1, so that every wait is as long as it may get.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from langchain_reliable._core.call import Call
from langchain_reliable._core.steps import GiveUp, Launch, Return, Wait
from langchain_reliable._core.timeouts import AttemptTimer
from langchain_reliable.errors import AnswerRejected

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_reliable._core.health_store import HealthStore
    from langchain_reliable._core.retry_budget import RetryTokenBucket
    from langchain_reliable._core.steps import Attempt, Plan, Route
    from langchain_reliable.failures import Failure
    from langchain_reliable.policies import Policy

_CHANCE: Final = 1.0
_MOST_STEPS: Final = 10_000


class Trouble(NamedTuple):
    """How an attempt goes wrong.

    Attributes:
        failure: What its child says; `None` for silence, which our limits end.
        in_words: Whether it has spoken by then.
    """

    failure: Failure | None = None
    in_words: bool = False


class ScriptedError(Exception):
    """Stands for what a child would raise."""

    def __init__(self, failure: Failure) -> None:
        """Hold what it means."""
        super().__init__(failure.kind.value)
        self.failure = failure


@dataclass(slots=True)
class Rehearsed:
    """What came of a call.

    Attributes:
        answered_by: Whose answer it is; `None` if there is none.
        error: What is raised in its place.
        interrupted: Whether an answer was begun and broke off.
        began_at: The moment at which the call began.
        ended_at: The moment of its first word, or of its error.
        requests: How often each candidate was asked.
    """

    answered_by: str | None = None
    error: Exception | None = None
    interrupted: bool = False
    began_at: float = 0.0
    ended_at: float = 0.0
    requests: Counter[str] = field(default_factory=Counter)

    @property
    def seconds(self) -> float:
        """How long it took to the first word or the error."""
        return self.ended_at - self.began_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What calls are made with.

    Attributes:
        plan: Who may be asked.
        policy: What a call may spend.
        health: What is known across calls.
        bucket: The retries that all calls may make.
        streams: Whether calls ask for a stream.
        holds_all: Whether a stream is held to its end.
    """

    plan: Plan
    policy: Policy
    health: HealthStore
    bucket: RetryTokenBucket | None = None
    streams: bool = True
    holds_all: bool = False

    def call(
        self, trouble_of: Callable[[Route, float], Trouble | None], now: float = 0.0
    ) -> Rehearsed:
        """Carry a call through.

        Args:
            trouble_of: Says how an attempt at a route goes wrong at a moment; `None`
                for an answer.
            now: The moment at which it begins.
        """
        call: Call[str] = Call(
            self.plan,
            self.policy,
            _meaning,
            None,
            0,
            self.health,
            self.bucket,
            streams=self.streams,
        )
        told = Rehearsed(began_at=now)
        for _ in range(_MOST_STEPS):
            match call.what_now(now):
                case Launch(attempt):
                    told.requests[attempt.route.name] += 1
                    now = self._attempted(call, attempt, trouble_of, now, told)
                    if math.isinf(now):
                        break
                case Wait(until):
                    now = until
                case Return(name):
                    told.answered_by = None if told.interrupted else name
                    break
                case GiveUp(error):
                    told.error = error
                    break
        told.ended_at = now
        return told

    def _attempted(
        self,
        call: Call[Any],
        attempt: Attempt,
        trouble_of: Callable[[Route, float], Trouble | None],
        now: float,
        told: Rehearsed,
    ) -> float:
        """Let an attempt end; return the moment at which it does."""
        trouble, name = trouble_of(attempt.route, now), attempt.route.name
        if trouble is None:
            call.succeeded(attempt, name, now)
            call.answered(now)
            return now
        timer = AttemptTimer(attempt.timeouts, now, streams=self.streams)
        attempt.progress.timer = timer
        if trouble.failure is None:
            span = timer.remaining(now)
            after = attempt.hedge_after
            if after is not None and (span is None or after < span):
                step = call.what_now(now + after)
                if isinstance(step, Launch):  # whoever answers first ends both
                    told.requests[step.attempt.route.name] += 1
                    return self._attempted(
                        call, step.attempt, trouble_of, now + after, told
                    )
            if span is None:
                return math.inf
            call.failed(attempt, timer.error(), now + span, _CHANCE)
            return now + span
        error = ScriptedError(trouble.failure)
        if not trouble.in_words or not self.streams:
            call.failed(attempt, error, now, _CHANCE)
        elif self.holds_all:
            timer.payload_arrived()
            call.failed(attempt, error, now, _CHANCE)
        else:
            call.succeeded(attempt, name, now)
            call.interrupted(trouble.failure, error, now, _CHANCE)
            told.interrupted = True
        return now


def _meaning(error: Exception) -> Failure | None:
    if isinstance(error, (ScriptedError, AnswerRejected)):
        return error.failure
    return None
