"""How a call reads its answers, by the fields of its model.

What of that is the same for every attempt lives here; an attempt's own limits come in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from langchain_reliable._runtime.peek import Reading

if TYPE_CHECKING:
    from langchain_reliable._children.chat_model import Child
    from langchain_reliable._core.steps import Seen
    from langchain_reliable._core.timeouts import Patience
    from langchain_reliable._runtime.peek import CommitOn


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a call reads its answers.

    Attributes:
        commit_on: What a stream has to show before it is let out.
        require_finish_reason: Whether a stream without one is a cut; `"auto"` goes by
            what is known of the child.
        accepts_empty: Whether one that finished without a word is an answer.
    """

    commit_on: CommitOn = "payload"
    require_finish_reason: bool | str = "auto"
    accepts_empty: bool = False

    @property
    def wholly(self) -> Manner:
        """The same for a stream that is not shown before its end."""
        return replace(self, commit_on="complete")

    def reading(self, child: Child, patience: Patience, seen: Seen) -> Reading:
        """Return how a stream of this child is to be read."""
        required = self.require_finish_reason
        return Reading(
            patience=patience,
            commit_on=self.commit_on,
            expects_finish=child.sends_finish if required == "auto" else bool(required),
            accepts_empty=self.accepts_empty,
            seen=seen,
        )
