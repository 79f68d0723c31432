"""The instruments of an OpenTelemetry meter, and the attributes they share with spans.

`_opentelemetry` says when something is counted, here stands what and under which name.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from langchain_reliable.observers._forks import renewed_after_fork

if TYPE_CHECKING:
    from langchain_reliable.failures import Failure

NAME: Final = "langchain_reliable"

Attributes: TypeAlias = "dict[str, Any]"


def facts(**values: str | float | bool | tuple[str, ...]) -> Attributes:
    """Return attributes of ours."""
    return {f"{NAME}.{name}": value for name, value in values.items()}


def error_type(failure: Failure | None) -> Attributes:
    """Return what went wrong, if something did."""
    return {"error.type": failure.kind.value} if failure is not None else {}


class Meters:
    """The instruments."""

    def __init__(self, meter: Any) -> None:
        """Make them.

        Args:
            meter: An OpenTelemetry meter.
        """
        self._attempts = meter.create_counter(
            f"{NAME}.attempts", "{attempt}", "Requests to candidates."
        )
        self._failovers = meter.create_counter(
            f"{NAME}.failovers",
            "{call}",
            "Calls that another entry of `models` than their first has answered.",
        )
        self._passed_over = meter.create_counter(
            f"{NAME}.passed_over", "{candidate}", "Candidates that were not asked."
        )
        self._hedges = meter.create_counter(
            f"{NAME}.hedges", "{attempt}", "Requests beside one that was silent."
        )
        self._restarts = meter.create_counter(
            f"{NAME}.restarts", "{stream}", "Streams that took a broken one's place."
        )
        self._slow = meter.create_counter(
            f"{NAME}.slow_calls", "{attempt}", "Answers that began too late for health."
        )
        self._interruptions = meter.create_counter(
            f"{NAME}.interruptions", "{stream}", "Streams that broke while shown."
        )
        self._first_chunk = meter.create_histogram(
            f"{NAME}.time_to_first_chunk",
            "s",
            "Streams: from the beginning of a call, with all its tries and waits, to "
            "the first chunk that is let out.",
        )
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            "s",
            "One attempt, up to its first chunk, its answer or its failure.",
        )
        self._circuits = meter.create_up_down_counter(
            f"{NAME}.open_circuits", "{candidate}", "Candidates that are left alone."
        )
        self._open: set[str] = set()
        self._lock = renewed_after_fork(threading.RLock, self, "_lock")

    def ended(self, asked: Attributes, seconds: float, failure: Failure | None) -> None:
        """An attempt has committed or failed."""
        told = {**asked, **error_type(failure)}
        self._attempts.add(1, told)
        self._duration.record(seconds, told)

    def lost(self, asked: Attributes) -> None:
        """An attempt was slower than another; its duration says nothing."""
        self._attempts.add(1, {**asked, **facts(lost=True)})

    def failed_over(self, source: str, target: str, why: Attributes) -> None:
        """Another than the first has answered a call."""
        self._failovers.add(1, {**facts(source=source, target=target), **why})

    def passed_over(self, candidate: str, reason: str) -> None:
        """A candidate was not asked."""
        self._passed_over.add(1, facts(candidate=candidate, reason=reason))

    def hedged(self, source: str, target: str) -> None:
        """A request was sent beside another."""
        self._hedges.add(1, facts(source=source, target=target))

    def restarted(self, source: str, target: str) -> None:
        """A stream has taken the place of one that broke."""
        self._restarts.add(1, facts(source=source, target=target))

    def slow(self, candidate: str, *, streams: bool) -> None:
        """An answer began later than is taken for healthy."""
        told = {"gen_ai.request.stream": streams, **facts(candidate=candidate)}
        self._slow.add(1, told)

    def spoke(self, candidate: str, seconds: float) -> None:
        """A stream has been let out."""
        self._first_chunk.record(seconds, facts(candidate=candidate))

    def interrupted(self, asked: Attributes, why: Failure) -> None:
        """A stream broke while it was shown."""
        self._interruptions.add(1, {**asked, **error_type(why)})

    def circuit(self, candidate: str, *, is_open: bool) -> None:
        """A circuit has opened or closed; told once, whoever tells."""
        with self._lock:
            if (candidate in self._open) is is_open:
                return
            (self._open.add if is_open else self._open.discard)(candidate)
        self._circuits.add(1 if is_open else -1, facts(candidate=candidate))
