"""What goes wrong, told to whoever watches the chain, agent or graph while it happens.

A call is not held up by those who watch it: no listener is waited for. LangChain's own
`dispatch_custom_event` may not be called in async code: it would block the event loop
until another thread has run the handlers (seen in langchain-core 1.7.2), and the async
twin has to be awaited, which an observer can't. So handlers are told one by one. Plain
ones are called. Those behind `astream_events` have coroutines that never wait, so they
are run on the spot, and what they tell stands in order with the tokens. A coroutine of
anybody else gets a task of its own.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks.manager import ahandle_event, handle_event
from langchain_core.runnables.config import (
    get_callback_manager_for_config,
    var_child_runnable_config,
)

from langchain_reliable._text.langchain_private import StreamingHandler, node_writer
from langchain_reliable.events import PassedOver
from langchain_reliable.observers._custom_event_data import passed_over, told

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from langchain_core.callbacks import BaseCallbackHandler, CallbackManager
    from langchain_core.runnables import RunnableConfig

    from langchain_reliable.events import Event
    from langchain_reliable.observers._custom_event_data import Data

_HEARD = "on_custom_event"
_IGNORED = "ignore_custom_event"
_MOST_OPEN = 1024


class CustomEventObserver:
    """Sends what goes wrong as LangChain custom events, while it happens.

    A chat UI on `astream_events` gets `on_custom_event` with the name `"reliable"`, a
    LangGraph `stream_mode="custom"` gets `{"reliable": {...}}`, and callback handlers
    hear `on_custom_event`. The data is plain JSON: `type`, `text` (a sentence that can
    be shown, such as `"gpt-5.4 could not be reached; asking claude-sonnet-5"`),
    `candidate`, `attempt` (its number in the call, where there is one), `kind`,
    `status`, and with some types `target`, `seconds`, `reason` or `message_id`. The
    types are `attempt_failed`, `waiting`, `failed_over`, `passed_over`, `hedged`,
    `attempt_lost`, `slow_call`, `restarted`, `interrupted` and `gave_up`.

    A call in which nothing goes wrong tells nothing, and neither does a model that is
    called by itself: custom events belong to the run around it.
    """

    def __init__(self, name: str = "reliable") -> None:
        """Choose a name.

        Args:
            name: The name of the custom events.
        """
        self._name = name
        self._tasks: set[asyncio.Task[None]] = set()
        self._passed_over: dict[int, list[PassedOver]] = {}

    def __call__(self, event: Event, /) -> None:
        """Tell of an event, if there is something to tell and somebody to hear it."""
        config = var_child_runnable_config.get()
        if config is None:
            return
        if isinstance(event, PassedOver):  # told when it is known who is asked instead
            if len(self._passed_over) >= _MOST_OPEN:  # of calls that said no more
                self._passed_over.clear()
            self._passed_over.setdefault(event.call, []).append(event)
            return
        for one in self._passed_over.pop(event.call, ()):
            self._tell(config, passed_over(one, event))
        if (data := told(event)) is not None:
            self._tell(config, data)

    def _tell(self, config: RunnableConfig, data: Data) -> None:
        if (write := node_writer(config)) is not None:
            write({self._name: data})
        manager = get_callback_manager_for_config(config)
        if manager.parent_run_id is not None:
            self._dispatch(manager, data)

    def _dispatch(self, manager: CallbackManager, data: Data) -> None:
        facts: dict[str, Any] = {
            "run_id": manager.parent_run_id,
            "tags": manager.tags,
            "metadata": manager.metadata,
        }
        waits = _waiting_handlers(manager)
        for one in manager.handlers:
            if isinstance(one, StreamingHandler):
                if not one.ignore_custom_event:
                    _run_on_the_spot(one.on_custom_event(self._name, data, **facts))
            elif one not in waits:
                handle_event([one], _HEARD, _IGNORED, self._name, data, **facts)
        if waits:
            told = ahandle_event(waits, _HEARD, _IGNORED, self._name, data, **facts)
            self._start(told)

    def _start(self, told: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(told)
        self._tasks.add(task)  # the loop holds tasks by weak references
        task.add_done_callback(self._tasks.discard)

    # A copy of a model tells the same listeners; tasks belong to this process.

    def __deepcopy__(self, memo: object) -> CustomEventObserver:
        return self

    def __reduce__(self) -> tuple[type[CustomEventObserver], tuple[str]]:
        return type(self), (self._name,)


def _waiting_handlers(manager: CallbackManager) -> list[BaseCallbackHandler]:
    """Return the handlers whose coroutines need the running loop, if there is one."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return []  # LangChain runs them in a loop of their own
    return [
        one
        for one in manager.handlers
        if inspect.iscoroutinefunction(one.on_custom_event)
        and not isinstance(one, StreamingHandler)
    ]


def _run_on_the_spot(told: object) -> None:
    """Run a coroutine that never waits; a plain handler has returned nothing."""
    if not asyncio.iscoroutine(told):
        return
    try:
        told.send(None)
    except StopIteration:
        return
    told.close()
    raise RuntimeError("a streaming handler of LangChain waits: tell us, please")
