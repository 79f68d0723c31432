"""A LangChain chat model made of several, which answers while one of them can."""

from langchain_reliable._judge import classify
from langchain_reliable.candidates import Candidate, Group
from langchain_reliable.chat_models import ReliableChatModel
from langchain_reliable.errors import (
    AllModelsFailed,
    StreamingUnavailable,
    StreamInterrupted,
)
from langchain_reliable.failures import PROPAGATE, Failure, FailureKind, Verdict
from langchain_reliable.health import Health
from langchain_reliable.keys import rotate_keys
from langchain_reliable.policies import CircuitBreaker, RetryBudget

__all__ = [
    "PROPAGATE",
    "AllModelsFailed",
    "Candidate",
    "CircuitBreaker",
    "Failure",
    "FailureKind",
    "Group",
    "Health",
    "ReliableChatModel",
    "RetryBudget",
    "StreamInterrupted",
    "StreamingUnavailable",
    "Verdict",
    "classify",
    "rotate_keys",
]
