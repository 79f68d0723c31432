"""Bedrock's Converse API, as bytes: JSON answers, binary event streams, exceptions.

The name of an exception stands in the header `x-amzn-errortype` and, inside a stream,
in the message's own headers. The last event of a stream, `metadata`, tells the usage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from langchain_reliable.testing._answers import (
    CallArguments,
    CallStart,
    Refusal,
    Text,
    Thought,
)
from langchain_reliable.testing._simulator.dialects import event_stream
from langchain_reliable.testing._simulator.dialects.event_stream import event
from langchain_reliable.testing._simulator.troubles import Wording
from langchain_reliable.testing._simulator.wire import Tape, seal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from langchain_reliable.testing._answers import Answer, Fragment
    from langchain_reliable.testing._simulator.troubles import Trouble
    from langchain_reliable.testing._simulator.wire import Headers, SimulatedRequest

_UNEXPECTED: Final = (
    "The system encountered an unexpected error during processing. Try your request "
    "again."
)
_WORDINGS: Final[Mapping[str, Wording]] = {
    "bad_request": Wording(
        400,
        "ValidationException",
        "A conversation must start with a user message. Try again with a conversation "
        "that starts with a user message.",
    ),
    "context_overflow": Wording(
        400, "ValidationException", "Input is too long for requested model."
    ),
    "content_policy": Wording(
        400, "ValidationException", "Output blocked by content filtering policy"
    ),
    "auth": Wording(
        403,
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    ),
    "billing": Wording(
        403,
        "AccessDeniedException",
        "Model access is denied due to INVALID_PAYMENT_INSTRUMENT.",
    ),
    "forbidden": Wording(
        403,
        "AccessDeniedException",
        "You don't have access to the model with the specified model ID.",
    ),
    "not_found": Wording(
        404,
        "ResourceNotFoundException",
        "Could not resolve the foundation model from the provided model identifier.",
    ),
    "timeout": Wording(
        408,
        "ModelTimeoutException",
        "Model has timed out in processing the request. Try your request again.",
    ),
    "conflict": Wording(409, "ConflictException", "The resource is being changed."),
    "too_large": Wording(
        413, "RequestEntityTooLargeException", "The request body is too large."
    ),
    "unprocessable": Wording(424, "ModelErrorException", _UNEXPECTED),
    "rate_limited": Wording(
        429,
        "ThrottlingException",
        "Too many requests, please wait before trying again.",
    ),
    "quota_exhausted": Wording(
        429,
        "ThrottlingException",
        "Too many tokens per day, please wait before trying again.",
    ),
    "server_error": Wording(500, "InternalServerException", _UNEXPECTED),
    "overloaded": Wording(
        503, "ServiceUnavailableException", "Bedrock is unable to process your request."
    ),
    "unavailable": Wording(
        503,
        "ServiceUnavailableException",
        "Service capacity limit has been reached. Please try again later.",
    ),
    "gateway_timeout": Wording(
        504, "ServiceUnavailableException", "The request timed out."
    ),
}
_INSIDE_STREAMS: Final = {
    "InternalServerException",
    "ModelStreamErrorException",
    "ServiceUnavailableException",
    "ThrottlingException",
    "ValidationException",
}
_FINISH: Final = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "content_filtered",
}
_MILLISECONDS: Final = 12


class Bedrock:
    """Speaks `POST /model/{id}/converse` and `/converse-stream`."""

    name = "bedrock"
    stream_type = event_stream.STREAM_TYPE
    waits_in_body = False

    def headers(
        self, request: SimulatedRequest, _answer: Answer | None = None, /
    ) -> Headers:
        """Return what AWS sends with every response."""
        return (("x-amzn-requestid", f"00000000-0000-4000-8000-{request.number:012}"),)

    def stream(self, answer: Answer, request: SimulatedRequest) -> Tape:
        """Return messages from `messageStart` to `metadata`."""
        blocks = _Blocks(first=int(answer.silent > 0))
        pieces = tuple(
            b"".join(blocks.tell(fragment))
            for fragment in answer.fragments(str(request.number))
        )
        return Tape(
            opening=(
                _start(),
                *(_delta(0, {"text": ""}) for _ in range(answer.silent)),
            ),
            pieces=pieces,
            finish=(*blocks.close(), *_stop(answer)),
            done=(event("metadata", _metadata(answer)),),
        )

    def document(self, answer: Answer, request: SimulatedRequest) -> dict[str, Any]:
        """Return an answer with its `output`."""
        content = list(_content(answer, str(request.number)))
        message = {"role": "assistant", "content": content}
        ending = {} if answer.finish is None else {"stopReason": _stop_reason(answer)}
        return {"output": {"message": message}, **ending, **_metadata(answer)}

    def bare_stream(self, _request: SimulatedRequest, /) -> tuple[bytes, ...]:
        """Return `messageStart` and `metadata`, with nothing between."""
        return _start(), event("metadata", _metadata(None))

    def bare_document(self, _request: SimulatedRequest, /) -> dict[str, Any]:
        """Return an answer without output."""
        return _metadata(None)

    def status(self, trouble: Trouble) -> int:
        """Return the status AWS gives this trouble."""
        return trouble.status or _WORDINGS[trouble.kind].status

    def error_headers(self, trouble: Trouble, /) -> Headers:
        """Return the name of the exception."""
        name = trouble.code or _WORDINGS[trouble.kind].code
        where = "http://internal.amazon.com/coral/com.amazon.bedrock/"
        return (("x-amzn-errortype", f"{name}:{where}"),)

    def error(self, trouble: Trouble, request: SimulatedRequest) -> dict[str, Any]:
        """Return `{"message": ...}`."""
        return {"message": _WORDINGS[trouble.kind].says(trouble, request.model)}

    def error_event(self, trouble: Trouble, request: SimulatedRequest) -> bytes:
        """Return the exception as a message; what no stream knows is the model's."""
        name = trouble.code or _WORDINGS[trouble.kind].code
        if name not in _INSIDE_STREAMS:
            name = "ModelStreamErrorException"
        said = self.error(trouble, request)
        return event_stream.exception(name[0].lower() + name[1:], said)

    def broken(self, event: bytes, /) -> bytes:
        """Return the message with a payload that its checksum denies."""
        return event_stream.broken(event)

    def keep_alive(self) -> bytes:
        """Return the first byte of a message: it has no event for nothing."""
        return b"\0"


