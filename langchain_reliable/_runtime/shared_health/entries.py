"""One candidate in Redis, and what is on its way there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from langchain_reliable._runtime.shared_health.link import Question
from langchain_reliable._runtime.shared_health.records import KEPT_FOR
from langchain_reliable._runtime.shared_health.scripts import SWAP

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from langchain_reliable._core.circuit import Admission, Circuit

Rule: TypeAlias = "Callable[[Circuit], Circuit]"


@dataclass(slots=True, eq=False)
class Record:
    """One candidate in Redis.

    Attributes:
        redis_key: Its key there.
        keys: Who it is in this process; two objects may stand for one candidate.
        raw: What Redis held when it was last seen.
        pending: Changes made here that Redis does not hold yet.
        is_marked: Whether it was changed while Redis was away.
    """

    redis_key: str
    keys: list[Hashable]
    raw: bytes = b""
    pending: list[Rule] = field(default_factory=list)
    is_marked: bool = False


class Probe(Question):
    """Asks for the one probe of a half-open circuit.

    Its answer is an `Admission`, or `False` where somebody else has it.
    """

    def __init__(self, key: Hashable, longest: float) -> None:
        """Begin without an answer.

        Args:
            key: Who is to be probed.
            longest: Seconds after which its slot is lent to another.
        """
        super().__init__()
        self.key = key
        self.longest = longest


@dataclass(slots=True)
class Swap:
    """One write on its way.

    Attributes:
        record: What is written.
        noted: How many of its changes are in it.
        new: Its new value.
        probe: Who asked for the probe that it takes, if it is one.
        admission: What that probe is admitted as.
    """

    record: Record
    noted: int
    new: bytes
    probe: Probe | None = None
    admission: Admission | None = None

    @property
    def command(self) -> tuple[Any, ...]:
        """Return it for Redis."""
        return (
            *("EVALSHA", SWAP.sha, 1, self.record.redis_key),
            *(self.record.raw, self.new, KEPT_FOR),
        )


class Errand(Question):
    """A script to run for a call, whether or not it waits for the reply."""

    def command(self) -> tuple[Any, ...]:
        """Return it for Redis."""
        raise NotImplementedError

    def landed(self, reply: Any) -> None:
        """Take the reply."""


class KeepsPlaces(Protocol):
    """Has requests in flight whose places in Redis run out if nobody renews them."""

    def renewals(self, now: float) -> list[tuple[Any, ...]]:
        """Return the commands by which this process keeps its places."""
