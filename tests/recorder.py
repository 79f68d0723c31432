"""A real LangSmith tracer, with a client that keeps what it would send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import langsmith
import pytest
from langsmith.utils import get_env_var

if TYPE_CHECKING:
    from collections.abc import Iterator

SWITCHES = ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2")


class Recorder(langsmith.Client):
    """Keeps what it would send."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1", api_key="none", auto_batch_tracing=False)
        self.begun: list[tuple[str, dict[str, Any]]] = []
        self.ended: list[dict[str, Any]] = []

    def create_run(self, name: str, inputs: Any, run_type: str, **facts: Any) -> None:
        self.begun.append((run_type, facts))

    def update_run(self, run_id: Any, **facts: Any) -> None:
        self.ended.append(facts)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """Switch tracing on as a user does, with a client that sends nothing."""
    for name in SWITCHES:
        monkeypatch.setenv(name, "true")
    get_env_var.cache_clear()
    client = Recorder()
    with langsmith.tracing_context(client=client):
        yield client
    client.cleanup()
    monkeypatch.undo()
    get_env_var.cache_clear()
