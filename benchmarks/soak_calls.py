"""One call of a soak: who is asked for what, in which way, and how long we stay.

Making calls, in the caller's thread or task, and keeping what was shown of each, lives
here. Whether that was right is `soak_judge`'s.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from langchain.agents import create_agent
from langchain_core.callbacks.base import BaseCallbackHandler
from langchain_core.messages import AIMessage
from pydantic import BaseModel

from benchmarks.soak_listeners import Screen, TokenListener

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

    from benchmarks.soak_stage import Plan
    from langchain_reliable import CallOptions, Health, ReliableChatModel

WAYS: Final = ("invoke", "stream", "stream", "batch", "heard", "agent")
ASYNC_WAYS: Final = (
    *("ainvoke", "astream", "astream", "abatch", "events"),
    *("aheard", "aagent"),
)
RESTARTABLE: Final = frozenset({"heard", "aheard", "agent", "aagent"})
"""Ways in which a broken answer may be taken back: an `invoke` that is heard token by
token, and an agent's chat UI."""
KINDS: Final = ("text", "text", "tools", "form")
_SEEN: Final[dict[str, Any]] = {"stream_mode": ["messages", "values"]}


class Note(BaseModel):
    """What is to be remembered."""

    words: str


def note(words: str) -> str:
    """Remember what is to be remembered."""
    return words


class Abandoned(Exception):
    """What the caller's own code raises in the middle of an answer."""


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A model, as it is asked for texts, tool calls and forms.

    Attributes:
        name: Its settings in a few words.
        views: What is asked, by kind.
        health: What it knows of its candidates.
        reuses: Whether its candidates hand out one chunk object again and again.
        restarts: Whether it takes broken answers back where it can.
    """

    name: str
    views: dict[str, Any]
    health: Health
    reuses: bool = False
    restarts: bool = False


def contender(name: str, model: ReliableChatModel) -> Contender:
    views = {
        "text": model,
        "tools": model.bind_tools([note], tool_choice="any"),
        "form": model.with_structured_output(Note),
        "agent": create_agent(model, tools=[]),
    }
    restarts = model.on_interrupt == "restart"
    return Contender(name=name, views=views, health=model.health, restarts=restarts)


@dataclass(frozen=True, kw_only=True)
class Call:
    """What is asked, and when we leave.

    Attributes:
        asked: Who is asked.
        plans: What it shall meet; a batch has several.
        way: How it is asked.
        kind: For what.
        leaves: How we leave before the end: `""` (not at all), `"break"`, `"drop"`,
            `"raise"`, `"cancel"` or `"timeout"`.
        at: After how many chunks.
        after: After how many seconds.
        listens: Whether a callback handler hears it.
        options: What it shall do otherwise.
    """

    asked: Contender
    plans: tuple[Plan, ...]
    way: str
    kind: str = "text"
    leaves: str = ""
    at: int = 0
    after: float = 0.0
    listens: bool = False
    options: CallOptions | None = None

    @property
    def model(self) -> Any:
        return self.asked.views["agent" if "agent" in self.way else self.kind]

    @property
    def may_restart(self) -> bool:
        """Return whether a broken answer is taken back in it."""
        return self.asked.restarts and self.way in RESTARTABLE

    @property
    def keywords(self) -> dict[str, Any]:
        return {} if self.options is None else {"reliable": self.options}

    def __str__(self) -> str:
        """Say it in a line."""
        told = [plan.told for plan in self.plans]
        wishes = f"{self.leaves or 'to the end'}, {self.options}"
        return f"{self.way} {self.kind} of {self.asked.name}, {wishes}: {told}"


class Ear(BaseCallbackHandler):
    """Hears what a caller's callbacks hear."""

    def __init__(self) -> None:
        self.text = ""
        self.starts = self.ends = 0

    def on_chat_model_start(self, *_: Any, **__: Any) -> None:
        self.starts += 1

    def on_llm_new_token(self, *_: Any, chunk: Any, **__: Any) -> None:
        self.text += chunk.text

    def on_llm_end(self, *_: Any, **__: Any) -> None:
        self.ends += 1

    def on_llm_error(self, *_: Any, **__: Any) -> None:
        self.ends += 1


@dataclass(slots=True)
class Told:
    """What we were told in one call.

    Attributes:
        shown: Text and tool arguments, in the order in which they were shown.
        whole: The whole answer: a message, or a form.
        error: What it ended in instead.
        left: Whether we went away by ourselves.
        ear: What a handler heard, if one listened.
        seen: Whether anything at all was shown in pieces.
        screen: What was seen by who could see an answer taken back.
    """

    shown: str = ""
    whole: Any = None
    error: BaseException | None = None
    left: bool = False
    ear: Ear | None = None
    seen: bool = False
    screen: Screen | None = None

    def take(self, piece: Any) -> None:
        """Take in a piece of a stream."""
        self.seen = True
        if isinstance(piece, AIMessage):
            piece = piece.model_copy()  # the next one may be the same object
        if isinstance(piece, AIMessage):
            self.whole = piece if self.whole is None else self.whole + piece
            calls = getattr(piece, "tool_call_chunks", ())
            arguments = "".join(call["args"] or "" for call in calls)
            self.shown += piece.text + arguments
        else:  # a form grows as a whole
            self.whole = piece

    def take_of_agent(self, mode: str, piece: Any) -> None:
        """Take in what an agent streams: chunks for a UI, and states."""
        if mode == "messages" and self.screen is not None:
            self.screen.take(piece[0])
        elif mode == "values" and len(piece["messages"]) > 1:
            self.whole = piece["messages"][-1]

    def look_at_screen(self) -> None:
        """Take note of what stands there in the end."""
        if self.screen is not None and self.screen.text:
            self.shown, self.seen = self.screen.text, True


