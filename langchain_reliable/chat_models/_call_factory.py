"""What the fields of a model amount to, made once and used by every call.

A factory turns the settings into the pieces that a call needs, and ties each request to
a fresh call.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, cast

from langchain_core.language_models import BaseChatModel

from langchain_reliable._children.base import Request, bare_model
from langchain_reliable._classify.answer import AnswerJudge
from langchain_reliable._classify.classifier import classifier_with
from langchain_reliable._core.balancing.needs import NO_NEEDS, CallNeeds, misfits
from langchain_reliable._core.balancing.sticky import sticky_value
from langchain_reliable._core.call import Call
from langchain_reliable._core.fit import scan
from langchain_reliable._core.plan import plan_for, with_tags
from langchain_reliable._core.timeouts import Timeouts
from langchain_reliable._runtime.peek import CommitPolicy
from langchain_reliable.chat_models._execution import Execution
from langchain_reliable.chat_models._keywords import (
    CONFIG,
    OPTIONS,
    OUTPUT,
    STACK,
    conversation_of,
)
from langchain_reliable.chat_models._router import Router, max_tokens_among
from langchain_reliable.chat_models._secrets import hiding_secrets
from langchain_reliable.chat_models._validation import (
    checked_name,
    checked_options,
    commit_on_for,
)
from langchain_reliable.observers import LoggingObserver
from langchain_reliable.observers._dispatch import ObserverDispatch
from langchain_reliable.policies import Policy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.messages import BaseMessage

    from langchain_reliable._children.structured_output import OutputReader
    from langchain_reliable._core.steps import Plan
    from langchain_reliable._runtime.clock import Clock
    from langchain_reliable.chat_models.settings import ModelSettings
    from langchain_reliable.failures import FailureKind, Verdict
    from langchain_reliable.policies import CallOptions

_LOG = LoggingObserver()
AUTO_ANSWER_TIMEOUT = 300.0
"""What `answer_timeout="auto"` means: half of what the big SDKs wait for by themselves,
and longer than all but the longest answers take."""

_CONTENT = attrgetter("content")
_CALL_NUMBERS = itertools.count(1)


class CallFactory:
    """Receives the requests of one model."""

    def __init__(self, model: ModelSettings) -> None:
        """Read a model's fields."""
        self.router = Router(
            model._entries,
            model.model_fallbacks,
            model.max_retries,
            model.manage_child_retries,
            Timeouts(
                first_chunk=model.first_chunk_timeout,
                idle=model.idle_timeout,
                last_chance=model.last_chance_timeout,
                answer=_seconds(model.answer_timeout),
                answer_is_soft=model.answer_timeout == "auto",
                attempt=model.attempt_timeout,
            ),
            model.hedge,
        )
        self.policy = Policy(
            max_attempts=model.max_attempts,
            initial_backoff=model.initial_backoff,
            max_backoff=model.max_backoff,
            max_retry_after=model.max_retry_after,
            max_last_wait=model.max_last_wait,
            total_timeout=model.total_timeout,
            fail_fast=model.fail_fast,
            verdicts=cast("Mapping[FailureKind, Verdict]", model.verdicts),
            breaker=model.circuit_breaker,
        )
        self._commit_policy = CommitPolicy(
            commit_on=commit_on_for(model.commit_on, judged=model.accept is not None),
            require_finish_reason=model.require_finish_reason,
            judge=AnswerJudge(
                accepts_empty=model.on_empty == "accept",
                passes_filtered_on=self.policy.goes_on_after_filter,
                accept=model.accept,
            ),
        )
        self._health = model.health
        budget = model.retry_budget
        self._bucket = None if budget is None else model.health.bucket(budget)
        self._account_of = self.router.account_of
        self._sticky = model.sticky
        self._require_streaming = model.require_streaming
        self._children_read_config = not all(  # no chat model looks at a call's config
            isinstance(bare_model(one), BaseChatModel) for one in self.router.candidates
        )
        self.shows_config = self._children_read_config or self._sticky is not None
        self._classifier = hiding_secrets(
            classifier_with(model.classify), lambda: self.router.candidates
        )
        self._dispatch = ObserverDispatch((_LOG, *model.observers))

    @property
    def holds_all(self) -> bool:
        """Whether a stream is shown only when it is whole."""
        return self._commit_policy.commit_on == "complete"

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        """Be `None` in a deep or pickled copy of a model: its fields are its own."""
        return type(None), ()

    def __eq__(self, other: object) -> bool:
        """Tell no two models apart: it is made of fields, and they tell."""
        return other is None or isinstance(other, CallFactory)

    def __hash__(self) -> int:
        """Be the same for all, as they are equal."""
        return hash(CallFactory)

    def execution(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        kwargs: dict[str, Any],
        clock: Clock,
        streams: Literal["stream", "astream"] | None = None,
        *,
        as_events: bool = False,
    ) -> Execution:
        """Tie a request to a fresh call.

        Args:
            messages: What is said to the model.
            stop: Words to stop at.
            kwargs: The call's keywords; those meant for us are taken out.
            clock: Time and chance.
            streams: The hook that asks, if it wants a stream.
            as_events: Whether LangChain makes protocol events of the chunks.
        """
        kwargs.pop(STACK, None)  # of an `astream` that does not stream
        asked, options = kwargs.pop("model", None), kwargs.pop(OPTIONS, None)
        plan = declared = self.router.plan(
            None if asked is None else checked_name(asked)
        )
        output: OutputReader | None = kwargs.pop(OUTPUT, None)
        classifier = self._classifier
        if output is not None:
            classifier = output.judging(classifier)
        given, contents = tuple(messages), tuple(map(_CONTENT, messages))
        config, conversation = kwargs.pop(CONFIG, None), None
        if self._sticky is not None:
            conversation = conversation_of(config, self._sticky)
        request = Request(
            messages,
            stop,
            kwargs,
            output,
            as_events,
            given,
            contents,
            config if self._children_read_config else None,
            self._account_of,
        )
        if streams and self._require_streaming:
            plan = self.router.streaming_only(
                plan, request, async_api=streams == "astream"
            )
        policy = self.policy
        if options is not None:
            options = checked_options(options)
            if options.tags:
                plan = with_tags(plan, options.tags)
            plan = plan_for(plan, options)
            if options.sticky is not None:
                conversation = options.sticky
            if (total := options.total_timeout) is not None:
                policy = replace(policy, total_timeout=total)
        needs = NO_NEEDS
        if plan.is_sized or plan.counts_tokens or conversation is not None or options:
            needs = self._needs(plan, request, options, declared, conversation)
        call: Call[Any] = Call(
            plan,
            policy,
            classifier,
            self._dispatch,
            next(_CALL_NUMBERS),
            self._health,
            self._bucket,
            needs=needs,
            streams=streams is not None,
        )
        return Execution(
            call, request, self.router, classifier, clock, self._commit_policy
        )

    def _needs(
        self,
        plan: Plan,
        request: Request,
        options: CallOptions | None,
        declared: Plan,
        conversation: Any,
    ) -> CallNeeds:
        """Return what a call asks of its candidates, looking once at its messages."""
        tokens, most, unfit, lacking, places = NO_NEEDS
        if plan.is_sized or plan.counts_tokens:
            kwargs = request.kwargs
            content, most = scan(request.messages), max_tokens_among(kwargs)
            if plan.counts_tokens:
                tokens = content.likely_tokens
            if plan.is_sized:
                tools = bool(kwargs.get("tools"))
                unfit = misfits(plan, content, tools=tools, max_tokens=most)
        if options is not None and options.tags:
            wanted = set(options.tags)
            lacking = [one for one in declared.routes if not wanted <= one.tags]
        if conversation is not None:
            places = partial(self.router.sticky_places, sticky_value(conversation))
        return CallNeeds(tokens, most, unfit, lacking, places)


def _seconds(answer_timeout: float | Literal["auto"] | None) -> float | None:
    return AUTO_ANSWER_TIMEOUT if answer_timeout == "auto" else answer_timeout
