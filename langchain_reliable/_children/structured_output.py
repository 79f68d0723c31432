"""Structured output, by each child's own best way.

A child is asked for a schema with its own `with_structured_output`, and its answer is
read with the parser that belongs to that, never with another child's.
"""

from __future__ import annotations

import inspect
import json
import operator
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from langchain_core.runnables import (
    Runnable,
    RunnableBinding,
    RunnableParallel,
    RunnablePassthrough,
    RunnableSequence,
)
from langchain_core.utils.function_calling import convert_to_json_schema
from pydantic import BaseModel

from langchain_reliable._children.convert import as_message
from langchain_reliable._children.untraced import untraced_context
from langchain_reliable.errors import OutputNotParsed, SchemaNotBound
from langchain_reliable.failures import Failure, FailureKind
from langchain_reliable.observers._forks import computes_after_fork

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatResult
    from langchain_core.runnables import RunnableConfig

_FOR_TRACERS = ("ls_structured_output_format", "structured_output_format")
"""Keywords that `BaseChatModel` takes out of a call before it reaches the hooks."""

_METHODS = ("function_calling", "json_mode", "json_schema", "tool_calling")
"""What partner packages call their methods; the last is `langchain-cohere`'s."""

_NO_SCHEMAS = (str, bytes, int, float, list, tuple, set)


@dataclass(frozen=True, slots=True)
class ChildOutput:
    """How one child is asked for a schema, and how its answer is read."""

    model: BaseChatModel
    kwargs: Mapping[str, Any]
    parsers: Sequence[Runnable[Any, Any]]

    def read(self, message: BaseMessage) -> Any:
        """Return what an answer says, where no listener hears of it."""
        return untraced_context().run(self.parsed, message)

    def parsed(self, message: BaseMessage, config: RunnableConfig | None = None) -> Any:
        """Return what an answer says, each parser a run of its own.

        So it is where the child itself is asked: its parsers are steps of a sequence,
        beside the model's.
        """
        value: Any = message
        for parser in self.parsers:
            value = parser.invoke(value, config)
        return value

    async def aparsed(self, message: BaseMessage, config: RunnableConfig) -> Any:
        """Return what an answer says; the twin of `parsed`."""
        value: Any = message
        for parser in self.parsers:
            value = await parser.ainvoke(value, config)
        return value


def validate_schema(schema: object, settings: Mapping[str, Any]) -> None:
    """Look at a wish before anybody is asked for it.

    Raises:
        TypeError: No model could read the schema.
        ValueError: No model knows the method.
    """
    is_tool = hasattr(schema, "args_schema")
    if isinstance(schema, (*_NO_SCHEMAS, BaseModel)) and not is_tool:
        kind = type(schema).__name__
        msg = (
            f"schema is a value of type {kind}, which no model can read; write a "
            "pydantic class, a TypedDict, a JSON schema (a dict) or a tool"
        )
        raise TypeError(msg)
    method = settings.get("method")
    if method is not None and method not in _METHODS:
        msg = f"method={method!r} is unknown; write one of {', '.join(_METHODS)}"
        raise ValueError(msg)


