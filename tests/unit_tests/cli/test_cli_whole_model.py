"""Commands about a model that is written down, or made in a module."""

from __future__ import annotations

import pytest

from langchain_reliable.cli import main
from langchain_reliable.testing import error_status, simulator

APP = """
from langchain_reliable import ReliableChatModel
from langchain_reliable.testing import ScriptedChatModel

model = ReliableChatModel(models=[ScriptedChatModel(model="mine")])
bound = model.bind(stop=["x"])
nothing = 3
"""


@pytest.fixture
def app(tmp_path, monkeypatch):
    (tmp_path / "my_app_for_the_cli.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    return "my_app_for_the_cli"


@pytest.fixture
def sim():
    with simulator() as running:
        yield running


@pytest.fixture
def config(tmp_path, sim):
    path = tmp_path / "models.yaml"
    one = f"params: {{base_url: {sim.openai_url}, api_key: none}}"
    path.write_text(
        f"models:\n- {{model: openai:gpt-a, {one}}}\n- {{model: openai:gpt-b, {one}}}\n"
        "max_retries: 0\n"
    )
    return str(path)


def test_check_of_a_file(config, sim, capsys):
    assert main(["check", "--config", config, "--plain"]) == 0
    assert "gpt-b" in capsys.readouterr().out
    sim.script("gpt-a", error_status(503))
    assert main(["check", "--config", config, "--plain"]) == 1


def test_ask_of_a_file(config, sim, capsys):
    sim.script("gpt-a", error_status(503))
    assert main(["ask", "hello?", "--config", config, "--plain"]) == 0
    assert "gpt-b" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["model", "bound"])
def test_check_of_a_module(app, name, capsys):
    assert main(["check", f"{app}:{name}", "--plain"]) == 0
    assert "mine" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "write one of --model, --config or module:attribute"),
        (["--config", "not-there.yaml"], "not-there.yaml: No such file"),
        (["not_there_at_all:model"], "No module named"),
        (["my_app_for_the_cli:other"], "has no other"),
        (["my_app_for_the_cli:nothing"], "value of type int, no ReliableChatModel"),
        (["my_app_for_the_cli"], "write module:attribute"),
        (["my_app_for_the_cli:model", "--model", "openai:a"], "write one of"),
    ],
)
def test_what_is_missing_is_said(app, arguments, said, capsys):
    assert main(["check", *arguments, "--plain"]) == 2
    assert said in capsys.readouterr().err


def test_what_is_wrong_in_a_file_is_said(tmp_path, capsys):
    path = tmp_path / "models.yaml"
    path.write_text("models: ['openai:a']\nmax_retrys: 1\n")
    assert main(["check", "--config", str(path), "--plain"]) == 2
    assert "did you mean `max_retries`" in capsys.readouterr().err
