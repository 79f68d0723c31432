"""What the models of other partners said, thoughts included, stops no partner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from langchain_reliable import ReliableChatModel
from langchain_reliable.testing import simulator

if TYPE_CHECKING:
    from partner_classes import PartnerClass

pytestmark = pytest.mark.filterwarnings("ignore")


def told_by(provider: str, *blocks: Any, **extras: Any) -> AIMessage:
    """Return what a model of a provider has said, with its own kind of thoughts."""
    content: Any = [*blocks, {"type": "text", "text": "Rome."}] if blocks else "Rome."
    return AIMessage(
        content,
        additional_kwargs=extras,
        response_metadata={"model_provider": provider},
    )


THOUGHT = "It is a capital."
SIGNED = {"signature": "c2lnbmVk"}
AUTHORS = {
    "anthropic": told_by(
        "anthropic", {"type": "thinking", "thinking": THOUGHT, **SIGNED}
    ),
    "anthropic, hidden": told_by(
        "anthropic", {"type": "redacted_thinking", "data": "c2VjcmV0"}
    ),
    "openai": told_by(
        "openai",
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": THOUGHT}],
            "encrypted_content": "c2VjcmV0",
        },
    ),
    "google": told_by("google_genai", {"type": "thinking", "thinking": THOUGHT}),
    "google, signed": told_by(
        "google_genai",
        __gemini_function_call_thought_signatures__={"call_1": "c2lnbmVk"},
    ),
    "bedrock": told_by(
        "bedrock_converse",
        {
            "type": "reasoning_content",
            "reasoning_content": {"text": THOUGHT, **SIGNED},
        },
    ),
    "mistral": told_by(
        "mistralai",
        {"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]},
    ),
    "deepseek": told_by("deepseek", reasoning_content=THOUGHT),
    "groq": told_by("groq", reasoning_content=THOUGHT),
    "ollama": told_by("ollama", reasoning_content=THOUGHT),
    "xai": told_by("xai", reasoning_content=THOUGHT),
    "openrouter": told_by(
        "openrouter",
        reasoning_content=THOUGHT,
        reasoning_details=[{"type": "reasoning.text", "text": THOUGHT, **SIGNED}],
    ),
    "v1": told_by("openai", {"type": "reasoning", "reasoning": THOUGHT}),
}
CALL = {"name": "weather", "args": {"city": "Rome"}, "id": "call_1"}


@pytest.mark.shows("history")
def test_it_reads_what_others_have_said(partner: PartnerClass) -> None:
    broken = {}
    # Settings of Groq's own are none of OpenAI's, by which requests are checked.
    with simulator(strict=partner.name != "ChatGroq") as sim:
        model = ReliableChatModel(
            models=[partner.make(sim)], max_retries=0, circuit_breaker=None
        )
        for author, said in AUTHORS.items():
            called = said.model_copy(update={"tool_calls": [CALL]})
            for answer in (said, called):
                result = [ToolMessage("sunny", tool_call_id="call_1")]
                history = [
                    HumanMessage("Which city?"),
                    answer,
                    *(result if answer is called else ()),
                    HumanMessage("Go on."),
                ]
                try:
                    model.invoke(history)
                except Exception as error:  # noqa: BLE001 - all are shown together
                    broken[author, answer is called] = repr(error)[:300]
    assert not broken
