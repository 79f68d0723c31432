"""`check`: who works, how fast, and what a person can do about the others."""

from __future__ import annotations

import re
import threading
import time
from io import StringIO

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableLambda
from pydantic import Field, SecretStr
from rich.console import Console

from langchain_reliable import Candidate, FailureKind, ReliableChatModel
from langchain_reliable.chat_models._check_report import CandidateCheck, CheckReport
from langchain_reliable.cli import main
from langchain_reliable.testing import (
    Gate,
    ScriptedChatModel,
    error_status,
    fails,
    hang_before_headers,
    says,
    simulator,
    stalls,
)

KEYS = {
    "OPENAI_API_KEY": "sk-proj-abcdefghijklmnop",
    "ANTHROPIC_API_KEY": "mine-and-unlike-any-other",
}


class Keyed(ScriptedChatModel):
    """A scripted model with a key and an address."""

    api_key: SecretStr = SecretStr("correct horse battery")
    base_url: str = "http://me:pass@llm.example:8080/v1"
    limiter: object = Field(default=None, exclude=True)

    @property
    def lc_secrets(self) -> dict[str, str]:
        return {"api_key": "KEYED_API_KEY"}


class Wrong(Exception):
    """An error with a status, as SDKs have them."""

    def __init__(self, status: int, text: str = "no") -> None:
        super().__init__(text)
        self.status_code = status


@pytest.fixture(params=["check", "acheck"])
def check(request, run):
    """Both ways to check; a test with it runs on each."""

    def asked(model, *args):
        if request.param == "check":
            return model.check(*args)
        return run(model.acheck(*args))

    return asked


def down(*models):
    return ReliableChatModel(models=list(models))


# --- who works --------------------------------------------------------------------


def test_reports_each_candidate_in_order_also_in_groups_and_fallbacks(check):
    model = ReliableChatModel(
        models=[
            [ScriptedChatModel(model="east"), ScriptedChatModel(model="west")],
            Candidate(ScriptedChatModel(model="gpt"), name="mine"),
        ],
        model_fallbacks={"gpt": ["gpt-mini"]},
    )
    report = check(model)
    names = [one.name for one in report.candidates]
    assert names == model.model_name.split(" | ")
    assert len(names) == 4
    assert report.ok
    assert not report.failed
    assert all(one.first_chunk <= one.seconds for one in report.candidates)
    assert "first chunk after" in str(report)


@pytest.mark.parametrize(
    ("error", "kind", "advice"),
    [
        (Wrong(401), FailureKind.AUTH, "look at KEYED_API_KEY"),
        (Wrong(404), FailureKind.MODEL_NOT_FOUND, "look at the model's name"),
        (ConnectionError("no"), FailureKind.CONNECTION, "no way to llm.example:8080"),
        (Wrong(402), FailureKind.QUOTA_EXHAUSTED, "billing"),
        (Wrong(429), FailureKind.RATE_LIMITED, "ask again a little later"),
        (Wrong(503), FailureKind.SERVER_ERROR, "the provider has trouble"),
        (Wrong(400), FailureKind.BAD_REQUEST, "see what it says"),
        (Wrong(408), FailureKind.TIMEOUT, "look at the way to llm.example"),
    ],
)
def test_says_what_to_do(check, error, kind, advice):
    well = ScriptedChatModel(model="well")
    report = check(down(Keyed(model="ill", script=[error]), well))
    (ill,) = report.failed
    assert not report.ok
    assert ill.failure.kind is kind
    assert advice in ill.advice
    assert advice in str(report)


def test_an_empty_answer_and_one_that_breaks_off_do_not_work(check):
    empty = ScriptedChatModel(model="empty", script=[says("")])
    cut = ScriptedChatModel(
        model="cut", script=[fails(ConnectionError, says("one two"), after=1)]
    )
    report = check(down(empty, cut))
    assert [one.result for one in report.failed] == ["empty", "connection"]
    assert report.failed[1].first_chunk is not None


