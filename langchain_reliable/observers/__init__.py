"""Observers that come with the package, one file each.

What hears a call's events and passes them on to people lives here. Observers never
change what a call does.
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
