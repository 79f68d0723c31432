"""Configured for one call through LCEL: every field, before and after other steps."""

# ruff: noqa: FBT003 - a value in a table

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import ConfigurableField
from pydantic import BaseModel, PrivateAttr

from langchain_reliable import (
    PROPAGATE,
    Candidate,
    CircuitBreaker,
    Health,
    ReliableChatModel,
    RetryBudget,
)
from langchain_reliable.testing import (
    ScriptedChatModel,
    error_status,
    fails,
    says,
    stalls,
)

IT = ConfigurableField(id="it")
DOWN = ConnectionError("down")
FAILS_ONCE = [DOWN, "yes"]
FAILS_LATE = [fails(DOWN, after=1), "yes"]
AGAIN = "a: connection, a"
NEXT = "a: connection, b"
BROKEN = "StreamInterrupted"
SOON = 0.02
THINKS = [stalls(25 * SOON, "yes", after=0)]


def asks_to_wait(seconds):
    asked = httpx.Request("POST", "http://provider")
    response = httpx.Response(429, headers={"retry-after": str(seconds)})
    return httpx.HTTPStatusError("later", request=asked, response=response)


def without(*names):
    health = Health()
    for name in names:
        health.isolate(name)
    return health


@dataclass(frozen=True)
class Wish:
    """What a call may ask for, and how that shows.

    Attributes:
        name: The field.
        value: What the call asks for.
        script: What the first of two models, a and b, does.
        own: What comes of a call with the model's own value.
        told: What comes of a call that asks for another.
        way: How it is called.
        given: Fields of the model.
        first: Fields of the first child.
        others: The scripts of those after it.
        calls: How many calls there are; the last one is looked at.
    """

    name: str
    value: Any
    script: list[Any]
    own: str
    told: str
    way: str = "invoke"
    given: dict[str, Any] = field(default_factory=dict)
    first: dict[str, Any] = field(default_factory=dict)
    others: tuple[list[Any], ...] = (["yes"],)
    calls: int = 1


