"""Ollama's `/api/chat`, as bytes: one JSON object per line.

It streams unless it is told not to, tells a tool call whole, and marks its last line
with `done`. A model that was only loaded says `done_reason: load` and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from langchain_reliable.testing._answers import Refusal, Text, Thought
from langchain_reliable.testing._simulator.dialects.whole_calls import (
    WholeCall,
    in_whole_calls,
)
from langchain_reliable.testing._simulator.troubles import Wording
from langchain_reliable.testing._simulator.wire import Tape, compact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_reliable.testing._answers import Answer
    from langchain_reliable.testing._simulator.dialects.whole_calls import WholeFragment
    from langchain_reliable.testing._simulator.troubles import Trouble
    from langchain_reliable.testing._simulator.wire import Headers, SimulatedRequest

_WORDINGS: Final[Mapping[str, Wording]] = {
    "bad_request": Wording(400, "", "invalid message: messages are required"),
    "context_overflow": Wording(400, "", "the input length exceeds the context length"),
    "content_policy": Wording(400, "", "the request was blocked"),
    "auth": Wording(401, "", "unauthorized"),
    "billing": Wording(402, "", "this model requires a subscription"),
    "forbidden": Wording(403, "", "you are not allowed to use this model"),
    "not_found": Wording(404, "", "model '{model}' not found"),
    "timeout": Wording(408, "", "request timed out"),
    "conflict": Wording(409, "", "conflict"),
    "too_large": Wording(413, "", "request body too large"),
    "unprocessable": Wording(422, "", "the request could not be processed"),
    "rate_limited": Wording(429, "", "too many requests, please try again shortly"),
    "quota_exhausted": Wording(
        429, "", "you've reached your weekly usage limit, please upgrade to continue"
    ),
    "server_error": Wording(
        500, "", "an error was encountered while running the model: CUDA error"
    ),
    "overloaded": Wording(
        503, "", "server busy, please try again.  maximum pending requests exceeded"
    ),
    "unavailable": Wording(503, "", "Server overloaded, please retry shortly"),
    "gateway_timeout": Wording(504, "", "timed out waiting for the model to start"),
}
_FINISH: Final = {"length": "length"}
_AT: Final = "2026-01-01T00:00:00.000000Z"
_NANOSECONDS: Final = 12_000_000


class Ollama:
    """Speaks `POST /api/chat`."""

    name = "ollama"
    stream_type = "application/x-ndjson"
    waits_in_body = False

    def headers(
        self, _request: SimulatedRequest, _answer: Answer | None = None, /
    ) -> Headers:
        """Return nothing: Ollama adds no headers."""
        return ()

    def stream(self, answer: Answer, request: SimulatedRequest) -> Tape:
        """Return lines; the last one is `done`."""
        told = in_whole_calls(answer, str(request.number))
        nothing = _line(request)
        pieces = (_line(request, **_said(one)) if one else b"" for one in told)
        last = _line(request, _ending(answer))
        return Tape(
            opening=(nothing,) * (answer.silent + (not told)),
            pieces=tuple(pieces),
            finish=() if answer.finish is None else (last,),
            done=(last,) if answer.finish is None else (),
        )

    def document(self, answer: Answer, request: SimulatedRequest) -> dict[str, Any]:
        """Return the whole answer as one object."""
        told = in_whole_calls(answer, str(request.number))
        calls = [_call(one) for one in told if isinstance(one, WholeCall)]
        said = {
            "content": "".join(answer.text + answer.refusal),
            **({"thinking": "".join(answer.thoughts)} if answer.thoughts else {}),
            **({"tool_calls": calls} if calls else {}),
        }
        return _object(request, _ending(answer), **said)

    def bare_stream(self, request: SimulatedRequest, /) -> tuple[bytes, ...]:
        """Return the line of a model that was only loaded."""
        return (compact(self.bare_document(request)) + b"\n",)

    def bare_document(self, request: SimulatedRequest) -> dict[str, Any]:
        """Return what a model says that was only loaded."""
        return _object(request, {"done_reason": "load", "done": True})

    def status(self, trouble: Trouble) -> int:
        """Return the status Ollama gives this trouble."""
        return trouble.status or _WORDINGS[trouble.kind].status

    def error_headers(self, _trouble: Trouble, /) -> Headers:
        """Return nothing: all is said in the body."""
        return ()

    def error(self, trouble: Trouble, request: SimulatedRequest) -> dict[str, Any]:
        """Return `{"error": "..."}`."""
        return {"error": _WORDINGS[trouble.kind].says(trouble, request.model)}

    def error_event(self, trouble: Trouble, request: SimulatedRequest) -> bytes:
        """Return the error as a line."""
        return compact(self.error(trouble, request)) + b"\n"

    def broken(self, event: bytes, /) -> bytes:
        """Return half of the line."""
        return event[: len(event) // 2] + b"\n"

    def keep_alive(self) -> bytes:
        """Return a space, which JSON ignores: it has no line for nothing."""
        return b" "


def _line(
    request: SimulatedRequest, ending: Mapping[str, Any] | None = None, **said: Any
) -> bytes:
    return compact(_object(request, ending or {"done": False}, **said)) + b"\n"


def _object(
    request: SimulatedRequest, ending: Mapping[str, Any], **said: Any
) -> dict[str, Any]:
    message = {"role": "assistant", "content": "", **said}
    return {"model": request.model, "created_at": _AT, "message": message, **ending}


def _said(fragment: WholeFragment) -> dict[str, Any]:
    match fragment:
        case Thought(text):
            return {"thinking": text}
        case Text(text) | Refusal(text):
            return {"content": text}
        case WholeCall():
            return {"tool_calls": [_call(fragment)]}


def _call(call: WholeCall) -> dict[str, Any]:
    function = {
        "index": call.index,
        "name": call.name,
        "arguments": dict(call.arguments),
    }
    return {"id": call.id, "function": function}


def _ending(answer: Answer) -> dict[str, Any]:
    ending: dict[str, Any] = {"done": True}
    if answer.finish is not None:
        ending["done_reason"] = _FINISH.get(answer.finish, "stop")
    if answer.usage is not None:
        ending["prompt_eval_count"] = answer.usage.input_tokens
        ending["eval_count"] = answer.usage.output_tokens
    times = ("total", "load", "prompt_eval", "eval")
    return {**ending, **{f"{one}_duration": _NANOSECONDS for one in times}}
