"""Of huge error bodies a call keeps one, and that is the one that leaves."""

from __future__ import annotations

import httpx
import openai
import pytest

from langchain_reliable import AllModelsFailed, classify
from langchain_reliable._core.error_bodies import shorten
from langchain_reliable.testing import ScriptedChatModel

HUGE = "x" * 1_000_000
REQUEST = httpx.Request("POST", "https://api.example.com")


def refused(text: str) -> openai.InternalServerError:
    body = {"message": text, "type": "server_error", "parts": [{"text": text}]}
    response = httpx.Response(500, json={"error": body}, request=REQUEST)
    return openai.InternalServerError(
        f"Error code: 500 - {body}", response=response, body=body
    )


def raised(error: Exception) -> Exception:
    def sdk() -> None:
        held = "y" * len(HUGE)
        raise error from ValueError(held)

    try:
        sdk()
    except Exception as caught:  # noqa: BLE001 - looked at
        return caught


def test_a_huge_body_is_let_go_of_wherever_it_is_held():
    error = raised(refused(HUGE))
    before = classify(error)
    assert str(error).startswith("Error code: 500")
    shorten(error)
    assert len(str(error)) < 5000
    assert len(error.response.text) < 5000
    assert len(str(error.body)) < 20_000
    assert len(str(error.__cause__)) < 5000
    held = [frame.f_locals for frame in frames(error)]
    assert not any("held" in names for names in held)
    again = classify(error)
    assert (again.kind, again.status) == (before.kind, before.status)


def frames(error):
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def test_an_error_of_usual_size_is_not_touched():
    error = raised(refused("The server had an error"))
    error.__cause__.args = ("short",)
    facts = dict(vars(error)), error.args, error.response.content
    shorten(error)
    assert (dict(vars(error)), error.args, error.response.content) == facts
    assert any("held" in frame.f_locals for frame in frames(error))


def test_groups_and_circles_end():
    inner = ValueError(HUGE)
    group = ExceptionGroup("all", [inner, RuntimeError("x")])
    inner.__context__ = group
    shorten(group)
    assert len(str(inner)) < 5000


def test_whatever_an_exception_holds_nothing_breaks():
    error = RuntimeError(b"z" * 100_000, [HUGE], {"deep": {"er": (HUGE,)}})
    error.response = {"Error": {"Message": HUGE}}
    shorten(error)
    assert len(repr(error)) < 20_000
    assert len(error.response["Error"]["Message"]) < 5000


@pytest.mark.parametrize("attempts", [2, 3])
def test_of_all_attempts_the_last_keeps_its_body(surface, reliable, attempts):
    script = [refused(HUGE) for _ in range(attempts)]
    model = reliable(
        ScriptedChatModel(model="a", script=script), max_retries=attempts - 1
    )
    error = surface(model).error
    assert isinstance(error, AllModelsFailed)
    sizes = [len(str(tried.error)) for tried in error.attempts]
    assert sizes[-1] > len(HUGE)
    assert max(sizes[:-1]) < 5000
    assert error.__cause__ is script[-1]


def test_a_single_failure_leaves_as_it_came(surface, reliable):
    error = refused(HUGE)
    model = reliable(ScriptedChatModel(model="a", script=[error]), max_retries=0)
    assert surface(model).error is error
    assert len(error.response.content) > len(HUGE)
