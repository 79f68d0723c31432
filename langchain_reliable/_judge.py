"""Whose opinion of an exception counts: the user's, then ours.

The order in which those are asked who may say what an exception means lives here.
What an exception means never does: that is the interpreter's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from langchain_reliable._classify import classify
from langchain_reliable.errors import AnswerRejected
from langchain_reliable.failures import PROPAGATE, Failure, FailureKind, Propagate

if TYPE_CHECKING:
    from collections.abc import Callable

Opinion: TypeAlias = FailureKind | Failure | Propagate | None


def judge_with(
    callback: Callable[[Exception], Opinion] | None,
) -> Callable[[Exception], Failure | None]:
    """Return what says of an exception what it means.

    Args:
        callback: The user's `classify`; its `None` means no opinion.

    Returns:
        A function to `Failure`, or to `None` for what is not a provider's failure.
    """
    if callback is None:
        return _ours

    def judge(error: Exception) -> Failure | None:
        match callback(error):
            case None:
                return _ours(error)
            case Propagate():
                return None
            case Failure() as failure:
                return failure
            case kind:
                return _as(FailureKind(kind), error)

    return judge


def _ours(error: Exception) -> Failure | None:
    return error.failure if isinstance(error, AnswerRejected) else classify(error)


def _as(kind: FailureKind, error: Exception) -> Failure:
    """Return our reading of an error, under the kind that the user gave it."""
    ours = _ours(error) or Failure(kind=kind, summary=type(error).__name__)
    return Failure(
        kind=kind,
        retry_after=ours.retry_after,
        status=ours.status,
        code=ours.code,
        summary=ours.summary,
        should_retry=ours.should_retry,
    )


__all__ = ["PROPAGATE", "Opinion", "judge_with"]
