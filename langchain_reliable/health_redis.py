"""Health that several processes and machines share, over Redis.

`RedisHealth` is a `Health`: calls ask and tell it the same things, and see what is in
memory. How that is kept the same as in Redis is told in `_runtime/shared_health`.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakValueDictionary

from langchain_reliable._children.identity import shared_identity
from langchain_reliable._core.circuit import State
from langchain_reliable._runtime.shared_health.address import (
    Address,
    check_client,
    check_installed,
    connector,
)
from langchain_reliable._runtime.shared_health.limits import SharedBook
from langchain_reliable._runtime.shared_health.link import Link
from langchain_reliable._runtime.shared_health.mirror import Mirror
from langchain_reliable._runtime.shared_health.records import Names
from langchain_reliable.health import Health
from langchain_reliable.observers._forks import renewed_after_fork

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from langchain_reliable._core.circuit import Admission, Circuit
    from langchain_reliable._core.steps import Claim, Route

_LONGEST_REFRESH = 60.0

_mirrors: WeakValueDictionary[Hashable, Mirror] = WeakValueDictionary()
_making = threading.Lock()


class RedisHealth(Health):
    """What is known of candidates, shared by all processes that use one Redis.

    Circuits, cooldowns and isolation are shared; of all processes one sends the request
    that finds out whether a candidate is well again. Nothing is opened before the first
    call. Where Redis is away, or slower than 50 ms, calls go on as with `Health`.

    In Redis candidates are hashes: it holds no key, prompt, answer or name. Candidates
    whose key can't be read (it comes from an IAM role, or a callable) are shared only
    if they have a name: `Candidate(model, name="...")`.

    Example:
        ```python
        health = RedisHealth("env:REDIS_URL")
        model = ReliableChatModel(models=[gpt, claude], health=health)
        ```
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        client: Any = None,
        namespace: str = "langchain-reliable",
        refresh: float = 1.0,
    ) -> None:
        """Say where Redis is.

        Args:
            url: `redis://`, `rediss://` (TLS), `unix://`, `redis+cluster://` or
                `rediss+cluster://`, as redis-py reads it; or `"env:NAME"` for an
                environment variable that holds one.
            client: A `redis.Redis` or `redis.RedisCluster` instead, such as one that
                a Sentinel gave. Set its time-outs: a client without any may wait for
                ever (in a thread of its own; calls do not).
            namespace: Processes with the same one share what they know.
            refresh: Seconds after which what others have learned is known here.

        Raises:
            ImportError: redis-py is not installed.
            TypeError: A value is of the wrong type.
            ValueError: The URL is malformed, or a value is out of its range.
        """
        check_installed()
        if (url is None) == (client is None):
            raise ValueError("RedisHealth takes a URL, or client=, and not both")
        address = None if url is None else Address(url)
        if address is None:
            check_client(client)
        self._namespace = _checked_namespace(namespace)
        self._refresh = _checked_refresh(refresh)
        super().__init__()
        self._address = address
        self._place = "the given client" if address is None else str(address)
        self._mirror = self._shared_mirror(client)
        self._see(self._mirror)

    def _shared_mirror(self, client: Any) -> Mirror:
        """Return the one mirror of a URL and a namespace in this process."""
        address = self._address
        where = id(client) if address is None else address.url
        with _making:
            mirror = _mirrors.get((where, self._namespace))
            if mirror is None:
                mirror = Mirror(Names(self._namespace), self._clock)
                mirror.link = Link(
                    connector(address, client),
                    self._place,
                    mirror,
                    self._refresh,
                    closes=client is None,
                )
                _mirrors[where, self._namespace] = mirror
            mirror.link.refresh = min(mirror.link.refresh, self._refresh)
            return mirror

    def _see(self, mirror: Mirror) -> None:
        """Look at the same memory as all that share a mirror, behind the same lock."""
        self._circuits = mirror.circuits
        self._healthy = mirror.healthy
        self._isolated = mirror.isolated
        self._names = mirror.names
        self._lock = renewed_after_fork(lambda: mirror.lock, self, "_lock")
        book = mirror.book() if mirror.book is not None else None
        if not isinstance(book, SharedBook):
            book = SharedBook(mirror, partial(_place_of_limits, mirror))
        self.book = book

    def __repr__(self) -> str:
        """Return one line, without a password."""
        link = "connected" if self._mirror.link.is_up else "not connected"
        known = "".join(f", {one.name}: {one.state}" for one in self.snapshot())
        return f"RedisHealth({self._place}, {self._namespace!r}, {link}{known})"

    def __reduce__(self) -> tuple[Callable[..., RedisHealth], tuple[Any, ...]]:
        """In another process it is the same Redis."""
        if self._address is None:
            msg = (
                "a RedisHealth(client=...) can't be pickled, since its client can't; "
                'give it a URL, or "env:REDIS_URL"'
            )
            raise TypeError(msg)
        again = partial(RedisHealth, namespace=self._namespace, refresh=self._refresh)
        return again, (self._address.written,)

    # --- for people ---------------------------------------------------------------

    def isolate(self, name: str) -> None:
        """Leave a candidate alone in all processes, until `reset(name)` in any.

        Raises:
            TypeError: The name is no string.
        """
        super().isolate(name)
        with self._lock:
            self._mirror.isolate(name)

    def reset(self, name: str | None = None) -> None:
        """Forget what is known of a candidate, or of all, in all processes.

        Circuits are reset that this process knows: of candidates that were asked here.
        """
        super().reset(name)
        with self._lock:
            self._mirror.readmit(name)

    # --- for the calls ------------------------------------------------------------

    def available_at(self, route: Route, now: float) -> float:
        """Return when a candidate may be asked; `now` if it may at once."""
        if route.key not in self._circuits:
            with self._lock:
                self._known(route)
        return super().available_at(route, now)

    def try_acquire(self, route: Route, now: float) -> Admission | Claim | None:
        """Take a candidate that is free; of a half-open one, among all processes."""
        here = super().try_acquire

        def outcome(answer: Admission | Literal[False] | None, at: float) -> Any:
            return here(route, at) if answer is None else answer or None

        return self._claim(route, now, outcome) or here(route, now)

    def record_request(self, route: Route, now: float) -> Admission | Claim:
        """Note that a candidate is asked, whether it is free or not."""
        here = super().record_request

        def outcome(answer: Admission | Literal[False] | None, at: float) -> Any:
            return answer or here(route, at)

        return self._claim(route, now, outcome) or here(route, now)

    def _claim(
        self, route: Route, now: float, outcome: Callable[..., Any]
    ) -> Claim | None:
        """Claim the one probe of all processes, where a circuit is half-open."""
        with self._lock:
            circuit = self._known(route)
        if circuit.state(now) is not State.HALF_OPEN or route.name in self._isolated:
            return None
        return self._mirror.claim_probe(route.key, route.max_probe, outcome)

    def _known(self, route: Route) -> Circuit:
        mirror, key = self._mirror, route.key
        mirror.link.start()
        circuit = super()._known(route)
        if not mirror.knows(key):
            identity = getattr(key, "identity", None)
            given = route.given_name
            shared = None if identity is None else shared_identity(identity, given)
            mirror.learn(key, shared)
            if mirror.is_isolated(route.name):
                self._isolated.add(route.name)
        elif circuit.is_clean and key not in self._healthy:
            self._keep(key, circuit)  # of a process that was forked
        return self._circuits[key]

    def _apply(
        self, key: Hashable, rule: Callable[[Circuit], Circuit]
    ) -> tuple[Circuit, Circuit]:
        changed = super()._apply(key, rule)
        self._mirror.changed(key, rule)
        return changed


