"""Running an awaitable step by step inside something of ours.

A coroutine runs in synchronous steps between its waits. Here each step can be run in a
surrounding (a context, a hook) that is gone while it waits, in the same task and
without a task of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

T = TypeVar("T")


class Surrounding(Protocol):
    """Calls a function inside something, such as `Context.run`."""

    def __call__(self, step: Callable[[Any], Any], argument: Any, /) -> Any:
        """Return what the step returns."""


class within(Generic[T]):  # noqa: N801 - it is called as a function is
    """An awaitable whose every step runs inside `surrounding`."""

    __slots__ = ("_awaitable", "_run")

    def __init__(self, awaitable: Awaitable[T], surrounding: Surrounding) -> None:
        """Wrap an awaitable."""
        self._awaitable = awaitable
        self._run = surrounding

    def __await__(self) -> Generator[Any, Any, T]:
        steps = self._awaitable.__await__()
        resume, argument = steps.send, None
        while True:
            try:
                waits_for = self._run(resume, argument)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return] # a generator's return
            try:
                argument = yield waits_for
                resume = steps.send
            except BaseException as error:  # noqa: BLE001 - handed on to the awaited
                resume, argument = steps.throw, error
