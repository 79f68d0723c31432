"""Answers for APIs that never cut a tool call up: Gemini, Mistral and Ollama."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_reliable.testing._answers import Refusal, Text, Thought

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from langchain_reliable.testing._answers import Answer


@dataclass(frozen=True, slots=True)
class WholeCall:
    """A tool call with all of its arguments."""

    index: int
    id: str
    name: str
    arguments: Mapping[str, Any]


WholeFragment: TypeAlias = Thought | Text | Refusal | WholeCall


def in_whole_calls(answer: Answer, stamp: str) -> tuple[WholeFragment | None, ...]:
    """Return what is told at each piece of the answer.

    The pieces are counted as ever, so that a fault strikes at the same place in every
    dialect. While a call is being written nothing is told; its last piece brings it.
    """
    return (
        *map(Thought, answer.thoughts),
        *map(Text, answer.text),
        *map(Refusal, answer.refusal),
        *_calls(answer, stamp),
    )


def _calls(answer: Answer, stamp: str) -> Iterator[WholeCall | None]:
    for index, call in enumerate(answer.calls):
        yield from (None for _ in call.pieces())
        id_ = answer.call_id(index, stamp)
        yield WholeCall(index, id_, call.name, call.arguments)
