"""Whose opinion of an exception counts: the user's, then ours."""

from __future__ import annotations

import logging
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from langchain_reliable._core.user_errors import is_user_error
from langchain_reliable._runtime.clock import epoch
from langchain_reliable._text.log_once import LogOnce
from langchain_reliable.errors import AnswerRejected
from langchain_reliable.failures import Failure, FailureKind, Propagate

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("langchain_reliable")

_reported = LogOnce()

ClassifyResult: TypeAlias = FailureKind | Failure | Propagate | None


def classify(exception: BaseException) -> Failure | None:
    """Say what an exception of a provider means.

    Args:
        exception: What a provider's SDK, a LangChain partner package or a transport
            raised beneath a chat model.

    Returns:
        What it means; `None` for what is not a provider's failure and must propagate:
        your own code, tools, control flow, cancellation.
    """
    if isinstance(exception, AnswerRejected):
        return exception.failure
    if is_user_error(exception):
        return None
    return _interpreter()(exception, now=epoch())


def classifier_with(
    callback: Callable[[Exception], ClassifyResult] | None,
) -> Callable[[Exception], Failure | None]:
    """Return what says of an exception what it means.

    Args:
        callback: The user's `classify`; its `None` means no opinion.

    Returns:
        A function to `Failure`, or to `None` for what is not a provider's failure.
    """
    _interpreter()  # ready before the first failure
    if callback is None:
        return classify

    def judge(error: Exception) -> Failure | None:
        match _opinion(callback, error):
            case None:
                return classify(error)
            case Propagate():
                return None
            case Failure() as failure:
                return failure
            case kind:
                return _as(kind, error)

    return judge


def _opinion(
    callback: Callable[[Exception], ClassifyResult], error: Exception
) -> ClassifyResult:
    """Return the user's opinion; none if it raises or says what means nothing."""
    try:
        said = callback(error)
    except Exception as bug:  # noqa: BLE001 - a call must not suffer
        _report_once(callback, f"raised {type(bug).__name__}{_where(bug)}")
        return None
    if said is None or isinstance(said, (Failure, Propagate)):
        return said
    try:
        return FailureKind(said)
    except ValueError:
        kind = type(said).__name__
        _report_once(callback, f"returned a value of type {kind} that is no opinion")
        return None


def _where(bug: Exception) -> str:
    """Return where an exception was raised; its text may hold a prompt."""
    _, *below = traceback.extract_tb(bug.__traceback__, limit=2)
    return "".join(
        f" in {one.name}, line {one.lineno} of {one.filename}" for one in below
    )


def _report_once(callback: Callable[..., object], what: str) -> None:
    known = getattr(callback, "__code__", type(callback)), what
    if not _reported.is_first(known):
        return
    logger.error(
        "the `classify` callback %s; our own reading counts then. It returns a "
        "FailureKind, a Failure, PROPAGATE or None",
        what,
    )


def _interpreter() -> Callable[..., Failure | None]:
    """Return our reading of exceptions; its tables are not part of our import."""
    from langchain_reliable._classify import interpreter  # noqa: PLC0415 - on purpose

    return interpreter.classify


def _as(kind: FailureKind, error: Exception) -> Failure:
    """Return our reading of an error, under the kind that the user gave it."""
    ours = classify(error) or Failure(kind=kind, summary=type(error).__name__)
    return replace(ours, kind=kind)
