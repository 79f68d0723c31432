"""Our rows of the failover bench: no fault makes us fail, and set so, none is felt."""

from __future__ import annotations

import pytest
from bench_pace import Pace
from bench_rules import (
    SCENARIOS,
    TEXTS,
    Call,
    Scenario,
    Seen,
    at_most,
    gap,
    usage_present,
)
from failover_bench import (
    CONTESTANTS,
    SURFACES,
    all_struck,
    forget_clients,
    reasons,
    struck,
    table,
)

WITH_DEFAULTS = {
    "first token after 20 s": "partial",
    "cut after 40 of 60 tokens": "safe",
    "stall after 20 tokens, closed after 30 s": "safe",
    "tenth event malformed": "safe",
    "cut, and a backup that takes no prefill": "safe",
}
AT_A_SOCKET = [one for one in SCENARIOS if one.second < 1]
OURS = ("ours, defaults", "ours, set")

each_fault = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name)
each_surface = pytest.mark.parametrize("surface", SURFACES)


@pytest.fixture(autouse=True)
def no_clients_left():
    yield
    forget_clients()


@pytest.fixture(scope="module")
def seen():
    """What came of those that wait at sockets, all beside each other."""
    cells = [
        (name, surface, scenario.name)
        for scenario in AT_A_SOCKET
        for name in OURS
        for surface in SURFACES
    ]
    return all_struck(cells, fast=True)


@pytest.fixture
def verdict(seen):
    def verdict(scenario, name, surface):
        one = seen.get((name, surface, scenario.name))
        one = one or struck(scenario, CONTESTANTS[name], surface, fast=True)
        return scenario.verdict(one), scenario.why(one)

    return verdict


@each_surface
@each_fault
def test_with_defaults_what_has_been_said_is_never_taken_back(
    verdict, scenario, surface
):
    word, why = verdict(scenario, "ours, defaults", surface)
    assert word == WITH_DEFAULTS.get(scenario.name, "pass"), why


@each_surface
@each_fault
def test_with_limits_and_the_whole_answer_held_every_fault_passes(
    verdict, scenario, surface
):
    word, why = verdict(scenario, "ours, set", surface)
    assert word == "pass", why


WHOLE = {"shown": TEXTS[0], "ended": True, "has_usage": True}


@pytest.mark.parametrize(
    ("call", "times", "word"),
    [
        pytest.param(WHOLE, [0.0, 1.9], "pass", id="the whole answer"),
        pytest.param(WHOLE, [0.0, 0.4], "partial", id="too soon"),
        pytest.param(WHOLE, [0.0, 0.1, 0.2], "fail", id="hammered"),
        pytest.param({**WHOLE, "has_usage": False}, [0.0, 1.9], "partial", id="usage"),
        pytest.param({**WHOLE, "shown": TEXTS[0][:20]}, [0.0], "fail", id="cut short"),
        pytest.param({**WHOLE, "ended": False}, [0.0], "fail", id="no end"),
        pytest.param(
            {**WHOLE, "shown": TEXTS[0][:20], "error": OSError("no")},
            [0.0],
            "safe",
            id="an error after a beginning",
        ),
        pytest.param(
            {**WHOLE, "shown": "first-0 second-0", "error": OSError("no")},
            [0.0],
            "fail",
            id="an error after two texts",
        ),
    ],
)
def test_verdicts(call, times, word):
    scenario = Scenario(
        name="429",
        script=lambda *_: (),
        must=(at_most(2, within=1.5),),
        better=(gap(1.8), usage_present),
    )
    assert scenario.verdict(Seen(calls=[Call(0.0, **call)], primary=times)) == word


def test_the_table_sums_up():
    words = {("a", "stream", one.name): "pass" for one in SCENARIOS}
    words |= {("b", "stream", one.name): "pass" for one in SCENARIOS}
    words["b", "stream", SCENARIOS[0].name] = "safe"
    text = table(words)
    assert "a, stream: 16 pass\n" in text
    assert "b, stream: 15 pass, 1 safe\n" in text
    assert "with_fallbacks: 9 pass, 3 partial, 4 safe" in text
    failed = Seen(calls=[Call(0.0, error=OSError("no"), ended=True)])
    name = SCENARIOS[0].name
    assert f"a, stream, {name}: safe: at_least; gap; OSError" in reasons(
        {("a", "stream", name): failed}
    )


def test_waits_on_purpose_take_no_time_where_it_runs_fast():
    pace = Pace(0.1, fast=True)
    pace.begin()
    pace.sleep_until(pace.now() + 3_600)
    assert 3_600 <= pace.seconds() < 3_700
