"""Real clients at the simulator, and every way to ask."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest
from every_way import WAYS, Way
from real_clients import clients, leave_no_connection, no_tls, sim

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["clients", "leave_no_connection", "no_tls", "sim"]


@pytest.fixture(autouse=True, scope="session")
def _no_long_pauses() -> Iterator[None]:
    """Spare the collector all that was imported: walking it outlasts our limits."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, run: Any) -> Way:
    """One of the ways to ask; a test with it runs on each."""
    return Way(request.param, run)
