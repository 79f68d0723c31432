"""Observers that come with the package: a log, a picture, custom events, traces.

A call hands each of its events (`langchain_reliable.events`) to those who want it, in
its own thread or task and between its steps; `_dispatch` sees to it that an observer
that raises is logged once and never breaks a call. Observers keep what they need by the
call's number and the attempt's, because calls run side by side and so may two attempts
of one call. None of them changes what a call does, and none keeps a prompt.
"""

from typing import TYPE_CHECKING

from langchain_reliable.observers._lazy import lazily
from langchain_reliable.observers._logging import LoggingObserver

if TYPE_CHECKING:
    from langchain_reliable.observers._custom_events import CustomEventObserver
    from langchain_reliable.observers._opentelemetry import OpenTelemetryObserver
    from langchain_reliable.observers._timeline import Picture, Timeline

__all__ = [
    "CustomEventObserver",
    "LoggingObserver",
    "OpenTelemetryObserver",
    "Picture",
    "Timeline",
]

__getattr__ = lazily(
    __name__,
    {
        "CustomEventObserver": f"{__name__}._custom_events",
        "OpenTelemetryObserver": f"{__name__}._opentelemetry",
        "Picture": f"{__name__}._timeline",
        "Timeline": f"{__name__}._timeline",
    },
)


def __dir__() -> list[str]:
    return __all__
