"""Our rows of the failover bench: no fault makes us fail, and set so, none is felt."""

from __future__ import annotations

import pytest
from failover_bench import CONTESTANTS, FAULTS, table, verdict

STRIKE_IN_MID_ANSWER = {
    "cut after 40 of 60 tokens",
    "stall after 20 tokens",
    "tenth event malformed",
    "cut, and a backup that takes no prefill",
}

each_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)


@each_fault
def test_with_defaults_what_has_been_said_is_never_taken_back(fault):
    expected = "safe" if fault.name in STRIKE_IN_MID_ANSWER else "pass"
    assert verdict(fault, CONTESTANTS["ours, defaults"]) == expected


@each_fault
def test_with_a_limit_and_the_whole_answer_held_every_fault_passes(fault):
    assert verdict(fault, CONTESTANTS["ours, set"]) == "pass"


def test_the_table_sums_up():
    row = {fault.name: "pass" for fault in FAULTS}
    other = {**row, FAULTS[0].name: "safe"}
    text = table({"a": row, "b": other})
    assert "a: 16 pass\n" in text
    assert "b: 15 pass, 1 safe\n" in text
    assert "with_fallbacks: 9 pass, 3 partial, 4 safe" in text
