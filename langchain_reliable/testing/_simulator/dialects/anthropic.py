"""Anthropic's messages API, as bytes: its stream, its JSON answers, its errors."""

from __future__ import annotations

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
from langchain_reliable.testing._simulator.wire import Tape, seal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from langchain_reliable.testing._answers import Answer, Fragment
    from langchain_reliable.testing._simulator.troubles import Trouble
    from langchain_reliable.testing._simulator.wire import Headers, SimulatedRequest

_INVALID = "invalid_request_error"
_WORDINGS: Final[Mapping[str, Wording]] = {
    "bad_request": Wording(
        400,
        _INVALID,
        "messages.0.content: Input should be a valid list",
    ),
    "context_overflow": Wording(
        400,
        _INVALID,
        "prompt is too long: 210000 tokens > 200000 maximum",
    ),
    "content_policy": Wording(
        400,
        _INVALID,
        "Output blocked by content filtering policy",
    ),
    "auth": Wording(
        401,
        "authentication_error",
        "invalid x-api-key",
    ),
    "billing": Wording(
        402,
        "billing_error",
        "There is an issue with your billing information.",
    ),
    "forbidden": Wording(
        403,
        "permission_error",
        "Your API key may not use the specified resource.",
    ),
    "not_found": Wording(
        404,
        "not_found_error",
        "model: {model}",
    ),
    "timeout": Wording(
        408,
        "timeout_error",
        "Request timed out",
    ),
    "conflict": Wording(
        409,
        _INVALID,
        "Conflict",
    ),
    "too_large": Wording(
        413,
        "request_too_large",
        "Request exceeds the maximum size",
    ),
    "unprocessable": Wording(
        422,
        _INVALID,
        "The request could not be processed",
    ),
    "rate_limited": Wording(
        429,
        "rate_limit_error",
        "This request would exceed your organization's rate limit of 5 "
        "requests per minute.",
    ),
    "quota_exhausted": Wording(
        400,
        _INVALID,
        "Your credit balance is too low to access the Anthropic API.",
    ),
    "server_error": Wording(
        500,
        "api_error",
        "Internal server error",
    ),
    "overloaded": Wording(
        529,
        "overloaded_error",
        "Overloaded",
    ),
    "unavailable": Wording(
        503,
        "api_error",
        "Service temporarily unavailable",
    ),
    "gateway_timeout": Wording(
        504,
        "timeout_error",
        "The request timed out upstream",
    ),
}

_FINISH = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
_RETRIED = {408, 409, 429}
_FIRST_SERVER_ERROR = 500


class Anthropic:
    """Speaks `POST /v1/messages`."""

    name = "anthropic"
    stream_type = sse.STREAM_TYPE
    waits_in_body = False

    def headers(
        self, request: SimulatedRequest, _answer: Answer | None = None, /
    ) -> Headers:
        """Return what Anthropic sends with every response."""
        return (
            ("anthropic-ratelimit-requests-limit", "20000"),
            ("anthropic-ratelimit-requests-remaining", "19999"),
            ("anthropic-ratelimit-requests-reset", "2030-01-01T00:00:00Z"),
            ("request-id", _request_id(request)),
        )

    def stream(self, answer: Answer, request: SimulatedRequest) -> Tape:
        """Return `event:` blocks from `message_start` to `message_stop`."""
        pings = (self.keep_alive() for _ in range(answer.silent))
        blocks = _Blocks()
        pieces = tuple(
            b"".join(blocks.tell(fragment))
            for fragment in answer.fragments(str(request.number))
        )
        return Tape(
            opening=(_message_start(answer, request), *pings),
            pieces=pieces,
            finish=_finish(answer, blocks),
            done=(_event("message_stop"),),
        )

    def document(self, answer: Answer, request: SimulatedRequest) -> dict[str, Any]:
        """Return a `message` object."""
        return {
            **_stamp(request),
            "content": list(_content(answer, str(request.number))),
            "stop_reason": _stop_reason(answer),
            "stop_sequence": None,
            "usage": _usage(answer),
        }

    def bare_stream(self, request: SimulatedRequest, /) -> tuple[bytes, ...]:
        """Return `message_start` and `message_stop`, with nothing between."""
        return _message_start(None, request), _event("message_stop")

    def bare_document(self, request: SimulatedRequest) -> dict[str, Any]:
        """Return a message without content or stop reason."""
        return {**_stamp(request), **_UNFINISHED, "usage": _usage(None)}

    def status(self, trouble: Trouble) -> int:
        """Return the status Anthropic gives this trouble."""
        return trouble.status or _WORDINGS[trouble.kind].status

    def error_headers(self, trouble: Trouble, /) -> Headers:
        """Return `x-should-retry`, as Anthropic sends with its errors."""
        status = self.status(trouble)
        may_retry = status in _RETRIED or status >= _FIRST_SERVER_ERROR
        return (("x-should-retry", "true" if may_retry else "false"),)

    def error(self, trouble: Trouble, request: SimulatedRequest) -> dict[str, Any]:
        """Return `{"type": "error", ...}` with the request's id."""
        error = _error(trouble, request)
        return {"type": "error", "error": error, "request_id": _request_id(request)}

    def error_event(self, trouble: Trouble, request: SimulatedRequest) -> bytes:
        """Return an `error` event."""
        details = {"details": None, **_error(trouble, request)}
        return _event("error", error=details)

    def broken(self, event: bytes, /) -> bytes:
        """Return the event with half of its JSON."""
        return sse.broken(event)

    def keep_alive(self) -> bytes:
        """Return a ping."""
        return _event("ping")


