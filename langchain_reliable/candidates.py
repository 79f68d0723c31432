"""What a user may write in `models`: candidates and groups of them."""

import logging
import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Literal,
    ParamSpec,
    Self,
    TypeAlias,
    TypeVar,
    cast,
)

from langchain_core.exceptions import ModelAuthenticationError
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatResult
from langchain_core.runnables import Runnable
from pydantic import (
    ConfigDict,
    Field,
    NonNegativeFloat,
    PrivateAttr,
    SecretStr,
    SkipValidation,
    field_validator,
    model_validator,
)
from typing_extensions import override

from langchain_reliable._core.balancing.groups import GroupTurns
from langchain_reliable._core.timeouts import Timeouts
from langchain_reliable._text.redact import redact
from langchain_reliable.policies import (
    Budget,
    Hedge,
    Names,
    Order,
    Setting,
    checked_hedge,
)

_P = ParamSpec("_P")
_First = TypeVar("_First")

_logger = logging.getLogger("langchain_reliable")
_ABOUT_KEYS = re.compile(r"(?i)api[ _-]?key|credentials")

_SAY = (
    "write a chat model such as ChatOpenAI(model=...), a Candidate(...), a "
    'Group([...]), a list of those, or "provider:model"'
)


_LIMIT_FIELDS = {
    "first_chunk": "first_chunk_timeout",
    "idle": "idle_timeout",
    "last_chance": "last_chance_timeout",
    "attempt": "attempt_timeout",
}


_OF_THE_CALL = frozenset(
    {
        *("model", "messages", "stop", "tools", "tool_choice", "response_format"),
        *("stream", "reliable"),
    }
)
"""Keywords that would take from a call what it is about."""


class _Setting(Setting):
    model_config = ConfigDict(arbitrary_types_allowed=True, protected_namespaces=())


class _Kept(dict[Any, Any]):
    """What lasts longer than a call: prepared copies. Filled by `_children`."""

    def __reduce__(self) -> tuple[type[Self], tuple[()]]:
        """Begin empty in a deep or pickled copy: what was prepared is not its own."""
        return type(self), ()


def _then_named(
    settings: Callable[_P, object],  # noqa: ARG001 - it speaks to type checkers
) -> Callable[
    [Callable[Concatenate[Any, _First, ...], None]],
    Callable[Concatenate[Any, _First, _P], None],
]:
    """Type a constructor: its one positional value, then the fields of a class."""
    return lambda constructor: constructor


