"""Observers that come with the package, one file each.

What hears a call's events and passes them on to people lives here. Observers never
change what a call does.
"""

from langchain_reliable.observers._custom_events import CustomEventObserver
from langchain_reliable.observers._logging import LoggingObserver
from langchain_reliable.observers._otel import OpenTelemetryObserver
from langchain_reliable.observers._timeline import Picture, Timeline

__all__ = [
    "CustomEventObserver",
    "LoggingObserver",
    "OpenTelemetryObserver",
    "Picture",
    "Timeline",
]
