"""The sixteen faults of the public Failover Bench, rebuilt on the simulator.

Each fault strikes a primary; a healthy backup stands behind it. Every contestant gets
the same real clients (`ChatOpenAI`, with a time-out of 12 s and their SDK's own
retries) and streams the answer to somebody who waits 20 s for the whole of it. Time
runs fast: one second of the catalogue is `SECOND`. What came of a fault is said in the
catalogue's words; what exactly they mean is ours:

pass
    The full answer of one model, in time, with no more requests than needed: at most
    three to the primary (the SDKs' own number of tries) and one to the backup. For the
    content filter it is the provider's own error: nobody else should be asked to say
    what a filter has refused. For the primary that recovers it is twenty such answers,
    at most six requests to it while it is down, and the primary among those who answer
    in the end. For the accounting it is the backup's name and usage, counted once.
partial
    The full answer of one model, with a blemish: late, too many requests, a filter
    passed by, the wrong name or usage.
safe
    A clean error, after nothing or after the beginning of one model's answer.
fail
    Anything else: two texts mixed, a text cut short without an error, no end at all.

Run it as a command for the table: `make failover-bench`. The published rows were
measured by others on their harness; the verdicts above are ours, so the rows measured
here, `with_fallbacks` among them, are the ones to compare.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias
from unittest import mock

from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_openai import ChatOpenAI
from langchain_openai.chat_models import _client_utils as caches

from langchain_reliable import CircuitBreaker, ReliableChatModel
from langchain_reliable.testing import (
    Simulator,
    Usage,
    content_policy,
    content_then_cut,
    content_then_stall,
    context_overflow,
    error_status,
    hang_before_headers,
    malformed_event,
    no_done,
    rate_limited,
    reset,
    says,
    simulator,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langchain_reliable.testing import Reply

SECOND = 0.05
"""How long a second of the catalogue lasts here."""
CLIENT_TIMEOUT = 12
"""Seconds after which a client gives up a silent socket."""
PATIENCE = 20
"""Seconds that somebody waits for the whole answer."""
NO_END = 150
"""Seconds after which we stop waiting for any end at all."""
TRIES = 3
"""Requests that a contestant may spend on a primary that is down."""
WHILE_DOWN = 6
"""The same for one that stays down for ten calls."""
CALLS = 20

TEXTS = [" ".join(f"{name}-{n}" for n in range(60)) for name in ("first", "second")]
PRIMARY = says(TEXTS[0])
BACKUP = says(TEXTS[1], usage=Usage(input_tokens=7, output_tokens=60))


# --- contestants ------------------------------------------------------------------

Contestant: TypeAlias = Callable[[ChatOpenAI, ChatOpenAI], Any]


def with_fallbacks(primary: ChatOpenAI, backup: ChatOpenAI) -> Any:
    """Use what LangChain brings along."""
    return primary.with_fallbacks([backup])


def ours(**settings: Any) -> Contestant:
    """Use a `ReliableChatModel`; its defaults in the bench's time."""
    scaled = {
        "initial_backoff": 0.5 * SECOND,
        "max_backoff": 10 * SECOND,
        "max_retry_after": 5 * SECOND,
        "max_last_wait": 30 * SECOND,
        "first_chunk_timeout": 60 * SECOND,
        "idle_timeout": 120 * SECOND,
        "circuit_breaker": CircuitBreaker(open_for=30 * SECOND),
        **settings,
    }

    def contestant(primary: ChatOpenAI, backup: ChatOpenAI) -> ReliableChatModel:
        return ReliableChatModel(models=[primary, backup], **scaled)

    return contestant


SET = {"first_chunk_timeout": 8 * SECOND, "commit_on": "complete"}
CONTESTANTS: dict[str, Contestant] = {
    "with_fallbacks": with_fallbacks,
    "ours, defaults": ours(),
    "ours, set": ours(**SET),
}
PUBLISHED = (
    "with_fallbacks: 9 pass, 3 partial, 4 safe",
    "LiteLLM Router: 9 pass, 3 partial, 4 safe",
    "best third-party gateway: 12 pass",
)


