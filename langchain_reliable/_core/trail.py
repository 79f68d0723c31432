"""What one call has been through so far, and telling those who watch.

Records of attempts, and the events made of them, live here. Nothing is decided by
them: the study writes here and never asks.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias, cast

from langchain_reliable._core.usage import UNKNOWN_USAGE, usage_among
from langchain_reliable.events import (
    Abandoned,
    Answered,
    AttemptFailed,
    AttemptRecord,
    AttemptStarted,
    CircuitClosed,
    CircuitOpened,
    Committed,
    EmptyAnswerReturned,
    FailedOver,
    GaveUp,
    Interrupted,
    Retried,
    Waiting,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_reliable._core.steps import Attempt, Route
    from langchain_reliable._core.usage import Usage
    from langchain_reliable.events import Event
    from langchain_reliable.failures import Failure

Observe: TypeAlias = "Callable[[Event], None]"


class Trail:
    """The attempts of one call, in order."""

    def __init__(
        self,
        items: Sequence[Sequence[Route]],
        observe: Observe | None,
        number: int,
        *,
        streams: bool = False,
    ) -> None:
        """Begin a trail.

        Args:
            items: The plan of the call.
            observe: Hears what happens.
            number: Tells this call's events from those of others.
            streams: Whether the call asks for a stream.
        """
        self.records: list[AttemptRecord] = []
        self.skipped: dict[str, float] = {}
        self.winner: Attempt | None = None
        self._items = items
        self._observe = observe
        self._event_types = getattr(observe, "event_types", None)
        self._number = number
        self._streams = streams

    @property
    def errors(self) -> list[Exception]:
        """What the attempts raised, in order."""
        return [record.error for record in self.records if record.error is not None]

    @property
    def served_by(self) -> str:
        """The name of the candidate that answered."""
        return self.winner.route.name if self.winner is not None else ""

    def as_metadata(self) -> dict[str, object]:
        """Return what happened as plain JSON."""
        winner = self.winner
        return {
            "served_by": self.served_by,
            "attempts": [_plain(record) for record in self.records],
            "skipped": [
                {"candidate": name, "seconds": _finite(seconds)}
                for name, seconds in self.skipped.items()
            ],
            "failed_over": winner is not None and winner.route not in self._items[0],
        }

    # --- what happens -------------------------------------------------------------

    def started(self, attempt: Attempt, last: Route | None, now: float) -> None:
        """A request goes out."""
        name = attempt.route.name
        if last is not None:
            how = Retried if self._share_item(last, attempt.route) else FailedOver
            why = self._last_failure()
            self._tell(how, now, source=last.name, target=name, failure=why)
        if self._wants(AttemptStarted):
            self._tell(
                AttemptStarted,
                now,
                candidate=name,
                number=attempt.number,
                nth=attempt.nth,
                model=attempt.route.model,
                provider=attempt.route.provider,
                streams=self._streams,
            )

    def failed(
        self, attempt: Attempt, failure: Failure, error: Exception, now: float
    ) -> None:
        """An attempt ended without an answer."""
        record = _broken(_record(attempt, now), attempt, failure, error)
        self.records.append(record)
        self._tell(AttemptFailed, now, attempt=record)

    def committed(self, attempt: Attempt, now: float) -> None:
        """A candidate has said its first word."""
        self.winner = attempt
        record = _record(attempt, now)
        self.records.append(record)
        if self._wants(Committed):
            self._tell(Committed, now, attempt=record)

    def settled(self, attempt: Attempt, now: float) -> None:
        """An answer that was put aside is the best there is."""
        self.winner = attempt
        record = self.records[attempt.number - 1]
        # What an answer has cost stands in its message alone.
        record = replace(record, input_tokens=None, output_tokens=None)
        self.records[attempt.number - 1] = record
        self._tell(EmptyAnswerReturned, now, candidate=record.candidate)
        self._tell(Committed, now, attempt=record)

    def interrupted(self, failure: Failure, error: Exception, now: float) -> None:
        """The stream of the winner, which is the last record, broke."""
        winner = cast("Attempt", self.winner)  # only a committed one relays
        record = _broken(self.records[-1], winner, failure, error)
        self.records[-1] = record
        self._tell(
            Interrupted,
            now,
            candidate=self.served_by,
            failure=failure,
            input_tokens=record.input_tokens,
            output_tokens=record.output_tokens,
        )

    def waiting(self, route: Route, seconds: float, now: float) -> None:
        """Nobody is free to ask."""
        why = self._last_failure()
        self._tell(Waiting, now, candidate=route.name, seconds=seconds, failure=why)

    def held_back(self, route: Route, seconds: float) -> None:
        """Its health keeps a candidate out of this call, unless nobody else answers."""
        self.skipped.setdefault(route.name, seconds)

    def circuit_opened(self, route: Route, seconds: float, now: float) -> None:
        """A candidate failed too often in a row."""
        self._tell(CircuitOpened, now, candidate=route.name, seconds=seconds)

    def circuit_closed(self, route: Route, now: float) -> None:
        """A candidate answers again."""
        self._tell(CircuitClosed, now, candidate=route.name)

    def answered(self, now: float, usage: Usage) -> None:
        """The caller has the whole answer."""
        if self._wants(Answered):
            tokens_in, tokens_out = usage
            self._tell(
                Answered,
                now,
                candidate=self.served_by,
                input_tokens=tokens_in,
                output_tokens=tokens_out,
            )

    def abandoned(self, attempt: Attempt | None, now: float) -> None:
        """Nobody waits for an answer any more, in an attempt or between two."""
        if attempt is None:  # a wait follows a failure
            self._tell(Abandoned, now, candidate=self.records[-1].candidate)
        else:
            opened = _opened(attempt)
            self._tell(Abandoned, now, candidate=attempt.route.name, opened=opened)

    def gave_up(self, now: float) -> None:
        """There will be no answer."""
        self._tell(GaveUp, now, attempts=tuple(self.records))

    def _last_failure(self) -> Failure | None:
        return self.records[-1].failure if self.records else None

    def _share_item(self, one: Route, other: Route) -> bool:
        return any(one in item and other in item for item in self._items)

    def _wants(self, event: type[Event]) -> bool:
        """Return whether anybody hears of such an event; ask where it is frequent."""
        return self._observe is not None and (
            self._event_types is None or event in self._event_types
        )

    def _tell(self, event: type[Event], now: float, **facts: object) -> None:
        if self._observe is not None and self._wants(event):
            self._observe(event(call=self._number, at=now, **facts))


def _record(attempt: Attempt, now: float) -> AttemptRecord:
    return AttemptRecord(
        number=attempt.number,
        candidate=attempt.route.name,
        nth=attempt.nth,
        wait=attempt.wait,
        seconds=now - attempt.started_at,
        opened=_opened(attempt),
        held=attempt.progress.held,
    )


def _opened(attempt: Attempt) -> float | None:
    opened_at = attempt.progress.opened_at
    return None if opened_at is None else opened_at - attempt.started_at


def _broken(
    record: AttemptRecord, attempt: Attempt, failure: Failure, error: Exception
) -> AttemptRecord:
    """Return the record of a failed attempt, with the tokens it is known to cost."""
    tokens_in, tokens_out = usage_among(attempt.progress.parts)
    return replace(
        record,
        failure=failure,
        error=error,
        input_tokens=tokens_in,
        output_tokens=tokens_out,
    )


def _finite(seconds: float) -> float | None:
    """Return seconds as JSON knows them; an isolation has no end."""
    return round(seconds, 3) if math.isfinite(seconds) else None


def _plain(record: AttemptRecord) -> dict[str, object]:
    failure = record.failure
    return {
        "candidate": record.candidate,
        "kind": failure.kind.value if failure else None,
        "status": failure.status if failure else None,
        "seconds": round(record.seconds, 3),
        "wait": round(record.wait, 3),
        "opened": None if record.opened is None else round(record.opened, 3),
        "usage": _usage(record),
    }


def _usage(record: AttemptRecord) -> dict[str, int | None] | None:
    usage = record.input_tokens, record.output_tokens
    if usage == UNKNOWN_USAGE:
        return None
    return {"input_tokens": usage[0], "output_tokens": usage[1]}
