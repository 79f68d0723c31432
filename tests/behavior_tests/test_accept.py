"""The user's own word on an answer: `accept`, the same on all four surfaces."""

from __future__ import annotations

import copy

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.load import dumpd, dumps, load, loads
from langchain_core.runnables import ConfigurableField
from pydantic import BaseModel

from langchain_reliable import AllModelsFailed, FailureKind, ReliableChatModel
from langchain_reliable.errors import NotAccepted
from langchain_reliable.testing import (
    ScriptedChatModel,
    fails,
    says,
    says_nothing,
    tool_call,
)

SECRET = "the model said something private"


class Joke(BaseModel):
    """A joke."""

    setup: str
    punchline: str


def child(name, *script):
    return ScriptedChatModel(model=name, script=script)


def is_long(message):
    return len(message.text) > 10 or "too short"


def is_polite(message):
    return "please" in message.text


def test_the_next_is_asked_for_what_is_not_accepted(surface, reliable):
    models = child("a", "no"), child("b", "a much longer answer")
    outcome = surface(reliable(*models, accept=is_long))
    assert outcome.text == "a much longer answer"
    assert outcome.attempts == ["a: rejected", "b: answered"]
    assert "no" not in [chunk.text for chunk in outcome.chunks]
    assert outcome.heard.starts == outcome.heard.ends == 1


def test_nobody_accepted_is_one_error_with_every_answer(surface, reliable):
    models = child("a", SECRET), child("b", f"{SECRET} too")
    outcome = surface(reliable(*models, accept=lambda _: "it does not rhyme"))
    assert isinstance(outcome.error, AllModelsFailed)
    assert [one.failure.kind for one in outcome.error.attempts] == ["rejected"] * 2
    answers = [one.error.answer.text for one in outcome.error.attempts]
    assert answers == [SECRET, f"{SECRET} too"]
    assert "it does not rhyme" in str(outcome.error)
    assert SECRET not in str(outcome.error)
    assert outcome.chunks == []


def test_one_model_that_is_not_accepted_is_asked_once(surface, reliable):
    only = child("a", "no")
    outcome = surface(reliable(only, accept=is_long))
    assert isinstance(outcome.error, AllModelsFailed)
    assert only.request_count == 1


def test_a_verdict_asks_the_same_once_more(surface, reliable):
    only = child("a", "no", "no", "a much longer answer")
    model = reliable(only, accept=is_long, verdicts={"rejected": "retry"})
    assert isinstance(surface(model).error, AllModelsFailed)
    assert only.request_count == 2


@pytest.mark.parametrize("said", [True, None])
def test_yes_and_no_opinion_accept(surface, reliable, said):
    assert surface(reliable(child("a", "no"), accept=lambda _: said)).text == "no"


def test_a_value_error_is_a_no_that_does_not_quote_the_answer(surface, reliable):
    def number(message):
        int(message.text)

    outcome = surface(reliable(child("a", SECRET), child("b", "42"), accept=number))
    assert outcome.text == "42"
    error = surface(reliable(child("a", SECRET), accept=number)).error
    assert "accept raised ValueError" in str(error)
    assert SECRET not in str(error)


def test_a_bug_in_it_leaves_at_once(surface, reliable):
    def broken(message):
        return message.additional_kwargs["not there"]

    second = child("b")
    model = reliable(child("a", "hi"), second, accept=broken)
    assert isinstance(surface(model).error, KeyError)
    assert second.request_count == 0


def test_something_else_than_an_opinion_is_a_bug(surface, reliable):
    error = surface(reliable(child("a", "hi"), accept=lambda _: 1)).error
    assert isinstance(error, TypeError)
    assert "got int" in str(error)


def test_the_reason_is_cut_and_its_keys_are_hidden(reliable):
    key = "sk-proj-" + "a1B2" * 12
    model = reliable(child("a", "hi"), accept=lambda _: f"{key} " + "long " * 90)
    with pytest.raises(AllModelsFailed) as raised:
        model.invoke("?")
    (only,) = raised.value.attempts
    assert key not in str(raised.value)
    assert len(only.failure.summary) <= 120 + len("not accepted: ")


@pytest.mark.parametrize("said", [False, "it does not rhyme"])
def test_the_reason_is_told_once(said, reliable):
    with pytest.raises(AllModelsFailed) as raised:
        reliable(child("a", "hi"), child("b", "ho"), accept=lambda _: said).invoke("?")
    assert str(raised.value).count("not accepted") == 2  # a line each
    assert str(raised.value).count("it does not rhyme") == (2 if said else 0)


def test_health_does_not_suffer(surface, reliable):
    models = child("a", "no"), child("b", "a much longer answer")
    model = reliable(*models, accept=is_long)
    for _ in range(5):
        assert surface(model).attempts == ["a: rejected", "b: answered"]


