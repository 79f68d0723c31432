"""The scenes of the demo: what is asked, what goes wrong, and how it must end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from langchain_reliable.testing import (
    content_then_cut,
    error_status,
    hang_before_headers,
    overloaded,
    quota_exhausted,
    rate_limited,
    role_then_cut,
    says,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_reliable.testing import Reply

PRIMARY: Final = "gpt-5.4"
BACKUP: Final = "claude-sonnet-5"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoTiming:
    """How fast the demo goes, in seconds.

    Attributes:
        thinks: From a request to its first token.
        piece: Between two tokens.
        silence: How long the stream that breaks says nothing.
        retry_after: What the rate limit asks for.
        patience: The time limit of the client in front of the model that hangs.
        backoff: Longest wait before a first retry.
        between: Between two scenes.
    """

    thinks: float = 0.3
    piece: float = 0.016
    silence: float = 0.15
    retry_after: float = 0.7
    patience: float = 1.0
    backoff: float = 0.4
    between: float = 0.4


FAST: Final = DemoTiming(
    thinks=0.0,
    piece=0.0,
    silence=0.0,
    retry_after=0.01,
    patience=0.2,
    backoff=0.0,
    between=0.0,
)
"""No pauses: for tests, and for whoever only wants to see that it works."""

Script: TypeAlias = "tuple[Reply, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One call.

    Attributes:
        title: What goes wrong.
        story: What to look at.
        question: What is asked.
        answer: What is answered; empty if nobody answers.
        served_by: Who has to answer; empty if nobody does.
        world: Returns what the primary and the backup reply, given a pace.
        hangs: Whether the primary's client has to give up by itself.
        rest: What the answer would go on with, if it did not break off.
        beside: Whether `with_fallbacks` is shown the same fault first.
        again: What is asked next of a model that shares its health, and the answer.
    """

    title: str
    story: str
    question: str
    answer: str = ""
    served_by: str = ""
    world: Callable[[Scene, DemoTiming], tuple[Script, Script]]
    hangs: bool = False
    rest: str = ""
    beside: bool = False
    again: tuple[str, str] | None = None

    def spoken(self, pace: DemoTiming) -> Reply:
        """Return the answer as a model would tell it."""
        return says(self.answer, delay=pace.thinks, pause=pace.piece)


def _healthy(scene: Scene, pace: DemoTiming) -> tuple[Script, Script]:
    return (scene.spoken(pace),), (scene.spoken(pace),)


def _limited(scene: Scene, pace: DemoTiming) -> tuple[Script, Script]:
    limit = rate_limited(retry_after=pace.retry_after)
    return (limit, scene.spoken(pace)), (scene.spoken(pace),)


def _breaks(scene: Scene, pace: DemoTiming) -> tuple[Script, Script]:
    cut = role_then_cut(silent=3)
    slow = replace(cut, answer=replace(cut.answer, delay=pace.silence))
    return (slow,), (scene.spoken(pace),)


def _breaks_off(scene: Scene, pace: DemoTiming) -> tuple[Script, Script]:
    whole = says(scene.answer + scene.rest, delay=pace.thinks, pause=pace.piece)
    cut = content_then_cut(whole, after=len(scene.answer.split()))
    return (cut,), (scene.spoken(pace),)


def _down(scene: Scene, pace: DemoTiming) -> tuple[Script, Script]:
    _, answer = scene.again or ("", "")
    then = says(answer, delay=pace.thinks, pause=pace.piece)
    return (error_status(503),), (scene.spoken(pace), then)


SCENES: Final = (
    Scene(
        title="A healthy call",
        story=f"Nothing goes wrong: {PRIMARY} answers, {BACKUP} is never asked.",
        question="Why do we have two ears?",
        answer=(
            "To hear where a sound comes from. It reaches one ear a little earlier, "
            "and a little louder, than the other. From a difference of less than a "
            "thousandth of a second the brain works out where to turn."
        ),
        served_by=PRIMARY,
        world=_healthy,
    ),
    Scene(
        title="The primary is rate-limited",
        story=(
            f"{PRIMARY} says 429 and asks for a moment. A moment is worth waiting "
            "for: it is asked again when its time has come, and not before."
        ),
        question="Why is the sky blue?",
        answer=(
            "Sunlight holds every color. Air scatters the short blue waves far more "
            "than the long red ones, so blue reaches your eyes from all over the sky, "
            "and the sun itself looks a little yellow."
        ),
        served_by=PRIMARY,
        world=_limited,
    ),
    Scene(
        title="The primary breaks without a word",
        story=(
            f"{PRIMARY} opens a stream: a 200, a role, three empty chunks, and the "
            "connection is gone. A program sees none of it: a stream is shown from "
            "its first real token on. LangChain's with_fallbacks goes first."
        ),
        question="Why does the sea have tides?",
        answer=(
            "The moon pulls a little harder on the near side of the Earth than on the "
            "far side. That stretches the oceans into two bulges, and the turning "
            "Earth carries every coast through both of them."
        ),
        served_by=BACKUP,
        world=_breaks,
        beside=True,
    ),
    Scene(
        title="The primary hangs",
        story=(
            f"{PRIMARY} takes the request and never answers. Its client gives up, and "
            f"a silent route is not asked twice: {BACKUP} is next."
        ),
        question="Why do cats purr?",
        answer=(
            "Partly from contentment, partly as medicine. The hum comes from small "
            "muscles in the throat, and cats purr when they rest, nurse or heal. "
            "Asked for details, they fall asleep."
        ),
        served_by=BACKUP,
        world=lambda scene, pace: ((hang_before_headers(),), (scene.spoken(pace),)),
        hangs=True,
    ),
    Scene(
        title="The primary is down, and the next call knows",
        story=(
            f"{PRIMARY} says 503 three times, and its circuit opens. The second call "
            f"does not ask it at all: {BACKUP} answers at once."
        ),
        question="Why do leaves turn red?",
        answer="Their green fades in autumn, and what was hidden beneath it shows.",
        served_by=BACKUP,
        world=_down,
        again=(
            "And why do they fall?",
            "A tree without leaves keeps its water, and snow does not break it.",
        ),
    ),
    Scene(
        title="The primary breaks in mid-answer",
        story=(
            "Words have been shown, so nothing is switched: no second text behind half "
            "of a first one. The error holds what had arrived."
        ),
        question="Why do stars twinkle?",
        answer="The air above us is never still, so their light is bent",
        rest=" this way and that before it reaches your eye.",
        served_by=PRIMARY,
        world=_breaks_off,
    ),
    Scene(
        title="Everything is down",
        story=(
            "An empty account here, an overloaded provider there. Nobody can answer, "
            "so you get one error, and it says what was tried."
        ),
        question="Is anybody there?",
        world=lambda *_: ((quota_exhausted(),), (overloaded(),)),
    ),
)
