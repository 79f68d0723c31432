"""One request on its way through the house.

Tying a call's state to its children, for all four hooks alike, lives here: how to ask
the candidate of an attempt, and what to say when the answer ends or breaks off. Rules
never do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, message_chunk_to_message
from langchain_core.outputs.chat_generation import merge_chat_generation_chunks

from langchain_reliable._alarm import Reader, within_limits
from langchain_reliable._children import checked
from langchain_reliable._patience import Patience
from langchain_reliable._streams import Reading, aopen_stream, open_stream
from langchain_reliable.errors import StreamInterrupted

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.outputs import ChatGenerationChunk, ChatResult

    from langchain_reliable._call import Call, Judge
    from langchain_reliable._children import Child, Request
    from langchain_reliable._clock import Clock
    from langchain_reliable._steps import Attempt, Limits
    from langchain_reliable._streams import AsyncOpened, CommitOn, Opened


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a call reads its streams.

    Attributes:
        commit_on: What a stream has to show before it is let out.
        require_finish_reason: Whether a stream without one is a cut; `"auto"` goes by
            what is known of the child.
    """

    commit_on: CommitOn = "payload"
    require_finish_reason: bool | str = "auto"

    def expects_finish(self, child: Child) -> bool:
        """Return whether a stream of this child has to end with a finish reason."""
        required = self.require_finish_reason
        return child.sends_finish if required == "auto" else bool(required)


class Ask:
    """A request, the call it makes, and whom an attempt asks."""

    def __init__(
        self,
        call: Call[Any],
        request: Request,
        child_at: Callable[[int, float | None], Child],
        judge: Judge,
        clock: Clock,
        manner: Manner,
    ) -> None:
        """Begin.

        Args:
            call: The state of the call.
            request: What the caller asked for.
            child_at: Returns the child at a place of the plan, ready to be called, with
                a read time-out for its client.
            judge: Says what an exception means.
            clock: Time.
            manner: How to read streams.
        """
        self.call = call
        self._request = request
        self._child_at = child_at
        self._judge = judge
        self._clock = clock
        self._manner = manner
        self._child: Child | None = None

    # --- openers: one request to one candidate ------------------------------------

    def open(self, attempt: Attempt) -> Opened:
        """Ask for a stream, and read it up to its commit."""
        child = self._asked(attempt)
        child.take_turn()
        reading = self._reading(child, attempt)
        if not reading.patience.limited:
            return open_stream(child.chunks(self._request), reading)
        request = self._request
        reader = Reader(lambda: child.chunks(request), reading.patience, self._clock)
        return open_stream(reader, reading)

    async def aopen(self, attempt: Attempt) -> AsyncOpened:
        """Ask for a stream; the twin of `open`."""
        child = self._asked(attempt)
        await child.atake_turn()
        reading = self._reading(child, attempt)
        return await aopen_stream(child.achunks(self._request), reading, self._clock)

    def answer(self, attempt: Attempt) -> ChatResult:
        """Ask for a whole answer."""
        child = self._asked(attempt)
        child.take_turn()
        patience = Patience(attempt.limits, self._clock.now(), streams=False)
        if not patience.limited:
            return checked(child.answer(self._request))
        request = self._request
        reader = Reader(lambda: iter([child.answer(request)]), patience, self._clock)
        return checked(next(reader))

    async def aanswer(self, attempt: Attempt) -> ChatResult:
        """Ask for a whole answer; the twin of `answer`."""
        child = self._asked(attempt)
        await child.atake_turn()
        patience = Patience(attempt.limits, self._clock.now(), streams=False)
        asked = child.aanswer(self._request)
        if not patience.limited:
            return checked(await asked)
        return checked(await within_limits(asked, patience, self._clock))

    def _asked(self, attempt: Attempt) -> Child:
        read_timeout = _longest_silence(attempt.limits)
        self._child = self._child_at(attempt.route.place, read_timeout)
        return self._child

    def _reading(self, child: Child, attempt: Attempt) -> Reading:
        patience = Patience(attempt.limits, self._clock.now(), streams=True)
        expects_finish = self._manner.expects_finish(child)
        return Reading(patience, self._manner.commit_on, expects_finish)

    # --- the end of an answer -----------------------------------------------------

    def trail(self) -> dict[str, object]:
        """Return what happened, for the answer's metadata."""
        return self.call.trail.as_metadata()

    def handed_over(self, *, finished: bool = False) -> None:
        """Take note that the caller has the whole answer."""
        if finished and self._child is not None:
            self._child.sends_finish = True
        self.call.trail.answered(self._clock.now())

    def stamped(self, result: ChatResult) -> ChatResult:
        """Return an answer that tells in its metadata what happened."""
        for generation in result.generations:
            message = generation.message
            metadata = {**message.response_metadata, "reliable": self.trail()}
            message.response_metadata = metadata  # as LangChain does a moment later
        self.handed_over()
        return result

    def broken_off(
        self, error: Exception, shown: list[ChatGenerationChunk]
    ) -> Exception | None:
        """Return how a broken stream ends; `None` for what is not a provider's."""
        failure = self._judge(error)
        if failure is None:
            return None
        self.call.trail.interrupted(failure, error, self._clock.now())
        return StreamInterrupted(
            partial=_merged(shown),
            served_by=self.call.trail.served_by,
            attempts=self.call.trail.records,
            failure=failure,
        )


_MARGIN = 1.0
"""Seconds by which a client's read time-out is longer than our limit, so that ours is
the one that is told."""


def _longest_silence(limits: Limits) -> float | None:
    """Return after which silence a client may as well give up its socket."""
    if limits.first_chunk is not None and limits.idle is not None:
        chunks = [max(limits.first_chunk, limits.idle)]
    else:
        chunks = []
    spans = [*chunks, *filter(None, (limits.attempt, limits.total))]
    return min(spans) + _MARGIN if spans else None


def _merged(chunks: list[ChatGenerationChunk]) -> AIMessage:
    merged = merge_chat_generation_chunks(list(chunks))
    message = message_chunk_to_message(merged.message) if merged else None
    return message if isinstance(message, AIMessage) else AIMessage(content="")
