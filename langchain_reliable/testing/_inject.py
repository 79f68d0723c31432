"""Faults in real models, for game days and for tests of an application.

A copy of a model whose children fail as told. A child keeps its class, with four hooks
that roll the dice before they do what they always do, so that tools, structured output
and whatever else is known of its class stay as they are.
"""

from __future__ import annotations

import logging
import random
from contextlib import aclosing, closing
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import httpx
from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableBinding

from langchain_reliable.testing._record import RealTime, Timepiece

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

logger = logging.getLogger("langchain_reliable")

_Model = TypeVar("_Model", bound=BaseChatModel)
_REQUEST: Final = httpx.Request("POST", "https://injected.invalid/")
_TEXT: Final = "this fault was injected"

_STATUSES: Final[Mapping[str, tuple[int, str | None]]] = {
    "rate_limited": (429, "rate_limit_exceeded"),
    "quota_exhausted": (429, "insufficient_quota"),
    "server_error": (503, None),
    "auth": (401, "invalid_api_key"),
    "model_not_found": (404, "model_not_found"),
    "context_overflow": (400, "context_length_exceeded"),
    "content_policy": (400, "content_policy_violation"),
    "bad_request": (422, None),
}
_BREAKS: Final[Mapping[str, type[httpx.TransportError]]] = {
    "connection": httpx.ConnectError,
    "timeout": httpx.ReadTimeout,
}
_KINDS: Final = (*_STATUSES, *_BREAKS)

_in_hook: ContextVar[bool] = ContextVar("_in_hook", default=False)
"""Whether a hook runs within another of the same child: the dice are rolled once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How often what goes wrong; each is a share of the requests.

    Example:
        ```python
        Faults(errors={"server_error": 0.05, "rate_limited": 0.02}, cut_after=0.01)
        ```

    Attributes:
        errors: Shares by failure kind.
        latency: Seconds by which every request is late: anything between these two.
        cut_before: Connections that break before the first word.
        cut_after: Those that break after it; of an answer in one piece, before it.
        silent: Requests on which nothing comes.
        silent_seconds: After how long a client gives up such a silence by itself.
    """

    errors: Mapping[str, float] = field(default_factory=dict)
    latency: tuple[float, float] = (0.0, 0.0)
    cut_before: float = 0.0
    cut_after: float = 0.0
    silent: float = 0.0
    silent_seconds: float = 600.0

    def __post_init__(self) -> None:
        """See that it can be done.

        Raises:
            ValueError: A kind can't be made, or the shares are none.
        """
        for kind in self.errors:
            if kind not in _KINDS:
                msg = f"can't inject {kind!r}; there are {', '.join(_KINDS)}"
                raise ValueError(msg)
        shares = [share for _, share in self.shares]
        if min(shares) < 0 or sum(shares) > 1:
            msg = "shares are numbers from 0 to 1, in sum at most 1"
            raise ValueError(msg)
        low, high = self.latency
        if not 0 <= low <= high:
            msg = "latency is two numbers of seconds: latency=(0.1, 0.5)"
            raise ValueError(msg)

    @property
    def shares(self) -> tuple[tuple[str, float], ...]:
        """All faults, by name, with their shares."""
        own = (
            ("cut_before", self.cut_before),
            ("cut_after", self.cut_after),
            ("silent", self.silent),
        )
        return (*((str(kind), share) for kind, share in self.errors.items()), *own)


def inject(
    model: _Model,
    faults: Faults,
    *,
    seed: int | None = None,
    clock: Timepiece | None = None,
) -> _Model:
    """Return a copy of a model whose requests fail as told.

    Of a `ReliableChatModel` every child does, and the copy has a health of its own; the
    model itself is left as it is. A warning in the log and its `repr` say what it is.

    Args:
        model: A chat model; a `ReliableChatModel` above all.
        faults: What goes wrong, and how often.
        seed: Makes the same faults happen each time, where requests come in one order.
        clock: Lets latency and silence pass; give a fake one to tests.

    Raises:
        TypeError: It, or a child, is no chat model.
    """
    from langchain_reliable.chat_models import (  # noqa: PLC0415 - on top of it
        ReliableChatModel,
    )

    dice = _Dice(faults, random.Random(seed), clock or RealTime())  # noqa: S311 - dice
    logger.warning("faults are injected into %s: %s", type(model).__name__, faults)
    if not isinstance(model, ReliableChatModel):
        return cast("_Model", _faulty(model, dice))
    return cast("_Model", _reliable(model, dice))


def _reliable(model: Any, dice: _Dice) -> Any:
    from langchain_reliable.candidates import Group  # noqa: PLC0415 - as above
    from langchain_reliable.health import Health  # noqa: PLC0415 - as above

    def member(one: Any) -> Any:
        return one.model_copy(update={"model": _faulty(one.model, dice)})

    def entry(item: Any) -> Any:
        if not isinstance(item, Group):
            return member(item)
        members = tuple(member(one) for one in item.members)
        return item.model_copy(update={"members": members})

    entries = tuple(entry(item) for item in model.models)
    copy = model.model_copy(update={"models": entries, "health": Health()})
    return _as_subclass(copy, {"__repr__": _repr_of(type(model))})


