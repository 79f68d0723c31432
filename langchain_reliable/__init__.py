"""A LangChain chat model made of several, which answers while one of them can."""

from typing import TYPE_CHECKING

from langchain_reliable._classify.classifier import classify
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
from langchain_reliable.observers import LoggingObserver
from langchain_reliable.observers._lazy import lazily
from langchain_reliable.policies import (
    Budget,
    CallOptions,
    CircuitBreaker,
    Hedge,
    RetryBudget,
)

if TYPE_CHECKING:
    from langchain_reliable.health_redis import RedisHealth
    from langchain_reliable.observers import (
        CustomEventObserver,
        OpenTelemetryObserver,
        Timeline,
    )

__all__ = [
    "PROPAGATE",
    "AllModelsFailed",
    "Budget",
    "CallOptions",
    "Candidate",
    "CircuitBreaker",
    "CustomEventObserver",
    "Failure",
    "FailureKind",
    "Group",
    "Health",
    "Hedge",
    "LoggingObserver",
    "OpenTelemetryObserver",
    "RedisHealth",
    "ReliableChatModel",
    "RetryBudget",
    "StreamInterrupted",
    "StreamingUnavailable",
    "Timeline",
    "Verdict",
    "classify",
    "rotate_keys",
]

__getattr__ = lazily(
    __name__,
    dict.fromkeys(
        ("CustomEventObserver", "OpenTelemetryObserver", "Timeline"),
        f"{__name__}.observers",
    )
    | {"RedisHealth": f"{__name__}.health_redis"},
)


def __dir__() -> list[str]:
    return __all__
