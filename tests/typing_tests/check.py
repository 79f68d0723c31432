"""What users write passes the type checkers, and nonsense does not.

Every Python block of README, docs and notebooks, and `constructions.py`, as mypy (bare,
and with pydantic's plugin) and pyright see them in a project of the user's own.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import langchain_reliable
from langchain_reliable import testing

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CACHE = ROOT / ".mypy_cache"
STRICT = "[tool.mypy]\nstrict = true\n"
PLUGIN = "plugins = ['pydantic.mypy']\n[tool.pydantic-mypy]\ninit_typed = true\n"
CONFIGS = {
    "mypy": STRICT,
    "mypy with pydantic's plugin": STRICT + PLUGIN + "init_forbid_extra = true\n",
    "pyright": "[tool.pyright]\n",
}
MAGIC = re.compile(r"^(\s*)[%!].*$", re.MULTILINE)
OF_FRAGMENTS = ("[no-untyped-call]", "[name-defined]", "reportUndefinedVariable")
"""What an example in the middle of a page need not have: annotations, a beginning."""
OURS = {*langchain_reliable.__all__, *testing.__all__}


def programs() -> dict[str, str]:
    """Return what pages and notebooks show, one program each, in order."""
    shown = {}
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        text = page.read_text(encoding="utf-8")
        blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        shown[f"page_{page.relative_to(ROOT).with_suffix('')}"] = "\n\n".join(blocks)
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        code = ["".join(one["source"]) for one in cells if one["cell_type"] == "code"]
        shown[f"notebook_{notebook.stem}"] = MAGIC.sub(r"\1pass", "\n\n".join(code))
    return {re.sub(r"\W", "_", name): code for name, code in shown.items() if code}


def found(config: str, folder: Path) -> list[str]:
    """Return the errors that one checker finds in a folder."""
    (folder / "pyproject.toml").write_text(CONFIGS[config])
    tool = config.partition(" ")[0]
    options = {
        "mypy": ["--no-error-summary", "--cache-dir", str(CACHE / config), "."],
        "pyright": ["--pythonpath", sys.executable],
    }[tool]
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", tool, *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line.strip() for line in done.stdout.splitlines()]
    errors = [one for one in lines if re.search(r"\.py:\d+.*\berror:", one)]
    if done.returncode and not errors:
        raise SystemExit(done.stdout + done.stderr)
    return errors


def wrong_lines(errors: list[str]) -> set[int]:
    """Return the lines of `nonsense.py` that were complained about."""
    places = [re.search(r"nonsense\.py:(\d+)", error) for error in errors]
    return {int(place[1]) for place in places if place}


def is_ours(error: str, folder: Path) -> bool:
    """Return whether an error is about a call of ours, in what a page shows.

    An example need not be strict, and what other packages' types say is theirs.
    """
    place = re.search(r"(\w+\.py):(\d+)", error)
    if place is None or not place[1].startswith(("page_", "notebook_")):
        return True
    if any(rule in error for rule in OF_FRAGMENTS):
        return False
    at = int(place[2])
    calls = [
        node
        for node in ast.walk(ast.parse((folder / place[1]).read_text()))
        if isinstance(node, ast.Call) and node.lineno <= at <= (node.end_lineno or 0)
    ]
    names = {ast.unparse(call.func).rpartition(".")[2] for call in calls}
    return bool(names & OURS) and not any(name.startswith("Chat") for name in names)


def told_of(config: str, folder: Path) -> list[str]:
    """Return what is wrong with what one checker says."""
    errors = found(config, folder)
    rest = [one for one in errors if "nonsense.py" not in one]
    false = [one for one in rest if is_ours(one, folder)]
    lines = enumerate((HERE / "nonsense.py").read_text().splitlines(), 1)
    marked = {at for at, line in lines if line.endswith("# wrong")}
    passed = sorted(marked - wrong_lines(errors))
    return [*false, *(f"nonsense.py:{at}: passes" for at in passed)]


def main() -> int:
    """Run all checkers; the exit status is 1 if one of them says the wrong thing."""
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for page, code in programs().items():
            (folder / f"{page}.py").write_text(code, encoding="utf-8")
        for file in ("constructions.py", "nonsense.py"):
            (folder / file).write_text((HERE / file).read_text())
        for config in CONFIGS:
            told = told_of(config, folder)
            print(f"{config}: {len(told)} errors", *told, sep="\n  ", flush=True)
            failed += bool(told)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
