"""The model that a command is about, where it is written down or made elsewhere."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from langchain_reliable._cli.extras import NotReady
from langchain_reliable._text.redact import redact
from langchain_reliable.chat_models import ReliableChatModel

if TYPE_CHECKING:
    import argparse

_DEEPEST = 8
"""Wrappers around a model that are looked into."""


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
            raise NotReady(f"{options.config}: {redact(str(error))}") from error
    return _from_module(target, fields) if target else None


def _from_module(target: str, fields: dict[str, Any]) -> ReliableChatModel:
    """Return `attribute` of `module`, as servers find an application."""
    name, _, attribute = target.partition(":")
    if not name or not attribute:
        raise NotReady(f"{target}: write module:attribute, such as app:model")
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - a string is what it takes
    try:
        found: Any = import_module(name)
        for part in attribute.split("."):
            found = getattr(found, part)
    except ImportError as error:
        raise NotReady(f"{target}: {redact(str(error))}") from error
    except AttributeError:
        raise NotReady(f"{target}: {name} has no {attribute}") from None
    finally:
        sys.path.pop(0)
    inner = found
    for _ in range(_DEEPEST):  # bindings, and configurable models
        if isinstance(inner, ReliableChatModel):
            return inner.model_copy(update=fields) if fields else inner
        inner = getattr(inner, "bound", None) or getattr(inner, "default", None)
    kind = type(found).__name__
    raise NotReady(f"{target} is a value of type {kind}, no ReliableChatModel")
