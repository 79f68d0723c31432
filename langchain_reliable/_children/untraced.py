"""A context in which LangChain finds nobody to tell.

Keeping the caller's listeners away from what a child runs by itself lives here. What
is run there is never known.
"""

from __future__ import annotations

from contextvars import copy_context
from typing import TYPE_CHECKING

from langchain_core.runnables.config import var_child_runnable_config

if TYPE_CHECKING:
    from contextvars import Context


def untraced_context() -> Context:
    """Return a copy of the context without listeners and without tracing.

    An empty `callbacks` list alone does not keep them away: LangChain finds the hooks
    of context managers, the parent run and LangSmith by itself (seen in 1.7.2).
    """
    from langchain_core.tracers import context as tracers  # noqa: PLC0415 - slow
    from langsmith.run_helpers import tracing_context  # noqa: PLC0415 - as above

    with tracing_context(enabled=False, parent=False):
        untraced = copy_context()
    untraced.run(var_child_runnable_config.set, None)
    untraced.run(tracers.tracing_v2_callback_var.set, None)
    for variable, *_ in tracers._configure_hooks:
        untraced.run(variable.set, None)
    return untraced
