"""What a caller hands over, checked, in words that say what to write instead."""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import BaseCallbackHandler

from langchain_reliable.policies import CallOptions

if TYPE_CHECKING:
    from langchain_reliable._runtime.peek import CommitOn

_SAMPLING = (
    "it belongs to each model, such as ChatOpenAI(model=..., {name}=...), or to the "
    "call: model.invoke(..., {name}=...)"
)
_LIMITS = {
    "total_timeout": "the whole call",
    "attempt_timeout": "one request",
    "answer_timeout": "an answer in one piece",
}
_BREAKER = "write circuit_breaker=CircuitBreaker({field}=...)"
_MODELS = "write the models in the order to ask: models=[a, b]"

_FOREIGN: Mapping[str, str] = {
    **dict.fromkeys(("fallbacks", "fallback_models", "default_fallbacks"), _MODELS),
    **dict.fromkeys(("model", "model_name", "llm", "llms", "runnables"), _MODELS),
    **dict.fromkeys(("temperature", "top_p", "top_k", "seed", "stop", "n"), _SAMPLING),
    **dict.fromkeys(("presence_penalty", "frequency_penalty", "logprobs"), _SAMPLING),
    **dict.fromkeys(("max_tokens", "max_completion_tokens", "thinking"), _SAMPLING),
    **dict.fromkeys(("reasoning_effort", "model_kwargs"), _SAMPLING),
    **dict.fromkeys(
        ("api_key", "openai_api_key", "anthropic_api_key", "base_url", "api_base"),
        "it belongs to each model, such as ChatOpenAI(model=..., {name}=...)",
    ),
    **dict.fromkeys(("num_retries", "retries"), "write max_retries=..."),
    "retry_after": "write initial_backoff=...",
    "stream_timeout": "write first_chunk_timeout=... or idle_timeout=...",
    "allowed_fails": _BREAKER.format(field="failures"),
    "cooldown_time": _BREAKER.format(field="open_for"),
    "disable_cooldowns": "write circuit_breaker=None",
    "routing_strategy": "write models=[Group([a, b], order=...)]",
    "exceptions_to_handle": "write verdicts={{...}}, or classify=...",
}
"""Options of other libraries, and what means the same here."""


def hint_for(name: str, model: type[Any]) -> str:
    """Return what to write in place of an option that is unknown here.

    Args:
        name: The option, as it was written.
        model: The class that does not know it.
    """
    known = sorted(
        {*model.model_fields}
        | {one.alias for one in model.model_fields.values() if one.alias}
    )
    if name in {"timeout", "request_timeout"}:
        limits = [f"{one} ({_LIMITS[one]})" for one in _LIMITS if one in known]
        return f"write {', '.join(limits[:-1])} or {limits[-1]}"
    if name == "model_list":
        reads = "; from_config reads LiteLLM's" if hasattr(model, "from_config") else ""
        return f"{_MODELS}{reads}"
    if (hint := _FOREIGN.get(name)) is not None:
        return hint.format(name=name)
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean `{close[0]}`?" if close else f"known are: {', '.join(known)}"


def commit_on_for(commit_on: CommitOn | None, *, judged: bool) -> CommitOn:
    """Return what a stream has to show before it is let out.

    Args:
        commit_on: What the user wrote.
        judged: Whether an `accept` judges whole answers.

    Raises:
        ValueError: Something would be let out before it was judged.
    """
    if not judged:
        return commit_on or "payload"
    if commit_on not in (None, "complete"):
        msg = (
            f'commit_on="{commit_on}" lets a stream out before `accept` has seen it '
            "whole; leave commit_on out"
        )
        raise ValueError(msg)
    return "complete"


def checked_classifier(value: Any) -> Any:
    """Return a `classify` or `accept` callback.

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
