"""Takes a broken answer back and shows another in its place.

Only where whoever listens adds the chunks up, and nobody reads them one by one: in an
`invoke` that token listeners hear. LangChain keeps the very chunk objects that it is
given and adds them up at the end (seen in langchain-core 1.8.3), so those that were
shown are emptied, and what is left is the second answer alone. That they are kept shows
in their ids, which LangChain writes into them; where it does not, nothing is restarted.
"""

from __future__ import annotations

import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, NamedTuple, Protocol
from uuid import uuid4

from langchain_core.messages import AIMessageChunk, RemoveMessage
from langchain_core.utils.utils import LC_ID_PREFIX

from langchain_reliable._runtime.relay import RelayListener, arelay, relay
from langchain_reliable._text.langchain_private import message_sender

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        Awaitable,
        Callable,
        Generator,
        Sequence,
    )

    from langchain_core.callbacks.manager import BaseRunManager
    from langchain_core.outputs import ChatGenerationChunk

    from langchain_reliable._runtime.clock import Clock
    from langchain_reliable._runtime.peek import AsyncPeekedStream, PeekedStream
    from langchain_reliable.failures import Failure

logger = logging.getLogger("langchain_reliable")


class BrokenAnswer(NamedTuple):
    """An answer that broke off after it was shown, and may be taken back.

    Attributes:
        shown: Its chunks.
        served_by: Whose it is.
        failure: What went wrong.
        error: The exception.
    """

    shown: Sequence[ChatGenerationChunk]
    served_by: str
    failure: Failure
    error: Exception


class TakenBackError(Exception):
    """Ends the relay of a broken answer whose call goes on."""

    def __init__(self, broken: BrokenAnswer) -> None:
        """Take the broken answer along."""
        super().__init__(broken.served_by)
        self.broken = broken


class RestartListener(RelayListener, Protocol):
    """What is asked about a call that may be restarted."""

    def restarted(self, broken: BrokenAnswer, message_id: str | None) -> None:
        """Take note that another answer takes the place of a broken one."""

    def interrupted_after_all(
        self, broken: BrokenAnswer, error: Exception
    ) -> Exception:
        """Return what to raise where nobody else has answered either."""


def were_kept(shown: Sequence[ChatGenerationChunk]) -> bool:
    """Return whether LangChain has kept the chunks that it was given."""
    return all(chunk.message.id is not None for chunk in shown)


def relay_restartable(
    open_: Callable[[], PeekedStream],
    ending: RestartListener,
    clock: Clock,
    run: BaseRunManager,
) -> Generator[ChatGenerationChunk]:
    """Hand on a stream, and another in its place if it breaks off.

    Args:
        open_: Returns a stream, committed.
        ending: What is asked at its end.
        clock: Time.
        run: The run that hears the chunks.
    """
    try:
        yield from relay(open_, ending, clock)
    except TakenBackError as taken_back:
        broken = taken_back.broken
    else:
        return
    try:
        opened = open_()
    except Exception as error:  # noqa: BLE001 - judged there
        raise ending.interrupted_after_all(broken, error) from broken.error
    renamed = _taken_back(broken, opened.held, ending, run)
    yield from map(renamed, relay(lambda: opened, ending, clock))


async def arelay_restartable(
    open_: Callable[[], Awaitable[AsyncPeekedStream]],
    ending: RestartListener,
    clock: Clock,
    run: BaseRunManager,
) -> AsyncGenerator[ChatGenerationChunk]:
    """Hand on a stream; the twin of `relay_restartable`."""
    try:
        async with aclosing(arelay(open_, ending, clock)) as chunks:
            async for chunk in chunks:
                yield chunk
    except TakenBackError as taken_back:
        broken = taken_back.broken
    else:
        return
    try:
        opened = await open_()
    except Exception as error:  # noqa: BLE001 - judged there
        raise ending.interrupted_after_all(broken, error) from broken.error

    async def at_hand() -> AsyncPeekedStream:
        return opened

    renamed = _taken_back(broken, opened.held, ending, run)
    async with aclosing(arelay(at_hand, ending, clock)) as chunks:
        async for chunk in chunks:
            yield renamed(chunk)


def _taken_back(
    broken: BrokenAnswer,
    held: Sequence[ChatGenerationChunk],
    ending: RestartListener,
    run: BaseRunManager,
) -> Callable[[ChatGenerationChunk], ChatGenerationChunk]:
    """Take back what was shown; return what gives the new chunks an id of their own."""
    old = dict.fromkeys(chunk.message.id for chunk in broken.shown)
    _empty(broken.shown, held)
    ids = [one for one in old if one is not None]
    _remove(ids, run)
    ending.restarted(broken, ids[0] if ids else None)
    new = f"{LC_ID_PREFIX}-{uuid4()}"

    def renamed(chunk: ChatGenerationChunk) -> ChatGenerationChunk:
        if chunk.message.id is None or chunk.message.id in old:
            chunk.message.id = new
        return chunk

    return renamed


def _empty(
    shown: Sequence[ChatGenerationChunk], held: Sequence[ChatGenerationChunk]
) -> None:
    """Empty chunks, so that adding them up with the new ones gives the new alone.

    The messages in them are left as they are: a UI may not have read them yet.
    """
    in_blocks = any(isinstance(chunk.message.content, list) for chunk in held) or all(
        chunk.message.response_metadata.get("output_version") == "v1" for chunk in shown
    )  # LangChain makes blocks of texts where the model is asked for these
    for chunk in shown:
        chunk.message = AIMessageChunk(content=[] if in_blocks else "")
        chunk.text, chunk.generation_info = "", None


def _remove(ids: Sequence[str], run: BaseRunManager) -> None:
    """Let LangGraph's `messages` stream tell its UI to drop the messages."""
    for handler in run.handlers:
        if (send := message_sender(handler, run.run_id)) is None:
            continue
        try:
            for one in ids:
                send(RemoveMessage(id=one))
        except Exception:
            logger.exception("a broken answer could not be removed from a graph's UI")
