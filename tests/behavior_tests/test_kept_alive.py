"""A provider that only pings keeps nobody: no caller, no thread, no socket."""

from __future__ import annotations

import pytest
from our_threads import wait_for_rest

from langchain_reliable import ReliableChatModel
from langchain_reliable.testing import keep_alives_then_silence

LIMIT = 0.05


@pytest.mark.parametrize("family", ["openai", "anthropic"])
@pytest.mark.parametrize("used", [False, True], ids=["new", "in use"])
def test_pings_keep_no_thread_once_nobody_waits(clients, family, used):
    first = clients.of(family, "first")
    if used:  # one that makes its client at first use has it already
        first.invoke("?")
    clients.sim.script("first", keep_alives_then_silence(every=0.01))
    models = [first, clients.of(family, "second")]
    model = ReliableChatModel(models=models, first_chunk_timeout=LIMIT)
    answer = "".join(chunk.text for chunk in model.stream("?"))
    assert answer == "Hello from second."
    clients.sim.wait_closed()
    assert wait_for_rest()
