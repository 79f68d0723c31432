"""Answers that begin late count against their candidate, and nobody waits for it."""

from __future__ import annotations

import random
from heapq import heappop, heappush
from itertools import count

import pytest

from langchain_reliable._core import circuit as rules
from langchain_reliable._core.balancing.load import slow_failure
from langchain_reliable._core.circuit import CLOSED, State
from langchain_reliable.failures import FailureKind
from langchain_reliable.policies import CircuitBreaker

BROWNOUT = range(600, 2_400)
"""Seconds in which the first candidate takes ten times as long."""


@pytest.mark.parametrize(
    ("seconds", "slow_after", "others", "is_slow"),
    [
        (3.1, 3.0, True, True),
        pytest.param(3.0, 3.0, True, False, id="just in time"),
        pytest.param(99.0, None, True, False, id="nobody asked for it"),
        pytest.param(99.0, 3.0, False, False, id="nobody else could be asked"),
    ],
)
def test_an_answer_is_late_only_where_another_could_have_been_asked(
    seconds, slow_after, others, is_slow
):
    failure = slow_failure(seconds, slow_after, others=others)
    assert (failure is not None) is is_slow
    if failure is not None:
        assert failure.kind is FailureKind.TIMEOUT
        assert failure.summary == "began to answer after 3.1 s (slow_after=3)"


def first_words(slow_after):
    """Return the seconds to the first word in an hour of one call a second."""
    chance = random.Random("an hour")  # noqa: S311 - a simulation
    known, now, numbers = CLOSED, 0.0, count()
    to_come, spoken = [], []
    while now < 3_600:
        now += chance.expovariate(1.0)
        while to_come and to_come[0][0] <= now:
            at, _, seconds, admission = heappop(to_come)
            late = slow_failure(seconds, slow_after, others=True)
            if late is None:
                known = rules.began_answering(known, admission)
                known = rules.answered(known, admission)
            else:
                breaker = CircuitBreaker(open_for=20.0)
                known = rules.failed(
                    known, late, admission, at, 0.5, breaker, took=seconds, alone=False
                )
        seconds = chance.lognormvariate(0.0, 0.2)
        if known.state(now) in {State.CLOSED, State.HALF_OPEN}:
            seconds *= 10 if int(now) in BROWNOUT else 1
            admission = known.admission(now)
            known = rules.probed(known, now) if admission.probe else known
            heappush(to_come, (now + seconds, next(numbers), seconds, admission))
        spoken.append(seconds)
    return sorted(spoken)


def test_a_brownout_is_hardly_felt():
    with_it, without = first_words(3.0), first_words(None)
    healthy = 1.4  # the 95th of a hundred
    place = int(len(with_it) * 0.95)
    assert with_it[place] <= 1.5 * healthy
    assert without[place] > 5 * healthy
