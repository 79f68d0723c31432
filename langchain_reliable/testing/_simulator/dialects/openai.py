"""OpenAI's chat completions API, as bytes: its stream, JSON answers and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_reliable.testing._answers import (
    CallArguments,
    CallStart,
    Refusal,
    Text,
    Thought,
)
from langchain_reliable.testing._simulator.troubles import WORDINGS
from langchain_reliable.testing._simulator.wire import Tape, compact

if TYPE_CHECKING:
    from langchain_reliable.testing._answers import Answer, Fragment, Usage
    from langchain_reliable.testing._simulator.troubles import Trouble
    from langchain_reliable.testing._simulator.wire import Headers, SimulatedRequest

_CREATED = 1_760_000_000


class OpenAI:
    """Speaks `POST /v1/chat/completions`."""

    name = "openai"

    def headers(self, request: SimulatedRequest) -> Headers:
        """Return what OpenAI sends with every response."""
        return (
            ("openai-processing-ms", "12"),
            ("openai-version", "2020-10-01"),
            ("x-ratelimit-limit-requests", "10000"),
            ("x-ratelimit-remaining-requests", "9999"),
            ("x-ratelimit-reset-requests", "6ms"),
            ("x-request-id", f"req_{request.number:032x}"),
        )

    def stream(self, answer: Answer, request: SimulatedRequest) -> Tape:
        """Return `data:` events from the role to `[DONE]`."""
        fragments = answer.fragments(str(request.number))
        role = {"role": "assistant", "content": "", "refusal": None}
        opening = [role, *({} for _ in range(answer.silent))]
        return Tape(
            opening=tuple(_event(_delta(request, delta)) for delta in opening),
            pieces=tuple(_event(_delta(request, _piece(f))) for f in fragments),
            finish=_finish(answer, request),
            done=(b"data: [DONE]\n\n",),
        )

    def document(self, answer: Answer, request: SimulatedRequest) -> dict[str, Any]:
        """Return a `chat.completion` object."""
        choice = {
            "index": 0,
            "message": _message(answer, request),
            "logprobs": None,
            "finish_reason": answer.finish,
        }
        whole = {**_stamp(request, "chat.completion"), "choices": [choice]}
        return whole if answer.usage is None else {**whole, "usage": _usage(answer)}

    def bare_stream(self, _request: SimulatedRequest, /) -> tuple[bytes, ...]:
        """Return `[DONE]` alone."""
        return (b"data: [DONE]\n\n",)

    def bare_document(self, request: SimulatedRequest) -> dict[str, Any]:
        """Return an answer without choices."""
        return {**_stamp(request, "chat.completion"), "choices": []}

    def status(self, trouble: Trouble) -> int:
        """Return the status OpenAI gives this trouble."""
        return trouble.status or WORDINGS[trouble.kind].openai.status

    def retry_hint(self, _status: int, /) -> Headers:
        """Return nothing: OpenAI seldom says whether to try again."""
        return ()

    def error(self, trouble: Trouble, request: SimulatedRequest) -> dict[str, Any]:
        """Return `{"error": {...}}`."""
        words = WORDINGS[trouble.kind].openai
        message = trouble.message or words.message.format(model=request.model)
        return {
            "error": {
                "message": message,
                "type": words.type,
                "param": words.param,
                "code": trouble.code or words.code,
            }
        }

    def error_event(self, trouble: Trouble, request: SimulatedRequest) -> bytes:
        """Return the error object as a `data:` event."""
        return _event(self.error(trouble, request))

    def keep_alive(self) -> bytes:
        """Return a comment line, as gateways send while they wait."""
        return b": keep-alive\n\n"


def _stamp(request: SimulatedRequest, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-sim{request.number:06}",
        "object": kind,
        "created": _CREATED,
        "model": request.model,
        "service_tier": "default",
        "system_fingerprint": "fp_simulated",
    }


def _event(payload: dict[str, Any]) -> bytes:
    return b"data: " + compact(payload) + b"\n\n"


def _delta(
    request: SimulatedRequest, delta: dict[str, Any], finish: str | None = None
) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    chunk = {**_stamp(request, "chat.completion.chunk"), "choices": [choice]}
    return {**chunk, "usage": None} if request.wants_usage else chunk


def _piece(fragment: Fragment) -> dict[str, Any]:
    match fragment:
        case Text(text):
            return {"content": text}
        case Thought(text):
            return {"content": None, "reasoning_content": text}
        case Refusal(text):
            return {"refusal": text}
        case CallStart(index, id_, name):
            return {"tool_calls": [{"index": index, **_call(id_, name, "")}]}
        case CallArguments(index, text):
            return {"tool_calls": [{"index": index, "function": {"arguments": text}}]}


def _call(id_: str, name: str, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"id": id_, "type": "function", "function": function}


def _finish(answer: Answer, request: SimulatedRequest) -> tuple[bytes, ...]:
    if answer.finish is None:
        return ()
    finish = _event(_delta(request, {}, answer.finish))
    if not request.wants_usage or answer.usage is None:
        return (finish,)
    stamp = _stamp(request, "chat.completion.chunk")
    return finish, _event({**stamp, "choices": [], "usage": _usage(answer)})


def _message(answer: Answer, request: SimulatedRequest) -> dict[str, Any]:
    stamp = str(request.number)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(answer.text) or (None if answer.calls else ""),
        "refusal": "".join(answer.refusal) or None,
        "annotations": [],
    }
    if answer.thoughts:
        message["reasoning_content"] = "".join(answer.thoughts)
    if answer.calls:
        message["tool_calls"] = [
            _call(answer.call_id(index, stamp), call.name, "".join(call.pieces()))
            for index, call in enumerate(answer.calls)
        ]
    return message


def _usage(answer: Answer) -> dict[str, Any]:
    usage: Usage | None = answer.usage
    asked, told = (usage.input_tokens, usage.output_tokens) if usage else (0, 0)
    return {
        "prompt_tokens": asked,
        "completion_tokens": told,
        "total_tokens": asked + told,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }
