"""What two answers have to agree in: everything but the trail and made-up ids."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from conftest import Outcome

MADE_UP: Final = re.compile(r"(?:run-|lc_run--|lc_)?[0-9a-f]{8}-[0-9a-f-]{27}(?:-\d+)?")
"""Ids that LangChain or a partner package invents where the provider sent none."""


def said(message: Any) -> Any:
    """Return everything of a message but the trail and what is made up on the spot."""
    told = message.model_dump(mode="json")
    told["response_metadata"].pop("reliable", None)
    for name in ("type", "chunk_position", "tool_call_chunks"):
        told.pop(name, None)  # a message and the chunk made of it differ in these
    return json.loads(MADE_UP.sub("made-up", json.dumps(told)))


def pieces(outcome: Outcome) -> list[Any]:
    """Return everything of every chunk, in order."""
    return [said(chunk) for chunk in outcome.chunks]