@computes_after_fork
class OutputSpec:
    """What `with_structured_output` was asked for, the same for every child."""

    def __init__(
        self, schema: Any, settings: Mapping[str, Any], *, include_raw: bool
    ) -> None:
        """Take note of the wish.

        Args:
            schema: What the answer shall look like.
            settings: `method`, `strict` and whatever else children understand.
            include_raw: Whether the message is returned as well.
        """
        self.schema = schema
        self.settings = settings
        self.include_raw = include_raw
        self._forms: dict[int, tuple[BaseChatModel, ChildOutput]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Leave the forms out: they belong to these very objects."""
        return {**self.__dict__, "_forms": {}}

    def __repr__(self) -> str:
        wishes = {**self.settings, "include_raw": self.include_raw}
        return f"Shape({self.schema!r}, {wishes!r})"

    @cached_property
    def key(self) -> str:
        """What an answer depends on, for a cache that may outlive this process.

        The class's name is not enough: two schemas may share it. One that can't be
        written down shares its answers with nobody.
        """
        if self.schema is None:
            return repr(self)
        try:
            said = json.dumps(convert_to_json_schema(self.schema), sort_keys=True)
        except Exception:  # noqa: BLE001 - whatever it is, it has no JSON schema
            said = uuid4().hex
        return f"{self!r} {said}"

    @property
    def for_tracers(self) -> dict[str, Any]:
        """What tracers are told of it, in LangChain's own words."""
        if self.schema is None:
            return {}
        prepared = {"kwargs": dict(self.settings), "schema": self.schema}
        return {"ls_structured_output_format": prepared}

    def output_for(self, model: BaseChatModel) -> ChildOutput:
        """Return the form of a child, made at first use.

        Raises:
            SchemaNotBound: The child can't be asked for it.
        """
        if (known := self._forms.get(id(model))) is None:
            made = model, self._form(model)  # the model too, so that its id stays
            known = self._forms.setdefault(id(model), made)
        return known[1]

    def _form(self, model: BaseChatModel) -> ChildOutput:
        first: Exception | None = None
        portable = {  # without the ways that some providers do not know
            name: value
            for name, value in self.settings.items()
            if name not in ("method", "strict")
        }
        for settings in (self.settings, portable):
            try:
                return self._asked(model, settings)
            except Exception as error:  # noqa: BLE001 - told as the cause
                first = first or error
        raise SchemaNotBound(type(model).__name__) from first

    def _asked(self, model: BaseChatModel, settings: Mapping[str, Any]) -> ChildOutput:
        """Ask for a form; only who knows `include_raw` is told of it.

        Others hand on what they do not know, and their API refuses it (ChatCohere).
        """
        if not self.include_raw or "include_raw" in _names(model):
            raw = {"include_raw": True} if self.include_raw else {}
            form = model.with_structured_output(self.schema, **raw, **settings)
            return _taken_apart(form, model)
        form = model.with_structured_output(self.schema, **settings)
        output = _taken_apart(form, model)
        # What LangChain makes of `include_raw`: the message, and what it says.
        parse: Any = reduce(operator.or_, output.parsers)
        read = RunnablePassthrough.assign(
            parsed=operator.itemgetter("raw") | parse, parsing_error=lambda _: None
        )
        failed = RunnablePassthrough.assign(parsed=lambda _: None)
        read_or_not = read.with_fallbacks([failed], exception_key="parsing_error")
        beside = RunnableParallel(raw=RunnablePassthrough()) | read_or_not
        return replace(output, parsers=[beside])

    def is_missing(self, read: Any) -> bool:
        """Return whether what was read is no answer to the wish."""
        if not self.include_raw:
            return read is None
        if (misfit := read["parsing_error"]) is not None:
            return not _is_refusal(misfit)  # which no other try would change
        return read["parsed"] is None and not self.settings.get("tools")


def _names(model: BaseChatModel) -> Collection[str]:
    return inspect.signature(model.with_structured_output).parameters


def _taken_apart(structured: Runnable[Any, Any], model: BaseChatModel) -> ChildOutput:
    """Tell the request from the reading: `binding | parsers`, or both in a map."""
    first, *rest = _steps(structured)
    if isinstance(first, RunnableParallel):
        first, *inner = _steps(first.steps__["raw"])
        read: Any = reduce(operator.or_, inner) if inner else RunnablePassthrough()
        rest = [RunnableParallel(raw=read), *rest]
    if not isinstance(first, RunnableBinding) or not rest:
        msg = f"with_structured_output of {type(model).__name__} returns no binding"
        raise TypeError(msg)
    kwargs = {name: v for name, v in first.kwargs.items() if name not in _FOR_TRACERS}
    return ChildOutput(cast("BaseChatModel", first.bound), kwargs, rest)


def _steps(runnable: Runnable[Any, Any]) -> list[Any]:
    return runnable.steps if isinstance(runnable, RunnableSequence) else [runnable]


class OutputReader:
    """What becomes of the structured output of one call.

    Attributes:
        spec: What was asked for.
        form: How the one who answered was asked for it; `None` before that.
    """

    def __init__(self, spec: OutputSpec) -> None:
        """Begin.

        Args:
            spec: What was asked for.
        """
        self.spec = spec
        self.form: ChildOutput | None = None
        self._errors: list[Exception] = []

    def read(self, result: ChatResult, form: ChildOutput) -> Any:
        """Read an answer by the form it was asked for in, while it can be asked again.

        Returns:
            What it says.

        Raises:
            Exception: Whatever the child's own parser says.
            OutputNotParsed: It does not fit, and may be returned all the same.
        """
        try:
            value = form.read(as_message(result))
        except Exception as error:
            self._errors.append(error)
            raise
        if self.spec.is_missing(value):
            raise OutputNotParsed(result)
        return value["parsed"] if self.spec.include_raw else value

    def is_readable(self, result: ChatResult) -> bool:
        """Return whether the form of the one who answered can read an answer."""
        try:
            cast("ChildOutput", self.form).read(as_message(result))
        except Exception:  # noqa: BLE001 - whatever a parser says
            return False
        return True

    def fits(self, result: ChatResult, form: ChildOutput) -> bool:
        """Return whether a form finds the wish in an answer."""
        try:
            return not self.spec.is_missing(form.read(as_message(result)))
        except Exception:  # noqa: BLE001 - as above
            return False

    def judging(
        self, judge: Callable[[Exception], Failure | None]
    ) -> Callable[[Exception], Failure | None]:
        """Return a judge that knows a parser's exception from others."""

        def judged(error: Exception) -> Failure | None:
            ours = any(error is one for one in self._errors)
            # An SDK may have read the answer itself, by pydantic.
            title = getattr(error, "title", None)
            named = title is not None and title == getattr(
                self.spec.schema, "__name__", ""
            )
            if not ours and not named:
                return judge(error)
            kind = FailureKind.INVALID_OUTPUT
            if _is_refusal(error):
                kind = FailureKind.CONTENT_POLICY
            return Failure(kind=kind, summary=type(error).__name__)

        return judged


def _is_refusal(error: BaseException) -> bool:
    """Return whether a parser tells that the model declined.

    By the name: `ModelRefusalError` is of langchain-core 1.7.5, and older partner
    packages have one of their own.
    """
    return any("Refusal" in one.__name__ for one in type(error).__mro__)