STREAM: dict[str, Any] = {"way": "stream"}
TRIED_ONCE: dict[str, Any] = {"given": {"max_retries": 0}}
WISHES = [
    Wish("models", [ScriptedChatModel(model="c")], ["yes"], "a", "c"),
    Wish(
        "model_fallbacks",
        {"a": ["mini"]},
        FAILS_ONCE,
        "AllModelsFailed",
        "a: connection, b: connection, mini",
        others=([DOWN],),
        **TRIED_ONCE,
    ),
    Wish("max_retries", 0, FAILS_ONCE, AGAIN, NEXT),
    Wish("max_attempts", 1, FAILS_ONCE, AGAIN, "ConnectionError"),
    Wish("initial_backoff", 4, FAILS_ONCE, AGAIN, f"{AGAIN} after 2 s"),
    Wish(
        "max_backoff",
        2,
        FAILS_ONCE,
        f"{AGAIN} after 4 s",
        f"{AGAIN} after 1 s",
        given={"initial_backoff": 8},
    ),
    Wish(
        "max_retry_after",
        1,
        [asks_to_wait(3), "yes"],
        "a: rate_limited, a after 3 s",
        "a: rate_limited, b",
    ),
    Wish(
        "max_last_wait",
        1,
        [asks_to_wait(3), "yes"],
        "a: rate_limited, a after 3 s",
        "HTTPStatusError",
        others=(),
    ),
    Wish("first_chunk_timeout", SOON, THINKS, "a", "a: timeout, b", **STREAM),
    Wish("idle_timeout", SOON, [stalls(5 * SOON, after=1)], "a", BROKEN, **STREAM),
    Wish(
        "last_chance_timeout",
        SOON,
        THINKS,
        "a",
        "LastChanceTimeout",
        others=(),
        **STREAM,
    ),
    Wish("answer_timeout", SOON, THINKS, "a", "a: timeout, b"),
    Wish("attempt_timeout", SOON, THINKS, "a", "a: timeout, b"),
    Wish("total_timeout", SOON, THINKS, "a", "TotalTimeout", others=()),
    Wish("commit_on", "complete", FAILS_LATE, BROKEN, AGAIN, **STREAM),
    Wish(
        "require_finish_reason",
        True,
        [says("cut sho", finish=None)],
        "a",
        BROKEN,
        **STREAM,
    ),
    Wish("on_empty", "accept", [says(""), "yes"], "a: empty, a", "a"),
    Wish(
        "require_streaming",
        True,
        ["yes"],
        "a",
        "b",
        first={"disable_streaming": True},
        **STREAM,
    ),
    Wish("streaming", True, FAILS_LATE, AGAIN, BROKEN),
    Wish("disable_streaming", True, FAILS_LATE, BROKEN, AGAIN, **STREAM),
    Wish("verdicts", {"connection": "next"}, FAILS_ONCE, AGAIN, NEXT),
    Wish("classify", lambda _: PROPAGATE, FAILS_ONCE, AGAIN, "ConnectionError"),
    Wish(
        "circuit_breaker",
        CircuitBreaker(failures=1),
        [DOWN],
        NEXT,
        "b",
        calls=2,
        **TRIED_ONCE,
    ),
    Wish("health", without("a"), ["yes"], "a", "b"),
    Wish(
        "fail_fast",
        True,
        ["yes"],
        "a",
        "AllModelsFailed",
        given={"health": without("a", "b")},
    ),
    Wish(
        "accept", lambda message: "yes" in message.text, ["no"], "a", "a: rejected, b"
    ),
    Wish(
        "on_interrupt",
        "restart",
        FAILS_LATE,
        BROKEN,
        NEXT,
        given={"streaming": True},
    ),
    Wish("retry_budget", RetryBudget(tokens=1), FAILS_ONCE, AGAIN, NEXT),
    Wish("cache", InMemoryCache(), ["yes", *FAILS_ONCE], AGAIN, "cached", calls=2),
]
SHOWN_BELOW = {"manage_child_retries", "observers", "sticky", "hedge"}
"""The last two have tests of their own, in `unit_tests/chat_models`."""


@pytest.fixture
def on_the_clock(clock):
    """A class whose instances wait on the clock of the test, however they are made."""

    class OnTheClock(ReliableChatModel):
        _clock: Any = PrivateAttr(default_factory=lambda: clock)

    return OnTheClock


def outcome_of(model, way):
    """Return in words what came of a call: attempts, waits, or the error."""
    try:
        if way == "stream":
            first, *chunks = model.stream("?")
            message = sum(chunks, first)
        else:
            message = model.invoke("?")
    except Exception as error:  # noqa: BLE001 - the outcome in question
        return type(error).__name__
    trail = message.response_metadata["reliable"]
    return ", ".join(map(in_words, trail.get("attempts", ()))) or "cached"


def in_words(attempt):
    kind = f": {attempt['kind']}" if attempt["kind"] else ""
    wait = f" after {attempt['wait']:g} s" if attempt["wait"] else ""
    return f"{attempt['candidate']}{kind}{wait}"


@pytest.mark.parametrize("wish", WISHES, ids=lambda wish: wish.name)
@pytest.mark.parametrize("asked", [False, True], ids=["own", "asked_for"])
def test_a_wish_for_one_call(on_the_clock, wish, asked):
    first = ScriptedChatModel(model="a", script=wish.script, **wish.first)
    others = [ScriptedChatModel(model="b", script=one) for one in wish.others]
    given = {"max_retries": 1, "initial_backoff": 0, **wish.given}
    model = on_the_clock(models=[first, *others], **given)
    model = model.configurable_fields(**{wish.name: IT})
    if asked:
        model = model.with_config(configurable={"it": wish.value})
    outcomes = [outcome_of(model, wish.way) for _ in range(wish.calls)]
    assert outcomes[-1] == (wish.told if asked else wish.own)


