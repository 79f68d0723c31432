"""The command line: `langchain-reliable demo`, `check`, `explain` and `ask`."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

from langchain_reliable._cli.extras import NotReady

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_USAGE: Final = 2
_INTERRUPTED: Final = 130
_LONGEST: Final = 3600


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: The command line; `sys.argv` unless given.

    Returns:
        The exit status: 0 if all went well, 1 if a call failed, 2 if something has to
        be installed, set or written differently first.
    """
    parser = _parser()
    options = parser.parse_args(argv)
    if options.run is None:
        parser.print_help()
        return 0
    try:
        with _shown_once():
            return int(options.run(options))
    except NotReady as error:
        print(f"langchain-reliable: {error}", file=sys.stderr)
        return _USAGE
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        _stop_writing()
        return 1


def _demo(options: argparse.Namespace) -> int:
    from langchain_reliable._cli.demo import demo  # noqa: PLC0415 - only when it is played

    return demo(fast=options.fast, only=options.scene, plain=options.plain)


def _ask(options: argparse.Namespace) -> int:
    from langchain_reliable._cli.ask import ask  # noqa: PLC0415 - only when it is asked

    return ask(options.question, options, plain=options.plain)


def _check(options: argparse.Namespace) -> int:
    from langchain_reliable._cli.check import checkup  # noqa: PLC0415 - as above

    return checkup(options, timeout=options.timeout, plain=options.plain)


def _explain(options: argparse.Namespace) -> int:
    from langchain_reliable._cli.explain import explain  # noqa: PLC0415 - as above

    return explain(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="langchain-reliable",
        description="A LangChain chat model made of several, watched at work.",
        epilog="Begin with: langchain-reliable demo",
    )
    try:
        told = f"langchain-reliable {version('langchain-reliable')}"
    except PackageNotFoundError:
        told = "langchain-reliable, not installed"
    parser.add_argument("--version", action="version", version=told)
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(metavar="command")
    _add_demo(commands.add_parser("demo", help="failover, live, without a key"))
    _add_check(commands.add_parser("check", help="which models work, and what to fix"))
    _add_explain(
        commands.add_parser(
            "explain", help="what would be done in trouble; asks nobody"
        )
    )
    _add_ask(commands.add_parser("ask", help="ask your models, and watch who answers"))
    return parser


def _add_demo(command: argparse.ArgumentParser) -> None:
    command.description = (
        "The real ChatOpenAI and ChatAnthropic against a simulator on this machine: "
        "a healthy call, and six in which something goes wrong, one of them with "
        "LangChain's own with_fallbacks beside it. Some 20 seconds. Needs no key and "
        "no network."
    )
    command.add_argument("--fast", action="store_true", help="without pauses")
    command.add_argument(
        "--scene", type=int, metavar="N", help="only this scene, 1 to 7"
    )
    _add_plain(command)
    command.set_defaults(run=_demo)


def _add_ask(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Ask a question. The models are tried in the order given, and you see which "
        "were tried, why they failed and who answers. Keys are taken from the "
        "environment, as by LangChain."
    )
    command.epilog = (
        'Such as: langchain-reliable ask "Why is the sky blue?" --model openai:gpt-5.4 '
        "--model anthropic:claude-sonnet-5"
    )
    command.add_argument("question", type=_question, help="what to ask")
    _add_models(command)
    _add_plain(command)
    command.set_defaults(run=_ask)


def _add_check(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Ask each model for one word, side by side and without retries, and see who "
        "works, how fast, and what is wrong with the others. Keys are taken from the "
        "environment, as by LangChain. The exit status is 1 if one of them fails."
    )
    _add_target(command)
    _add_models(command)
    command.add_argument(
        "--timeout",
        type=_seconds,
        default=30.0,
        metavar="SECONDS",
        help="how long each may take (default: 30)",
    )
    _add_plain(command)
    command.set_defaults(run=_check)


def _add_explain(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Say what a model would do if its first candidate is refused, limited, silent "
        "and so on: who answers, what the caller sees, how long it takes at most, and "
        "how often each is asked. Nobody is asked for it. The exit status is 1 if it "
        "has settings that cannot work."
    )
    _add_target(command)
    _add_models(command)
    command.add_argument(
        "--surface",
        choices=("stream", "invoke"),
        default="stream",
        help="how it would be asked (default: stream)",
    )
    command.set_defaults(run=_explain)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < _LONGEST:
        raise argparse.ArgumentTypeError("write a number of seconds, such as 30")
    return seconds


def _question(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError('write a question, such as "Why is it blue?"')
    return text


def _name(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("write a name, such as openai:gpt-5.4")
    return text


def _add_models(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--model",
        action="append",
        type=_name,
        metavar="PROVIDER:MODEL",
        help="such as openai:gpt-5.4; give it again for each further model",
    )
    command.add_argument(
        "--config",
        metavar="FILE",
        help="a model that is written down: YAML or JSON, LiteLLM's Router too",
    )
    command.add_argument(
        "--group", metavar="NAME", help="the model_name to begin with, in LiteLLM's"
    )


def _add_target(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "target",
        nargs="?",
        metavar="MODULE:ATTRIBUTE",
        help="a model of your own program, such as app:model",
    )


def _add_plain(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--plain", action="store_true", help="plain lines, no colors, nothing moves"
    )


@contextmanager
def _shown_once() -> Iterator[None]:
    """Keep the log's account of a call out of the picture that shows it anyway.

    Where nobody has set up logging, Python prints warnings in the middle of it. Those
    that tell of something else still appear.
    """
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.addFilter(lambda record: record.module != "_logging")
    logger = logging.getLogger("langchain_reliable")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def _stop_writing() -> None:  # pragma: no cover - it would take the tests' stdout
    """Leave quietly when the reader of a pipe has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
