"""Test doubles for chat models: one that follows a script, one that is a server.

`ScriptedChatModel` needs no wire; `simulator()` is a loopback server for the real
clients: it speaks OpenAI's, Anthropic's, Google's, Bedrock's, Cohere's, Mistral's,
Ollama's and OpenRouter's APIs. Both follow the same scripts. `inject` puts faults into
real models. This package imports no provider's SDK, and `h11` only when a simulator is
started.
"""

from typing import TYPE_CHECKING, Any

from langchain_reliable.testing._answers import (
    Answer,
    ToolCall,
    Usage,
    refuses,
    says,
    says_nothing,
    tool_call,
)
from langchain_reliable.testing._record import (
    Binding,
    ScriptedRequest,
    ScriptRecord,
    Timepiece,
)
from langchain_reliable.testing._scripted import ScriptedChatModel
from langchain_reliable.testing._signals import Gate
from langchain_reliable.testing._simulator.catalogue import FAULTS
from langchain_reliable.testing._simulator.faults import (
    content_filtered,
    content_policy,
    content_then_cut,
    content_then_error,
    content_then_stall,
    context_overflow,
    done_only,
    empty_body,
    error_first,
    error_status,
    error_under_200,
    finish_then_cut,
    finish_then_stall,
    hang_after_headers,
    hang_before_headers,
    keep_alives_then_silence,
    malformed_event,
    no_done,
    no_finish,
    overloaded,
    quota_exhausted,
    rate_limited,
    reasoning_then_silence,
    reset,
    role_then_cut,
    role_then_error,
    role_then_silence,
    trickle,
    upstream_connect_error,
)
from langchain_reliable.testing._simulator.replies import ErrorReply, Fault, Reply
from langchain_reliable.testing._simulator.simulator import Simulator, simulator
from langchain_reliable.testing._simulator.troubles import Trouble
from langchain_reliable.testing._simulator.wire import SimulatedRequest
from langchain_reliable.testing._turns import (
    Pause,
    ScriptEntry,
    Turn,
    fails,
    metadata_chunks,
    stalls,
    streams,
)

if TYPE_CHECKING:
    from langchain_reliable.testing._inject import Faults, inject

__all__ = [
    "FAULTS",
    "Answer",
    "Binding",
    "ErrorReply",
    "Fault",
    "Faults",
    "Gate",
    "Pause",
    "Reply",
    "ScriptEntry",
    "ScriptRecord",
    "ScriptedChatModel",
    "ScriptedRequest",
    "SimulatedRequest",
    "Simulator",
    "Timepiece",
    "ToolCall",
    "Trouble",
    "Turn",
    "Usage",
    "content_filtered",
    "content_policy",
    "content_then_cut",
    "content_then_error",
    "content_then_stall",
    "context_overflow",
    "done_only",
    "empty_body",
    "error_first",
    "error_status",
    "error_under_200",
    "fails",
    "finish_then_cut",
    "finish_then_stall",
    "hang_after_headers",
    "hang_before_headers",
    "inject",
    "keep_alives_then_silence",
    "malformed_event",
    "metadata_chunks",
    "no_done",
    "no_finish",
    "overloaded",
    "quota_exhausted",
    "rate_limited",
    "reasoning_then_silence",
    "refuses",
    "reset",
    "role_then_cut",
    "role_then_error",
    "role_then_silence",
    "says",
    "says_nothing",
    "simulator",
    "stalls",
    "streams",
    "tool_call",
    "trickle",
    "upstream_connect_error",
]


def __getattr__(name: str) -> Any:
    """Load what stands on the package itself when it is first asked for (PEP 562)."""
    if name not in ("Faults", "inject"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from langchain_reliable.testing import _inject  # noqa: PLC0415 - see above

    return getattr(_inject, name)
