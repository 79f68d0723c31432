"""The guard over cassettes bites, and the folder holds what the stories need."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from recorded_clients import CASSETTES

HERE = Path(__file__).parent
REPO = HERE.parents[1]

TESTS_IN_NEED_OF_A_GUARD = """
import pytest
from langchain_openai import ChatOpenAI

from langchain_reliable import FailureKind, ReliableChatModel
from langchain_reliable.testing import ScriptedChatModel

ONE_ANSWER = "simulator/a_healthy_model_answers/openai-invoke.yaml"


def ask(model):
    return ChatOpenAI(model=model, base_url="http://simulator.test/v1", api_key="x")


@pytest.mark.vcr(ONE_ANSWER)
def test_that_is_fine():
    ask("gpt-primary").invoke("hello?")


@pytest.mark.vcr(ONE_ANSWER)
@pytest.mark.plays_in_part
def test_that_leaves_something_on_purpose():
    pass


@pytest.mark.vcr(ONE_ANSWER)
def test_that_leaves_something():
    pass


@pytest.mark.vcr(ONE_ANSWER)
@pytest.mark.plays_in_part
def test_whose_miss_is_hidden_by_failover():
    model = ReliableChatModel(
        models=[ask("gpt-not-recorded"), ScriptedChatModel()],
        max_retries=0,
        classify=lambda error: FailureKind.CONNECTION,
    )
    assert model.invoke("hello?").text.startswith("Hello")


@pytest.mark.vcr(ONE_ANSWER)
def test_whose_miss_comes_after_the_recorded_answer():
    ask("gpt-primary").invoke("hello?")
    with pytest.raises(Exception):
        ask("gpt-primary").invoke("hello again?")
"""
"""Each of these passes as far as its own lines go."""


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """Run them under the conftest of this folder, and return the words on each."""
    folder = tmp_path_factory.mktemp("inner")
    shutil.copy(HERE / "conftest.py", folder)
    (folder / "test_inner.py").write_text(TESTS_IN_NEED_OF_A_GUARD)
    command = [sys.executable, "-m", "pytest", "-rA", "--tb=line", "--no-header"]
    where = ["-c", str(REPO / "pyproject.toml"), "--rootdir", str(folder), str(folder)]
    paths = os.pathsep.join(filter(None, [str(HERE), *sys.path]))
    run = subprocess.run(  # noqa: S603 - our own pytest on our own file
        [*command, "-p", "no:cacheprovider", *where],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    told = re.findall(
        r"^(PASSED|ERROR|FAILED) \S*::test_(\w+)", run.stdout, re.MULTILINE
    )
    verdicts = {}
    for verdict, name in told:
        verdicts.setdefault(name, set()).add(verdict)
    assert len(verdicts) == TESTS_IN_NEED_OF_A_GUARD.count("def test_"), run.stdout
    return verdicts, run.stdout


def test_a_miss_is_noticed_though_failover_hides_it(verdicts):
    verdicts, output = verdicts
    assert "ERROR" in verdicts["whose_miss_is_hidden_by_failover"]
    assert "ERROR" in verdicts["whose_miss_comes_after_the_recorded_answer"]
    assert "PASSED" in verdicts["whose_miss_is_hidden_by_failover"]
    assert "not on the cassette: " in output
    assert "gpt-not-recorded" in output


def test_an_answer_nobody_fetched_is_noticed(verdicts):
    verdicts, output = verdicts
    assert "ERROR" in verdicts["that_leaves_something"]
    assert "only 0 of 1 recorded answers were asked for" in output


def test_what_is_fine_passes(verdicts):
    verdicts, _ = verdicts
    assert verdicts["that_is_fine"] == {"PASSED"}
    assert verdicts["that_leaves_something_on_purpose"] == {"PASSED"}


def test_every_folder_of_cassettes_has_its_story():
    told = "\n".join(one.read_text() for one in sorted(HERE.glob("test_*cassettes.py")))
    stories = set(re.findall(r"(?m)^def test_(\w+)", told))
    folders = {folder.name for folder in CASSETTES.glob("*/*") if folder.is_dir()}
    assert folders
    assert folders <= stories


def test_every_cassette_says_where_it_is_from():
    """The folder says it, and the address of the requests says the same."""
    for cassette in CASSETTES.rglob("*.yaml"):
        source = cassette.relative_to(CASSETTES).parts[0]
        told = cassette.read_text()
        hosts = set(re.findall(r"(?m)^    uri: https?://([^/:]+)", told))
        assert hosts, cassette
        if source == "simulator":
            assert hosts == {"simulator.test"}, cassette
        else:
            assert hosts <= {"api.openai.com", "api.anthropic.com"}, cassette
