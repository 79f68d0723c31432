"""What a soak's calls ask for, and the simulator that hears it, in its own process.

A call carries its plan in its prompt: which fault strikes whom, at which try. So any
number of calls share a few clients, and each has texts of its own, which nobody else's
answer may hold. `python -m benchmarks.soak_stage` prints its address and serves until
its standard input is closed.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from benchmarks import provider
from langchain_reliable.testing import (
    FAULTS,
    Answer,
    ErrorReply,
    Fault,
    SimulatedRequest,
    Simulator,
    keep_alives_then_silence,
    rate_limited,
    says,
    simulator,
    tool_call,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

HEALTHY: Final = "healthy"
PINGS: Final = "pings"
"""A stream that is kept alive for ever and says nothing."""
CANDIDATES: Final = ("first", "twin", "second")
TOOL: Final = "note"
_STATE = "state"
_REMEMBERED = 2_000
"""Requests and calls that the simulator keeps in mind; a call is over long before."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one call shall meet.

    Attributes:
        number: Tells its texts from those of all other calls.
        words: How long its answers are.
        told: Fault names per candidate, one for each try; the last one repeats.
    """

    number: int
    words: int
    told: dict[str, tuple[str, ...]]

    @property
    def prompt(self) -> str:
        return json.dumps(asdict(self))

    def text(self, candidate: str) -> str:
        """Return what a candidate says in this call and nowhere else."""
        return " ".join(f"{self.number}.{candidate}.{at}" for at in range(self.words))

    def arguments(self, candidate: str) -> str:
        """Return the same as the arguments of a tool call."""
        return json.dumps({"words": self.text(candidate)})

    def meets(self, *faults: str) -> bool:
        return any(name in faults for names in self.told.values() for name in names)

    def is_well(self, candidate: str) -> bool:
        return set(self.told[candidate]) <= {HEALTHY, "trickle"}


# --- in our process ---------------------------------------------------------------


class Stage:
    """The simulator, as seen from here."""

    def __init__(self, url: str) -> None:
        self.url = url

    def state(self) -> dict[str, int]:
        """Ask how many of what it has open, this question left out."""
        question = json.dumps({"model": _STATE, "messages": []}).encode()
        request = urllib.request.Request(  # noqa: S310 - the loopback
            f"{self.url}/v1/chat/completions",
            data=question,
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            answer = json.load(response)
        known: dict[str, int] = json.loads(answer["choices"][0]["message"]["content"])
        return known


@contextmanager
def running() -> Iterator[Stage]:
    """Run the simulator for the length of a block."""
    with provider.running(__name__) as url:
        yield Stage(url)


# --- in the simulator's process ---------------------------------------------------


class Director:
    """Says what is replied to each request."""

    def __init__(self, sim: Simulator) -> None:
        self._sim = sim
        self._tries: Counter[tuple[int, str]] = Counter()

    def state(self, _request: SimulatedRequest) -> str:
        sim = self._sim
        return json.dumps(
            {
                "streams": sim.open_streams - 1,
                "connections": sim.open_connections - 1,
                "abandoned": sim.abandoned,
            }
        )

    def reply(self, request: SimulatedRequest) -> Answer | ErrorReply | Fault | str:
        plan = _plan_in(request)
        told = plan.told[request.model]
        at = plan.number, request.model
        fault = told[min(self._tries[at], len(told) - 1)]
        self._tries[at] += 1
        self._forget()
        return _dressed(fault, _answer(plan, request), plan.number)

    def _forget(self) -> None:
        while len(self._tries) > _REMEMBERED:
            del self._tries[next(iter(self._tries))]
        requests = self._sim._board.requests  # noqa: SLF001 - it keeps all of them
        if len(requests) > _REMEMBERED:
            requests.clear()


def _plan_in(request: SimulatedRequest) -> Plan:
    content: Any = request.body["messages"][-1]["content"]
    if isinstance(content, list):
        content = content[0]["text"]
    said = json.loads(content)
    told = {name: tuple(faults) for name, faults in said["told"].items()}
    return Plan(said["number"], said["words"], told)


def _answer(plan: Plan, request: SimulatedRequest) -> Answer:
    """Return the healthy answer, in the form that the request asks for."""
    text = plan.text(request.model)
    if "response_format" in request.body:
        return says(plan.arguments(request.model))
    if tools := request.body.get("tools"):
        name = tools[0].get("name") or tools[0]["function"]["name"]
        return says(calls=[tool_call(name, words=text)])
    return says(text)


def _dressed(name: str, answer: Answer, number: int) -> Answer | ErrorReply | Fault:
    """Return a fault that strikes this answer, at a place that differs by call."""
    ours: dict[str, Answer | Fault] = {
        HEALTHY: answer,
        "trickle": replace(answer, pause=0.005),
        PINGS: keep_alives_then_silence(every=0.05),
    }
    if name in ours:
        return ours[name]
    if name == "rate-limited" and number % 2:
        return rate_limited(retry_after_ms=20)
    reply: Any = FAULTS[name]
    if not isinstance(reply, Fault) or not reply.answer.text:
        return reply  # type: ignore[no-any-return]  # no text in the catalogue
    if reply.after is None:
        return replace(reply, answer=answer)
    pieces = len(answer.fragments(""))
    return replace(reply, answer=answer, after=1 + number % max(1, pieces // 2))


def main() -> None:
    with simulator() as sim:
        director = Director(sim)
        sim.script(_STATE, director.state)
        for name in CANDIDATES:
            sim.script(name, director.reply)
        print(sim.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
