"""The demo: real clients, a simulated world, and what becomes of calls in it.

A scene that does not end as it must is an error of the demo.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from langsmith.run_helpers import tracing_context
from pydantic import SecretStr

from langchain_reliable._cli.call_view import CallView
from langchain_reliable._cli.demo_scenes import (
    BACKUP,
    FAST,
    PRIMARY,
    SCENES,
    DemoTiming,
)
from langchain_reliable._cli.extras import NotReady, need
from langchain_reliable._cli.open_screen import open_screen
from langchain_reliable._cli.screen import Line, Mark
from langchain_reliable._runtime.clock import SystemClock
from langchain_reliable.chat_models import ReliableChatModel
from langchain_reliable.errors import AllModelsFailed, StreamInterrupted
from langchain_reliable.health import Health
from langchain_reliable.testing import simulator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_core.language_models import BaseChatModel

    from langchain_reliable._cli.demo_scenes import Scene
    from langchain_reliable._cli.screen import Screen
    from langchain_reliable.testing import Simulator

_LOOPBACK: Final = "127.0.0.1"
_FALLBACKS: Final = "with_fallbacks"
_KEY: Final = SecretStr("none-needed")
_INTRO: Final = (
    "ChatOpenAI and ChatAnthropic as you know them, talking to a simulator on this "
    "machine: no key, no network. What goes wrong, goes wrong on the wire."
)
_CODE: Final = f"""\
model = ReliableChatModel(models=[
    ChatOpenAI(model="{PRIMARY}"),
    ChatAnthropic(model="{BACKUP}"),
])
for chunk in model.stream(question): ..."""
_YOURS: Final = (
    'langchain-reliable ask "Why is the sky blue?" \\\n'
    f"    --model openai:{PRIMARY} --model anthropic:{BACKUP}"
)


def demo(*, fast: bool = False, only: int | None = None, plain: bool = False) -> int:
    """Play the demo.

    Args:
        fast: Without pauses.
        only: The number of the one scene to play; all unless given.
        plain: In plain lines, also on a terminal.

    Returns:
        The exit status: 0 if every scene ended as it must.

    Raises:
        NotReady: Something has to be installed first, or there is no such scene.
    """
    need("h11", "langchain_openai", "langchain_anthropic")
    if only is not None and not 1 <= only <= len(SCENES):
        raise NotReady(f"there is no scene {only}: they are 1 to {len(SCENES)}")
    numbers = range(1, len(SCENES) + 1) if only is None else (only,)
    with open_screen(plain=plain) as screen, _undisturbed():
        screen.heading("langchain-reliable")
        screen.tell(_INTRO)
        screen.code(_CODE)
        screen.preparing("loading the clients")
        import langchain_anthropic  # noqa: F401, PLC0415 - an extra, and slow
        import langchain_openai  # noqa: F401, PLC0415 - as above

        with simulator() as sim:
            stage = DemoRunner(sim, screen, FAST if fast else DemoTiming())
            shows = [stage.play(number) for number in numbers]
        _recap(screen, numbers, shows)
        for complaint in stage.complaints:
            sys.stderr.write(f"{complaint}\n")
    return 1 if stage.complaints else 0


def _recap(screen: Screen, numbers: Sequence[int], shows: Sequence[CallView]) -> None:
    if len(shows) > 1:
        screen.heading("What you have seen")
        screen.table(
            [
                ("", "scene", "served by", "attempts", "first token"),
                *(
                    (str(number), SCENES[number - 1].title, *show.figures)
                    for number, show in zip(numbers, shows, strict=True)
                ),
            ]
        )
    screen.heading("With keys of your own")
    screen.code(_YOURS)


class DemoRunner:
    """Where scenes are played, one after the other.

    Attributes:
        complaints: What did not go as it must.
    """

    def __init__(self, sim: Simulator, screen: Screen, pace: DemoTiming) -> None:
        """Set up the stage.

        Args:
            sim: Replies as the provider.
            screen: Where the scenes are shown.
            pace: How fast they go.
        """
        self.complaints: list[str] = []
        self._sim = sim
        self._screen = screen
        self._pace = pace
        self._clock = SystemClock()

    def play(self, number: int) -> CallView:
        """Play a scene."""
        scene = SCENES[number - 1]
        self._clock.sleep_until(self._clock.now() + self._pace.between)
        self._screen.heading(f"{number} of {len(SCENES)}: {scene.title}")
        self._screen.tell(scene.story)
        self._screen.question(scene.question)
        self._script(scene)
        if scene.beside:
            self._beside(scene)
        health = Health()
        show = self._shown(number, scene, health)
        if scene.again is not None:
            question, answer = scene.again
            self._screen.question(question)
            after = replace(scene, question=question, answer=answer)
            self._shown(number, after, health)
        return show

    def _shown(self, number: int, scene: Scene, health: Health) -> CallView:
        show = CallView(self._screen)
        model = self._model(scene, show, health)
        self._check(number, scene, show, self._watched(scene, show, model))
        self._screen.summary(show.summary)
        return show

    def _beside(self, scene: Scene) -> None:
        """Show what LangChain's own fallbacks make of the same fault."""
        primary, backup = clients(self._sim, None)
        text, says = "", "answered"
        began = self._clock.now()
        self._screen.cast([_FALLBACKS, BACKUP])
        try:
            for chunk in primary.with_fallbacks([backup]).stream(scene.question):
                text += chunk.text
        except Exception as error:  # noqa: BLE001 - it is what is to be seen
            says = f"{type(error).__name__}: an empty chunk was taken for an answer"
        mark = Mark.SPEAKS if text else Mark.FAILED
        took = self._clock.now() - began
        self._screen.line(Line(mark=mark, who=_FALLBACKS, seconds=took, says=says))
        self._script(scene)

    def _watched(
        self, scene: Scene, show: CallView, model: ReliableChatModel
    ) -> Exception | None:
        try:
            show.watch(model, scene.question)
        except AllModelsFailed as error:
            self._screen.error("AllModelsFailed", str(error))
            return None
        except StreamInterrupted as error:
            if not scene.rest:
                return error
            self._screen.error("StreamInterrupted", str(error))
            return None
        except Exception as error:  # noqa: BLE001 - told at the end, and in the status
            return error
        return None

    def _script(self, scene: Scene) -> None:
        at_primary, at_backup = scene.world(scene, self._pace)
        self._sim.script(PRIMARY, *at_primary)
        self._sim.script(BACKUP, *at_backup)

    def _model(self, scene: Scene, show: CallView, health: Health) -> ReliableChatModel:
        limit = self._pace.patience if scene.hangs else None
        models: Any = clients(self._sim, limit)
        return ReliableChatModel(
            models=models,
            initial_backoff=self._pace.backoff,
            health=health,
            observers=(show,),
        )

    def _check(
        self, number: int, scene: Scene, show: CallView, error: Exception | None
    ) -> None:
        """Complain if a scene did not end as it must."""
        if error is not None:
            said = f"{type(error).__name__}: {error}"
        elif (show.served_by, show.text.strip()) != (scene.served_by, scene.answer):
            said = f"{show.served_by or 'nobody'} said {show.text!r}"
        else:
            return
        expected = scene.served_by or "nobody"
        self.complaints.append(f"scene {number} must be served by {expected}: {said}")


def clients(sim: Simulator, limit: float | None) -> list[BaseChatModel]:
    """Return the primary and the backup: real clients, at the simulator.

    Args:
        sim: Replies as the provider.
        limit: Seconds after which the primary's client gives up by itself.
    """
    from langchain_anthropic import ChatAnthropic  # noqa: PLC0415 - an extra
    from langchain_openai import ChatOpenAI  # noqa: PLC0415 - as above

    primary: dict[str, Any] = {
        "model": PRIMARY,
        "base_url": sim.openai_url,
        "api_key": _KEY,
        "openai_proxy": None,
        "timeout": limit,
    }
    backup: dict[str, Any] = {
        "model": BACKUP,
        "base_url": sim.anthropic_url,
        "api_key": _KEY,
        "anthropic_proxy": None,
    }
    return [ChatOpenAI(**primary), ChatAnthropic(**backup)]


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep the demo on this machine: past any proxy, and traced nowhere."""
    names = ("NO_PROXY", "no_proxy")
    before = {name: os.environ.get(name) for name in names}
    direct = filter(None, (*before.values(), _LOOPBACK))
    os.environ.update(dict.fromkeys(names, ",".join(direct)))
    try:
        with tracing_context(enabled=False):
            yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
