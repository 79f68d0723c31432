"""Words for people: one table for all kinds, and sentences that read well."""

from __future__ import annotations

import pytest

from langchain_reliable._text.kinds import words_for
from langchain_reliable._text.wording import failure_phrase
from langchain_reliable.failures import Failure, FailureKind


@pytest.mark.parametrize("kind", FailureKind)
def test_every_kind_has_words_of_its_own(kind):
    words = words_for(kind)
    assert words.says
    assert words.phrase
    assert words.checked
    assert words.phrase != f"failed ({kind.value})"


@pytest.mark.parametrize(
    ("kind", "status", "says"),
    [
        ("connection", None, "could not be reached"),
        ("server_error", 500, "has trouble of its own"),
        ("server_error", 529, "is overloaded"),
        ("server_error", 503, "is overloaded"),
        ("auth", 401, "did not accept the API key"),
    ],
)
def test_a_phrase_follows_a_name(kind, status, says):
    assert failure_phrase(Failure(kind=FailureKind(kind), status=status)) == says
