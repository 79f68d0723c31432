"""Mistral's chat completions, as bytes: OpenAI's, but for what it does otherwise.

Thoughts are blocks of the content, tool calls come whole with ids of nine characters,
usage stands in the last chunk without being asked for, and errors have no `error`
around them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from langchain_reliable.testing._answers import Refusal, Text, Thought
from langchain_reliable.testing._simulator.dialects import sse
from langchain_reliable.testing._simulator.dialects.whole_calls import (
    WholeCall,
    in_whole_calls,
)
from langchain_reliable.testing._simulator.troubles import Wording
from langchain_reliable.testing._simulator.wire import Tape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_reliable.testing._answers import Answer
    from langchain_reliable.testing._simulator.dialects.whole_calls import WholeFragment
    from langchain_reliable.testing._simulator.troubles import Trouble
    from langchain_reliable.testing._simulator.wire import Headers, SimulatedRequest

_CREATED: Final = 1_760_000_000
_INVALID: Final = "invalid_request_error"


@dataclass(frozen=True, slots=True)
class _Wording(Wording):
    """How Mistral says it; `code` is its number."""

    type: str


_WORDINGS: Final[Mapping[str, _Wording]] = {
    "bad_request": _Wording(400, "3230", "Messages must not be empty", _INVALID),
    "context_overflow": _Wording(
        400,
        "3051",
        "Prompt contains 140000 tokens, too large for model with 131072 maximum "
        "context length",
        _INVALID,
    ),
    "content_policy": _Wording(403, "", "The request was blocked.", _INVALID),
    "auth": _Wording(401, "", "Unauthorized", "unauthorized"),
    "billing": _Wording(402, "", "Payment required", "payment_required"),
    "forbidden": _Wording(403, "", "Forbidden", "forbidden"),
    "not_found": _Wording(400, "1500", "Invalid model: {model}", "invalid_model"),
    "timeout": _Wording(408, "", "Request timed out", "timeout"),
    "conflict": _Wording(409, "", "Conflict", _INVALID),
    "too_large": _Wording(413, "", "Request body too large", _INVALID),
    "unprocessable": _Wording(422, "", "Unprocessable request", _INVALID),
    "rate_limited": _Wording(429, "1300", "Rate limit exceeded", "rate_limited"),
    "quota_exhausted": _Wording(
        429, "1300", "Monthly quota exceeded", "quota_exceeded"
    ),
    "server_error": _Wording(
        500, "1000", "Internal server error", "internal_server_error"
    ),
    "overloaded": _Wording(
        429,
        "3505",
        "Service tier capacity exceeded for this model.",
        "service_tier_capacity_exceeded",
    ),
    "unavailable": _Wording(
        503, "1000", "Service unavailable.", "internal_server_error"
    ),
    "gateway_timeout": _Wording(504, "1000", "Timed out", "internal_server_error"),
}
_FINISH: Final = {"content_filter": "error"}


class Mistral:
    """Speaks `POST /mistral/v1/chat/completions`."""

    name = "mistral"
    stream_type = sse.STREAM_TYPE
    waits_in_body = False

    def headers(
        self, request: SimulatedRequest, _answer: Answer | None = None, /
    ) -> Headers:
        """Return what Mistral sends with every response."""
        id_ = f"00000000-0000-4000-8000-{request.number:012}"
        return (("mistral-correlation-id", id_),)

    def stream(self, answer: Answer, request: SimulatedRequest) -> Tape:
        """Return `data:` events from the role to `[DONE]`."""
        told = in_whole_calls(_with_ids(answer, request), str(request.number))
        nothing = _chunk(request, {"content": ""})
        pieces = (_chunk(request, _delta(one)) if one else b"" for one in told)
        last = _chunk(request, {"content": ""}, _finish(answer), **_usage(answer))
        return Tape(
            opening=(
                _chunk(request, {"role": "assistant", "content": ""}),
                *(nothing,) * answer.silent,
            ),
            pieces=tuple(pieces),
            finish=() if answer.finish is None else (last,),
            done=(sse.DONE,),
        )

    def document(self, answer: Answer, request: SimulatedRequest) -> dict[str, Any]:
        """Return a `chat.completion` object."""
        choice = {
            "index": 0,
            "message": _message(_with_ids(answer, request), request),
            "finish_reason": _finish(answer),
        }
        return {**_stamp(request), "choices": [choice], **_usage(answer)}

    def bare_stream(self, _request: SimulatedRequest, /) -> tuple[bytes, ...]:
        """Return `[DONE]` alone."""
        return (sse.DONE,)

    def bare_document(self, request: SimulatedRequest) -> dict[str, Any]:
        """Return an answer without choices."""
        return {**_stamp(request), "choices": []}

    def status(self, trouble: Trouble) -> int:
        """Return the status Mistral gives this trouble."""
        return trouble.status or _WORDINGS[trouble.kind].status

    def error_headers(self, _trouble: Trouble, /) -> Headers:
        """Return nothing: all is said in the body."""
        return ()

    def error(self, trouble: Trouble, request: SimulatedRequest) -> dict[str, Any]:
        """Return the error, or what the gateway before the API says of a wrong key."""
        words = _WORDINGS[trouble.kind]
        message = words.says(trouble, request.model)
        if trouble.kind == "auth":
            return {"detail": message}
        return {
            "object": "error",
            "message": message,
            "type": words.type,
            "param": None,
            "code": trouble.code or words.code or None,
        }

    def error_event(self, trouble: Trouble, request: SimulatedRequest) -> bytes:
        """Return the error object as a `data:` event."""
        return sse.event(self.error(trouble, request))

    def broken(self, event: bytes, /) -> bytes:
        """Return the event with half of its JSON."""
        return sse.broken(event)

    def keep_alive(self) -> bytes:
        """Return a comment line."""
        return b": keep-alive\n\n"


def _with_ids(answer: Answer, request: SimulatedRequest) -> Answer:
    """Return the answer with an id of nine characters for each call that has none."""
    calls = tuple(
        replace(call, id=call.id or f"{request.number:07}{index:02}")
        for index, call in enumerate(answer.calls)
    )
    return replace(answer, calls=calls)


def _stamp(request: SimulatedRequest, kind: str = "") -> dict[str, Any]:
    return {
        "id": f"{request.number:032x}",
        "object": f"chat.completion{kind}",
        "created": _CREATED,
        "model": request.model,
    }


def _chunk(
    request: SimulatedRequest,
    delta: Mapping[str, Any],
    finish: str | None = None,
    **more: Any,
) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return sse.event({**_stamp(request, ".chunk"), "choices": [choice], **more})


def _delta(fragment: WholeFragment) -> dict[str, Any]:
    match fragment:
        case Thought(text):
            return {"content": [_thought(text)]}
        case Text(text) | Refusal(text):
            return {"content": text}
        case WholeCall():
            return {"content": "", "tool_calls": [_call(fragment)]}


def _thought(text: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": [{"type": "text", "text": text}]}


def _call(call: WholeCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": json.dumps(dict(call.arguments))}
    return {"id": call.id, "function": function, "index": call.index}


def _message(answer: Answer, request: SimulatedRequest) -> dict[str, Any]:
    text = "".join(answer.text + answer.refusal)
    content: str | list[dict[str, Any]] = text
    if answer.thoughts:
        said = [{"type": "text", "text": text}] if text else []
        content = [_thought("".join(answer.thoughts)), *said]
    told = in_whole_calls(answer, str(request.number))
    calls = [_call(one) for one in told if isinstance(one, WholeCall)]
    return {"role": "assistant", "tool_calls": calls or None, "content": content}


def _finish(answer: Answer) -> str | None:
    return None if answer.finish is None else _FINISH.get(answer.finish, answer.finish)


def _usage(answer: Answer) -> dict[str, Any]:
    if answer.usage is None:
        return {}
    asked, told = answer.usage.input_tokens, answer.usage.output_tokens
    return {
        "usage": {
            "prompt_tokens": asked,
            "total_tokens": asked + told,
            "completion_tokens": told,
        }
    }