def test_what_is_no_failure_of_a_provider_is_reported_as_well(check):
    def broken(_):
        raise KeyError("mine")

    report = check(down(RunnableLambda(broken), ScriptedChatModel()))
    assert report.candidates[0].result == "fails"
    assert "KeyError" in report.candidates[0].detail


def test_a_candidate_that_hangs_takes_no_longer_than_it_may(check):
    with Gate() as never:
        hangs = ScriptedChatModel(model="hangs", script=[stalls(never)])
        began = time.monotonic()
        report = check(down(hangs, ScriptedChatModel(model="well")), 0.2)
        assert time.monotonic() - began < 5  # the gate would hold it for ten
    assert [one.works for one in report.candidates] == [False, True]
    assert "no answer in 0.2 s" in report.candidates[0].advice


def test_candidates_are_asked_side_by_side(check):
    both = threading.Barrier(2, timeout=30)

    class Meets(ScriptedChatModel):
        def _stream(self, *args, **kwargs):
            both.wait()
            return super()._stream(*args, **kwargs)

        _astream = ScriptedChatModel.__mro__[1]._astream

    assert check(down(Meets(model="a"), Meets(model="b"))).ok


# --- what is left alone -----------------------------------------------------------


def test_neither_retries_nor_health_nor_logs_nor_observers(check, caplog):
    events = []
    ill = ScriptedChatModel(model="ill", script=[Wrong(401)])
    busy = ScriptedChatModel(model="busy", script=[Wrong(503)])
    model = ReliableChatModel(models=[ill, busy], observers=[events.append])
    for _ in range(4):
        check(model)
    assert ill.request_count == busy.request_count == 4
    assert model.health.snapshot() == ()
    assert events == []
    assert not [one for one in caplog.records if one.name == "langchain_reliable"]


def test_nobody_who_listens_to_the_caller_hears_of_it():
    class Hears(BaseCallbackHandler):
        heard = 0

        def on_chat_model_start(self, *args, **kwargs):
            self.heard += 1

    event_types = Hears()
    ask = RunnableLambda(lambda _: down(ScriptedChatModel()).check().ok)
    assert ask.invoke("", {"callbacks": [event_types]})
    assert event_types.heard == 0


# --- how it is shown --------------------------------------------------------------


def test_no_key_is_ever_shown():
    said = "Incorrect key: correct horse battery, at http://me:pass@llm.example"
    report = down(Keyed(model="a", script=[Wrong(401, said)])).check()
    shown = str(report) + report._repr_html_() + printed(report)
    assert "horse" not in shown
    assert "pass@" not in shown
    assert "[hidden]" in shown


def printed(report, width=80):
    console = Console(file=StringIO(), width=width)
    console.print(report)
    return console.file.getvalue()


def test_is_a_table_in_a_terminal_and_in_a_notebook():
    ill = CandidateCheck(name="<b>", works=False, advice="look <here>", detail="no")
    report = CheckReport((CandidateCheck(name="a", works=True), ill))
    assert repr(report) == str(report)  # what a prompt shows
    assert str(report).splitlines() == [
        "a    works  first chunk after 0 ms, whole answer after 0 ms",
        "<b>  fails  look <here>",
        "            no",
    ]
    assert "&lt;b&gt;" in report._repr_html_()
    assert "look &lt;here&gt;<br>no" in report._repr_html_()
    assert all(len(line) <= 40 for line in printed(report, 40).splitlines())


def test_a_model_shows_its_candidates_in_a_notebook():
    model = ReliableChatModel(
        models=[
            [ScriptedChatModel(model="east"), ScriptedChatModel(model="west")],
            Candidate(ScriptedChatModel(model="<slow>"), idle_timeout=None),
        ]
    )
    html = model._repr_html_()
    cells = re.findall(r"<td[^>]*>(.*?)</td>", html)
    assert cells[:4] == ["1", "east", "ScriptedChatModel", "2"]
    assert cells[7:9] == ["", "west"]
    assert cells[14:16] == ["2", "&lt;slow&gt;"]
    assert cells[19] == "no limit"
    assert "health" not in html
    assert "\n" not in repr(model)


