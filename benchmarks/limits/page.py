"""The table in docs/numbers.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from benchmarks.limits.contest import OURS
from benchmarks.limits.litellm import SETTINGS
from benchmarks.pages import put_between

if TYPE_CHECKING:
    from pathlib import Path

BEGIN: Final = "<!-- limits: written by `python -m benchmarks.limits` -->"
END: Final = "<!-- end of limits -->"
NOT_MEASURED: Final = "not measured here"
TITLES: Final = {
    OURS: "ours, `rpm=60`",
    "simple-shuffle": "LiteLLM, `simple-shuffle`",
    "usage-based-routing-v2": "LiteLLM, `usage-based-routing-v2`",
    "enforce_model_rate_limits": "LiteLLM, `enforce_model_rate_limits`",
}
"""The columns; the settings are told whole in `setting`."""


def table(result: dict[str, Any]) -> str:
    """Return the rows of all runs."""
    lines = [f"| | {' | '.join(TITLES.values())} |", "| --- " * 5 + "|"]
    for window, rows in result["runs"].items():
        for what, name in (
            ("429s met", "refused"),
            ("calls lost", "lost"),
            ("half of all calls answered within", "p50"),
            ("99 of 100 calls answered within", "p99"),
        ):
            cells = [_cell(rows.get(one), name) for one in TITLES]
            lines.append(f"| counts by {window}: {what} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(row: dict[str, Any] | None, name: str) -> str:
    if row is None:
        return NOT_MEASURED
    if name in ("p50", "p99"):
        return "never" if row[name] is None else f"{row[name]:.2f} s"
    return f"{row[name]} of {row['calls']}" if name == "lost" else str(row[name])


def setting(result: dict[str, Any]) -> str:
    """Return when, with what and how it was measured."""
    load, machine = result["load"], result["machine"]
    litellm = f"LiteLLM {result['litellm']}" if result["litellm"] else "no LiteLLM"
    return (
        f"Measured {result['date']} at commit {result['commit']}, {litellm}, "
        f"langchain-openai {result['versions']['langchain-openai']}, "
        f"{machine['cores']} cores, load {machine['load']} at the start; "
        f"{load['seconds']:g} s, "
        f"{load['fleets']} fleets of three deployments. Ours: `{result['ours']}`. "
        f"LiteLLM: `rpm` of 60 for each deployment, `num_retries={result['retries']}`, "
        "and " + "; ".join(map(_words, SETTINGS.values())) + "."
    )


def _words(settings: dict[str, Any]) -> str:
    return ", ".join(f"`{name}={value!r}`" for name, value in settings.items())


def section(result: dict[str, Any]) -> str:
    """Return all that stands between the markers."""
    return f"{table(result)}\n\n{setting(result)}"


def write(page: Path, result: dict[str, Any]) -> None:
    """Put it into a page.

    Raises:
        ValueError: The markers are missing.
    """
    put_between(page, BEGIN, END, section(result))
