"""One request on its way through the house.

Tying a call's state to its children, for all four hooks alike, lives here: how to ask
the candidate of an attempt, and what to say when the answer ends or breaks off. Rules
never do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, message_chunk_to_message
from langchain_core.outputs.chat_generation import merge_chat_generation_chunks

from langchain_reliable._children import checked
from langchain_reliable._streams import aopen_stream, open_stream
from langchain_reliable.errors import StreamInterrupted

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.outputs import ChatGenerationChunk, ChatResult

    from langchain_reliable._call import Call, Judge
    from langchain_reliable._children import Child, Request
    from langchain_reliable._clock import Clock
    from langchain_reliable._steps import Attempt
    from langchain_reliable._streams import AsyncOpened, Opened


class Ask:
    """A request, the call it makes, and whom an attempt asks."""

    def __init__(
        self,
        call: Call[Any],
        request: Request,
        child_at: Callable[[int], Child],
        judge: Judge,
        clock: Clock,
    ) -> None:
        """Begin.

        Args:
            call: The state of the call.
            request: What the caller asked for.
            child_at: Returns the child at a place of the plan, ready to be called.
            judge: Says what an exception means.
            clock: Time.
        """
        self.call = call
        self._request = request
        self._child_at = child_at
        self._judge = judge
        self._clock = clock

    # --- openers: one request to one candidate ------------------------------------

    def open(self, attempt: Attempt) -> Opened:
        """Ask for a stream, and read it up to its first word."""
        return open_stream(self._asked(attempt).chunks(self._request))

    async def aopen(self, attempt: Attempt) -> AsyncOpened:
        """Ask for a stream; the twin of `open`."""
        return await aopen_stream(self._asked(attempt).achunks(self._request))

    def answer(self, attempt: Attempt) -> ChatResult:
        """Ask for a whole answer."""
        return checked(self._asked(attempt).answer(self._request))

    async def aanswer(self, attempt: Attempt) -> ChatResult:
        """Ask for a whole answer; the twin of `answer`."""
        return checked(await self._asked(attempt).aanswer(self._request))

    def _asked(self, attempt: Attempt) -> Child:
        return self._child_at(attempt.route.place)

    # --- the end of an answer -----------------------------------------------------

    def trail(self) -> dict[str, object]:
        """Return what happened, for the answer's metadata."""
        return self.call.trail.as_metadata()

    def handed_over(self) -> None:
        """Take note that the caller has the whole answer."""
        self.call.trail.answered(self._clock.now())

    def stamped(self, result: ChatResult) -> ChatResult:
        """Return an answer that tells in its metadata what happened.

        The message is copied: it may be the child's own.
        """
        for generation in result.generations:
            message = generation.message
            metadata = {**message.response_metadata, "reliable": self.trail()}
            generation.message = message.model_copy(
                update={"response_metadata": metadata}
            )
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


def _merged(chunks: list[ChatGenerationChunk]) -> AIMessage:
    merged = merge_chat_generation_chunks(list(chunks))
    message = message_chunk_to_message(merged.message) if merged else None
    return message if isinstance(message, AIMessage) else AIMessage(content="")
