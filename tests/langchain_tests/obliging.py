"""A simulated model that does what it is asked for, read from the request alone.

It calls the tool that it has to call, answers in the form that it was given, and else
says hello. What a request does not hold, it can't know: a tool or a schema that was
lost on the way leaves its test without an answer.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from langchain_reliable.testing import Answer, says, tool_call

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_reliable.testing import SimulatedRequest

NUMBER = re.compile(r"-?\d+")
QUOTED = re.compile(r"'([^']+)'")
A_TOOL_RAN = ("tool", "function")


def obliges(request: SimulatedRequest) -> Answer:
    """Reply to a request of either API."""
    said = _said(request.body)
    if (schema := _form(request.body)) is not None:
        return says(json.dumps(_filled(schema, said)))
    if _is_free_json(request.body):
        return says(json.dumps(dict.fromkeys(QUOTED.findall(said), "a word")))
    tools = _tools(request.body)
    if not tools or _has_a_result(request.body):
        return says("Hello, here I am.")
    name = _wanted(request.body) or next(iter(tools))
    return says(calls=[tool_call(name, **_filled(tools[name], said))])


# --- reading both APIs ------------------------------------------------------------


def _tools(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tools' schemas by name."""
    told = [tool.get("function", tool) for tool in body.get("tools", ())]
    return {one["name"]: one.get("parameters", one.get("input_schema")) for one in told}


def _wanted(body: Mapping[str, Any]) -> str | None:
    """Return the name of the tool that has to be called."""
    choice = body.get("tool_choice")
    if not isinstance(choice, dict):
        return None
    return choice.get("function", choice).get("name")


def _form(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the schema in which to answer."""
    asked = body.get("response_format") or body.get("output_format")
    asked = asked or body.get("output_config", {}).get("format", {})
    return asked.get("schema") or asked.get("json_schema", {}).get("schema")


def _is_free_json(body: Mapping[str, Any]) -> bool:
    return body.get("response_format", {}).get("type") == "json_object"


def _has_a_result(body: Mapping[str, Any]) -> bool:
    last = body["messages"][-1]
    blocks = last["content"] if isinstance(last["content"], list) else ()
    results = [one for one in blocks if one.get("type") == "tool_result"]
    return last["role"] in A_TOOL_RAN or bool(results)


def _said(body: Mapping[str, Any]) -> str:
    """Return the last message's text."""
    content = body["messages"][-1].get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(block.get("text", "") for block in content)


# --- filling a form ---------------------------------------------------------------


def _filled(schema: Mapping[str, Any], said: str) -> Any:
    """Return a value that fits; numbers and names are taken from what was said."""
    match schema:
        case {"anyOf": [first, *_]}:
            return _filled(first, said)
        case {"properties": dict(properties)}:
            return {name: _filled(one, said) for name, one in properties.items()}
        case {"type": "object"}:
            return {}
        case {"type": "integer" | "number"}:
            found = NUMBER.search(said)
            return int(found[0]) if found else 1
    found = QUOTED.search(said)
    return found[1] if found else "a word"
