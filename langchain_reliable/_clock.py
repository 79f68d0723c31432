"""Where pickles written by 0.1 look for their clock."""

from langchain_reliable._runtime.clock import SystemClock

__all__ = ["SystemClock"]
