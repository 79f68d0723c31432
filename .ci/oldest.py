"""Print the oldest versions that `pyproject.toml` allows, as constraints for pip.

Those of the package and of the extras that a user installs; what only the tests need
is as new as elsewhere.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXTRAS = ("config", "demo", "otel", "redis", "testing")


def oldest() -> dict[str, str]:
    """Return the lower bound of each package."""
    written = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(written)["project"]
    extras = project["optional-dependencies"]
    wanted = [
        *project["dependencies"],
        *(one for name in EXTRAS for one in extras[name]),
    ]
    return dict(re.match(r"([\w.-]+)>=([\w.]+)", one).groups() for one in wanted)


if __name__ == "__main__":
    for name, version in sorted(oldest().items()):
        print(f"{name}=={version}")
