"""Simulated people at simulated deployments: minutes that pass in a second.

The models are ours with all that belongs to them; only providers and time are made up.
Chance is seeded, so each run comes to the same.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter, deque
from dataclasses import dataclass, field
from types import SimpleNamespace

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import PrivateAttr

from langchain_reliable.candidates import Group


class LeapingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock leaps to the next timer when nobody is busy."""

    _now = 1.0

    def time(self):
        return self._now

    def _run_once(self):
        due = [one.when() for one in self._scheduled if not one.cancelled()]
        if due and not self._ready:
            self._now = max(self._now, min(due))
        super()._run_once()


class LoopClock:
    """The clock of such a loop."""

    def __init__(self, loop):
        self.now = loop.time
        self.chance = random.Random(1).random  # noqa: S311 - a simulation

    async def asleep_until(self, moment):
        await asyncio.sleep(max(0.0, moment - self.now()))


class RateLimitError(Exception):
    status_code = 429

    def __init__(self, seconds):
        super().__init__("Rate limit reached for requests")
        headers = {} if seconds is None else {"retry-after": str(seconds)}
        self.response = SimpleNamespace(status_code=429, headers=headers)


class Deployment(BaseChatModel):
    """Takes a while for each answer, and may have a limit or a slow spell.

    Attributes:
        name: What it is called.
        rpm: What it takes in any minute; it does not say when to come back.
        window: Seconds that it counts by instead; then it says so.
        seconds: How long an answer takes, give or take.
        warm_seconds: The same where the conversation was seen in the last minutes.
        slow: From when until when it takes six times as long.
    """

    name: str = ""
    rpm: int | None = None
    window: int | None = None
    seconds: float = 2.0
    warm_seconds: float | None = None
    slow: tuple[float, float] | None = None
    _chance: random.Random = PrivateAttr(default_factory=lambda: random.Random(7))  # noqa: S311 - a simulation
    _sent: deque = PrivateAttr(default_factory=deque)
    _warm_until: dict = PrivateAttr(default_factory=dict)
    _moments: list = PrivateAttr(default_factory=list)
    _seen: Counter = PrivateAttr(default_factory=Counter)

    @property
    def _llm_type(self):
        return "simulated"

    def _generate(self, *args, **kwargs):
        raise NotImplementedError

    async def _agenerate(self, messages, stop=None, run_manager=None, **kwargs):
        now = asyncio.get_running_loop().time()
        window = self.window or 60
        while self._sent and self._sent[0] <= now - window:
            self._sent.popleft()
        if self.rpm is not None and len(self._sent) >= self.rpm:
            self._seen["429"] += 1
            await asyncio.sleep(0.2)
            ends = math.ceil(self._sent[0] + window - now)
            raise RateLimitError(ends if self.window else None)
        self._sent.append(now)
        self._moments.append(now)
        await asyncio.sleep(self._takes(messages[0].content, now))
        self._warm_until[messages[0].content] = now + 300
        answer = AIMessage("fine")
        return ChatResult(generations=[ChatGeneration(message=answer)])

    def _takes(self, thread, now):
        seconds = self.seconds
        if self.warm_seconds is not None:
            warm = self._warm_until.get(thread, 0) > now
            self._seen["warm" if warm else "cold"] += 1
            seconds = self.warm_seconds if warm else seconds
        if self.slow is not None and self.slow[0] <= now < self.slow[1]:
            seconds *= 6
        return seconds * self._chance.lognormvariate(0, 0.3)


@dataclass
class Story:
    """What came of it.

    Attributes:
        deployments: Who was asked.
        seconds: How long each answer took, the shortest first.
        lost: Calls that ended in an error.
    """

    deployments: list[Deployment]
    seconds: list[float] = field(default_factory=list)
    lost: list[Exception] = field(default_factory=list)

    def share(self, of_all):
        """Return within how many seconds a share of the answers came."""
        return self.seconds[min(int(len(self.seconds) * of_all), len(self.seconds) - 1)]

    @property
    def shares(self):
        """What each deployment had of all requests."""
        counts = [len(one._moments) for one in self.deployments]
        return [count / sum(counts) for count in counts]

    @property
    def refused(self):
        """How often somebody said 429."""
        return sum(one._seen["429"] for one in self.deployments)

    @property
    def warm(self):
        """How many of the prompts were found in a cache."""
        warm, cold = (
            sum(one._seen[what] for one in self.deployments)
            for what in ("warm", "cold")
        )
        return warm / (warm + cold)


def simulated(model, deployments, *, calls_a_minute, minutes, rush=None):
    """Let people in 400 conversations talk to a model for some minutes.

    Args:
        model: Whom they talk to.
        deployments: Who answers.
        calls_a_minute: How much they talk.
        minutes: How long.
        rush: A minute in which they talk more, and how much.
    """
    arrivals = random.Random(3)  # noqa: S311 - a simulation
    loop = LeapingLoop()
    model._clock = LoopClock(loop)
    for entry in model.models:
        if isinstance(entry, Group) and entry.turns is not None:
            entry.turns._chance = 0.5  # it begins elsewhere in each process
    story = Story(deployments)

    async def call(thread):
        began = loop.time()
        try:
            await model.ainvoke(thread, {"configurable": {"thread_id": thread}})
        except Exception as error:  # noqa: BLE001 - counted, whatever it is
            story.lost.append(error)
        else:
            story.seconds.append(loop.time() - began)

    async def day():
        calls = []
        while loop.time() < minutes * 60:
            rushes = rush is not None and int(loop.time() // 60) == rush[0]
            rate = rush[1] if rushes else calls_a_minute
            await asyncio.sleep(arrivals.expovariate(rate / 60))
            thread = f"thread {arrivals.randrange(400)}"
            calls.append(asyncio.create_task(call(thread)))
        await asyncio.gather(*calls)

    loop.run_until_complete(day())
    loop.close()
    story.seconds.sort()
    return story
