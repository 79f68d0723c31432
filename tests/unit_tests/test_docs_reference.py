"""Everything public has a place in the reference; run this file to write it anew."""

from __future__ import annotations

import inspect
from pathlib import Path

import langchain_reliable
from langchain_reliable import errors, events, observers, testing

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
PAGES = {
    "models": (
        "Models and candidates",
        ("ReliableChatModel", "Candidate", "Group", "rotate_keys"),
    ),
    "policies": (
        "Policies and health",
        ("CircuitBreaker", "RetryBudget", "Budget", "CallOptions", "Health"),
    ),
    "errors": (
        "Errors and failures",
        ("classify", "Failure", "FailureKind", "Verdict", "PROPAGATE"),
    ),
}
MODULES = {
    "events": ("Events", events),
    "observers": ("Observers", observers),
}
TESTING = {
    "A model that follows a script": (
        "ScriptedChatModel",
        "ScriptEntry",
        "Turn",
        "fails",
        "stalls",
        "streams",
        "metadata_chunks",
        "Gate",
        "Pause",
        "Timepiece",
        "ScriptRecord",
        "ScriptedRequest",
        "Binding",
    ),
    "What is answered": (
        "says",
        "refuses",
        "says_nothing",
        "tool_call",
        "Answer",
        "ToolCall",
        "Usage",
    ),
    "A server that speaks the providers' APIs": (
        "simulator",
        "Simulator",
        "SimulatedRequest",
        "Reply",
        "Fault",
        "ErrorReply",
        "Trouble",
    ),
    "Faults put into real models": ("inject", "Faults"),
}
"""What is used first comes first; all other names are faults of the simulator."""
FAULTS = "Faults of the server"
OPTIONS = dict.fromkeys(
    ("ReliableChatModel", "Candidate", "Group"),
    "    options:\n      inherited_members: true\n",  # their fields
)


def home_of(thing, module):
    """Return the path by which a name is documented: where it is defined."""
    defined = getattr(thing, "__module__", None)
    own = defined and defined.startswith("langchain_reliable")
    return defined if own else module.__name__


def entries(module, names, level=2):
    for name in names:
        thing = getattr(module, name)
        home = home_of(thing, module)
        if not (inspect.isclass(thing) or inspect.isfunction(thing)):
            home = {"PROPAGATE": "langchain_reliable.failures"}.get(name, home)
        options = OPTIONS.get(name, "")
        if level != 2:
            options = f"    options:\n      heading_level: {level}\n"
        yield f"::: {home}.{name}\n{options}"


def own_names(module):
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return tuple(listed)
    return tuple(
        name
        for name, thing in vars(module).items()
        if inspect.isclass(thing)
        and thing.__module__ == module.__name__
        and name[0] != "_"
    )


def placed():
    """Return which names stand on which page."""
    taken = {name for _, names in PAGES.values() for name in names}
    rest = [name for name in langchain_reliable.__all__ if name not in taken]
    rest = [name for name in rest if name not in own_names(observers)]
    named = set(own_names(errors))
    for page, (title, names) in PAGES.items():
        more = (
            tuple(one for one in rest if one not in named) if page == "policies" else ()
        )
        lines = list(entries(langchain_reliable, (*names, *more)))
        if page == "errors":
            lines += entries(errors, own_names(errors))
        yield page, title, lines
    for page, (title, module) in MODULES.items():
        yield page, title, list(entries(module, own_names(module)))
    yield "testing", "Testing", list(in_sections())


def in_sections():
    """Return the page of the test doubles, which are many, by what they are for."""
    taken = {name for names in TESTING.values() for name in names}
    rest = tuple(name for name in testing.__all__ if name not in taken)
    for title, names in {**TESTING, FAULTS: rest}.items():
        yield f"## {title}\n"
        yield from entries(testing, names, level=3)


def written(title, lines):
    return f"# {title}\n\n" + "\n".join(lines)


def test_every_public_name_stands_in_the_reference():
    for page, title, lines in placed():
        said = (REFERENCE / f"{page}.md").read_text(encoding="utf-8")
        assert said == written(title, lines), (
            "run python tests/unit_tests/test_docs_reference.py"
        )
    told = "".join(one.read_text(encoding="utf-8") for one in REFERENCE.glob("*.md"))
    for module in (langchain_reliable, observers, testing):
        for name in module.__all__:
            assert f".{name}\n" in told, name


if __name__ == "__main__":
    for page, title, lines in placed():
        target = REFERENCE / f"{page}.md"
        target.write_text(written(title, lines), encoding="utf-8")
