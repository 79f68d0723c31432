"""The house keeps its rooms: pure ones stay pure, and imports point down."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import langchain_reliable

HOUSE = Path(langchain_reliable.__file__).parent

PURE = sorted(
    [
        "_call.py",
        "_circuit.py",
        "_patience.py",
        "_plan.py",
        "_scrub.py",
        "_sentence.py",
        "_speech.py",
        "_standings.py",
        "_steps.py",
        "_trail.py",
        "_usage.py",
        "_wording.py",
        "errors.py",
        "events.py",
        "failures.py",
        "policies.py",
        *(f"_classify/{path.name}" for path in (HOUSE / "_classify").glob("*.py")),
    ]
)
IMPURE = {"asyncio", "time", "random", "threading", "socket", "httpx", "httpx2"}
SDKS = {
    "openai",
    "anthropic",
    "google",
    "groq",
    "mistralai",
    "cohere",
    "botocore",
    "langchain_openai",
    "langchain_anthropic",
    "langchain",
    "langgraph",
}

FLOORS = [
    {"chat_models"},
    {"_citizen"},
    {"_factory", "_check", "_display"},
    {"_ask", "_router", "_judge", "_report"},
    {"_identity", "_manner"},
    {"_views", "_options"},
    {"_children", "_tools", "_copies"},
    {
        "_runnables",
        "_structured",
        "_listeners",
        "_memory",
        "_profile",
        "_portable",
        "_written",
    },
    {"_forms", "_quiet", "_common_words"},
    {"_drive"},
    {"_relay"},
    {"_streams"},
    {"_closing", "_alarm", "_reader"},
    {"_within", "_patience", "_workers"},
    {"_call", "_plan", "_speech", "_telling"},
    {"_sentence"},
    {"_standings", "_trail", "health"},
    {"_circuit", "_bucket"},
    {"_classify"},
    {"_steps", "_clock", "candidates", "_families", "_wishes", "_usage", "_greeting"},
    {"policies", "errors", "events", "_rotation"},
    {"_wording"},
    {"failures", "_scrub", "_own", "_once", "_audience"},
]
"""From the front door down; a room may import from its own floor and from below."""


def imports(path: Path, *, running: bool = True) -> set[str]:
    """Return what a module imports, without what only the type checker sees."""
    tree = ast.parse(path.read_text())
    if running:
        tree.body = [node for node in tree.body if not _is_for_types(node)]
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def _is_for_types(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


@pytest.mark.parametrize("room", PURE)
def test_a_pure_room_knows_no_clock_loop_or_sdk(room):
    found = {name.split(".")[0] for name in imports(HOUSE / room)}
    assert not found & (IMPURE | SDKS)


@pytest.mark.parametrize(
    "path", sorted(HOUSE.rglob("*.py")), ids=lambda path: str(path.relative_to(HOUSE))
)
def test_no_room_imports_an_sdk_when_it_is_opened(path):
    tree = ast.parse(path.read_text())
    top = ast.Module([node for node in tree.body if not _is_for_types(node)], [])
    names = {
        alias.name if isinstance(node, ast.Import) else node.module or ""
        for node in ast.walk(top)
        if isinstance(node, (ast.Import, ast.ImportFrom)) and node in tree.body
        for alias in node.names
    }
    allowed = {"_demo.py", "_show.py", "cli.py"}
    if path.name not in allowed:
        assert not {name.split(".")[0] for name in names} & SDKS


@pytest.mark.parametrize("floor", range(len(FLOORS)))
def test_imports_point_down(floor):
    above = set().union(*FLOORS[:floor])
    for room in FLOORS[floor]:
        path = HOUSE / f"{room}.py"
        path = path if path.exists() else HOUSE / room / "__init__.py"
        used = {
            name.split(".")[1]
            for name in imports(path)
            if name.startswith("langchain_reliable.")
        }
        assert not used & above, room


def test_every_room_says_what_lives_there():
    for path in HOUSE.rglob("*.py"):
        head = ast.get_docstring(ast.parse(path.read_text()))
        assert head, path


def test_importing_the_package_brings_no_sdk_no_thread_and_no_socket():
    code = (
        "import sys, threading, langchain_reliable;"
        "bad = {'openai', 'anthropic', 'h11', 'rich', 'langchain', 'langgraph'};"
        "print(sorted(bad & set(sys.modules)), threading.active_count())"
    )
    run = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[] 1"
