"""What codes say that no table lists: providers make them of the same few words.

Facts only, a row per meaning. A code is cut into its words first, so that
`ModelAccountRpmRateLimitExceeded` and `model_account_rpm_rate_limit_exceeded` are the
same. Such a code is more than a status and less than a code that is known: text may
still decide between two kinds beneath it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from langchain_reliable.failures import FailureKind as Kind


class Row(NamedTuple):
    """Words with one meaning.

    `over` are the kinds found by status, by a vague code or not at all (`unknown`)
    whose place the words take; no other is ever overruled.
    """

    kind: Kind
    over: frozenset[Kind]
    words: re.Pattern[str]
    source: str


def _row(kind: Kind, over: frozenset[Kind], *words: str, source: str) -> Row:
    return Row(kind, over, re.compile(rf"\b(?:{'|'.join(words)})"), source)


_LONGEST: Final = 80
_JOINTS: Final = re.compile(
    r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^\w]+|_+"
)

_REFUSED: Final = frozenset(
    {Kind.BAD_REQUEST, Kind.AUTH, Kind.MODEL_NOT_FOUND, Kind.UNKNOWN}
)
_LIMITED: Final = _REFUSED | {Kind.RATE_LIMITED}

ROWS: Final = (
    _row(
        Kind.QUOTA_EXHAUSTED,
        _LIMITED | {Kind.SERVER_ERROR},
        "(?:insufficient|not enough|no remaining|negative) (?:\\w+ )?"
        "(?:balance|credits?|funds?|quota)",
        "(?:balance|credits?|quota|funds?) not enough",
        "credits? (?:balance )?(?:exhausted|depleted|expired|limit)",
        "out of credits?",
        "spend(?:ing)? (?:limit|cap)",
        "budget (?:\\w+ )?(?:exceeded|exhausted|reached|limit)",
        "exceeded (?:\\w+ )?budget",
        "arrear",
        "overdue",
        "unpaid",
        source="OpenAI, Volcengine, Tencent, LiteLLM, relays: no money, at any status",
    ),
    _row(
        Kind.RATE_LIMITED,
        _REFUSED,
        "rate limit",
        "throttl",
        "too many requests",
        "concurren\\w+ (?:limit|exceeded|requests?)",
        "(?:rpm|tpm|rps|qps)\\b",
        "requests throttl",
        source="Baidu, Volcengine, AWS and gateways: throttling at another status",
    ),
    _row(
        Kind.QUOTA_EXHAUSTED,
        _LIMITED,
        "(?:hour|day|daily|week|weekly|month|monthly|plan|session|period|usage|account|"
        "free tier|set) (?:\\w+ )?(?:quota|limit|allowance) "
        "(?:exceeded|reached|exhausted|hit)",
        "set limit exceeded",
        "quota (?:limit )?(?:exceeded|exhausted|reached|depleted)",
        "exceed(?:ed|s)? (?:\\w+ )?quota",
        "(?:resource )?pack(?:age)? (?:exhausted|expired|used)",
        "(?:subscription|membership|plan|trial|license) (?:has )?"
        "(?:expired|ended|over|required|inactive|not active|past due|cancell?ed|unpaid|"
        "suspended|exhausted|missing)",
        "(?:no|inactive|expired|invalid) (?:active )?(?:subscription|membership|trial)",
        "payment (?:\\w+ )?(?:required|failed|missing|invalid)",
        "billing (?:\\w+ )?(?:required|disabled|inactive|not|error|limit|failed)",
        source="Baidu, Volcengine, Tencent and gateways: a plan, or a window of use",
    ),
    _row(
        Kind.CONTENT_POLICY,
        _REFUSED,
        "content (?:\\w+ )?(?:policy|filter|safety|moderation|violation|blocked|risk)",
        "(?:text|image|content|input|output|prompt) (?:illegal|sensitive|flagged)",
        "sensitive (?:content|input|text|words?|information)",
        "moderation (?:failed|blocked|flagged|rejected|violation|error)",
        "guardrails? (?:intervened|violat\\w+|triggered|blocked|failed)",
        "safety (?:violation|filter|block\\w*|check|policy|error)",
        "(?:usage|safety|ai|content) polic(?:y|ies) violat",
        "policy violat",
        "prompt (?:blocked|injection|attack)",
        "jailbreak",
        "hooks failed",
        source="Volcengine, Tencent, Azure, Portkey and gateways",
    ),
    _row(
        Kind.CONTEXT_OVERFLOW,
        frozenset({Kind.BAD_REQUEST, Kind.SERVER_ERROR, Kind.UNKNOWN}),
        "context (?:length|window|size|limit|token)s? "
        "(?:\\w+ )?(?:exceed|overflow|reached|limit|too|error)",
        "context (?:overflow|too (?:long|large))",
        "(?:prompt|input) tokens? (?:\\w+ )?(?:exceed|too|over|limit)",
        "(?:prompt|input) too long",
        "exceeds? (?:max )?context",
        source="Copilot, llama.cpp and servers that speak OpenAI",
    ),
    _row(
        Kind.AUTH,
        _LIMITED,
        "(?:invalid|incorrect|wrong|bad|expired|revoked|disabled|inactive|blocked) "
        "(?:(?:api|access|auth|secret) )?(?:key|credentials?|(?:access|api) token)\\b",
        "(?:missing|no) (?:api|access|auth\\w*) (?:key|token|credentials?)",
        "(?:(?:api|access|auth) key|credentials?|account|organi[sz]ation|org|project|"
        "user|owner|member|team|workspace) "
        "(?:has )?(?:been )?(?:revoked|disabled|deactivated|suspended|expired|deleted|"
        "archived|blocked|banned|terminated|inactive|invalid|removed)",
        "not (?:a )?member",
        "access terminated",
        "auth(?:entication)? (?:failed|failure|error|required)",
        "unauthenticated",
        source="OpenAI, xAI, Moonshot, Tencent and gateways: a key or who owns it",
    ),
    _row(
        Kind.MODEL_NOT_FOUND,
        frozenset({Kind.BAD_REQUEST, Kind.UNKNOWN}),
        "model (?:\\w+ )?(?:not found|not exist|does not exist|not supported|retired|"
        "deprecated|decommissioned|removed|disabled|not enabled|not open)",
        "(?:unsupported|unknown|invalid|no such|deprecated|retired) model\\b",
        source="DashScope, Volcengine and gateways",
    ),
    _row(
        Kind.SERVER_ERROR,
        frozenset({Kind.RATE_LIMITED, Kind.UNKNOWN}),
        "(?:\\w+ )?overload",
        "(?:\\w+ )?capacity (?:exceeded|exhausted|unavailable)",
        "(?:no|out of|insufficient) capacity",
        "(?:server|model|engine|service|system) (?:is )?(?:too )?busy",
        source="Google, Volcengine and gateways: load by 429",
    ),
)


@lru_cache(maxsize=1024)
def rows_of(code: str) -> tuple[Row, ...]:
    """Return what the words of a code may mean; nothing for a sentence."""
    if " " in code or len(code) > _LONGEST:
        return ()
    words = _JOINTS.sub(" ", code).lower()
    return tuple(row for row in ROWS if row.words.search(words))
