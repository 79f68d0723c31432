"""Gather what one exception says of itself into one small value.

Where SDKs put status, body and headers, for exceptions of any shape and without
importing an SDK.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Final

from langchain_reliable._classify.bodies import loads, says_nothing, search
from langchain_reliable._classify.findings import (
    READ_AT_MOST,
    Findings,
    as_status,
    kept_by,
    peek,
    scan,
    status_in,
)
from langchain_reliable._classify.grpc_details import retry_delay

if TYPE_CHECKING:
    from collections.abc import Iterator

_TEXT_AT_MOST: Final = 4_000
_TAIL: Final = 500
_HEADERS_AT_MOST: Final = 100
_TELLING: Final = ("retry", "ratelimit", "rate-limit")
_OK: Final = 400
_TWO_PARTS: Final = frozenset({"google", "azure", "langchain_reliable"})

_STATUS_NAMES: Final = ("status_code", "http_status", "http_code", "status", "code")
_BODY_NAMES: Final = ("body", "details", "json_data", "response_json", "json_body")
_CODE_NAMES: Final = ("error_code", "code", "type", "reason", "status", "name")
_WAIT_NAMES: Final = ("retry_after", "retry_after_secs", "cooldown_time")
_OTHER_WAIT_NAMES: Final = (
    "retry_after_seconds",
    "retry_after_ms",
    "retry_in",
    "retry_delay",
    "wait_seconds",
)
_ANNOTATIONS: Final = ("content_filter_result", "prompt_filter_result")

_RESPONSE_NAMES: Final = ("response", "raw_response", "http_response")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one exception says of itself.

    Attributes:
        names: Its class and bases as `package:Class`, the most derived first.
        status: The status of the answer, or the one that its body or text names.
        codes: Codes and types of the provider, as spelled; words before numbers, which
            mean another thing at every provider.
        texts: Messages, the provider's own before the SDK's.
        headers: Those of the response that tell of time, names in lower case.
        waits: Names and values of fields that ask to wait.
        lowered: The texts and the names of quotas in lower case, cut to a fixed size.
        quoted: What a gateway quotes of the provider behind it, after its name.
    """

    names: tuple[str, ...]
    status: int | None
    codes: tuple[str, ...]
    texts: tuple[str, ...]
    headers: Mapping[str, str]
    waits: tuple[tuple[str, object], ...]
    lowered: str
    quoted: str

    @property
    def message(self) -> str:
        """The first message, for people; of an envelope what stands inside."""
        first = self.texts[0] if self.texts else ""
        return self.quoted if self.quoted and says_nothing(first) else first


def names_of(exception: BaseException) -> tuple[str, ...]:
    """Name a class and its bases, the package cut to its first part or two."""
    return _names_of(type(exception))  # type: ignore[arg-type]  # classes do hash


@lru_cache(maxsize=512)
def _names_of(kind: type) -> tuple[str, ...]:
    return tuple(_name(base) for base in kind.__mro__)


def _name(base: type) -> str:
    parts = str(base.__module__).split(".")
    package = ".".join(parts[: 2 if parts[0] in _TWO_PARTS else 1])
    simple = base.__qualname__.rsplit(".", 1)[-1]
    return f"{package.removeprefix('_')}:{simple}"


def read(exception: BaseException) -> Evidence:
    """Read everything an exception says of itself."""
    found = Findings()
    response = _response_of(exception)
    said = _said_by(exception)
    for body in _bodies_of(exception, response):
        search(body, found)
    if not found.codes and ("{" in said or "code" in said or "error" in said):
        scan(said, found)
    if not found.texts:
        found.note_text((_own_message(exception) or said)[:READ_AT_MOST])
    codes = (*_own_codes(exception), *found.codes)
    headers = _headers_of(exception, response, found)
    return Evidence(
        names=names_of(exception),
        status=_status_of(exception, response, found, said),
        codes=tuple(sorted(dict.fromkeys(codes), key=str.isdigit)),
        texts=tuple(found.texts),
        headers=headers,
        waits=(*_own_waits(exception), *found.waits),
        lowered=_lowered((*found.texts[:8], *found.quotas[:8])),
        quoted=found.quoted or "",
    )


def _lowered(texts: tuple[str, ...]) -> str:
    text = _ends("\n".join(_ends(text) for text in texts)).lower()
    for name in _ANNOTATIONS:  # a filter's name in a quotation is no verdict of it
        text = text.replace(name, "annotation")
    return text.replace("’", "'")  # noqa: RUF001 - as sent


def _ends(text: str) -> str:
    if len(text) <= _TEXT_AT_MOST:
        return text
    return f"{text[: _TEXT_AT_MOST - _TAIL]}\n{text[-_TAIL:]}"


def _said_by(exception: BaseException) -> str:
    try:
        return str(exception)
    except Exception:  # noqa: BLE001 - foreign code may raise anything
        return ""


def _own_message(exception: BaseException) -> str:
    """Return the message an SDK keeps apart from its `str`."""
    for name in ("message", "error", "server_message"):
        if isinstance(text := peek(exception, name), str) and text:
            return "" if text.lstrip()[:1] in ("{", "[") else text
    return ""


def _asked(exception: BaseException, name: str) -> object:
    """Read an attribute; gRPC has methods in their place."""
    value = peek(exception, name)
    if callable(value) and names_of(exception)[0].startswith("grpc:"):
        try:
            return value()
        except Exception:  # noqa: BLE001 - foreign code may raise anything
            return None
    return value


