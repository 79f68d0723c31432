"""What the real APIs would refuse to read, for `simulator(strict=True)`.

A request without a complaint goes its usual way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_reliable.testing._simulator.strict.anthropic import (
    complaints_of_anthropic,
)
from langchain_reliable.testing._simulator.strict.openai import complaints_of_openai

if TYPE_CHECKING:
    from collections.abc import Mapping


def complaint(family: str, body: Mapping[str, Any]) -> str | None:
    """Return what the API would say about `body`, or `None` if it would read it."""
    complaints = complaints_of_openai if family == "openai" else complaints_of_anthropic
    return next(complaints(body), None)
