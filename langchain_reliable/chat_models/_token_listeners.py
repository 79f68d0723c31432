"""Whether anybody hears an `invoke` token by token, as the answer is made.

LangChain's marks for that, gathered here: they are private to it.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from langchain_core.tracers._streaming import (
    _StreamingCallbackHandler,
    _V2StreamingCallbackHandler,
)

if TYPE_CHECKING:
    from langchain_core.callbacks.manager import BaseRunManager

_LISTENERS = (_V2StreamingCallbackHandler, _StreamingCallbackHandler)

heard_by: ContextVar[BaseRunManager | None] = ContextVar("heard_by", default=None)
"""The run of an `invoke` that takes the streaming hooks. LangChain asks whether it does
with the run, and calls the hook without it (seen in langchain-core 1.8.3)."""

_UNHEARD = "nostream"
"""LangGraph's tag on calls whose tokens its `messages` stream leaves out, such as those
of the summarization middleware (seen in langgraph 1.2.24, langchain 1.5.2)."""


def wants_tokens(run_manager: BaseRunManager) -> bool:
    """Return whether one of a run's listeners wants to have its tokens one by one."""
    if not run_manager.handlers:
        return False
    unheard = _UNHEARD in run_manager.tags
    return any(
        isinstance(one, _LISTENERS)
        and not (unheard and type(one).__module__.startswith("langgraph."))
        for one in run_manager.handlers
    )
