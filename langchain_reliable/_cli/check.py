"""Whether real providers answer: the command `check`.

A model that can't be opened counts as one that fails.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from langchain_reliable._cli.ask import opened
from langchain_reliable._cli.extras import NotReady
from langchain_reliable._cli.open_screen import open_screen
from langchain_reliable._cli.screen_plain import PlainScreen
from langchain_reliable._cli.whole_model import whole_model
from langchain_reliable._text.redact import clip
from langchain_reliable.candidates import Candidate
from langchain_reliable.chat_models import ReliableChatModel
from langchain_reliable.chat_models._check_report import CandidateCheck, CheckReport

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

_LINE: Final = 200


def checkup(options: argparse.Namespace, *, timeout: float, plain: bool = False) -> int:
    """Ask each of some models for one short answer, and show who works.

    Args:
        options: The command line, which says whom.
        timeout: Seconds that each may take.
        plain: In plain lines, also on a terminal.

    Returns:
        The exit status: 0 if all work.

    Raises:
        NotReady: Something has to be installed first.
    """
    written = whole_model(options)
    with open_screen(plain=plain) as screen:
        screen.preparing("asking each for one word")
        if written is None:
            report = _checked(options.model, timeout)
        else:
            report = written.check(timeout)
    if isinstance(screen, PlainScreen):
        sys.stdout.write(f"{report}\n")
    else:
        from rich.console import Console  # noqa: PLC0415 - an extra

        Console(highlight=False).print(report)
    return 0 if report.ok else 1


def _checked(names: Sequence[str], timeout: float) -> CheckReport:
    found: dict[int, CandidateCheck] = {}
    models: dict[int, Any] = {}
    for place, name in enumerate(names):
        try:
            models[place] = Candidate(opened(name), name=name)
        except NotReady as error:
            said = clip(str(error).split("\n\n")[0].removeprefix(f"{name}: "), _LINE)
            found[place] = CandidateCheck(name=name, works=False, advice=said)
    if models:
        report = ReliableChatModel(models=tuple(models.values())).check(timeout)
        found |= zip(models, report.candidates, strict=True)
    return CheckReport(tuple(found[place] for place in sorted(found)))