@dataclass
class Asking:
    """A call under way."""

    call: Call
    told: list[Told] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.told = [Told() for _ in self.call.plans]
        if self.call.listens:
            self.told[0].ear = Ear()
        if self.call.way in RESTARTABLE:
            self.told[0].screen = Screen()

    # --- in a thread --------------------------------------------------------------

    def ask(self) -> None:
        """Make the call, and stay as long as it says."""
        try:
            self._ask()
        except Exception as error:  # noqa: BLE001 - judged later
            self._ended(error)
        finally:
            self.told[0].look_at_screen()

    def _ask(self) -> None:
        call, [told, *_] = self.call, self.told
        match call.way:
            case "invoke" | "heard":
                told.whole = call.model.invoke(
                    call.plans[0].prompt, self._config, **call.keywords
                )
            case "batch":
                prompts = [plan.prompt for plan in call.plans]
                self._sort(call.model.batch(prompts, return_exceptions=True))
            case "agent":
                for mode, piece in call.model.stream(self._said_to_agent, **_SEEN):
                    told.take_of_agent(mode, piece)
            case "stream":
                stream = call.model.stream(
                    call.plans[0].prompt, self._config, **call.keywords
                )
                if call.leaves == "drop":
                    told.left = True
                    told.take(next(stream))
                    return
                with closing(stream):
                    for at, piece in enumerate(stream, start=1):
                        told.take(piece)
                        if self._goes(at):
                            break

    # --- in a task ----------------------------------------------------------------

    async def aask(self) -> None:
        """Make the call, and stay as long as it says; the twin of `ask`."""
        call = self.call
        try:
            if call.leaves == "timeout":
                async with asyncio.timeout(call.after):
                    await self._aask()
            else:
                await self._aask()
        except asyncio.CancelledError:
            if call.leaves != "cancel":
                raise
            self._leave()
        except Exception as error:  # noqa: BLE001 - judged later
            if type(error) is TimeoutError and call.leaves == "timeout":
                self._leave()
                return
            self._ended(error)
        finally:
            self.told[0].look_at_screen()

    async def _aask(self) -> None:
        call, [told, *_] = self.call, self.told
        prompt = call.plans[0].prompt
        match call.way:
            case "ainvoke" | "aheard":
                told.whole = await call.model.ainvoke(
                    prompt, self._config, **call.keywords
                )
            case "abatch":
                prompts = [plan.prompt for plan in call.plans]
                self._sort(await call.model.abatch(prompts, return_exceptions=True))
            case "events":
                await self._events(prompt)
            case "aagent":
                stream = call.model.astream(self._said_to_agent, **_SEEN)
                async with aclosing(stream):
                    async for mode, piece in stream:
                        told.take_of_agent(mode, piece)
            case "astream":
                stream = call.model.astream(prompt, self._config, **call.keywords)
                if call.leaves == "drop":
                    told.left = True
                    told.take(await anext(stream))
                    return
                async with aclosing(stream):
                    at = 0
                    async for piece in stream:
                        told.take(piece)
                        at += 1
                        if self._goes(at):
                            break

    async def _events(self, prompt: str) -> None:
        told = self.told[0]
        events = self.call.model.astream_events(prompt, version="v2")
        async with aclosing(events):
            async for event in events:
                match event["event"]:
                    case "on_chat_model_stream":
                        told.take(event["data"]["chunk"])
                    case "on_chat_model_end":
                        told.whole = event["data"]["output"]

    # --- both ---------------------------------------------------------------------

    @property
    def _config(self) -> RunnableConfig | None:
        ear, screen = self.told[0].ear, self.told[0].screen
        listeners = [] if ear is None else [ear]
        if screen is not None:
            listeners.append(TokenListener(screen))
        return {"callbacks": listeners} if listeners else None

    @property
    def _said_to_agent(self) -> dict[str, Any]:
        return {"messages": [("user", self.call.plans[0].prompt)]}

    def _goes(self, at: int) -> bool:
        """Return whether we leave after so many chunks."""
        call, told = self.call, self.told[0]
        if call.leaves not in ("break", "raise") or at != call.at:
            return False
        told.left = True
        if call.leaves == "raise":
            raise Abandoned
        return True

    def _leave(self) -> None:
        for told in self.told:
            told.left = True

    def _ended(self, error: BaseException) -> None:
        if isinstance(error, Abandoned) and self.told[0].left:
            return
        for told in self.told:
            told.error = error

    def _sort(self, answers: list[Any]) -> None:
        for told, answer in zip(self.told, answers, strict=True):
            if isinstance(answer, BaseException):
                told.error = answer
            else:
                told.whole = answer
