"""Look into what would be published, and try it in an empty environment.

The archive holds what git knows, and nothing that lies about in the folder; the wheel
is the package alone. Installed with its extra `demo`, it plays the demo.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
NEEDED = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "LICENSE",
    "Makefile",
    "pyproject.toml",
    "mkdocs.yml",
    "docs/index.md",
    "notebooks/quickstart.ipynb",
    "tests/conftest.py",
    "langchain_reliable/py.typed",
    ".ci/constraints.txt",
]
WRITTEN = {"PKG-INFO"}


def tracked() -> set[str]:
    """Return the files that git knows."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 - the git of this machine
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(filter(None, listed.stdout.split("\0")))


def in_archive() -> set[str]:
    """Return the files of the archive, without its own folder."""
    (archive,) = DIST.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = [one.name for one in opened.getmembers() if one.isfile()]
    return {name.partition("/")[2] for name in names}


def in_wheel() -> set[str]:
    """Return the files of the wheel."""
    (wheel,) = DIST.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        return set(opened.namelist())


def complaints() -> list[str]:
    """Return what is missing, and what should not be there."""
    known, archive, wheel = tracked(), in_archive(), in_wheel()
    package = {name for name in known if name.startswith("langchain_reliable/")}
    tests = {name for name in known if name.startswith("tests/")}
    of_wheel = {name for name in wheel if ".dist-info/" not in name}
    return [
        *(f"not in the archive: {one}" for one in sorted({*NEEDED, *tests} - archive)),
        *(
            f"a stray in the archive: {one}"
            for one in sorted(archive - known - WRITTEN)
        ),
        *(f"not in the wheel: {one}" for one in sorted(package - of_wheel)),
        *(f"a stray in the wheel: {one}" for one in sorted(of_wheel - package)),
    ]


def tried() -> None:
    """Install the wheel where nothing is, and run its commands."""
    (wheel,) = DIST.glob("*.whl")
    with tempfile.TemporaryDirectory() as place:
        venv.create(place, with_pip=True)
        bin_ = Path(place) / "bin"
        quiet = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        known = ["--constraint", str(ROOT / ".ci" / "constraints.txt")]
        for command in (
            [bin_ / "python", *quiet, *known, str(wheel)],
            [bin_ / "python", "-c", "import langchain_reliable.testing"],
            [bin_ / "langchain-reliable", "--help"],
            [bin_ / "python", *quiet, *known, f"{wheel}[demo]"],
            [bin_ / "python", "-m", "langchain_reliable", "demo", "--fast", "--plain"],
        ):
            subprocess.run(  # noqa: S603 - our own commands
                command, cwd=place, check=True, stdout=subprocess.DEVNULL
            )


if __name__ == "__main__":
    wrong = complaints()
    sys.stderr.writelines(f"{one}\n" for one in wrong)
    if wrong:
        sys.exit(1)
    tried()
    print(*sorted(one.name for one in DIST.iterdir()), sep="\n")
