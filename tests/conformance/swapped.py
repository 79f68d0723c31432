"""A pytest plugin: whoever builds a partner's chat model gets it wrapped.

Putting a stand-in where test modules import the class from lives here. Which tests
run, and what their outcome means, never does.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import httpx

from langchain_reliable import Candidate, ReliableChatModel
from langchain_reliable._runtime.clock import SystemClock
from langchain_reliable.testing import ScriptedChatModel

CLASSES = {
    "ChatOpenAI": ("langchain_openai", "langchain_openai.chat_models"),
    "_ChatOpenAICodex": ("langchain_openai.chat_models.codex",),
    "ChatAnthropic": ("langchain_anthropic",),
}
"""Classes, and the modules from which their tests import them."""

MANNERS = ("bare", "alone", "after_dead")
MANNER = os.environ.get("CONFORMANCE_MANNER", "bare")


class _Stopped(SystemClock):
    """A clock that moves by waiting: some tests compare the metadata of calls."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def sleep_until(self, moment: float) -> None:
        self.time = moment

    async def asleep_until(self, moment: float) -> None:
        self.time = moment


def wrapped(model: Any) -> ReliableChatModel:
    """Return a reliable model of this one, asked first or after a dead one."""
    down = httpx.ConnectError("nobody listens here")
    dead = Candidate(ScriptedChatModel(model="dead", script=[down]), max_retries=0)
    before = [dead] if MANNER == "after_dead" else []
    reliable = ReliableChatModel(models=[*before, model])
    reliable._clock = _Stopped()
    return reliable


class _StandIn(type):
    """A class to look at, whose instances are wrapped models."""

    real: type

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return wrapped(cls.real(*args, **kwargs))

    def __getattr__(cls, name: str) -> Any:
        return getattr(cls.real, name)

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, (ReliableChatModel, cls.real))


def _put_in_place(name: str, modules: tuple[str, ...]) -> None:
    for path in modules:
        try:
            module = import_module(path)
        except ImportError:
            continue
        stand_in = _StandIn(name, (), {"real": getattr(module, name)})
        setattr(module, name, stand_in)


def pytest_configure() -> None:
    """Swap the classes before the first test module is imported."""
    if MANNER != "bare":
        for name, modules in CLASSES.items():
            _put_in_place(name, modules)
