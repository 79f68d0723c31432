"""Call keywords that are meant for us and never reach a child."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from langchain_core.runnables.config import var_child_runnable_config

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


def conversation_of(config: Mapping[str, Any] | None, key: str) -> Any:
    """Return what names the conversation of a call; `None` if nothing does.

    Args:
        config: The config that the call was given; else that of the step it runs in.
        key: Its name in `config["configurable"]`.
    """
    configurable = (config or {}).get("configurable")
    if configurable is None:
        configurable = (var_child_runnable_config.get() or {}).get("configurable")
    return (configurable or {}).get(key)


def child_keywords(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return call keywords without those meant for us."""
    if kwargs.keys() <= _OURS:
        return {}
    theirs = dict(kwargs)
    for name in _OURS:
        theirs.pop(name, None)
    return theirs


def cache_key_part(kwargs: Mapping[str, Any]) -> str:
    """Return what of our keywords an answer depends on, in words, for a cache."""
    options, output = kwargs.get(OPTIONS), kwargs.get(OUTPUT)
    asked_first = getattr(options, "start_at", None) or ""
    if tags := getattr(options, "tags", ()):
        asked_first += f"---{sorted(tags)}"
    return f"---{asked_first}---{output.spec.key if output else ''}"
