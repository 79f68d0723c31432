"""Bedrock's older door, `InvokeModel`, for Claude: Anthropic's words in AWS's frames.

An answer is Anthropic's message. In a stream each of its events travels, in base64, as
a `chunk` of the binary event stream. Errors are Bedrock's.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

from langchain_reliable.testing._simulator.dialects import event_stream
from langchain_reliable.testing._simulator.dialects.anthropic import Anthropic
from langchain_reliable.testing._simulator.dialects.bedrock import Bedrock
from langchain_reliable.testing._simulator.wire import Tape, compact

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langchain_reliable.testing._answers import Answer
    from langchain_reliable.testing._simulator.wire import Headers, SimulatedRequest

_CLAUDE = Anthropic()


class BedrockInvoke(Bedrock):
    """Speaks `POST /model/{id}/invoke` and `/invoke-with-response-stream`."""

    name = "bedrock_invoke"

    def headers(
        self, request: SimulatedRequest, answer: Answer | None = None, /
    ) -> Headers:
        """Return what AWS sends with every response; a whole one's tokens too."""
        counted = _counted(answer) if answer else {}
        names = {"inputTokenCount": "input", "outputTokenCount": "output"}
        tokens = (
            (f"x-amzn-bedrock-{name}-token-count", str(counted[key]))
            for key, name in names.items()
            if key in counted
        )
        return (*super().headers(request), *tokens)

    def stream(self, answer: Answer, request: SimulatedRequest) -> Tape:
        """Return chunks from `message_start` to `message_stop`."""
        tape = _CLAUDE.stream(answer, request)
        return Tape(
            opening=_framed(tape.opening),
            pieces=_framed(tape.pieces),
            finish=_framed(tape.finish),
            done=(_last(answer),),
        )

    def document(self, answer: Answer, request: SimulatedRequest) -> dict[str, Any]:
        """Return a `message` object."""
        return _CLAUDE.document(answer, request)

    def bare_stream(self, request: SimulatedRequest, /) -> tuple[bytes, ...]:
        """Return `message_start` and `message_stop`, with nothing between."""
        return _framed(_CLAUDE.bare_stream(request))

    def bare_document(self, request: SimulatedRequest, /) -> dict[str, Any]:
        """Return a message without content or stop reason."""
        return _CLAUDE.bare_document(request)


def _counted(answer: Answer) -> dict[str, int]:
    usage = answer.usage
    asked, told = (usage.input_tokens, usage.output_tokens) if usage else (0, 0)
    return {"inputTokenCount": asked, "outputTokenCount": told}


def _last(answer: Answer) -> bytes:
    metrics = {**_counted(answer), "invocationLatency": 12, "firstByteLatency": 6}
    last = {"type": "message_stop", "amazon-bedrock-invocationMetrics": metrics}
    return _chunk(compact(last))


def _framed(parts: Iterable[bytes]) -> tuple[bytes, ...]:
    """Return each part of a stream in frames, one for each of its events."""
    return tuple(b"".join(map(_frame, part.splitlines())) for part in parts)


def _frame(line: bytes) -> bytes:
    payload = line.removeprefix(b"data: ")
    if payload == line:  # the event's name, or the end of it
        return b""
    return _chunk(payload)


def _chunk(payload: bytes) -> bytes:
    return event_stream.event("chunk", {"bytes": b64encode(payload).decode()})
