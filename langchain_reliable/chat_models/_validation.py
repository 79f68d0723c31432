"""What a caller hands over, looked at before it is let in.

Refusing what can't work, in words that say what to write instead, lives here. What a
value is used for never does.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Mapping
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler

from langchain_reliable.policies import CallOptions


def checked_classifier(value: Any) -> Any:
    """Return a `classify` callback.

    Raises:
        ValueError: It can't be asked in the middle of a call.
    """
    if _is_async(value):
        msg = "it is asked in the middle of a call: write `def`, not `async def`"
        raise ValueError(msg)
    return value


def checked_observers(value: Any) -> Any:
    """Return what a user wrote in `observers`.

    Raises:
        ValueError: One of them can't hear events; the text says what to write.
    """
    if isinstance(value, (str, BaseCallbackHandler)) or callable(value):
        msg = "`observers` is a list: observers=[Timeline()]"
        raise ValueError(msg)
    if isinstance(value, Mapping) or not isinstance(value, Iterable):
        return value  # pydantic says it
    observers = tuple(value)
    for place, one in enumerate(observers):
        if says := _why_deaf(one):
            msg = f"observers[{place}]: {says}"
            raise ValueError(msg)
    return observers


def _why_deaf(observer: Any) -> str:
    """Return why something can't be an observer; nothing if it can."""
    if isinstance(observer, type):
        name = observer.__name__
        return f"got the class {name} (call it: {name}())"
    kind = type(observer).__name__
    if isinstance(observer, BaseCallbackHandler) and not callable(observer):
        return (
            f"{kind} is a LangChain callback handler, and hears of runs, not of "
            f"attempts; write callbacks=[{kind}(...)]"
        )
    if not callable(observer):
        return (
            f"got a value of type {kind}; write a function that takes an event, or an "
            "observer such as Timeline()"
        )
    if _is_async(observer):
        return "it is called between the steps of a call: write `def`, not `async def`"
    return ""


def _is_async(value: Any) -> bool:
    if not callable(value):
        return False
    return any(map(inspect.iscoroutinefunction, (value, type(value).__call__)))


def checked_name(asked: object) -> str:
    """Return a call-time `model=`.

    Raises:
        TypeError: It is no name.
        ValueError: It is an empty one.
    """
    say = 'write a model\'s name, such as model="gpt-5.4", or leave it out'
    if not isinstance(asked, str):
        msg = f"model= got a value of type {type(asked).__name__}; {say}"
        raise TypeError(msg)
    if not asked.strip():
        msg = f"model= is empty; {say}"
        raise ValueError(msg)
    return asked


def checked_options(given: object) -> CallOptions:
    """Return a call's `reliable=`.

    Raises:
        TypeError: It is something else than `CallOptions`.
    """
    if isinstance(given, CallOptions):
        return given
    written = given if isinstance(given, dict) else {}
    named = [name for name in CallOptions.model_fields if name in written]
    say = ", ".join(f"{name}=..." for name in named or ["start_at"])
    kind = type(given).__name__
    msg = f"reliable= got a value of type {kind}; write reliable=CallOptions({say})"
    raise TypeError(msg)


def checked_span(field: str, value: Any) -> Any:
    """Return what a user wrote in `answer_timeout`.

    Raises:
        ValueError: It is no span of time; the text says what to write.
    """
    if value is None or value == "auto":
        return value
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number and 0 < value < math.inf:
        return float(value)
    msg = f'write a number of seconds, "auto" or None: {field}=60'
    raise ValueError(msg)


def checked_seconds(timeout: object) -> float:
    """Return the `timeout` of a check.

    Raises:
        TypeError: It is no number.
        ValueError: Nobody can answer in that time, or it has no end.
    """
    say = "write a number of seconds, such as timeout=30"
    if not isinstance(timeout, (int, float)) or isinstance(timeout, bool):
        msg = f"timeout= got a value of type {type(timeout).__name__}; {say}"
        raise TypeError(msg)
    if not 0 < timeout < math.inf:
        msg = f"timeout={timeout:g} is no time to answer in; {say}"
        raise ValueError(msg)
    return timeout
