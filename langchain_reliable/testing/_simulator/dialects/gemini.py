"""Gemini's `generateContent`, as bytes, at Google AI and at Vertex AI alike.

Its streams have no role chunk and no end-of-stream marker, and count the usage up from
event to event. How long to wait is said in the body of an error, never in a header; a
prompt that is blocked is no error at all, but a 200 without candidates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from langchain_reliable.testing._answers import Refusal, Text, Thought
from langchain_reliable.testing._simulator.dialects import sse
from langchain_reliable.testing._simulator.dialects.whole_calls import (
    WholeCall,
    in_whole_calls,
)
from langchain_reliable.testing._simulator.troubles import Wording
from langchain_reliable.testing._simulator.wire import Tape, compact, seal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from langchain_reliable.testing._answers import Answer
    from langchain_reliable.testing._simulator.dialects.whole_calls import WholeFragment
    from langchain_reliable.testing._simulator.troubles import Trouble
    from langchain_reliable.testing._simulator.wire import Headers, SimulatedRequest

_OVER_QUOTA: Final = (
    "You exceeded your current quota, please check your plan and billing details. "
    "\n* Quota exceeded for metric: generativelanguage.googleapis.com/"
)
_WORDINGS: Final[Mapping[str, Wording]] = {
    "bad_request": Wording(
        400, "INVALID_ARGUMENT", "* GenerateContentRequest.contents: is not specified"
    ),
    "context_overflow": Wording(
        400,
        "INVALID_ARGUMENT",
        "The input token count (1200000) exceeds the maximum number of tokens allowed "
        "(1048576).",
    ),
    "content_policy": Wording(200, "PROHIBITED_CONTENT", "The prompt was blocked."),
    "auth": Wording(
        400,
        "INVALID_ARGUMENT",
        "API key not valid. Please pass a valid API key.",
    ),
    "billing": Wording(
        403,
        "PERMISSION_DENIED",
        "This API method requires billing to be enabled.",
    ),
    "forbidden": Wording(
        403,
        "PERMISSION_DENIED",
        "Your project has been denied access.",
    ),
    "not_found": Wording(
        404,
        "NOT_FOUND",
        "models/{model} is not found for API version v1beta, or is not supported for "
        "generateContent.",
    ),
    "timeout": Wording(408, "DEADLINE_EXCEEDED", "The request timed out."),
    "conflict": Wording(409, "ABORTED", "The operation was aborted."),
    "too_large": Wording(
        413, "INVALID_ARGUMENT", "Request payload size exceeds the limit."
    ),
    "unprocessable": Wording(
        422, "FAILED_PRECONDITION", "The request cannot be processed."
    ),
    "rate_limited": Wording(
        429,
        "RESOURCE_EXHAUSTED",
        _OVER_QUOTA + "generate_content_paid_tier_input_token_count, limit: 1000000, "
        "model: {model}",
    ),
    "quota_exhausted": Wording(
        429,
        "RESOURCE_EXHAUSTED",
        _OVER_QUOTA + "generate_content_free_tier_requests, limit: 250, model: {model}",
    ),
    "server_error": Wording(
        500, "INTERNAL", "An internal error has occurred. Please retry."
    ),
    "overloaded": Wording(
        503, "UNAVAILABLE", "The model is overloaded. Please try again later."
    ),
    "unavailable": Wording(503, "UNAVAILABLE", "The service is currently unavailable."),
    "gateway_timeout": Wording(
        504, "DEADLINE_EXCEEDED", "The request timed out. Please try again."
    ),
}
_OF_STATUS: Final = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED"}
_QUOTAS: Final = {
    "rate_limited": "GenerateContentPaidTierInputTokensPerModelPerMinute",
    "quota_exhausted": "GenerateRequestsPerDayPerProjectPerModel-FreeTier",
}
_FINISH: Final = {
    "stop": "STOP",
    "length": "MAX_TOKENS",
    "tool_calls": "STOP",
    "content_filter": "SAFETY",
}
_TYPE: Final = "type.googleapis.com/google.rpc."


class Gemini:
    """Speaks `:generateContent` and `:streamGenerateContent?alt=sse`."""

    name = "gemini"
    stream_type = "text/event-stream"
    waits_in_body = True

    def headers(
        self, _request: SimulatedRequest, _answer: Answer | None = None, /
    ) -> Headers:
        """Return what Google sends with every response."""
        return (("x-gemini-service-tier", "standard"), ("vary", "Origin"))

    def stream(self, answer: Answer, request: SimulatedRequest) -> Tape:
        """Return `data:` events; the last one says why the answer ends."""
        told = in_whole_calls(answer, str(request.number))
        nothing = _event(_candidate([{"text": ""}]), _counted(answer, 0), request)
        pieces = (
            _event(_candidate([_part(one)]), _counted(answer, at), request)
            if one
            else b""
            for at, one in enumerate(told, 1)
        )
        return Tape(
            opening=(nothing,) * (answer.silent + (not told)),
            pieces=tuple(pieces),
            finish=_finish(answer, request),
        )

    def document(self, answer: Answer, request: SimulatedRequest) -> dict[str, Any]:
        """Return a response with one candidate."""
        told = in_whole_calls(answer, str(request.number))
        candidate = _candidate(list(_joined(answer, told)), answer.finish)
        return _response(candidate, _usage(answer), request)

    def bare_stream(self, request: SimulatedRequest, /) -> tuple[bytes, ...]:
        """Return one event without candidates."""
        return (_data(self.bare_document(request)),)

    def bare_document(self, request: SimulatedRequest) -> dict[str, Any]:
        """Return a response without candidates."""
        return _stamp(request)

    def status(self, trouble: Trouble) -> int:
        """Return the status Google gives this trouble."""
        return trouble.status or _WORDINGS[trouble.kind].status

    def error_headers(self, _trouble: Trouble, /) -> Headers:
        """Return nothing: all is said in the body."""
        return ()

    def error(self, trouble: Trouble, request: SimulatedRequest) -> dict[str, Any]:
        """Return `{"error": {...}}` with its details, or the feedback of a block."""
        words, status = _WORDINGS[trouble.kind], self.status(trouble)
        if status == _WORDINGS["content_policy"].status:
            feedback = {"promptFeedback": {"blockReason": trouble.code or words.code}}
            return {**feedback, **_stamp(request)}
        error: dict[str, Any] = {
            "code": status,
            "message": words.says(trouble, request.model),
            "status": trouble.code or _OF_STATUS.get(status, words.code),
        }
        if details := list(_details(trouble, request)):
            error["details"] = details
        return {"error": error}

    def error_event(self, trouble: Trouble, request: SimulatedRequest) -> bytes:
        """Return the error object as a `data:` event."""
        return _data(self.error(trouble, request))

    def broken(self, event: bytes, /) -> bytes:
        """Return the event with half of its JSON."""
        return sse.broken(event)

    def keep_alive(self) -> bytes:
        """Return an empty line."""
        return b"\r\n"


def _data(payload: Mapping[str, Any]) -> bytes:
    return b"data: " + compact(payload) + b"\r\n\r\n"


def _event(
    candidate: Mapping[str, Any],
    usage: Mapping[str, Any] | None,
    request: SimulatedRequest,
) -> bytes:
    return _data(_response(candidate, usage, request))


def _response(
    candidate: Mapping[str, Any],
    usage: Mapping[str, Any] | None,
    request: SimulatedRequest,
) -> dict[str, Any]:
    counted = {} if usage is None else {"usageMetadata": usage}
    return {"candidates": [candidate], **counted, **_stamp(request)}


def _stamp(request: SimulatedRequest) -> dict[str, Any]:
    return {
        "modelVersion": request.model,
        "responseId": f"sim{request.number:020}",
    }


def _candidate(
    parts: list[dict[str, Any]], finish: str | None = None
) -> dict[str, Any]:
    candidate: dict[str, Any] = {
        "content": {"parts": parts, "role": "model"} if parts else {"role": "model"}
    }
    if finish is not None:
        candidate["finishReason"] = _FINISH.get(finish, finish)
    if finish == "content_filter":
        rating = {"category": "HARM_CATEGORY_HARASSMENT", "probability": "HIGH"}
        candidate["safetyRatings"] = [{**rating, "blocked": True}]
    return {**candidate, "index": 0}


def _part(fragment: WholeFragment) -> dict[str, Any]:
    match fragment:
        case Thought(text):
            return {"text": text, "thought": True}
        case Text(text) | Refusal(text):
            return {"text": text}
        case WholeCall(index, id_, name, arguments):
            call = {"name": name, "args": dict(arguments), "id": id_}
            sealed = {"thoughtSignature": seal(name)}
            return {"functionCall": call, **({} if index else sealed)}


def _joined(
    answer: Answer, told: tuple[WholeFragment | None, ...]
) -> Iterator[dict[str, Any]]:
    if answer.thoughts:
        yield {"text": "".join(answer.thoughts), "thought": True}
    if text := "".join(answer.text + answer.refusal):
        yield {"text": text}
    yield from (_part(one) for one in told if isinstance(one, WholeCall))


def _finish(answer: Answer, request: SimulatedRequest) -> tuple[bytes, ...]:
    if answer.finish is None:
        return ()
    parts = [] if answer.finish == "content_filter" else [{"text": ""}]
    return (_event(_candidate(parts, answer.finish), _usage(answer), request),)


def _counted(answer: Answer, pieces: int) -> dict[str, Any] | None:
    """Return the usage after so many pieces."""
    whole = _usage(answer)
    if whole is None:
        return None
    told = min(pieces, whole["candidatesTokenCount"])
    later = whole["candidatesTokenCount"] - told
    total = whole["totalTokenCount"] - later
    return {**whole, "candidatesTokenCount": told, "totalTokenCount": total}


def _usage(answer: Answer) -> dict[str, Any] | None:
    if answer.usage is None:
        return None
    asked, told = answer.usage.input_tokens, answer.usage.output_tokens
    thought = min(len(answer.thoughts), told)
    usage: dict[str, Any] = {
        "promptTokenCount": asked,
        "candidatesTokenCount": told - thought,
        "totalTokenCount": asked + told,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": asked}],
    }
    return {**usage, "thoughtsTokenCount": thought} if thought else usage


def _details(trouble: Trouble, request: SimulatedRequest) -> Iterator[dict[str, Any]]:
    if trouble.kind == "auth":
        yield {
            "@type": f"{_TYPE}ErrorInfo",
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
            "metadata": {"service": "generativelanguage.googleapis.com"},
        }
    if trouble.kind in _QUOTAS:
        broken = {
            "quotaId": _QUOTAS[trouble.kind],
            "quotaDimensions": {"location": "global", "model": request.model},
        }
        yield {"@type": f"{_TYPE}QuotaFailure", "violations": [broken]}
    if trouble.retry_after is not None:
        delay = f"{trouble.retry_after:g}s"
        yield {"@type": f"{_TYPE}RetryInfo", "retryDelay": delay}
