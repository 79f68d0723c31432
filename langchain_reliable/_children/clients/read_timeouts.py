"""Time-outs of clients, as the libraries beneath write them."""

from __future__ import annotations

from typing import Any


def shorter(own: Any, seconds: float) -> Any:
    """Return a time-out whose wait for bytes lasts no longer than this.

    Args:
        own: A number, `None` for none, httpx's or httpx2's object, or the pair of
            connect and read that `requests` takes.
        seconds: The longest wait.
    """
    if hasattr(own, "read"):
        read = min(own.read, seconds) if own.read is not None else seconds
        return type(own)(**{**own.as_dict(), "read": read})
    if isinstance(own, tuple):
        return (*own[:-1], shorter(own[-1], seconds))
    return min(own, seconds) if isinstance(own, (int, float)) else seconds
