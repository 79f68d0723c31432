"""The house rules: frozen values that a user may decide.

What the study needs to know of the user's wishes lives here, without behavior
beyond looking a rule up. State never does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from langchain_reliable.failures import VERDICTS, FailureKind, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_reliable.failures import Failure

Order = Literal["ordered", "round_robin", "weighted"]
"""How a group picks the member that is asked first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What one call may spend; `ReliableChatModel` documents each value.

    All durations are seconds.
    """

    max_attempts: int = 12
    initial_backoff: float = 0.5
    max_backoff: float = 10.0
    max_retry_after: float = 5.0
    max_last_wait: float = 30.0
    total_timeout: float | None = None
    verdicts: Mapping[FailureKind, Verdict] = field(default_factory=dict)

    def verdict(self, failure: Failure) -> Verdict:
        """Return what to do about a failure.

        A provider that says `x-should-retry: false` is believed: asking it again is
        futile, asking another is not.
        """
        verdict = self.verdicts.get(failure.kind, VERDICTS[failure.kind])
        if verdict is Verdict.RETRY and failure.should_retry is False:
            return Verdict.NEXT
        return verdict
