"""Call keywords that are meant for us and never reach a child."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

OPTIONS: Final = "reliable"
"""The caller's wishes for one call: `reliable=CallOptions(...)`."""

OUTPUT: Final = "reliable_output"
"""An `OutputReader`, on its way from a structured view to the reception."""


STACK: Final = "reliable_bottom"
"""What a stream stands on; `astream` asks `_astream` to add its generator."""

TRACED: Final = "reliable_traced"
"""The run that tracers keep, on its way to hooks that get no run manager."""

CONFIG: Final = "reliable_config"
"""The config of a call; LangChain does not show it to the hooks."""

_OURS: Final = frozenset((OPTIONS, OUTPUT, STACK, TRACED, CONFIG))


def child_keywords(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return call keywords without those meant for us."""
    theirs = dict(kwargs)
    for name in _OURS:
        theirs.pop(name, None)
    return theirs


def cache_key_part(kwargs: Mapping[str, Any]) -> str:
    """Return what of our keywords an answer depends on, in words, for a cache."""
    asked_first = getattr(kwargs.get(OPTIONS), "start_at", None)
    output = kwargs.get(OUTPUT)
    return f"---{asked_first or ''}---{output.spec.key if output else ''}"
