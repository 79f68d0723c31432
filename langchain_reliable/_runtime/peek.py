"""Opens a stream and reads it up to its commit.

What comes before the first effective payload is held back, so that whatever breaks by
then was never seen. A stream that ends before its commit is judged here as a whole; one
that is let out is judged by the relay, at its end.

The twins differ by `await` and by who breaks off a wait: in sync nobody here does (with
limits, all of this runs in a `ThreadReader`'s thread), in async one `WaitTimer` per
stream.
"""

from __future__ import annotations

import contextlib
import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

from langchain_reliable._core.user_errors import is_user_error
from langchain_reliable._runtime.closing import GeneratorStack
from langchain_reliable._runtime.payload import (
    PROVIDER_BROKE,
    WholeAnswer,
    finish_among,
    has_answer,
    has_payload,
    is_last,
)
from langchain_reliable._runtime.stepwise import within
from langchain_reliable._runtime.timer import WaitTimer
from langchain_reliable.errors import IncompleteStream

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Callable,
        Iterable,
        Iterator,
        Sequence,
    )

    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, ChatResult

    from langchain_reliable._core.steps import AttemptProgress
    from langchain_reliable._core.timeouts import AttemptTimer
    from langchain_reliable._runtime.clock import Clock
    from langchain_reliable.errors import AnswerRejected

Opened = TypeVar("Opened", "PeekedStream", "AsyncPeekedStream")

CommitOn = Literal["first_chunk", "payload", "text", "complete"]
"""What a stream has to show before it is let out."""

MAX_HELD_CHUNKS = 512
"""Chunks held back without an effective payload; real streams have shown 128 silent
ones before they failed."""

MAX_HELD_CHARACTERS = 1024 * 1024
"""The same in characters of what they hold."""

MAX_HELD_REASONING = 8 * 1024 * 1024
"""Characters held back by `"text"`: a real stream has shown 1,764 chunks of reasoning
before its first text. `"complete"` knows no such bound."""

_SNAPSHOTS = 16
"""Held chunks that are copied in case their child writes into them for the next one.
That it does shows only with the next, when it is too late; copying all of them would
cost an answer that is held whole a third of its time."""

ChunkAndMessage: TypeAlias = (
    "tuple[ChatGenerationChunk, BaseMessage] | tuple[None, None]"
)
NEITHER: ChunkAndMessage = (None, None)

ENDED = "ended"
"""Stands for the finish reason of a stream that only marks its last chunk."""


class Judge(Protocol):
    """Says what is wrong with a finished answer."""

    def fault_of_stream(
        self,
        chunks: Sequence[ChatGenerationChunk],
        finish: str | None,
        *,
        expects_finish: bool = ...,
        shown: bool = ...,
        answer: object = ...,
    ) -> AnswerRejected | None:
        """Return what is wrong with a stream that has ended; `None` if nothing is."""

    def fault_of_result(
        self, result: ChatResult, *, expects_finish: bool = ...
    ) -> AnswerRejected | None:
        """Return what is wrong with an answer in one piece; `None` if nothing is."""

    @property
    def accept(self) -> object:
        """The user's own word on an answer that is whole; `None` for none."""

    def refusal(self, message: BaseMessage, *parsed: object) -> AnswerRejected | None:
        """Return that the user's word is no; `None` if it is not."""


class ReadContext(NamedTuple):
    """How one attempt's stream is to be read.

    Attributes:
        timer: Its time limits.
        progress: Takes note of what comes before the commit.
        judge: Says what is wrong with it at its end.
        commit_on: What it has to show before it is let out.
        expects_finish: Whether an end without a finish reason is a cut.
        marks_its_end: Whether the child itself marks the last chunk, and nobody else.
    """

    timer: AttemptTimer
    progress: AttemptProgress
    judge: Judge
    commit_on: CommitOn = "payload"
    expects_finish: bool = False
    marks_its_end: bool = False

    def finish_of(self, chunk: ChatGenerationChunk) -> str | None:
        """Return why the model stopped, or that it did, if a chunk says so."""
        message, finish = chunk.message, None
        info, metadata = chunk.generation_info, message.response_metadata
        if info or metadata:
            finish = finish_among(info or {}, metadata)
        if finish is None and self.marks_its_end and is_last(message):
            return ENDED
        if finish is None and type(chunk) is WholeAnswer:
            return ENDED
        return finish


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitPolicy:
    """How a call reads its answers.

    Attributes:
        judge: Says what is wrong with an answer at its end.
        commit_on: What a stream has to show before it is let out.
        require_finish_reason: Whether a stream without one is a cut; `"auto"` goes by
            what is known of the child.
    """

    judge: Judge
    commit_on: CommitOn = "payload"
    require_finish_reason: bool | str = "auto"

    @property
    def wholly(self) -> CommitPolicy:
        """The same for a stream that is not shown before its end."""
        return replace(self, commit_on="complete")

    def reading(
        self,
        timer: AttemptTimer,
        progress: AttemptProgress,
        *,
        sends_finish: bool,
        marks_its_end: bool = False,
    ) -> ReadContext:
        """Return how a stream is to be read.

        Args:
            timer: Its time limits.
            progress: Takes note of what comes before the commit.
            sends_finish: Whether such streams are known to end with a finish reason;
                then the mark of a last chunk proves nothing.
            marks_its_end: Whether such a mark would be the child's own.
        """
        required = self.require_finish_reason
        return ReadContext(
            timer=timer,
            progress=progress,
            judge=self.judge,
            commit_on=self.commit_on,
            expects_finish=sends_finish if required == "auto" else bool(required),
            marks_its_end=marks_its_end and not sends_finish,
        )


