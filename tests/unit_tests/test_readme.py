"""Every block of the README runs, in order, as a reader would run it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import langchain_reliable
from langchain_reliable import ReliableChatModel
from langchain_reliable.failures import FailureKind

README = Path(__file__).parents[2] / "README.md"
TEXT = README.read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


def test_the_python_blocks_run(capsys):
    namespace: dict[str, object] = {}
    for block in BLOCKS:
        exec(compile(block, "README.md", "exec"), namespace)  # noqa: S102 - our own page
    said = capsys.readouterr().out
    assert said.startswith("Hello from the backup.")
    assert "gpt-5.4" in said


def test_the_first_block_is_eight_lines():
    lines = [line for line in BLOCKS[0].splitlines() if line.strip()]
    assert len(lines) <= 8


def test_every_setting_is_in_the_table_with_its_default():
    own = set(ReliableChatModel.model_fields) - set(
        ReliableChatModel.__mro__[1].model_fields
    )
    table = TEXT.split("## Settings")[1].split("\n## ")[0]
    for name in own:
        assert f"`{name}`" in table, name
        default = ReliableChatModel.model_fields[name].default
        if isinstance(default, (bool, int, float)):
            row = next(row for row in table.splitlines() if f"`{name}`" in row)
            assert f"`{default}`" in row, row


def test_every_kind_is_in_the_table():
    assert all(f"| `{kind}` |" in TEXT for kind in FailureKind)


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)h][^)]*)\)", TEXT))
def test_links_lead_somewhere(target):
    assert (README.parent / target).exists()


def test_every_public_name_is_documented():
    for name in langchain_reliable.__all__:
        assert getattr(langchain_reliable, name).__doc__
