"""Who hears an answer token by token: a listener of an `invoke`, and a chat UI.

Only there can a broken answer be taken back and another be shown in its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.callbacks.base import BaseCallbackHandler
from langchain_core.messages import AIMessageChunk, RemoveMessage
from langchain_core.tracers._streaming import _StreamingCallbackHandler

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from uuid import UUID


class Screen:
    """What somebody sees of one answer: texts by message, the last one to stay.

    Attributes:
        taken_back: How many texts were removed, or followed by another.
    """

    def __init__(self) -> None:
        self.taken_back = 0
        self._texts: dict[str | None, str] = {}
        self._last: str | None = None

    def take(self, message: Any) -> None:
        """Show a chunk, or remove a message."""
        if isinstance(message, RemoveMessage):
            self.taken_back += bool(self._texts.pop(message.id, ""))
        elif isinstance(message, AIMessageChunk) and message.text:
            if self._last != message.id and self._texts.get(self._last):
                self.taken_back += 1
            self._last = message.id
            self._texts[message.id] = self._texts.get(message.id, "") + message.text

    @property
    def text(self) -> str:
        """What stands there."""
        return self._texts.get(self._last, "")


class TokenListener(BaseCallbackHandler, _StreamingCallbackHandler):
    """Hears an `invoke` token by token, as LangGraph's listeners do."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def on_llm_new_token(self, *_: Any, chunk: Any = None, **__: Any) -> None:
        self._screen.take(chunk.message.model_copy())

    def tap_output_iter(self, _run_id: UUID, output: Iterator[Any]) -> Iterator[Any]:
        return output

    def tap_output_aiter(
        self, _run_id: UUID, output: AsyncIterator[Any]
    ) -> AsyncIterator[Any]:
        return output
