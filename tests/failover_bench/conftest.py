"""A tracer that keeps what it would send."""

from recorder import recorder

__all__ = ["recorder"]
