"""What the real APIs would refuse to read, for `simulator(strict=True)`.

A request without a complaint goes its usual way, as does one in a dialect without
rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from langchain_reliable.testing._simulator.strict.anthropic import (
    complaints_of_anthropic,
)
from langchain_reliable.testing._simulator.strict.bedrock import complaints_of_bedrock
from langchain_reliable.testing._simulator.strict.gemini import complaints_of_gemini
from langchain_reliable.testing._simulator.strict.openai import complaints_of_openai

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_RULES: Final[Mapping[str, Callable[[Mapping[str, Any]], Iterator[str]]]] = {
    "openai": complaints_of_openai,
    "anthropic": complaints_of_anthropic,
    "gemini": complaints_of_gemini,
    "bedrock": complaints_of_bedrock,
}


def complaint(dialect: str, body: Mapping[str, Any]) -> str | None:
    """Return what the API would say about `body`, or `None` if it would read it."""
    rules = _RULES.get(dialect)
    return next(rules(body), None) if rules else None
