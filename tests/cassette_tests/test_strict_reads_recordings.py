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

FAMILIES = {"api.anthropic.com": "anthropic", "api.openai.com": "openai"}
ACCEPTED = (200, 429, 500, 503, 529)


def _accepted():
    """Yield the requests that the two APIs read, whatever they answered."""
    for name in all_names():
        for nth, (request, response) in enumerate(Recording(name).interactions):
            family = FAMILIES.get(request.host)
            is_ours = re.search(r"/(chat/completions|messages)$", request.path)
            if family and is_ours and response["status"]["code"] in ACCEPTED:
                body = json.loads(request.body)
                yield pytest.param(family, body, id=f"{name}-{nth}")


@pytest.mark.parametrize(("family", "body"), list(_accepted()))
def test_it_reads_what_was_accepted(family, body):
    assert complaint(family, body) is None