class _Blocks:
    """Groups fragments into content blocks, opening and closing them as needed."""

    def __init__(self) -> None:
        self._index = -1
        self._kind: object = None
        self._thought = ""

    def tell(self, fragment: Fragment) -> Iterator[bytes]:
        kind = _block_kind(fragment)
        if kind != self._kind:
            yield from self.close()
            self._kind = kind
            self._index += 1
            self._thought = ""
            block = _block(fragment)
            yield self._tell("content_block_start", content_block=block)
            if self._index == 0:
                yield _event("ping")
        if isinstance(fragment, Thought):
            self._thought += fragment.text
        yield self._tell("content_block_delta", delta=_block_delta(fragment))

    def close(self) -> Iterator[bytes]:
        if isinstance(self._kind, str) and self._kind == "thinking":
            signed = {"type": "signature_delta", "signature": seal(self._thought)}
            yield self._tell("content_block_delta", delta=signed)
        if self._kind is not None:
            yield self._tell("content_block_stop")
        self._kind = None

    def _tell(self, kind: str, **fields: Any) -> bytes:
        return _event(kind, index=self._index, **fields)


def _event(kind: str, **fields: Any) -> bytes:
    return sse.event({"type": kind, **fields}, kind)


def _request_id(request: SimulatedRequest) -> str:
    return f"req_sim{request.number:020}"


_UNFINISHED: dict[str, Any] = {
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
}


def _stamp(request: SimulatedRequest) -> dict[str, Any]:
    return {
        "model": request.model,
        "id": f"msg_sim{request.number:020}",
        "type": "message",
        "role": "assistant",
    }


def _message_start(answer: Answer | None, request: SimulatedRequest) -> bytes:
    usage = {**_usage(answer), "output_tokens": 1}
    return _event(
        "message_start", message={**_stamp(request), **_UNFINISHED, "usage": usage}
    )


def _finish(answer: Answer, blocks: _Blocks) -> tuple[bytes, ...]:
    if answer.finish is None:
        return tuple(blocks.close())
    delta = {"stop_reason": _stop_reason(answer), "stop_sequence": None}
    usage = _usage(answer)
    return (
        *blocks.close(),
        _event("message_delta", delta=delta, usage={k: usage[k] for k in _COUNTED}),
    )


_COUNTED = (
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
)


def _usage(answer: Answer | None) -> dict[str, Any]:
    usage = answer.usage if answer else None
    return {
        "input_tokens": usage.input_tokens if usage else 0,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": usage.output_tokens if usage else 0,
        "service_tier": "standard",
    }


def _stop_reason(answer: Answer) -> str | None:
    if answer.refusal and answer.finish == "stop":
        return "refusal"
    return None if answer.finish is None else _FINISH.get(answer.finish, answer.finish)


def _block_kind(fragment: Fragment) -> object:
    match fragment:
        case CallStart(index) | CallArguments(index):
            return index
        case Thought():
            return "thinking"
    return "text"


def _block(fragment: Fragment) -> dict[str, Any]:
    match fragment:
        case CallStart(_, id_, name):
            return {"type": "tool_use", "id": id_, "name": name, "input": {}}
        case Thought():
            return {"type": "thinking", "thinking": "", "signature": ""}
    return {"type": "text", "text": ""}


def _block_delta(fragment: Fragment) -> dict[str, Any]:
    match fragment:
        case CallStart():
            return {"type": "input_json_delta", "partial_json": ""}
        case CallArguments(_, text):
            return {"type": "input_json_delta", "partial_json": text}
        case Thought(text):
            return {"type": "thinking_delta", "thinking": text}
        case Text(text) | Refusal(text):
            return {"type": "text_delta", "text": text}


def _content(answer: Answer, stamp: str) -> Iterator[dict[str, Any]]:
    if answer.thoughts:
        thought = "".join(answer.thoughts)
        yield {"type": "thinking", "thinking": thought, "signature": seal(thought)}
    if text := "".join(answer.text + answer.refusal):
        yield {"type": "text", "text": text}
    for index, call in enumerate(answer.calls):
        yield {
            "type": "tool_use",
            "id": answer.call_id(index, stamp),
            "name": call.name,
            "input": dict(call.arguments),
        }


def _error(trouble: Trouble, request: SimulatedRequest) -> dict[str, str]:
    words = _WORDINGS[trouble.kind]
    message = words.says(trouble, request.model)
    return {"type": trouble.code or words.code, "message": message}
