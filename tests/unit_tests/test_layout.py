"""The layout holds: imports point one way, folders stay small, pure rooms stay pure."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import langchain_reliable

PACKAGE = "langchain_reliable"
HOUSE = Path(langchain_reliable.__file__).parent

ORDER = [
    {"cli"},
    {"_cli"},
    {"chat_models"},
    {"keys", "config", "health_redis"},
    {"_children", "_classify", "health"},
    {"_runtime", "candidates"},
    {"_core"},
    {"observers", "errors", "policies"},
    {"_text"},
    {"events"},
    {"failures"},
]
"""From the top down. A file imports from its own row and from below, type-only imports
included; `__init__`, `__main__` and the door for old pickles stand on top of all."""

IMPURE = {"asyncio", "time", "random", "threading", "socket", "httpx", "httpx2"}
SDKS = {
    "openai",
    "anthropic",
    "google",
    "groq",
    "mistralai",
    "cohere",
    "botocore",
    "redis",
    "langchain_openai",
    "langchain_anthropic",
    "langchain",
    "langgraph",
}
PURE = ("_core", "_classify", "_text", "errors", "events", "failures", "policies")
READS_THE_CLOCK = {"_classify/classifier.py"}  # to read dates; it hands a number on
HOLDS_A_LOCK = {"_core/balancing/groups.py", "_core/retry_budget.py"}

MOST_FILES = 17
MOST_ENTRIES = 20


def files() -> dict[str, Path]:
    """Return the package's files by module name."""
    found = {}
    for path in HOUSE.rglob("*.py"):
        parts = path.relative_to(HOUSE.parent).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


FILES = files()


def imports(path: Path) -> set[str]:
    """Return what a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            names.update(one if one in FILES else node.module for one in full)
    return names


GRAPH = {name: imports(path) & FILES.keys() for name, path in FILES.items()}


def unit(module: str) -> str:
    """Return the folder or door of a module."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def row(name: str) -> int | None:
    return next((at for at, row in enumerate(ORDER) if name in row), None)


def test_no_files_import_each_other_in_a_circle():
    TopologicalSorter(GRAPH).prepare()


def test_no_folders_import_each_other_in_a_circle():
    between: dict[str, set[str]] = {}
    for module, targets in GRAPH.items():
        reached = {unit(one) for one in targets} - {unit(module)}
        between.setdefault(unit(module), set()).update(reached)
    TopologicalSorter(between).prepare()


@pytest.mark.parametrize("module", sorted(FILES))
def test_nothing_points_back(module):
    here = row(unit(module))
    for target in GRAPH[module]:
        there = row(unit(target))
        if here is not None:
            assert there is not None or unit(module) == "_cli", target
            assert there is None or there >= here, target


def test_what_users_test_with_stands_on_public_doors():
    private = {
        target
        for module, targets in GRAPH.items()
        if unit(module) == "testing"
        for target in targets
        if unit(target).startswith("_") and unit(target) != "__init__"
    }
    assert not private


def pure_files() -> list[str]:
    return sorted(
        str(path.relative_to(HOUSE))
        for module, path in FILES.items()
        if unit(module) in PURE
    )


@pytest.mark.parametrize("name", pure_files())
def test_what_decides_knows_no_clock_loop_or_sdk(name):
    found = {one.split(".")[0] for one in imports(HOUSE / name)}
    allowed = {"threading"} if name in HOLDS_A_LOCK else set()
    assert not found & (IMPURE | SDKS) - allowed
    if name not in READS_THE_CLOCK:
        assert f"{PACKAGE}._runtime.clock" not in imports(HOUSE / name)


def _is_for_types(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


@pytest.mark.parametrize(
    "path", sorted(HOUSE.rglob("*.py")), ids=lambda path: str(path.relative_to(HOUSE))
)
def test_no_file_imports_an_sdk_when_it_is_opened(path):
    tree = ast.parse(path.read_text())
    names = {
        alias.name if isinstance(node, ast.Import) else node.module or ""
        for node in tree.body
        if isinstance(node, (ast.Import, ast.ImportFrom)) and not _is_for_types(node)
        for alias in node.names
    }
    if path.parent.name != "_cli":
        assert not {name.split(".")[0] for name in names} & SDKS


def test_folders_stay_small():
    def counts(path: Path) -> bool:
        name = path.name
        return name not in {"__pycache__", "__init__.py", "__main__.py", "py.typed"}

    assert sum(map(counts, HOUSE.iterdir())) <= MOST_ENTRIES
    for folder in filter(Path.is_dir, HOUSE.rglob("*")):
        assert sum(map(counts, folder.glob("*.py"))) <= MOST_FILES, folder


def test_every_file_says_what_it_is_for():
    for path in HOUSE.rglob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text())), path


def test_every_folder_opens_with_its_theory():
    for folder in {path.parent for path in HOUSE.rglob("*.py")} - {HOUSE}:
        tree = ast.parse((folder / "__init__.py").read_text())
        assert len((ast.get_docstring(tree) or "").split()) >= 25, folder


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
