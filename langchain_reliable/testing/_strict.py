"""What the real APIs would refuse to read, for `simulator(strict=True)`.

Complaints about requests live here, in the words of the API. Answers never do: a
request without a complaint goes its usual way.
"""

# ruff: noqa: SIM905 - a table of words reads best as words

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_OPENAI_FIELDS = frozenset(
    "model messages stream stream_options temperature top_p n stop seed user store "
    "metadata tools tool_choice parallel_tool_calls response_format max_tokens "
    "max_completion_tokens reasoning_effort verbosity modalities audio prediction "
    "logprobs top_logprobs logit_bias presence_penalty frequency_penalty service_tier "
    "functions function_call web_search_options prompt_cache_key "
    "prompt_cache_retention safety_identifier".split()
)
_OPENAI_ROLES = frozenset("developer system user assistant tool function".split())
_OPENAI_BLOCKS = frozenset("text image_url input_audio file refusal".split())
_ANTHROPIC_FIELDS = frozenset(
    "model messages stream max_tokens system temperature top_p top_k stop_sequences "
    "metadata tools tool_choice thinking service_tier container context_management "
    "mcp_servers output_config output_format betas cache_control inference_geo".split()
)
_ANTHROPIC_ROLES = frozenset(("user", "assistant"))
_ANTHROPIC_BLOCKS = frozenset(
    "text image document search_result thinking redacted_thinking tool_use "
    "tool_result server_tool_use web_search_tool_result container_upload".split()
)


def complaint(family: str, body: Mapping[str, Any]) -> str | None:
    """Return what the API would say about `body`, or `None` if it would read it."""
    complaints = _openai if family == "openai" else _anthropic
    return next(complaints(body), None)


def _openai(body: Mapping[str, Any]) -> Iterator[str]:
    for name in body.keys() - _OPENAI_FIELDS:
        yield f"Unknown parameter: '{name}'."
    called: set[str] = set()
    for at, message in enumerate(_dicts(body.get("messages"))):
        role = message.get("role")
        if role not in _OPENAI_ROLES:
            yield f"Invalid value: '{role}' at messages[{at}].role."
        for block in _dicts(message.get("content")):
            if block.get("type") not in _OPENAI_BLOCKS:
                yield f"Invalid value: '{block.get('type')}' at messages[{at}].content."
        called |= {str(c.get("id")) for c in _dicts(message.get("tool_calls"))}
        if role == "tool" and message.get("tool_call_id") not in called:
            yield (
                "messages with role 'tool' must be a response to a preceding message "
                "with 'tool_calls'."
            )


def _anthropic(body: Mapping[str, Any]) -> Iterator[str]:
    if "max_tokens" not in body:
        yield "max_tokens: Field required"
    for name in body.keys() - _ANTHROPIC_FIELDS:
        yield f"{name}: Extra inputs are not permitted"
    used: set[str] = set()
    for at, message in enumerate(_dicts(body.get("messages"))):
        if message.get("role") not in _ANTHROPIC_ROLES:
            yield f'messages.{at}.role: Input should be "user" or "assistant"'
        blocks = tuple(_dicts(message.get("content")))
        for block in blocks:
            if block.get("type") not in _ANTHROPIC_BLOCKS:
                yield f"messages.{at}.content: Input tag '{block.get('type')}' unknown"
            if block.get("type") == "tool_result" and block["tool_use_id"] not in used:
                yield (
                    f"messages.{at}.content: unexpected `tool_use_id` found in "
                    f"`tool_result` blocks: {block['tool_use_id']}"
                )
        used = {str(b.get("id")) for b in blocks if b.get("type") == "tool_use"}


def _dicts(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))