class _Blocks:
    """Groups fragments into content blocks, opening and closing them as needed."""

    def __init__(self, first: int) -> None:
        self._index = first - 1
        self._kind: object = None
        self._thought = ""

    def tell(self, fragment: Fragment) -> Iterator[bytes]:
        kind = _kind(fragment)
        if kind != self._kind:
            yield from self.close()
            self._kind = kind
            self._index += 1
        if isinstance(fragment, Thought):
            self._thought += fragment.text
        yield _told(self._index, fragment)

    def close(self) -> Iterator[bytes]:
        if self._kind == "thought":
            sealed = {"signature": seal(self._thought)}
            yield _delta(self._index, {"reasoningContent": sealed})
        if self._kind is not None:
            yield event("contentBlockStop", {"contentBlockIndex": self._index})
        self._kind = None


def _kind(fragment: Fragment) -> object:
    match fragment:
        case CallStart(index) | CallArguments(index):
            return index
        case Thought():
            return "thought"
    return "text"


def _told(index: int, fragment: Fragment) -> bytes:
    match fragment:
        case CallStart(_, id_, name):
            use = {"toolUse": {"toolUseId": id_, "name": name}}
            start = {"contentBlockIndex": index, "start": use}
            return event("contentBlockStart", start)
        case CallArguments(_, text):
            return _delta(index, {"toolUse": {"input": text}})
        case Thought(text):
            return _delta(index, {"reasoningContent": {"text": text}})
        case Text(text) | Refusal(text):
            return _delta(index, {"text": text})


def _start() -> bytes:
    return event("messageStart", {"role": "assistant"})


def _delta(index: int, delta: Mapping[str, Any]) -> bytes:
    return event("contentBlockDelta", {"contentBlockIndex": index, "delta": delta})


def _stop(answer: Answer) -> tuple[bytes, ...]:
    if answer.finish is None:
        return ()
    return (event("messageStop", {"stopReason": _stop_reason(answer)}),)


def _stop_reason(answer: Answer) -> str | None:
    return None if answer.finish is None else _FINISH.get(answer.finish, answer.finish)


def _metadata(answer: Answer | None) -> dict[str, Any]:
    usage = answer.usage if answer else None
    asked, told = (usage.input_tokens, usage.output_tokens) if usage else (0, 0)
    counted = {"inputTokens": asked, "outputTokens": told, "totalTokens": asked + told}
    return {"usage": counted, "metrics": {"latencyMs": _MILLISECONDS}}


def _content(answer: Answer, stamp: str) -> Iterator[dict[str, Any]]:
    if thought := "".join(answer.thoughts):
        sealed = {"text": thought, "signature": seal(thought)}
        yield {"reasoningContent": {"reasoningText": sealed}}
    if text := "".join(answer.text + answer.refusal):
        yield {"text": text}
    for index, call in enumerate(answer.calls):
        use = {"toolUseId": answer.call_id(index, stamp), "name": call.name}
        yield {"toolUse": {**use, "input": dict(call.arguments)}}