def test_and_how_they_are_once_something_is_known():
    ill = ScriptedChatModel(model="ill", script=[Wrong(401)])
    model = down(ill, ScriptedChatModel(model="well"))
    model.invoke("?")
    html = model._repr_html_()
    assert "not authorized" in html
    assert re.search(r"cooling down, back in \d+ s", html)


# --- the command ------------------------------------------------------------------


@pytest.fixture
def sim(monkeypatch):
    with simulator() as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.openai_url)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", running.anthropic_url)
        for name, key in KEYS.items():
            monkeypatch.setenv(name, key)
        yield running


ARGUMENTS = ("check", "--model", "openai:gpt-a", "--model", "anthropic:claude-b")


def test_the_command_says_who_works(sim, capsys):
    assert main(ARGUMENTS) == 0
    out, err = capsys.readouterr()
    assert re.search(r"openai:gpt-a +works +first chunk after", out)
    assert re.search(r"anthropic:claude-b +works", out)
    assert err == ""


def test_the_command_fails_if_one_of_them_does(sim, capsys):
    sim.script("gpt-a", error_status(401))
    assert main(ARGUMENTS) == 1
    out, err = capsys.readouterr()
    assert re.search(r"openai:gpt-a +auth 401 +the key is .* OPENAI_API_KEY", out)
    assert re.search(r"anthropic:claude-b +works", out)
    assert not any(key in out + err for key in KEYS.values())
    assert sim.count("gpt-a") == 1


def test_a_model_that_can_not_be_opened_is_one_that_fails(sim, capsys, monkeypatch):
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    sim.script("gpt-a", hang_before_headers())
    assert main((*ARGUMENTS, "--timeout", "0.3")) == 1
    out, _ = capsys.readouterr()
    assert re.search(r"openai:gpt-a +timeout +no answer in 0.3 s: .*127.0.0.1", out)
    assert re.search(r"anthropic:claude-b +fails +there is no key.*ANTHROPIC_API", out)


def test_so_it_does_where_none_can_be_opened(capsys):
    assert main(("check", "--model", "nobody:nothing")) == 1
    assert "nobody:nothing  fails" in capsys.readouterr().out


@pytest.mark.parametrize("timeout", ["0", "soon", "-3", "nan"])
def test_a_timeout_is_a_number_of_seconds(timeout, capsys):
    with pytest.raises(SystemExit):
        main((*ARGUMENTS, "--timeout", timeout))
    said = capsys.readouterr().err
    assert "--timeout: write a number of seconds, such as 30" in said


@pytest.mark.parametrize("command", [("ask", "?"), ("check",)])
def test_a_model_has_a_name(command, capsys):
    with pytest.raises(SystemExit):
        main((*command, "--model", " "))
    assert "--model: write a name, such as openai:gpt" in capsys.readouterr().err


def test_a_terminal_gets_colors(sim, monkeypatch):
    class Terminal(StringIO):
        encoding = "utf-8"

        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert main(ARGUMENTS) == 0
    assert "\x1b[32mworks" in terminal.getvalue()


def test_a_model_whose_clients_name_no_place_is_at_the_provider():
    model = down(
        Keyed(model="a", base_url="http://[::1", script=[ConnectionError("no")])
    )
    assert "no way to the provider" in model.check().candidates[0].advice


def test_health_of_one_candidate_says_nothing_of_another():
    model = down(ScriptedChatModel(model="well"), ScriptedChatModel(model="unasked"))
    model.invoke("?")
    cells = re.findall(r"<td[^>]*>(.*?)</td>", model._repr_html_())
    assert cells[7] == "well"
    assert cells[-2:] == ["", ""]
