"""What one call has been through so far, and telling those who watch.

Records of attempts, found by the attempt's number, and the events made of them. Nothing
is decided by them.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

from langchain_reliable._core.error_bodies import shorten
from langchain_reliable._core.usage import UNKNOWN_USAGE, usage_among
from langchain_reliable.errors import AnswerRejected
from langchain_reliable.events import (
    Abandoned,
    Answered,
    AttemptFailed,
    AttemptLost,
    AttemptRecord,
    AttemptStarted,
    CircuitClosed,
    CircuitOpened,
    Committed,
    EmptyAnswerReturned,
    FailedOver,
    GaveUp,
    Hedged,
    Interrupted,
    PassedOver,
    Restarted,
    Retried,
    SlowCall,
    Waiting,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from langchain_reliable._core.balancing.needs import CallNeeds
    from langchain_reliable._core.steps import Attempt, Plan, Route
    from langchain_reliable._core.usage import Usage
    from langchain_reliable.events import Event
    from langchain_reliable.failures import Failure

Observe: TypeAlias = "Callable[[Event], None]"


class _Win(NamedTuple):
    """An attempt that committed: what its record is made of, once somebody asks."""

    attempt: Attempt
    at: float


class Trail:
    """The attempts of one call, in order."""

    def __init__(
        self,
        plan: Plan,
        observe: Observe | None,
        number: int,
        *,
        streams: bool = False,
    ) -> None:
        """Begin a trail.

        Args:
            plan: Who may be asked.
            observe: Hears what happens.
            number: Tells this call's events from those of others.
            streams: Whether the call asks for a stream.
        """
        self.skipped: dict[str, tuple[float | None, str]] = {}
        self.winner: Attempt | None = None
        self._failed_over = False  # whether another entry answers than the plan's first
        self._by_number: dict[int, AttemptRecord | _Win] = {}
        self._whole: list[Exception] = []  # not shortened yet
        self._number = number
        self._observe = observe
        self._plan = plan
        wanted = getattr(observe, "event_types", None) if observe is not None else ()
        self._wanted: Container[type[Event]] = _ALL if wanted is None else wanted
        self._streams = streams
        self._untold: list[str] = []  # who was held back, and is not passed over yet

    @property
    def records(self) -> tuple[AttemptRecord, ...]:
        """The attempts that have ended, in the order in which they began."""
        numbers = sorted(self._by_number)
        return tuple(self._record_of(number) for number in numbers)

    def _record_of(self, number: int) -> AttemptRecord:
        known = self._by_number[number]
        if isinstance(known, _Win):
            known = self._by_number[number] = _record(*known)
        return known

    @property
    def served_by(self) -> str:
        """The name of the candidate that answered."""
        return self.winner.route.name if self.winner is not None else ""

    def as_metadata(self) -> dict[str, object]:
        """Return what happened as plain JSON."""
        winner, records = self.winner, self._by_number
        attempts: list[dict[str, object]] = []
        for number in records if len(records) == 1 else sorted(records):
            attempts.append(_plain(records[number]))  # noqa: PERF401 - frames cost
        skipped: list[dict[str, object]] = []
        for name, (seconds, reason) in self.skipped.items():
            row: dict[str, object] = {"candidate": name, "reason": reason}
            row["seconds"] = _finite(seconds)
            skipped.append(row)
        return {
            "served_by": winner.route.name if winner is not None else "",
            "attempts": attempts,
            "skipped": skipped,
            "failed_over": self._failed_over,
        }

    # --- what happens -------------------------------------------------------------

    def started(self, attempt: Attempt, last: Route | None, now: float) -> None:
        """A request goes out."""
        name = attempt.route.name
        if last is not None and not attempt.hedged:
            same = self._plan.tier_of[last] == self._plan.tier_of[attempt.route]
            how, why = Retried if same else FailedOver, self._last_failure()
            self._tell(
                how,
                now,
                source=last.name,
                target=name,
                failure=why,
                number=attempt.number,
            )
        if self._untold:
            self._tell_passed_over(name, now)
        if self._whole:
            self._shorten_earlier()
        if AttemptStarted in self._wanted:
            self._tell(
                AttemptStarted,
                now,
                candidate=name,
                number=attempt.number,
                nth=attempt.nth,
                model=attempt.route.model,
                provider=attempt.route.provider,
                streams=self._streams,
                hedged=attempt.hedged,
            )

    def hedged(self, attempt: Attempt, beside: Attempt, now: float) -> None:
        """A request goes out beside another that has said nothing yet."""
        self._tell(
            Hedged,
            now,
            source=beside.route.name,
            target=attempt.route.name,
            after=now - beside.started_at,
            number=attempt.number,
        )
        self.started(attempt, beside.route, now)

    def lost(self, attempt: Attempt, now: float) -> None:
        """Another attempt was faster; that is no failure of this one."""
        record = replace(_record(attempt, now), lost=True)
        self._by_number[attempt.number] = record
        self._tell(AttemptLost, now, attempt=record)

    def failed(
        self, attempt: Attempt, failure: Failure, error: Exception, now: float
    ) -> None:
        """An attempt ended without an answer."""
        record = _broken(_record(attempt, now), attempt, failure, error)
        self._by_number[attempt.number] = record
        self._whole.append(error)
        self._tell(AttemptFailed, now, attempt=record)

    def committed(self, attempt: Attempt, now: float) -> None:
        """A candidate has said its first word."""
        self._won_by(attempt)
        self._by_number[attempt.number] = _Win(attempt, now)
        if Committed in self._wanted:
            record = self._record_of(attempt.number)
            self._tell(Committed, now, attempt=record, failed_over=self._failed_over)

    def _won_by(self, attempt: Attempt) -> None:
        self.winner = attempt
        self._failed_over = self._plan.tier_of[attempt.route] > 0

    def returned_empty(self, attempt: Attempt, now: float) -> None:
        """An answer that was put aside is the best there is."""
        self._won_by(attempt)
        record = self._record_of(attempt.number)
        # What an answer has cost stands in its message alone.
        record = replace(record, input_tokens=None, output_tokens=None)
        self._by_number[attempt.number] = record
        number = attempt.number
        self._tell(EmptyAnswerReturned, now, candidate=record.candidate, number=number)
        self._tell(Committed, now, attempt=record, failed_over=self._failed_over)

    def interrupted(self, failure: Failure, error: Exception, now: float) -> None:
        """The stream of the winner broke."""
        winner = cast("Attempt", self.winner)  # only a committed one relays
        record = self._record_of(winner.number)
        record = self._by_number[winner.number] = _broken(
            record, winner, failure, error
        )
        self._tell(
            Interrupted,
            now,
            candidate=self.served_by,
            failure=failure,
            number=winner.number,
            input_tokens=record.input_tokens,
            output_tokens=record.output_tokens,
        )

    def taken_back(self, failure: Failure, error: Exception, now: float) -> None:
        """The stream of the winner broke, and the call goes on without it."""
        winner = cast("Attempt", self.winner)  # only a committed one relays
        self.winner = None
        record = self._record_of(winner.number)
        record = self._by_number[winner.number] = _broken(
            record, winner, failure, error
        )
        self._whole.append(error)
        self._tell(AttemptFailed, now, attempt=record)

    def restarted(self, source: str, message_id: str | None, now: float) -> None:
        """Another answer is shown in place of one that broke."""
        number = None if self.winner is None else self.winner.number
        self._tell(
            Restarted,
            now,
            source=source,
            target=self.served_by,
            message_id=message_id,
            number=number,
        )

    def waiting(
        self, route: Route, seconds: float, now: float, *, for_limit: bool = False
    ) -> None:
        """Nobody is free to ask."""
        self._tell(
            Waiting,
            now,
            candidate=route.name,
            seconds=seconds,
            failure=self._last_failure(),
            for_limit=for_limit,
        )

    def unsuited(self, needs: CallNeeds) -> None:
        """Some candidates do not suit the call, whatever their health."""
        for route in needs.untagged:
            self.held_back(route, None, "tags")
        for route in needs.misfits:
            self.held_back(route, None, "fit")

    def held_back(
        self, route: Route, seconds: float | None, reason: str = "health"
    ) -> None:
        """A candidate is kept out of this call, unless nobody else answers."""
        if route.name not in self.skipped:
            self.skipped[route.name] = seconds, reason
            self._untold.append(route.name)

    def _tell_passed_over(self, asked: str, now: float) -> None:
        """Tell whom the call passes over by asking somebody else."""
        untold, self._untold = self._untold, []
        for name in untold:
            seconds, reason = self.skipped[name]
            if name != asked:
                self._tell(
                    PassedOver,
                    now,
                    candidate=name,
                    reason=reason,
                    seconds=_finite(seconds),
                )

    def slow(self, attempt: Attempt, seconds: float, limit: float, now: float) -> None:
        """An answer has begun later than its circuit breaker takes for healthy."""
        self._tell(
            SlowCall,
            now,
            candidate=attempt.route.name,
            seconds=seconds,
            limit=limit,
            streams=self._streams,
            number=attempt.number,
        )

    def circuit_opened(self, route: Route, seconds: float, now: float) -> None:
        """A candidate failed too often in a row."""
        self._tell(CircuitOpened, now, candidate=route.name, seconds=seconds)

    def circuit_closed(self, route: Route, now: float) -> None:
        """A candidate answers again."""
        self._tell(CircuitClosed, now, candidate=route.name)

    def answered(self, now: float, usage: Usage) -> None:
        """The caller has the whole answer."""
        if Answered in self._wanted:
            tokens_in, tokens_out = usage
            self._tell(
                Answered,
                now,
                candidate=self.served_by,
                input_tokens=tokens_in,
                output_tokens=tokens_out,
                number=None if self.winner is None else self.winner.number,
                failed_over=self._failed_over,
            )

    def abandoned(self, attempt: Attempt | None, now: float) -> None:
        """Nobody waits for an answer any more, in an attempt or between two."""
        if attempt is None:  # in a wait, perhaps before any attempt
            by_number = self._by_number
            last = self._record_of(max(by_number)).candidate if by_number else ""
            self._tell(Abandoned, now, candidate=last)
        else:
            opened_at = attempt.progress.opened_at
            opened = None if opened_at is None else opened_at - attempt.started_at
            self._tell(
                Abandoned,
                now,
                candidate=attempt.route.name,
                opened=opened,
                number=attempt.number,
            )

    def gave_up(self, now: float) -> None:
        """There will be no answer."""
        self._tell(GaveUp, now, attempts=self.records)

    def _shorten_earlier(self) -> None:
        """Keep the large body of one attempt at most: the earlier do not leave.

        What an answer of ours holds may still be returned.
        """
        for error in self._whole:
            if not isinstance(error, AnswerRejected):
                shorten(error)
        self._whole.clear()

    def _last_failure(self) -> Failure | None:
        by_number = self._by_number
        return self._record_of(max(by_number)).failure if by_number else None

    def _tell(self, event: type[Event], now: float, **facts: object) -> None:
        if self._observe is not None and event in self._wanted:
            self._observe(event(call=self._number, at=now, **facts))


class _All:
    """Holds every kind of event."""

    def __contains__(self, event: object) -> bool:
        return True


_ALL = _All()


def _record(attempt: Attempt, now: float) -> AttemptRecord:
    progress, began = attempt.progress, attempt.started_at
    opened_at = progress.opened_at
    return AttemptRecord(
        number=attempt.number,
        candidate=attempt.route.name,
        nth=attempt.nth,
        wait=attempt.wait,
        seconds=now - began,
        opened=None if opened_at is None else opened_at - began,
        held=progress.held,
        hedged=attempt.hedged,
    )


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


def _finite(seconds: float | None) -> float | None:
    """Return seconds as JSON knows them; an isolation has no end."""
    if seconds is None or not math.isfinite(seconds):
        return None
    return round(seconds, 3)


def _plain(known: AttemptRecord | _Win) -> dict[str, object]:
    """Return what an answer's metadata says of an attempt."""
    if isinstance(known, _Win):
        attempt, at = known
        began, opened = attempt.started_at, attempt.progress.opened_at
        opened = None if opened is None else opened - began
        name, wait = attempt.route.name, attempt.wait
        return _row(name, at - began, wait, opened, hedged=attempt.hedged)
    row = _row(
        known.candidate, known.seconds, known.wait, known.opened, hedged=known.hedged
    )
    if (failure := known.failure) is not None:
        row["kind"], row["status"] = failure.kind.value, failure.status
    usage = known.input_tokens, known.output_tokens
    if usage != UNKNOWN_USAGE:
        row["usage"] = {"input_tokens": usage[0], "output_tokens": usage[1]}
    if known.lost:
        row["lost"] = True
    return row


def _row(
    candidate: str, seconds: float, wait: float, opened: float | None, *, hedged: bool
) -> dict[str, object]:
    """Return the row of an attempt that answered."""
    row: dict[str, object] = {
        "candidate": candidate,
        "kind": None,
        "status": None,
        "seconds": round(seconds, 3),
        "wait": round(wait, 3),
        "opened": None if opened is None else round(opened, 3),
        "usage": None,
    }
    if hedged:
        row["hedged"] = True
    return row
