"""What is said once in a process and not again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable


class LogOnce:
    """Things that were said already, whichever thread said them."""

    def __init__(self) -> None:
        """Begin with nothing said."""
        self._said: dict[Hashable, object] = {}

    def is_first(self, what: Hashable) -> bool:
        """Return whether this was never said; from now on it was."""
        mark = object()
        return self._said.setdefault(what, mark) is mark

    def clear(self) -> None:
        """Forget all."""
        self._said.clear()
