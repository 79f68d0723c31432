"""Caches of answers: a child's own, and the veil before the wrapper's.

Looking answers up and putting them away, as `BaseChatModel` does for `invoke`, lives
here. Whom to ask when nothing is found never does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from langchain_core.caches import BaseCache
from langchain_core.load import dumps
from langchain_core.outputs import ChatResult

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage


class ChildCache:
    """A child's own cache object, opened at one request."""

    def __init__(self, model: BaseChatModel, prompt: str, key: str) -> None:
        """Open it; `cache_of` finds out what at."""
        self._cache = cast("BaseCache", model.cache)
        self._model = model
        self._at = prompt, key

    def answer(self, ask: Callable[[], ChatResult]) -> ChatResult:
        """Return what is remembered, else ask and remember."""
        if (known := self._cache.lookup(*self._at)) is not None:
            return self._as_result(known)
        result = ask()
        self._cache.update(*self._at, result.generations)
        return result

    async def aanswer(self, ask: Callable[[], Awaitable[ChatResult]]) -> ChatResult:
        """Return what is remembered, else ask; the twin of `answer`."""
        if (known := await self._cache.alookup(*self._at)) is not None:
            return self._as_result(known)
        result = await ask()
        await self._cache.aupdate(*self._at, result.generations)
        return result

    def _as_result(self, known: Sequence[Any]) -> ChatResult:
        return ChatResult(generations=self._model._convert_cached_generations([*known]))


def cache_of(
    model: BaseChatModel,
    messages: list[BaseMessage],
    stop: list[str] | None,
    kwargs: dict[str, Any],
) -> ChildCache | None:
    """Return a child's cache at a request; `None` if it was given none of its own."""
    if not isinstance(model.cache, BaseCache):
        return None
    without_ids = [message.model_copy(update={"id": None}) for message in messages]
    return ChildCache(
        model, dumps(without_ids), model._get_llm_string(stop=stop, **kwargs)
    )
