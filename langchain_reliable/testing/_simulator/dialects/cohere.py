"""Cohere's chat API, version 2, as bytes: its stream, its JSON answers, its errors.

An error inside a stream is a `message-end` with the reason `ERROR`; the stream of a
healthy answer closes with `[DONE]`.
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
from langchain_reliable.testing._simulator.dialects import sse
from langchain_reliable.testing._simulator.troubles import Wording
from langchain_reliable.testing._simulator.wire import Tape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from langchain_reliable.testing._answers import Answer, Fragment
    from langchain_reliable.testing._simulator.troubles import Trouble
    from langchain_reliable.testing._simulator.wire import Headers, SimulatedRequest

_WORDINGS: Final[Mapping[str, Wording]] = {
    "bad_request": Wording(400, "", "invalid request: messages must not be empty"),
    "context_overflow": Wording(
        400, "", "too many tokens: size limit exceeded by 1234 tokens."
    ),
    "content_policy": Wording(
        498, "", "request blocked: it may go against the usage guidelines"
    ),
    "auth": Wording(401, "", "invalid api token"),
    "billing": Wording(402, "", "your account has reached its billing limit"),
    "forbidden": Wording(403, "", "you are not allowed to use this resource"),
    "not_found": Wording(
        404,
        "",
        "model '{model}' not found, make sure the correct model ID was used and that "
        "you have access to the model.",
    ),
    "timeout": Wording(408, "", "request timed out"),
    "conflict": Wording(409, "", "the resource was changed meanwhile"),
    "too_large": Wording(413, "", "request body too large"),
    "unprocessable": Wording(422, "", "the request could not be processed"),
    "rate_limited": Wording(
        429, "", "You are using a Trial key, which is limited to 20 API calls / minute."
    ),
    "quota_exhausted": Wording(
        429,
        "",
        "You are using a Trial key, which is limited to 1000 API calls / month.",
    ),
    "server_error": Wording(500, "", "internal server error"),
    "overloaded": Wording(503, "", "the model is overloaded, please try again later"),
    "unavailable": Wording(503, "", "service unavailable, please try again later"),
    "gateway_timeout": Wording(504, "", "the model took too long to answer"),
}
_FINISH: Final = {
    "stop": "COMPLETE",
    "length": "MAX_TOKENS",
    "tool_calls": "TOOL_CALL",
    "content_filter": "ERROR",
}


class Cohere:
    """Speaks `POST /v2/chat`."""

    name = "cohere"
    stream_type = "text/event-stream"
    waits_in_body = False

    def headers(
        self, request: SimulatedRequest, _answer: Answer | None = None, /
    ) -> Headers:
        """Return what Cohere sends with every response."""
        return (("x-debug-trace-id", f"{request.number:032x}"),)

    def stream(self, answer: Answer, request: SimulatedRequest) -> Tape:
        """Return `event:` blocks from `message-start` to `[DONE]`."""
        quiet = _event("tool-plan-delta", message={"tool_plan": ""})
        blocks = _Blocks()
        pieces = tuple(
            b"".join(blocks.tell(fragment))
            for fragment in answer.fragments(str(request.number))
        )
        return Tape(
            opening=(_start(request), *(quiet for _ in range(answer.silent))),
            pieces=pieces,
            finish=(*blocks.close(), *_finish(answer)),
            done=(sse.DONE,),
        )

    def document(self, answer: Answer, request: SimulatedRequest) -> dict[str, Any]:
        """Return an answer with its `message`."""
        return {
            "id": _id(request),
            "message": _message(answer, str(request.number)),
            "finish_reason": _finish_reason(answer),
            **_usage(answer),
        }

    def bare_stream(self, request: SimulatedRequest, /) -> tuple[bytes, ...]:
        """Return `message-start` and `[DONE]`, with nothing between."""
        return _start(request), sse.DONE

    def bare_document(self, request: SimulatedRequest) -> dict[str, Any]:
        """Return an answer without a message."""
        return {"id": _id(request)}

    def status(self, trouble: Trouble) -> int:
        """Return the status Cohere gives this trouble."""
        return trouble.status or _WORDINGS[trouble.kind].status

    def error_headers(self, _trouble: Trouble, /) -> Headers:
        """Return nothing: all is said in the body."""
        return ()

    def error(self, trouble: Trouble, request: SimulatedRequest) -> dict[str, Any]:
        """Return the message with the request's id."""
        said = _WORDINGS[trouble.kind].says(trouble, request.model)
        return {"id": _id(request), "message": said}

    def error_event(self, trouble: Trouble, request: SimulatedRequest) -> bytes:
        """Return a `message-end` that names the error."""
        said = _WORDINGS[trouble.kind].says(trouble, request.model)
        return _event("message-end", finish_reason="ERROR", error=said)

    def broken(self, event: bytes, /) -> bytes:
        """Return the event with half of its JSON."""
        return sse.broken(event)

    def keep_alive(self) -> bytes:
        """Return a comment line."""
        return b": keep-alive\n\n"


