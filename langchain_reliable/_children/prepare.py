"""A candidate made ready: bindings off, retries off, rebuilt for another model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableBinding

from langchain_reliable._children.callbacks import callbacks_of
from langchain_reliable._children.chat_model import ChatChild, blocks_in_streams
from langchain_reliable._children.rebuild import model_field, rebuilt_for_model
from langchain_reliable._children.runnable import RunnableChild
from langchain_reliable._children.sdk_retries import (
    request_keywords,
    without_sdk_retries,
)
from langchain_reliable._runtime.own_threads import OwnThreads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.runnables import Runnable, RunnableConfig

    from langchain_reliable._children.base import Child, ChildConfig
    from langchain_reliable.candidates import Candidate


def child_of(candidate: Candidate, how: ChildConfig) -> Child:
    """Return a candidate's child, prepared at first use and kept with it."""
    if (child := candidate._kept.get(how)) is None:
        # Two threads may prepare the same child at once; the first to arrive stays.
        child = candidate._kept.setdefault(how, _prepared(candidate, how))
    return cast("Child", child)


def own_model(candidate: Candidate) -> str | None:
    """Return the name of a candidate's own model, where it has one."""
    model, kwargs, _ = _unwrapped(candidate.model)
    if isinstance(bound := kwargs.get("model"), str):
        return bound
    if not isinstance(model, BaseChatModel):
        return None
    name = getattr(model, model_field(model) or "model_name", None)
    return name if isinstance(name, str) and name else None


def bare_model(candidate: Candidate) -> Runnable[Any, Any]:
    """Return a candidate's child without the bindings around it."""
    return _unwrapped(candidate.model)[0]


def _prepared(candidate: Candidate, how: ChildConfig) -> Child:
    model, kwargs, configs = _unwrapped(candidate.model)
    kwargs = {**kwargs, **candidate.kwargs}
    if not isinstance(model, BaseChatModel):
        asked = {"model": how.model} if how.model else {}
        return RunnableChild(model, {**kwargs, **asked})
    if how.model is not None:
        kwargs.pop("model", None)
        if (rebuilt := rebuilt_for_model(model, how.model)) is None:
            kwargs["model"] = how.model
        model = rebuilt or model
    sent: Mapping[str, Any] = {}
    if how.manage_retries:
        sent = {
            name: {**kwargs.pop(name, {}), **value}
            for name, value in request_keywords(model, how.read_timeout).items()
        }
        model = without_sdk_retries(model, how.read_timeout)
    callbacks = callbacks_of(model, configs)
    return ChatChild(model, kwargs, callbacks, sent, _threads_for(candidate, model))


def _threads_for(candidate: Candidate, model: BaseChatModel) -> OwnThreads | None:
    """Return a candidate's threads, if its model has no async code of its own."""
    cls = type(model)
    if cls._agenerate is not BaseChatModel._agenerate and not blocks_in_streams(cls):
        return None
    return cast("OwnThreads", candidate._kept.setdefault("threads", OwnThreads()))


def _unwrapped(
    model: Runnable[Any, Any],
) -> tuple[Runnable[Any, Any], dict[str, Any], list[RunnableConfig]]:
    """Take plain bindings off a model; one with listeners is left as it is."""
    kwargs: dict[str, Any] = {}
    configs: list[RunnableConfig] = []
    while isinstance(model, RunnableBinding) and not model.config_factories:
        kwargs = {**model.kwargs, **kwargs}
        configs.insert(0, model.config)
        model = model.bound
    return model, kwargs, configs
