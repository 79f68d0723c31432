"""Telling tracers which model has answered.

A run begins before anybody is asked, and LangChain tells tracers then whose model it is
(`ls_provider`, `ls_model_name`): cost views go by it. Where another candidate answers,
that is corrected at the commit, in the runs that tracers keep until they send their
end: what the run manager holds itself is read no more by then (seen in langchain-core
1.8.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from langchain_core.runnables.config import (
    ensure_config,
    var_child_runnable_config,
)

from langchain_reliable._text.langchain_private import (
    context_handlers,
    langsmith_is_on,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

    from langchain_core.callbacks import AsyncCallbackManager, CallbackManager
    from langchain_core.callbacks.base import Callbacks
    from langchain_core.callbacks.manager import BaseRunManager
    from langchain_core.runnables import RunnableConfig

    from langchain_reliable._core.steps import Route

_OF_A_MODEL: Final = (
    "ls_provider",
    "ls_model_name",
    "ls_model_type",
    "ls_temperature",
    "ls_max_tokens",
    "ls_stop",
)
"""What tracers are told of a model; the rest of a run's metadata is its caller's."""


class TracedRun(NamedTuple):
    """A run that somebody keeps.

    Attributes:
        run_id: Its id.
        tracers: Who keeps it.
    """

    run_id: UUID
    tracers: tuple[Any, ...]

    def answered_by(self, params: Mapping[str, Any], route: Route) -> None:
        """Tell all tracers who has answered.

        Args:
            params: What the child says of itself; nothing for what is no chat model.
            route: The candidate.
        """
        if not params.get("ls_model_name"):
            name = {"ls_model_name": route.model or route.name}
            provider = {"ls_provider": route.provider} if route.provider else {}
            params = {"ls_model_type": "chat", **provider, **params, **name}
        for tracer in self.tracers:
            _correct(tracer.run_map, self.run_id, params)


def traced_run(run_manager: BaseRunManager) -> TracedRun | None:
    """Return a run, if somebody keeps it."""
    tracers = _tracers_among(run_manager.handlers)
    return TracedRun(run_manager.run_id, tracers) if tracers else None


def traced_stream(
    config: RunnableConfig | None,
    own: Callbacks,
    manager_class: type[CallbackManager | AsyncCallbackManager],
) -> tuple[RunnableConfig | None, TracedRun | None]:
    """Find out who will keep the run of a stream that is about to begin.

    Its hook gets no run manager (seen in langchain-core 1.8.3). So its id is chosen
    here, and the callbacks are configured here, which makes the tracer that settings of
    the environment ask for; LangChain then takes both as they are.

    Args:
        config: The config of the stream.
        own: The callbacks of the model itself.
        manager_class: The manager for this kind of stream.

    Returns:
        The config to go on with, and the run if somebody keeps it.
    """
    given: RunnableConfig = {}  # mostly there is none, and filling one in takes time
    if config is not None or var_child_runnable_config.get() is not None:
        given = ensure_config(config)
    callbacks = given.get("callbacks")
    known = getattr(callbacks, "handlers", callbacks)
    if not (known or own or _is_traced_by_context()):
        return config, None
    manager = manager_class.configure(callbacks)
    handlers = own if isinstance(own, list) else getattr(own, "handlers", None)
    tracers = _tracers_among((*manager.handlers, *(handlers or ())))
    if not tracers:
        return config, None
    if (run_id := given.get("run_id")) is None:
        from langchain_core.utils.uuid import uuid7  # noqa: PLC0415 - seldom used

        run_id = uuid7()
    return {**given, "callbacks": manager, "run_id": run_id}, TracedRun(run_id, tracers)


def _is_traced_by_context() -> bool:
    """Return whether LangSmith's settings or a `with` block ask for a tracer."""
    for variable in context_handlers():
        if variable.get() is not None:
            return True
    return langsmith_is_on()


def _tracers_among(handlers: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(
        one for one in handlers if isinstance(getattr(one, "run_map", None), dict)
    )


def _correct(runs: dict[Any, Any], run_id: UUID, params: Mapping[str, Any]) -> None:
    """Correct a run: tracers find it by its id as text, event streams by the id."""
    if (run := runs.get(str(run_id))) is not None:
        run.extra["metadata"] = _corrected(run.extra.get("metadata"), params)
    elif isinstance(info := runs.get(run_id), dict):
        info["metadata"] = _corrected(info.get("metadata"), params)


def _corrected(
    metadata: Mapping[str, Any] | None, params: Mapping[str, Any]
) -> dict[str, Any]:
    """Return metadata that names another model, as a dict of its own: it is shared."""
    kept = {name: v for name, v in (metadata or {}).items() if name not in _OF_A_MODEL}
    told = {name: params[name] for name in _OF_A_MODEL if name in params}
    return {**kept, **told}
