"""The price of `import langchain_reliable`, each time in a new interpreter.

Time and modules are counted in one process from the first line on, so what is compared
are steps of the same run. `langchain_core` alone is next to empty (it imports lazily);
`BaseChatModel` is what everybody who uses a chat model has to import.
"""

from __future__ import annotations

import compileall
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.contestants import BARE, OURS
from benchmarks.provider import ROOT
from benchmarks.works import Sample

if TYPE_CHECKING:
    from benchmarks.rounds import Round, Stage

_CODE = """
import json, sys, time
seen = []
def look():
    seen.append((time.perf_counter(), len(sys.modules)))
look()
import langchain_core
look()
from langchain_core.language_models import BaseChatModel
look()
import langchain_reliable
look()
print(json.dumps(seen))
"""


@dataclass(frozen=True)
class Imports:
    """Imports the package again and again."""

    warm_ups: int = 1

    def tiny(self) -> Imports:
        """Return the same without warm-up."""
        return Imports(warm_ups=0)

    def rounds(self, count: int, _stage: Stage) -> list[Round]:
        """Measure, with bytecode as an installed package has it."""
        compileall.compile_dir(ROOT / "langchain_reliable", quiet=1)
        return [_import() for _ in range(self.warm_ups + count)][self.warm_ups :]


def _import() -> Round:
    run = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", _CODE],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    (began, none), (core, few), (base, some), (ours, all_) = json.loads(run.stdout)
    before = {
        "seconds": base - began,
        "modules": some - none,
        "seconds_after_core": core - began,
        "modules_after_core": few - none,
    }
    seconds, modules = ours - began, all_ - none
    after = {
        "seconds": seconds,
        "modules": modules,
        "seconds_after_core": seconds,
        "modules_after_core": modules,
    }
    return {BARE: Sample(before), OURS: Sample(after)}
