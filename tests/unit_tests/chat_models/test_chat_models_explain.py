"""`explain` as people see it, and what it leaves alone."""

from __future__ import annotations

from html import unescape

import pytest
from langchain_openai import ChatOpenAI

from langchain_reliable import Group, ReliableChatModel
from langchain_reliable.cli import main
from langchain_reliable.testing import ScriptedChatModel


def child(name):
    return ScriptedChatModel(model=name)


def model(*names, **settings):
    return ReliableChatModel(models=[child(name) for name in names], **settings)


@pytest.mark.parametrize("surface", ["stream", "invoke"])
def test_it_fits_a_terminal(surface):
    told = str(model("primary", "backup").explain(surface))
    assert max(map(len, told.splitlines())) <= 80
    assert "overloaded (503)              1.5 s    3 + 1     backup answers" in told
    assert "primary + backup." in told
    many = str(model(*("p" * 200 + str(n) for n in range(9))).explain(surface))
    assert max(map(len, many.splitlines())) <= 80
    assert "12 to 9" in many
    long = str(model("p" * 200, "b" * 200).explain(surface))
    assert max(map(len, long.splitlines())) <= 80


def test_it_is_data_too():
    told = model("primary", "backup").explain().as_dict()
    assert told["warnings"] == []
    assert told["scenarios"][0] == {
        "scenario": "refused",
        "answered_by": "backup",
        "caller_sees": "backup answers",
        "seconds": 0.0,
        "requests": {"primary": 1, "backup": 1},
    }
    assert len(told["scenarios"]) == 12


def test_a_notebook_shows_it_without_a_tag_of_a_name():
    html = model("<b>", "backup").explain()._repr_html_()
    assert html.startswith("<table>")
    assert "<b>" not in html
    assert "&lt;b&gt;" in html


def test_text_page_and_data_say_the_same():
    told = model("primary", "backup", "third", total_timeout=30).explain()
    text, page = " ".join(str(told).split()), unescape(told._repr_html_())
    for row in told.as_dict()["scenarios"]:
        took = f"{row['seconds']:g} s" if row["seconds"] else "at once"
        counts = " + ".join(map(str, row["requests"].values()))
        assert row["caller_sees"] in text
        assert f"{took} {counts} {row['caller_sees'].split(':')[0]}" in text
        requests = ", ".join(f"{n} to {who}" for who, n in row["requests"].items())
        for said in (row["scenario"], row["caller_sees"], took, requests):
            assert f">{said}<" in page
    for warning in told.as_dict()["warnings"]:
        assert warning in text
        assert warning in page


def test_nobody_is_asked_and_nothing_is_remembered():
    children = [child("a"), child("b"), child("c")]
    group = Group(children[:2], order="round_robin")
    rotating = ReliableChatModel(models=[group, children[2]])
    for _ in range(3):
        rotating.explain()
    assert rotating.invoke("?").response_metadata["reliable"]["served_by"] == "a"
    assert [one.request_count for one in children] == [1, 0, 0]
    assert all(one.failures == 0 for one in rotating.health.snapshot())


def test_in_a_group_the_sibling_comes_first():
    group = ReliableChatModel(models=[[child("a"), child("b")], child("c")])
    rows = {one.scenario: one for one in group.explain().scenarios}
    assert rows["503"].answered_by == "b"
    assert rows["503"].seconds == 0
    assert rows["everything down"].requests == {"a": 3, "b": 3, "c": 3}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"total_timeout": 30}, "total_timeout=30 ends before first_chunk_timeout=60"),
        (
            {"attempt_timeout": 9},
            "attempt_timeout=9 ends before first_chunk_timeout=60",
        ),
    ],
)
def test_settings_that_cannot_work(settings, said):
    (warning,) = model("a", "b", **settings).explain().warnings
    assert warning.startswith(said)


def test_two_entries_that_are_one():
    one, other = child("a"), child("a")
    same = ReliableChatModel(models=[one, one]).explain()
    assert "one and the same" in same.warnings[0]
    assert ReliableChatModel(models=[one, other.model_copy(update={"model": "b"})])


def test_a_client_that_gives_up_before_we_do():
    impatient = ChatOpenAI(model="gpt", api_key="none", timeout=10)
    (warning,) = ReliableChatModel(models=[impatient, child("b")]).explain().warnings
    assert "its client gives up after timeout=10, before first_chunk_timeout" in warning


def test_one_model_alone_is_said():
    told = model("a").explain()
    assert "nobody can answer in its place" in told.notes[0]
    assert {one.answered_by for one in told.scenarios if one.scenario == "503"} == {
        None
    }


def test_silence_without_an_end_is_said():
    told = model("a", last_chance_timeout=None).explain()
    (row,) = [one for one in told.scenarios if one.scenario == "silent"]
    assert row.seconds is None
    assert "no limit" in str(told)
    assert "nothing, without an end" in str(told)


def test_it_is_a_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    assert main(["explain", "--model", "openai:gpt-a", "--model", "openai:gpt-b"]) == 0
    assert "at once  1 + 1     gpt-b answers" in capsys.readouterr().out
    path = tmp_path / "m.yaml"
    path.write_text("models: ['openai:a', 'openai:b']\ntotal_timeout: 5\n")
    assert main(["explain", "--config", str(path), "--surface", "invoke"]) == 1
    assert "! total_timeout=5" in capsys.readouterr().out
