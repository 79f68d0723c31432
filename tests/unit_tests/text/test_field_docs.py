"""Field docstrings reach schemas and `help()`, and cost nothing before that."""

import copy
import pydoc
import subprocess
import sys

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import ConfigurableField
from pydantic import Field

from langchain_reliable import CircuitBreaker, ReliableChatModel, policies
from langchain_reliable.candidates import Candidate, Group
from langchain_reliable.policies import Setting
from langchain_reliable.testing import ScriptedChatModel

OWN = ReliableChatModel.model_fields.keys() - BaseChatModel.model_fields.keys()
SETTINGS = [
    one
    for one in vars(policies).values()
    if isinstance(one, type) and issubclass(one, Setting) and one is not Setting
]


class Tuned(ReliableChatModel):
    """One of ours, with more."""

    tuning: int = 1
    """How much it is tuned."""
    told: int = Field(default=1, description="Told by hand.")


@pytest.mark.parametrize("name", sorted(OWN))
def test_every_field_of_the_model_is_described(name):
    assert ReliableChatModel.model_fields[name].description


@pytest.mark.parametrize("kind", [*SETTINGS, Candidate, Group])
def test_every_setting_is_described(kind):
    whole = kind.model_json_schema()
    parts = [whole, *whole.get("$defs", {}).values()]
    ours = next(
        part for part in parts if kind.model_fields.keys() <= {*part["properties"]}
    )
    positional = {"model", "members"}
    bare = {n for n, one in ours["properties"].items() if "description" not in one}
    assert bare <= positional


def test_a_schema_describes_its_class_without_the_list_of_fields():
    assert "Fields:" not in CircuitBreaker.model_json_schema()["description"]


def test_what_can_be_configured_is_described():
    model = ReliableChatModel(models=[ScriptedChatModel()]).configurable_fields(
        max_retries=ConfigurableField(id="max_retries")
    )
    (spec,) = model.config_specs
    assert "Retries per candidate" in spec.description


def test_help_shows_the_fields():
    assert "open_for: How long it stays open" in pydoc.render_doc(CircuitBreaker)


def test_a_subclass_inherits_descriptions_and_adds_its_own():
    fields = Tuned.model_fields
    assert "Retries per candidate" in fields["max_retries"].description
    assert fields["tuning"].description == "How much it is tuned."
    assert fields["told"].description == "Told by hand."


def test_a_copied_field_keeps_its_description():
    field = copy.copy(CircuitBreaker.model_fields["open_for"])
    assert field.description == CircuitBreaker.model_fields["open_for"].description
    field.description = "another"
    assert field.description == "another"


def test_no_source_is_read_before_somebody_asks():
    code = """
import linecache
from langchain_reliable import ReliableChatModel
from langchain_reliable.testing import ScriptedChatModel
ReliableChatModel(models=[ScriptedChatModel()]).invoke("hi")
print([name for name in linecache.cache if "langchain_reliable" in name])
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]"
