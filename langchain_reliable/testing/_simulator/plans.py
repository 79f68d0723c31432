"""From a reply to the steps that carry it out, for one API and one request.

It decides where a fault strikes, in a stream and in a JSON body.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import TYPE_CHECKING

from langchain_reliable.testing._answers import Answer, says
from langchain_reliable.testing._simulator.replies import ErrorReply, Fault, Then, Until
from langchain_reliable.testing._simulator.wire import (
    Await,
    Cut,
    Hang,
    Head,
    Repeat,
    Reset,
    Rest,
    Send,
    Tape,
    compact,
)

if TYPE_CHECKING:
    from langchain_reliable.testing._simulator.replies import Given
    from langchain_reliable.testing._simulator.wire import (
        Dialect,
        Headers,
        SimulatedRequest,
        Step,
    )

_OK = 200
_JSON = "application/json"
_KEEP_ALIVES = 3
_OPENING_BYTES = 16
_FEWEST_PARTS = 4
_ENDINGS: dict[Then, tuple[Step, ...]] = {
    Then.END: (),
    Then.CUT: (Cut(),),
    Then.RESET: (Reset(),),
    Then.HANG: (Hang(),),
}


def plan(reply: Given, dialect: Dialect, request: SimulatedRequest) -> tuple[Step, ...]:
    """Return the steps that give `reply` to `request`."""
    match reply:
        case str():
            return _planned(says(reply), dialect, request)
        case ErrorReply():
            return _error(reply, dialect, request)
        case Fault(then=Then.ERROR, trouble=trouble) if not request.streaming:
            return _error(ErrorReply(trouble=trouble), dialect, request)
        case _:
            return _planned(reply, dialect, request)


def _planned(
    reply: Answer | Fault, dialect: Dialect, request: SimulatedRequest
) -> tuple[Step, ...]:
    fault = reply if isinstance(reply, Fault) else None
    answer = reply if isinstance(reply, Answer) else reply.answer
    if request.streaming:
        head = Head(_OK, _headers(dialect, request, dialect.stream_type))
        score = _score(answer, head, dialect.stream(answer, request))
        return _struck(score, fault, dialect, request) if fault else score.steps
    if fault and fault.then is Then.END and fault.until is Until.PIECES:
        answer = replace(answer, finish=None)
    return _document(answer, fault, dialect, request)


def _document(
    answer: Answer, fault: Fault | None, dialect: Dialect, request: SimulatedRequest
) -> tuple[Step, ...]:
    """Plan a JSON body; once all of it is sent, nothing is left to go wrong."""
    body = compact(dialect.document(answer, request))
    head = Head(_OK, _headers(dialect, request, _JSON, answer))
    score = _score(answer, head, _cut_up(body, len(answer.fragments(""))))
    steps = score.steps
    if fault and not _too_late(fault):
        steps = _struck(score, fault, dialect, request)
    breaks = isinstance(steps[-1], Cut | Hang | Reset)  # a document repeats nothing
    length = len(body) if breaks else sum(_size(step) for step in steps)
    return tuple(_sized(step, length) for step in steps)


def _too_late(fault: Fault) -> bool:
    is_whole = fault.until is Until.PIECES and fault.then is Then.END
    return is_whole or fault.until is Until.FINISH


def _size(step: Step) -> int:
    return len(step.data) if isinstance(step, Send) else 0


def _sized(step: Step, length: int) -> Step:
    if not isinstance(step, Head):
        return step
    return Head(step.status, (*step.headers, ("content-length", str(length))))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Score:
    """A healthy response, with the places at which faults can strike."""

    steps: tuple[Step, ...]
    opening: int
    pieces: tuple[int, ...]
    finish: int

    def place(self, fault: Fault) -> int:
        match fault.until:
            case Until.REQUEST:
                return 0
            case Until.HEADERS:
                return self.steps.index(self._head()) + 1
            case Until.OPENING:
                return self.opening
            case Until.PIECES:
                return self.pieces[-1 if fault.after is None else fault.after]
            case Until.FINISH:
                return self.finish

    def _head(self) -> Step:
        return next(step for step in self.steps if isinstance(step, Head))


def _score(answer: Answer, head: Head, tape: Tape) -> _Score:
    steps: list[Step] = [Rest(answer.delay)] if answer.delay else []
    steps += [head, *map(Send, tape.opening)]
    opening = len(steps)
    places = [opening]
    for told, piece in enumerate(tape.pieces):
        steps += [*_waits(answer, told), *([Send(piece)] if piece else [])]
        places.append(len(steps))
    if gate := answer.gates.get(len(tape.pieces)):
        steps.append(Await(gate))
    steps += map(Send, tape.finish)
    finish = len(steps)
    steps += map(Send, tape.done)
    return _Score(
        steps=tuple(steps), opening=opening, pieces=tuple(places), finish=finish
    )


def _waits(answer: Answer, told: int) -> tuple[Step, ...]:
    gate = answer.gates.get(told)
    held = (Await(gate),) if gate else ()
    return (*held, Rest(answer.pause)) if answer.pause else held


def _struck(
    score: _Score, fault: Fault, dialect: Dialect, request: SimulatedRequest
) -> tuple[Step, ...]:
    at = score.place(fault)
    told, rest = score.steps[:at], score.steps[at:]
    return (*told, *_ending(fault, rest, dialect, request))


def _ending(
    fault: Fault,
    rest: tuple[Step, ...],
    dialect: Dialect,
    request: SimulatedRequest,
) -> tuple[Step, ...]:
    match fault.then:
        case Then.PING:
            return _pings(fault, dialect if request.streaming else None)
        case Then.ERROR:
            return (Send(dialect.error_event(fault.trouble, request)),)
        case Then.BARE:
            return tuple(map(Send, _bare(dialect, request)))
        case Then.GARBLE:
            return _garbled(rest, dialect if request.streaming else None)
        case Then.HANG if fault.seconds is not None:
            return Rest(fault.seconds), Cut()
        case _:
            return _ENDINGS[fault.then]


def _cut_up(body: bytes, pieces: int) -> Tape:
    opening, rest = body[:_OPENING_BYTES], body[_OPENING_BYTES:-1]
    size = -(-len(rest) // max(_FEWEST_PARTS, pieces))
    parts = tuple(rest[at : at + size] for at in range(0, len(rest), size))
    return Tape(opening=(opening,), pieces=parts, finish=(body[-1:],))


def _pings(fault: Fault, dialect: Dialect | None) -> tuple[Step, ...]:
    """Keep the connection alive: for ever in a stream, if that is asked for."""
    ping = dialect.keep_alive() if dialect else b"\n"
    if dialect and fault.seconds is not None:
        return (Repeat(ping, fault.seconds),)
    return (*(Send(ping),) * _KEEP_ALIVES, Hang())


def _bare(dialect: Dialect, request: SimulatedRequest) -> tuple[bytes, ...]:
    if request.streaming:
        return dialect.bare_stream(request)
    return (compact(dialect.bare_document(request)),)


def _garbled(rest: tuple[Step, ...], dialect: Dialect | None) -> tuple[Step, ...]:
    """Break the next event of a stream, or the document from here on.

    In a document a NUL makes sure: what stops halfway may go on as other JSON.
    """
    at, sent = next((i, s) for i, s in enumerate(rest) if isinstance(s, Send))
    half = sent.data[: len(sent.data) // 2]
    broken = dialect.broken(sent.data) if dialect else half + b'\0"}{'
    return (*rest[:at], Send(broken), *rest[at + 1 :])


def _error(
    reply: ErrorReply, dialect: Dialect, request: SimulatedRequest
) -> tuple[Step, ...]:
    status = _OK if reply.ok else dialect.status(reply.trouble)
    if status == _OK and request.streaming and not reply.ok:  # as Gemini blocks prompts
        head = Head(_OK, _headers(dialect, request, dialect.stream_type))
        return head, Send(dialect.error_event(reply.trouble, request))
    body = reply.text and reply.text.encode()
    kind = "text/plain" if body else _JSON
    body = body or compact(dialect.error(reply.trouble, request))
    hint = () if reply.ok or reply.text else dialect.error_headers(reply.trouble)
    named = dict((*_headers(dialect, request, kind), *hint, *reply.headers))
    if dialect.waits_in_body and reply.trouble.retry_after is not None:
        named.pop("retry-after", None)
    named["content-length"] = str(len(body))
    return Head(status, tuple(named.items())), Send(body)


def _headers(
    dialect: Dialect,
    request: SimulatedRequest,
    kind: str,
    answer: Answer | None = None,
) -> Headers:
    return (
        ("content-type", kind),
        ("date", formatdate(usegmt=True)),
        ("server", "langchain-reliable-simulator"),
        *dialect.headers(request, answer),
    )
