"""The model's view of a cache: whole answers of its first entry, without old trails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.caches import BaseCache
from langchain_core.outputs import ChatGeneration
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.caches import RETURN_VAL_TYPE


class FirstTierCache(BaseCache):
    """What a model sees of a cache: whole answers of its first entry."""

    def __init__(
        self, cache: BaseCache, accepts: Callable[[ChatGeneration], bool] | None = None
    ) -> None:
        """Stand before a cache.

        Args:
            cache: What remembers.
            accepts: Says whether what is remembered is an answer still.
        """
        self._cache = cache
        self._accepts = accepts

    @override
    def lookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        return self._told(self._cache.lookup(prompt, llm_string))

    @override
    async def alookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        return self._told(await self._cache.alookup(prompt, llm_string))

    def _told(self, known: RETURN_VAL_TYPE | None) -> RETURN_VAL_TYPE | None:
        if known and self._accepts is not None:
            first = known[0]
            if isinstance(first, ChatGeneration) and not self._accepts(first):
                return None
        return known if known is None else [_retold_one(one) for one in known]

    @override
    def update(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        if all(map(_may_be_kept, return_val)):
            self._cache.update(prompt, llm_string, return_val)

    @override
    async def aupdate(
        self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE
    ) -> None:
        if all(map(_may_be_kept, return_val)):
            await self._cache.aupdate(prompt, llm_string, return_val)

    @override
    def clear(self, **kwargs: Any) -> None:
        self._cache.clear(**kwargs)


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


def _may_be_kept(generation: Any) -> bool:
    """Return whether an answer is the first entry's, and not only the least bad one.

    What nobody could better (it was empty, or did not fit) stands in its trail as the
    failure that it is.
    """
    if not isinstance(generation, ChatGeneration):
        return True
    trail = generation.message.response_metadata.get("reliable", {})
    attempts, served_by = trail.get("attempts", ()), trail.get("served_by")
    answered = (
        one["candidate"] == served_by and one["kind"] is None for one in attempts
    )
    return not trail.get("failed_over") and (not attempts or any(answered))
