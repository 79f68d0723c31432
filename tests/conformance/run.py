"""Replay the partner packages' own cassette-backed suites, their model wrapped.

`python tests/conformance/run.py` downloads the released sources (tests and cassettes
are in them), runs the suites with the bare model, with `models=[model]` and with
`models=[dead, model]`, and fails if something that passes bare does not pass wrapped.
What a test means never lives here: they are run as their authors wrote them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ET  # our own pytest wrote what is read
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from known import PRIVATE

HERE = Path(__file__).parent
HOUSE = HERE.parent.parent
CACHE = HOUSE / ".conformance"
MANNERS = ("bare", "alone", "after_dead")
SHOWN = {"bare": "bare", "alone": "[model]", "after_dead": "[dead, model]"}


@dataclass(frozen=True)
class Package:
    """A released package, and where its cassette-backed suite stands."""

    name: str
    version: str
    tests: str

    @property
    def folder(self) -> Path:
        """Where its sources are unpacked."""
        return CACHE / f"{self.name.replace('-', '_')}-{self.version}"


PACKAGES = (
    Package("langchain-openai", "1.7.4", "tests/integration_tests/chat_models"),
    Package("langchain-anthropic", "1.7.10", "tests/integration_tests"),
)


def fetch(package: Package) -> None:
    """Download and unpack a package's released sources, once."""
    if package.folder.exists():
        return
    CACHE.mkdir(exist_ok=True)
    (CACHE / ".gitignore").write_text("*\n")
    wanted = f"{package.name}=={package.version}"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download"]
    only = ["--quiet", "--no-deps", "--no-binary", package.name]
    subprocess.run([*pip, *only, "--dest", str(CACHE), wanted], check=True)  # noqa: S603 - our own pip
    packed = CACHE / f"{package.folder.name}.tar.gz"
    with tarfile.open(packed) as archive, TemporaryDirectory(dir=CACHE) as halfway:
        archive.extractall(halfway, filter="data")
        Path(halfway, package.folder.name).rename(package.folder)


def outcomes(package: Package, manner: str) -> dict[str, str]:
    """Run a suite and return each test's outcome: passed, failed or skipped."""
    report = CACHE / f"{package.name}-{manner}.xml"
    report.unlink(missing_ok=True)
    options = [
        *("-q", "-m", "vcr", "-o", "addopts=", f"--junitxml={report}"),
        *("-p", "no:langsmith_plugin", "-p", "swapped", "--benchmark-disable"),
        *("--record-mode=none", "--block-network", "--tb=short", "-W", "ignore"),
    ]
    log = CACHE / f"{package.name}-{manner}.log"
    with log.open("w") as out:
        subprocess.run(  # noqa: S603 - our own pytest
            [sys.executable, "-m", "pytest", *options, package.tests],
            cwd=package.folder,
            env=_environment(manner),
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if not report.exists():
        sys.exit(f"pytest did not come to an end; see {log}")
    return {_name(case): _outcome(case) for case in ET.parse(report).iter("testcase")}  # noqa: S314 - as above


def _environment(manner: str) -> dict[str, str]:
    paths = [str(HERE), str(HOUSE)]
    keys = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY"), "replayed")
    return {
        **os.environ,
        **keys,
        "CONFORMANCE_MANNER": manner,
        "PYTHONPATH": os.pathsep.join(paths),
    }


def _name(case: ET.Element) -> str:
    return f"{case.get('classname', '').removeprefix('tests.')}::{case.get('name')}"


def _outcome(case: ET.Element) -> str:
    kinds = {child.tag for child in case}
    if kinds & {"failure", "error"}:
        return "failed"
    return "skipped" if "skipped" in kinds else "passed"


def compare(package: Package) -> list[str]:
    """Run a package's suite in all manners; return what only fails wrapped."""
    fetch(package)
    found = {manner: outcomes(package, manner) for manner in MANNERS}
    passing = {name for name, outcome in found["bare"].items() if outcome == "passed"}
    lost = []
    for manner in MANNERS:
        passed = {name for name, out in found[manner].items() if out == "passed"}
        print(f"{package.name:<20} {SHOWN[manner]:<14} {len(passed):>4} passed")
        lost += [f"{SHOWN[manner]}: {name}" for name in sorted(passing - passed)]
    return [one for one in lost if not any(name in one for name in PRIVATE)]


def main() -> int:
    """Compare all packages; the exit status says whether anything was lost."""
    lost = [one for package in PACKAGES for one in compare(package)]
    for one in lost:
        print(f"  lost  {one}")
    for name, why in PRIVATE.items():
        print(f"  known {name}: {why}")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