def test_every_field_of_ours_is_wished_for():
    ours = ReliableChatModel.model_fields.keys() - BaseChatModel.model_fields.keys()
    assert ours <= {wish.name for wish in WISHES} | SHOWN_BELOW


def test_a_conversation_for_one_call():
    names = "abcdefgh"
    members = [Candidate(ScriptedChatModel(model=name), name=name) for name in names]
    model = ReliableChatModel(models=[members])
    open_ = model.configurable_fields(sticky=IT)
    assert open_.invoke("?").text == "Hello from a."
    configs = [{"it": "thread_id", "thread_id": n} for n in range(20)]
    texts = [open_.with_config(configurable=one).invoke("?").text for one in configs]
    assert len(set(texts)) > 2
    again = [open_.with_config(configurable=one).invoke("?").text for one in configs]
    assert again == texts


def test_an_observer_for_one_call():
    seen: list[Any] = []
    model = ReliableChatModel(models=[ScriptedChatModel()])
    open_ = model.configurable_fields(observers=IT)
    open_.invoke("?")
    assert not seen
    open_.with_config(configurable={"it": [seen.append]}).invoke("?")
    assert seen


@pytest.mark.parametrize(
    ("without_sdk_retries", "answers"), [(True, False), (False, True)]
)
def test_the_retries_of_the_sdk_for_one_call(clients, without_sdk_retries, answers):
    clients.sim.script("gpt", error_status(503, retry_after_ms=1), "yes")
    gpt = clients.openai("gpt", max_retries=1)
    model = ReliableChatModel(models=[gpt], max_retries=0)
    open_ = model.configurable_fields(manage_child_retries=IT)
    told = open_.with_config(configurable={"it": without_sdk_retries})
    assert (outcome_of(told, "invoke") == "gpt") is answers


def test_a_field_of_langchain_for_one_call(clients):
    model = ReliableChatModel(models=[clients.openai("gpt")])
    open_ = model.configurable_fields(output_version=IT)
    told = open_.with_config(configurable={"it": "v1"})
    assert isinstance(open_.invoke("?").content, str)
    assert isinstance(told.invoke("?").content, list)


# --- structured output ------------------------------------------------------------


class Sky(BaseModel):
    """What is above."""

    color: str


@pytest.fixture
def painted(clients):
    """A model of blue skies, whose models a call may set; and one of red ones."""
    clients.sim.script("blue", '{"color": "blue"}')
    clients.sim.script("red", '{"color": "red"}')
    red = {"configurable": {"it": [clients.openai("red")]}}
    return ReliableChatModel(models=[clients.openai("blue")]), red


def test_configured_before_structured_output(painted):
    model, red = painted
    told = model.configurable_fields(models=IT).with_config(**red)
    assert told.with_structured_output(Sky).invoke("?").color == "red"


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_configured_after_structured_output(painted, run):
    model, red = painted
    view = model.with_structured_output(Sky).configurable_fields(models=IT)
    told = view.with_config(**red)
    assert view.invoke("?").color == "blue"
    assert told.invoke("?").color == "red"
    assert [one.color for one in told.stream("?")][-1] == "red"

    async def go():
        return await told.ainvoke("?"), [one async for one in told.astream("?")][-1]

    assert [one.color for one in run(go())] == ["red", "red"]
    assert [spec.id for spec in view.config_specs] == ["it"]


def test_health_is_shared_by_whoever_is_configured(on_the_clock):
    dead = ScriptedChatModel(model="a", script=[DOWN])
    model = on_the_clock(models=[dead, ScriptedChatModel(model="b")], max_retries=0)
    open_ = model.configurable_fields(commit_on=IT, idle_timeout=ConfigurableField("i"))
    for asked in ({"it": "text"}, {"i": 7}, {"it": "complete", "i": 9}):
        assert outcome_of(open_.with_config(configurable=asked), "stream") == NEXT
    assert outcome_of(model, "invoke") == outcome_of(open_, "stream") == "b"
    assert dead.request_count == 3
