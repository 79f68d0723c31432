"""Conversations that stay where they are: weighted rendezvous hashing.

Every member gets a score from its name and the conversation, and the highest comes
first. Nothing is kept, so every process, copy and restart comes to the same order. When
a member is out only its own conversations move, each to its second best, and they come
home when it is back. (Schindelhauer and Schomaker, "Weighted distributed hash tables",
2005: with a score of -w / ln(u) the shares are as the weights.)
"""

from __future__ import annotations

from hashlib import blake2b
from math import log
from operator import itemgetter
from typing import TYPE_CHECKING, Final
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_KEPT: Final = 1_024
"""Conversations whose order is kept: most calls are not the first of theirs."""

_PLACE: Final = itemgetter(1)

_UNIT: Final = 2.0**-52
"""With 52 bits and a half, a number drawn is neither 0 nor rounded up to 1."""


class StickyOrder:
    """The members of a group in the order of a conversation."""

    def __init__(self, names: Sequence[str], weights: Sequence[float]) -> None:
        """Take the members in.

        Args:
            names: What they are called, everywhere; a member under another name is
                another member.
            weights: A positive weight for each.
        """
        self._known: dict[str, tuple[int, ...]] = {}
        self._members: list[tuple[float, blake2b, int]] = []
        for place, (name, weight) in enumerate(zip(names, weights, strict=True)):
            data = name.encode("utf-8", "surrogatepass")
            # Its length comes first, so that a hash knows where a name ends.
            seeded = blake2b(b"%d:%s" % (len(data), data), digest_size=8)
            self._members.append((weight, seeded, place))

    def order(self, value: str) -> tuple[int, ...]:
        """Return the members' places, the home of a conversation first."""
        if (known := self._known.get(value)) is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            known = self._known[value] = self._worked_out(value)
        return known

    def _worked_out(self, value: str) -> tuple[int, ...]:
        data = value.encode("utf-8", "surrogatepass")
        scored = []
        for weight, seeded, place in self._members:
            digest = seeded.copy()
            digest.update(data)
            drawn = int.from_bytes(digest.digest()) >> 12
            scored.append((weight / log((drawn + 0.5) * _UNIT), place))
        scored.sort()  # logarithms of fractions are negative: the lowest comes first
        return tuple(map(_PLACE, scored))

    def pick(self, value: str, is_free: Callable[[int], bool]) -> int | None:
        """Return the first free member for a conversation; `None` if none is free."""
        return next(filter(is_free, self.order(value)), None)


def sticky_value(value: object) -> str:
    """Return the text by which a conversation is known.

    Raises:
        TypeError: It is neither a string, nor an integer, nor a UUID: other objects may
            look different in each process, or not at all.
    """
    if isinstance(value, (str, int, UUID)) and not isinstance(value, bool):
        return str(value)
    msg = (
        f"`sticky` takes a string, an integer or a UUID that names the conversation, "
        f"such as a thread_id; got a value of type {type(value).__name__}"
    )
    raise TypeError(msg)
