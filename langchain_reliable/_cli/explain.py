"""What a model would do: the command `explain`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from langchain_reliable._cli.ask import opened_for_call
from langchain_reliable._cli.whole_model import whole_model
from langchain_reliable.chat_models import ReliableChatModel

if TYPE_CHECKING:
    import argparse


def explain(options: argparse.Namespace) -> int:
    """Say what a model would do in trouble; nobody is asked.

    Args:
        options: The command line, which says which model.

    Returns:
        The exit status: 1 if it has settings that cannot work.

    Raises:
        NotReady: There is no such model, or something has to be installed first.
    """
    model = whole_model(options)
    if model is None:
        models: Any = [opened_for_call(name) for name in options.model]
        model = ReliableChatModel(models=models)
    explanation = model.explain(options.surface)
    sys.stdout.write(f"{explanation}\n")
    return 1 if explanation.warnings else 0
