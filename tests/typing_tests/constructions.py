"""The usual ways to write a model: no type checker finds anything in them."""

from collections.abc import Sequence
from typing import Any, assert_type

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable

from langchain_reliable import (
    CallOptions,
    Candidate,
    CircuitBreaker,
    FailureKind,
    Group,
    ReliableChatModel,
    RetryBudget,
    Timeline,
    Verdict,
    events,
    rotate_keys,
)
from langchain_reliable.testing import ScriptedChatModel

a: BaseChatModel = ScriptedChatModel(model="a", script=["x", ConnectionError("y")])
b = ScriptedChatModel(model="b")
bound: Runnable[Any, AIMessage] = b.bind_tools([])

# what may be asked
ReliableChatModel(models=[a, b])
ReliableChatModel(models=(a, b))
ReliableChatModel(models=["openai:gpt-5.4", a])
ReliableChatModel(models=[bound, a.with_config(tags=["x"])])
ReliableChatModel(models=[[a, b], Candidate(a, name="c", max_retries=1)])
ReliableChatModel(models=[Group([a, b], order="round_robin"), "openai:gpt-5.4"])
ReliableChatModel(models=[rotate_keys(a, ["k1", "k2"]), b])
ReliableChatModel(models=[Candidate("openai:gpt-5.4", models=["x"], tags=("eu",))])

# lists made before
models = [b, ScriptedChatModel(model="c")]
ReliableChatModel(models=models)
candidates = [Candidate(model, idle_timeout=3) for model in models]
ReliableChatModel(models=candidates)
ReliableChatModel(models=[Group(candidates)])
many: Sequence[BaseChatModel] = models
ReliableChatModel(models=[many, *many])

# rules
ReliableChatModel(models=[a], model_fallbacks={"a": ["b"], "c": ("d",)})
names: dict[str, list[str]] = {"a": ["b"]}
ReliableChatModel(models=[a], model_fallbacks=names)
ReliableChatModel(models=[a], verdicts={"auth": "raise"})
ReliableChatModel(models=[a], verdicts={FailureKind.AUTH: Verdict.RAISE})
ReliableChatModel(models=[a], verdicts={FailureKind.AUTH: "next", "empty": "next"})
ReliableChatModel(models=[a], commit_on="complete", total_timeout=3)
ReliableChatModel(models=[a], answer_timeout=None, require_finish_reason=True)
ReliableChatModel(models=[a], circuit_breaker=None, retry_budget=RetryBudget())
ReliableChatModel(models=[a], circuit_breaker=CircuitBreaker(failures=5, open_for=9))
ReliableChatModel(models=[a], name="mine", cache=False, tags=["x"], verbose=False)


def told(event: events.Event) -> None:
    """Hear of what happens."""


def judged(error: Exception) -> FailureKind | None:
    """Read an exception."""
    return FailureKind.AUTH if isinstance(error, PermissionError) else None


ReliableChatModel(models=[a], observers=[Timeline(), told], classify=judged)
ReliableChatModel(models=[a], observers=(told,))


class Tuned(ReliableChatModel):
    """One of ours, with a field more."""

    tuning: int = 1

    @property
    def label(self) -> str:
        """What it is called."""
        return f"{self.name} {self.max_retries + self.tuning}"


tuned = Tuned(models=[a, [b]], tuning=2, max_retries=1)
assert_type(tuned.label, str)
assert_type(tuned.invoke("hi", reliable=CallOptions(start_at="b")), AIMessage)
assert_type(Candidate(a, name="c"), Candidate)
assert_type(Group([a, "openai:gpt-5.4"]), Group)
