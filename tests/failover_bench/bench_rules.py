"""The rules of the public Failover Bench: what each of its sixteen faults asks for.

The bench (github.com/failoverbench/failoverbench, methodology 0.1) scores what the
caller got and what the provider saw. Each scenario has rules that must be kept and
rules that had better be:

pass
    The whole answer (for the content filter: the provider's error), every rule kept.
partial
    The whole answer, and one of the better rules broken; or an answer in spite of the
    filter.
safe
    A clean error in time, every rule kept that must be.
fail
    No end in time, two texts mixed, a text cut short without an error, or a broken rule
    that must be kept.

All numbers are the bench's own: seconds, requests, tokens. In two points ours is
stricter. Its primary and backup tell one text, so it cannot see two answers mixed; ours
tell different ones. And the usage after a failover must be the backup's, counted once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_reliable.testing import (
    Usage,
    content_policy,
    content_then_cut,
    content_then_stall,
    context_overflow,
    error_status,
    hang_before_headers,
    malformed_event,
    no_done,
    rate_limited,
    reset,
    says,
)

if TYPE_CHECKING:
    from bench_pace import Pace

    from langchain_reliable.testing import Answer, Reply

CLIENT_TIMEOUT = 30
CLIENT_RETRIES = 2
ALIVE_WITHIN = 10
OUTAGE = 60
CALLS, INTERVAL, PATIENCE = 20, 4, 30

TEXTS = [" ".join(f"{name}-{n}" for n in range(60)) for name in ("first", "second")]


# --- what was seen ----------------------------------------------------------------


@dataclass
class Call:
    """What one call came to, as its caller sees it; moments in the bench's seconds."""

    began: float
    seconds: float = 0.0
    shown: str = ""
    error: BaseException | None = None
    ended: bool = False
    model_name: str | None = None
    has_usage: bool = False
    counted: dict[str, Any] = field(default_factory=dict)

    @property
    def answered(self) -> bool:
        """Whether it is the whole answer of one model."""
        return self.ended and self.error is None and self.shown in TEXTS

    @property
    def is_clean_error(self) -> bool:
        """Whether it is an error after no more than the beginning of one answer."""
        begun = any(text.startswith(self.shown) for text in TEXTS)
        return self.ended and self.error is not None and begun


@dataclass
class Seen:
    """What came of a scenario: the calls, and when the providers were asked."""

    calls: list[Call] = field(default_factory=list)
    primary: list[float] = field(default_factory=list)
    backup: list[float] = field(default_factory=list)
    healthy: Call | None = None
    prefilled: bool = False
    grace: float = 0.0
    """Seconds that a busy machine is given where time runs fast."""

    @property
    def call(self) -> Call:
        return self.calls[-1]


Rule: TypeAlias = Callable[[Seen], bool]


def at_most(requests: int, *, within: float = float("inf")) -> Rule:
    """So many requests to the primary, in its first seconds or ever."""

    def kept(seen: Seen) -> bool:
        first = seen.primary[0] if seen.primary else 0.0
        return sum(when - first < within for when in seen.primary) <= requests

    return kept


def at_least(requests: int) -> Rule:
    """So many requests to the primary."""
    return lambda seen: len(seen.primary) >= requests


def gap(seconds: float) -> Rule:
    """So long a wait between its first two requests."""

    def kept(seen: Seen) -> bool:
        return len(seen.primary) > 1 and seen.primary[1] - seen.primary[0] >= seconds

    return kept


def over_within(seconds: float) -> Rule:
    """The call is over after so long."""
    return lambda seen: seen.call.seconds <= seconds + seen.grace


def alive(seen: Seen) -> bool:
    """A healthy call afterwards is answered soon."""
    after = seen.healthy
    return after is not None and after.answered and after.seconds <= ALIVE_WITHIN


def whole(seen: Seen) -> bool:
    """The answer is whole."""
    return all(call.answered for call in seen.calls)


def usage_present(seen: Seen) -> bool:
    """The answer tells its tokens."""
    return seen.call.has_usage


def names_the_backup(seen: Seen) -> bool:
    """The answer names who gave it."""
    return not seen.backup or seen.call.model_name == "backup"


def usage_counted_once(seen: Seen) -> bool:
    """The backup's tokens are counted, once, and nobody else's."""
    counted = [
        (name, used["input_tokens"], used["output_tokens"])
        for name, used in seen.call.counted.items()
    ]
    return not seen.backup or counted == [("backup", 7, 60)]


def no_prefill(seen: Seen) -> bool:
    """Nobody was asked to go on with another's beginning."""
    return not seen.prefilled


def served_while_down(seen: Seen) -> bool:
    """Every call of the outage was answered."""
    return all(call.answered for call in seen.calls if call.began < OUTAGE)


def back_within(seconds: float) -> Rule:
    """The primary serves again so soon after its recovery."""

    def kept(seen: Seen) -> bool:
        return any(OUTAGE <= when <= OUTAGE + seconds for when in seen.primary)

    return kept


# --- the catalogue ----------------------------------------------------------------

