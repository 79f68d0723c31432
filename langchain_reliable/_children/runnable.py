"""A child that is any other Runnable: a sequence, a binding with listeners, ...

Calling it through its public interface, where none of the caller's listeners hears
it, lives here. What is a chat model never comes this way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_reliable._children.convert import as_result, piece_as_chunk
from langchain_reliable._children.untraced import untraced_context
from langchain_reliable._runtime.stepwise import within
from langchain_reliable.errors import SchemaNotBound

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, ChatResult
    from langchain_core.runnables import Runnable

    from langchain_reliable._children.base import Request
    from langchain_reliable._children.structured_output import ChildOutput, OutputSpec


class RunnableChild:
    """A Runnable that returns a message, called where nobody listens."""

    __slots__ = ("_kwargs", "_runnable", "sends_finish")

    def __init__(self, runnable: Runnable[Any, Any], kwargs: Mapping[str, Any]) -> None:
        """Take the Runnable and the keywords that were bound to it."""
        self._runnable = runnable
        self._kwargs = kwargs
        self.sends_finish = False

    def ls_params(self, request: Request) -> Mapping[str, Any]:  # noqa: ARG002 - only the Runnable knows
        """Return nothing: it is not known whose model it asks."""
        return {}

    def take_turn(self) -> None:
        """Do not wait: its rate limiter, if it has one, is within."""

    async def atake_turn(self) -> None:
        """Do not wait; the twin of `take_turn`."""

    def streams(self, request: Request, *, async_api: bool) -> bool:  # noqa: ARG002 - only the Runnable knows
        """Say yes: a Runnable that can't yields its answer as one piece."""
        return True

    is_rate_limited = False
    streams_inside = False  # or nobody knows
    marks_its_end = False  # LangChain does, of whatever a model in it has come to

    def answers_in_pieces(self, request: Request, *, async_api: bool) -> bool:  # noqa: ARG002 - as above
        """Say no: `invoke` is asked for a whole answer."""
        return False

    def chunks(self, request: Request) -> Iterator[ChatGenerationChunk]:
        """Stream its answer."""
        untraced = untraced_context()
        stream = untraced.run(
            self._runnable.stream, request.messages, **self._keywords(request)
        )
        while (piece := untraced.run(next, stream, None)) is not None:
            yield piece_as_chunk(piece)

    async def achunks(self, request: Request) -> AsyncIterator[ChatGenerationChunk]:
        """Stream its answer; the twin of `chunks`."""
        untraced = untraced_context()
        stream = self._runnable.astream(request.messages, **self._keywords(request))
        while (piece := await within(anext(stream, None), untraced.run)) is not None:
            yield piece_as_chunk(piece)

    def answer(self, request: Request) -> ChatResult:
        """Return its answer in one piece."""
        keywords = self._keywords(request)
        return as_result(
            untraced_context().run(self._runnable.invoke, request.messages, **keywords)
        )

    async def aanswer(self, request: Request) -> ChatResult:
        """Return its answer in one piece; the twin of `answer`."""
        asked = self._runnable.ainvoke(request.messages, **self._keywords(request))
        return as_result(await within(asked, untraced_context().run))

    def output_for(self, spec: OutputSpec) -> ChildOutput:  # noqa: ARG002 - whatever it is
        """Refuse: where in a Runnable the schema would go, nobody can know.

        Raises:
            SchemaNotBound: Always.
        """
        raise SchemaNotBound(type(self._runnable).__name__)

    def tokens_in(self, messages: list[BaseMessage], tools: Any, **kwargs: Any) -> int:
        """Refuse: a Runnable does not count.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(f"{type(self._runnable).__name__} counts no tokens")

    def _keywords(self, request: Request) -> dict[str, Any]:
        stop = {"stop": request.stop} if request.stop is not None else {}
        return {**self._kwargs, **request.kwargs, **stop}
