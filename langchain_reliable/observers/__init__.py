"""Observers that come with the package, one file each.

What hears a call's events and passes them on to people lives here. Observers never
change what a call does.
"""

from langchain_reliable.observers._logging import LoggingObserver

__all__ = ["LoggingObserver"]
