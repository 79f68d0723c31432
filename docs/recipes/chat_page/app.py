"""A chat page with failover: an agent's words by SSE, and back again if they break off.

    pip install langchain-reliable langchain langchain-openai langchain-anthropic \
        starlette uvicorn
    python app.py          # with your OPENAI_API_KEY and ANTHROPIC_API_KEY
    python app.py --demo   # without keys or network: the first model always breaks off

Then open http://127.0.0.1:8000.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage, AIMessageChunk, RemoveMessage
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import BaseModel, Field, ValidationError
from starlette.applications import Starlette
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from langchain_reliable import (
    CustomEventObserver,
    ReliableChatModel,
    StreamInterrupted,
)
from langchain_reliable.testing import content_then_cut, says, simulator

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence

    from langchain_core.language_models import BaseChatModel
    from langchain_core.runnables import RunnableConfig
    from starlette.requests import Request

HERE = Path(__file__).parent
NOTICES = {
    "waiting": "This takes a little longer than usual.",
    "failed_over": "One model is not available. Asking another.",
    "restarted": "The answer broke off. Another model writes it anew.",
}
"""What people are told of what goes wrong; the rest is for the log."""
NO_BUFFERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

logger = logging.getLogger(__name__)


def weather(city: str) -> str:
    """Say what the weather is like."""
    return f"Sunny in {city}, 21 degrees."


def chat_agent(models: Sequence[BaseChatModel], **settings: Any) -> Any:
    """Return an agent with a memory, whose answers survive a broken stream."""
    limits = {"first_chunk_timeout": 12, "idle_timeout": 15, "total_timeout": 90}
    model = ReliableChatModel(
        models=models,
        on_interrupt="restart",
        max_retry_after=2,
        observers=[CustomEventObserver()],
        **{**limits, **settings},
    )
    return create_agent(model, tools=[weather], checkpointer=InMemorySaver())


# --- what the page is told ------------------------------------------------------------


def event(name: str, /, **data: object) -> str:
    """Return a server-sent event."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


async def answer(agent: Any, thread: str, question: str) -> AsyncIterator[str]:
    """Tell the page of an agent's answer while it is made.

    Args:
        agent: Who is asked.
        thread: The conversation.
        question: What is asked; asked again, it goes on where it broke.
    """
    config: RunnableConfig = {"configurable": {"thread_id": thread}}
    try:
        given = await going_on(agent, config, question)
        modes = ["messages", "custom"]
        pieces = apart(agent.astream(given, config, stream_mode=modes))
        async with aclosing(pieces):  # who leaves ends the provider's stream as well
            async for mode, piece in pieces:
                for one in told(piece) if mode == "custom" else shown(piece[0]):
                    yield one
    except StreamInterrupted:  # nobody else has answered either
        yield event("interrupted")
    except Exception as error:
        logger.exception("a question was not answered")
        yield event("failed", retry_after=getattr(error, "retry_after", None))
    else:
        yield event("done")


async def apart(stream: AsyncGenerator[Any]) -> AsyncGenerator[Any]:
    """Read a graph's stream in a task of its own, which is cancelled once.

    When a reader leaves, Starlette cancels by anyio, which cancels each await in turn,
    those of cleaning up as well. LangGraph then leaves the tasks of its nodes running,
    and nobody ends the provider's stream (seen in langgraph 1.2.24, starlette 1.10).
    """
    pieces: asyncio.Queue[Any] = asyncio.Queue()
    over = object()

    async def read() -> None:
        try:
            async with aclosing(stream):
                async for piece in stream:
                    pieces.put_nowait(piece)
        finally:
            pieces.put_nowait(over)

    task = asyncio.create_task(read())
    try:
        while (piece := await pieces.get()) is not over:
            yield piece
        await task
    finally:
        task.cancel()


async def going_on(
    agent: Any, config: RunnableConfig, question: str
) -> dict[str, Any] | None:
    """Return what the agent is given: nothing new where it is asked once more."""
    state = await agent.aget_state(config)
    messages = state.values.get("messages", [])
    asked = [one.text for one in messages if one.type == "human"]
    if state.next and asked[-1:] == [question]:
        return None
    given = [("user", question)]
    last = messages[-1] if messages else None
    if isinstance(last, AIMessage) and last.tool_calls:  # left while a tool was at work
        return {"messages": [RemoveMessage(id=str(last.id)), *given]}
    return {"messages": given}


def shown(message: Any) -> Iterator[str]:
    """Tell the page of a piece of a message, or that one is taken back."""
    if isinstance(message, RemoveMessage):
        yield event("retract", id=message.id)
    if not isinstance(message, AIMessageChunk):
        return
    for call in message.tool_call_chunks:
        if call["name"]:
            yield event("tool", id=message.id, name=call["name"])
    if message.text:
        yield event("token", id=message.id, text=message.text)
    if "reliable" in message.response_metadata:
        by = message.response_metadata["reliable"]["served_by"]
        yield event("served", id=message.id, by=by)


def told(piece: dict[str, Any]) -> Iterator[str]:
    """Tell the page, in a sentence, of what goes wrong."""
    if (text := NOTICES.get(piece.get("reliable", {}).get("type"))) is not None:
        yield event("notice", text=text)


# --- the application ------------------------------------------------------------------


class Asked(BaseModel):
    """What the page sends."""

    thread: str = Field(min_length=16, max_length=64)
    question: str = Field(min_length=1, max_length=8_000)


def chat_app(agent: Any) -> Starlette:
    """Return the application: the page, and what it asks."""

    async def chat(request: Request) -> Response:
        try:
            asked = Asked.model_validate_json(await request.body())
        except ValidationError:
            return Response("this is no question", status_code=422)
        return StreamingResponse(
            answer(agent, asked.thread, asked.question),
            media_type="text/event-stream",
            headers=NO_BUFFERS,
        )

    def file(name: str) -> Response:
        return FileResponse(HERE / name)

    return Starlette(
        routes=[
            Route("/", lambda _: file("page.html")),
            Route("/chat.js", lambda _: file("chat.js")),
            Route("/style.css", lambda _: file("style.css")),
            Route("/chat", chat, methods=["POST"]),
        ]
    )


def serve(models: Sequence[BaseChatModel], **settings: Any) -> None:
    """Serve the page to this machine."""
    uvicorn.run(
        chat_app(chat_agent(models, **settings)),
        host="127.0.0.1",
        port=8000,
        timeout_graceful_shutdown=5,  # answers may be under way
    )


def serve_demo() -> None:
    """Serve it with a simulator in the place of the providers."""
    broken = "The sky is blue because the light of the sun is"
    whole = (
        "Air scatters blue light more than red, so blue reaches your eyes from every"
        " direction.\n\nIn the evening the light has a longer way through the air. Most"
        " of the blue is gone by then, and what is left is red."
    )
    with simulator() as sim:
        cut = content_then_cut(says(f"{broken} made", pause=0.12), after=10)
        sim.script("gpt-5.4", cut)
        sim.script("claude-sonnet-5", says(whole, delay=0.8, pause=0.05))
        serve(
            [
                ChatOpenAI(model="gpt-5.4", base_url=sim.openai_url, api_key="none"),
                ChatAnthropic(
                    model="claude-sonnet-5", base_url=sim.anthropic_url, api_key="none"
                ),
            ],
            circuit_breaker=None,  # or the first would soon be passed over
        )


if __name__ == "__main__":
    if "--demo" in sys.argv[1:]:
        serve_demo()
    else:
        serve([ChatOpenAI(model="gpt-5.4"), ChatAnthropic(model="claude-sonnet-5")])
