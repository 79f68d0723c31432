"""Every way in which a chat model can be asked, told alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import add
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from langchain_core.messages import AIMessageChunk
from langgraph.graph import START, StateGraph

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

QUESTION = "hello?"
IN_ONE_PIECE = ("invoke", "ainvoke", "batch", "abatch")
PIECE_BY_PIECE = (
    "stream",
    "astream",
    "astream_events_v2",
    "stream_events_v3",
    "astream_events_v3",
    "langgraph_messages",
    "langgraph_messages_async",
)
WAYS = (*IN_ONE_PIECE, *PIECE_BY_PIECE)
BASIC = ("invoke", "ainvoke", "stream", "astream")


@dataclass
class Told:
    """What the caller was told: the pieces it saw, and the whole or an error."""

    pieces: list[str] = field(default_factory=list)
    text: str | None = None
    error: Exception | None = None

    @property
    def seen(self) -> str:
        """Everything that was shown, in the order in which it was."""
        return "".join(self.pieces)

    def __str__(self) -> str:
        """Say it in one line: what was seen, and what it came to."""
        return f"{self.seen!r} -> {self.text!r} {self.error!r}"


class Way:
    """Asks a model in one of the ways; `shows` if it shows pieces as they come."""

    def __init__(
        self, name: str, run: Callable[[Coroutine[Any, Any, None]], None]
    ) -> None:
        self.name = name
        self.shows = name in PIECE_BY_PIECE
        self._run = run

    def __call__(self, model: Any) -> Told:
        told = Told()
        try:
            if (asked := _HOW[self.name](model, told)) is not None:
                self._run(_awaited(asked))
        except Exception as error:  # noqa: BLE001 - looked at by the test
            told.error = error
        return told


async def _awaited(asked: Awaitable[None]) -> None:
    await asked


def _invoke(model: Any, told: Told) -> None:
    told.text = model.invoke(QUESTION).text
    told.pieces.append(told.text)


async def _ainvoke(model: Any, told: Told) -> None:
    told.text = (await model.ainvoke(QUESTION)).text
    told.pieces.append(told.text)


def _batch(model: Any, told: Told) -> None:
    told.text = _same(model.batch([QUESTION, QUESTION]))
    told.pieces.append(told.text)


async def _abatch(model: Any, told: Told) -> None:
    told.text = _same(await model.abatch([QUESTION, QUESTION]))
    told.pieces.append(told.text)


def _same(answers: list[Any]) -> str:
    [text] = {answer.text for answer in answers}
    return text


def _stream(model: Any, told: Told) -> None:
    whole = None
    for chunk in model.stream(QUESTION):
        told.pieces.append(chunk.text)
        whole = chunk if whole is None else whole + chunk
    told.text = whole.text if whole is not None else None


async def _astream(model: Any, told: Told) -> None:
    whole = None
    async for chunk in model.astream(QUESTION):
        told.pieces.append(chunk.text)
        whole = chunk if whole is None else whole + chunk
    told.text = whole.text if whole is not None else None


async def _astream_events_v2(model: Any, told: Told) -> None:
    async for event in model.astream_events(QUESTION, version="v2"):
        match event["event"]:
            case "on_chat_model_stream":
                told.pieces.append(event["data"]["chunk"].text)
            case "on_chat_model_end":
                told.text = event["data"]["output"].text


def _stream_events_v3(model: Any, told: Told) -> None:
    stream = model.stream_events(QUESTION, version="v3")
    for piece in stream.text:
        told.pieces.append(piece)
    told.text = stream.output.text


async def _astream_events_v3(model: Any, told: Told) -> None:
    stream = await model.astream_events(QUESTION, version="v3")
    async for piece in stream.text:
        told.pieces.append(piece)
    told.text = (await stream.output).text


class _State(TypedDict):
    messages: Annotated[list[Any], add]


def _graph(node: Any) -> Any:
    return StateGraph(_State).add_node("node", node).add_edge(START, "node").compile()


_ASKED = {"messages": [("user", QUESTION)]}


def _noted(mode: str, piece: Any, told: Told) -> None:
    if mode == "values":
        told.text = getattr(piece["messages"][-1], "text", None)
    elif isinstance(piece[0], AIMessageChunk):
        told.pieces.append(piece[0].text)


def _langgraph_messages(model: Any, told: Told) -> None:
    def node(state: _State) -> _State:
        return {"messages": [model.invoke(state["messages"])]}

    stream = _graph(node).stream(_ASKED, stream_mode=["messages", "values"])
    for mode, piece in stream:
        _noted(mode, piece, told)


async def _langgraph_messages_async(model: Any, told: Told) -> None:
    async def node(state: _State) -> _State:
        return {"messages": [await model.ainvoke(state["messages"])]}

    stream = _graph(node).astream(_ASKED, stream_mode=["messages", "values"])
    async for mode, piece in stream:
        _noted(mode, piece, told)


_HOW: dict[str, Callable[[Any, Told], Awaitable[None] | None]] = {
    "invoke": _invoke,
    "ainvoke": _ainvoke,
    "batch": _batch,
    "abatch": _abatch,
    "stream": _stream,
    "astream": _astream,
    "astream_events_v2": _astream_events_v2,
    "stream_events_v3": _stream_events_v3,
    "astream_events_v3": _astream_events_v3,
    "langgraph_messages": _langgraph_messages,
    "langgraph_messages_async": _langgraph_messages_async,
}
