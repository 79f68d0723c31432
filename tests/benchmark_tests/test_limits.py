"""Limits under load: the provider refuses what it should, and the page says so."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from benchmarks.limits import litellm, page
from benchmarks.limits.__main__ import NUMBERS, RESULTS
from benchmarks.limits.contest import OURS, contestants, run, summed_up
from benchmarks.limits.load import RPM, WARM_UP, Load
from benchmarks.limits.provider import Limit
from langchain_reliable.testing import says


def asked(question="hello?"):
    return SimpleNamespace(body={"messages": [{"role": "user", "content": question}]})


@pytest.mark.parametrize(("window", "most"), [(60.0, RPM), (10.0, RPM // 6)])
def test_a_deployment_refuses_what_is_too_much_and_says_when_to_come(window, most):
    now = [100.0]
    limit = Limit(window, clock=lambda: now[0])
    limit.reply(asked(WARM_UP))
    for _ in range(most):
        assert isinstance(limit.reply(asked()), type(says("")))
    now[0] += 3.5
    refused = limit.reply(asked())
    assert dict(refused.headers)["retry-after"] == str(round(window) - 3)
    now[0] += window
    assert isinstance(limit.reply(asked()), type(says("")))
    assert limit.asked == {"answered": most + 1, "429": 1}


def test_everybody_is_called_at_the_same_moments():
    load = Load(seconds=120, fleets=2)
    assert load.calls == 300
    assert load.moments(0) == load.moments(0) != load.moments(1)
    assert 0 <= load.moments(0)[0] <= load.moments(0)[-1] <= 120


def test_who_is_lost_is_never_answered():
    answered = {"seconds": [0.5] * 95, "lost": {"RateLimitError": 5}}
    row = summed_up(answered, [{"answered": 95, "429": 7}, {}])
    assert row["refused"] == 7
    assert row["lost"] == 5
    assert (row["p50"], row["p99"]) == (0.5, None)


def test_ours_takes_part_where_litellm_is_not_installed(monkeypatch, tmp_path):
    monkeypatch.setattr(litellm, "PLACE", str(tmp_path))
    assert list(contestants()) == [OURS]
    runs = run(["minute"], Load(seconds=0.4, fleets=1))
    assert runs["minute"][OURS]["calls"] == 1
    assert runs["minute"][OURS]["requests"] in ([1, 0, 0], [0, 1, 0], [0, 0, 1])
    result = json.loads(RESULTS.read_text(encoding="utf-8"))
    shown = page.section(result | {"runs": runs, "litellm": None})
    assert shown.count(page.NOT_MEASURED) == 12
    assert "no LiteLLM" in shown


def test_the_page_shows_what_was_measured():
    result = json.loads(RESULTS.read_text(encoding="utf-8"))
    shown = NUMBERS.read_text(encoding="utf-8")
    assert page.section(result) in shown, "run python -m benchmarks.limits --page"


def test_ours_loses_nobody_and_is_ahead():
    for rows in json.loads(RESULTS.read_text(encoding="utf-8"))["runs"].values():
        ours, *others = (rows[name] for name in page.TITLES if name in rows)
        assert ours["lost"] == 0
        for other in others:
            assert ours["refused"] <= other["refused"]
            assert other["p99"] is None or ours["p99"] <= other["p99"]


def test_the_page_needs_its_markers(tmp_path):
    wrong = tmp_path / "numbers.md"
    wrong.write_text("no markers")
    with pytest.raises(ValueError, match="markers"):
        page.write(wrong, json.loads(RESULTS.read_text(encoding="utf-8")))
