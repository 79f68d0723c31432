"""The commands, as the person at the terminal sees them."""

from __future__ import annotations

import io
import logging
import os
import re
import runpy
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

import langchain_reliable
from langchain_reliable import ReliableChatModel
from langchain_reliable._cli import demo, open_screen
from langchain_reliable._cli import main as command
from langchain_reliable._cli.ask import told
from langchain_reliable._cli.call_view import CallView
from langchain_reliable._cli.demo_scenes import BACKUP, PRIMARY, SCENES
from langchain_reliable._cli.screen import Line, Mark
from langchain_reliable._cli.screen_plain import PlainScreen
from langchain_reliable._cli.screen_rich import RichScreen
from langchain_reliable._text.terminal import Folded, cells, folded_table, printable
from langchain_reliable.cli import main
from langchain_reliable.testing import (
    ScriptedChatModel,
    content_then_cut,
    error_status,
    quota_exhausted,
    says,
    simulator,
    tool_call,
)

ESCAPE = "\x1b"
KEYS = {
    "OPENAI_API_KEY": "sk-proj-abcdefghijklmnop",
    "ANTHROPIC_API_KEY": "sk-ant-qrstuvwxyz012345",
}


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True

    def run(self, *arguments: str) -> int:
        """Run a command on this terminal."""
        with redirect_stdout(self):
            return main(arguments)

    @property
    def seen(self) -> str:
        """What was written, without control codes."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.getvalue())


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    return Terminal()


@pytest.fixture
def sim(monkeypatch):
    """A provider that `ask` finds where the environment says."""
    with simulator() as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.openai_url)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", running.anthropic_url)
        for name, key in KEYS.items():
            monkeypatch.setenv(name, key)
        yield running


def flat(text: str) -> str:
    """Return a text on one line, without the bars beside an answer."""
    return " ".join(text.replace("┃", " ").split())


# --- demo -------------------------------------------------------------------------


def test_the_demo_shows_every_answer_once_and_ends_with_the_table(capsys):
    assert main(["demo", "--fast"]) == 0
    out, err = capsys.readouterr()
    for scene in SCENES:
        assert f"{scene.title} ==" in out
        assert not scene.answer or out.count(scene.answer) == 1
    served = re.findall(r"served by ([\w.-]+), (\d) attempt", out)
    assert served == [
        (PRIMARY, "1"),
        (PRIMARY, "2"),
        (BACKUP, "4"),
        (BACKUP, "2"),
        (BACKUP, "4"),
        (BACKUP, "1"),  # the second call of that scene does not ask the primary
    ]
    assert "with_fallbacks" in out
    assert f"{PRIMARY} broke off, 1 attempt" in out
    assert "asked to wait" in out
    assert "timed out" in out
    assert "AllModelsFailed: no model answered (4 attempts on 2 models" in out
    assert f"{PRIMARY}: check plan and billing of this account" in out
    assert ESCAPE not in out
    assert err == ""


def test_the_demo_runs_as_a_command_of_its_own():
    command = [sys.executable, "-m", "langchain_reliable.cli"]
    house = str(Path(langchain_reliable.__file__).parents[1])
    run = subprocess.run(  # noqa: S603 - our own interpreter
        [*command, "demo", "--fast", "--plain"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": house},
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert all(run.stdout.count(scene.answer) == 1 for scene in SCENES[:5])
    assert f"served by {BACKUP}, 4 attempts" in run.stdout


def test_one_scene_alone_needs_no_table_of_all(capsys):
    assert main(["demo", "--fast", "--scene", "1"]) == 0
    out = capsys.readouterr().out
    assert SCENES[0].answer in out
    assert SCENES[1].title not in out
    assert "What you have seen" not in out


def test_a_scene_that_does_not_exist_is_an_error_of_the_caller(capsys):
    assert main(["demo", "--scene", "8"]) == 2
    assert "there is no scene 8: they are 1 to 7" in capsys.readouterr().err


def test_a_terminal_gets_colors_and_its_cursor_back(terminal):
    assert terminal.run("demo", "--fast") == 0
    assert f"{ESCAPE}[" in terminal.getvalue()
    hidden, shown = f"{ESCAPE}[?25l", f"{ESCAPE}[?25h"
    assert terminal.getvalue().rfind(shown) > terminal.getvalue().rfind(hidden)
    for scene in SCENES:
        assert not scene.answer or flat(terminal.seen).count(scene.answer) == 1
    assert "╭─ AllModelsFailed ─" in terminal.seen
    assert max(map(cells, terminal.seen.replace("\r", "\n").split("\n"))) <= 80


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (["--plain"], {}),
        ([], {"NO_COLOR": "1"}),
        ([], {"TERM": "dumb"}),
    ],
    ids=["asked to be plain", "NO_COLOR", "a dumb terminal"],
)
def test_a_plain_terminal_gets_folded_lines(
    terminal, monkeypatch, arguments, variables
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert terminal.run("demo", "--fast", "--scene", "1", *arguments) == 0
    assert ESCAPE not in terminal.getvalue()
    assert SCENES[0].answer in flat(terminal.getvalue().replace("|", " "))
    assert max(map(len, terminal.getvalue().splitlines())) <= 80


def test_the_demo_stays_on_this_machine(capsys, monkeypatch):
    nowhere = "http://127.0.0.1:9"
    for name in ("HTTP_PROXY", "ALL_PROXY", "OPENAI_PROXY", "ANTHROPIC_PROXY"):
        monkeypatch.setenv(name, nowhere)
    monkeypatch.setenv("NO_PROXY", "example.org")
    monkeypatch.delenv("no_proxy", raising=False)
    assert main(["demo", "--fast", "--scene", "3"]) == 0
    assert capsys.readouterr().err == ""
    assert os.environ["NO_PROXY"] == "example.org"
    assert "no_proxy" not in os.environ


@pytest.mark.parametrize(
    ("scene", "complaint"),
    [
        (replace(SCENES[0], served_by=BACKUP), f"served by {BACKUP}: {PRIMARY} said"),
        (replace(SCENES[6], served_by=BACKUP), f"served by {BACKUP}: nobody said"),
        (
            replace(SCENES[0], world=lambda *_: ((error_status(400),),) * 2),
            "AllModelsFailed",
        ),
    ],
    ids=["another one answers", "nobody answers", "a whole scene fails"],
)
def test_a_scene_that_ends_otherwise_is_told(capsys, monkeypatch, scene, complaint):
    monkeypatch.setattr(demo, "SCENES", (scene,))
    assert main(["demo", "--fast"]) == 1
    out, err = capsys.readouterr()
    assert complaint in out + err
    assert "scene 1 must be served by" in err


def test_an_error_nobody_expects_is_told_too(capsys, monkeypatch):
    broken = replace(
        SCENES[0], world=lambda *_: ((content_then_cut("one two three"),), ("hi",))
    )
    monkeypatch.setattr(demo, "SCENES", (broken,))
    assert main(["demo", "--fast"]) == 1
    out, err = capsys.readouterr()
    assert f"{PRIMARY} broke off, 1 attempt" in out
    assert "StreamInterrupted" in err


# --- ask --------------------------------------------------------------------------


def test_a_question_is_answered_by_the_first_that_can(capsys, sim):
    sim.script("gpt-a", quota_exhausted())
    sim.script("claude-b", says("Because of the moon."))
    models = ["--model", "openai:gpt-a", "--model", "anthropic:claude-b"]
    assert main(["ask", "Why are there tides?", *models]) == 0
    out, err = capsys.readouterr()
    assert "you: Why are there tides?" in out
    assert "quota exhausted" in out
    assert out.count("Because of the moon.") == 1
    assert "served by claude-b, 2 attempts, first token at" in out
    assert (
        err == "asking gpt-a ...\nasking claude-b ...\n"
    )  # before each was waited for


def test_without_langchain_the_two_families_still_open(capsys, sim, monkeypatch):
    monkeypatch.setitem(sys.modules, "langchain", None)
    sim.script("gpt-a", error_status(404))
    models = ["--model", "openai:gpt-a", "--model", "anthropic:claude-b"]
    assert main(["ask", "hello?", *models]) == 0
    assert "Hello from claude-b." in capsys.readouterr().out
    assert main(["ask", "hello?", "--model", "groq:llama"]) == 2
    assert "pip install langchain;" in capsys.readouterr().err


def test_when_all_fail_the_table_says_what_was_tried(capsys, sim):
    sim.script("gpt-a", error_status(404))
    sim.script("claude-b", error_status(401))
    models = ["--model", "openai:gpt-a", "--model", "anthropic:claude-b"]
    assert main(["ask", "hello?", *models]) == 1
    out, err = capsys.readouterr()
    assert "no model answered, 2 attempts, gave up after" in out
    assert "AllModelsFailed: no model answered (2 attempts on 2 models" in err
    assert "claude-b: check the API key" in err
    assert "Traceback" not in out + err
    assert not any(key in out + err for key in KEYS.values())


def test_an_answer_that_breaks_off_is_shown_so_far(capsys, sim):
    sim.script("gpt-a", content_then_cut("one two three four", after=2))
    assert main(["ask", "count!", "--model", "openai:gpt-a"]) == 1
    out, err = capsys.readouterr()
    assert "| one two\n" in out
    assert "broke off in mid-answer" in out
    assert "gpt-a broke off, 1 attempt" in out
    assert "\nStreamInterrupted: the answer of gpt-a broke off" in err


def test_an_answer_without_text_says_so(capsys, sim):
    sim.script("gpt-a", says(calls=[tool_call("look", at="the moon")]))
    assert main(["ask", "look!", "--model", "openai:gpt-a"]) == 0
    assert "served by gpt-a, 1 attempt, no text" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "variable"),
    [("openai:gpt-a", "OPENAI_API_KEY"), ("anthropic:c", "ANTHROPIC_API_KEY")],
)
@pytest.mark.parametrize("without_langchain", [False, True])
def test_a_missing_key_is_named_before_anything_is_sent(
    capsys, sim, monkeypatch, name, variable, without_langchain
):
    monkeypatch.delenv(variable)
    if without_langchain:
        monkeypatch.setitem(sys.modules, "langchain", None)
    assert main(["ask", "hello?", "--model", name]) == 2
    out, err = capsys.readouterr()
    assert name in err
    assert variable in err
    assert out == ""
    assert sim.count() == 0


@pytest.mark.parametrize("without_langchain", [False, True])
def test_one_missing_key_does_not_stop_the_others(
    capsys, sim, monkeypatch, without_langchain
):
    monkeypatch.delenv("OPENAI_API_KEY")
    if without_langchain:
        monkeypatch.setitem(sys.modules, "langchain", None)
    models = ["--model", "openai:gpt-a", "--model", "anthropic:claude-b"]
    assert main(["ask", "hello?", *models]) == 0
    out, _ = capsys.readouterr()
    assert "Hello from claude-b." in out
    assert "not authorized" in out
    assert sim.count() == 1


def test_a_bad_name_is_explained(capsys):
    assert main(["ask", "hello?", "--model", "nobody:knows"]) == 2
    err = capsys.readouterr().err
    assert err.startswith('langchain-reliable: "nobody:knows" could not be opened')
    assert "validation error" not in err


def test_a_question_without_models_is_an_error_of_the_caller(capsys):
    assert main(["ask", "hello?"]) == 2
    assert "write one of --model, --config" in capsys.readouterr().err


# --- what is missing, and other ends ----------------------------------------------


@pytest.mark.parametrize(
    ("package", "sold_as"),
    [
        ("h11", "h11"),
        ("langchain_openai", "langchain-openai"),
        ("langchain_anthropic", "langchain-anthropic"),
    ],
)
def test_the_demo_says_what_to_install(capsys, monkeypatch, package, sold_as):
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["demo", "--fast"]) == 2
    out, err = capsys.readouterr()
    assert err == (
        f"langchain-reliable: {sold_as} is not installed: "
        'pip install "langchain-reliable[demo]"\n'
    )
    assert out == ""


def test_colors_say_what_to_install(capsys, terminal, monkeypatch):
    monkeypatch.setitem(sys.modules, "rich", None)
    assert terminal.run("demo", "--fast") == 2
    assert "rich is not installed" in capsys.readouterr().err


def test_a_question_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "langchain_anthropic", None)
    assert main(["ask", "hello?", "--model", "anthropic:claude-b"]) == 2
    err = capsys.readouterr().err
    assert 'pip install "langchain-reliable[demo]"' in err


def test_no_command_is_a_call_for_help(capsys):
    assert main([]) == 0
    assert "demo" in capsys.readouterr().out


@pytest.mark.parametrize("installed", [True, False])
def test_the_version_is_told(capsys, monkeypatch, installed):
    def version(name: str) -> str:
        if installed:
            return "1.2.3"
        raise command.PackageNotFoundError(name)

    monkeypatch.setattr(command, "version", version)
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith("langchain-reliable")


def test_ctrl_c_ends_cleanly(capsys, monkeypatch, terminal):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(CallView, "watch", interrupted)
    assert terminal.run("demo", "--fast") == 130
    assert main(["demo", "--fast"]) == 130
    assert capsys.readouterr().err == "\nStopped.\n" * 2


def test_a_closed_pipe_ends_quietly(capsys, monkeypatch):
    stopped = []
    monkeypatch.setattr(command, "_stop_writing", lambda: stopped.append(True))

    def gone(*args, **kwargs):
        raise BrokenPipeError

    monkeypatch.setattr(PlainScreen, "_write", gone)
    assert main(["demo", "--fast"]) == 1
    assert stopped
    assert capsys.readouterr().err == ""


def test_other_warnings_of_the_package_still_appear(capsys):
    logger = logging.getLogger("langchain_reliable")
    with command._shown_once():
        logger.warning("somebody retries on their own")
    logger.handlers.clear()
    assert "somebody retries on their own" in capsys.readouterr().err


def test_the_module_is_a_command(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["cli", "--version"])
    monkeypatch.delitem(sys.modules, "langchain_reliable.cli")
    with pytest.raises(SystemExit):
        runpy.run_module("langchain_reliable.cli", run_name="__main__")
    assert "langchain-reliable" in capsys.readouterr().out


# --- the show and its screens -----------------------------------------------------


def test_a_screen_that_breaks_is_not_hidden_by_the_call():
    class Torn(PlainScreen):
        def line(self, line: Line) -> None:
            raise OSError("no space left")

    show = CallView(Torn(io.StringIO()))
    model = ReliableChatModel(models=[ScriptedChatModel()], observers=[show])
    with pytest.raises(OSError, match="no space left"):
        show.watch(model, "hello?")


def test_a_stream_that_knows_few_letters_gets_what_it_can_show():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    screen = PlainScreen(stream)
    screen.piece("a", "naïve")
    screen.answer_ends()
    stream.seek(0)
    assert "na?ve" in stream.read()


def test_a_wait_becomes_a_line_and_an_interrupted_one_does_not():
    stream = Terminal()
    console = Console(file=stream, force_terminal=True, width=80, highlight=False)
    with RichScreen(console) as screen:
        screen.cast(["gpt-a"])
        screen.waits("gpt-a", 2.0)
        screen.line(Line(mark=Mark.FAILED, who="gpt-a", nth=2, says="down: for good"))
        screen.waits("gpt-a", 3.0)
    assert stream.seen.count("waited") == 1
    assert "attempt 2: down: for good" in stream.seen


def test_a_screen_without_a_terminal_is_plain():
    with redirect_stdout(io.StringIO()):
        assert isinstance(open_screen.open_screen(plain=False), PlainScreen)


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        (["one two", " three", " four"], "one two\nthree four"),
        (["a\n", "\n", "  b"], "a\n\n  b"),
        (["abcdefghijklmnop"], "abcdefghij\nklmnop"),
        (["hi ", "abcdefghijklmnop"], "hi\nabcdefghij\nklmnop"),
        (["潮の満ち引きは"], "潮の満ち引\nきは"),
        (["o", "ne", "", " "], "one"),
        ([], ""),
    ],
    ids=[
        "between words",
        "new lines and indents stay",
        "a word longer than a line is cut",
        "on a line of its own",
        "wide letters part anywhere",
        "a word in pieces is one word",
        "nothing",
    ],
)
def test_an_answer_is_folded_while_it_arrives(pieces, shown):
    folded = Folded(10)
    assert "".join([*map(folded.feed, pieces), folded.rest()]) == shown


def test_text_cannot_drive_the_terminal():
    assert printable("a\x1b[2Jb\x07\rc\n\td") == "a[2Jbc\n    d"
    assert cells("e\u0301") == 1


def test_a_table_keeps_its_columns_when_it_is_folded():
    table = (
        "no model answered\n  gpt-a  attempt 1  moved on  down for a long\n"
        "                              while, it seems\n  gpt-a: look at it"
    )
    assert folded_table(table, 60) == table
    assert folded_table(table, 42) == (
        "no model answered\n"
        "  gpt-a  attempt 1  moved on  down for a\n"
        "                    long while, it seems\n  gpt-a: look at it"
    )


def test_an_empty_question_is_refused_before_anybody_is_asked(capsys):
    with pytest.raises(SystemExit):
        main(["ask", " ", "--model", "openai:gpt-5.4"])
    assert "write a question" in capsys.readouterr().err


def test_an_error_without_words_ends_without_a_colon():
    assert told(ValueError()) == "ValueError"
