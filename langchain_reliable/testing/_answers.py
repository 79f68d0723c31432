"""What a model says: the words in which scripts for both test doubles are written.

An answer is the same for every way it may travel, as LangChain chunks or as a
provider's bytes.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from langchain_reliable.testing._signals import Gate


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens that an answer reports."""

    input_tokens: int = 10
    output_tokens: int = 5


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One tool call of an answer; build it with `tool_call`."""

    name: str
    arguments: Mapping[str, Any]
    id: str | None = None

    def pieces(self, count: int = 3) -> tuple[str, ...]:
        """Return the arguments as JSON, cut where no token boundary helps."""
        return cut_evenly(json.dumps(dict(self.arguments)), count)


@dataclass(frozen=True, slots=True)
class Thought:
    """A fragment of reasoning."""

    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """A fragment of the visible answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A fragment of a refusal."""

    text: str


@dataclass(frozen=True, slots=True)
class CallStart:
    """The name and id of a tool call; its arguments follow."""

    index: int
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class CallArguments:
    """A fragment of a tool call's JSON arguments."""

    index: int
    text: str


Fragment: TypeAlias = Thought | Text | Refusal | CallStart | CallArguments


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A healthy answer, in the order in which it is told.

    Its *pieces* are counted over everything a user could see: reasoning, text,
    refusal, and for each tool call its name and its argument fragments. `after=2` in
    a fault, and `gates={2: gate}` here, mean "when two pieces have been told".

    Attributes:
        text: The visible text, in pieces.
        thoughts: Reasoning, in pieces; comes first.
        refusal: A refusal, in pieces.
        calls: Tool calls, told one after another.
        finish: Why the answer ends, in OpenAI's words (`stop`, `length`,
            `tool_calls`, `content_filter`); translated for other APIs. `None` leaves
            the finish marker out.
        usage: Tokens to report; `None` reports none.
        silent: How many chunks with nothing in them come before the first piece.
        delay: Seconds before anything happens.
        pause: Seconds before each piece.
        gates: Where to wait for the test, by the number of pieces told before.
    """

    text: tuple[str, ...] = ()
    thoughts: tuple[str, ...] = ()
    refusal: tuple[str, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    finish: str | None = "stop"
    usage: Usage | None = field(default_factory=Usage)
    silent: int = 0
    delay: float = 0.0
    pause: float = 0.0
    gates: Mapping[int, Gate] = field(default_factory=dict)

    def fragments(self, stamp: str) -> tuple[Fragment, ...]:
        """Return everything that is told; `stamp` makes tool call ids unique."""
        return (
            *map(Thought, self.thoughts),
            *map(Text, self.text),
            *map(Refusal, self.refusal),
            *self._call_fragments(stamp),
        )

    def call_id(self, index: int, stamp: str) -> str:
        """Return the id of the tool call at `index`."""
        return self.calls[index].id or f"call_{stamp}_{index}"

    def _call_fragments(self, stamp: str) -> Iterator[Fragment]:
        for index, call in enumerate(self.calls):
            yield CallStart(index, self.call_id(index, stamp), call.name)
            yield from (CallArguments(index, piece) for piece in call.pieces())


def says(  # noqa: PLR0913 - each keyword is one way in which answers differ
    text: str = "",
    /,
    *,
    chunks: int | Sequence[str] | None = None,
    thinks: str | Sequence[str] = (),
    calls: Sequence[ToolCall] = (),
    finish: str | None = "stop",
    usage: Usage | bool = True,
    silent: int = 0,
    delay: float = 0.0,
    pause: float = 0.0,
    gates: Mapping[int, Gate] | None = None,
) -> Answer:
    """Return an answer that says `text`.

    Args:
        text: What is said; told word by word unless `chunks` says otherwise.
        chunks: The pieces themselves, or how many of them to cut `text` into.
        thinks: Reasoning that comes before the text.
        calls: Tool calls, built with `tool_call`; they follow the text.
        finish: Finish reason, in OpenAI's words; `stop` becomes `tool_calls` where
            there are any, and `None` leaves the finish marker out.
        usage: Tokens to report; `True` counts the pieces, `False` reports none.
        silent: Chunks with nothing in them that come first.
        delay: Seconds before anything happens.
        pause: Seconds before each piece: a slow trickle.
        gates: `{pieces told before: gate}`; waits there until the test opens it.
    """
    pieces = _pieces(text, chunks)
    thoughts = _pieces(thinks, None) if isinstance(thinks, str) else tuple(thinks)
    if calls and finish == "stop":
        finish = "tool_calls"
    return Answer(
        text=pieces,
        thoughts=thoughts,
        calls=tuple(calls),
        finish=finish,
        usage=_usage(usage, len(pieces) + len(thoughts)),
        silent=silent,
        delay=delay,
        pause=pause,
        gates=gates or {},
    )


def says_nothing(*, finish: str | None = "stop", silent: int = 0) -> Answer:
    """Return an answer with nothing in it.

    With `finish=None` not even its end is marked.
    """
    return Answer(finish=finish, usage=Usage(output_tokens=0), silent=silent)


def refuses(text: str = "I can't help with that.") -> Answer:
    """Return a refusal: OpenAI's `refusal` field, Anthropic's `refusal` stop reason."""
    return Answer(refusal=_pieces(text, None))


def tool_call(name: str, /, *, id: str | None = None, **arguments: Any) -> ToolCall:  # noqa: A002 - the wire's word
    """Return a tool call for `says(calls=[...])`."""
    return ToolCall(name, arguments, id)


def cut_evenly(text: str, count: int) -> tuple[str, ...]:
    """Return `text` in at most `count` nearly equal pieces."""
    size = max(1, -(-len(text) // max(1, count)))
    return tuple(text[at : at + size] for at in range(0, len(text), size))


def _usage(usage: Usage | bool, pieces: int) -> Usage | None:  # noqa: FBT001 - as `says`
    if isinstance(usage, Usage):
        return usage
    return Usage(output_tokens=pieces) if usage else None


def _pieces(text: str, chunks: int | Sequence[str] | None) -> tuple[str, ...]:
    if chunks is None:
        return tuple(re.findall(r"\s*\S+|\s+", text))
    if isinstance(chunks, int):
        return cut_evenly(text, chunks)
    return tuple(chunks)
