"""Tools, bound per child when it is asked.

Carrying a tool in a form that everybody can read, and binding the original with the
child's own `bind_tools`, lives here. Calling a child never does.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import RunnableBinding
from langchain_core.utils.function_calling import convert_to_openai_tool

from langchain_reliable.errors import ToolsNotBound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.language_models import BaseChatModel


class ToolForm(dict[str, Any]):
    """A tool in OpenAI's form, as tracers and agents expect it in a binding.

    The tool that the user gave rides along, so that each child can convert it by its
    own rules and with its own extras.
    """

    def __init__(self, original: Any) -> None:
        super().__init__(_readable(original))
        self.original = original


def bound_tools(model: BaseChatModel, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return call keywords in which the tools are in the child's own form.

    Settings that the child's `bind_tools` names (`tool_choice`, `strict`,
    `parallel_tool_calls`, ...) go through it as well; the rest stays as it is.

    Raises:
        ToolsNotBound: The child can't bind them.
    """
    rest = dict(kwargs)
    if not (tools := rest.pop("tools", None)):
        return rest
    known = inspect.signature(model.bind_tools).parameters
    settings = {name: rest.pop(name) for name in known if name in rest}
    originals = [getattr(tool, "original", tool) for tool in tools]
    try:
        binding = model.bind_tools(originals, **settings)
    except Exception as error:
        raise ToolsNotBound(type(model).__name__) from error
    if not isinstance(binding, RunnableBinding):
        raise ToolsNotBound(type(model).__name__)
    return {**binding.kwargs, **rest}


def _readable(tool: Any) -> dict[str, Any]:
    """Return a tool in OpenAI's form; one that only its provider knows, as it is."""
    try:
        return convert_to_openai_tool(tool)
    except ValueError:
        if isinstance(tool, dict):
            return tool
        raise
