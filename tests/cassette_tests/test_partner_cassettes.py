"""One success and one failure of each further family, recorded from the simulator.

The real client of each partner package reads them; where a package is missing its
tests are skipped. `make partners` has all of them.
"""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from recorded_clients import PARTNERS

from langchain_reliable.testing import overloaded, says

pytestmark = [
    pytest.mark.vcr,
    pytest.mark.filterwarnings("ignore"),  # what these packages do is their business
]
each_partner = pytest.mark.parametrize(
    "family",
    [
        pytest.param(
            family,
            marks=pytest.mark.skipif(
                find_spec(package) is None, reason=f"{package} is not installed"
            ),
        )
        for family, (package, *_) in sorted(PARTNERS.items())
    ],
)

LINE = "The quick brown fox jumps over the lazy dog."


@each_partner
def test_a_partner_answers(surface, reliable, provider, family):
    model = reliable(provider.partner(family, says(LINE)))
    outcome = surface(model, "Repeat the line.")
    assert outcome.error is None, repr(outcome.error)
    assert outcome.text == LINE
    assert outcome.attempts == ["primary: answered"]
    if surface.streams:
        assert len(outcome.chunks) > 1
    if family != "cohere" or not surface.streams:  # whose class drops it there
        assert outcome.message.usage_metadata["output_tokens"] > 0


@each_partner
def test_an_overloaded_partner_moves_on(surface, reliable, provider, family):
    first = provider.partner(family, overloaded())
    backup = provider("openai", says(LINE), name="backup")
    outcome = surface(reliable(first, backup, max_retries=0), "Repeat the line.")
    assert outcome.error is None, repr(outcome.error)
    assert outcome.text == LINE
    assert outcome.attempts == ["primary: server_error", "backup: answered"]
    assert [one["status"] for one in outcome.trail["attempts"]] == [503, None]