def _place_of_limits(mirror: Mirror, key: Hashable, shared: Hashable) -> str | None:
    """Return where in Redis the limits of a candidate are kept.

    Args:
        mirror: The ties to Redis.
        key: The candidate.
        shared: What its limits hang on: what the user has written, or an account.
    """
    if isinstance(shared, tuple):
        return mirror.limits_key(key, repr(shared))
    identity = getattr(shared, "identity", None)
    text = None if identity is None else shared_identity(identity, None)
    return mirror.limits_key(key, text)


def _checked_namespace(namespace: str) -> str:
    if not isinstance(namespace, str):
        kind = type(namespace).__name__
        raise TypeError(f"namespace is a short string, no {kind}")
    if not namespace or len(namespace) > 64 or set(namespace) & set("{}"):  # noqa: PLR2004 - named in the text
        raise ValueError("namespace has 1 to 64 characters, and no braces")
    return namespace


def _checked_refresh(refresh: float) -> float:
    if isinstance(refresh, bool) or not isinstance(refresh, (int, float)):
        kind = type(refresh).__name__
        raise TypeError(f"refresh is a number of seconds, no {kind}")
    if not 0 < refresh <= _LONGEST_REFRESH:
        raise ValueError(f"refresh={refresh:g} is not within 0 to 60 seconds")
    return float(refresh)
