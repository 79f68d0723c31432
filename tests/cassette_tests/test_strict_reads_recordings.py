"""What real APIs accepted, the strict simulator reads."""

from __future__ import annotations

import json
import re

import pytest
from real_recordings import FOLDER, Recording, all_names

from langchain_reliable.testing._simulator.strict.complaint import complaint

if not FOLDER:
    pytest.skip(
        "RECORDINGS_DIR names no folder of real recordings", allow_module_level=True
    )

DIALECTS = {
    "api.anthropic.com": "anthropic",
    "api.openai.com": "openai",
    "generativelanguage.googleapis.com": "gemini",
    "bedrock-runtime.us-east-1.amazonaws.com": "bedrock",
}
CHATS = re.compile(
    r"/(chat/completions|messages|converse|converse-stream)$"
    r"|:(generateContent|streamGenerateContent)$"
)
SIGNATURE = re.compile(r'("thoughtSignature": ?)"[^"]*"')
ACCEPTED = (200, 429, 500, 503, 529)


def _read(request):
    """Return the body; the simulator knows no signatures but its own."""
    body = request.body if isinstance(request.body, str) else request.body.decode()
    return json.loads(SIGNATURE.sub(r'\1"skip_thought_signature_validator"', body))


def _accepted():
    """Yield the requests that the APIs read, whatever they answered."""
    for name in all_names():
        for nth, (request, response) in enumerate(Recording(name).interactions):
            dialect = DIALECTS.get(request.host)
            is_ours = CHATS.search(request.path)
            if dialect and is_ours and response["status"]["code"] in ACCEPTED:
                yield pytest.param(dialect, _read(request), id=f"{name}-{nth}")


@pytest.mark.parametrize(("dialect", "body"), list(_accepted()))
def test_it_reads_what_was_accepted(dialect, body):
    assert complaint(dialect, body) is None
