"""Whether a call of a soak was told the truth.

Every answer is one model's whole answer, or the beginning of one and an error that says
so; anything else is wrong. What exactly each verdict means:

right
    One candidate's whole answer, by the candidate that the trail names, its usage
    counted once. An answer without a word counts where the simulator gave one.
left
    We went away by ourselves, and what we had seen by then is the beginning of one
    candidate's answer.
typed
    An error of ours: `AllModelsFailed` after nothing, `StreamInterrupted` after the
    beginning of one candidate's answer, which is its `partial`; or, where only one
    attempt was made, what we found wrong with that.
propagated
    A provider's own exception where the contract lets it through: its content policy
    refused, every candidate's window overflowed, or only one attempt was made. Also the
    bare child's, which is asked for comparison: on a busy machine it times out.
wrong
    Anything else: text that is lost, doubled or mixed, an error that should not have
    left, a healthy candidate that was not asked.
"""

from __future__ import annotations

import re
import traceback
from typing import TYPE_CHECKING, Any, Final

from langchain_core.exceptions import ModelRefusalError
from langchain_core.messages import AIMessage

from benchmarks.soak_calls import Note
from langchain_reliable import AllModelsFailed, StreamInterrupted
from langchain_reliable.errors import AnswerRejected
from langchain_reliable.failures import FailureKind

if TYPE_CHECKING:
    from benchmarks.soak_calls import Call, Told
    from benchmarks.soak_stage import Plan
    from langchain_reliable.events import AttemptRecord

VERDICTS: Final = ("right", "left", "typed", "propagated", "wrong", "lost")
MARKS: Final = ("hedged", "won by the hedge", "restarted")
"""What answers went through that is to be seen in a soak."""
_SILENT: Final = ("content-filter", "empty-answer", "done-only")
_PROVIDERS: Final = ("openai", "anthropic", "langchain_openai", "langchain_anthropic")
_UNREAD: Final = "Structured Output response does not have"
_TRACED: Final = 12
"""Lines of a traceback that are told."""
_ATTEMPTS = re.compile(r"\((\d+) attempt")


def marks(told: Told) -> list[str]:
    """Return which of these an answer went through."""
    found = []
    trail = getattr(told.whole, "response_metadata", {}).get("reliable", {})
    for row in trail.get("attempts", ()):
        if row.get("hedged"):
            won = row["kind"] is None and not row.get("lost")
            found += ["hedged", "won by the hedge"] if won else ["hedged"]
    if told.screen is not None and told.screen.taken_back:
        found.append("restarted")
    return found


class Wrong(Exception):
    """What is wrong with what we were told."""


def verdict(call: Call, plan: Plan, told: Told) -> tuple[str, str]:
    """Return a verdict, and what is to be said about it."""
    try:
        _check_heard(call, plan, told)
        if told.left:
            _whose(call, plan, _seen(call, told))
            return "left", ""
        if told.error is not None:
            return _of_error(call, plan, told, told.error)
        _check_whole(call, plan, told)
    except Wrong as wrong:
        return "wrong", str(wrong)
    except Exception as error:  # noqa: BLE001 - an answer in no form we know
        return "wrong", f"{error!r} at {told}"
    return "right", ""


def _whose(call: Call, plan: Plan, shown: str) -> list[str]:
    """Return whose answers begin with what was shown.

    Raises:
        Wrong: Nobody's does.
    """
    whose = [name for name in plan.told if _full(call, plan, name).startswith(shown)]
    if not whose:
        raise Wrong(f"nobody said {shown!r}")
    return whose


def _full(call: Call, plan: Plan, name: str) -> str:
    return plan.arguments(name) if call.kind == "tools" else plan.text(name)


def _seen(call: Call, told: Told) -> str:
    """Return what was shown of the answer."""
    return _words(told.whole) if call.kind == "form" else told.shown


def _words(form: Any) -> str:
    if isinstance(form, Note):
        return form.words
    return str((form or {}).get("words") or "")


def _check_heard(call: Call, plan: Plan, told: Told) -> None:
    """See that a listener heard one run, and nothing that was not shown as well."""
    ear = told.ear
    if ear is None:
        return
    if ear.starts > 1 or ear.ends > 1:
        raise Wrong(f"{ear.starts} runs began and {ear.ends} ended")
    if call.kind == "text" and told.seen and told.screen is None:
        _whose(call, plan, ear.text)
        if not ear.text.startswith(told.shown):
            raise Wrong(f"heard {ear.text!r}, but was shown {told.shown!r}")


# --- a whole answer ---------------------------------------------------------------


