"""The method: everybody does the same work in each round, in turned order.

Order, warm-up and the garbage collector live here; what is done is `works`' business,
what it comes to is `summary`'s.

- A round is one sample of each contestant, so that a ratio compares neighbors in time.
- The order is turned by one each round, and reversed every other time: nobody profits
  from the place after, or suffers from the garbage of, always the same one.
- Before each sample the collector runs, so each begins with the same counters; during
  the sample it is on, as in real life. What was alive before a row's rounds is frozen
  (`gc.freeze`, as servers do after they have started): else each full collection would
  walk through all of LangChain, which doubles the price of a long stream for everybody
  and makes every ratio look better.
"""

from __future__ import annotations

import asyncio
import gc
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from benchmarks import provider
from benchmarks.contestants import CONTESTANTS, EVERYBODY, LITELLM, drop_spans
from benchmarks.litellm_router import LiteLLM
from benchmarks.works import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from benchmarks.children import Children
    from benchmarks.works import Model, Size, Work

Round: TypeAlias = "dict[str, Sample]"
"""One sample of each contestant."""

Cast: TypeAlias = "Callable[[int, Callable[[], str]], Children]"
"""Makes a row's models, given the chunks they say and where the simulator is."""

Run: TypeAlias = "Callable[[Coroutine[Any, Any, Sample]], Sample]"
"""Runs a coroutine to its end."""


class Stage:
    """What rows share: the event loop and, once one asks for it, the simulator."""

    def __init__(self, run: Run | None = None) -> None:
        """Use `run` for async work; by default one loop for all of it."""
        self._closing = ExitStack()
        self._run = run

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def url(self) -> str:
        """Return the address of the simulator."""
        return self._url

    @cached_property
    def _url(self) -> str:
        return self._closing.enter_context(provider.running())

    @cached_property
    def _runner(self) -> asyncio.Runner:
        return self._closing.enter_context(asyncio.Runner())

    @cached_property
    def litellm(self) -> LiteLLM | None:
        """Return LiteLLM's process, if there can be one."""
        if (there := LiteLLM.start()) is not None:
            self._closing.callback(there.close)
        return there

    def freeze(self) -> None:
        """Spare the collector what is alive by now."""
        gc.collect()
        gc.freeze()
        self._closing.callback(gc.unfreeze)

    def sample(self, work: Work, model: Model, size: Size) -> Sample:
        """Do the work once, from a clean start."""
        drop_spans()
        gc.collect()
        done = work(model, size)
        if isinstance(done, Sample):
            return done
        return (self._run or self._runner.run)(done)


def _as_it_is(model: Any) -> Any:
    return model


@dataclass(frozen=True)
class Race:
    """Lets contestants do the same work in interleaved rounds.

    Attributes:
        cast: Makes the models beneath.
        work: What is timed.
        size: How much of it in one sample.
        contestants: Who takes part.
        view: What an application makes of a contestant's model.
        warm_ups: Rounds that don't count.
    """

    cast: Cast
    work: Work
    size: Size
    contestants: Sequence[str] = field(default=EVERYBODY)
    view: Callable[[Any], Any] = _as_it_is
    warm_ups: int = 1

    def tiny(self) -> Race:
        """Return the same race, over a short way and without warm-up."""
        return replace(self, size=self.size.tiny(), warm_ups=0)

    def rounds(self, count: int, stage: Stage) -> list[Round]:
        """Measure."""
        children = self.cast(self.size.chunks, stage.url)
        there = [one for one in self.contestants if one != LITELLM or stage.litellm]
        models = {one: self.view(CONTESTANTS[one].make(children)) for one in there}

        def sample(one: str) -> Sample:
            if one == LITELLM and stage.litellm is not None:
                return self._elsewhere(stage.litellm, models[one])
            return stage.sample(self.work, models[one], self.size)

        for number in range(self.warm_ups):
            for one in turned(there, number):
                sample(one)
        stage.freeze()
        return [
            {one: sample(one) for one in turned(there, number)}
            for number in range(count)
        ]

    def _elsewhere(self, litellm: LiteLLM, wire: Sequence[tuple[str, str]]) -> Sample:
        """Let the other process do the same; each first call there is a first one."""
        work = self.work
        function = work.func if isinstance(work, partial) else work
        before = work.keywords.get("before") if isinstance(work, partial) else None
        forgets = before is not None and before.__name__ == "forgotten"
        return litellm.sample(function.__name__, self.size, wire, forgets=forgets)


def turned(names: Sequence[str], number: int) -> list[str]:
    """Return the order of a round."""
    by = number % len(names)
    order = [*names[by:], *names[:by]]
    return order[::-1] if number % 2 else order
