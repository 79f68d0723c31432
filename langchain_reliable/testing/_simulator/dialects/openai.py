"""OpenAI's chat completions API, as bytes: its stream, JSON answers and errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from langchain_reliable.testing._answers import (
    CallArguments,
    CallStart,
    Refusal,
    Text,
    Thought,
)
from langchain_reliable.testing._simulator.dialects import sse
from langchain_reliable.testing._simulator.troubles import Wording
from langchain_reliable.testing._simulator.wire import Tape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_reliable.testing._answers import Answer, Fragment, Usage
    from langchain_reliable.testing._simulator.troubles import Trouble
    from langchain_reliable.testing._simulator.wire import Headers, SimulatedRequest

_CREATED = 1_760_000_000
_INVALID = "invalid_request_error"


@dataclass(frozen=True, slots=True)
class _Wording(Wording):
    """How OpenAI says it."""

    type: str
    param: str | None = None


_WORDINGS: Final[Mapping[str, _Wording]] = {
    "bad_request": _Wording(
        400,
        "invalid_value",
        "Invalid value for 'messages'.",
        type=_INVALID,
        param="messages",
    ),
    "context_overflow": _Wording(
        400,
        "context_length_exceeded",
        "This model's maximum context length is 8192 tokens. However, your "
        "messages resulted in 9000 tokens. Please reduce their length.",
        type=_INVALID,
        param="messages",
    ),
    "content_policy": _Wording(
        400,
        "content_policy_violation",
        "Your request was rejected by our safety system.",
        type=_INVALID,
    ),
    "auth": _Wording(
        401,
        "invalid_api_key",
        "Incorrect API key provided: sk-****test.",
        type=_INVALID,
    ),
    "billing": _Wording(
        402,
        "billing_not_active",
        "Your account is not active.",
        type="billing_error",
    ),
    "forbidden": _Wording(
        403,
        "unsupported_country_region_territory",
        "Country, region, or territory not supported",
        type=_INVALID,
    ),
    "not_found": _Wording(
        404,
        "model_not_found",
        "The model `{model}` does not exist or you do not have access to it.",
        type=_INVALID,
    ),
    "timeout": _Wording(
        408,
        "timeout",
        "Request timed out.",
        type="timeout",
    ),
    "conflict": _Wording(
        409,
        "conflict",
        "The resource was changed by another request.",
        type=_INVALID,
    ),
    "too_large": _Wording(
        413,
        "request_too_large",
        "Request body is too large.",
        type=_INVALID,
    ),
    "unprocessable": _Wording(
        422,
        "",
        "The request could not be processed.",
        type=_INVALID,
    ),
    "rate_limited": _Wording(
        429,
        "rate_limit_exceeded",
        "Rate limit reached for {model} in organization org-simulated on "
        "requests per min (RPM): Limit 3, Used 3, Requested 1.",
        type="requests",
    ),
    "quota_exhausted": _Wording(
        429,
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details.",
        type="insufficient_quota",
    ),
    "server_error": _Wording(
        500,
        "server_error",
        "The server had an error while processing your request. Sorry about that!",
        type="server_error",
    ),
    "overloaded": _Wording(
        503,
        "server_overloaded",
        "The engine is currently overloaded, please try again later.",
        type="server_error",
    ),
    "unavailable": _Wording(
        503,
        "service_unavailable",
        "Service temporarily unavailable.",
        type="server_error",
    ),
    "gateway_timeout": _Wording(
        504,
        "gateway_timeout",
        "The request timed out upstream.",
        type="server_error",
    ),
}


class OpenAI:
    """Speaks `POST /v1/chat/completions`."""

    name = "openai"
    stream_type = sse.STREAM_TYPE
    waits_in_body = False

    def headers(
        self, request: SimulatedRequest, _answer: Answer | None = None, /
    ) -> Headers:
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
            opening=tuple(sse.event(_delta(request, delta)) for delta in opening),
            pieces=tuple(sse.event(_delta(request, delta_of(f))) for f in fragments),
            finish=_finish(answer, request),
            done=(sse.DONE,),
        )

    def document(self, answer: Answer, request: SimulatedRequest) -> dict[str, Any]:
        """Return a `chat.completion` object."""
        choice = {
            "index": 0,
            "message": message_of(answer, request),
            "logprobs": None,
            "finish_reason": answer.finish,
        }
        whole = {**_stamp(request, "chat.completion"), "choices": [choice]}
        return whole if answer.usage is None else {**whole, "usage": usage_of(answer)}

    def bare_stream(self, _request: SimulatedRequest, /) -> tuple[bytes, ...]:
        """Return `[DONE]` alone."""
        return (sse.DONE,)

    def bare_document(self, request: SimulatedRequest) -> dict[str, Any]:
        """Return an answer without choices."""
        return {**_stamp(request, "chat.completion"), "choices": []}

    def status(self, trouble: Trouble) -> int:
        """Return the status OpenAI gives this trouble."""
        return trouble.status or _WORDINGS[trouble.kind].status

    def error_headers(self, _trouble: Trouble, /) -> Headers:
        """Return nothing: OpenAI seldom says whether to try again."""
        return ()

    def error(self, trouble: Trouble, request: SimulatedRequest) -> dict[str, Any]:
        """Return `{"error": {...}}`."""
        words = _WORDINGS[trouble.kind]
        return {
            "error": {
                "message": words.says(trouble, request.model),
                "type": words.type,
                "param": words.param,
                "code": trouble.code or words.code or None,
            }
        }

    def error_event(self, trouble: Trouble, request: SimulatedRequest) -> bytes:
        """Return the error object as a `data:` event."""
        return sse.event(self.error(trouble, request))

    def broken(self, event: bytes, /) -> bytes:
        """Return the event with half of its JSON."""
        return sse.broken(event)

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


def _delta(
    request: SimulatedRequest, delta: dict[str, Any], finish: str | None = None
) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    chunk = {**_stamp(request, "chat.completion.chunk"), "choices": [choice]}
    return {**chunk, "usage": None} if request.wants_usage else chunk


def delta_of(fragment: Fragment) -> dict[str, Any]:
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
    finish = sse.event(_delta(request, {}, answer.finish))
    if not request.wants_usage or answer.usage is None:
        return (finish,)
    stamp = _stamp(request, "chat.completion.chunk")
    return finish, sse.event({**stamp, "choices": [], "usage": usage_of(answer)})


def message_of(answer: Answer, request: SimulatedRequest) -> dict[str, Any]:
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


def usage_of(answer: Answer) -> dict[str, Any]:
    usage: Usage | None = answer.usage
    asked, told = (usage.input_tokens, usage.output_tokens) if usage else (0, 0)
    return {
        "prompt_tokens": asked,
        "completion_tokens": told,
        "total_tokens": asked + told,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }
