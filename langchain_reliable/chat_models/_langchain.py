"""What LangChain asks a chat model before it calls it.

Binding tools and schemas, who it says it is, what it can do, how it counts, and under
which key its answers are kept.
"""

import inspect
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Self, TypeVar, cast

from langchain_core.caches import BaseCache
from langchain_core.callbacks import (
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
)
from langchain_core.globals import get_llm_cache
from langchain_core.language_models import (
    BaseChatModel,
    LangSmithParams,
    LanguageModelInput,
    ModelProfile,
)
from langchain_core.load.serializable import (
    SerializedConstructor,
    SerializedNotImplemented,
)
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from pydantic import ConfigDict, PrivateAttr
from typing_extensions import override

from langchain_reliable._children.base import Request, bare_model
from langchain_reliable._children.cache import answer_key, digest, object_token
from langchain_reliable._children.identity import spelled
from langchain_reliable._children.profile import common_profile
from langchain_reliable._children.structured_output import (
    ChildOutput,
    OutputReader,
    OutputSpec,
    validate_schema,
)
from langchain_reliable._children.tools import PortableTool, original_of
from langchain_reliable._core.plan import plan_for
from langchain_reliable._runtime.clock import Clock, SystemClock
from langchain_reliable.candidates import members_of
from langchain_reliable.chat_models._cache import FirstTierCache
from langchain_reliable.chat_models._keywords import (
    OPTIONS,
    OUTPUT,
    TRACED,
    cache_key_part,
    child_keywords,
)
from langchain_reliable.chat_models._router import Router
from langchain_reliable.chat_models._serialization import (
    not_on_paper,
    on_paper,
    written,
)
from langchain_reliable.chat_models._structured_output import StructuredOutput
from langchain_reliable.chat_models._tracing import TracedRun, traced_run
from langchain_reliable.chat_models.settings import ModelSettings
from langchain_reliable.observers._forks import computes_after_fork
from langchain_reliable.policies import CallOptions

computes_after_fork(cast("type", BaseChatModel))  # for `_serialized`, of each call

_NOT_TOLD_BY_NAME = frozenset({"tools", "tool_choice", "parallel_tool_calls"})
"""Keywords that change nothing of what tracers are told of a model."""


_Hook = TypeVar("_Hook", bound=Callable[..., Any])


class _SignedHook:
    """A method that knows its signature, bound or not."""

    def __init__(self, hook: Callable[..., Any]) -> None:
        self._hook = hook
        _, *parameters = inspect.signature(hook).parameters.values()
        self._signature = inspect.Signature(parameters)

    def __get__(self, model: object, _owner: type) -> Callable[..., Any]:
        if model is None:
            return self._hook
        bound = partial(self._hook, model)
        bound.__signature__ = self._signature  # type: ignore[attr-defined]
        return bound


def signed(hook: _Hook) -> _Hook:
    """Keep a hook's signature with it.

    LangChain asks for it in every `invoke` and would work it out each time, at a sixth
    of the price of the whole call (seen in langchain-core 1.8.3).
    """
    return cast("_Hook", _SignedHook(hook))


class LangChainInterface(ModelSettings):
    """A chat model made of several, as seen by those who do not call it."""

    model_config = ConfigDict(ignored_types=(_SignedHook,))

    @property
    @abstractmethod
    def _router(self) -> Router:
        """Return who may be asked."""

    _clock: Clock = PrivateAttr(default_factory=SystemClock)

    # --- tools --------------------------------------------------------------------

    @override
    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | Any],
        *,
        tool_choice: Any = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind tools, each child by its own `bind_tools` when it is asked.

        Args:
            tools: What any chat model takes as tools.
            tool_choice: `"auto"`, `"none"`, `"any"` or a tool's name.
            **kwargs: Further settings of the children's `bind_tools`, such as `strict`
                and `parallel_tool_calls`, and call keywords.
        """
        if tool_choice is not None:
            kwargs["tool_choice"] = tool_choice
        return self.bind(tools=[PortableTool(tool) for tool in tools], **kwargs)

    @override
    def with_structured_output(
        self,
        schema: dict[str, Any] | type | None = None,
        *,
        include_raw: bool = False,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Return answers in a form, each child asked for it in its own best way.

        In `invoke` and `ainvoke` reading the answer belongs to the attempt: one that
        does not fit is an `invalid_output` failure, so it is asked for again and then
        from the next. In `stream` and `astream` partial objects flow as they come, and
        a misfit raises what the child's parser raises, unless `commit_on="complete"`.

        Args:
            schema: A pydantic class, a `TypedDict`, a JSON schema or a tool.
            include_raw: Whether to return `raw`, `parsed` and `parsing_error`; the
                last misfit is then returned instead of raised.
            **kwargs: `method`, `strict` and what else the children understand; a child
                that does not know one of these uses its own best.

        Raises:
            TypeError: No model could read the schema.
            ValueError: No model knows the method.
        """
        validate_schema(schema, kwargs)
        spec = OutputSpec(schema, kwargs, include_raw=include_raw)
        return StructuredOutput(model=self, spec=spec)

    def first_form(self, spec: OutputSpec) -> ChildOutput:
        """Return how the model that is asked first is asked for a form."""
        router = self._router
        return router.child(router.plan().routes[0]).output_for(spec)

    # --- identity -----------------------------------------------------------------

    @property
    def model_name(self) -> str:
        """The names of all models, in order: `"gpt-5.4 | claude-sonnet-5"`."""
        return self._router.model_name

    # --- the cache ----------------------------------------------------------------

    @override
    def _generate_with_cache(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        if run_manager is not None and run_manager.handlers:
            self._hand_on(kwargs, traced_run(run_manager))
        return BaseChatModel._generate_with_cache(
            self._with_its_cache(kwargs), messages, stop, run_manager, **kwargs
        )

    @override
    async def _agenerate_with_cache(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        if run_manager is not None and run_manager.handlers:
            self._hand_on(kwargs, traced_run(run_manager))
        return await BaseChatModel._agenerate_with_cache(
            self._with_its_cache(kwargs), messages, stop, run_manager, **kwargs
        )

    def _hand_on(self, kwargs: dict[str, Any], traced: TracedRun | None) -> None:
        """Tell the hooks of the run that tracers keep; a subclass's are not ours."""
        if traced is not None and self._hooks_are_ours:
            kwargs[TRACED] = traced

    @property
    @abstractmethod
    def _hooks_are_ours(self) -> bool:
        """Whether no subclass has hooks of its own."""

    def _with_its_cache(self, kwargs: Mapping[str, Any]) -> Self:
        """Return this model as it may use its cache; itself where it has none."""
        if self.cache is False:
            return self
        cache = self.cache if isinstance(self.cache, BaseCache) else get_llm_cache()
        if cache is None:
            return self
        if not self._can_be_cached(kwargs):
            return self.model_copy(update={"cache": False})
        accepts = None if self.accept is None else partial(self._accepts_still, kwargs)
        return self.model_copy(update={"cache": FirstTierCache(cache, accepts)})

    def _can_be_cached(self, kwargs: Mapping[str, Any]) -> bool:
        """Return whether everybody whose answer would be kept can be told from others.

        That is the first entry, or whoever the call names in its place.
        """
        anybody = {"model", OPTIONS} & kwargs.keys()
        first = self._entries if anybody else self._entries[:1]
        members = [one for item in first for one in members_of(item)]
        return all(answer_key(one) is not None for one in members)

    def _accepts_still(self, kwargs: Mapping[str, Any], known: ChatGeneration) -> bool:
        """Return whether `accept` takes a remembered answer, read as the first's."""
        from langchain_reliable._classify.answer import AnswerJudge  # noqa: PLC0415 - a call's

        output: OutputReader | None = kwargs.get(OUTPUT)
        parsed: tuple[object, ...] = ()
        if output is not None:
            try:
                result = ChatResult(generations=[known])
                parsed = (output.read(result, self.first_form(output.spec)),)
            except Exception:  # noqa: BLE001 - whatever a parser says: it is a misfit
                return False
        return AnswerJudge(accept=self.accept).refusal(known.message, *parsed) is None

    @override
    def _combine_llm_outputs(
        self, _llm_outputs: list[dict[str, Any] | None], /
    ) -> dict[str, Any]:
        """Sum up what several answers cost, as the first model does."""
        told = any(_llm_outputs)  # mostly nothing is said there
        if not told or (first := self._first_model) is None:
            return {}
        try:
            return first._combine_llm_outputs(_llm_outputs)
        except Exception:  # noqa: BLE001 - another model's words, unknown to the first
            return {}

    @property
    def _first_model(self) -> BaseChatModel | None:
        """The model that is asked first: what a reliable model mostly is."""
        return self._router.first_model

    @property
    @override
    def _llm_type(self) -> str:
        """The type of the first model."""
        first = self._first_model
        return first._llm_type if first is not None else "reliable"

    @override
    def _get_ls_params(
        self, stop: list[str] | None = None, **kwargs: Any
    ) -> LangSmithParams:
        """Tell tracers of the model that is asked first: provider, name, temperature.

        That is a look: it takes no turn in a group, and neither limits nor what fits
        the prompt are considered. Who has answered is told at the commit.
        """
        router, options = self._router, kwargs.get(OPTIONS)
        theirs = child_keywords(kwargs) if kwargs else kwargs
        if not (stop or options or theirs.keys() - _NOT_TOLD_BY_NAME):
            first = router.first_route
            # Long ago it was free, if it never failed: perhaps it was never asked.
            healthy = self.health.available_at(first, 0.0) <= 0.0
            if healthy and (told := router.first_ls_params):
                return told.copy()
        asked = theirs.pop("model", None)
        # Of the first that its health does not hold back.
        plan = self._router.plan(asked if isinstance(asked, str) else None)
        if isinstance(options, CallOptions):
            with suppress(ValueError):  # told where the call is made
                plan = plan_for(plan, options)
        now, routes = self._clock.now(), plan.routes
        free = (x for x in routes if self.health.available_at(x, now) <= now)
        child = self._router.child(next(free, routes[0]))
        params = child.ls_params(Request([], stop, theirs))
        if not params:
            return super()._get_ls_params(stop=stop, **theirs)
        return cast("LangSmithParams", {**params})

    @override
    def _get_invocation_params(
        self, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        router = self._router
        if (told := router.told) is None:
            told = router.told = self.asdict()
        theirs = child_keywords(kwargs) if kwargs else kwargs
        return {**told, "stop": stop, **theirs}

    @override
    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        """Return what an answer depends on besides the prompt: a cache's key."""
        members = [one for item in self._entries for one in members_of(item)]
        tools = kwargs.get("tools") or ()
        told = [
            [answer_key(one) for one in members],
            self.model_fallbacks,
            self.output_version,
            {**child_keywords(kwargs), "stop": stop},
            [original_of(tool) for tool in tools],
        ]
        key = digest(spelled(told, object_token))
        return f"{self.model_name}---{key}{cache_key_part(kwargs)}"

    @override
    def get_num_tokens(self, text: str) -> int:
        """Count with the first model's tokenizer."""
        count = first.get_num_tokens if (first := self._first_model) else None
        return (count or super().get_num_tokens)(text)

    @override
    def get_token_ids(self, text: str) -> list[int]:
        """Tokenize as the first model does."""
        cut = first.get_token_ids if (first := self._first_model) else None
        return (cut or super().get_token_ids)(text)

    @override
    def get_num_tokens_from_messages(
        self,
        messages: list[BaseMessage],
        tools: Sequence[Any] | None = None,
        **kwargs: Any,
    ) -> int:
        """Count as the first model that can; its API may be asked for it."""
        if self._first_model is None:
            return super().get_num_tokens_from_messages(messages, tools, **kwargs)
        first, *others = self._router.children()
        try:
            return first.tokens_in(messages, tools, **kwargs)
        except Exception:
            for other in others:
                with suppress(Exception):
                    return other.tokens_in(messages, tools, **kwargs)
            raise

    @classmethod
    @override
    def is_lc_serializable(cls) -> bool:
        return True

    @override
    def to_json(self) -> SerializedConstructor | SerializedNotImplemented:
        """Write the model down; every child does it for itself, without its keys."""
        told = super().to_json()
        if told["type"] == "constructor":
            models = [written(item) for item in self._entries]
            told["kwargs"] = {**on_paper(told["kwargs"]), "models": models}
            if self.accept is not None:
                told["kwargs"]["accept"] = not_on_paper(self.accept)
        return told

    @override
    def _resolve_model_profile(self) -> ModelProfile | None:
        """Return what all models are known to be able to do."""
        members = [one for item in self._entries for one in members_of(item)]
        return common_profile((one, bare_model(one)) for one in members)

    @property
    @override
    def _identifying_params(self) -> dict[str, Any]:
        """What tells two models apart, for the cache: the candidates in order.

        Without it two wrappers would answer from each other's entries (seen in
        langchain-core 1.7.2).
        """
        router = self._router
        return {
            "model_name": router.model_name,
            "models": router.identifying_params,
            "model_fallbacks": self.model_fallbacks,
        }
