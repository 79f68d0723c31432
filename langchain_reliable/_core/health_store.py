"""What a call asks of, and tells, the memory across calls: health, load and limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections import defaultdict, deque
    from collections.abc import Hashable, Iterable
    from weakref import ref

    from langchain_reliable._core.balancing.hedging import HedgeBook
    from langchain_reliable._core.balancing.load import Pace
    from langchain_reliable._core.circuit import Admission, Opened
    from langchain_reliable._core.fallback_watch import FallbackWatch
    from langchain_reliable._core.rate_limits import Allowance, Demand, Full
    from langchain_reliable._core.steps import AttemptProgress, Claim, Route
    from langchain_reliable._core.usage import Usage
    from langchain_reliable.failures import Failure
    from langchain_reliable.policies import CircuitBreaker


class RequestBook(Protocol):
    """Requests in flight, how fast answers begin, and what limits have used.

    A request that was let out is sealed for the core. Where neither limits nor an order
    by load hang on a request, it is only noted: two entries in collections that are
    read by whoever wants to know, since a call of ours costs more than all of that.

    Attributes:
        noted: What came of the attempts at each candidate, as long as somebody holds
            it.
        first_words: When answers began and after how many seconds, by candidate and
            whether they stream; not read yet.
    """

    noted: defaultdict[Hashable, set[ref[AttemptProgress]]]
    first_words: defaultdict[tuple[Hashable, bool], deque[tuple[float, float]]]

    def in_flight(self, key: Hashable, /) -> int:
        """Return how many requests of a candidate have not ended."""

    def unspoken(self, key: Hashable, /) -> int:
        """Return how many of these have not begun to answer."""

    def pace(self, key: Hashable, *, streams: bool) -> Pace | None:
        """Return how fast a candidate begins to answer, if that is known."""

    def full(self, allowance: Allowance, demand: Demand, now: float, /) -> Full | None:
        """Return what keeps a request back, and until when; `None` if nothing does."""

    def begin(
        self,
        key: Hashable,
        allowance: Allowance | None,
        demand: Demand,
        now: float,
        *,
        streams: bool,
    ) -> Any:
        """Let a request out, or return which limit is `Full`, in one step.

        Where limits are kept elsewhere, it returns a `Claim` that comes to either.
        """

    def spoke(self, request: Any, now: float, /) -> None:
        """An answer has begun."""

    def answered(self, request: Any, usage: Usage, now: float, /) -> None:
        """An answer is whole."""

    def failed(self, request: Any, now: float, *, spoke: bool = False) -> None:
        """A request failed, was lost, or nobody waits for it any more."""

    def refused(self, request: Any, retry_after: float | None, now: float, /) -> None:
        """The provider said that a limit is reached."""

    def never_sent(self, request: Any, now: float, /) -> None:
        """A request did not go out."""


class HealthStore(Protocol):
    """What a call asks of, and tells, the memory across calls.

    Attributes:
        fallback_watch: Who has failed to be asked first for a long time.
        hedges: What may be asked beside another, and what is slow.
    """

    fallback_watch: FallbackWatch
    hedges: HedgeBook

    @property
    def book(self) -> RequestBook:
        """Return the requests in flight and the limits."""

    def available_at(self, route: Route, now: float, /) -> float:
        """Return when a candidate may be asked; `now` if it may at once."""

    def admission_if_healthy(self, route: Route, /) -> Admission | None:
        """Return the admission of a candidate that nothing speaks against."""

    def would_probe(self, route: Route, now: float, /) -> bool:
        """Return whether a request made now would be the one of a half-open circuit."""

    def try_acquire(self, route: Route, now: float, /) -> Admission | Claim | None:
        """Take a free candidate; `None` if somebody else was faster.

        A `Claim` that comes to either, where others elsewhere have a say in it.
        """

    def record_request(self, route: Route, now: float, /) -> Admission | Claim:
        """Note that a candidate is asked, whether it is free or not."""

    def failed(
        self,
        route: Route,
        failure: Failure,
        admission: Admission,
        now: float,
        chance: float,
        breaker: CircuitBreaker | None,
        *,
        took: float = 0.0,
        alone: bool,
    ) -> Opened:
        """Take note of a failure; return whether the circuit is open now."""

    def began_answering(
        self, route: Route, admission: Admission, now: float, /
    ) -> bool:
        """Take note that an answer has begun; whether that closed a circuit."""

    def answered(self, route: Route, admission: Admission, /) -> None:
        """Take note of a whole answer."""

    def abandoned(self, route: Route, admission: Admission, /) -> None:
        """Take note that a request was given up."""

    def outrun(self, route: Route, admission: Admission, now: float, /) -> None:
        """Take note that another has answered while a request was silent."""

    def nobody_reached(self, routes: Iterable[Route], /) -> None:
        """Take note that no candidate of a call could be reached."""