def _response_of(exception: BaseException) -> object:
    for name in _RESPONSE_NAMES:
        if (response := peek(exception, name)) is not None:
            return response
    return None


def _bodies_of(exception: BaseException, response: object) -> Iterator[object]:
    """Yield what may hold the provider's error object, the surest first."""
    own = [_asked(exception, name) for name in _BODY_NAMES]
    own += [argument for argument in exception.args[:4] if _is_body(argument)]
    structured = [body for body in own if body and not isinstance(body, bool | int)]
    yield from structured
    if isinstance(response, Mapping):  # botocore
        yield response
    elif not any(isinstance(body, Mapping | list) for body in structured):
        yield _content_of(response)
    if isinstance(text := peek(exception, "message"), str):
        yield loads(text[: READ_AT_MOST * 4])


def _is_body(argument: object) -> bool:
    """Say whether an argument is an error object, not merely about one."""
    if isinstance(argument, BaseException | str | bytes | tuple):
        return False
    return isinstance(argument, Mapping | list) or isinstance(
        peek(argument, "message"), str
    )


def _content_of(response: object) -> object:
    """Return the body of a response if it was read; reading it now would be I/O."""
    kept = peek(response, "__dict__")
    if isinstance(kept, dict) and "_content" in kept:  # httpx, requests
        content = kept["_content"]
        return content if isinstance(content, bytes | str) else None
    for name in ("text", "_body", "content", "body"):
        if isinstance(content := peek(response, name), str | bytes) and content:
            return content
    return None


def _own_codes(exception: BaseException) -> Iterator[str]:
    """Yield the codes that stand on the exception itself."""
    for name in _CODE_NAMES:
        value = _asked(exception, name)
        if name == "code" and not isinstance(value, str | int):
            value = peek(value, "name")  # a gRPC status; numbers are no codes here
        if isinstance(value, str) and value and as_status(value) is None:
            yield value[:120]
    package, _, simple = names_of(exception)[0].partition(":")
    if package == "botocore":  # it makes a class of each code, named like it
        yield simple
    grpc_code = peek(peek(exception, "grpc_status_code"), "name")
    if isinstance(grpc_code, str):
        yield grpc_code


def _own_waits(exception: BaseException) -> Iterator[tuple[str, object]]:
    for name in _WAIT_NAMES:
        if (value := peek(exception, name)) is not None:
            yield name, value
    kept = kept_by(exception)
    for name in _OTHER_WAIT_NAMES:
        if kept.get(name) is not None:
            yield name, kept[name]


def _status_of(
    exception: BaseException, response: object, found: Findings, said: str
) -> int | None:
    """Return the status of the answer, or of the error that came in a good answer."""
    outer = next(_statuses_of(exception, response), None)
    if outer is not None and outer >= _OK:
        return outer
    inner = next((status for status in found.statuses if status >= _OK), None)
    return inner or (status_in(said) if outer is None else None) or outer


def _statuses_of(exception: BaseException, response: object) -> Iterator[int]:
    for thing in (exception, response):
        for name in _status_names(exception):
            if (status := as_status(peek(thing, name))) is not None:
                yield status
    if isinstance(response, Mapping):
        meta = response.get("ResponseMetadata")
        if isinstance(meta, Mapping):
            status = as_status(meta.get("HTTPStatusCode"))
            if status is not None:
                yield status


def _status_names(exception: BaseException) -> tuple[str, ...]:
    """Name the attributes that hold a status.

    The `code` of aiohttp's broken bodies is 400, though no server has said so.
    """
    of_aiohttp = any(name.startswith("aiohttp:") for name in names_of(exception))
    return ("status",) if of_aiohttp else _STATUS_NAMES


def _headers_of(
    exception: BaseException, response: object, found: Findings
) -> Mapping[str, str]:
    """Return the headers that tell of time; the response's own come first."""
    headers: dict[str, str] = {}
    for source in _header_sources(exception, response, found):
        if source is None:
            continue
        for name, value in _pairs(source):
            known = _word(name).lower()
            if known.endswith("-bin"):
                delay = retry_delay(value) if isinstance(value, bytes) else None
                if delay is not None:
                    headers.setdefault("retry-after", str(delay))
            elif known == "date" or any(part in known for part in _TELLING):
                headers.setdefault(known, _word(value))
    return headers


def _header_sources(
    exception: BaseException, response: object, found: Findings
) -> Iterator[object]:
    yield peek(response, "headers")
    yield peek(exception, "headers")
    yield peek(exception, "litellm_response_headers")
    if isinstance(response, Mapping) and isinstance(
        meta := response.get("ResponseMetadata"), Mapping
    ):
        yield meta.get("HTTPHeaders")
    yield _asked(exception, "trailing_metadata")
    yield from found.headers


def _pairs(source: object) -> list[tuple[object, object]]:
    listed = peek(source, "items")
    for items in (listed, lambda: source):  # gRPC has `items` that raise
        try:
            found = items() if callable(items) else None
            if isinstance(found, Iterable):
                return [(pair[0], pair[1]) for pair in islice(found, _HEADERS_AT_MOST)]
        except Exception:  # noqa: BLE001, S112 - not what headers look like
            continue
    return []


def _word(value: object) -> str:
    if isinstance(value, list) and value:  # gRPC lists all values of a name
        value = value[0]
    if isinstance(value, bytes):
        return value[:200].decode("latin-1")
    return str(value)[:200] if isinstance(value, str | int | float) else ""
