"""Real clients, recorded answers: what comes out of a model made of several.

Each test tells a story, which has a folder of its name in `cassettes/`; how they are
recorded stands in the README there. The replies that a test hands to `provider` are
what the simulator says while it is recorded, and mean nothing on replay.
"""

from __future__ import annotations

import pytest
from langchain_core.tools import tool
from recorded_clients import BACKUP_OF

from langchain_reliable import AllModelsFailed, StreamInterrupted
from langchain_reliable.testing import (
    Trouble,
    content_then_error,
    error_first,
    error_status,
    overloaded,
    quota_exhausted,
    rate_limited,
    role_then_error,
    says,
    tool_call,
    upstream_connect_error,
)

pytestmark = pytest.mark.vcr

each_family = pytest.mark.parametrize("family", sorted(BACKUP_OF))
can_be_live = pytest.mark.can_be_live
when_streaming = pytest.mark.parametrize(
    "surface", ["stream", "astream"], indirect=True
)

LINE = "The quick brown fox jumps over the lazy dog."
REQUEST = f"Repeat this line exactly, with nothing around it: {LINE}"


@tool
def weather(city: str) -> str:
    """Look up today's weather in a city."""
    return f"sunny in {city}"


def asked(surface, model, request=REQUEST):
    """Ask, and check what holds for every answer: one run, each token once."""
    outcome = surface(model, request)
    assert outcome.error is None, repr(outcome.error)
    heard = outcome.heard
    assert (heard.starts, heard.ends, heard.errors) == (1, 1, 0)
    assert list(outcome.usage.values()) == [outcome.message.usage_metadata]
    assert len({chunk.id for chunk in outcome.chunks}) <= 1
    if surface.streams:
        assert "".join(heard.tokens) == outcome.text
    return outcome


def check_backup_takes_over(surface, reliable, provider, primary, attempts, **settings):
    backup = provider(BACKUP_OF[primary[0]], says(LINE), name="backup")
    model = reliable(provider(*primary), backup, **settings)
    outcome = asked(surface, model)
    assert outcome.text == LINE
    assert outcome.attempts == [*attempts, "backup: answered"]
    assert outcome.trail["failed_over"]


# --- answers ----------------------------------------------------------------------


@can_be_live
@each_family
def test_a_healthy_model_answers(surface, reliable, provider, family):
    outcome = asked(surface, reliable(provider(family, says(LINE))))
    assert outcome.text == LINE
    assert outcome.attempts == ["primary: answered"]
    assert outcome.message.usage_metadata["output_tokens"] > 0
    if surface.streams:
        assert len(outcome.chunks) > 1


@can_be_live
@each_family
def test_a_tool_is_called(surface, reliable, provider, family):
    calls = says(calls=[tool_call("weather", city="Paris")], finish="tool_calls")
    model = reliable(provider(family, calls)).bind_tools(
        [weather], tool_choice="weather"
    )
    outcome = asked(surface, model, "What is the weather in Paris?")
    assert [(call["name"], call["args"]) for call in outcome.message.tool_calls] == [
        ("weather", {"city": "Paris"})
    ]
    assert outcome.attempts == ["primary: answered"]


@each_family
def test_tools_are_called_beside_text(surface, reliable, provider, family):
    cities = ("Paris", "Rome")
    calls = [tool_call("weather", city=city) for city in cities]
    answer = says("I look it up.", calls=calls, finish="tool_calls")
    model = reliable(provider(family, answer)).bind_tools([weather])
    outcome = asked(surface, model, "What is the weather in Paris and in Rome?")
    assert outcome.text == "I look it up."
    assert [call["args"]["city"] for call in outcome.message.tool_calls] == [*cities]


# --- failures that another try does not mend --------------------------------------


@can_be_live
@each_family
def test_a_wrong_key_moves_on(surface, reliable, provider, family):
    locked_out = provider(family, error_status(401), key="a-wrong-key")
    backup = provider(BACKUP_OF[family], says(LINE), name="backup")
    outcome = asked(surface, reliable(locked_out, backup))
    assert outcome.text == LINE
    assert outcome.attempts == ["primary: auth", "backup: answered"]


@can_be_live
@each_family
def test_an_unknown_model_moves_on(surface, reliable, provider, family):
    unknown = provider(family, error_status(404), model="no-such-model")
    backup = provider(BACKUP_OF[family], says(LINE), name="backup")
    outcome = asked(surface, reliable(unknown, backup))
    assert outcome.text == LINE
    assert outcome.attempts == ["primary: model_not_found", "backup: answered"]


@each_family
def test_an_empty_account_moves_on(surface, reliable, provider, clock, family):
    primary = (family, quota_exhausted())
    attempts = ["primary: quota_exhausted"]
    check_backup_takes_over(surface, reliable, provider, primary, attempts)
    assert clock.slept == []


