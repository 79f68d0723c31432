"""Caches of answers: a child's own, and what tells candidates apart in any cache."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import uuid4
from weakref import WeakKeyDictionary

from langchain_core.caches import BaseCache
from langchain_core.language_models import BaseChatModel
from langchain_core.load import dumps
from langchain_core.outputs import ChatResult
from langchain_core.runnables import RunnableSequence

from langchain_reliable._children.base import unwrapped
from langchain_reliable._children.identity import (
    CLIENTS,
    address_of,
    is_key,
    named,
    spelled,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from langchain_core.runnables import Runnable

    from langchain_reliable._children.callbacks import PreparedRequest
    from langchain_reliable.candidates import Candidate

_SHAPES_NOTHING: Final = frozenset(
    {
        *("name", "cache", "verbose", "callbacks", "tags", "metadata", "profile"),
        *("custom_get_token_ids", "rate_limiter", "disable_streaming", "max_retries"),
        *("timeout", "request_timeout", "default_request_timeout"),
        *("http_client", "http_async_client"),
    }
)
"""Fields of chat models that leave every answer as it is."""

_TOKENS: WeakKeyDictionary[Any, str] = WeakKeyDictionary()


# --- a key for answers --------------------------------------------------------------


def answer_key(candidate: Candidate) -> str | None:
    """Return what a candidate's answers depend on, besides what it is asked.

    Every field and every keyword counts, bound ones too, but no key: with another one
    the same model says the same. It is a digest, as headers may hold secrets.

    Returns:
        `None` for a Runnable of which nobody can tell what it will do.
    """
    if "answer" not in candidate._kept:
        try:
            told = _spelled_runnable(candidate.model)
        except _UnknownRunnableError:
            candidate._kept["answer"] = None
        else:
            told += spelled(candidate.kwargs, object_token)
            candidate._kept["answer"] = digest(told)
    return cast("str | None", candidate._kept["answer"])


def digest(text: str) -> str:
    """Return a text's digest: the same in every process, and nothing to read."""
    return hashlib.sha256(text.encode()).hexdigest()


def object_token(value: object) -> str:
    """Return a name for an object that can't be read: its own as long as it lives."""
    try:
        return _TOKENS.setdefault(value, uuid4().hex)
    except TypeError:  # not hashable, or no weak references to it
        return uuid4().hex


class _UnknownRunnableError(Exception):
    """Nobody can tell what a Runnable will do."""


def _spelled_runnable(runnable: Runnable[Any, Any]) -> str:
    model, bound, _ = unwrapped(runnable)
    if isinstance(model, BaseChatModel):
        cls, fields = type(model), {}
        for name in type(model).model_fields:
            value = getattr(model, name, None)
            if name not in _SHAPES_NOTHING and not is_key(name, value):
                fields[name] = address_of(value) if name in CLIENTS else value
        which = object_token(cls) if "<locals>" in cls.__qualname__ else named(cls)
        told = which + spelled(fields, object_token)
    elif isinstance(model, RunnableSequence):
        steps: list[str] = []
        for step in model.steps:
            is_prompt = hasattr(step, "format_prompt")
            steps.append(dumps(step) if is_prompt else _spelled_runnable(step))
            if is_prompt and "not_implemented" in steps[-1]:  # it calls a function
                raise _UnknownRunnableError
        told = "|".join(steps)
    else:
        raise _UnknownRunnableError
    return told + spelled(bound, object_token)


# --- a child's own cache ------------------------------------------------------------


class ChildCache:
    """A child's own cache object, opened at one request."""

    def __init__(
        self,
        model: BaseChatModel,
        prompt: str,
        key: str,
        may_keep: Callable[[ChatResult], bool],
    ) -> None:
        """Open it; `cache_of` finds out what at."""
        self._cache = cast("BaseCache", model.cache)
        self._may_keep = may_keep
        self._model = model
        self._at = prompt, key

    def answer(self, ask: Callable[[], ChatResult]) -> ChatResult:
        """Return what is remembered, else ask and remember."""
        if (known := self._cache.lookup(*self._at)) is not None:
            return self._as_result(known)
        result = ask()
        if self._may_keep(result):
            self._cache.update(*self._at, result.generations)
        return result

    async def aanswer(self, ask: Callable[[], Awaitable[ChatResult]]) -> ChatResult:
        """Return what is remembered, else ask; the twin of `answer`."""
        if (known := await self._cache.alookup(*self._at)) is not None:
            return self._as_result(known)
        result = await ask()
        if self._may_keep(result):
            await self._cache.aupdate(*self._at, result.generations)
        return result

    def _as_result(self, known: Sequence[Any]) -> ChatResult:
        return ChatResult(generations=self._model._convert_cached_generations([*known]))


def cache_of(
    prepared: PreparedRequest, fits: Callable[[ChatResult], bool]
) -> ChildCache | None:
    """Return a child's cache at a request; `None` if it was given none of its own.

    Args:
        prepared: The request.
        fits: Says whether an answer has the form that it was asked for in.
    """
    model = prepared.model
    if not isinstance(model.cache, BaseCache):
        return None
    without_ids = [one.model_copy(update={"id": None}) for one in prepared.messages]
    key = model._get_llm_string(stop=prepared.stop, **prepared.kwargs)

    def may_keep(result: ChatResult) -> bool:
        # One that says nothing, or is broken, is not kept.
        from langchain_reliable._classify.answer import AnswerJudge  # noqa: PLC0415 - few cache

        return AnswerJudge().fault_of_result(result) is None and fits(result)

    return ChildCache(model, dumps(without_ids), key, may_keep)
