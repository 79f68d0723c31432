"""Where Redis is: what a user writes, checked without opening anything."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

ENV: Final = "env:"

_SCHEMES: Final = ("redis", "rediss", "unix", "redis+cluster", "rediss+cluster")

SILENCE: Final = 1.0
"""Seconds after which the daemon thread gives Redis up. Calls do not wait for it."""

_INSTALL: Final = 'RedisHealth needs redis-py: pip install "langchain-reliable[redis]"'


class Address:
    """A checked address; its password is never shown."""

    def __init__(self, written: str) -> None:
        """Check an address.

        Args:
            written: A URL, or `"env:NAME"` for an environment variable that holds one.

        Raises:
            ValueError: It is malformed, or the variable is not set.
        """
        if not isinstance(written, str):
            kind = type(written).__name__
            msg = (
                f'RedisHealth takes a URL such as "redis://localhost:6379/0", no {kind}'
            )
            raise TypeError(msg)
        self.written = written
        self.url = written
        if written.startswith(ENV):
            name = written.removeprefix(ENV)
            if not (url := os.environ.get(name, "")):
                where = f"RedisHealth({written!r})"
                raise ValueError(f"{where}: the environment variable {name} is not set")
            self.url = url
        self._place = _checked(self.url)

    def __str__(self) -> str:
        """Return the address without user and password."""
        return self.written if self.written.startswith(ENV) else self._place

    def connect(self) -> Any:
        """Return a client of redis-py; it connects with its first command."""
        redis = imported()
        url = self.url.replace("+cluster://", "://", 1)
        settings = {
            "socket_timeout": SILENCE,
            "socket_connect_timeout": SILENCE,
            "retry": redis.retry.Retry(redis.backoff.NoBackoff(), 0),
        }
        if url == self.url:
            return redis.Redis.from_url(url, **settings)
        return redis.RedisCluster.from_url(url, **settings)


def check_installed() -> None:
    """Say at construction what would only be noticed in a thread.

    Raises:
        ImportError: redis-py is not installed.
    """
    if find_spec("redis") is None:
        raise ImportError(_INSTALL)


def imported() -> Any:
    """Import redis-py."""
    import redis  # noqa: PLC0415 - only where a RedisHealth is in use
    import redis.backoff  # noqa: PLC0415
    import redis.retry  # noqa: PLC0415

    return redis


def connector(address: Address | None, client: Any) -> Callable[[], Any]:
    """Return what makes the client."""
    return (lambda: client) if address is None else address.connect


def check_client(client: Any) -> None:
    """Check a client that the user made.

    Raises:
        TypeError: It is no client of redis-py for threads.
    """
    if type(client).__module__.startswith("redis.asyncio"):
        msg = (
            "RedisHealth runs in a thread of its own and takes a redis.Redis, not the "
            "client of redis.asyncio; it serves sync and async calls alike"
        )
        raise TypeError(msg)
    if not callable(getattr(client, "execute_command", None)):
        kind = type(client).__name__
        msg = f"RedisHealth(client=...) takes a redis.Redis or RedisCluster, no {kind}"
        raise TypeError(msg)


def _checked(url: str) -> str:
    """Return a URL without user and password."""
    wanted = 'write "redis://host:6379/0", "rediss://..." for TLS, or "env:REDIS_URL"'
    try:
        parts = urlsplit(url)
        scheme, host, port, path = parts.scheme, parts.hostname, parts.port, parts.path
    except ValueError:  # its text may hold a part of the password
        raise ValueError(f"the URL of Redis can't be read; {wanted}") from None
    if scheme not in _SCHEMES or "://" not in url:
        raise ValueError(f"this is no URL of Redis; {wanted}")
    if scheme == "unix":
        if not path:
            raise ValueError("a unix:// URL of Redis names the path of its socket")
        return f"unix://{path}"
    database = path.strip("/")
    if not host or (database and not database.isdecimal()):
        raise ValueError(f"the URL of Redis lacks its host, or its database; {wanted}")
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}{f':{port}' if port else ''}{path.rstrip('/')}"