@dataclass(slots=True)
class PeekedStream:
    """A stream up to its commit: what was held, and what is still to come.

    Attributes:
        reading: How it is read.
        held: What came up to the commit.
        rest: What is to come.
        judged: Whether it has ended, and was judged already.
        written_into: The child's last chunk so far, and its message: it may write what
            comes next into one of these.
    """

    reading: ReadContext
    held: list[ChatGenerationChunk]
    rest: Iterable[ChatGenerationChunk] = ()
    judged: bool = False
    written_into: ChunkAndMessage = NEITHER


@dataclass(slots=True)
class AsyncPeekedStream:
    """The async twin of `PeekedStream`, with what ends a wait and what closes it."""

    reading: ReadContext
    held: list[ChatGenerationChunk]
    rest: AsyncIterator[ChatGenerationChunk]
    wait_timer: WaitTimer
    stack: GeneratorStack = field(default_factory=GeneratorStack)
    judged: bool = False
    written_into: ChunkAndMessage = NEITHER

    async def aclose(self) -> None:
        """Close the stream to its bottom, and wait for it."""
        self.wait_timer.close()
        await self.stack.aclose(self.rest)


def open_stream(
    chunks: Iterator[ChatGenerationChunk],
    reading: ReadContext,
    clock: Clock,
    others_may_be_asked: Callable[[], bool] | None = None,
) -> PeekedStream:
    """Read a stream up to its commit.

    Args:
        chunks: A child's stream, not begun.
        reading: How to read it.
        clock: Time.
        others_may_be_asked: Says whether somebody else could answer in its place. It
            knows the call, which keeps the stream: a stream that kept it would be left
            to the garbage collector, with all its chunks.

    Returns:
        The stream, committed.

    Raises:
        EmptyAnswer: It finished and said nothing.
        FinishedWithError: It says that it ended in an error.
        IncompleteStream: It ended without a word, or without its finish reason.
        TimeLimitExceeded: Nobody waits for it any more.
    """
    return Peek(reading, clock, others_may_be_asked).of(chunks)


class Peek:
    """A stream on its way to its commit, read by one thread for another."""

    def __init__(
        self,
        reading: ReadContext,
        clock: Clock,
        others_may_be_asked: Callable[[], bool] | None = None,
    ) -> None:
        """Begin; see `open_stream`."""
        self._reading = reading
        self._held = _HeldChunks(reading, clock, others_may_be_asked)

    def of(self, chunks: Iterator[ChatGenerationChunk]) -> PeekedStream:
        """Read a stream up to its commit."""
        held = self._held
        try:
            for chunk in chunks:
                if held.commits_with(chunk):
                    opened = PeekedStream(self._reading, held.chunks, chunks)
                    opened.written_into = held.last
                    return opened
        except BaseException as error:  # noqa: BLE001 - judged there
            close_stream(chunks)
            return self.cut_by(error)
        return held.whole(PeekedStream(self._reading, held.chunks))

    def cut_by(self, error: BaseException) -> PeekedStream:
        """Return what was held if that is all, whatever broke or took too long then.

        Raises:
            BaseException: The error, if more was to come.
        """
        if not self._held.is_complete(error):
            raise error
        return self._held.whole(PeekedStream(self._reading, [*self._held.chunks]))


async def aopen_stream(
    chunks: AsyncIterator[ChatGenerationChunk],
    reading: ReadContext,
    clock: Clock,
    others_may_be_asked: Callable[[], bool] | None = None,
) -> AsyncPeekedStream:
    """Read a stream up to its commit; the twin of `open_stream`."""
    held = _HeldChunks(reading, clock, others_may_be_asked)
    wait_timer = WaitTimer(reading.timer, clock)
    opened = AsyncPeekedStream(reading, held.chunks, chunks, wait_timer)
    try:
        if await within(_commits(opened, held), opened.stack.track):
            opened.written_into = held.last
            return opened
        await opened.aclose()
    except BaseException as error:
        late = reading.timer.error() if wait_timer.uncancelled() else None
        await opened.aclose()
        if not held.is_complete(late or error):
            if late is not None:
                raise late from error
            raise
    return held.whole(opened)


