"""Commands about a model that is written down, or made in a module."""

from __future__ import annotations

import sys

import pytest

from langchain_reliable.cli import main
from langchain_reliable.testing import error_status, simulator

APP = """
from langchain_reliable import ReliableChatModel
from langchain_reliable.testing import ScriptedChatModel

model = ReliableChatModel(models=[ScriptedChatModel(model="mine")])
bound = model.bind(stop=["x"])
nothing = 3


class Settings:
    @property
    def model(self):
        raise RuntimeError("no database")


settings = Settings()
"""
RAISING = {
    "a bug": ("1 / 0", "line 1: ZeroDivisionError: division by zero"),
    "no syntax": ("def (", "line 1: SyntaxError"),
    "a module that is missing": ("import not_there_at_all", "No module named 'not_th"),
    "an attribute that is missing": ("object().nope", "line 1: AttributeError: 'obj"),
    "an exit": ("raise SystemExit(3)", "line 1: SystemExit: 3"),
    "several lines": ('raise KeyError("a\\nb")', r"line 1: KeyError: 'a\nb'"),
}


@pytest.fixture
def app(tmp_path, monkeypatch):
    (tmp_path / "my_app_for_the_cli.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    sys.modules.pop("raises_for_the_cli", None)
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
        (["my_app_for_the_cli:modle"], "has no modle; did you mean model?"),
        (["my_app_for_the_cli:settings.model"], "line 13: RuntimeError: no database"),
        (["my_app_for_the_cli.py:model"], "write module:attribute"),
        (["../my_app_for_the_cli:model"], "write module:attribute"),
        (["my_app_for_the_cli:nothing"], "value of type int, no ReliableChatModel"),
        (["my_app_for_the_cli"], "write module:attribute"),
        (["my_app_for_the_cli:model", "--model", "openai:a"], "write one of"),
    ],
)
def test_what_is_missing_is_said(app, arguments, said, capsys):
    assert main(["check", *arguments, "--plain"]) == 2
    assert said in told_in_a_line(capsys)


def told_in_a_line(capsys):
    told = capsys.readouterr().err
    assert told.startswith("langchain-reliable: ")
    assert told.count("\n") == 1
    return told


@pytest.mark.parametrize(("code", "said"), RAISING.values(), ids=RAISING)
@pytest.mark.parametrize("command", ["check", "explain"])
def test_a_module_that_cannot_be_imported(code, said, command, app, tmp_path, capsys):
    (tmp_path / "raises_for_the_cli.py").write_text(code)
    assert main([command, "raises_for_the_cli:model"]) == 2
    assert said in told_in_a_line(capsys)


def test_what_is_wrong_in_a_file_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    path = tmp_path / "models.yaml"
    for written, said in (
        ("models: ['openai:a']\nmax_retrys: 1\n", "did you mean `max_retries`"),
        ("models: ['openai:a']\nmax_retries: -1\n", "max_retries: Input should be"),
        ("models: [os.environ/NOT_THERE]\n", "variable NOT_THERE is not set"),
        ("models: ['acme:a']\n", "Unable to infer model provider"),
    ):
        path.write_text(written)
        for command in (["check"], ["explain"], ["ask", "hi?"]):
            assert main([*command, "--config", str(path)]) == 2
            assert said in told_in_a_line(capsys)
