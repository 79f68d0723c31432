"""What is in flight, how fast candidates begin to answer, and what limits have used.

One book is kept by everything that shares a `Health`. Its rules are pure and stand in
`_core`; here they are applied under a lock, so that checking and taking is one step for
all threads, tasks and event loops.
"""

from __future__ import annotations

import threading
import weakref
from collections import defaultdict, deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from langchain_reliable._core.balancing.load import measured, waited
from langchain_reliable._core.rate_limits import (
    UNUSED,
    Allowance,
    Full,
    end_failed,
    end_refused,
    full,
    give_back,
    settle,
    take,
    used_shares,
)
from langchain_reliable._runtime.clock import epoch
from langchain_reliable.observers._forks import renewed_after_fork

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from langchain_reliable._core.balancing.load import Pace
    from langchain_reliable._core.rate_limits import (
        Demand,
        Lease,
        LimitName,
        LimitState,
    )
    from langchain_reliable._core.steps import AttemptProgress, Claim
    from langchain_reliable._core.usage import Usage

_WORDS_KEPT = 16
"""Answers whose beginnings are kept until somebody wants to know how fast they were."""


@dataclass(slots=True, eq=False)
class InFlight:
    """One request in flight. It ends once; ending it again does nothing.

    A request that nobody has ended is collected with the stream that held it. That may
    happen anywhere, even in the middle of a change to the book, so it only leaves a
    note, which is read with the next question.

    Attributes:
        key: Whose request it is.
        streams: Whether it asks for a stream.
        began_at: When it went out.
        allowance: Which limits it counts for.
        booked: What was booked for it.
        dropped: Where to leave the note; `None` once it has ended.
        spoke: Whether its answer has begun.
        shared: What was booked for it elsewhere, where processes share limits.
    """

    key: Hashable
    streams: bool
    began_at: float
    allowance: Allowance | None
    booked: Lease | None
    dropped: deque[InFlight] | None
    spoke: bool = False
    shared: Any = None

    def __del__(self) -> None:
        if (dropped := self.dropped) is not None:
            dropped.append(self)


@dataclass(slots=True)
class _Load:
    in_flight: int = 0
    unspoken: int = 0  # those of them that have not begun to answer
    allowance: Allowance | None = None  # as it was at the last request
    paces: dict[bool, Pace] = field(default_factory=dict)  # by whether it streams