async def _commits(opened: AsyncPeekedStream, held: _HeldChunks) -> bool:
    """Read on until a stream commits; return whether it does, or ends before."""
    wait_timer = opened.wait_timer
    wait_timer.set()
    async for chunk in opened.rest:
        wait_timer.off()
        if held.commits_with(chunk):
            return True
        wait_timer.set()
    wait_timer.off()
    return False


class _HeldChunks:
    """Chunks held back until the stream commits."""

    __slots__ = (
        "_characters",
        "_clock",
        "_copy",
        "_finish",
        "_others_may_be_asked",
        "_reading",
        "_reuses",
        "_spoke",
        "chunks",
        "last",
    )

    def __init__(
        self,
        reading: ReadContext,
        clock: Clock,
        others_may_be_asked: Callable[[], bool] | None,
    ) -> None:
        self.chunks: list[ChatGenerationChunk] = []
        reading.progress.parts = self.chunks
        self.last = NEITHER
        self._copy: ChatGenerationChunk | None = None
        self._characters = 0
        self._clock = clock
        self._finish: str | None = None
        self._others_may_be_asked = others_may_be_asked
        self._reading = reading
        self._reuses = False
        self._spoke = False

    def commits_with(self, chunk: ChatGenerationChunk) -> bool:
        """Take a chunk in; return whether the stream commits with it.

        Raises:
            IncompleteStream: Too many came without a word, and others can be asked.
        """
        now, timer = self._clock.now(), self._reading.timer
        timer.chunk_arrived(now)  # if nobody waits any more, it is not taken
        if not self.chunks:
            self._reading.progress.opened_at = now
        reading, message = self._reading, chunk.message
        tells = chunk.generation_info or message.response_metadata
        if self._finish is None and (
            tells or reading.marks_its_end or type(chunk) is WholeAnswer
        ):
            self._finish = reading.finish_of(chunk)
            if self._finish is not None:
                timer.finish_arrived(now)
        speaks = has_payload(message)
        self._spoke = self._spoke or speaks
        on = reading.commit_on
        commits = (
            on == "first_chunk"
            or (speaks and on == "payload")
            or (speaks and on == "text" and has_answer(message))
            or self._is_full(chunk)
        )
        if commits or self._spoke:
            timer.payload_arrived()
        before, self.last = self.last, (chunk, message)
        reused = chunk is before[0] or message is before[1]
        if reused and self._copy is not None:
            self.chunks[-1], self._reuses = self._copy, True
        if commits:
            self.chunks.append(snapshot(chunk))  # it may be written into
            return True
        self.chunks.append(chunk)
        self._reading.progress.held += 1
        copies = self._reuses or len(self.chunks) <= _SNAPSHOTS
        self._copy = snapshot(chunk) if copies else None
        return False

    def _is_full(self, chunk: ChatGenerationChunk) -> bool:
        """Return whether no more may be held back, whatever it is."""
        complete = self._reading.commit_on == "complete"
        if self._spoke and complete:
            return False
        self._characters += len(str(chunk.message.content))
        if self._spoke:
            return self._characters >= MAX_HELD_REASONING
        if (count := len(self.chunks) + 1) < MAX_HELD_CHUNKS:
            return not complete and self._characters >= MAX_HELD_CHARACTERS
        others = self._others_may_be_asked
        if others is not None and others():
            raise IncompleteStream(f"was left after {count} chunks without a word")
        return not complete

    def is_complete(self, error: BaseException) -> bool:
        """Return whether the answer was complete before something broke.

        A wire that breaks after the finish marker breaks nothing. An error that the
        provider itself tells of, after a marker and without a word, is the answer.
        """
        if not isinstance(error, Exception) or self._finish is None:
            return False
        if self._finish in PROVIDER_BROKE or is_user_error(error):
            return False
        if not self._spoke and getattr(error, "body", None):
            return False
        self._reading.progress.broke = error
        return True

    def whole(self, opened: Opened) -> Opened:
        """Return a stream that ended before its commit, if it is an answer."""
        opened.judged = True  # an empty one, too: it may be the best there is
        fault = self._reading.judge.fault_of_stream(
            self.chunks,
            self._finish,
            expects_finish=self._reading.expects_finish,
            answer=opened,
        )
        if fault is not None:
            raise fault
        return opened


def snapshot(chunk: ChatGenerationChunk) -> ChatGenerationChunk:
    """Return a chunk as it is now: its child may write into it for the next one."""
    taken = copy.copy(chunk)
    taken.message = copy.copy(chunk.message)
    return taken


def close_stream(chunks: Iterable[ChatGenerationChunk]) -> None:
    """Close a child's stream; what it raises has no one left to hear it."""
    if (close := getattr(chunks, "close", None)) is not None:
        with contextlib.suppress(Exception):
            close()