class _CandidateSettings(_Setting):
    """What may be written beside the model of a candidate."""

    name: str | None = Field(default=None, min_length=1)
    """What people call it; by default its model's name. Part of its identity."""
    models: Names = ()
    """Further model names that it serves: a call-time `model=` that is among them goes
    to this candidate."""
    kwargs: dict[str, Any] = Field(default_factory=dict, repr=False)
    """Call keywords for this child alone. They win over the call's and over what is
    bound to the child; `None` removes one for this child."""
    max_retries: int | None = Field(default=None, ge=0)
    """Retries here, instead of the model's `max_retries`."""
    first_chunk_timeout: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Seconds, instead of the model's; raise it for models that think in silence.
    `None`, if given, turns the limit off here."""
    idle_timeout: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Seconds, instead of the model's; `None`, if given, turns the limit off here."""
    last_chance_timeout: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Seconds, instead of the model's; `None`, if given, turns the limit off here."""
    answer_timeout: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Seconds, instead of the model's; `None`, if given, turns the limit off here."""
    attempt_timeout: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Seconds, instead of the model's; `None`, if given, turns the limit off here."""
    hedge: Hedge | float | Literal["p95"] | None = None
    """When another is asked beside this one, instead of the model's `hedge`; `None`, if
    given, for never."""
    context_window: int | None = Field(default=None, gt=0)
    """Tokens that fit; by default what the child's profile says. A prompt that was too
    long for one window is not sent to another known to be no larger."""
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Its share in a `"weighted"` group, of conversations that stay where they are, and
    of what is in flight in a `"least_busy"` one."""
    tags: Names = ()
    """What it is: `CallOptions(tags=("eu",))` asks only candidates that have all of
    the call's tags."""
    rpm: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Requests a minute that it may be asked. When it is full, the next is asked at
    once, and the call waits only when nobody is free."""
    tpm: int | None = Field(default=None, gt=0)
    """Tokens a minute, of questions and answers together."""
    max_parallel_requests: int | None = Field(default=None, ge=1)
    """Requests that may be in flight at one moment, until their answers are whole."""
    limits_key: str | None = Field(default=None, min_length=1)
    """Candidates with the same one share their use of limits. By default those do that
    go to the same endpoint with the same key and model."""
    budget: Budget | None = None
    """What it may spend in a day or a month."""
    price: tuple[NonNegativeFloat, NonNegativeFloat] | None = None
    """Dollars for a million tokens, of questions and of answers: for
    `order="cheapest"` and `Budget(usd=...)`."""


class Candidate(_CandidateSettings):
    """A child with settings of its own.

    Args:
        model: A chat model, a Runnable that returns a message, or a
            `"provider:model"` string (needs `langchain`).
    """

    model: SkipValidation[Any] = Field(kw_only=False)

    _kept: _Kept = PrivateAttr(default_factory=_Kept)

    @_then_named(_CandidateSettings)
    def __init__(self, model: "Member", /, **settings: Any) -> None:
        super().__init__(**{"model": model, **settings})

    @field_validator("model")
    @classmethod
    def _is_a_model(cls, value: Any) -> Any:
        return _child(value)

    @field_validator("kwargs")
    @classmethod
    def _are_not_of_the_call(cls, value: dict[str, Any]) -> dict[str, Any]:
        if refused := [name for name in value if name in _OF_THE_CALL]:
            how = (
                "bind_tools([...])" if "tools" in refused else f"bind({refused[0]}=...)"
            )
            msg = (
                f"kwargs= can't hold {', '.join(refused)}, which every call decides; "
                f"what is this child's own is bound to it: Candidate(model.{how})"
            )
            raise ValueError(msg)
        return value

    @field_validator("tags", mode="before")
    @classmethod
    def _is_a_list(cls, value: Any) -> Any:
        if isinstance(value, str):
            msg = f'write a tuple: tags=("{value}",)'
            raise ValueError(msg)
        return value

    @field_validator("price", mode="before")
    @classmethod
    def _are_two(cls, value: Any) -> Any:
        both = isinstance(value, (tuple, list)) and len(value) == 2  # noqa: PLR2004
        if value is None or (both and math.inf not in value):
            return value
        msg = (
            "write both prices, in dollars for a million tokens of questions and of "
            "answers: price=(1.25, 10.0)"
        )
        raise ValueError(msg)

    @model_validator(mode="after")
    def _knows_its_price(self) -> Self:
        if self.budget is not None and self.budget.usd is not None and not self.price:
            msg = (
                "Budget(usd=...) needs the candidate's price, in dollars for a million "
                "tokens of questions and of answers: price=(1.25, 10.0)"
            )
            raise ValueError(msg)
        return self

    @field_validator("hedge", mode="before")
    @classmethod
    def _is_a_hedge(cls, value: Any) -> Any:
        return checked_hedge(value)

    def timeouts(self, common: Timeouts) -> Timeouts:
        """Return its time limits: its own where given, else the common ones."""
        given = {
            name: getattr(self, field)
            for name, field in _LIMIT_FIELDS.items()
            if field in self.model_fields_set
        }
        if "answer_timeout" in self.model_fields_set:
            given |= {"answer": self.answer_timeout, "answer_is_soft": False}
        return common._replace(**given) if given else common

    @override
    def model_copy(
        self, *, update: Mapping[str, Any] | None = None, deep: bool = False
    ) -> Self:
        copy = super().model_copy(update=update, deep=deep)
        if update:
            copy._kept = _Kept()  # noqa: SLF001 - its own, and not yet anybody's
        return copy


class _GroupSettings(_Setting):
    """What may be written beside the members of a group."""

    order: Order = "ordered"
    """Who is asked first: always the first (`"ordered"`), each in turn
    (`"round_robin"`), in turn by `Candidate(weight=...)` (`"weighted"`), who has the
    fewest requests in flight over its weight (`"least_busy"`), who is likely to say the
    first word soonest (`"fastest"`), or whose `price` is lowest (`"cheapest"`)."""


class Group(_GroupSettings):
    """Several candidates that can stand in for each other.

    Same model with another key, region or provider: when one fails, a free sibling is
    asked at once, before any wait and before the next item.

    Args:
        members: The candidates, or what `Candidate(...)` takes.
    """

    members: tuple[Candidate, ...] = Field(kw_only=False)

    _turns: GroupTurns = PrivateAttr()

    @_then_named(_GroupSettings)
    def __init__(self, members: "Sequence[Member]", /, **settings: Any) -> None:
        super().__init__(**{"members": members, **settings})

    @field_validator("members", mode="before")
    @classmethod
    def _are_candidates(cls, value: Any) -> tuple[Candidate, ...]:
        if not isinstance(value, (list, tuple)) or not value:
            msg = f"a group is a list of at least one model: {_SAY}"
            raise ValueError(msg)
        return tuple(as_candidate(member) for member in value)

    @model_validator(mode="after")
    def _begin(self) -> Self:
        if self.order == "cheapest" and not any(one.price for one in self.members):
            msg = (
                'order="cheapest" goes by prices, in dollars for a million tokens of '
                "questions and of answers: Candidate(model, price=(1.25, 10.0))"
            )
            raise ValueError(msg)
        return self._at_its_start()

    @property
    def turns(self) -> GroupTurns | None:
        """Who says which member comes first; `None` where it is always the first."""
        return None if self.order == "ordered" else self._turns

    @override
    def model_copy(
        self, *, update: Mapping[str, Any] | None = None, deep: bool = False
    ) -> Self:
        copy = super().model_copy(update=update, deep=deep)
        return copy._at_its_start() if update else copy  # noqa: SLF001 - as above

    def _at_its_start(self) -> Self:
        weights = [one.weight for one in self.members]
        prices = [one.price for one in self.members]
        self._turns = GroupTurns(self.order, weights, prices)
        return self


Member: TypeAlias = Runnable[Any, Any] | str | Candidate
"""What may be written in a group: a model, its name, or a candidate."""

if TYPE_CHECKING:
    Models: TypeAlias = Sequence[Member | Group | Sequence[Member]]
else:
    Models = SkipValidation[tuple[Candidate | Group, ...]]
"""Entries: written as a list of models, names, candidates and groups, and stored as
candidates and groups."""


def as_items(value: Any) -> tuple[Candidate | Group, ...]:
    """Turn what a user wrote in `models` into candidates and groups.

    Raises:
        ValueError: Something in it is no model; the text says what to write.
    """
    if isinstance(value, (str, Runnable)) or not isinstance(value, (list, tuple)):
        msg = (
            f"`models` is a list, in the order to ask: models=[primary, backup]; {_SAY}"
        )
        raise ValueError(msg)
    if not value:
        msg = f"`models` is empty; it needs at least one: {_SAY}"
        raise ValueError(msg)
    items: list[Candidate | Group] = []
    for place, entry in enumerate(value):
        try:
            if isinstance(entry, (list, tuple)):
                items.append(Group(entry))
            else:
                items.append(entry if isinstance(entry, Group) else as_candidate(entry))
        except ValueError as error:
            msg = f"models[{place}]: {plain_error(error)}"
            raise ValueError(msg) from None
    children = [one.model for item in items for one in members_of(item)]
    if all(isinstance(child, KeylessModel) for child in children):
        first = children[0]
        msg = f'models[0]: there is no key for "{first.model_name}": {first.why}'
        raise ValueError(msg)
    return tuple(items)


def as_candidate(value: Any) -> Candidate:
    """Return a candidate; what is none yet becomes one with default settings."""
    return value if isinstance(value, Candidate) else Candidate(_child(value))


def _child(value: Any) -> Runnable[Any, Any]:
    if isinstance(value, str):
        model = opened_by_name(value)
        if why := why_keyless(model):
            _logger.warning("there is no key for %r: %s", value, why)
        return model
    if not isinstance(value, Runnable):
        msg = f"got {_called(value)}, which is no model; {_SAY}"
        raise ValueError(msg)
    # A prompt template never answers.
    prompts = sys.modules.get("langchain_core.prompts.base")  # else there is none yet
    if prompts is not None and isinstance(value, prompts.BasePromptTemplate):
        msg = f"got {_called(value)}, which goes before the model: prompt | model"
        raise ValueError(msg)
    return value


def _called(value: object) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__} (call it: {value.__name__}(...))"
    return f"a value of type {type(value).__name__}"


def opened_by_name(value: str, **settings: Any) -> BaseChatModel:
    """Return the model of a `"provider:model"` string.

    A missing key is no reason to stop the others: its model then fails when it is
    asked.

    Args:
        value: The name.
        settings: What the model's class is made with, beside its name.

    Raises:
        ValueError: There is no such model, or it can't be opened; the text says why.
    """
    if not value.strip():
        msg = f"got an empty name; {_SAY}"
        raise ValueError(msg)
    try:
        from langchain.chat_models import init_chat_model  # noqa: PLC0415 - optional
    except ImportError:
        msg = (
            f'"{value}" is a name, and looking names up needs LangChain: '
            "pip install langchain, or pass the model itself, such as "
            "ChatOpenAI(model=...)"
        )
        raise ValueError(msg) from None
    try:
        return cast("BaseChatModel", init_chat_model(value, **settings))
    except Exception as error:
        why = redact(plain_error(error))
        if is_about_keys(error):
            return KeylessModel(model_name=value.partition(":")[2] or value, why=why)
        msg = f'"{value}" could not be opened by init_chat_model: {why}'
        raise ValueError(msg) from error


def is_about_keys(error: Exception) -> bool:
    """Return whether a model can't be made for want of a key; SDKs differ in how."""
    about = _ABOUT_KEYS.search(str(error)) is not None
    return about and not isinstance(error, ImportError)


