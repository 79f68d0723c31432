"""The mark on what the caller's own code raised beneath a child.

A listener of a child runs where the child runs, so its errors look like the child's.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARK: Final = "_raised_by_own_code"


@contextmanager
def mark_user_errors() -> Iterator[None]:
    """Mark what is raised in here as no provider's."""
    try:
        yield
    except Exception as error:
        setattr(error, _MARK, True)
        raise


def is_user_error(error: BaseException) -> bool:
    """Return whether the caller's own code raised an error."""
    return getattr(error, _MARK, False)
