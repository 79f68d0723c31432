"""What the tests of the pages share: waits that pass at once."""

from __future__ import annotations

import pytest

from langchain_reliable._runtime.clock import SystemClock


@pytest.fixture
def in_no_time(monkeypatch):
    """Let waits pass at once."""
    now, ahead = SystemClock.now, [0.0]

    def sleep_until(self, moment):
        ahead[0] += max(0.0, moment - self.now())

    async def asleep_until(self, moment):
        sleep_until(self, moment)

    monkeypatch.setattr(SystemClock, "now", staticmethod(lambda: now() + ahead[0]))
    monkeypatch.setattr(SystemClock, "sleep_until", sleep_until)
    monkeypatch.setattr(SystemClock, "asleep_until", asleep_until)