class LoadBook:
    """Requests, paces and limits of all candidates."""

    def __init__(self, wall: Callable[[], float] = epoch) -> None:
        """Begin with nothing in flight.

        Args:
            wall: Seconds since 1970, for budgets.
        """
        self.noted: defaultdict[Hashable, set[weakref.ref[AttemptProgress]]]
        self.noted = defaultdict(set)
        self.first_words: defaultdict[
            tuple[Hashable, bool], deque[tuple[float, float]]
        ] = defaultdict(partial(deque, maxlen=_WORDS_KEPT))
        self._dropped: deque[InFlight] = deque()
        self._limits: dict[Hashable, LimitState] = {}
        self._loads: defaultdict[Hashable, _Load] = defaultdict(_Load)
        self._wall = wall
        # Held weakly: what renews locks would keep the book alive for ever.
        make = partial(_lock_of, weakref.ref(self))
        self._lock = renewed_after_fork(make, self, "_lock")

    # --- questions ----------------------------------------------------------------

    def in_flight(self, key: Hashable) -> int:
        """Return how many requests of a candidate have not ended."""
        if self._dropped:
            self._read_notes()
        load = self._loads.get(key)
        booked = load.in_flight if load is not None else 0
        return booked + len(self._under_way(key)) if key in self.noted else booked

    def unspoken(self, key: Hashable) -> int:
        """Return how many of these have not begun to answer."""
        if self._dropped:
            self._read_notes()
        load = self._loads.get(key)
        booked = load.unspoken if load is not None else 0
        if key not in self.noted:
            return booked
        return booked + sum(not one.has_spoken for one in self._under_way(key))

    def _under_way(self, key: Hashable) -> list[AttemptProgress]:
        """Return what was only noted, and is not over."""
        noted = [known() for known in self.noted[key].copy()]
        return [one for one in noted if one is not None and not one.is_over]

    def pace(self, key: Hashable, *, streams: bool) -> Pace | None:
        """Return how fast a candidate begins to answer, if that is known."""
        if (key, streams) in self.first_words:
            self._read_first_words(key, streams=streams)
        load = self._loads.get(key)
        return load.paces.get(streams) if load is not None else None

    def _read_first_words(self, key: Hashable, *, streams: bool) -> None:
        """Take in how fast answers began that were only noted."""
        with self._lock:
            paces, words = self._loads[key].paces, self.first_words[key, streams]
            while words:
                at, seconds = words.popleft()
                paces[streams] = measured(paces.get(streams), seconds, at)

    def full(self, allowance: Allowance, demand: Demand, now: float) -> Full | None:
        """Return what keeps a request back, and until when; `None` if nothing does."""
        if self._dropped:
            self._read_notes()
        key, limits = allowance
        state = self._limits.get(key, UNUSED)
        return full(
            limits,
            state,
            demand,
            now,
            self._wall() if limits.budget is not None else 0.0,
        )

    def used_shares(self, key: Hashable, now: float) -> dict[LimitName, float]:
        """Return how full each limit of a candidate is, for people."""
        if self._dropped:
            self._read_notes()
        load = self._loads.get(key)
        if load is None or load.allowance is None:
            return {}
        shared, limits = load.allowance
        state = self._limits.get(shared, UNUSED)
        return used_shares(
            limits, state, now, self._wall() if limits.budget is not None else 0.0
        )

    # --- requests -----------------------------------------------------------------

    def begin(
        self,
        key: Hashable,
        allowance: Allowance | None,
        demand: Demand,
        now: float,
        *,
        streams: bool,
    ) -> InFlight | Full | Claim:
        """Let a request out if there is room for it: checked and taken in one step."""
        if self._dropped:
            self._read_notes()
        booked = None
        with self._lock:
            if allowance is not None:
                shared, limits = allowance
                state = self._limits.get(shared, UNUSED)
                taken = take(
                    limits,
                    state,
                    demand,
                    now,
                    self._wall() if limits.budget is not None else 0.0,
                )
                if isinstance(taken, Full):
                    return taken
                self._limits[shared], booked = taken
            load = self._loads[key]
            load.in_flight += 1
            load.unspoken += 1
            load.allowance = allowance
            return InFlight(key, streams, now, allowance, booked, self._dropped)

    def spoke(self, request: InFlight, now: float) -> None:
        """An answer has begun."""
        words = self.first_words[request.key, request.streams]
        words.append((now, now - request.began_at))
        with self._lock:
            if request.dropped is self._dropped and not request.spoke:
                self._loads[request.key].unspoken -= 1
            request.spoke = True

    def answered(self, request: InFlight, usage: Usage, now: float) -> None:
        """An answer is whole."""
        with self._lock:
            if self._has_ended(request):
                return
            allowance, booked = request.allowance, request.booked
            if allowance is not None and booked is not None:
                key, limits = allowance
                wall = self._wall() if limits.budget is not None else 0.0
                state = self._limits.get(key, UNUSED)
                self._limits[key] = settle(limits, state, booked, usage, now, wall)

    def failed(self, request: InFlight, now: float, *, spoke: bool = False) -> None:
        """A request failed, was lost to another, or nobody waits for it any more.

        Args:
            request: The request.
            now: The present moment.
            spoke: Whether a first word had come, though nobody was told of it.
        """
        with self._lock:
            if self._has_ended(request):
                return
            self._end_failed(request.allowance)
            if (request.key, request.streams) in self.first_words:
                self._read_first_words(request.key, streams=request.streams)
            paces = self._loads[request.key].paces
            before = paces.get(request.streams)
            after = waited(before, now - request.began_at, now)
            if after is not None and not (spoke or request.spoke):
                paces[request.streams] = after

    def refused(self, request: InFlight, retry_after: float | None, now: float) -> None:
        """The provider says that a limit is reached."""
        with self._lock:
            if not self._has_ended(request) and request.allowance is not None:
                key, _ = request.allowance
                state = self._limits.get(key, UNUSED)
                self._limits[key] = end_refused(state, retry_after, now)

    def never_sent(self, request: InFlight, now: float) -> None:
        """A request did not go out: refused, an unknown name, no TLS."""
        with self._lock:
            if self._has_ended(request):
                return
            if request.allowance is not None and request.booked is not None:
                key, limits = request.allowance
                state = self._limits.get(key, UNUSED)
                self._limits[key] = give_back(limits, state, request.booked, now)

    def forget(self, key: Hashable) -> None:
        """Forget a candidate that nothing is in flight of."""
        with self._lock:
            if self.in_flight(key):
                return
            self.noted.pop(key, None)
            for streams in (False, True):
                self.first_words.pop((key, streams), None)
            load = self._loads.pop(key, None)
            if load is not None and load.allowance is not None:
                limits = [one.allowance for one in self._loads.values()]
                if load.allowance.key not in [one.key for one in limits if one]:
                    self._limits.pop(load.allowance.key, None)

    # --- inside -------------------------------------------------------------------

    def _has_ended(self, request: InFlight) -> bool:
        """End a request; return whether it had ended before."""
        if (known := request.dropped) is None:
            return True
        request.dropped = None
        if known is not self._dropped:  # begun before a fork, by another process
            return True
        load = self._loads[request.key]
        load.in_flight -= 1
        load.unspoken -= not request.spoke
        return False

    def _end_failed(self, allowance: Allowance | None) -> None:
        if allowance is not None and allowance.key in self._limits:
            self._limits[allowance.key] = end_failed(self._limits[allowance.key])

    def _read_notes(self) -> None:
        """End what was collected without an end."""
        while self._dropped:
            with self._lock:
                try:
                    request = self._dropped.popleft()
                except IndexError:  # somebody else has just read it
                    return
                if not self._has_ended(request):
                    self._end_failed(request.allowance)

    def _begin_afresh(self) -> None:
        """Forget what is in flight: it is another process that waits for it."""
        self._dropped = deque()
        self.noted.clear()
        for load in self._loads.values():
            load.in_flight = load.unspoken = 0
        for key, state in self._limits.items():
            self._limits[key] = state._replace(in_flight=0)


def _lock_of(book: weakref.ref[LoadBook]) -> Any:
    """Return a lock for a new book, or for one that finds itself in a new process."""
    if (known := book()) is not None:
        known._begin_afresh()  # noqa: SLF001 - of this file
    return threading.RLock()