def test_a_broken_stream_is_tried_again_though_words_had_come(surface, reliable):
    broken = fails(ConnectionError("reset"), says("one two three"), after=2)
    model = reliable(child("a", broken, "a whole long answer"), accept=is_long)
    outcome = surface(model)
    assert outcome.text == "a whole long answer"
    assert isinstance(model.invoke("?").response_metadata["reliable"], dict)


def test_an_empty_answer_is_kept_only_if_it_is_accepted(surface, reliable):
    refused = reliable(child("a", says_nothing()), accept=is_long)
    assert isinstance(surface(refused).error, AllModelsFailed)
    allowed = reliable(child("a", says_nothing()), accept=lambda _: True)
    assert surface(allowed).text == ""


def test_it_hears_a_copy(reliable):
    def vandal(message):
        message.content = "mine"
        return True

    assert reliable(child("a", "hi"), accept=vandal).invoke("?").text == "hi"


# --- structured output ------------------------------------------------------------


@pytest.mark.parametrize("include_raw", [False, True])
def test_it_hears_what_was_read(surface, reliable, include_raw):
    def joke(setup):
        return says(calls=[tool_call("Joke", setup=setup, punchline="because")])

    def why(message):
        heard.append(message.additional_kwargs["parsed"])
        return heard[-1].setup == "why?"

    heard = []
    model = reliable(child("a", joke("how?")), child("b", joke("why?")), accept=why)
    view = model.with_structured_output(Joke, include_raw=include_raw)
    told = surface(view).message
    parsed = told["parsed"] if include_raw else told
    assert parsed == Joke(setup="why?", punchline="because")
    assert [one.setup for one in heard] == ["how?", "why?"]


def test_misfits_never_reach_it(reliable):
    def why(message):
        heard.append(message)
        return True

    heard = []
    misfit = says(calls=[tool_call("Joke", setup="why?")])
    model = reliable(child("a", misfit), max_retries=0, accept=why)
    with pytest.raises(Exception, match="punchline"):
        model.with_structured_output(Joke).invoke("?")
    assert heard == []


# --- the cache --------------------------------------------------------------------


def test_a_remembered_answer_is_judged_too(reliable, run):
    cache = InMemoryCache()
    first = child("a", "no", "a much longer answer")
    assert reliable(first, cache=cache).invoke("?").text == "no"
    strict = reliable(first, cache=cache, accept=is_long)
    assert strict.invoke("?").text == "a much longer answer"
    assert strict.invoke("?").response_metadata["reliable"]["cached"]
    assert run(strict.ainvoke("?")).response_metadata["reliable"]["cached"]
    assert first.request_count == 2


def test_what_was_refused_is_not_remembered(reliable):
    cache = InMemoryCache()
    model = reliable(child("a", "no"), cache=cache, accept=is_long)
    with pytest.raises(AllModelsFailed):
        model.invoke("?")
    assert not cache._cache


# --- at the door ------------------------------------------------------------------


@pytest.mark.parametrize("commit_on", ["payload", "text", "first_chunk"])
def test_nothing_may_be_let_out_before_it_is_judged(commit_on):
    with pytest.raises(ValueError, match="leave commit_on out"):
        ReliableChatModel(models=[child("a")], accept=is_long, commit_on=commit_on)


def test_complete_is_what_it_means(surface, reliable):
    model = reliable(child("a", "hi"), accept=is_polite, commit_on="complete")
    assert isinstance(surface(model).error, AllModelsFailed)


def test_coroutine_functions_are_refused():
    async def judged(message):
        return True

    with pytest.raises(ValueError, match="write `def`"):
        ReliableChatModel(models=[child("a")], accept=judged)


def test_it_can_be_configured_with_every_other_field_at_its_value(surface, reliable):
    model = reliable(child("a", "no"))
    chosen = model.configurable_fields(accept=ConfigurableField(id="accept"))
    config = {"configurable": {"accept": is_long}}
    assert isinstance(surface(chosen, config=config).error, AllModelsFailed)
    assert surface(chosen).text == "no"


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_copies_judge_as_well(copied, reliable):
    model = copied(reliable(child("a", "no"), accept=is_long))
    with pytest.raises(AllModelsFailed):
        model.invoke("?")


@pytest.mark.filterwarnings("ignore:The function `load")
def test_a_dump_says_what_it_lacks_and_is_not_loaded(reliable):
    model = reliable(child("a", "no"), accept=is_long)
    told = dumpd(model)["kwargs"]["accept"]
    assert told["type"] == "not_implemented"
    for read in (
        lambda: load(dumpd(model), allowed_objects="all"),
        lambda: loads(dumps(model), allowed_objects="all"),
    ):
        with pytest.raises(NotImplementedError):
            read()


def test_its_error_says_what_it_is():
    error = NotAccepted("it does not rhyme")
    assert str(error) == "not accepted: it does not rhyme"
    assert error.failure.kind is FailureKind.REJECTED
