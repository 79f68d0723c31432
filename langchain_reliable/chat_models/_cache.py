"""The wrapper's view of a cache: answers of its first entry, without an old trail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.caches import BaseCache
from langchain_core.outputs import ChatGeneration
from typing_extensions import override

if TYPE_CHECKING:
    from langchain_core.caches import RETURN_VAL_TYPE


class FirstTierCache(BaseCache):
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
    trail = message.response_metadata.get("reliable", {})
    trail_now = {
        "served_by": trail.get("served_by", ""),
        "attempts": [],
        "skipped": [],
        "failed_over": False,
        "cached": True,
    }
    metadata = {**message.response_metadata, "reliable": trail_now}
    copy = message.model_copy(update={"response_metadata": metadata})
    return generation.model_copy(update={"message": copy})


def _is_of_the_first(answers: RETURN_VAL_TYPE) -> bool:
    trails = [
        one.message.response_metadata.get("reliable", {})
        for one in answers
        if isinstance(one, ChatGeneration)
    ]
    return not any(trail.get("failed_over") for trail in trails)