class _Blocks:
    """Opens and closes content blocks and tool calls as fragments need them."""

    def __init__(self) -> None:
        self._block = -1
        self._kind: object = None

    def tell(self, fragment: Fragment) -> Iterator[bytes]:
        match fragment:
            case CallStart(index, id_, name):
                yield from self.close()
                self._kind = index
                call = _call(id_, name, "")
                yield _event("tool-call-start", index, message={"tool_calls": call})
            case CallArguments(index, text):
                call = {"function": {"arguments": text}}
                yield _event("tool-call-delta", index, message={"tool_calls": call})
            case Thought(text):
                yield from self._say("thinking", text)
            case Text(text) | Refusal(text):
                yield from self._say("text", text)

    def close(self) -> Iterator[bytes]:
        if isinstance(self._kind, int):
            yield _event("tool-call-end", self._kind)
        elif self._kind is not None:
            yield _event("content-end", self._block)
        self._kind = None

    def _say(self, kind: str, text: str) -> Iterator[bytes]:
        if kind != self._kind:
            yield from self.close()
            self._kind = kind
            self._block += 1
            block = {"content": {"type": kind, kind: ""}}
            yield _event("content-start", self._block, message=block)
        yield _event("content-delta", self._block, message={"content": {kind: text}})


def _event(kind: str, index: int | None = None, **delta: Any) -> bytes:
    placed = {} if index is None else {"index": index}
    told = {"delta": delta} if delta else {}
    return sse.event({"type": kind, **placed, **told}, kind)


def _id(request: SimulatedRequest) -> str:
    return f"00000000-0000-4000-8000-{request.number:012}"


def _start(request: SimulatedRequest) -> bytes:
    empty = {"content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    delta = {"message": {"role": "assistant", **empty}}
    payload = {"id": _id(request), "type": "message-start", "delta": delta}
    return sse.event(payload, "message-start")


def _finish(answer: Answer) -> tuple[bytes, ...]:
    if answer.finish is None:
        return ()
    ending = {"finish_reason": _finish_reason(answer), **_usage(answer)}
    return (_event("message-end", **ending),)


def _finish_reason(answer: Answer) -> str | None:
    return None if answer.finish is None else _FINISH.get(answer.finish, answer.finish)


def _usage(answer: Answer) -> dict[str, Any]:
    if answer.usage is None:
        return {}
    counted = {
        "input_tokens": answer.usage.input_tokens,
        "output_tokens": answer.usage.output_tokens,
    }
    usage = {"billed_units": counted, "tokens": counted, "cached_tokens": 0}
    return {"usage": usage}


def _call(id_: str, name: str, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"id": id_, "type": "function", "function": function}


def _message(answer: Answer, stamp: str) -> dict[str, Any]:
    said = {"thinking": answer.thoughts, "text": answer.text + answer.refusal}
    content = [
        {"type": kind, kind: "".join(words)} for kind, words in said.items() if words
    ]
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if answer.calls:
        message["tool_calls"] = [
            _call(answer.call_id(index, stamp), call.name, "".join(call.pieces()))
            for index, call in enumerate(answer.calls)
        ]
    return message
