"""Frozen values that a user may decide, and the policy that a call is given.

Each is validated where it is made, with a message that says what to write instead, and
its fields carry their docstrings into schemas and `help()`. Nothing here has state or
knows how a call goes on.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from langchain_reliable.failures import (
    VERDICTS,
    FailureKind,
    KindName,
    Verdict,
    VerdictName,
)
from langchain_reliable.policies._field_docs import DescribedFields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_reliable.failures import Failure

# A field is declared as what may be written, for type checkers, and as what is stored,
# for pydantic.
if TYPE_CHECKING:
    Names: TypeAlias = Sequence[str]
    Fallbacks: TypeAlias = Mapping[str, Sequence[str]]
    Verdicts: TypeAlias = Mapping[FailureKind | KindName, Verdict | VerdictName]
else:
    Names = tuple[str, ...]
    Fallbacks = dict[str, tuple[str, ...]]
    Verdicts = dict[FailureKind, Verdict]

Order = Literal[
    "ordered", "round_robin", "weighted", "least_busy", "fastest", "cheapest"
]
"""How a group picks the member that is asked first."""

SHORTEST_HEDGE = 0.1
"""Seconds that a hedge waits at least: sooner, nearly every call would cost two."""

_HOW_TO_HEDGE = (
    "write the seconds without a first word after which another is asked (0.1 at the "
    'least), or "p95": hedge=2.0, hedge="p95" or hedge=Hedge(after=2.0, whole_after=30)'
)


class Setting(DescribedFields, BaseModel):
    """A frozen value that a user may write; what was pickled before can be read."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    def __setstate__(self, state: dict[Any, Any]) -> None:
        """Read a pickle; fields that are newer than it get their defaults."""
        super().__setstate__(state)
        fill_in_defaults(self)


def fill_in_defaults(model: BaseModel) -> None:
    """Give a model its default for each field that its pickle did not know yet."""
    for name, info in type(model).__pydantic_fields__.items():
        if name not in model.__dict__:
            model.__dict__[name] = info.get_default(call_default_factory=True)


class CircuitBreaker(Setting):
    """When a candidate is left alone because it failed too often in a row.

    After its open time exactly one real request is let through to see whether it is
    well again. All durations are seconds.
    """

    failures: int = Field(default=3, ge=1)
    """Counted failures in a row that open the circuit: one may be chance, and three are
    what one call makes of a dead candidate with the default `max_retries`."""
    open_for: float = Field(default=20.0, gt=0, allow_inf_nan=False)
    """How long it stays open: with up to a tenth more or less, so that a crowd spreads,
    a candidate that recovers is asked again within 30 seconds."""
    max_open_for: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Where doubling ends. It doubles only after a probe that cost its user time (a
    time-out, or more than 5 seconds): a probe that fails fast costs next to nothing.
    `None` for 120, or `open_for` where that is longer."""
    slow_after: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Streams: from how many seconds to the first word on an answer counts as a failure
    here. It is handed over as ever; but who has become slow is then left alone like one
    that fails. It is not counted while nobody else could be asked. `None` for never."""
    slow_whole_after: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """The same for answers in one piece, to their end: long answers take long."""

    @model_validator(mode="after")
    def _can_grow(self) -> Self:
        if self.max_open_for is not None and self.open_for > self.max_open_for:
            msg = (
                f"open_for={self.open_for:g} is longer than "
                f"max_open_for={self.max_open_for:g}; set both, such as "
                f"CircuitBreaker(open_for=400, max_open_for=800)"
            )
            raise ValueError(msg)
        return self


class RetryBudget(Setting):
    """A bound on the retries of all calls together, as a token bucket.

    Under load an outage makes every call retry, and retries keep an ailing provider
    down. With a budget, retries stop when most of them fail; failover stays free. The
    numbers are those of the AWS SDKs' "standard" retry mode
    (https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html).
    """

    tokens: float = Field(default=500.0, gt=0, allow_inf_nan=False)
    """How many fit into the bucket; it begins full."""
    transient_cost: float = Field(default=14.0, ge=0, allow_inf_nan=False)
    """What a retry costs. A retry that succeeds gets it back."""
    throttled_cost: float = Field(default=5.0, ge=0, allow_inf_nan=False)
    """What a retry costs after a rate limit: the provider itself asked for it."""
    success_credit: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    """What a call that needed no retry puts back."""

    @model_validator(mode="before")
    @classmethod
    def _knows_its_old_name(cls, values: Any) -> Any:
        if isinstance(values, dict) and "thanks" in values:
            told = "RetryBudget(thanks=...) is called success_credit=... since 0.2"
            warnings.warn(told, DeprecationWarning, stacklevel=3)
            renamed = {**values, "success_credit": values["thanks"]}
            return {name: one for name, one in renamed.items() if name != "thanks"}
        return values


