"""OpenRouter's chat completions, as bytes: OpenAI's, and what it adds to them.

While it waits for the model it sends comments. Chunks name the model's provider and
repeat the finish reason in that provider's own word. Errors of a provider are passed on
as `metadata.raw`, and inside a stream as a chunk with an `error`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from langchain_reliable.testing._answers import Thought
from langchain_reliable.testing._simulator.dialects import sse
from langchain_reliable.testing._simulator.dialects.openai import (
    delta_of,
    message_of,
    usage_of,
)
from langchain_reliable.testing._simulator.troubles import Wording
from langchain_reliable.testing._simulator.wire import Tape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_reliable.testing._answers import Answer, Fragment
    from langchain_reliable.testing._simulator.troubles import Trouble
    from langchain_reliable.testing._simulator.wire import Headers, SimulatedRequest

_PROVIDER: Final = "Simulated"
_CREATED: Final = 1_760_000_000
_PROCESSING: Final = b": OPENROUTER PROCESSING\n\n"


@dataclass(frozen=True, slots=True)
class _Wording(Wording):
    """How OpenRouter says it; `raw` is what the model's provider said before."""

    raw: str = ""


_PASSED_ON: Final = "Provider returned error"
_WORDINGS: Final[Mapping[str, _Wording]] = {
    "bad_request": _Wording(400, "", 'Input required: specify "prompt" or "messages"'),
    "context_overflow": _Wording(
        400,
        "",
        "This endpoint's maximum context length is 131072 tokens. However, you "
        "requested about 140000 tokens. Please reduce the length.",
    ),
    "content_policy": _Wording(
        403, "", "{model} requires moderation. Your input was flagged."
    ),
    "auth": _Wording(401, "", "No auth credentials found"),
    "billing": _Wording(402, "", "Insufficient credits"),
    "forbidden": _Wording(
        403, "", _PASSED_ON, "The model is not available in your region."
    ),
    "not_found": _Wording(404, "", "No endpoints found for {model}."),
    "timeout": _Wording(408, "", "Request timed out"),
    "conflict": _Wording(409, "", "Conflict"),
    "too_large": _Wording(413, "", "Request body too large"),
    "unprocessable": _Wording(
        422, "", _PASSED_ON, "The request could not be processed."
    ),
    "rate_limited": _Wording(
        429,
        "",
        _PASSED_ON,
        "{model} is temporarily rate-limited upstream. Please retry shortly.",
    ),
    "quota_exhausted": _Wording(
        402,
        "",
        "This request requires more credits, or fewer max_tokens.",
    ),
    "server_error": _Wording(502, "", _PASSED_ON, "Internal server error"),
    "overloaded": _Wording(503, "", _PASSED_ON, "The model is overloaded."),
    "unavailable": _Wording(503, "", "No instances available"),
    "gateway_timeout": _Wording(504, "", _PASSED_ON, "The operation was aborted"),
}
_NATIVE: Final[Mapping[str, Mapping[str, str]]] = {
    "anthropic": {
        "stop": "end_turn",
        "length": "max_tokens",
        "tool_calls": "tool_use",
        "content_filter": "refusal",
    },
    "google": {
        "stop": "STOP",
        "length": "MAX_TOKENS",
        "tool_calls": "STOP",
        "content_filter": "SAFETY",
    },
}
"""Finish reasons in the words of those whose model's name begins so."""


