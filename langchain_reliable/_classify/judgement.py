"""Judge one exception by itself, whatever it was raised from.

The order of belief stands here: an exact code, a class that knows better, a status and
the words of a code, a class, the text. What the words mean stands in the tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from langchain_reliable._classify import retry_after as waits
from langchain_reliable._classify import table_classes as types
from langchain_reliable._classify import table_code_words
from langchain_reliable._classify import table_codes as codes
from langchain_reliable._classify import table_phrases as phrases
from langchain_reliable._classify import table_statuses as statuses
from langchain_reliable._classify.evidence import Evidence, read
from langchain_reliable._classify.origin import is_foreign, kind_of_mistake
from langchain_reliable.failures import FailureKind as Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNPAID: Final = 402
_FORBIDDEN: Final = 403
_DENIED: Final = "accessdenied"
_GOOD: Final = range(200, 300)
_BROKEN: Final = 500

# How sure a judgement is; the surest link of a chain of causes decides.
NOT_SURE, BY_CLASS, BY_STATUS, BY_TEXT, BY_CODE = range(5)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one link of a chain of causes means, and how sure that is."""

    kind: Kind
    sureness: int
    evidence: Evidence
    code: str | None = None


def judge(exception: BaseException, now: float | None) -> Judgement:
    """Judge one exception by itself."""
    evidence = read(exception)
    kind, sureness, code = _structured(evidence)
    if evidence.status == _UNPAID:
        return Judgement(Kind.QUOTA_EXHAUSTED, BY_CODE, evidence, code)
    told = None
    if not is_foreign(exception):
        told = _told(kind, evidence.lowered, exact=sureness == BY_CODE)
    if told is not None:
        return Judgement(told, max(BY_TEXT, sureness), evidence, code)
    if sureness != BY_CODE:
        for row in types.rows_of(evidence.names):
            if kind in row.over:
                return Judgement(row.kind, BY_TEXT, evidence, code)
    if _is_throttling(kind, sureness, evidence, now):
        return Judgement(Kind.RATE_LIMITED, sureness, evidence, code)
    if sureness == NOT_SURE and (placed := _placed(exception, evidence)) is not None:
        return Judgement(placed, BY_CLASS, evidence, code)
    return Judgement(kind, sureness, evidence, code)


def _placed(exception: BaseException, evidence: Evidence) -> Kind | None:
    """Say what an error means that says nothing, by where it was raised.

    What was raised over a good answer could not read it.
    """
    name = evidence.names[0]
    if name in types.IN_STREAM.names or evidence.status in _GOOD:
        return Kind.BAD_STREAM
    if not name.startswith("builtins:"):
        return None
    kind = kind_of_mistake(exception, evidence.lowered)
    return None if kind is Kind.UNKNOWN else kind


def _told(kind: Kind, text: str, *, exact: bool) -> Kind | None:
    """Return what the text makes of a kind; a quota may turn out to be a pace."""
    told = phrases.decide(kind, text, exact=exact)
    if (told or kind) is not Kind.QUOTA_EXHAUSTED:
        return told
    return phrases.decide(Kind.QUOTA_EXHAUSTED, text, exact=True) or told


def _is_throttling(
    kind: Kind, sureness: int, evidence: Evidence, now: float | None
) -> bool:
    """Say whether a 403 that names no key asks to come again later."""
    if kind is not Kind.AUTH or evidence.status != _FORBIDDEN or sureness == BY_CODE:
        return False
    if phrases.decide(Kind.BAD_REQUEST, evidence.lowered, exact=False) is Kind.AUTH:
        return False
    if any(codes.canonical(code).startswith(_DENIED) for code in evidence.codes):
        return False
    one = evidence
    wait = waits.asked_for(one.headers, one.waits, one.lowered, now, limited=False)
    return wait is not None


def _structured(evidence: Evidence) -> tuple[Kind, int, str | None]:
    """Judge by code, then by status and the words of codes, then by class.

    A number beside a word that is known is some other provider's number.
    """
    first = next((code for code in evidence.codes if " " not in code), None)
    vague = _first_known(evidence.codes, codes.VAGUE)
    kind, sureness, code = Kind.UNKNOWN, NOT_SURE, first
    exact = _exact(evidence)
    if exact is not None and not (vague and exact[0].isdigit()):
        kind, sureness, code = exact[1], BY_CODE, exact[0]
        if codes.canonical(code) not in codes.GENERAL:
            return kind, sureness, code
    elif (by_status := statuses.kind_of(evidence.status)) is not None:
        kind, sureness = by_status, BY_STATUS
    elif vague is not None:
        kind, sureness, code = vague[1], BY_STATUS, vague[0]
    if (worded := _in_words(evidence.codes, kind)) is not None:
        return worded[1], max(BY_STATUS, sureness), worded[0]
    if sureness == NOT_SURE:
        for row in types.rows_of(evidence.names):
            return row.kind, BY_CLASS, first
    return kind, sureness, code


def _in_words(spelled: tuple[str, ...], kind: Kind) -> tuple[str, Kind] | None:
    """Return the first code whose words make something else of a kind."""
    for code in spelled:
        for row in table_code_words.rows_of(code):
            if row.kind is kind:
                break  # the words say what is known already
            if kind in row.over:
                return code, row.kind
    return None


def _exact(evidence: Evidence) -> tuple[str, Kind] | None:
    """Return the code that decides; one beside a general one is more exact.

    Who broke is not who has no key: an `auth` beneath a 5xx is another's.
    """
    broken = (evidence.status or 0) >= _BROKEN
    general = None
    for code in evidence.codes:
        known = _first_known((code,), codes.EXACT)
        if known is None or (broken and known[1] is Kind.AUTH):
            continue
        if general is not None and code.isdigit():
            continue
        if codes.canonical(code) not in codes.GENERAL:
            return known
        general = general or known
    return general


def _first_known(
    spelled: tuple[str, ...], table: Mapping[str, Kind]
) -> tuple[str, Kind] | None:
    """Look codes up; `Throttling.Anything` is a `Throttling` if nothing more."""
    for code in spelled:
        key = codes.canonical(code)
        if "." in code and key not in codes.EXACT and key not in codes.VAGUE:
            key = codes.canonical(code.split(".", 1)[0])
        if (kind := table.get(key)) is not None:
            return code, kind
    return None
