"""Tools: carried in a form that everybody can read, bound by each child in its own."""

from __future__ import annotations

import inspect
import logging
import re
from copy import deepcopy
from operator import attrgetter, is_
from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableBinding
from langchain_core.utils.function_calling import convert_to_openai_tool

from langchain_reliable._children.identity import spelled
from langchain_reliable._children.partners import partner_of
from langchain_reliable._text.log_once import LogOnce
from langchain_reliable.errors import ToolsNotSupported

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from langchain_reliable._children.partners import Family

logger = logging.getLogger("langchain_reliable")

_DATED = re.compile(r"_\d{8}$")
"""How Anthropic ends the types of its built-in tools: `web_search_20250305`."""

_GOOGLE_TOOLS = frozenset(
    {
        "google_search",
        "google_search_retrieval",
        "google_maps",
        "code_execution",
        "computer_use",
        "enterprise_web_search",
        "exa_ai_search",
        "file_search",
        "mcp_servers",
        "parallel_ai_search",
        "retrieval",
        "url_context",
    }
)
"""Keys that are Gemini's built-in tools (langchain-google-genai 4.4.3)."""

_DESCRIPTION, _SCHEMA = attrgetter("description"), attrgetter("args_schema")

_MOST_KEPT = 16
"""Sets of tools that are kept in a child's own form."""

_warned = LogOnce()


class PortableTool(dict[str, Any]):
    """A tool in OpenAI's form, as tracers and agents expect it in a binding.

    The tool that the user gave rides along, so that each child can convert it by its
    own rules and with its own extras.
    """

    def __init__(self, original: Any) -> None:
        try:
            form = convert_to_openai_tool(original)
        except ValueError:
            if not isinstance(original, dict):
                raise
            form = original  # one that only its provider knows
        super().__init__(form)
        self.original = original


def original_of(tool: Any) -> Any:
    """Return what OpenAI's form leaves out of a tool: settings of one provider."""
    original = getattr(tool, "original", None)
    return original if isinstance(original, dict) else getattr(original, "extras", None)