class OpenRouter:
    """Speaks `POST /api/v1/chat/completions`."""

    name = "openrouter"
    stream_type = "text/event-stream"
    waits_in_body = False

    def headers(
        self, _request: SimulatedRequest, _answer: Answer | None = None, /
    ) -> Headers:
        """Return nothing: OpenRouter adds no headers that matter."""
        return ()

    def stream(self, answer: Answer, request: SimulatedRequest) -> Tape:
        """Return comments, chunks and `[DONE]`."""
        told = (_piece(one) for one in answer.fragments(str(request.number)))
        nothing = _chunk(request, {})
        return Tape(
            opening=(_PROCESSING, _PROCESSING, nothing, *(nothing,) * answer.silent),
            pieces=tuple(_chunk(request, delta) for delta in told),
            finish=_finish(answer, request),
            done=(sse.DONE,),
        )

    def document(self, answer: Answer, request: SimulatedRequest) -> dict[str, Any]:
        """Return a `chat.completion` object."""
        said = message_of(answer, request)
        if answer.thoughts:
            thought = said.pop("reasoning_content")
            said |= {"reasoning": thought, "reasoning_details": [_detail(thought)]}
        choice = {"index": 0, "message": said, **_reasons(answer.finish, request)}
        whole = {**self.bare_document(request), "choices": [choice]}
        return whole if answer.usage is None else {**whole, "usage": _usage(answer)}

    def bare_stream(self, _request: SimulatedRequest, /) -> tuple[bytes, ...]:
        """Return `[DONE]` alone."""
        return (sse.DONE,)

    def bare_document(self, request: SimulatedRequest) -> dict[str, Any]:
        """Return an answer without choices."""
        stamp = {**_stamp(request, "chat.completion"), "system_fingerprint": None}
        return {**stamp, "choices": []}

    def status(self, trouble: Trouble) -> int:
        """Return the status OpenRouter gives this trouble."""
        return trouble.status or _WORDINGS[trouble.kind].status

    def error_headers(self, _trouble: Trouble, /) -> Headers:
        """Return nothing: all is said in the body."""
        return ()

    def error(self, trouble: Trouble, request: SimulatedRequest) -> dict[str, Any]:
        """Return the error, with the provider's own words where it has any."""
        words = _WORDINGS[trouble.kind]
        error: dict[str, Any] = {
            "message": words.says(trouble, request.model),
            "code": self.status(trouble),
        }
        if details := _details(trouble, request):
            error["metadata"] = {**details, "provider_name": _PROVIDER}
        return {"error": error, "user_id": "user_simulated"}

    def error_event(self, trouble: Trouble, request: SimulatedRequest) -> bytes:
        """Return a chunk that ends with the reason `error`, and `[DONE]`.

        Inside a stream the provider's own words are the message.
        """
        words, model = _WORDINGS[trouble.kind], request.model
        own = words.raw.format(model=model) or words.message.format(model=model)
        error = {"code": self.status(trouble), "message": trouble.message or own}
        return _chunk(request, {}, "error", error=error) + sse.DONE

    def broken(self, event: bytes, /) -> bytes:
        """Return the event with half of its JSON."""
        return sse.broken(event)

    def keep_alive(self) -> bytes:
        """Return the comment that it sends while it waits."""
        return _PROCESSING


def _details(trouble: Trouble, request: SimulatedRequest) -> dict[str, Any]:
    if trouble.kind == "content_policy":
        flagged = {"reasons": ["violence"], "flagged_input": "..."}
        return {**flagged, "model_slug": request.model}
    raw = _WORDINGS[trouble.kind].raw
    return {"raw": raw.format(model=request.model)} if raw else {}


def _stamp(request: SimulatedRequest, kind: str) -> dict[str, Any]:
    return {
        "id": f"gen-{_CREATED}-sim{request.number:017}",
        "provider": _PROVIDER,
        "model": request.model,
        "object": kind,
        "created": _CREATED,
    }


def _reasons(finish: str | None, request: SimulatedRequest) -> dict[str, Any]:
    native = _NATIVE.get(request.model.partition("/")[0], {})
    own = None if finish is None else native.get(finish, finish)
    return {"finish_reason": finish, "native_finish_reason": own, "logprobs": None}


def _chunk(
    request: SimulatedRequest,
    delta: Mapping[str, Any],
    finish: str | None = None,
    **more: Any,
) -> bytes:
    told = {"role": "assistant", "content": "", **delta}
    choice = {"index": 0, "delta": told, **_reasons(finish, request)}
    stamp = _stamp(request, "chat.completion.chunk")
    return sse.event({**stamp, "choices": [choice], **more})


def _piece(fragment: Fragment) -> dict[str, Any]:
    if isinstance(fragment, Thought):
        details = [_detail(fragment.text)]
        return {"reasoning": fragment.text, "reasoning_details": details}
    return delta_of(fragment)


def _detail(thought: str) -> dict[str, Any]:
    return {"type": "reasoning.text", "text": thought, "index": 0, "format": None}


def _finish(answer: Answer, request: SimulatedRequest) -> tuple[bytes, ...]:
    if answer.finish is None:
        return ()
    finish = _chunk(request, {}, answer.finish)
    if answer.usage is None:
        return (finish,)
    return finish, _chunk(request, {}, usage=_usage(answer))


def _usage(answer: Answer) -> dict[str, Any]:
    return {**usage_of(answer), "cost": 0.000039, "is_byok": False}
