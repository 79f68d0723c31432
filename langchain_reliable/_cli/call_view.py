"""A call as it is watched: who is asked, what goes wrong, who speaks, how long it took.

It only watches: nothing here changes what a call does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_reliable._cli.screen import Line, Mark
from langchain_reliable._text.wording import describe_failure, said_of_passed_over
from langchain_reliable.events import (
    Answered,
    AttemptFailed,
    AttemptStarted,
    Committed,
    FailedOver,
    Interrupted,
    PassedOver,
    Waiting,
)

if TYPE_CHECKING:
    from langchain_reliable._cli.screen import Screen
    from langchain_reliable.chat_models import ReliableChatModel
    from langchain_reliable.events import AttemptRecord, Event


class CallView:
    """Watches one call: an observer, and the reader of its stream.

    Attributes:
        served_by: Who spoke; empty while nobody has.
        attempts: How many requests were made.
        text: What has been said so far.
    """

    def __init__(self, screen: Screen) -> None:
        """Choose where to show the call."""
        self.served_by = ""
        self.attempts = 0
        self.text = ""
        self._screen = screen
        self._trouble: Exception | None = None
        self._began_at = self._spoke_at = self._last_at = 0.0
        self._broke_off = False

    def watch(self, model: ReliableChatModel, question: str) -> None:
        """Stream an answer to the screen; errors of the call leave as they are.

        Args:
            model: The model to ask; this show is one of its `observers`.
            question: What to ask it.
        """
        self._screen.cast(model.model_name.split(" | "))
        try:
            for chunk in model.stream(question):
                self._raise_trouble()
                if chunk.text:
                    self.text += chunk.text
                    self._screen.piece(self.served_by, chunk.text)
        finally:
            self._screen.answer_ends()
            self._raise_trouble()

    @property
    def summary(self) -> str:
        """How the call went, in one line."""
        tries = "1 attempt" if self.attempts == 1 else f"{self.attempts} attempts"
        whole = self._last_at - self._began_at
        if not self.served_by:
            return f"no model answered, {tries}, gave up after {whole:.2f} s"
        if not self.text:
            return f"served by {self.served_by}, {tries}, no text, {whole:.2f} s"
        who = "{} broke off" if self._broke_off else "served by {}"
        return (
            f"{who.format(self.served_by)}, {tries}, "
            f"first token at {self._first_token}, last at {whole:.2f} s"
        )

    @property
    def figures(self) -> tuple[str, str, str]:
        """The same for a table: who, attempts, seconds to the first token."""
        return self.served_by or "nobody", str(self.attempts), self._first_token

    @property
    def _first_token(self) -> str:
        return f"{self._spoke_at - self._began_at:.2f} s" if self._spoke_at else "none"

    def __call__(self, event: Event, /) -> None:
        """Show an event; what goes wrong here is raised where the stream is read.

        A call never suffers from its observers, and so never tells of their errors.
        """
        try:
            self._began_at = self._began_at or event.at
            self._last_at = event.at
            match event:
                case AttemptStarted():
                    self.attempts = event.number
                case Committed():
                    self.served_by, self._spoke_at = event.attempt.candidate, event.at
                case Interrupted():
                    self._broke_off = True
                case Answered():
                    self.served_by = event.candidate
                case _:
                    pass
            self._put(event)
        except Exception as error:  # noqa: BLE001 - raised by `watch`
            self._trouble = self._trouble or error

    def _raise_trouble(self) -> None:
        if self._trouble is not None:
            raise self._trouble

    def _put(self, event: Event) -> None:
        match event:
            case AttemptStarted():
                self._screen.asks(event.candidate, event.nth)
            case Waiting():
                self._screen.waits(event.candidate, event.seconds)
            case _ if (line := line_of(event)) is not None:
                self._screen.line(line)
            case _:
                pass


def line_of(event: Event) -> Line | None:
    """Return the line that tells of an event, if one does."""
    match event:
        case AttemptFailed(attempt=tried) if tried.failure is not None:
            return _line(Mark.FAILED, tried, describe_failure(tried.failure))
        case FailedOver():
            return Line(mark=Mark.MOVED, who=event.target, says="is asked instead")
        case PassedOver():
            said = said_of_passed_over(event).removeprefix(f"{event.candidate} ")
            return Line(mark=Mark.MOVED, who=event.candidate, says=f"{said}: not asked")
        case Committed(attempt=tried):
            return _line(Mark.SPEAKS, tried, "first token")
        case Interrupted():
            says = f"broke off in mid-answer: {describe_failure(event.failure)}"
            return Line(mark=Mark.FAILED, who=event.candidate, says=says)
        case _:
            return None


def _line(mark: Mark, tried: AttemptRecord, says: str) -> Line:
    return Line(
        mark=mark,
        who=tried.candidate,
        nth=tried.nth,
        seconds=tried.seconds,
        says=says,
    )
