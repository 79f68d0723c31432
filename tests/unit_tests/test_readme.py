"""The README runs as a reader would run it, and says what is so."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

import langchain_reliable
from benchmarks import compare, compare_contestants
from langchain_reliable import ReliableChatModel
from langchain_reliable.testing import error_status, says, simulator

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
MOST_LINES = 150
UNLISTED = {"py.typed", "__init__", "__main__", "__pycache__", "_clock"}


@pytest.fixture
def providers(monkeypatch):
    """Put the simulator where the clients look for their providers."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test")
    with simulator() as sim:
        monkeypatch.setenv("OPENAI_API_BASE", sim.openai_url)
        monkeypatch.setenv("ANTHROPIC_API_URL", sim.anthropic_url)
        yield sim


def test_the_python_blocks_run(providers, capsys):
    providers.script("gpt-5.4", error_status(401))
    providers.script("claude-sonnet-5", says("Because air scatters blue."))
    namespace: dict[str, object] = {}
    for block in BLOCKS:
        exec(compile(block, "README.md", "exec"), namespace)  # noqa: S102 - our own page
    assert capsys.readouterr().out == "Because air scatters blue."


def test_it_is_short():
    assert len(TEXT.splitlines()) <= MOST_LINES
    lines = [line for line in BLOCKS[0].splitlines() if line.strip()]
    assert sum("import" not in line for line in lines) <= 6


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)h][^)#]*)", TEXT))
def test_links_lead_somewhere(target):
    assert (README.parent / target).exists()


def test_every_public_name_is_documented():
    for name in langchain_reliable.__all__:
        assert getattr(langchain_reliable, name).__doc__


def test_the_tree_is_the_package_as_it_is():
    block = re.search(r"```text\nlangchain_reliable/\n(.*?)```", TEXT, flags=re.DOTALL)
    shown = set(re.findall(r"\b(\w+)(?:/|\.py)(?=\s)", block.group(1)))
    package = ROOT / "langchain_reliable"
    there = {path.name.removesuffix(".py") for path in package.iterdir()}
    assert shown == there - UNLISTED


def test_the_comparison_is_what_was_measured():
    result = json.loads(compare.RESULTS.read_text(encoding="utf-8"))
    assert compare.section(result) in TEXT, "run python -m benchmarks.compare"
    titles = [trouble.title for trouble in compare.TROUBLES.values()]
    assert list(result["cells"]) == titles


@pytest.mark.parametrize("name", ["cut", "tool"])
def test_with_the_whole_answer_held_the_second_answers(name, monkeypatch):
    def held(first, second):
        return ReliableChatModel(models=[first, second], commit_on="complete")

    ours = compare_contestants.CONTESTANTS["ours"]
    whole = {"ours": replace(ours, build=held)}
    monkeypatch.setattr(compare, "CONTESTANTS", whole)
    said = compare.measured(compare.TROUBLES[name], "ours", None)
    assert said in ("the second answers", "the whole call")


@pytest.mark.parametrize("name", ["breaks", "cut", "retries", "key", "tool"])
def test_our_column_still_holds(name):
    result = json.loads(compare.RESULTS.read_text(encoding="utf-8"))
    trouble = compare.TROUBLES[name]
    said = compare.measured(trouble, "ours", None)
    assert said == result["cells"][trouble.title]["ours"]
