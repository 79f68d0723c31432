"""One question to real providers, watched: the command `ask`."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from langchain_reliable._cli.call_view import CallView
from langchain_reliable._cli.extras import NoKey, NotReady, installed, need
from langchain_reliable._cli.open_screen import open_screen
from langchain_reliable._cli.screen import columns
from langchain_reliable._cli.whole_model import whole_model
from langchain_reliable._text.redact import redact
from langchain_reliable._text.terminal import folded_table
from langchain_reliable.candidates import (
    KeylessModel,
    is_about_keys,
    opened_by_name,
    why_keyless,
)
from langchain_reliable.chat_models import ReliableChatModel
from langchain_reliable.chat_models._secrets import secrets_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

_FAMILIES: Final = {
    "openai": ("langchain_openai", "ChatOpenAI"),
    "anthropic": ("langchain_anthropic", "ChatAnthropic"),
}
_LONGEST: Final = 4000


def ask(question: str, options: argparse.Namespace, *, plain: bool = False) -> int:
    """Ask models in order, and show what happens.

    Args:
        question: What to ask.
        options: The command line, which says whom.
        plain: In plain lines, also on a terminal.

    Returns:
        The exit status: 0 if there is a whole answer.

    Raises:
        NotReady: A model can't be opened, there is no key for any of them, or something
            has to be installed first.
    """
    written = whole_model(options)
    names: Sequence[str] = options.model or ()
    models: Any = [opened_for_call(name) for name in names]
    if models and all(isinstance(model, KeylessModel) for model in models):
        raise NotReady(models[0].why)
    with open_screen(plain=plain, aside=True) as screen:
        show = CallView(screen)
        if written is None:
            model = ReliableChatModel(models=models, observers=(show,))
        else:
            model = written.model_copy(update={"observers": (show,)})
            candidates = model._router.candidates  # noqa: SLF001 - ours
            models = [one.model for one in candidates]
        screen.question(question)
        error = _watched(show, model, question)
        screen.summary(show.summary)
    if error is not None:
        said = secrets_of(*models).hide(told(error))
        sys.stderr.write(f"\n{said}\n")
    return 1 if error is not None else 0


def _watched(
    show: CallView, model: ReliableChatModel, question: str
) -> Exception | None:
    try:
        show.watch(model, question)
    except Exception as error:  # noqa: BLE001 - told to a person, and in the status
        return error
    return None


def opened(name: str) -> Any:
    """Return the model with this name, ready to be asked.

    Raises:
        NotReady: There is none; the text says what to do.
    """
    provider, _, rest = name.partition(":")
    if provider in _FAMILIES:
        need(_FAMILIES[provider][0])
    try:
        by_name = installed("langchain")
        model = opened_by_name(name) if by_name else _directly(provider, rest)
    except NotReady:
        raise
    except Exception as error:
        said = redact(str(error))
        kind = NoKey if is_about_keys(error) else NotReady
        raise kind(said if name in said else f"{name}: {said}") from error
    if why := why_keyless(model):
        raise NoKey(f"{name}: there is no key for it; {why}")
    return model


def opened_for_call(name: str) -> Any:
    """Return the model with this name; one without a key fails when it is asked.

    Raises:
        NotReady: There is none; the text says what to do.
    """
    try:
        return opened(name)
    except NoKey as error:
        return KeylessModel(model_name=name.partition(":")[2] or name, why=str(error))


def _directly(provider: str, name: str) -> Any:
    """Return a model of the two families that the extra brings along."""
    if provider not in _FAMILIES or not name:
        written = f"{provider}:{name}" if name else provider
        raise NotReady(
            f'"{written}" can only be looked up by LangChain: pip install '
            "langchain; without it there are openai:... and anthropic:..."
        )
    package, model = _FAMILIES[provider]
    return getattr(import_module(package), model)(model=name)


def told(error: Exception) -> str:
    """Return what to tell a person about an error that ended a call."""
    notes = getattr(error, "__notes__", ())
    named = f"{type(error).__name__}: {error}".removesuffix(": ")
    text = "\n".join((named, *notes))[:_LONGEST]
    width = columns() if sys.stderr.isatty() else None
    return folded_table(redact(text), width)
