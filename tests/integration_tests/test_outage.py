"""An outage over the wire: who pays for it, and how often."""

from __future__ import annotations

import pytest

from langchain_reliable import rotate_keys
from langchain_reliable.testing import FAULTS, says


@pytest.mark.parametrize("family", ["openai", "anthropic"])
def test_fifteen_calls_in_a_minute_of_outage_reach_the_dead_primary_six_times(
    surface, reliable, clients, clock, family
):
    sim = clients.sim
    sim.script("the-primary", FAULTS["error-503"])
    model = reliable(clients.of(family, "the-primary"), clients.openai("the-backup"))
    for _ in range(15):
        assert surface(model).trail["served_by"] == "the-backup"
        clock.time += 4
    assert sim.count("the-primary") <= 6  # three retries, a probe each 20 s

    sim.script("the-primary", says("well again"))
    clock.time += 30
    assert surface(model).text == "well again"
    assert surface(model).attempts == ["the-primary: answered"]


def test_of_two_keys_the_exhausted_one_is_asked_once(surface, reliable, clients, clock):
    sim = clients.sim
    sim.script("gpt", FAULTS["quota-exhausted"], says("the second key answers"))
    keys = rotate_keys(clients.openai("gpt"), ["sk-empty", "sk-full"])
    model = reliable(keys)
    for _ in range(5):
        assert surface(model).text == "the second key answers"
    used = [request.key for request in sim.requests]
    assert used == ["sk-empty", *["sk-full"] * 5]
    assert "sk-" not in repr(model) + str(model.health) + str(surface(model).trail)
