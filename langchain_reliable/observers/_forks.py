"""Locks that survive `os.fork`.

A process may fork while another of its threads holds a lock; that thread does not exist
in the child, so the lock would be held for ever. Each lock that is made here is
replaced by a fresh one in the child. (`multiprocessing` forks like this by default on
Linux up to Python 3.13, gunicorn and Celery always.)

Observers are the lowest that hold a lock, so this stands with them.
"""

from __future__ import annotations

import os
import threading
import weakref
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

L = TypeVar("L")
T = TypeVar("T")

_owners: weakref.WeakKeyDictionary[object, tuple[str, Callable[[], object]]]
_owners = weakref.WeakKeyDictionary()


def renewed_after_fork(make: Callable[[], L], owner: object, name: str) -> L:
    """Return a lock that a forked process replaces by a new one.

    Args:
        make: Makes the lock.
        owner: The object that holds it.
        name: The attribute by which it does.
    """
    _owners[owner] = name, make
    return make()


def computes_after_fork(cls: T) -> T:
    """Let a forked process compute a class's cached properties; return the class.

    Up to Python 3.11 all objects of a class share one lock for each of them.
    """
    for one in vars(cls).values():
        if isinstance(one, cached_property) and hasattr(one, "lock"):
            one.lock = renewed_after_fork(threading.RLock, one, "lock")
    return cls


def _renew() -> None:
    for owner, (name, make) in list(_owners.items()):
        setattr(owner, name, make())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
