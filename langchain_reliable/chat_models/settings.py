"""What a user may set: the fields of `ReliableChatModel`, and their validation.

Both the model and what makes its calls stand on this; it knows neither.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from pydantic import (
    ConfigDict,
    Field,
    InstanceOf,
    SkipValidation,
    field_validator,
    model_validator,
)
from typing_extensions import override

from langchain_reliable._classify.classifier import ClassifyResult
from langchain_reliable._runtime.peek import CommitOn
from langchain_reliable._text.redact import plain_name
from langchain_reliable.candidates import Candidate, Group, Models, as_items
from langchain_reliable.chat_models._serialization import read
from langchain_reliable.chat_models._validation import (
    checked_classifier,
    checked_observers,
    checked_span,
    commit_on_for,
    hint_for,
)
from langchain_reliable.events import Observer
from langchain_reliable.health import Health
from langchain_reliable.policies import (
    CircuitBreaker,
    Fallbacks,
    Hedge,
    RetryBudget,
    Verdicts,
    checked_hedge,
    fill_in_defaults,
)
from langchain_reliable.policies._field_docs import DescribedFields

if TYPE_CHECKING:
    Observers: TypeAlias = Sequence[Observer]
else:
    Observers = tuple[SkipValidation[Observer], ...]


class ModelSettings(DescribedFields, BaseChatModel):
    """The fields of a reliable chat model. All durations are seconds."""

    model_config = ConfigDict(
        extra="forbid",
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,  # it may hold a key
        protected_namespaces=(),
    )

    models: Models
    """Whom to ask, in order. An entry is a chat model, a Runnable that returns a
    message, a `"provider:model"` string (needs `langchain`), a `Candidate(...)`, or a
    group of equivalent ones: a list of those, or a `Group([...])`."""

    model_fallbacks: Fallbacks = Field(default_factory=dict)
    """Model name to further names. First every entry is asked for its own model, then
    those whose model has a first fallback for that, and so on: another provider of
    the same model comes before another model."""

    max_retries: int = Field(default=2, ge=0)
    """Retries per candidate: the SDKs' own default, so that nothing changes for one
    healthy model."""

    max_attempts: int | None = Field(default=None, ge=1)
    """Requests per call over all candidates: the brake on long lists. `None` is 12, or
    the number of candidates if that is larger, so that everybody has a turn; a number
    is a hard bound. Retries leave one for each candidate that was not asked yet."""

    initial_backoff: float = Field(default=0.5, ge=0, allow_inf_nan=False)
    """Longest wait before a candidate's first retry; it doubles with each, and the
    actual wait is anything up to it ("full jitter", so that a crowd spreads)."""

    max_backoff: float = Field(default=10.0, ge=0, allow_inf_nan=False)
    """Where the doubling ends."""

    max_retry_after: float = Field(default=5.0, ge=0, allow_inf_nan=False)
    """Longest time, in sum, that one entry may keep the call waiting while a later one
    could be asked: people wait for the first token."""

    max_last_wait: float = Field(default=30.0, ge=0, allow_inf_nan=False)
    """The same when nobody else is left. Entries that were passed over because they
    asked for a longer wait are then asked again."""

    first_chunk_timeout: float | None = Field(default=60.0, gt=0, allow_inf_nan=False)
    """Streams only: from the request to the first effective payload (with
    `commit_on="first_chunk"`, to the first chunk). A miss goes to the next candidate;
    not applied when nobody else could be asked. `None` for no limit."""

    idle_timeout: float | None = Field(default=60.0, gt=0, allow_inf_nan=False)
    """Streams only: between two chunks, from the first effective payload on. `None` for
    no limit."""

    last_chance_timeout: float | None = Field(default=600.0, gt=0, allow_inf_nan=False)
    """Streams only, before the first effective payload, where `first_chunk_timeout`
    does not apply because nobody else is left: from the request or the last chunk;
    keep-alives do not count. Ten minutes, as the SDKs have it: a last model may think
    in silence. `None` for no limit."""

    answer_timeout: Literal["auto"] | float | None = "auto"
    """Answers in one piece (`invoke`, `batch`), while somebody else could be asked:
    from the request to the answer. `"auto"` is 300 seconds: a timer in async, and in
    sync a limit on silence of the clients that we own, without a thread of its own. A
    number bounds every child, with a thread where it needs one; `None` is no limit."""

    attempt_timeout: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """For one attempt, to the end of its answer."""

    total_timeout: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """For the whole call, including waits, to the end of its answer."""

    commit_on: CommitOn | None = None
    """What a stream has to show before it is let out. `None` is `"payload"`, and
    `"complete"` with `accept`. There is `"first_chunk"` (anything),
    `"payload"` (something said, reasoning counts), `"text"` (something said that is not
    reasoning) or `"complete"` (all of it: any fault is then survivable, at the price of
    the first word coming with the last)."""

    require_finish_reason: Literal["auto"] | bool = "auto"
    """Whether a stream that ends without a finish reason was cut. `"auto"` expects one
    of the families known to send it and of any child that has sent one before."""

    on_empty: Literal["retry", "accept"] = "retry"
    """What becomes of an answer that finished in the usual way without a word:
    `"retry"` asks once more, then the next, and returns it if nobody says more;
    `"accept"` returns it at once (where silence is an answer, as after a tool)."""

    accept: Callable[[AIMessage], bool | str | None] | None = Field(
        default=None, exclude=True
    )
    """Your own word on a whole answer, before it is let out: `True` or `None` accepts
    it; `False`, a text (the reason) or a `ValueError` is a failure of kind `rejected`,
    and the next is asked. Streams are then held to their end. With structured output
    what was read is in `message.additional_kwargs["parsed"]`."""

    on_interrupt: Literal["raise", "restart"] = "raise"
    """What becomes of a stream that breaks after it was let out: `"raise"` ends the
    call with `StreamInterrupted`; `"restart"` asks on, takes what was shown back and
    shows the new answer, once a call. Only in an `invoke` or `ainvoke` that token
    listeners hear (agents, LangGraph's `messages`); `stream` and `astream` raise."""

    require_streaming: bool = False
    """If true, `stream` and `astream` skip models that cannot stream, and raise
    `StreamingUnavailable` at once if none can. Otherwise such a model's answer arrives
    as one chunk."""

    streaming: bool | None = None
    """If true, `invoke` and `ainvoke` stream as well, so that callbacks hear each token
    (and what they heard can't be taken back); if false, nothing streams."""

    verdicts: Verdicts = Field(default_factory=dict)
    """Failure kind to `"retry"`, `"next"` or `"raise"`, where the built-in verdict is
    not what you want."""

    classify: Callable[[Exception], ClassifyResult] | None = Field(
        default=None, exclude=True
    )
    """Your own reading of exceptions: return a `FailureKind`, a `Failure`, `PROPAGATE`
    for what is no provider's failure, or `None` for no opinion."""

    circuit_breaker: CircuitBreaker | None = CircuitBreaker()
    """When a candidate is left alone because it failed too often in a row; `None` for
    never."""

    health: InstanceOf[Health] = Field(default_factory=Health, exclude=True, repr=False)
    """What is known of each candidate across calls. Pass one object to several models
    to let them share it; print it to see it."""

    sticky: str | None = Field(default=None, min_length=1)
    """The key of `config["configurable"]` that names a conversation, such as
    `"thread_id"`: its calls stay with the same member of each group, where the prompt
    cache is warm, as long as that member can answer. Members are told apart by their
    names, the same in every process. Without a value a group's `order` holds."""
    hedge: Hedge | float | Literal["p95"] | None = None
    """Seconds without a first word after which another candidate is asked beside the
    first; who begins to answer first wins, and the other is closed, unseen. A number,
    `"p95"` or `Hedge(...)`; `None` for never. At most one call in twenty costs a second
    request by that; see `Hedge`."""

    fail_fast: bool = False
    """If true, a call for which every candidate is held back, by its health or because
    its own limits are used up, raises at once, with the seconds to wait in
    `AllModelsFailed.retry_after`. Otherwise those that are full are waited for, within
    `max_last_wait`, and those that are ill asked anyway, soonest first."""

    retry_budget: RetryBudget | None = None
    """A bound on the retries of all calls together; off unless asked for."""

    manage_child_retries: bool = True
    """Whether the children are used with their SDK's own retries off, so that retries
    don't multiply. Copies are used; your objects are not changed."""

    observers: Observers = Field(default=(), repr=False, exclude=True)
    """Called with each event of each call; see `langchain_reliable.events`."""

    @property
    def _entries(self) -> tuple[Candidate | Group, ...]:
        """The entries of `models` as they are stored."""
        return cast("tuple[Candidate | Group, ...]", self.models)

    # --- at the door --------------------------------------------------------------

    if not TYPE_CHECKING:  # for type checkers, the fields alone are the signature

        def __new__(cls, *args: object, **_: object) -> Self:
            """Refuse positional arguments in words that say what to write."""
            if args:
                listed = isinstance(args[0], (list, tuple))
                say = "models=[...]" if listed else "models=[a, b]"
                msg = f"{cls.__name__} takes its fields by name: {cls.__name__}({say})"
                raise TypeError(msg)
            return super().__new__(cls)

    @override
    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        fill_in_defaults(self)

    @model_validator(mode="before")
    @classmethod
    def _know_every_option(cls, values: Any) -> Any:
        if isinstance(values, dict):
            fields = cls.__pydantic_fields__
            known = set(fields) | {info.alias for info in fields.values() if info.alias}
            if unknown := [name for name in values if name not in known]:
                name = unknown[0]
                msg = f"unknown option `{plain_name(name)}`; {hint_for(name, cls)}"
                raise ValueError(msg)
        return values

    @field_validator("models", mode="before")
    @classmethod
    def _are_models(cls, value: Any) -> tuple[Candidate | Group, ...]:
        listed = isinstance(value, (list, tuple))
        return as_items([read(one) for one in value] if listed else value)

    @field_validator("answer_timeout", mode="before")
    @classmethod
    def _is_a_span(cls, value: Any) -> Any:
        return checked_span("answer_timeout", value)

    @field_validator("hedge", mode="before")
    @classmethod
    def _is_a_hedge(cls, value: Any) -> Any:
        return checked_hedge(value)

    @field_validator("model_fallbacks", mode="before")
    @classmethod
    def _are_lists_of_names(cls, value: Any) -> Any:
        if isinstance(value, dict):
            for name, further in value.items():
                if isinstance(further, str):
                    msg = f'write a list: model_fallbacks={{"{name}": ["{further}"]}}'
                    raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _holds_what_is_judged(self) -> Self:
        commit_on_for(self.commit_on, judged=self.accept is not None)
        return self

    @field_validator("classify", "accept", mode="before")
    @classmethod
    def _is_asked_within_a_call(cls, value: Any) -> Any:
        return checked_classifier(value)

    @field_validator("observers", mode="before")
    @classmethod
    def _hear_events(cls, value: Any) -> Any:
        return checked_observers(value)
