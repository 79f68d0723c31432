"""One request with its I/O: how the candidate of an attempt is asked.

Ties a call's state to its children, for all four hooks alike, and says what becomes of
an answer that ends or breaks off. The rules are the core's.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.outputs import ChatResult

from langchain_reliable._children.convert import as_message
from langchain_reliable._classify.answer import merged
from langchain_reliable._core.timeouts import AttemptTimer
from langchain_reliable._core.usage import likely_usage, usage_of
from langchain_reliable._runtime.peek import (
    Peek,
    ReadContext,
    aopen_stream,
    open_stream,
)
from langchain_reliable._runtime.reader_thread import ThreadReader
from langchain_reliable._runtime.restart import (
    BrokenAnswer,
    TakenBackError,
    were_kept,
)
from langchain_reliable._runtime.timer import within_limits
from langchain_reliable.errors import (
    AllModelsFailed,
    AnswerTimeout,
    BrokenToolCall,
    EmptyAnswer,
    StreamInterrupted,
)
from langchain_reliable.failures import FailureKind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from langchain_core.outputs import ChatGeneration, ChatGenerationChunk

    from langchain_reliable._children.base import Child, Request
    from langchain_reliable._core.call import Call, Classifier
    from langchain_reliable._core.steps import Attempt
    from langchain_reliable._core.timeouts import Timeouts
    from langchain_reliable._core.usage import Usage
    from langchain_reliable._runtime.clock import Clock
    from langchain_reliable._runtime.peek import (
        AsyncPeekedStream,
        CommitPolicy,
        PeekedStream,
    )
    from langchain_reliable.chat_models._router import Router
    from langchain_reliable.chat_models._tracing import TracedRun
    from langchain_reliable.errors import AnswerRejected


T = TypeVar("T")


class Execution:
    """A request, the call it makes, and whom an attempt asks."""

    def __init__(
        self,
        call: Call[Any],
        request: Request,
        router: Router,
        classifier: Classifier,
        clock: Clock,
        commit_policy: CommitPolicy,
    ) -> None:
        """Begin.

        Args:
            call: The state of the call.
            request: What the caller asked for.
            router: Finds the child of a route.
            classifier: Says what an exception means.
            clock: Time.
            commit_policy: How to read streams.
        """
        self.call = call
        self._request = request
        self._router = router
        self._classifier = classifier
        self.clock = clock
        self.traced: TracedRun | None = None
        self.may_restart = False
        self._commit_policy = commit_policy
        self._children: dict[int, Child] = {}  # by attempt

    # --- openers: one request to one candidate ------------------------------------

    def open(self, attempt: Attempt) -> PeekedStream:
        """Ask for a stream, and read it up to its commit."""
        child = self._child_for(attempt, streams=True)
        try:
            opened = self._open(child, attempt, self._commit_policy)
        except EmptyAnswer as error:
            raise self._empty(error) from None
        if self._commit_policy.commit_on == "complete":
            self._read_held(child, opened)
        return opened

    async def aopen(self, attempt: Attempt) -> AsyncPeekedStream:
        """Ask for a stream; the twin of `open`."""
        child = self._child_for(attempt, streams=True)
        try:
            opened = await self._aopen(child, attempt, self._commit_policy)
        except EmptyAnswer as error:
            raise self._empty(error) from None
        if self._commit_policy.commit_on == "complete":
            self._read_held(child, opened)
        return opened

    def answer(self, attempt: Attempt) -> ChatResult:
        """Ask for a whole answer."""
        child = self._child_for(attempt, streams=False)
        if child.answers_in_pieces(self._request, async_api=False):
            try:
                opened = self._open(child, attempt, self._commit_policy.wholly)
            except EmptyAnswer as error:
                raise self._empty(error, as_result=True) from None
            return self._read_whole(child, opened)
        if child.is_rate_limited and not attempt.has_turn:
            self._limited(child.take_turn, attempt.timeouts.of_the_call, attempt)
        request = self._request if attempt.number == 1 else self._request.afresh()
        limits = attempt.timeouts  # looked at by hand: mostly nothing bounds it
        bounded = limits.attempt is not None or limits.deadline is not None
        bounded = bounded or attempt.progress.raced is not None
        if bounded or not (limits.answer is None or limits.answer_is_soft):
            work = partial(child.answer, request)
            answer = self._limited(work, attempt.timeouts, attempt)
        else:
            try:
                answer = child.answer(request)
            except Exception as error:
                if self._is_answer_timeout(error, attempt):
                    raise AnswerTimeout(attempt.timeouts.answer or 0.0) from error
                raise
        return self._checked(child, attempt, answer)

    async def aanswer(self, attempt: Attempt) -> ChatResult:
        """Ask for a whole answer; the twin of `answer`."""
        child = self._child_for(attempt, streams=False)
        if child.answers_in_pieces(self._request, async_api=True):
            try:
                opened = await self._aopen(child, attempt, self._commit_policy.wholly)
            except EmptyAnswer as error:
                raise self._empty(error, as_result=True) from None
            return self._read_whole(child, opened)
        if child.is_rate_limited and not attempt.has_turn:
            await self._alimited(child.atake_turn(), attempt.timeouts.of_the_call)
        request = self._request if attempt.number == 1 else self._request.afresh()
        answer = await self._alimited(child.aanswer(request), attempt.timeouts)
        return self._checked(child, attempt, answer)

    def _child_for(self, attempt: Attempt, *, streams: bool) -> Child:
        child = self._router.child_within(attempt.route, attempt.timeouts, streams)
        self._children[attempt.number] = child
        return child

    def _open(
        self, child: Child, attempt: Attempt, commit_policy: CommitPolicy
    ) -> PeekedStream:
        if child.is_rate_limited and not attempt.has_turn:
            self._limited(child.take_turn, attempt.timeouts.of_the_call, attempt)
        reading = self._reading(child, attempt, commit_policy)
        request = self._request if attempt.number == 1 else self._request.afresh()
        clock, raced = self.clock, attempt.progress.raced
        others = partial(self._others_may_be_asked, attempt)
        if not reading.timer.limited and raced is None:
            return open_stream(child.chunks(request), reading, clock, others)
        opening = Peek(reading, clock, others)
        reader = ThreadReader(reading.timer, clock, attempt.route.key)
        if raced is not None:
            raced.reads_with(reader)
        return reader.opened(lambda: opening.of(child.chunks(request)), opening.cut_by)

    async def _aopen(
        self, child: Child, attempt: Attempt, commit_policy: CommitPolicy
    ) -> AsyncPeekedStream:
        if child.is_rate_limited and not attempt.has_turn:
            await self._alimited(child.atake_turn(), attempt.timeouts.of_the_call)
        reading = self._reading(child, attempt, commit_policy)
        request = self._request if attempt.number == 1 else self._request.afresh()
        others = partial(self._others_may_be_asked, attempt)
        chunks = child.achunks(request)
        return await aopen_stream(chunks, reading, self.clock, others)

    def _reading(
        self, child: Child, attempt: Attempt, commit_policy: CommitPolicy
    ) -> ReadContext:
        timer = AttemptTimer(attempt.timeouts, self.clock.now(), streams=True)
        attempt.progress.timer = timer
        return commit_policy.reading(
            timer,
            attempt.progress,
            sends_finish=child.sends_finish,
            marks_its_end=child.marks_its_end,
        )

    def _others_may_be_asked(self, attempt: Attempt) -> bool:
        return self.call.may_ask_another(attempt.route, self.clock.now())

    # --- what a finished answer has to be ---------------------------------------------

    def _checked(
        self, child: Child, attempt: Attempt, answer: ChatResult
    ) -> ChatResult:
        attempt.progress.parts = answer.generations[:1]
        policy, judge = self._commit_policy, self._commit_policy.judge
        cut = child.streams_inside and policy.require_finish_reason is not False
        if (fault := judge.fault_of_result(answer, expects_finish=cut)) is not None:
            raise self._empty(fault) if isinstance(fault, EmptyAnswer) else fault
        if self._request.output is None and judge.accept is None:
            return answer
        return self._accepted(answer, *self._read(child, answer))

    def _read(self, child: Child, answer: ChatResult) -> tuple[object, ...]:
        """Read an answer by its form, if it has one; return what it says."""
        output = self._request.output
        if output is None:
            return ()
        form = child.output_for(output.spec, self._request.config)
        return (output.read(answer, form),)

    def _accepted(self, answer: ChatResult, *parsed: object) -> ChatResult:
        """Return an answer to which the user's `accept` does not say no."""
        judge = self._commit_policy.judge
        if judge.accept is not None:
            refused = judge.refusal(as_message(answer), *parsed)
            if refused is not None:
                raise refused
        return answer

    def _read_held(
        self, child: Child, opened: PeekedStream | AsyncPeekedStream
    ) -> None:
        """Read a stream that is held whole, while another try is still unseen."""
        if self._request.output is None and self._commit_policy.judge.accept is None:
            return
        try:
            self._read_whole(child, opened)
        except EmptyAnswer as error:
            error.answer = opened
            raise

    def _read_whole(
        self, child: Child, opened: PeekedStream | AsyncPeekedStream
    ) -> ChatResult:
        """Read a stream at its end; what broke there may be why it can't be read."""
        answer = _joined(opened.held)
        try:
            parsed = self._read(child, answer)
        except EmptyAnswer:
            raise
        except Exception as error:
            if (broke := opened.reading.progress.broke) is not None:
                raise broke from error
            raise
        return self._accepted(answer, *parsed)

    def _empty(self, empty: EmptyAnswer, *, as_result: bool = False) -> AnswerRejected:
        """Return what an empty answer is: the least bad one, unless it is refused.

        Args:
            empty: What was found.
            as_result: Whether a stream is to be returned as a whole answer.
        """
        answer: Any = empty.answer
        whole = answer if isinstance(answer, ChatResult) else _joined(answer.held)
        judge = self._commit_policy.judge
        if self._request.output is None and judge.accept is not None:
            refused = judge.refusal(as_message(whole))
            if refused is not None:
                return refused
        return EmptyAnswer(whole) if as_result else empty

    # --- within limits ------------------------------------------------------------

    def _limited(
        self, work: Callable[[], T], timeouts: Timeouts, attempt: Attempt
    ) -> T:
        """Wait for something in a thread, if that is limited or may be given up."""
        raced = attempt.progress.raced
        soft_too = raced is not None  # there is a thread anyway
        now = self.clock.now()
        timer = AttemptTimer(timeouts, now, streams=False, soft_too=soft_too)
        if not timer.limited and raced is None:
            return work()
        reader = ThreadReader(timer, self.clock, attempt.route.key)
        if raced is not None:
            raced.reads_with(reader)
        return reader.answer(work)

    async def _alimited(self, work: Awaitable[T], timeouts: Timeouts) -> T:
        timer = AttemptTimer(timeouts, self.clock.now(), streams=False)
        if not timer.limited:
            return await work
        return await within_limits(work, timer, self.clock)

    def _is_answer_timeout(self, error: Exception, attempt: Attempt) -> bool:
        """Return whether a client gave up at the read time-out that we lowered."""
        span = attempt.timeouts.answer
        if span is None or self.clock.now() - attempt.started_at < span:
            return False
        failure = self._classifier(error)
        return failure is not None and failure.kind is FailureKind.TIMEOUT

    # --- the end of an answer -----------------------------------------------------

    def use_winner(self) -> None:
        """Take note of who has answered: what it was asked for reads its answer."""
        output, traced = self._request.output, self.traced
        if output is None and traced is None:
            return
        if (winner := self.call.trail.winner) is not None:
            child = self._children[winner.number]
            if output is not None:
                output.form = child.output_for(output.spec, self._request.config)
            if traced is not None:
                traced.answered_by(child.ls_params(self._request), winner.route)

    def trail(self) -> dict[str, object]:
        """Return what happened, for the answer's metadata."""
        return self.call.trail.as_metadata()

    def answered(
        self, *, finished: bool, usage: Usage, shown: list[ChatGenerationChunk]
    ) -> None:
        """Take note that the caller has the whole answer."""
        winner = self.call.trail.winner
        if finished and winner is not None:
            self._children[winner.number].sends_finish = True
        likely = self._likely(usage, shown) if usage[1] is None else None
        self.call.answered(self.clock.now(), usage, likely)

    def _likely(self, usage: Usage, parts: Sequence[ChatGeneration]) -> Usage | None:
        """Return what limits go by where an answer does not say what it has cost."""
        winner = self.call.trail.winner
        allowance = None if winner is None else winner.route.allowance
        if allowance is None or not allowance.limits.counts_tokens:
            return None
        return likely_usage(parts, usage)

    def abandoned(self) -> None:
        """Take note that the caller went away in mid-answer."""
        if (winner := self.call.trail.winner) is not None:
            self.call.abandoned(winner, self.clock.now())

    def with_trail(self, result: ChatResult) -> ChatResult:
        """Return an answer that tells in its metadata what happened."""
        if self._request.output is not None or self.traced is not None:
            self.use_winner()
        trail = self.call.trail.as_metadata()
        for generation in result.generations:
            message = generation.message
            metadata = {**message.response_metadata, "reliable": trail}
            # LangChain sets it anew a moment later, and then pays for pydantic's part.
            vars(message)["response_metadata"] = metadata
        usage = usage_of(result.generations[0].message)
        parts = result.generations[:1]
        likely = self._likely(usage, parts) if usage[1] is None else None
        self.call.answered(self.clock.now(), usage, likely)
        return result

    def is_complete(self, shown: list[ChatGenerationChunk]) -> bool:
        """Return whether nothing is missing though the wire broke after the finish.

        OpenAI's SDK reads a form by itself, and hands it over after the last word.
        """
        output = self._request.output
        return output is None or output.is_readable(_joined(shown))

    def interruption(
        self, error: Exception, shown: list[ChatGenerationChunk]
    ) -> Exception | None:
        """Return how a broken stream ends; `None` for what is not a provider's."""
        failure = self._classifier(error)
        if failure is None:
            return None
        clock = self.clock
        if (winner := self.call.trail.winner) is not None:
            winner.progress.parts = shown
        if self.may_restart and were_kept(shown):
            self.may_restart = False
            served_by = self.call.trail.served_by
            self.call.taken_back(failure, error, clock.now(), clock.chance())
            return TakenBackError(BrokenAnswer(shown, served_by, failure, error))
        self.call.interrupted(failure, error, clock.now(), clock.chance())
        answer = error.answer if isinstance(error, BrokenToolCall) else None
        return StreamInterrupted(
            partial=answer or merged(shown),
            served_by=self.call.trail.served_by,
            attempts=self.call.trail.records,
            failure=failure,
        )

    def restarted(self, broken: BrokenAnswer, message_id: str | None) -> None:
        """Take note that another answer takes the place of a broken one."""
        self.call.trail.restarted(broken.served_by, message_id, self.clock.now())

    def interrupted_after_all(
        self, broken: BrokenAnswer, error: Exception
    ) -> Exception:
        """Return what to raise where nobody else has answered either."""
        ours = isinstance(error, AllModelsFailed)
        if not ours and self._classifier(error) is None:
            return error
        return StreamInterrupted(
            partial=merged(list(broken.shown)),
            served_by=broken.served_by,
            attempts=self.call.trail.records,
            failure=broken.failure,
        )


def _joined(chunks: list[ChatGenerationChunk]) -> ChatResult:
    return generate_from_stream(iter(chunks))
