"""What the real APIs would refuse to read, for `simulator(strict=True)`.

Asking the right API's rules for a complaint lives here; the rules stand in
`_strict_openai.py` and `_strict_anthropic.py`. Answers never do: a request without a
complaint goes its usual way.

The rules know what breaks when a conversation changes its provider: fields, roles,
blocks, ids, signatures, and which call a result belongs to. Each that is not plain from
the API reference names where it was seen. Requests that real APIs accepted are read
without complaint (`tests/cassette_tests/test_strict_reads_recordings.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_reliable.testing._strict_anthropic import complaints_of_anthropic
from langchain_reliable.testing._strict_openai import complaints_of_openai

if TYPE_CHECKING:
    from collections.abc import Mapping


def complaint(family: str, body: Mapping[str, Any]) -> str | None:
    """Return what the API would say about `body`, or `None` if it would read it."""
    complaints = complaints_of_openai if family == "openai" else complaints_of_anthropic
    return next(complaints(body), None)
