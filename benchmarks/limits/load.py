"""The calls that everybody has to answer, and what became of them."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Asking = Callable[[str], Awaitable[Any]]
    Prepare = Callable[[str, str, list[str]], Asking]

RPM: Final = 60
"""What each deployment takes in a minute, as everybody is told."""
DEPLOYMENTS: Final = 3
CALLS_A_MINUTE: Final = 150
QUESTION: Final = "hello?"
WARM_UP: Final = "are you there?"
"""A question that counts for no limit: connections are opened before the watch runs."""
_NO_END: Final = 90.0


@dataclass(frozen=True)
class Load:
    """How long people call, and when.

    Attributes:
        seconds: How long.
        fleets: How many groups of deployments each contestant has, each with a router
            and calls of its own.
    """

    seconds: float
    fleets: int

    @property
    def calls(self) -> int:
        """Calls to one fleet."""
        return max(round(self.seconds * CALLS_A_MINUTE / 60), 1)

    def moments(self, fleet: int) -> list[float]:
        """Return when its calls begin: drawn by chance, the same for everybody."""
        chance = random.Random(fleet)
        return sorted(chance.uniform(0, self.seconds) for _ in range(self.calls))


@dataclass
class Outcome:
    """What became of the calls of one contestant.

    Attributes:
        seconds: How long each answer took.
        lost: How many calls ended in each kind of error.
    """

    seconds: list[float]
    lost: dict[str, int]


def deployments_of(contestant: str, fleet: int) -> list[str]:
    """Return the names of the deployments of one fleet of a contestant."""
    return [f"{contestant}-{fleet}-{number}" for number in range(DEPLOYMENTS)]


async def answers(fleets: list[Asking], load: Load) -> Outcome:
    """Ask at each moment, however long the calls before take."""
    outcome = Outcome([], {})

    async def call(ask: Asking, after: float) -> None:
        await asyncio.sleep(after)
        began = time.perf_counter()
        try:
            await asyncio.wait_for(ask(QUESTION), _NO_END)
        except Exception as error:  # noqa: BLE001 - told, whatever it is
            name = type(error).__name__
            outcome.lost[name] = outcome.lost.get(name, 0) + 1
        else:
            outcome.seconds.append(round(time.perf_counter() - began, 4))

    async with asyncio.TaskGroup() as group:
        for fleet, ask in enumerate(fleets):
            for moment in load.moments(fleet):
                group.create_task(call(ask, moment))
    return outcome


def take_part(prepare: Prepare) -> None:
    """Be a contestant's process: get ready, wait for the word, ask, tell; and again.

    Args:
        prepare: Takes the provider's address, the contestant's name and a fleet's
            deployments, and returns what asks them a question.
    """
    said, sys.stdout = sys.stdout, sys.stderr  # others print as well

    async def run(name: str, url: str, load: Load) -> Outcome:
        fleets = [
            prepare(url, name, deployments_of(name, fleet))
            for fleet in range(load.fleets)
        ]
        for ask in fleets:
            for _ in range(4 * DEPLOYMENTS):  # who goes by chance knows them all then
                await ask(WARM_UP)
        print("ready", file=said, flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        return await answers(fleets, load)

    async def serve() -> None:
        while line := await asyncio.to_thread(sys.stdin.readline):
            name, url, load = json.loads(line)
            outcome = await run(name, url, Load(**load))
            print(json.dumps(asdict(outcome)), file=said, flush=True)

    asyncio.run(serve())
