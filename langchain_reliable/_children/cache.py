"""Caches of answers: a child's own, and the veil before the wrapper's.

Looking answers up and putting them away, as `BaseChatModel` does for `invoke`, lives
here. Whom to ask when nothing is found never does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from langchain_core.caches import BaseCache
from langchain_core.load import dumps
from langchain_core.outputs import ChatGeneration, ChatResult
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from langchain_core.caches import RETURN_VAL_TYPE
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage


class Memory:
    """A child's own cache object, opened at one request."""

    def __init__(self, model: BaseChatModel, prompt: str, key: str) -> None:
        """Open it; `memory_of` finds out what at."""
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


def memory_of(
    model: BaseChatModel,
    messages: list[BaseMessage],
    stop: list[str] | None,
    kwargs: dict[str, Any],
) -> Memory | None:
    """Return a child's cache at a request; `None` if it was given none of its own."""
    if not isinstance(model.cache, BaseCache):
        return None
    without_ids = [message.model_copy(update={"id": None}) for message in messages]
    return Memory(model, dumps(without_ids), model._get_llm_string(stop=stop, **kwargs))


class Veil(BaseCache):
    """What the wrapper sees of a cache: answers of its first item, without a trail."""

    def __init__(self, cache: BaseCache) -> None:
        """Stand before a cache."""
        self._cache = cache

    @override
    def lookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        return _retold(self._cache.lookup(prompt, llm_string))

    @override
    async def alookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        return _retold(await self._cache.alookup(prompt, llm_string))

    @override
    def update(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        if _is_of_the_first(return_val):
            self._cache.update(prompt, llm_string, return_val)

    @override
    async def aupdate(
        self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE
    ) -> None:
        if _is_of_the_first(return_val):
            await self._cache.aupdate(prompt, llm_string, return_val)

    @override
    def clear(self, **kwargs: Any) -> None:
        self._cache.clear(**kwargs)


def _retold(known: RETURN_VAL_TYPE | None) -> RETURN_VAL_TYPE | None:
    """Return what is remembered, saying so instead of telling an old story."""
    return known if known is None else [_retold_one(one) for one in known]


def _retold_one(generation: Any) -> Any:
    if not isinstance(generation, ChatGeneration):
        return generation
    message = generation.message
    story = message.response_metadata.get("reliable", {})
    told = {
        "served_by": story.get("served_by", ""),
        "attempts": [],
        "skipped": [],
        "failed_over": False,
        "cached": True,
    }
    metadata = {**message.response_metadata, "reliable": told}
    copy = message.model_copy(update={"response_metadata": metadata})
    return generation.model_copy(update={"message": copy})


def _is_of_the_first(answers: RETURN_VAL_TYPE) -> bool:
    stories = [
        one.message.response_metadata.get("reliable", {})
        for one in answers
        if isinstance(one, ChatGeneration)
    ]
    return not any(story.get("failed_over") for story in stories)