Script: TypeAlias = "Callable[[Answer, Pace], tuple[Reply, ...]]"


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A fault: what the primary does, how it is judged.

    Attributes:
        name: What happens, for people.
        script: The primary's replies to its requests; the last one repeats.
        must: Rules that must be kept.
        better: Rules that had better be kept.
        longest: Seconds after which a call without an end is a fail.
        error_is_right: Whether the provider's error is what the caller should get.
        calls: How many calls are made, one every `INTERVAL` seconds.
        second: How long one of its seconds lasts where time runs fast: those spent at
            a socket can't be turned.
    """

    name: str
    script: Script
    must: tuple[Rule, ...] = ()
    better: tuple[Rule, ...] = ()
    longest: float = 40
    error_is_right: bool = False
    calls: int = 1
    second: float = 1.0

    def verdict(self, seen: Seen) -> str:
        """Say in a word what came of it."""
        answered = all(call.answered for call in seen.calls)
        clean = all(call.answered or call.is_clean_error for call in seen.calls)
        if not clean or _broken(self.must, seen):
            return "fail"
        if self.error_is_right:
            return "partial" if answered else "pass"
        if not answered:
            return "safe"
        return "partial" if _broken(self.better, seen) else "pass"

    def why(self, seen: Seen) -> str:
        """Say which rules were broken, and how the calls ended that did not answer."""
        rules = _broken((*self.must, *self.better), seen)
        ends = {
            repr(call.error)[:100] if call.ended else "no end"
            for call in seen.calls
            if not call.answered
        }
        return "; ".join([*rules, *sorted(ends)])


def _broken(rules: tuple[Rule, ...], seen: Seen) -> list[str]:
    return [rule.__qualname__.split(".")[0] for rule in rules if not rule(seen)]


def _always(fault: Callable[[], Reply]) -> Script:
    return lambda _answer, _pace: (fault(),)


def _once(fault: Reply) -> Script:
    return lambda answer, _pace: (fault, answer)


def _down(answer: Answer, pace: Pace) -> tuple[Reply, ...]:
    """Down for a minute by the clock, then healthy."""
    broken = error_status(503)
    return (lambda _: broken if pace.seconds() < OUTAGE else answer,)


def answers(pause: float = 0.0) -> tuple[Answer, Answer]:
    """Return the texts of both models, sixty tokens each."""
    usage = Usage(input_tokens=7, output_tokens=60)
    first, second = (says(text, usage=usage, pause=pause) for text in TEXTS)
    return first, second


SCENARIOS = (
    Scenario(
        name="429 with Retry-After 2, once",
        script=_once(rate_limited(2)),
        must=(at_most(2, within=1.5),),
        better=(at_least(2), gap(1.8)),
        longest=20,
    ),
    Scenario(
        name="429, persistent",
        script=_always(rate_limited),
        must=(at_most(4, within=3), at_most(6)),
    ),
    Scenario(
        name="500, once",
        script=_once(error_status(500)),
        better=(at_least(2),),
        longest=20,
    ),
    Scenario(
        name="503, persistent",
        script=_always(lambda: error_status(503)),
        must=(at_most(6),),
    ),
    Scenario(name="reset before headers, once", script=_once(reset()), longest=20),
    Scenario(
        name="no response at all",
        script=_always(hang_before_headers),
        must=(over_within(100),),
        better=(at_most(1),),
        longest=130,
        second=0.1,
    ),
    Scenario(
        name="first token after 20 s",
        script=lambda answer, pace: (pace.late(answer, 20, when_fast=29),),
        better=(over_within(15),),
        longest=60,
        second=0.2,
    ),
    Scenario(
        name="cut after 40 of 60 tokens",
        script=lambda answer, _: (content_then_cut(answer, after=40),),
    ),
    Scenario(
        name="stall after 20 tokens, closed after 30 s",
        script=lambda answer, pace: (
            content_then_stall(answer, after=20, seconds=30 * pace.second),
        ),
        must=(over_within(45), alive),
        longest=70,
        second=0.1,
    ),
    Scenario(
        name="tenth event malformed",
        script=lambda answer, _: (malformed_event(answer, after=9),),
        must=(alive,),
        better=(whole,),
        longest=30,
    ),
    Scenario(
        name="no [DONE]",
        script=lambda answer, _: (no_done(answer),),
        must=(over_within(8),),
        better=(usage_present,),
        longest=30,
    ),
    Scenario(
        name="context length exceeded",
        script=_always(context_overflow),
        must=(at_most(1),),
        longest=20,
    ),
    Scenario(
        name="content filter",
        script=_always(content_policy),
        must=(at_most(1),),
        error_is_right=True,
        longest=20,
    ),
    Scenario(
        name="cut, and a backup that takes no prefill",
        script=lambda answer, _: (content_then_cut(answer, after=40),),
        must=(no_prefill,),
    ),
    Scenario(
        name="down for 60 s, then healthy",
        script=_down,
        must=(served_while_down, back_within(30)),
        longest=PATIENCE,
        calls=CALLS,
    ),
    Scenario(
        name="accounting after a failover",
        script=_always(lambda: error_status(503)),
        must=(names_the_backup, at_most(6)),
        better=(usage_present, usage_counted_once),
    ),
)
