"""Whether anybody hears an `invoke` token by token, as the answer is made."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from langchain_reliable._text.langchain_private import (
    UNHEARD_TAG,
    EventStreamingHandler,
    StreamingHandler,
    is_of_graph,
)

if TYPE_CHECKING:
    from langchain_core.callbacks.manager import BaseRunManager

_LISTENERS = (EventStreamingHandler, StreamingHandler)

heard_by: ContextVar[BaseRunManager | None] = ContextVar("heard_by", default=None)
"""The run of an `invoke` that takes the streaming hooks. LangChain asks whether it does
with the run, and calls the hook without it (seen in langchain-core 1.8.3)."""


def wants_tokens(run_manager: BaseRunManager) -> bool:
    """Return whether one of a run's listeners wants to have its tokens one by one."""
    if not run_manager.handlers:
        return False
    unheard = UNHEARD_TAG in run_manager.tags
    return any(
        isinstance(one, _LISTENERS) and not (unheard and is_of_graph(one))
        for one in run_manager.handlers
    )
