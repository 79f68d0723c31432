"""A candidate made ready: bindings off, retries off, rebuilt for another model."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from langchain_core.language_models import BaseChatModel

from langchain_reliable._children.base import bare_model, own_model, unwrapped
from langchain_reliable._children.callbacks import callbacks_of
from langchain_reliable._children.chat_model import ChatChild
from langchain_reliable._children.rebuild import rebuilt_for_model
from langchain_reliable._children.runnable import RunnableChild
from langchain_reliable._children.sdk_retries import without_sdk_retries

if TYPE_CHECKING:
    from langchain_reliable._children.base import Child, ChildConfig
    from langchain_reliable.candidates import Candidate

__all__ = ["bare_model", "child_of", "own_model"]


def child_of(candidate: Candidate, how: ChildConfig) -> Child:
    """Return a candidate's child, prepared at first use and kept with it."""
    if (child := candidate._kept.get(how)) is None:
        # Two threads may prepare the same child at once; the first to arrive stays.
        child = candidate._kept.setdefault(how, _prepared(candidate, how))
    return cast("Child", child)


def _prepared(candidate: Candidate, how: ChildConfig) -> Child:
    model, kwargs, configs = unwrapped(candidate.model)
    if not isinstance(model, BaseChatModel):
        asked = {"model": how.model} if how.model else {}
        return RunnableChild(model, {**kwargs, **asked}, candidate.kwargs)
    if how.model is not None:
        kwargs.pop("model", None)
        if (rebuilt := rebuilt_for_model(model, how.model)) is None:
            kwargs["model"] = how.model
        model = rebuilt or model
    if how.manage_retries:
        model = without_sdk_retries(model, how.read_timeout)
    return ChatChild(model, kwargs, candidate.kwargs, callbacks_of(model, configs))
