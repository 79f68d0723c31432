"""The model that a command is about, where it is written down or made elsewhere."""

from __future__ import annotations

import difflib
import os
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_reliable._cli.extras import NotReady
from langchain_reliable._text.redact import redact_line
from langchain_reliable.chat_models import ReliableChatModel

if TYPE_CHECKING:
    import argparse

_DEEPEST = 8
"""Wrappers around a model that are looked into."""

_LONGEST = 800
"""Characters of what is wrong with a file; it may list what is known."""


def whole_model(options: argparse.Namespace, **fields: Any) -> ReliableChatModel | None:
    """Return the model that was named; `None` where `--model` names its parts.

    Args:
        options: The command line.
        fields: Fields that the command sets.

    Raises:
        NotReady: There is none, or more than one; the text says what to do.
    """
    target = getattr(options, "target", None)
    given = [one for one in (options.model, options.config, target) if one]
    if len(given) != 1:
        can = " or module:attribute" if hasattr(options, "target") else ""
        raise NotReady(f"write one of --model, --config{can}")
    if options.config:
        try:
            return ReliableChatModel.from_config(
                options.config, options.group, **fields
            )
        except OSError as error:
            raise NotReady(f"{options.config}: {error.strerror or error}") from error
        except (ValueError, TypeError, ImportError) as error:
            raise NotReady(
                f"{options.config}: {redact_line(str(error), 400)}"
            ) from error
    return _from_module(target, fields) if target else None


def _from_module(target: str, fields: dict[str, Any]) -> ReliableChatModel:
    """Return `attribute` of `module`, as servers find an application."""
    name, _, attribute = target.partition(":")
    names = (*name.split("."), *attribute.split("."))
    if name.endswith(".py") or not all(map(str.isidentifier, names)):
        raise NotReady(f"{target}: write module:attribute, such as app:model")
    if (folder := os.getcwd()) not in sys.path:  # noqa: PTH109 - as it stands there
        sys.path.insert(0, folder)  # to stay: it may import more when it is asked
    found: Any = None
    try:
        for part in ("", *attribute.split(".")):
            found = getattr(found, part) if part else import_module(name)
    except AttributeError as error:
        if error.obj is not found or found is None:
            raise NotReady(f"{target}: {_what_went_wrong(error)}") from error
        close = difflib.get_close_matches(str(error.name), dir(found), n=1)
        say = f"; did you mean {close[0]}?" if close else ""
        raise NotReady(f"{target}: {name} has no {attribute}{say}") from error
    except (Exception, SystemExit) as error:  # whatever an import does
        raise NotReady(f"{target}: {_what_went_wrong(error)}") from error
    inner = found
    for _ in range(_DEEPEST):  # bindings, and configurable models
        if isinstance(inner, ReliableChatModel):
            return inner.model_copy(update=fields) if fields else inner
        inner = getattr(inner, "bound", None) or getattr(inner, "default", None)
    kind = type(found).__name__
    raise NotReady(f"{target} is a value of type {kind}, no ReliableChatModel")


def _what_went_wrong(error: BaseException) -> str:
    """Say in one line what an import has raised, and where."""
    if isinstance(error, ModuleNotFoundError):
        return redact_line(str(error))
    if isinstance(error, SyntaxError):
        file, line = error.filename or "", error.lineno
    else:
        last = traceback.extract_tb(error.__traceback__)[-1]
        file, line = last.filename, last.lineno
    said = redact_line(f"{type(error).__name__}: {error}")
    return f"importing it failed in {Path(file).name}, line {line}: {said}"
