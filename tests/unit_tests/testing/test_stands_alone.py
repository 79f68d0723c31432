"""The test doubles stand alone: they import nothing else of the package."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from langchain_reliable import testing

HERE = Path(testing.__file__).parent
MODULES = sorted(HERE.rglob("*.py"))


def imported(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = {n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)}
    plain = (n.names for n in nodes if isinstance(n, ast.Import))
    return names | {alias.name for names_ in plain for alias in names_}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(HERE)))
def test_it_imports_no_private_part_of_the_package(path):
    private = {
        name
        for name in imported(path)
        if name.startswith("langchain_reliable._")
        or ("._" in name and not name.startswith("langchain_reliable.testing."))
    }
    assert not private


@pytest.mark.parametrize(
    "folder", sorted({path.parent for path in MODULES}), ids=lambda folder: folder.name
)
def test_each_folder_opens_with_its_theory(folder):
    theory = ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
    assert theory
    assert len(theory.split()) >= 25
