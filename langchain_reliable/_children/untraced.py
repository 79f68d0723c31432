"""Runs what a child runs by itself where the caller's listeners do not hear it."""

from __future__ import annotations

from contextvars import copy_context
from typing import TYPE_CHECKING, cast

from langchain_core.runnables import RunnableConfig, ensure_config
from langchain_core.runnables.config import var_child_runnable_config

from langchain_reliable._text.langchain_private import context_handlers

if TYPE_CHECKING:
    from contextvars import Context

_FOR_CHILDREN = (
    "configurable",
    "metadata",
    "tags",
    "max_concurrency",
    "recursion_limit",
)
"""What of a call's config a child gets: all but who listens, and the run's names."""


def config_for_child(given: RunnableConfig | None) -> RunnableConfig:
    """Return what a child gets of a call's config: all but its callbacks.

    Args:
        given: The call's own config; what runs around it (a chain, a node of a graph)
            is found in the context.
    """
    config = cast("dict[str, object]", ensure_config(given))
    told = {name: config[name] for name in _FOR_CHILDREN if config.get(name)}
    return cast("RunnableConfig", told)


def untraced_context() -> Context:
    """Return a copy of the context without listeners and without tracing.

    An empty `callbacks` list alone does not keep them away: LangChain finds the hooks
    of context managers, the parent run and LangSmith by itself (seen in 1.7.2).
    """
    from langchain_core.tracers.context import tracing_v2_callback_var  # noqa: PLC0415 - slow
    from langsmith.run_helpers import tracing_context  # noqa: PLC0415 - as above

    with tracing_context(enabled=False, parent=False):
        untraced = copy_context()
    untraced.run(var_child_runnable_config.set, None)
    untraced.run(tracing_v2_callback_var.set, None)
    for variable in context_handlers():
        untraced.run(variable.set, None)
    return untraced
