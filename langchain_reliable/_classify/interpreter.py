"""From an exception and everything it was raised from to one `Failure`, or to none.

Each link of the chain is judged by itself (`judgement`); which of them is believed
stands here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from langchain_reliable._classify import retry_after as waits
from langchain_reliable._classify import table_classes as types
from langchain_reliable._classify import table_phrases as phrases
from langchain_reliable._classify.evidence import names_of, read
from langchain_reliable._classify.findings import kept_by, peek
from langchain_reliable._classify.judgement import (
    BY_CLASS,
    BY_CODE,
    NOT_SURE,
    Judgement,
    judge,
)
from langchain_reliable._classify.origin import (
    is_mistake,
    is_test_fault,
    kind_of_mistake,
    passes_untouched,
)
from langchain_reliable._classify.summary import summarize
from langchain_reliable.failures import Failure
from langchain_reliable.failures import FailureKind as Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_reliable._classify.evidence import Evidence

_LINKS_AT_MOST: Final = 12
_NO_LINKS: Final = frozenset[int]()
_LIMITS: Final = (Kind.RATE_LIMITED, Kind.QUOTA_EXHAUSTED)
_OTHER_CAUSES: Final = ("original_error", "last_exception", "error", "_cause")


def classify(exception: BaseException, now: float | None = None) -> Failure | None:
    """Say what an exception from beneath a chat model means.

    Args:
        exception: What was raised.
        now: Seconds since the epoch, for a `Retry-After` that is a date. Without it
            the response's own `Date` is counted from, or nothing.

    Returns:
        The failure, or `None` if this is no provider's failure and must propagate:
            cancellation, control flow, mistakes in code outside an SDK.
    """
    try:
        return _classify(exception, now, _NO_LINKS)
    except Exception:  # noqa: BLE001 - an error here would hide the one asked about
        return Failure(kind=Kind.UNKNOWN, summary=type(exception).__name__)


def _classify(
    exception: BaseException, now: float | None, seen: frozenset[int]
) -> Failure | None:
    if not isinstance(exception, Exception):
        return None
    if isinstance(exception, ExceptionGroup):
        return _group(exception, now, seen)
    names = names_of(exception)
    if passes_untouched(names) or any(map(_is_cassette, _chain(exception))):
        return None
    if (ours := _ours(exception, names)) is not None:
        return ours
    if is_mistake(names):
        return _mistake(exception, now, seen)
    return _weigh(exception, now, seen)


def _is_cassette(link: BaseException) -> bool:
    return is_test_fault(names_of(link))


def _chain(exception: BaseException) -> Iterator[BaseException]:
    """Yield an exception and everything it was raised from or during."""
    link: BaseException | None = exception
    for _ in range(_LINKS_AT_MOST):
        if link is None:
            return
        yield link
        link = link.__cause__ or link.__context__


def _group(
    group: ExceptionGroup[Exception], now: float | None, seen: frozenset[int]
) -> Failure | None:
    """Take the most telling member; one that must propagate takes the group along."""
    members = [
        _classify(member, now, seen) for member in group.exceptions[:_LINKS_AT_MOST]
    ]
    known = [member for member in members if member is not None]
    if len(known) < len(members):
        return None
    telling = [member for member in known if member.kind is not Kind.UNKNOWN]
    return (telling or known)[0]


def _ours(exception: Exception, names: tuple[str, ...]) -> Failure | None:
    """Read what a nested model of this package says."""
    if "langchain_reliable.errors:StreamInterrupted" in names:
        kind = peek(exception, "kind")
        known = kind if isinstance(kind, Kind) else Kind.UNKNOWN
        return Failure(kind=known, summary=names[0].split(":")[1])
    if "langchain_reliable.errors:AllModelsFailed" in names:
        attempts = peek(exception, "attempts")
        last = attempts[-1] if isinstance(attempts, tuple | list) and attempts else None
        failure = peek(last, "failure")
        if isinstance(failure, Failure):  # it has tried again by itself
            return replace(failure, should_retry=False)
        return Failure(kind=Kind.UNKNOWN, summary=names[0].split(":")[1])
    return None


def _mistake(
    exception: Exception, now: float | None, seen: frozenset[int]
) -> Failure | None:
    """Judge a mistake in code: an SDK's own, a provider's error in disguise, or none.

    A mistake made *while handling* a provider's error is a mistake all the same.
    """
    cause = _cause_of(exception, seen)
    if cause is not None:
        failure = _classify(cause, now, seen | {id(cause)})
        if failure is not None and failure.kind is not Kind.UNKNOWN:
            return failure
    evidence = read(exception)
    text = evidence.lowered
    kind = kind_of_mistake(exception, text)
    if kind is None:
        return None
    told = phrases.decide(Kind.BAD_REQUEST, text, exact=False)
    judged = Kind.AUTH if told is Kind.AUTH else kind
    return _failure(Judgement(judged, BY_CLASS, evidence), (evidence,), now)


def _weigh(
    exception: Exception, now: float | None, seen: frozenset[int]
) -> Failure | None:
    """Go down the causes until one is sure; then say what was found on the way.

    Causes beneath a sure one may still be more exact, or tell how long to wait.
    """
    best = judge(exception, now)
    trail = [best.evidence]
    link: BaseException = exception
    for _ in range(_LINKS_AT_MOST):
        unsure = best.sureness == NOT_SURE or _invents(best)
        below = _below(link, seen, unsure=unsure)
        if below is None:
            break
        seen, link = seen | {id(below)}, below
        if isinstance(below, ExceptionGroup) or not isinstance(below, Exception):
            return _through(below, best, trail, now, seen)
        names = names_of(below)
        if passes_untouched(names) and best.sureness == NOT_SURE:
            return None
        if is_mistake(names):
            continue
        judged = judge(below, now)
        trail.append(judged.evidence)
        best = judged if _tells_more(judged, best) else best
    return _failure(best, tuple(trail), now)


def _tells_more(judged: Judgement, best: Judgement) -> bool:
    """Say whether a cause is surer; a connection that timed out is a timeout.

    A link that is sure yields only to a code beneath the same status, and a timeout
    without a status to a peer who left.
    """
    if best.kind is Kind.TIMEOUT and judged.evidence.names[0] in types.DISCONNECTED:
        return best.evidence.status is None
    if _invents(best) and best.kind is Kind.SERVER_ERROR:
        return judged.kind is Kind.CONNECTION
    if best.sureness > BY_CLASS:
        mine, its = best.evidence.status, judged.evidence.status
        same = mine is None or its in (None, mine)
        return judged.sureness == BY_CODE > best.sureness and same
    timed_out = judged.kind is Kind.TIMEOUT and best.kind is Kind.CONNECTION
    return judged.sureness > best.sureness or timed_out


def _invents(best: Judgement) -> bool:
    return best.evidence.names[0].startswith(types.INVENTING)


def _through(
    below: BaseException,
    best: Judgement,
    trail: list[Evidence],
    now: float | None,
    seen: frozenset[int],
) -> Failure | None:
    """End a chain at a group or at a cancellation, which speak for themselves."""
    if best.sureness > NOT_SURE:
        return _failure(best, tuple(trail), now)
    return _classify(below, now, seen)


def _below(
    link: BaseException, seen: frozenset[int], *, unsure: bool
) -> BaseException | None:
    """Return the cause of a link; what was merely being handled only if unsure."""
    cause = _cause_of(link, seen)
    if cause is None and unsure and not link.__suppress_context__:
        cause = link.__context__
    return None if cause is None or id(cause) in seen else cause


def _cause_of(link: BaseException, seen: frozenset[int]) -> BaseException | None:
    kept = kept_by(link)
    named = (
        link.__cause__,
        peek(link, "original_exception"),
        peek(link, "inner_exception"),
        peek(link, "reason"),
        *(kept[name] for name in _OTHER_CAUSES if name in kept),
        peek(kept.get("last_attempt"), "_exception"),  # tenacity
    )
    for cause in named:
        if isinstance(cause, BaseException) and id(cause) not in seen | {id(link)}:
            return cause
    return None


def _failure(
    best: Judgement, trail: tuple[Evidence, ...], now: float | None
) -> Failure:
    """Put together what the links of a chain say."""
    evidence = (best.evidence, *(one for one in trail if one is not best.evidence))
    status = next((one.status for one in evidence if one.status is not None), None)
    limited = best.kind in _LIMITS
    wait = (
        waits.asked_for(one.headers, one.waits, one.lowered, now, limited=limited)
        for one in evidence
    )
    return Failure(
        kind=best.kind,
        retry_after=next((seconds for seconds in wait if seconds is not None), None),
        status=status,
        code=best.code,
        summary=summarize(best.kind, status, best.code, best.evidence),
        should_retry=_should_retry(evidence),
        request_sent=_request_sent(best.kind, status, evidence),
    )


def _request_sent(
    kind: Kind, status: int | None, evidence: tuple[Evidence, ...]
) -> bool | None:
    """Return false where the way to the provider was never open."""
    if kind is not Kind.CONNECTION or status is not None:
        return None
    shut = any(not types.NOTHING_SENT.isdisjoint(one.names) for one in evidence)
    return False if shut else None


def _should_retry(evidence: tuple[Evidence, ...]) -> bool | None:
    for one in evidence:
        said = one.headers.get("x-should-retry", "").strip().lower()
        if said in ("true", "false"):
            return said == "true"
    return None
