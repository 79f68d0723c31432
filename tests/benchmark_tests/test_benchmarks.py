"""The benchmark runs, counts right and says what it found; no timings here."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import pytest

from benchmarks import report, summary
from benchmarks.__main__ import NUMBERS, README, RESULTS, main
from benchmarks.contestants import BARE, BARE_AGAIN, CONTESTANTS, EVERYBODY, OURS
from benchmarks.rounds import turned
from benchmarks.rows import CALL, ROWS, Metric
from benchmarks.works import Sample


def lines_of(metric, *rounds):
    """Sum up made-up rounds of values, one contestant's beside the other's."""
    row = replace(ROWS[0], metrics=(metric,))
    samples = [
        {name: Sample({metric.name: value}) for name, value in one.items()}
        for one in rounds
    ]
    return summary.lines(row, samples)


def test_every_row_runs_and_is_written(tmp_path, run, capsys):
    path = tmp_path / "results.json"
    assert main(["--tiny", "--json", str(path)], run=run) == 0
    shown = capsys.readouterr().out
    result = json.loads(path.read_text())
    lines = result["lines"]
    assert [row.name for row in ROWS] == list(dict.fromkeys(x["row"] for x in lines))
    assert len(lines) == sum(len(row.metrics) for row in ROWS)
    assert {"date", "commit", "machine", "versions", "seconds"} < set(result)
    for line in lines:
        assert f"| {line['title']} " in shown
        cells = line["cells"]
        assert {BARE, OURS} <= set(cells) <= set(CONTESTANTS)
        assert set(cells[BARE]) == {"median", "quartiles"}
        for name in set(cells) - {BARE}:
            assert {"median", "quartiles", "ratio", "added"} <= set(cells[name])
            assert ("target" in cells[name]) is ("met" in cells[name])
    assert f"{len(summary.missed(lines))} targets missed" in shown


def test_a_miss_fails_if_it_shall(capsys):
    few_chunks = ["--tiny", "--only", "memory"]  # next to nothing, so ours shows
    assert main([*few_chunks, "--strict"]) == 1
    assert "1 targets missed" in capsys.readouterr().out


def test_an_unknown_row_is_answered_with_those_there_are(capsys):
    with pytest.raises(SystemExit):
        main(["--only", "nonsense"])
    assert "stream-1000" in capsys.readouterr().err


def test_everybody_takes_every_place():
    rounds = [turned(EVERYBODY, number) for number in range(2 * len(EVERYBODY))]
    for place in zip(*rounds, strict=True):
        assert set(place) == set(EVERYBODY)
    neighbors = {pair for one in rounds for pair in pairwise(one)}
    assert {(BARE, OURS), (OURS, BARE)} < neighbors


def test_ratios_are_those_of_a_round():
    rounds = [{BARE: 1.0, OURS: 1.1}, {BARE: 2.0, OURS: 2.2}, {BARE: 4.0, OURS: 40.0}]
    metric = Metric(name="seconds", unit="s", targets={OURS: 1.15})
    [line] = lines_of(metric, *rounds)
    ours = line["cells"][OURS]
    assert ours["ratio"] == {"median": 1.1, "quartiles": [1.1, 5.55]}
    assert ours["added"]["median"] == 0.2
    assert ours["met"] is True
    assert ours["sure"] is False
    assert "1.100 ±2.225 (<= 1.15: met?)" in report.table([line])


def test_more_can_be_better():
    metric = Metric(name="n", unit="k", more_is_better=True, targets={OURS: 0.95})
    [line] = lines_of(metric, {BARE: 10.0, OURS: 9.0})
    assert line["cells"][OURS]["met"] is False
    assert "0.900 ±0.000 (>= 0.95: MISSED)" in report.table([line])
    assert summary.missed([line]) == [f"{line['title']}: {OURS}"]


def test_what_is_added_is_told_with_its_unit():
    metric = Metric(name="s", unit="ms", per_unit=1e-3, shows="added")
    [line] = lines_of(metric, {BARE: 1.0, BARE_AGAIN: 0.9996, OURS: 1.2345})
    shown = report.table([line])
    assert "1,000 ms" in shown
    assert "+234 ±0 ms" in shown or "+235 ±0 ms" in shown
    assert "-0.400 ±0 ms" in shown


def test_the_pages_get_the_table(tmp_path):
    page, short = tmp_path / "numbers.md", tmp_path / "README.md"
    for one in (page, short):
        one.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    facts = {
        "date": "2026-01-01",
        "commit": "abc1234",
        "changed": False,
        "machine": {"cpu": "a CPU", "cores": 2, "system": "Linux", "load": 0.1},
        "versions": {"python": "3.11.7", "langchain-core": "1.7.2"},
    }
    lines = lines_of(CALL[0], {BARE: 1.0, OURS: 1.1})
    result = {**facts, "tiny": False, "partial": False, "lines": lines}
    report.write_pages(short, page, result)
    once = page.read_text()
    assert once.startswith("before\n")
    assert once.endswith("after\n")
    assert "commit abc1234, a CPU with 2 cores" in once
    assert report.table(lines) in once
    assert "old" not in once
    report.write_pages(short, page, result)
    assert page.read_text() == once
    for wrong in ("tiny", "partial"):
        with pytest.raises(ValueError, match="make bench"):
            report.write_pages(short, page, {**result, wrong: True})
    page.write_text("no markers")
    with pytest.raises(ValueError, match="markers"):
        report.write_pages(short, page, result)


def test_the_pages_show_what_was_printed():
    result = json.loads(RESULTS.read_text(encoding="utf-8"))
    page = NUMBERS.read_text(encoding="utf-8")
    assert report.table(result["lines"]) in page, "run python -m benchmarks --readme"
    assert report.heading(result) in page
    short = README.read_text(encoding="utf-8")
    assert report.short_table(result["lines"]) in short
    assert report.dated(result) in short
