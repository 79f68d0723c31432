"""The interpreter: what a provider's exception means.

The tables of facts live in `codes`, `statuses`, `types` and `phrases`, one small
reading of them in `interpreter`. What is done about a failure is never decided
here, and no clock, loop, socket or SDK is ever touched.
"""

from langchain_reliable._classify.interpreter import classify

__all__ = ["classify"]
