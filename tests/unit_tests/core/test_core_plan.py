"""Who is asked, for which model, in which order."""

from __future__ import annotations

import pytest

from langchain_reliable._core.plan import planned
from langchain_reliable._core.steps import Route


def members(*owns: str | tuple[str, ...], names=(), serves=None) -> list[Route]:
    """One entry each; a tuple is a group."""
    names = dict(names)
    made = []
    for entry, own in enumerate(owns):
        group = own if isinstance(own, tuple) else (own,)
        made += [
            Route(
                entry=entry,
                place=place,
                own=one,
                given_name=names.get(entry),
                serves=(serves or {}).get(entry, ()),
            )
            for place, one in enumerate(group)
        ]
    return made


def labels(plan) -> list[list[str]]:
    return [[route.name for route in tier] for tier in plan]


ROWS = {
    "in the order given": (members("a", "b"), {}, None, [["a"], ["b"]]),
    "groups stay together": (
        members(("a", "a"), "b"),
        {},
        None,
        [["a", "a #2"], ["b"]],
    ),
    "all providers with the model, then all with its fallback": (
        members("big", "big", "other"),
        {"big": ["mid", "small"]},
        None,
        [["big"], ["big #2"], ["other"], ["mid"], ["mid #2"], ["small"], ["small #2"]],
    ),
    "a group falls back as a group": (
        members(("big", "big"), "c"),
        {"big": ["small"]},
        None,
        [["big", "big #2"], ["c"], ["small", "small #2"]],
    ),
    "an asked model goes first to who has it as its own": (
        members("a", "b"),
        {},
        "b",
        [["b"], ["a"]],
    ),
    "then to who serves it, then to who has it as a fallback": (
        members("a", "b", "x", serves={1: ("x",)}),
        {"a": ["x"]},
        "x",
        [["x"], ["x #2"], ["x #3"]],
    ),
    "a group stands where its best member does, that one first": (
        members("a", ("b", "x"), "c"),
        {},
        "x",
        [["x", "b"], ["a"], ["c"]],
    ),
    "an asked model goes to who has it as a fallback": (
        members("a", "b"),
        {"a": ["a-mini"]},
        "a-mini",
        [["a-mini"], ["b"]],
    ),
    "an asked model goes to who serves it": (
        members("a", "b", serves={1: ("x",)}),
        {},
        "x",
        [["x"], ["a"]],
    ),
    "an asked model that nobody names goes to all": (
        members("a", "b"),
        {},
        "x",
        [["x"], ["x #2"]],
    ),
    "the fallbacks of an asked model are its own": (
        members("a", serves={0: ("x",)}),
        {"a": ["a-mini"], "x": ["x-mini"]},
        "x",
        [["x"], ["x-mini"]],
    ),
    "nobody is asked twice for the same": (
        members("a", serves={0: ("b",)}),
        {"b": ["a"]},
        "b",
        [["b"], ["a"]],
    ),
    "names given by the user are kept, with the model where it is another": (
        members("a", "b", names={0: "primary"}),
        {"a": ["a-mini"]},
        None,
        [["primary"], ["b"], ["primary (a-mini)"]],
    ),
    "who has no model name is called by its kind": (
        members(None, None),
        {},
        None,
        [["model"], ["model #2"]],
    ),
}


@pytest.mark.parametrize(
    ("who", "fallbacks", "asked", "expected"),
    ROWS.values(),
    ids=[row.replace(" ", "_") for row in ROWS],
)
def test_plans(who, fallbacks, asked, expected):
    assert labels(planned(who, fallbacks, asked)) == expected


def test_who_is_asked_for_its_own_model_is_asked_as_it_is():
    [[own], [fallback]] = planned(members("a"), {"a": ["b"]}, "a")
    assert (own.asked_for, fallback.asked_for) == (None, "b")