class Budget(Setting):
    """What a candidate may spend in a day or a month, counted in UTC.

    When it is spent, the others are asked until the window ends. Answers that are on
    their way are not cut off, so it is exceeded by these at most. It counts the answers
    of this process.
    """

    tokens: int | None = Field(default=None, gt=0)
    """Tokens, of questions and answers together."""
    usd: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Dollars, by `Candidate(price=...)`."""
    per: Literal["day", "month"]
    """The window; it begins at midnight UTC."""

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if self.tokens is None and self.usd is None:
            msg = 'a budget bounds something: Budget(usd=50, per="month")'
            raise ValueError(msg)
        return self


class Hedge(Setting):
    """When another candidate is asked beside one that has said nothing yet.

    The first to begin its answer wins; the other is closed, unseen. It costs a second
    request where the first one is slow, and `max_share` bounds how many. All durations
    are seconds.
    """

    after: Literal["p95"] | float
    """Streams: without a first word for so long. `"p95"` is what nineteen in twenty of
    a candidate's answers took to begin, half a second at least; nothing is hedged
    before twenty answers of it are known in this process."""
    whole_after: float | None = Field(default=None, ge=0.1, allow_inf_nan=False)
    """The same for answers in one piece (`invoke`, `batch`), which take long by nature.
    `None`: these are not hedged, unless `after="p95"`, which measures them apart."""
    max_share: float = Field(default=0.05, gt=0, le=1)
    """Extra requests for each call: 0.05 is one in twenty. Ten are there at first, so
    that a sudden slowness is met at once."""

    @field_validator("after", mode="before")
    @classmethod
    def _is_long_enough(cls, value: Any) -> Any:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value == "p95" or (number and SHORTEST_HEDGE <= value < math.inf):
            return value if value == "p95" else float(value)
        raise ValueError(_HOW_TO_HEDGE)


def checked_hedge(value: Any) -> Any:
    """Return what a user wrote as a `hedge`; a number is `Hedge(after=that)`.

    Raises:
        ValueError: It is no such thing; the text says what to write.
    """
    if value is None or isinstance(value, Hedge):
        return value
    if isinstance(value, Mapping):  # as it was written down
        return Hedge(**value)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if value == "p95" or (number and SHORTEST_HEDGE <= value < math.inf):
        return Hedge(after=value)
    raise ValueError(_HOW_TO_HEDGE)


class CallOptions(Setting):
    """What one call shall do otherwise: `model.invoke(..., reliable=CallOptions())`.

    It passes through bindings and agents and never reaches a child.
    """

    start_at: str | None = Field(default=None, min_length=1)
    """The candidate to begin with, by its name (or its model's, if it has none); those
    before it are not asked."""
    failover: bool = True
    """Whether the next may be asked when the first one fails; its retries stay."""
    total_timeout: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Seconds for the whole call, instead of the model's."""
    sticky: Any = None
    """What names the conversation (a string, an integer or a UUID): its calls stay with
    the same member of each group, as long as that can answer."""
    tags: Names = ()
    """Only candidates that have all of these tags are asked."""

    @field_validator("tags", mode="before")
    @classmethod
    def _is_a_list(cls, value: Any) -> Any:
        if isinstance(value, str):
            msg = f'write a tuple: tags=("{value}",)'
            raise ValueError(msg)
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What one call may spend; `ReliableChatModel` documents each value.

    All durations are seconds.
    """

    max_attempts: int | None = None
    initial_backoff: float = 0.5
    max_backoff: float = 10.0
    max_retry_after: float = 5.0
    max_last_wait: float = 30.0
    total_timeout: float | None = None
    fail_fast: bool = False
    verdicts: Mapping[FailureKind, Verdict] = field(default_factory=dict)
    breaker: CircuitBreaker | None = None

    @property
    def goes_on_after_filter(self) -> bool:
        """Whether an answer that a filter ended is a failure, not an answer."""
        kind = FailureKind.CONTENT_POLICY
        return self.verdicts.get(kind, VERDICTS[kind]) is not Verdict.RAISE

    def verdict(self, failure: Failure) -> Verdict:
        """Return what to do about a failure.

        A provider that says `x-should-retry: false` is believed: asking it again is
        futile, asking another is not.
        """
        verdict = self.verdicts.get(failure.kind, VERDICTS[failure.kind])
        if verdict is Verdict.RETRY and failure.should_retry is False:
            return Verdict.NEXT
        return verdict
