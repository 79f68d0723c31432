"""Whom a call prefers: by order, tags, what fits, the conversation, and slowness."""

from __future__ import annotations

import copy
import json
import pickle
from collections import Counter
from uuid import UUID

import pytest
from langchain_core.load import dumpd, load
from langchain_core.messages import HumanMessage
from langchain_core.runnables import ConfigurableField, RunnableLambda
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from langchain_reliable import (
    Budget,
    CallOptions,
    Candidate,
    CircuitBreaker,
    Group,
    ReliableChatModel,
)
from langchain_reliable.events import CircuitOpened, PassedOver, SlowCall
from langchain_reliable.testing import ScriptedChatModel, fails, says


def child(name, *script, **fields):
    return ScriptedChatModel(
        model=name, script=list(script) or [says(f"from {name}")], **fields
    )


def group(*names, order="ordered", **settings):
    return Group(
        [Candidate(child(name), name=name, **settings) for name in names], order=order
    )


def asked(surface, model, times, **options):
    kwargs = {"reliable": CallOptions(**options)} if options else {}
    return [surface(model, **kwargs).text[-1] for _ in range(times)]


# --- orders ---------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["round_robin", "weighted", "least_busy", "fastest"])
def test_load_is_spread_over_a_group(surface, reliable, order):
    model = reliable(group("a", "b", "c", order=order))
    counts = Counter(asked(surface, model, 30))
    assert set(counts) == {"a", "b", "c"}
    assert max(counts.values()) - min(counts.values()) <= (
        6 if order == "fastest" else 1
    )


def test_the_cheapest_is_asked_first(surface, reliable):
    dear = Candidate(child("a"), price=(5.0, 15.0))
    cheap = Candidate(child("b"), price=(1.0, 2.0))
    model = reliable(Group([dear, child("c"), cheap], order="cheapest"))
    assert asked(surface, model, 2) == ["b", "b"]


def test_the_less_busy_is_asked(reliable, run):
    model = reliable(group("a", "b", order="least_busy"))
    first = model.stream("hello?")
    next(first)
    busy = model.invoke("hello?").response_metadata["reliable"]["served_by"]
    others = {model.invoke("hello?").text for _ in range(3)}
    assert others == {f"from {busy}"}  # the one whose stream is still open is not
    first.close()
    assert len({model.invoke("hello?").text for _ in range(2)}) == 2


def test_the_faster_is_asked_more(reliable, clock):
    slow = child("a", says("from a", delay=6.0), clock=clock)
    fast = child("b", says("from b", delay=1.0), clock=clock)
    model = reliable(Group([slow, fast], order="fastest"))
    counts = Counter(model.invoke("hello?").text for _ in range(40))
    assert counts["from b"] >= 30


def test_the_share_of_who_failed_goes_to_all_others(surface, reliable):
    broken = Candidate(child("x", fails(ConnectionError("reset"))), max_retries=0)
    members = [broken, child("a"), child("b"), child("c")]
    breaker = CircuitBreaker(failures=1_000)
    model = reliable(Group(members, order="round_robin"), circuit_breaker=breaker)
    counts = Counter(asked(surface, model, 24))
    assert max(counts.values()) - min(counts.values()) <= 2


# --- tags and fit ---------------------------------------------------------------------


def test_only_those_with_all_tags_are_asked(surface, reliable):
    heard = []
    model = reliable(
        Candidate(child("a"), tags=("us",)),
        Candidate(child("b"), tags=("eu", "zdr")),
        Candidate(child("c", fails(ConnectionError("reset"))), tags=("eu",)),
        observers=[heard.append],
    )
    assert asked(surface, model, 1) == ["a"]
    outcome = surface(model, reliable=CallOptions(tags=("eu", "zdr")))
    assert outcome.text == "from b"
    reasons = [(one["candidate"], one["reason"]) for one in outcome.trail["skipped"]]
    assert reasons == [("a", "tags"), ("c", "tags")]
    passed = [one for one in heard if isinstance(one, PassedOver)]
    assert [(one.candidate, one.reason) for one in passed] == reasons


def test_tags_that_nobody_has_are_refused_before_any_request(surface, reliable):
    a = child("a")
    model = reliable(Candidate(a, tags=("eu",)))
    error = surface(model, reliable=CallOptions(tags=("zdr",))).error
    assert isinstance(error, ValueError)
    assert "no candidate has the tag 'zdr'; there are 'eu' (1)" in str(error)
    assert a.request_count == 0


