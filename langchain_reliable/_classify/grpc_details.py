"""Read the one thing of gRPC's binary trailers that says how long to wait.

`google.rpc.RetryInfo` comes as protobuf, by itself or among the details of a status.
No protobuf is imported: its wire format is a list of numbered fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_TYPE: Final = b"google.rpc.RetryInfo"
_AT_MOST: Final = 8_000
_NUMBER, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
_DETAILS, _VALUE = 3, 2


def retry_delay(trailer: bytes) -> float | None:
    """Return the seconds that a trailer asks to wait.

    Args:
        trailer: `google.rpc.Status` or `google.rpc.RetryInfo` as protobuf.
    """
    try:
        if _TYPE not in trailer[:_AT_MOST]:
            return _delay(trailer[:_AT_MOST])
        for number, detail in _fields(trailer[:_AT_MOST]):
            if number == _DETAILS and isinstance(detail, bytes) and _TYPE in detail:
                return _delay(bytes(dict(_fields(detail))[_VALUE]))
    except (ValueError, IndexError, KeyError, TypeError):
        return None
    return None


def _delay(info: bytes) -> float | None:
    duration = dict(_fields(info)).get(1)
    if not isinstance(duration, bytes):
        return None
    parts = dict(_fields(duration))
    seconds, nanos = parts.get(1, 0), parts.get(2, 0)
    if not isinstance(seconds, int) or not isinstance(nanos, int):
        return None
    return seconds + nanos * 1e-9


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the numbered fields of a message; raise where it is none."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, wire = tag >> 3, tag & 7
        if wire == _NUMBER:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire == _BYTES:
            length, at = _varint(message, at)
        elif wire in (_EIGHT_BYTES, _FOUR_BYTES):
            length = 8 if wire == _EIGHT_BYTES else 4
        else:
            raise ValueError(wire)
        if at + length > len(message):
            raise ValueError(length)
        yield number, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:  # noqa: PLR2004 - the bit that says more follows
            return value, at
        if shift > 63:  # noqa: PLR2004 - longer than any number of 64 bits
            raise ValueError(shift)
