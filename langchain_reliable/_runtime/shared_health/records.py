"""Circuits as they stand in Redis: a little JSON, with moments by the server's clock.

A process's own clock (monotonic, from an arbitrary moment) means nothing elsewhere, and
wall clocks of machines differ. So moments are written in the seconds of Redis's clock,
and each process knows by how much its own differs.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from langchain_reliable._core.circuit import (
    COOLDOWNS,
    JITTER,
    MAX_PROBE,
    NEVER,
    RATE_LIMIT_SPAN,
    Circuit,
)
from langchain_reliable.failures import Failure, FailureKind

FORMAT: Final = "lr1"
"""How keys begin. A later form gets another number: during a rollout, processes of the
old and of the new version then leave each other's records alone."""

KEPT_FOR: Final = 86_400_000
"""Milliseconds after which a record that nobody has written to is forgotten."""

_LONGEST_COOLDOWN: Final = max(*COOLDOWNS.values(), *RATE_LIMIT_SPAN)


class Names:
    """The names of a namespace's keys in Redis; none of them can be read."""

    def __init__(self, namespace: str) -> None:
        """Take the namespace.

        It stands in braces: a cluster keeps all keys of a namespace on one node, which
        lets them be read with one command.
        """
        self._key = hashlib.blake2b(namespace.encode(), digest_size=32).digest()
        self._prefix = f"{FORMAT}:{{{namespace}}}"
        self.epoch = f"{self._prefix}:epoch"
        self.isolated = f"{self._prefix}:isolated"

    def of(self, text: str) -> str:
        """Return what stands for a text in Redis, the same in every process."""
        return hashlib.blake2b(text.encode(), key=self._key, digest_size=16).hexdigest()

    def circuit(self, identity: str) -> str:
        """Return the key of a candidate's circuit."""
        return f"{self._prefix}:c:{self.of(identity)}"

    def limits(self, identity: str) -> str:
        """Return the key of what a candidate's limits have used."""
        return f"{self._prefix}:l:{self.of(identity)}"


def encode(circuit: Circuit, ahead: float) -> bytes:
    """Return a circuit for Redis.

    Of the last failure only its kind and status go out: no text of a provider does.

    Args:
        circuit: What is known.
        ahead: Seconds by which the server's clock is ahead of this process's.
    """
    last = circuit.last
    fields = {
        "g": circuit.generation,
        "f": circuit.failures,
        "t": circuit.trips,
        "s": circuit.open_for,
        "o": _shifted(circuit.open_until, ahead),
        "b": circuit.opened_by,
        "p": _shifted(circuit.probing_until, ahead),
        "c": _shifted(circuit.cool_until, ahead),
        "k": last.kind if last is not None else None,
        "h": last.status if last is not None else None,
        "a": _shifted(circuit.last_at, ahead),
    }
    kept = {name: value for name, value in fields.items() if value is not None}
    return json.dumps(kept, separators=(",", ":")).encode()


def decode(raw: bytes | None, ahead: float, now: float) -> Circuit:
    """Return a circuit out of Redis; what can't be read says nothing.

    A moment further away than the rules can make it (a server whose clock was turned)
    is brought back to what they can.
    """
    if not raw:
        return Circuit()
    try:
        return _circuit(json.loads(raw), ahead, now)
    except (ValueError, TypeError, KeyError, AttributeError):
        return Circuit()


def _circuit(fields: dict[str, Any], ahead: float, now: float) -> Circuit:
    def moment(name: str, most: float) -> float:
        at = fields.get(name)
        return NEVER if at is None else min(float(at) - ahead, now + most)

    open_for = float(fields["s"])
    open_until = moment("o", open_for * (1 + JITTER)) if "o" in fields else None
    opened_by, kind = fields.get("b"), fields.get("k")
    last = Failure(kind=FailureKind(kind), status=fields.get("h")) if kind else None
    return Circuit(
        generation=int(fields["g"]),
        failures=int(fields["f"]),
        trips=int(fields["t"]),
        open_for=open_for,
        open_until=open_until,
        opened_by=FailureKind(opened_by) if opened_by else None,
        probing_until=moment("p", MAX_PROBE),
        cool_until=moment("c", _LONGEST_COOLDOWN),
        last=last,
        last_at=moment("a", 0.0),
    )


def _shifted(moment: float | None, ahead: float) -> float | None:
    if moment is None or moment == NEVER:
        return None
    return round(moment + ahead, 3)


def says_the_same(one: Circuit, other: Circuit) -> bool:
    """Return whether two states differ in nothing that decides who is asked.

    Once a circuit is open everybody who was on the way reports a failure; writing each
    would be a crowd at one key, and changes nothing.
    """
    return _deciding(one) == _deciding(other)


def _deciding(one: Circuit) -> tuple[Any, ...]:
    return (
        one.generation,
        one.failures,
        one.trips,
        one.open_for,
        one.open_until,
        one.probing_until,
        one.cool_until,
    )