def _faulty(child: Any, dice: _Dice) -> Any:
    """Return a copy of a child that rolls the dice."""
    if isinstance(child, RunnableBinding):
        return child.model_copy(update={"bound": _faulty(child.bound, dice)})
    if not isinstance(child, BaseChatModel):
        msg = f"faults go into chat models, not into a {type(child).__name__}"
        raise TypeError(msg)
    base = type(child)
    hooks = {"_generate": _generate, "_agenerate": _agenerate}
    hooks |= {"_stream": _stream, "_astream": _astream}
    own = {
        name: made(getattr(base, name), dice)
        for name, made in hooks.items()
        if getattr(base, name) is not getattr(BaseChatModel, name)  # else not its own
    }
    return _as_subclass(child.model_copy(), {**own, "__repr__": _repr_of(base)})


def _as_subclass(copy: Any, namespace: dict[str, Any]) -> Any:
    """Turn an object into one of a class that differs by a few methods alone."""
    base = type(copy)
    told = {"__module__": base.__module__, "__qualname__": base.__qualname__}
    made: Any = type(base)  # pydantic's
    subclass = made(base.__name__, (base,), {**told, **namespace})
    object.__setattr__(copy, "__class__", subclass)
    return copy


def _repr_of(base: Any) -> Any:
    def shown(self: Any) -> str:
        return f"{base.__repr__(self)} with injected faults"

    return shown


class _Dice:
    """Says what goes wrong with each request."""

    def __init__(self, faults: Faults, chance: random.Random, clock: Timepiece) -> None:
        self.faults, self.clock = faults, clock
        self._chance = chance

    def roll(self) -> tuple[str, float]:
        """Return what goes wrong, or an empty text, and how late the request is."""
        late, left = self._chance.uniform(*self.faults.latency), self._chance.random()
        for name, share in self.faults.shares:
            left -= share
            if left < 0:
                if name == "silent":
                    late += self.faults.silent_seconds
                return name, late
        return "", late

    def before(self, *, whole: bool) -> bool:
        """Let a request go wrong; return whether its stream is cut later."""
        fault, late = self.roll()
        if late:
            self.clock.sleep_until(self.clock.now() + late)
        return _come_to_pass(fault, whole=whole)

    async def abefore(self, *, whole: bool) -> bool:
        """Let a request go wrong; the twin of `before`."""
        fault, late = self.roll()
        if late:
            await self.clock.asleep_until(self.clock.now() + late)
        return _come_to_pass(fault, whole=whole)


def _come_to_pass(fault: str, *, whole: bool) -> bool:
    if fault and (fault != "cut_after" or whole):
        raise _error(fault)
    return fault == "cut_after"


def _error(fault: str) -> httpx.HTTPError:
    """Return an exception that means this fault to whoever reads exceptions."""
    if fault in _STATUSES:
        status, code = _STATUSES[fault]
        body = {"error": {"message": _TEXT, "code": code}}
        response = httpx.Response(status, json=body, request=_REQUEST)
        return httpx.HTTPStatusError(_TEXT, request=_REQUEST, response=response)
    if fault in _BREAKS:
        return _BREAKS[fault](_TEXT, request=_REQUEST)
    if fault == "silent":
        return httpx.ReadTimeout(_TEXT, request=_REQUEST)
    return httpx.RemoteProtocolError(_TEXT, request=_REQUEST)


# --- the hooks of a child -------------------------------------------------------------


def _generate(base: Any, dice: _Dice) -> Any:
    @wraps(base)
    def hook(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _in_hook.get():
            return base(self, *args, **kwargs)
        dice.before(whole=True)
        token = _in_hook.set(True)
        try:
            return base(self, *args, **kwargs)
        finally:
            _in_hook.reset(token)

    return hook


def _agenerate(base: Any, dice: _Dice) -> Any:
    @wraps(base)
    async def hook(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _in_hook.get():
            return await base(self, *args, **kwargs)
        await dice.abefore(whole=True)
        token = _in_hook.set(True)
        try:
            return await base(self, *args, **kwargs)
        finally:
            _in_hook.reset(token)

    return hook


def _stream(base: Any, dice: _Dice) -> Any:
    @wraps(base)
    def hook(self: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        is_cut = not _in_hook.get() and dice.before(whole=False)
        with closing(base(self, *args, **kwargs)) as chunks:
            spoke = False
            for chunk in chunks:
                if is_cut and spoke:
                    raise _error("cut_after")
                yield chunk
                spoke = spoke or bool(chunk.text)

    return hook


def _astream(base: Any, dice: _Dice) -> Any:
    @wraps(base)
    async def hook(self: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        is_cut = not _in_hook.get() and await dice.abefore(whole=False)
        async with aclosing(base(self, *args, **kwargs)) as chunks:
            spoke = False
            async for chunk in chunks:
                if is_cut and spoke:
                    raise _error("cut_after")
                yield chunk
                spoke = spoke or bool(chunk.text)

    return hook
