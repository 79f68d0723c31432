"""AWS's binary event stream: framed messages, checked by two CRC32s.

A message is its length, the length of its headers and a checksum of both; then the
headers, the payload, and a checksum of everything before. Each header is a name and,
here always, a text.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from langchain_reliable.testing._simulator.wire import compact

if TYPE_CHECKING:
    from collections.abc import Mapping

STREAM_TYPE: Final = "application/vnd.amazon.eventstream"
_TEXT: Final = 7
_AROUND: Final = 16
"""Bytes around headers and payload: two lengths and two checksums."""


def event(name: str, payload: Mapping[str, Any]) -> bytes:
    """Return an event called `name`."""
    return _message(payload, {":event-type": name}, "event")


def exception(name: str, payload: Mapping[str, Any]) -> bytes:
    """Return an exception called `name`; it ends the stream."""
    return _message(payload, {":exception-type": name}, "exception")


def broken(message: bytes) -> bytes:
    """Return the message with one byte of its payload changed, as checksums notice."""
    at = len(message) - 6  # within the payload, before its last byte
    return message[:at] + bytes([message[at] ^ 1]) + message[at + 1 :]


def _message(payload: Mapping[str, Any], named: Mapping[str, str], kind: str) -> bytes:
    texts = {**named, ":content-type": "application/json", ":message-type": kind}
    headers = b"".join(_header(name, text) for name, text in texts.items())
    body = compact(payload)
    prelude = struct.pack(">II", _AROUND + len(headers) + len(body), len(headers))
    message = prelude + _checksum(prelude) + headers + body
    return message + _checksum(message)


def _header(name: str, text: str) -> bytes:
    named = bytes([len(name)]) + name.encode()
    return named + bytes([_TEXT]) + struct.pack(">H", len(text)) + text.encode()


def _checksum(data: bytes) -> bytes:
    return struct.pack(">I", crc32(data))
