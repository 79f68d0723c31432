"""What a command needs beyond the package itself, and what to say where it lacks."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

INSTALL: Final = 'pip install "langchain-reliable[demo]"'

_SOLD_AS: Final = {
    "langchain_anthropic": "langchain-anthropic",
    "langchain_openai": "langchain-openai",
}


class NotReady(Exception):
    """A command can't begin; the text says what a person has to do first."""


class NoKey(NotReady):
    """A model can't be asked as there is no key for it; others may answer."""


def need(*modules: str) -> None:
    """Make sure that optional packages are installed.

    Args:
        modules: The names under which they are imported.

    Raises:
        NotReady: One is not; the text says what to install.
    """
    missing = [_SOLD_AS.get(name, name) for name in modules if not installed(name)]
    if missing:
        are = "is" if len(missing) == 1 else "are"
        raise NotReady(f"{' and '.join(missing)} {are} not installed: {INSTALL}")


def installed(module: str) -> bool:
    """Return whether a package could be imported."""
    return find_spec(module) is not None
