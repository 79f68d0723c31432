"""The page of settings says what the code does; run this file to write it anew."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from langchain_reliable import (
    Budget,
    CallOptions,
    Candidate,
    CircuitBreaker,
    Group,
    Hedge,
    ReliableChatModel,
    RetryBudget,
)

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
INTRO = """\
# All settings

Every field, with its default. All are given by name; all durations are seconds. What \
a field is good for stands in the guides: \
[streaming](streaming.md), [retries](retries.md), \
[groups and keys](groups.md), [health](health.md), [observing](observing.md).
"""
TABLES = {
    ReliableChatModel: "The model itself. LangChain's own fields (`cache`, "
    "`callbacks`, `tags`, `metadata`, `rate_limiter`, ...) are there as in every chat "
    "model.",
    Candidate: "An entry of `models` with settings of its own: "
    "`Candidate(model, name=...)`. What is not given here is the model's.",
    Group: "An entry of `models` of several equals: `Group([one, two], order=...)`.",
    CircuitBreaker: "`ReliableChatModel(circuit_breaker=CircuitBreaker(...))`, or "
    "`None` for none.",
    RetryBudget: "`ReliableChatModel(retry_budget=RetryBudget(...))`.",
    Hedge: "`ReliableChatModel(hedge=Hedge(...))`, or on a `Candidate`.",
    Budget: "`Candidate(budget=Budget(...))`.",
    CallOptions: "For one call: `model.invoke(..., reliable=CallOptions(...))`. It "
    "passes through bindings and agents, and never reaches a child.",
}


def own_fields(owner):
    """Return the fields that are not LangChain's, in the order of the source."""
    foreign = set()
    for base in owner.__mro__:
        if not base.__module__.startswith("langchain_reliable"):
            foreign |= set(getattr(base, "model_fields", ()))
    return {
        name: info for name, info in owner.model_fields.items() if name not in foreign
    }


def written_beneath(owner):
    """Read what stands beneath each field in the source."""
    told = {}
    for base in reversed(owner.__mro__):
        if base.__module__.startswith("langchain_reliable"):
            [tree] = ast.parse(textwrap.dedent(inspect.getsource(base))).body
            for field, after in zip(tree.body, tree.body[1:], strict=False):
                if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr):
                    told[field.target.id] = inspect.cleandoc(after.value.value)
    return told


def default_of(info):
    if info.default_factory is not None:
        made = info.default_factory()
        return f"`{made!r}`" if made in ({}, (), []) else "a new one"
    if info.default is PydanticUndefined:
        return "required"
    value = info.default
    if isinstance(value, CircuitBreaker):
        return "`CircuitBreaker()`"
    return f"`{value!r}`".replace("'", '"')


def meaning_of(owner, name, info):
    told = info.description or written_beneath(owner).get(name)
    if told is None:  # described among the arguments of the class
        args = re.search(
            rf"^    {name}: (.+?)(?=^ *\n|^    \w+:|\Z)",
            inspect.getdoc(owner),
            re.MULTILINE | re.DOTALL,
        )
        told = args.group(1) if args else ""
    return " ".join(told.split()).replace("|", "\\|")


def rows(owner):
    yield "| field | default | meaning |"
    yield "| --- | --- | --- |"
    for name, info in own_fields(owner).items():
        yield f"| `{name}` | {default_of(info)} | {meaning_of(owner, name, info)} |"


def page():
    parts = [INTRO]
    for owner, told in TABLES.items():
        parts.append(
            f"\n## {owner.__name__}\n\n{told}\n\n" + "\n".join(rows(owner)) + "\n"
        )
    return "".join(parts)


def test_the_page_is_what_the_code_says():
    said = PAGE.read_text(encoding="utf-8")
    assert said == page(), "run python tests/unit_tests/test_docs_settings.py"


@pytest.mark.parametrize("owner", TABLES, ids=lambda owner: owner.__name__)
def test_every_field_is_described(owner):
    for name, info in own_fields(owner).items():
        assert meaning_of(owner, name, info), name


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
