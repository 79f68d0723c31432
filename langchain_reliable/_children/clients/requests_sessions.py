"""Sessions of `requests`: a view whose requests are sent once and wait no longer.

A session keeps an adapter for each kind of address, which holds the connections, how
often a request is repeated, and is told the time-out of each. The view shares all but
that: its adapters send through copies that repeat nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from langchain_reliable._children.clients.read_timeouts import shorter
from langchain_reliable._children.partners import names_of

if TYPE_CHECKING:
    from collections.abc import Mapping

SESSION: Final = "requests.sessions.Session"


def quiet_session(session: Any, read_timeout: float | None) -> Any:
    """Return a view of a session that neither repeats requests nor waits long.

    Args:
        session: A session of `requests`; it is not changed.
        read_timeout: The longest wait for bytes.

    Returns:
        The view; `None` where it is no such session.
    """
    if SESSION not in names_of(type(session)):
        return None
    adapters = {
        prefix: _QuietAdapter(adapter, read_timeout)
        for prefix, adapter in session.adapters.items()
    }
    return _with(session, adapters=type(session.adapters)(adapters))


def _with(owner: Any, **values: Any) -> Any:
    """Return a copy past its `__getstate__`, which leaves out what others added."""
    made = object.__new__(type(owner))
    made.__dict__.update(owner.__dict__, **values)
    return made


class _QuietAdapter:
    """Sends through a copy of an adapter, which shares its connections."""

    def __init__(self, adapter: Any, read_timeout: float | None) -> None:
        retries: Any = getattr(adapter, "max_retries", None)
        if getattr(retries, "total", None):
            adapter = _with(adapter, max_retries=type(retries)(0, read=False))
        self._inner = adapter
        self._read_timeout = read_timeout

    def send(
        self, request: Any, *, timeout: Any = None, **settings: Mapping[str, Any]
    ) -> Any:
        """Send a request; the names are those of `requests`."""
        if self._read_timeout is not None:
            timeout = shorter(timeout, self._read_timeout)
        return self._inner.send(request, timeout=timeout, **settings)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