# --- one call ---------------------------------------------------------------------


@dataclass
class Call:
    """What one call came to."""

    shown: str = ""
    error: Exception | None = None
    ended: bool = False
    seconds: float = 0.0
    model_name: str | None = None
    usage: dict[str, Any] = field(default_factory=dict)

    @property
    def answered(self) -> bool:
        """Whether it is the full answer of one model."""
        return self.ended and self.error is None and self.shown in TEXTS

    @property
    def is_clean_error(self) -> bool:
        """Whether it is an error after no more than the beginning of one answer."""
        begun = any(text.startswith(self.shown) for text in TEXTS)
        return self.ended and self.error is not None and begun

    def carry_out(self, model: Any) -> None:
        """Ask, in this thread."""
        usage = UsageMetadataCallbackHandler()
        try:
            for chunk in model.stream("hello?", config={"callbacks": [usage]}):
                self.shown += chunk.text
                self.model_name = self.model_name or chunk.response_metadata.get(
                    "model_name"
                )
        except Exception as error:  # noqa: BLE001 - judged later
            self.error = error
        self.usage = dict(usage.usage_metadata)
        self.ended = True


def asked(model: Any) -> Call:
    """Ask a contestant, and wait for an end as long as can be expected."""
    call, began = Call(), time.monotonic()
    thread = threading.Thread(target=call.carry_out, args=(model,), daemon=True)
    thread.start()
    thread.join(NO_END * SECOND)
    call.seconds = (time.monotonic() - began) / SECOND
    return call


# --- the catalogue ----------------------------------------------------------------


@dataclass(frozen=True)
class Fault:
    """A fault of the catalogue: what the primary does, and how the end is judged."""

    name: str
    replies: tuple[Reply, ...] = ()
    play: Callable[[Simulator, Any, tuple[Reply, ...]], str] | None = None


def judged(sim: Simulator, call: Call, blemishes: Iterable[bool] = ()) -> str:
    """Say in a word what a call came to."""
    if call.is_clean_error:
        return "safe"
    if not call.answered:
        return "fail"
    late = call.seconds > PATIENCE
    extra = sim.count("primary") > TRIES or sim.count("backup") > 1
    return "partial" if late or extra or any(blemishes) else "pass"


def once(sim: Simulator, model: Any, replies: tuple[Reply, ...]) -> str:
    """One call, judged by its answer."""
    sim.script("primary", *replies)
    return judged(sim, asked(model))


def filtered(sim: Simulator, model: Any, replies: tuple[Reply, ...]) -> str:
    """One call that had better end in the provider's error."""
    sim.script("primary", *replies)
    call = asked(model)
    if call.is_clean_error and not call.shown:
        return "pass"
    return judged(sim, call, [True])


def without_prefill(sim: Simulator, model: Any, replies: tuple[Reply, ...]) -> str:
    """One call whose backup refuses to continue what another has begun."""
    sim.script("primary", *replies)
    call = asked(model)
    last = [one.body["messages"][-1]["role"] for one in sim.requests]
    return "fail" if "assistant" in last else judged(sim, call)


def flapping(sim: Simulator, model: Any, replies: tuple[Reply, ...]) -> str:
    """Twenty calls, two seconds apart; the primary is down for the first ten."""
    sim.script("primary", *replies)
    calls, began = [], time.monotonic()
    for number in range(CALLS):
        if number == CALLS // 2:
            while_down = sim.count("primary")
            sim.script("primary", PRIMARY)
        due = began + 2 * number * SECOND
        time.sleep(max(0.0, due - time.monotonic()))
        calls.append(asked(model))
    if not all(call.answered or call.is_clean_error for call in calls):
        return "fail"
    if not all(call.answered for call in calls):
        return "safe"
    late = any(call.seconds > PATIENCE for call in calls)
    returned = calls[-1].model_name == "primary"
    return "partial" if late or while_down > WHILE_DOWN or not returned else "pass"