def _check_whole(call: Call, plan: Plan, told: Told) -> None:
    said = _said(call, told)
    # Likewise: who goes by words does not see them taken back.
    seen = told.seen and (said or not call.may_restart)
    if seen and isinstance(told.whole, AIMessage) and told.shown != said:
        raise Wrong(f"was shown {told.shown!r}, but the whole is {said!r}")
    if not said:
        if not plan.meets(*_SILENT):
            raise Wrong("nothing was said")
        return
    whose = [name for name in plan.told if _full(call, plan, name) == said]
    if not whose:
        raise Wrong(f"nobody's whole answer is {said!r}")
    if isinstance(told.whole, AIMessage):
        _check_accounts(call, plan, told.whole, whose[0])


def _said(call: Call, told: Told) -> str:
    """Return what the whole answer says."""
    match call.kind:
        case "form":
            return _words(told.whole)
        case "tools":
            calls = told.whole.tool_calls
            if len(calls) > 1:
                raise Wrong(f"{len(calls)} tool calls")
            if told.seen:
                return told.shown
            return next((_as_json(one["args"]) for one in calls), "")
    return told.whole.text if told.whole is not None else ""


def _as_json(arguments: dict[str, Any]) -> str:
    return f'{{"words": "{arguments.get("words", "")}"}}'


def _check_accounts(call: Call, plan: Plan, message: AIMessage, name: str) -> None:
    trail = message.response_metadata.get("reliable")
    if trail is None:  # a bare model
        return
    if trail["served_by"] != name:
        raise Wrong(f"{name} spoke, but the trail names {trail['served_by']}")
    usage = message.usage_metadata
    if usage and call.kind == "text" and usage["output_tokens"] != plan.words:
        raise Wrong(f"{plan.words} tokens, but counted {usage['output_tokens']}")


# --- an error ---------------------------------------------------------------------


def _of_error(
    call: Call, plan: Plan, told: Told, error: BaseException
) -> tuple[str, str]:
    shown = _seen(call, told)
    whose = _whose(call, plan, shown)
    if isinstance(error, StreamInterrupted):
        _check_partial(call, told, error, whose)
        if call.may_restart and len(error.attempts) <= 1:  # the first one broke
            _check_that_nobody_could(call, plan, error.attempts)
        return "typed", type(error).__name__
    if shown:
        raise Wrong(f"{error!r} after {shown!r}")
    if isinstance(error, AllModelsFailed):
        _check_that_nobody_could(call, plan, error.attempts)
        return "typed", type(error).__name__
    if isinstance(error, AnswerRejected) and _attempts(error) == 1:
        return "typed", type(error).__name__
    if _is_let_through(call, plan, error):
        return "propagated", type(error).__name__
    trace = "".join(traceback.format_exception(error)[-_TRACED:])
    raise Wrong(f"{type(error).__module__} {error!r} {_notes(error)}\n{trace}")


def _check_partial(
    call: Call, told: Told, error: StreamInterrupted, whose: list[str]
) -> None:
    if call.may_restart and not error.partial.text:
        return  # another's place was taken by a stream that broke before its first word
    if error.served_by not in whose:
        raise Wrong(f"{error.served_by} is said to have spoken, not {whose}")
    if call.kind == "text" and told.seen:
        partial = error.partial.text
        # Events queue up in LangChain; who leaves does not see those that are left.
        is_so = partial.startswith if call.way == "events" else partial.__eq__
        if not is_so(told.shown):
            raise Wrong(f"shown {told.shown!r}, but partial {partial!r}")


def _check_that_nobody_could(
    call: Call, plan: Plan, attempts: tuple[AttemptRecord, ...]
) -> None:
    """See that no healthy candidate was passed over, or failed but for time."""
    for one in attempts:
        kind = one.failure.kind if one.failure is not None else None
        if plan.is_well(one.candidate) and kind is not FailureKind.TIMEOUT:
            raise Wrong(f"{one.candidate} was well, but is said to have failed: {kind}")
    asked = {one.candidate for one in attempts}
    late = any(
        one.failure is not None and one.failure.kind is FailureKind.TIMEOUT
        for one in attempts
    )
    well = [name for name in plan.told if plan.is_well(name) and name not in asked]
    if well and call.options is None and not late:
        raise Wrong(f"{well} was well and not asked: {attempts}")


def _is_let_through(call: Call, plan: Plan, error: BaseException) -> bool:
    if _attempts(error) == 1 or call.asked.name.startswith("bare"):
        return True
    if call.kind == "form" and plan.meets(*_SILENT) and _UNREAD in str(error):
        return True  # OpenAI's own parser does not take an empty answer
    refused = call.kind == "form" and plan.meets("content-filter")
    if isinstance(error, ModelRefusalError):
        return refused
    if type(error).__module__.partition(".")[0] not in _PROVIDERS:
        return False
    return refused or plan.meets("content-policy", "context-overflow")


def _attempts(error: BaseException) -> int:
    """Return how many attempts were made, as the note under an error tells."""
    found = _ATTEMPTS.search(_notes(error))
    return int(found.group(1)) if found else 0


def _notes(error: BaseException) -> str:
    return "\n".join(getattr(error, "__notes__", ()))