def test_a_request_goes_where_it_fits(surface, reliable):
    model = reliable(Candidate(child("a"), context_window=1_000), child("b"))
    assert surface(model).text == "from a"
    outcome = surface(model, question="x" * 7_000)
    assert outcome.text == "from b"
    assert outcome.trail["skipped"] == [
        {"candidate": "a", "seconds": None, "reason": "fit"}
    ]


def test_what_fits_nobody_is_asked_all_the_same(surface, reliable):
    model = reliable(
        Candidate(child("a"), context_window=1_000),
        child("b", fails(ConnectionError("reset"))),
        max_retries=0,
    )
    assert surface(model, question="x" * 7_000).attempts == [
        "b: connection",
        "a: answered",
    ]


def test_pictures_go_to_those_who_see(surface, reliable):
    blind = child("a", profile={"image_inputs": False})
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    question = [HumanMessage([{"type": "text", "text": "what is it?"}, picture])]
    assert surface(reliable(blind, child("b")), question=question).text == "from b"


# --- conversations --------------------------------------------------------------------

NAMES = ("a", "b", "c", "d", "e")


def conversation(name):
    return {"configurable": {"thread_id": name}}


def homes(model, count=40, **kwargs):
    return [
        model.invoke("hello?", config=conversation(f"thread {n}"), **kwargs).text
        for n in range(count)
    ]


def test_a_conversation_stays_with_one_member(surface, reliable):
    model = reliable(group(*NAMES, order="round_robin"), sticky="thread_id")
    again = reliable(group(*NAMES), sticky="thread_id")
    found = set()
    for name in map(str, range(20)):
        config = conversation(name)
        texts = {surface(one, config=config).text for one in (model, model, again)}
        assert len(texts) == 1
        found |= texts
    assert len(found) == len(NAMES)


def test_without_a_value_the_order_of_the_group_holds(surface, reliable):
    model = reliable(group("a", "b", order="round_robin"), sticky="thread_id")
    assert sorted(asked(surface, model, 4)) == ["a", "a", "b", "b"]


def test_only_the_conversations_of_who_is_out_move_and_they_come_home(reliable):
    model = reliable(group(*NAMES), sticky="thread_id")
    before = homes(model)
    model.health.isolate("b")
    during = homes(model)
    assert "from b" not in during
    moved = {was for was, now in zip(before, during, strict=True) if was != now}
    assert moved == {"from b"}
    model.health.reset("b")
    assert homes(model) == before


def test_who_fails_hands_a_conversation_to_its_second_home(surface, reliable):
    members = [Candidate(child(n), name=n) for n in NAMES]
    model = reliable(Group(members), sticky="thread_id")
    home = surface(model, config=conversation("x")).text[-1]
    model.health.isolate(home)
    second = surface(model, config=conversation("x")).text[-1]
    members[NAMES.index(home)] = Candidate(
        child(home, fails(ConnectionError("reset"))), name=home
    )
    broken = reliable(Group(members), sticky="thread_id", max_retries=0)
    outcome = surface(broken, config=conversation("x"))
    assert outcome.attempts == [f"{home}: connection", f"{second}: answered"]


@pytest.mark.parametrize("order", ["ordered", "round_robin", "least_busy"])
@pytest.mark.parametrize("reason", ["full", "health"])
def test_the_trail_tells_why_a_conversation_is_not_at_home(
    surface, reliable, order, reason
):
    model = reliable(group(*NAMES, order=order, rpm=10), sticky="thread_id")
    home = surface(model, config=conversation("x"))
    assert home.trail["skipped"] == []
    if reason == "health":
        model.health.isolate(home.text[-1])
    away = surface(model, config=conversation("x"))
    assert away.text != home.text
    told = [(one["candidate"], one["reason"]) for one in away.trail["skipped"]]
    assert told == [(home.text[-1], reason)]


def test_the_option_of_a_call_names_a_conversation(surface, reliable):
    model = reliable(group(*NAMES, order="round_robin"))
    for value in ("x", 7, UUID(int=7)):
        assert len(set(asked(surface, model, 4, sticky=value))) == 1


def test_another_value_is_a_type_error_at_the_call(surface, reliable):
    a = child("a")
    model = reliable(a, sticky="thread_id")
    for kwargs in (
        {"reliable": CallOptions(sticky=1.5)},
        {"config": {"configurable": {"thread_id": object()}}},
    ):
        assert isinstance(surface(model, **kwargs).error, TypeError)
    assert a.request_count == 0


