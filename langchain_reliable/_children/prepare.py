"""A candidate made ready: bindings off, retries off, rebuilt for another model."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from langchain_core.language_models import BaseChatModel

from langchain_reliable._children.base import bare_model, own_model, unwrapped
from langchain_reliable._children.callbacks import callbacks_of
from langchain_reliable._children.chat_model import ChatChild, blocks_in_streams
from langchain_reliable._children.identity import account_key
from langchain_reliable._children.rebuild import rebuilt_for_model
from langchain_reliable._children.runnable import (
    Built,
    ConfiguredChild,
    RunnableChild,
    ending,
    may_become_a_model,
)
from langchain_reliable._children.sdk_retries import (
    request_keywords,
    without_sdk_retries,
)
from langchain_reliable._runtime.own_threads import OwnThreads
from langchain_reliable._text.log_once import LogOnce

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from langchain_core.runnables import Runnable, RunnableConfig

    from langchain_reliable._children.base import Child, ChildConfig
    from langchain_reliable.candidates import Candidate

logger = logging.getLogger("langchain_reliable")

_warned = LogOnce()

__all__ = ["bare_model", "child_of", "own_model"]


def child_of(candidate: Candidate, how: ChildConfig) -> Child:
    """Return a candidate's child, prepared at first use and kept with it."""
    if (child := candidate._kept.get(how)) is None:
        # Two threads may prepare the same child at once; the first to arrive stays.
        child = candidate._kept.setdefault(how, _prepared(candidate, how))
    return cast("Child", child)


def _prepared(candidate: Candidate, how: ChildConfig) -> Child:
    account = partial(account_key, candidate)
    own = candidate.kwargs
    model, kwargs, _ = unwrapped(candidate.model)
    if isinstance(model, BaseChatModel):
        return _chat_child(candidate, candidate.model, how, account)
    asked = {"model": how.model} if how.model else {}
    as_it_is = RunnableChild(model, {**kwargs, **asked}, own)
    if not may_become_a_model(model):
        _warn_once(model, how)
        return as_it_is

    def build(config: RunnableConfig) -> Built | None:
        if (found := ending(candidate.model, config)) is None:
            _warn_once(model, how)
            return None
        return Built(found[0], _chat_child(candidate, found[1], how, account))

    return ConfiguredChild(build, as_it_is)


def _chat_child(
    candidate: Candidate,
    runnable: Runnable[Any, Any],
    how: ChildConfig,
    account: Callable[[], Hashable],
) -> ChatChild:
    found, kwargs, configs = unwrapped(runnable)
    model = cast("BaseChatModel", found)
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
    cls, threads = type(model), None
    if cls._agenerate is BaseChatModel._agenerate or blocks_in_streams(cls):
        # It has no async code of its own.
        threads = cast(
            "OwnThreads", candidate._kept.setdefault("threads", OwnThreads())
        )
    return ChatChild(model, kwargs, candidate.kwargs, callbacks, account, sent, threads)


def _warn_once(runnable: Runnable[Any, Any], how: ChildConfig) -> None:
    if how.manage_retries and _warned.is_first(type(runnable)):
        logger.warning(
            "%s is called as it is: if a model in it retries by itself, its retries "
            "multiply with ours; set max_retries=0 on that model",
            type(runnable).__name__,
        )