def bind_for_child(model: BaseChatModel, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return call keywords in which the tools are in the child's own form.

    Settings that the child's `bind_tools` names (`tool_choice`, `strict`,
    `parallel_tool_calls`, ...) go through it as well; the rest stays as it is.

    Raises:
        ToolsNotBound: The child can't bind them.
    """
    rest = dict(kwargs)
    if (tools := rest.pop("tools", None)) is None:
        return rest
    partner = partner_of(model)
    family = partner.family
    for name in partner.unknown_settings:
        rest.pop(name, None)
    originals = [getattr(tool, "original", tool) for tool in tools]
    kept = [
        tool for tool in originals if _owner(tool) in (None, family or _owner(tool))
    ]
    try:
        if "tool_choice" in rest:
            rest["tool_choice"] = _choice(rest["tool_choice"], family, originals, kept)
        return _bound(model, kept if kept or not tools else None, rest)
    except Exception as error:
        _warn_once(model, error)
        raise ToolsNotSupported(type(model).__name__) from error


class _Binding(NamedTuple):
    """Tools in a child's own form.

    Attributes:
        tools: The tools as they were bound.
        settings: What went along, as it was then.
        given: The tools as the user gave them.
        looks: What these looked like then.
        bound: The call keywords that they came to.
    """

    tools: list[Any]
    settings: dict[str, Any]
    given: list[Any]
    looks: list[Any]
    bound: dict[str, Any]


class ToolBinder:
    """Binds tools for one child, and keeps the latest as long as they do not change.

    Converting a hundred tools takes twenty times as long as a whole call without them.
    Mostly the very same ones come again; then no more is done than to look at each.

    Attributes:
        names: The keywords of a call for which tools have to be bound.
    """

    __slots__ = ("_kept", "_latest", "_model", "_settings", "names")

    def __init__(self, model: BaseChatModel) -> None:
        """Find out what the child's `bind_tools` takes."""
        self._model = model
        named = set(inspect.signature(model.bind_tools).parameters) - {"tools"}
        self._settings = named | partner_of(model).unknown_settings
        self.names = self._settings | {"tools"}
        self._kept: dict[Hashable, _Binding] = {}
        self._latest: _Binding | None = None

    def bound(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return call keywords in which the tools are in the child's own form.

        Raises:
            ToolsNotSupported: The child can't bind them.
        """
        if not (tools := kwargs.get("tools")):
            return bind_for_child(self._model, kwargs)
        names = sorted(self._settings & kwargs.keys())
        settings = {name: kwargs[name] for name in names}
        known = self._latest
        if (
            known is None
            or len(known.tools) != len(tools)
            or not all(map(is_, known.tools, tools))
            or known.settings != settings
            or known.looks != _looks_of(known.given)
        ):
            known = self._latest = self._binding(tools, settings)
        rest = {n: v for n, v in kwargs.items() if n != "tools" and n not in names}
        return {**known.bound, **rest}

    def _binding(self, tools: Sequence[Any], settings: dict[str, Any]) -> _Binding:
        """Return what tools are bound to, if need be anew."""
        given = [one.original if type(one) is PortableTool else one for one in tools]
        said: Any = tuple(settings.items())
        try:
            hash(said)
        except TypeError:
            said = spelled(settings, lambda value: f"object {id(value)}")
        key = tuple(map(id, given)), said
        looks = _looks_of(given)
        known = self._kept.get(key)
        if known is None or known.looks != looks:
            bound = bind_for_child(self._model, {"tools": tools, **settings})
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            # Objects are kept with their ids, so that none of these comes again.
            known = _Binding([], settings, given, _as_now(looks), bound)
            self._kept[key] = known
        now = dict(zip(settings, _as_now(settings.values()), strict=True))
        return known._replace(tools=[*tools], settings=now)


def _as_now(values: Iterable[Any]) -> list[Any]:
    """Return values as they are, whatever becomes of the dicts and lists in them."""
    return [deepcopy(one) if isinstance(one, (dict, list)) else one for one in values]


def _looks_of(tools: list[Any]) -> list[Any]:
    """Return what would show that a tool was edited since."""
    try:
        return [*map(_DESCRIPTION, tools), *map(_SCHEMA, tools)]
    except AttributeError:  # functions, classes and dicts are among them
        return [
            one if type(one) is dict else getattr(one, "description", None)
            for one in tools
        ]


def _bound(
    model: BaseChatModel, tools: Sequence[Any] | None, rest: dict[str, Any]
) -> dict[str, Any]:
    known = inspect.signature(model.bind_tools).parameters
    settings = {name: rest.pop(name) for name in known if name in rest}
    if tools is None or (
        not tools and type(model).bind_tools is BaseChatModel.bind_tools
    ):
        return rest
    binding = model.bind_tools(tools, **settings)
    if not isinstance(binding, RunnableBinding):
        msg = f"bind_tools returned {type(binding).__name__}, which is no binding"
        raise TypeError(msg)
    return {**binding.kwargs, **rest}


# --- whose tool -------------------------------------------------------------------


def _owner(tool: Any) -> Family | None:
    """Return whose built-in tool this is; `None` for one that anybody can bind."""
    if not isinstance(tool, dict):
        return None
    kind = tool.get("type")
    if isinstance(kind, str):
        if kind == "function" or "input_schema" in tool:
            return None
        return "anthropic" if _DATED.search(kind) or kind == "mcp_toolset" else "openai"
    return "google" if tool.keys() & _GOOGLE_TOOLS else None


# --- which tool -------------------------------------------------------------------


def _choice(
    choice: Any, family: Family | None, tools: Sequence[Any], kept: Sequence[Any]
) -> Any:
    """Return a `tool_choice` in words that a family understands.

    Raises:
        ValueError: It forces a tool that this child does not have.
    """
    common = _common(choice)
    lost = {_name(tool) for tool in tools if tool not in kept} - {None}
    if common in lost or (common == "any" and tools and not kept):
        msg = f"tool_choice={choice!r} asks for a tool that only its provider has"
        raise ValueError(msg)
    if family == "openai":
        foreign = isinstance(choice, dict) and choice.get("type") in ("any", "tool")
        return common if foreign else choice
    if family == "anthropic":
        own = isinstance(choice, dict) and "function" not in choice
        if not own:
            return {"type": "none"} if common == "none" else common
        return choice
    return common


def _common(choice: Any) -> Any:
    """Return a choice as LangChain's own word for it, where there is one."""
    if choice is True or choice == "required":
        return "any"
    if not isinstance(choice, dict):
        return choice
    kind, function = choice.get("type"), choice.get("function", choice)
    if kind in ("function", "tool") and isinstance(function, dict):
        return function.get("name", choice)
    return kind if kind in ("any", "auto", "none") else choice


def _name(tool: Any) -> str | None:
    name = tool.get("name") if isinstance(tool, dict) else None
    return name if isinstance(name, str) else None


# --- forms ------------------------------------------------------------------------


def _warn_once(model: BaseChatModel, error: Exception) -> None:
    if _warned.is_first((type(model), type(error).__name__)):
        logger.warning(
            "%s can't bind these tools and is passed over: %s",
            type(model).__name__,
            type(error).__name__,
        )