def test_a_conversation_is_known_wherever_it_is_asked(surface, reliable, run):
    model = reliable(group(*NAMES, order="round_robin"), sticky="thread_id")
    home = surface(model, config=conversation("x")).text
    chain = RunnableLambda(lambda text: text) | model
    assert surface(chain, config=conversation("x")).text == home

    def node(state):
        return {"messages": [model.invoke(state["messages"])]}

    async def anode(state):
        return {"messages": [await model.ainvoke(state["messages"])]}

    question = {"messages": [("user", "hello?")]}
    builder = StateGraph(MessagesState)
    builder.add_node("node", RunnableLambda(node, anode)).add_edge(START, "node")
    app = builder.compile(checkpointer=InMemorySaver())
    states = [
        app.invoke(question, conversation("x")),
        run(app.ainvoke(question, conversation("x"))),
    ]
    assert [state["messages"][-1].text for state in states] == [home, home]


# --- slow answers ---------------------------------------------------------------------


def test_a_slow_answer_counts_as_a_failure_and_is_handed_over(surface, reliable, clock):
    heard = []
    slow = child("a", says("from a", delay=4.0), clock=clock)
    breaker = CircuitBreaker(failures=2, slow_after=3.0, slow_whole_after=3.0)
    model = reliable(
        slow, child("b"), circuit_breaker=breaker, observers=[heard.append]
    )
    assert asked(surface, model, 3) == ["a", "a", "b"]
    late = [one for one in heard if isinstance(one, SlowCall)]
    assert [(one.candidate, one.limit, one.number) for one in late] == [
        ("a", 3.0, 1)
    ] * 2
    assert late[0].streams is surface.streams
    assert [one.candidate for one in heard if isinstance(one, CircuitOpened)] == ["a"]
    clock.time += 30
    assert asked(surface, model, 2) == ["a", "b"]  # the probe was slow as well


def test_who_is_alone_may_be_slow(surface, reliable, clock):
    slow = child("a", says("from a", delay=4.0), clock=clock)
    breaker = CircuitBreaker(failures=1, slow_after=3.0, slow_whole_after=3.0)
    model = reliable(slow, circuit_breaker=breaker)
    assert asked(surface, model, 3) == ["a", "a", "a"]
    assert model.health.snapshot()[0].failures == 0


# --- however a model is made ----------------------------------------------------------


def limited(make):
    settings = {
        "tags": ("eu",),
        "rpm": 60.0,
        "tpm": 1_000,
        "max_parallel_requests": 2,
        "limits_key": "account",
        "price": (1.0, 2.0),
        "budget": Budget(usd=5, per="month"),
    }
    return ReliableChatModel(
        models=[Group([Candidate(make("a"), **settings), make("b")], order="cheapest")],
        sticky="thread_id",
        circuit_breaker=CircuitBreaker(slow_after=3),
    )


def real(name):
    return ChatOpenAI(model=name, api_key="no key")


def loaded(model):
    return load(
        json.loads(json.dumps(dumpd(model))),
        valid_namespaces=["langchain_reliable"],
        allowed_objects=[ReliableChatModel, ChatOpenAI],
        secrets_map={"OPENAI_API_KEY": "no key"},
    )


@pytest.mark.filterwarnings("ignore:The function `load` is in beta")
@pytest.mark.parametrize(
    ("make", "again"),
    [
        (child, copy.copy),
        (child, copy.deepcopy),
        (child, lambda model: pickle.loads(pickle.dumps(model))),  # noqa: S301 - our own
        (child, lambda model: model.model_copy()),
        (real, loaded),
    ],
    ids=["copy", "deepcopy", "pickle", "model_copy", "load"],
)
def test_all_of_it_survives_a_copy(make, again):
    was = limited(make)
    now = again(was)
    assert now.sticky == was.sticky
    assert now.circuit_breaker == was.circuit_breaker
    [before], [after] = was.models, now.models
    assert after.order == before.order
    for name in Candidate.model_fields.keys() - {"model"}:
        assert getattr(after.members[0], name) == getattr(before.members[0], name)


def test_limits_last_where_fields_are_configured(reliable):
    model = reliable(Candidate(child("a"), rpm=10), child("b")).configurable_fields(
        max_retries=ConfigurableField(id="retries"), sticky=ConfigurableField(id="key")
    )
    asked = [
        model.with_config(configurable={"retries": n, "key": "k", "k": 1}).invoke("?")
        for n in range(3)
    ]
    assert [one.text for one in asked] == ["from a", "from b", "from b"]


def test_a_group_that_is_to_be_cheap_knows_prices():
    with pytest.raises(ValueError, match="goes by prices"):
        Group([child("a"), child("b")], order="cheapest")
