"""Reads a file or a mapping into plain values, and variables of the environment."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Final

from langchain_reliable._text.redact import plain_name

_VARIABLE: Final = "os.environ/"

_SHELL_VARIABLE: Final = re.compile(r"\$\{?([A-Z_][A-Z0-9_]*)\}?")
"""How other tools write a variable; nobody's key looks like that."""


def plain_values(source: Mapping[str, Any] | str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a configuration says.

    Args:
        source: A mapping, or the path of a YAML or JSON file.

    Raises:
        ImportError: It is YAML, and PyYAML is not installed.
        OSError: The file can't be read.
        TypeError: It is neither a mapping nor a path.
        ValueError: The file holds no mapping.
    """
    if isinstance(source, Mapping):
        return {str(name): _plain(value) for name, value in source.items()}
    if not isinstance(source, (str, os.PathLike)):
        kind = type(source).__name__
        msg = f"from_config takes a path or a mapping, not a value of type {kind}"
        raise TypeError(msg)
    if "\n" in str(source):
        msg = "from_config takes the path of a file, not its text"
        raise ValueError(msg)
    path = Path(source)
    read = _loaded(path)
    if not isinstance(read, dict):
        msg = f"{path.name} holds no mapping: write fields, such as `models:`"
        raise ValueError(msg)
    try:
        return {str(name): _plain(value) for name, value in read.items()}
    except RecursionError:
        msg = f"{path.name}: something in it holds itself"
        raise ValueError(msg) from None


def _loaded(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        msg = f"{path.name} is no text in UTF-8"
        raise ValueError(msg) from None
    if path.suffix == ".json":
        try:
            return json.loads(text, object_pairs_hook=partial(_mapping, path.name))
        except json.JSONDecodeError as error:
            msg = f"{path.name} is no JSON: {error}"
            raise ValueError(msg) from None
    try:
        import yaml  # noqa: PLC0415 - an extra
    except ImportError:
        msg = (
            f"reading {path.name} needs PyYAML: "
            'pip install "langchain-reliable[config]", or write JSON'
        )
        raise ImportError(msg) from None

    class Loader(yaml.SafeLoader):
        """Takes no key twice, and no dates: an `api_version` is one to YAML."""

        yaml_implicit_resolvers = {  # noqa: RUF012 - as it stands there
            first: [one for one in found if not one[0].endswith(":timestamp")]
            for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

        def compose_mapping_node(self, anchor: Any) -> Any:
            node = super().compose_mapping_node(anchor)
            _mapping(
                path.name,
                [(str(key.value), None) for key, _ in node.value if key.value != "<<"],
            )
            return node

    try:
        return yaml.load(text, Loader)  # noqa: S506 - a safe one
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        problem = getattr(error, "problem", None) or "it can't be read"
        msg = f"{path.name} is no YAML: {problem}{where}"
        raise ValueError(msg) from None


def _mapping(file: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return what stands in a mapping.

    Raises:
        ValueError: A key stands there twice; the first would be dropped in silence.
    """
    mapping: dict[str, Any] = {}
    for name, value in pairs:
        if name in mapping:
            msg = f"{file}: {plain_name(name)} stands twice in one mapping"
            raise ValueError(msg)
        mapping[name] = value
    return mapping


def _plain(value: Any) -> Any:
    """Give dates back as they were written: an `api_version` is one to YAML."""
    if isinstance(value, date):  # a datetime is one too
        return value.isoformat()
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value


def filled_in(value: Any, where: str, more: Mapping[str, Any] | None = None) -> Any:
    """Return a value with `os.environ/NAME` replaced, however deep it stands.

    Args:
        value: What was written.
        where: Where it stands, for people.
        more: Variables that the file itself sets; the environment's come first.

    Raises:
        ValueError: A variable is not set; the text names it.
    """
    if isinstance(value, dict):
        return {
            name: filled_in(one, f"{where}.{plain_name(str(name))}", more)
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [filled_in(one, f"{where}[{at}]", more) for at, one in enumerate(value)]
    if not isinstance(value, str):
        return value
    if (foreign := _SHELL_VARIABLE.fullmatch(value)) is not None:
        msg = f"{where}: write {_VARIABLE}{foreign[1]} for the variable {foreign[1]}"
        raise ValueError(msg)
    if not value.startswith(_VARIABLE):
        return value
    name = value.removeprefix(_VARIABLE)
    found = os.environ.get(name)
    if found is None and more is not None and name in more:
        found = str(filled_in(more[name], f"environment_variables.{plain_name(name)}"))
    if not found:
        said = "is not set" if found is None else "is empty"
        msg = f"{where}: the environment variable {plain_name(name)} {said}"
        raise ValueError(msg)
    return found
