"""LangChain's private names, so that a release that moves one breaks this file alone.

Names of modules and of objects that are not ours to subclass; each has a plain name
here. (The underscored methods of `BaseChatModel` are called where they are needed: a
test lists them.) They stand on the lowest floor because every folder needs some.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

from langchain_core.language_models._utils import (
    _update_message_content_to_blocks as in_content_blocks,
)
from langchain_core.language_models.chat_models import (
    _gen_info_and_msg_metadata as told_metadata,
)
from langchain_core.tracers._streaming import (
    _StreamingCallbackHandler as StreamingHandler,
)
from langchain_core.tracers._streaming import (
    _V2StreamingCallbackHandler as EventStreamingHandler,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import ContextVar
    from uuid import UUID

    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import RunnableConfig

__all__ = [
    "UNHEARD_TAG",
    "EventStreamingHandler",
    "StreamingHandler",
    "context_handlers",
    "in_content_blocks",
    "is_of_graph",
    "langsmith_is_on",
    "message_sender",
    "node_writer",
    "told_metadata",
]

UNHEARD_TAG: Final = "nostream"
"""LangGraph's tag on calls whose tokens its `messages` stream leaves out, such as those
of the summarization middleware (seen in langgraph 1.2.24, langchain 1.5.2)."""


def context_handlers() -> list[ContextVar[Any]]:
    """Return the variables in which `with` blocks keep handlers that hear every run."""
    context = _contexts()
    return [hook[0] for hook in context._configure_hooks]  # noqa: SLF001 - see above


def langsmith_is_on() -> bool:
    """Return whether settings or a `with` block ask for LangSmith's tracer."""
    context = _contexts()
    return bool(context._tracing_v2_is_enabled())  # noqa: SLF001 - see above


@cache  # each stream asks for it
def _contexts() -> Any:
    from langchain_core.tracers import context  # noqa: PLC0415 - slow to import

    return context


def is_of_graph(handler: object) -> bool:
    """Return whether a handler is LangGraph's own."""
    return type(handler).__module__.startswith("langgraph.")


def message_sender(handler: Any, run_id: UUID) -> Callable[[BaseMessage], None] | None:
    """Return how to write to LangGraph's `messages` stream, if a handler feeds one."""
    if not is_of_graph(handler) or not hasattr(handler, "_emit"):
        return None
    if (meta := getattr(handler, "metadata", {}).get(run_id)) is None:
        return None
    return lambda message: cast("None", handler._emit(meta, message))  # noqa: SLF001


def node_writer(config: RunnableConfig) -> Callable[[Any], None] | None:
    """Return how to write to the stream of the LangGraph node that this runs in."""
    if "langgraph.config" not in sys.modules:
        return None
    runtime = config.get("configurable", {}).get("__pregel_runtime")
    return getattr(runtime, "stream_writer", None)