def why_keyless(model: object) -> str:
    """Say why a model has no key; nothing if it has one, or needs none.

    Some classes only notice when they are asked (langchain-anthropic 1.7.7).
    """
    if isinstance(model, KeylessModel):
        return model.why
    for field, variable in getattr(model, "lc_secrets", {}).items():
        value = getattr(model, field, None)
        if isinstance(value, SecretStr) and not value.get_secret_value():
            return f"set {variable}"
    return ""


class KeylessModel(BaseChatModel):
    """Stands for a model whose key is missing; it fails as `auth` when it is asked."""

    model_name: str
    why: str

    @property
    @override
    def _llm_type(self) -> str:
        return "keyless"

    @override
    def _generate(self, *_args: Any, **_kwargs: Any) -> ChatResult:
        raise ModelAuthenticationError(f"there is no key for it: {self.why}")

    @override
    def bind_tools(self, *_args: Any, **_kwargs: Any) -> Runnable[Any, AIMessage]:
        return self.bind()


def plain_error(error: Exception) -> str:
    """Return the text of an error without pydantic's frame around it."""
    details = getattr(error, "errors", None)
    if details is None:
        return str(error)
    return "; ".join(
        ": ".join(
            (
                *([".".join(map(str, one["loc"]))] if one["loc"] else []),
                one["msg"].removeprefix("Value error, "),
            )
        )
        for one in details()
    )


def members_of(item: Candidate | Group) -> tuple[Candidate, ...]:
    """Return the candidates of an entry of `models`."""
    return item.members if isinstance(item, Group) else (item,)
