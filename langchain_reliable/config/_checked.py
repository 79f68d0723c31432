"""Errors about a configuration: what is wrong, where it stands, what to write."""

from __future__ import annotations

import difflib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from langchain_reliable._text.redact import plain_name
from langchain_reliable.candidates import Candidate, plain_error

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping


def candidate_of(model: Any, settings: Mapping[str, Any], where: str) -> Candidate:
    """Return a candidate; what is wrong with it is told with where it stands.

    Raises:
        ValueError: A setting has a value that no candidate takes.
    """
    with said_at(where):
        return Candidate(model, **settings)


@contextmanager
def said_at(where: str) -> Iterator[None]:
    """Let an error say where in the file it stands, and never the value itself."""
    try:
        yield
    except ValueError as error:
        said = plain_error(error)  # a value may be a key
        msg = f"{where}: {said}" if where else said
        raise ValueError(msg) from None


def unknown(where: str, name: str, known: Collection[str]) -> str:
    """Say that a key is unknown, and which one may have been meant."""
    close = difflib.get_close_matches(name, sorted(known), n=1)
    say = f"did you mean `{close[0]}`?" if close else f"known: {_listed(known)}"
    return f"{plain_name(where)} is unknown; {say}"


def _listed(known: Collection[str]) -> str:
    return ", ".join(sorted(known))


def refused(where: str, say: str) -> ValueError:
    """Return that a key is known and can't be taken over."""
    return ValueError(f"{plain_name(where)} can't be taken over; {say}")


def check_fields(fields: Mapping[str, Any], known: Collection[str], where: str) -> None:
    """See that this release has the fields that something becomes.

    Raises:
        ValueError: It lacks one.
    """
    for field in fields:
        if field not in known:
            msg = f"{where}: needs the field {field}, which this release does not have"
            raise ValueError(msg)


def number(value: Any, where: str) -> float:
    """Return a number that was written.

    Raises:
        ValueError: It is none.
    """
    try:
        return float(value)
    except (TypeError, ValueError):
        msg = f"{plain_name(where)}: write a number"
        raise ValueError(msg) from None