def accounting(sim: Simulator, model: Any, replies: tuple[Reply, ...]) -> str:
    """One call whose answer must be put to the backup's account."""
    sim.script("primary", *replies)
    call = asked(model)
    counts = [
        (name, used["input_tokens"], used["output_tokens"])
        for name, used in call.usage.items()
    ]
    wrong = call.model_name != "backup" or counts != [("backup", 7, 60)]
    return judged(sim, call, [wrong])


FAULTS = (
    Fault("429 with Retry-After 2, once", (rate_limited(2 * SECOND), PRIMARY)),
    Fault("429, persistent", (rate_limited(),)),
    Fault("500, once", (error_status(500), PRIMARY)),
    Fault("503, persistent", (error_status(503),)),
    Fault("reset before headers", (reset(),)),
    Fault("no response at all", (hang_before_headers(),)),
    Fault("first token after 20 s", (says(TEXTS[0], delay=20 * SECOND),)),
    Fault("cut after 40 of 60 tokens", (content_then_cut(PRIMARY, after=40),)),
    Fault("stall after 20 tokens", (content_then_stall(PRIMARY, after=20),)),
    Fault("tenth event malformed", (malformed_event(PRIMARY, after=9),)),
    Fault("no [DONE]", (no_done(PRIMARY),)),
    Fault("context length exceeded", (context_overflow(),)),
    Fault("content filter", (content_policy(),), filtered),
    Fault(
        "cut, and a backup that takes no prefill",
        (content_then_cut(PRIMARY, after=40),),
        without_prefill,
    ),
    Fault("down for ten calls, then healthy", (error_status(503),), flapping),
    Fault("accounting after a failover", (error_status(503),), accounting),
)


# --- running it -------------------------------------------------------------------


def verdict(fault: Fault, contestant: Contestant) -> str:
    """Let a fault strike a contestant, on a simulator of its own."""
    with simulator() as sim, _quick_sdk():
        sim.script("backup", BACKUP)
        children = [_client(sim, name) for name in ("primary", "backup")]
        try:
            play = fault.play or once
            return play(sim, contestant(*children), fault.replies)
        finally:
            for child in children:
                child.root_client.close()
            caches._cached_sync_httpx_client.cache_clear()
            caches._cached_async_httpx_client.cache_clear()


def _client(sim: Simulator, name: str) -> ChatOpenAI:
    return ChatOpenAI(
        model=name,
        base_url=sim.openai_url,
        api_key="sk-test",
        stream_usage=True,
        timeout=CLIENT_TIMEOUT * SECOND,
    )


def _quick_sdk() -> Any:
    """Let the SDK's own backoff, which is in its constants, pass in our time."""
    return mock.patch.multiple(
        "openai._base_client",
        INITIAL_RETRY_DELAY=0.5 * SECOND,
        MAX_RETRY_DELAY=8 * SECOND,
    )


def table(rows: dict[str, dict[str, str]]) -> str:
    """Return the verdicts as text: a line per fault, a column per contestant."""
    width = max(len(fault.name) for fault in FAULTS)
    columns = list(rows)
    lines = ["  ".join([" " * width, *columns])]
    for fault in FAULTS:
        words = [rows[name][fault.name].ljust(len(name)) for name in columns]
        lines.append("  ".join([fault.name.ljust(width), *words]).rstrip())
    lines += ["", "measured here:"]
    lines += [f"  {name}: {_summed(row.values())}" for name, row in rows.items()]
    lines += ["published:", *(f"  {row}" for row in PUBLISHED), ""]
    return "\n".join(lines)


def _summed(words: Iterable[str]) -> str:
    count = Counter(words)
    order = ("pass", "partial", "safe", "fail")
    return ", ".join(f"{count[word]} {word}" for word in order if count[word])


def main() -> None:
    """Print the table."""
    logging.getLogger("langchain_reliable").setLevel(logging.CRITICAL)
    rows = {
        name: {fault.name: verdict(fault, contestant) for fault in FAULTS}
        for name, contestant in CONTESTANTS.items()
    }
    sys.stdout.write(table(rows))


if __name__ == "__main__":
    main()