# --- failures that pass -----------------------------------------------------------


@each_family
def test_a_rate_limit_is_waited_for(surface, reliable, provider, clock, family):
    primary = provider(family, rate_limited(retry_after=2), says(LINE))
    backup = provider(BACKUP_OF[family], says("not asked"), name="backup")
    outcome = asked(surface, reliable(primary, backup))
    assert outcome.text == LINE
    assert outcome.attempts == ["primary: rate_limited", "primary: answered"]
    assert [one["status"] for one in outcome.trail["attempts"]] == [429, None]
    assert clock.slept == [2.0]


@each_family
def test_a_long_rate_limit_is_not(surface, reliable, provider, clock, family):
    primary = (family, rate_limited(retry_after=60))
    attempts = ["primary: rate_limited"]
    check_backup_takes_over(surface, reliable, provider, primary, attempts)
    assert clock.slept == []


@each_family
def test_a_server_error_is_tried_again(surface, reliable, provider, clock, family):
    primary = provider(family, error_status(500), error_status(500), says(LINE))
    outcome = asked(surface, reliable(primary))
    assert outcome.text == LINE
    assert outcome.attempts == ["primary: server_error"] * 2 + ["primary: answered"]
    assert clock.slept == [0.25, 0.5]


@each_family
def test_a_lasting_server_error_moves_on(surface, reliable, provider, family):
    primary = (family, error_status(500))
    attempts = ["primary: server_error"] * 3
    check_backup_takes_over(surface, reliable, provider, primary, attempts)


@each_family
def test_an_overloaded_model_moves_on(surface, reliable, provider, family):
    """Anthropic says 529, OpenAI 503."""
    primary = (family, overloaded())
    attempts = ["primary: server_error"]
    check_backup_takes_over(
        surface, reliable, provider, primary, attempts, max_retries=0
    )


@each_family
def test_a_proxy_that_speaks_no_json_moves_on(surface, reliable, provider, family):
    primary = (family, upstream_connect_error())
    attempts = ["primary: server_error"] * 2
    check_backup_takes_over(
        surface, reliable, provider, primary, attempts, max_retries=1
    )


# --- errors inside a stream; in one piece they come as a status -------------------


@each_family
def test_an_error_as_the_first_event_moves_on(surface, reliable, provider, family):
    primary = (family, error_first())
    attempts = ["primary: server_error"]
    check_backup_takes_over(
        surface, reliable, provider, primary, attempts, max_retries=0
    )


@each_family
def test_an_error_after_the_role_moves_on(surface, reliable, provider, family):
    primary = (family, role_then_error(silent=3))
    attempts = ["primary: server_error"]
    check_backup_takes_over(
        surface, reliable, provider, primary, attempts, max_retries=0
    )


@each_family
def test_an_error_after_the_role_is_tried_again(
    surface, reliable, provider, clock, family
):
    primary = provider(family, role_then_error(), says(LINE))
    outcome = asked(surface, reliable(primary))
    assert outcome.text == LINE
    assert outcome.attempts == ["primary: server_error", "primary: answered"]
    assert clock.slept == [0.25]


@each_family
def test_a_rate_limit_inside_a_stream_moves_on(surface, reliable, provider, family):
    primary = (family, error_first(trouble=Trouble(kind="rate_limited")))
    attempts = ["primary: rate_limited"]
    check_backup_takes_over(
        surface, reliable, provider, primary, attempts, max_retries=0
    )


@each_family
@when_streaming
def test_an_error_after_the_first_word_is_told(surface, reliable, provider, family):
    primary = provider(family, content_then_error(LINE, after=3))
    backup = provider(BACKUP_OF[family], says("not asked"), name="backup")
    outcome = surface(reliable(primary, backup), REQUEST)
    assert isinstance(outcome.error, StreamInterrupted)
    assert outcome.error.partial.text == "".join(outcome.heard.tokens)
    assert outcome.error.partial.text == "The quick brown"
    assert (outcome.error.served_by, outcome.error.kind) == ("primary", "server_error")
    assert (outcome.heard.starts, outcome.heard.errors) == (1, 1)


# --- nobody answers ---------------------------------------------------------------


@can_be_live
@each_family
def test_when_nobody_answers_one_error_says_why(surface, reliable, provider, family):
    locked_out = provider(family, error_status(401), key="a-wrong-key")
    unknown = provider(
        BACKUP_OF[family], error_status(404), name="backup", model="no-such-model"
    )
    outcome = surface(reliable(locked_out, unknown), REQUEST)
    assert isinstance(outcome.error, AllModelsFailed)
    assert [
        (one.candidate, one.failure.kind, one.failure.status)
        for one in outcome.error.attempts
    ] == [("primary", "auth", 401), ("backup", "model_not_found", 404)]
    assert not outcome.chunks
