"""What may be written, for type checkers, is kept in one form."""

from typing import get_args

import pytest

from langchain_reliable import ReliableChatModel
from langchain_reliable.candidates import (
    Candidate,
    Group,
    _CandidateSettings,
    _GroupSettings,
)
from langchain_reliable.failures import FailureKind, KindName, Verdict, VerdictName
from langchain_reliable.testing import ScriptedChatModel

A, B = ScriptedChatModel(model="a"), ScriptedChatModel(model="b")


def test_each_kind_and_verdict_has_its_name_for_type_checkers():
    assert set(get_args(KindName)) == {*FailureKind}
    assert set(get_args(VerdictName)) == {*Verdict}


def test_what_was_written_is_stored_in_one_form():
    model = ReliableChatModel(
        models=[A, [A, B], Candidate(B, tags=["eu"])],
        model_fallbacks={"a": ["b"]},
        verdicts={"auth": "raise"},
        observers=[print],
    )
    assert [type(one) for one in model.models] == [Candidate, Group, Candidate]
    assert isinstance(model.models, tuple)
    assert model.models[2].tags == ("eu",)
    assert model.model_fallbacks == {"a": ("b",)}
    assert model.verdicts == {FailureKind.AUTH: Verdict.RAISE}
    assert model.observers == (print,)


@pytest.mark.parametrize(
    ("kind", "settings"), [(Candidate, _CandidateSettings), (Group, _GroupSettings)]
)
def test_all_but_the_first_value_of_a_constructor_is_typed_by_the_settings(
    kind, settings
):
    assert len(kind.model_fields.keys() - settings.model_fields.keys()) == 1
