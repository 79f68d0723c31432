"""During an outage nobody pays for the dead primary twice."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.runnables import ConfigurableField
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from pydantic import SecretStr, ValidationError

from langchain_reliable import (
    AllModelsFailed,
    Candidate,
    CircuitBreaker,
    Health,
    RetryBudget,
    rotate_keys,
)
from langchain_reliable._children.identity import fingerprint, identity
from langchain_reliable._core.call import Call
from langchain_reliable._core.steps import Plan, Route, Tier
from langchain_reliable.events import AttemptStarted, CircuitClosed, CircuitOpened
from langchain_reliable.failures import Failure, FailureKind
from langchain_reliable.policies import Policy
from langchain_reliable.testing import Gate, ScriptedChatModel, fails, says, stalls


class Status(Exception):
    def __init__(self, code, headers=None):
        super().__init__(f"Error code: {code}")
        self.status_code = code
        self.response = type("R", (), {"headers": headers or {}, "status_code": code})()


def scripted(name, *script):
    return ScriptedChatModel(model=name, script=list(script))


DEAD = Status(503)


class TestCircuit:
    def test_an_open_circuit_is_left_alone(self, surface, reliable):
        dead, good = scripted("a", DEAD), scripted("b", "hello")
        model = reliable(dead, good)
        surface(model)
        assert dead.request_count == 3
        outcome = surface(model)
        assert dead.request_count == 3
        assert outcome.attempts == ["b: answered"]
        [skipped] = outcome.trail["skipped"]
        assert skipped["candidate"] == "a"
        assert 18 <= skipped["seconds"] <= 22
        assert outcome.trail["failed_over"] is True

    def test_a_probe_that_answers_closes_it(self, surface, reliable, clock):
        heard = []
        first = scripted("a", DEAD, DEAD, DEAD, "back")
        model = reliable(first, scripted("b"), observers=[heard.append])
        surface(model)
        clock.time += 40
        assert surface(model).text == "back"
        assert surface(model).attempts == ["a: answered"]
        kinds = [type(event) for event in heard]
        assert kinds.count(CircuitOpened) == kinds.count(CircuitClosed) == 1

    def test_a_probe_that_fails_is_one_request(self, surface, reliable, clock):
        dead = scripted("a", DEAD)
        model = reliable(dead, scripted("b"))
        surface(model)
        clock.time += 40
        surface(model)
        assert dead.request_count == 4
        clock.time += 15  # a probe that failed fast has cost nothing: 20 s again
        surface(model)
        assert dead.request_count == 4
        clock.time += 8
        surface(model)
        assert dead.request_count == 5

    def test_a_circuit_that_opens_ends_the_retries_of_the_call(self, surface, reliable):
        dead = scripted("a", DEAD)
        surface(reliable(dead, scripted("b"), max_retries=9))
        assert dead.request_count == 3

    def test_or_puts_it_off_until_nobody_else_is_left(self, surface, reliable):
        first = scripted("a", DEAD, DEAD, DEAD, "back already")
        outcome = surface(reliable(first, scripted("b", Status(401)), max_retries=9))
        assert outcome.text == "back already"
        assert outcome.attempts[-2:] == ["b: auth", "a: answered"]

    def test_a_single_model_has_all_its_retries(self, surface, reliable):
        child = scripted("a", *[DEAD] * 5, "back already")
        assert surface(reliable(child, max_retries=5)).text == "back already"

    async def test_nor_do_the_failures_of_other_calls_end_them(self, reliable):
        class TakesTurns(ScriptedChatModel):
            async def _agenerate(self, *args, **kwargs):
                await asyncio.sleep(0)
                return await super()._agenerate(*args, **kwargs)

        child = TakesTurns(model="a", script=[*[DEAD] * 10, "well again"])
        model = reliable(child)
        answers = await asyncio.gather(*[model.ainvoke("hello?") for _ in range(10)])
        assert {answer.text for answer in answers} == {"well again"}

    def test_it_can_be_turned_off_and_tuned(self, surface, reliable):
        dead = scripted("a", DEAD)
        model = reliable(dead, scripted("b"), circuit_breaker=None)
        surface(model)
        surface(model)
        assert dead.request_count == 6
        model = reliable(
            dead, scripted("b"), circuit_breaker=CircuitBreaker(failures=1)
        )
        surface(model)
        assert dead.request_count == 7

    @pytest.mark.parametrize("surface", ["stream", "astream"], indirect=True)
    def test_breaks_after_the_commit_count(self, surface, reliable):
        broken = scripted("a", fails(DEAD, says("one two"), after=1))
        model = reliable(broken, scripted("b", "hello"))
        for _ in range(3):
            assert surface(model).error.kind == "server_error"
        assert surface(model).attempts == ["b: answered"]

    def test_a_single_model_is_tried_anyway(self, surface, reliable):
        dead = scripted("a", DEAD)
        model = reliable(dead)
        surface(model)
        surface(model)
        assert dead.request_count == 4

    def test_who_is_held_back_is_asked_when_nobody_else_answers(
        self, surface, reliable, clock
    ):
        first = scripted("a", DEAD, DEAD, DEAD, "back already")
        second = scripted("b", "hello", Status(401))
        model = reliable(first, second)
        surface(model)
        outcome = surface(model)
        assert outcome.text == "back already"
        assert outcome.attempts == ["b: auth", "a: answered"]
        assert clock.slept == [0.25, 0.5]

    def test_fail_fast_knows_no_seconds_for_an_isolation(self, surface, reliable):
        model = reliable(scripted("a"), fail_fast=True)
        model.health.isolate("a")
        error = surface(model).error
        assert error.retry_after is None
        assert "until reset" in str(error)

    def test_fail_fast_says_how_long_to_wait(self, surface, reliable):
        model = reliable(
            scripted("a", Status(429, {"retry-after": "40"})),
            scripted("b", Status(401)),
            fail_fast=True,
        )
        assert surface(model).error.retry_after == 40.0
        error = surface(model).error
        assert isinstance(error, AllModelsFailed)
        assert error.attempts == ()
        assert error.retry_after == 40.0
        assert "the soonest returns in 40 s" in str(error)


class TestCooldown:
    @pytest.mark.parametrize("code", [401, 404, 402])
    def test_what_a_person_has_to_mend_is_asked_once_in_five_minutes(
        self, surface, reliable, clock, code
    ):
        locked = scripted("a", Status(code))
        model = reliable(locked, scripted("b"))
        for _ in range(3):
            surface(model)
        assert locked.request_count == 1
        clock.time += 301
        surface(model)
        assert locked.request_count == 2

    def test_a_rate_limit_holds_back_other_calls_not_its_own_retry(
        self, surface, reliable, clock
    ):
        busy = scripted("a", Status(429, {"retry-after": "3"}), "hello")
        model = reliable(busy, scripted("b"))
        assert surface(model).attempts == ["a: rate_limited", "a: answered"]
        assert clock.slept == [3.0]

    def test_bad_requests_never_count(self, surface, reliable):
        picky = scripted("a", Status(400))
        model = reliable(picky, scripted("b"))
        for _ in range(5):
            surface(model)
        assert picky.request_count == 5

    def test_the_first_word_is_waited_for_if_all_others_are_held_back(
        self, surface, reliable
    ):
        slow, dead = scripted("a", "hello"), scripted("b", Status(401))
        model = reliable(dead, slow, first_chunk_timeout=0.001)
        surface(model)
        assert surface(model).text == "hello"


class TestIdentity:
    def openai(self, **settings):
        return ChatOpenAI(**{"model": "gpt-5.4", "api_key": "sk-one", **settings})

    def who(self, model, name=None, asked=None):
        return identity(Candidate(model, name=name), asked)

    def test_two_objects_of_the_same_model_and_key_are_one(self):
        assert self.who(self.openai()) == self.who(self.openai(temperature=0.5))
        assert self.who(self.openai().bind(stop=["x"])) == self.who(self.openai())

    @pytest.mark.parametrize(
        "other",
        [
            {"api_key": "sk-two"},
            {"model": "gpt-5.4-mini"},
            {"base_url": "http://eu/v1"},
        ],
    )
    def test_another_key_model_or_endpoint_is_another(self, other):
        assert self.who(self.openai()) != self.who(self.openai(**other))

    def test_a_name_and_an_asked_model_are_part_of_it(self):
        one = self.openai()
        assert self.who(one) != self.who(one, name="eu")
        assert self.who(one, asked="gpt-5.4-mini") == self.who(
            self.openai(model="gpt-5.4-mini")
        )

    def test_a_callable_key_counts_as_the_object(self):
        def key():
            return "sk-made"

        one, same = self.openai(api_key=key), self.openai(api_key=key)
        assert self.who(one) == self.who(same)
        assert self.who(one) != self.who(self.openai(api_key=lambda: "sk-made"))

    def test_without_a_key_it_is_the_object(self):
        child = scripted("a")
        assert self.who(child) == self.who(child)
        assert self.who(child) != self.who(scripted("a"))

    def test_a_fingerprint_tells_nothing(self):
        assert "sk-one" not in repr(self.who(self.openai()))
        assert fingerprint("a") != fingerprint("b")
        assert len(fingerprint("a")) == 16


class TestSharing:
    def test_bindings_copies_and_views_share_what_is_known(self, surface, reliable):
        dead = scripted("a", Status(401))
        model = reliable(dead, scripted("b"))
        surface(model)
        for view in (
            model.bind(stop=["x"]),
            model.bind_tools([_tool]),
            model.model_copy(),
            copy.copy(model),
            model.with_config(tags=["x"]),
        ):
            surface(view)
        assert dead.request_count == 1

    def test_configured_instances_share_it_too(self, surface, reliable):
        dead = scripted("a", Status(401))
        model = reliable(dead, scripted("b")).configurable_fields(
            max_retries=ConfigurableField(id="retries")
        )
        for retries in (0, 1, 2):
            surface(model.with_config(configurable={"retries": retries}))
        assert dead.request_count == 1

    def test_models_that_were_given_one_health_share_it(self, surface, reliable):
        health, dead = Health(), scripted("a", Status(401))
        surface(reliable(dead, scripted("b"), health=health))
        surface(reliable(dead, scripted("c"), health=health))
        assert dead.request_count == 1

    def test_other_models_do_not(self, surface, reliable):
        dead = scripted("a", Status(401))
        surface(reliable(dead, scripted("b")))
        surface(reliable(dead, scripted("b")))
        assert dead.request_count == 2


def _tool(x: int) -> int:
    """Double."""
    return 2 * x


class TestShowing:
    def test_a_candidate_is_isolated_by_its_name(self):
        with pytest.raises(TypeError, match="a candidate's name, no list"):
            Health().isolate(["a"])

    def test_a_table(self, reliable, clock):
        model = reliable(scripted("a", Status(401)), scripted("b", "hello"))
        model.health._clock = clock
        assert str(model.health) == "nothing is known of any candidate yet"
        model.invoke("?")
        first, second = str(model.health).splitlines()[1:]
        assert first.split()[:5] == ["a", "cooling", "down", "300", "s"]
        assert "not authorized" in first
        assert second.split() == ["b", "closed", "0.00", "s"]
        assert ">cooling down</td>" in model.health._repr_html_()
        assert repr(model.health) == "Health(a: cooling down, b: closed)"

    def test_isolate_and_reset(self, reliable):
        model = reliable(scripted("a", "first"), scripted("b", "second"))
        model.health.isolate("a")
        answer = model.invoke("?")
        assert answer.text == "second"
        assert answer.response_metadata["reliable"]["skipped"] == [
            {"candidate": "a", "seconds": None, "reason": "health"}
        ]
        assert "until reset" in str(model.health)
        model.health.reset("a")
        assert model.invoke("?").text == "first"
        model.health.isolate("b")
        model.health.reset()
        assert {one.state for one in model.health.snapshot()} == {"closed"}

    def test_pickles_as_a_fresh_one(self):
        assert pickle.loads(pickle.dumps(Health())).snapshot() == ()  # noqa: S301 - our own

    def test_nothing_but_a_health_is_one(self, reliable):
        with pytest.raises(ValidationError, match="health"):
            reliable(scripted("a"), health="good")


class TestBudget:
    def test_retries_stop_when_it_is_used_up(self, surface, reliable):
        budget = RetryBudget(tokens=20, transient_cost=14)
        dead = scripted("a", DEAD)
        model = reliable(dead, scripted("b"), retry_budget=budget, circuit_breaker=None)
        surface(model)
        assert dead.request_count == 2
        surface(model)
        assert dead.request_count == 3  # failover stays free
        assert model.health.bucket(budget).tokens == 8  # two first tries said thanks

    def test_a_retry_that_succeeds_is_paid_back(self, surface, reliable):
        budget = RetryBudget(tokens=20)
        model = reliable(scripted("a", DEAD, "hello"), retry_budget=budget)
        surface(model)
        assert model.health.bucket(budget).tokens == 20

    def test_a_throttled_retry_is_cheaper(self, surface, reliable):
        budget = RetryBudget(tokens=20, success_credit=0)
        busy = scripted("a", Status(429))
        surface(reliable(busy, retry_budget=budget, max_retries=1))
        assert busy.request_count == 2


class TestKeys:
    def test_a_group_with_a_key_each(self):
        child = ChatOpenAI(model="gpt-4o", api_key="sk-old", temperature=0.5)
        group = rotate_keys(child, ["sk-1", SecretStr("sk-2")], order="round_robin")
        keys = [one.model.openai_api_key.get_secret_value() for one in group.members]
        assert keys == ["sk-1", "sk-2"]
        assert {one.model.temperature for one in group.members} == {0.5}
        assert child.openai_api_key.get_secret_value() == "sk-old"
        assert "sk-" not in repr(group)

    def test_azure_builds_its_client_with_the_key(self):
        child = AzureChatOpenAI(
            azure_endpoint="https://example.openai.azure.com",
            api_version="2025-01-01",
            azure_deployment="east",
            api_key="old",
        )
        [one] = rotate_keys(child, ["new"]).members
        assert one.model.root_client.api_key == "new"

    def test_so_does_anthropic(self):
        child = ChatAnthropic(model="claude-sonnet-4-5", api_key="old")
        assert child._client.api_key == "old"
        [one] = rotate_keys(child, ["new"]).members
        assert one.model._client.api_key == "new"

    def test_and_google(self):
        child = ChatGoogleGenerativeAI(model="gemini-2.5-flash", google_api_key="old")
        [one] = rotate_keys(child, ["new"]).members
        assert one.model.client._api_client.api_key == "new"

    @pytest.mark.parametrize("keys", ["sk-1", [], ["sk-1", " "]])
    def test_bad_keys_are_told(self, keys):
        child = ChatOpenAI(model="gpt-5.4", api_key="sk-old")
        with pytest.raises(ValueError, match="key"):
            rotate_keys(child, keys)

    @pytest.mark.parametrize(
        ("keys", "error", "said"),
        [
            (["sk-1", None], ValueError, "key 1 is None: is the environment variable"),
            (["sk-1", 3], TypeError, "key 1 is of type int"),
            ({"east": "sk-1"}, ValueError, "takes a list of keys: rotate_keys"),
            (3, TypeError, "takes a list of keys"),
        ],
    )
    def test_what_is_no_key_is_told(self, keys, error, said):
        child = ChatOpenAI(model="gpt-5.4", api_key="sk-old")
        with pytest.raises(error, match=said) as caught:
            rotate_keys(child, keys)
        assert "sk-" not in str(caught.value)

    def test_the_model_comes_first_and_is_no_name(self):
        with pytest.raises(TypeError, match="the model comes first"):
            rotate_keys("openai:gpt-5.4", ["sk-1"])

    def test_a_model_whose_key_cannot_be_told(self):
        with pytest.raises(ValueError, match="can't be told"):
            rotate_keys(scripted("a"), ["sk-1"])


class TestConcurrency:
    def half_open(self, reliable, clock, probe):
        dead = scripted("a", DEAD, DEAD, DEAD, probe)
        model = reliable(dead, scripted("b", "hello"))
        model.invoke("?")
        clock.time += 40
        return dead, model

    def test_64_threads_send_one_probe(self, reliable, clock):
        with Gate(limit=120) as gate:
            dead, model = self.half_open(reliable, clock, stalls(gate, says("back")))
            with ThreadPoolExecutor(64) as pool:
                asked = [pool.submit(model.invoke, "?") for _ in range(64)]
                others = [one.result() for one in islice(as_completed(asked, 60), 63)]
                gate.open()
                answers = [one.result(60).text for one in asked]
        assert dead.request_count == 4
        assert {one.text for one in others} == {"hello"}
        assert answers.count("back") == 1

    async def test_1000_tasks_send_one_probe(self, reliable, clock):
        gate = Gate(limit=120)
        dead, model = self.half_open(reliable, clock, stalls(gate, says("back")))
        asked = [asyncio.create_task(model.ainvoke("?")) for _ in range(1000)]
        others = [await one for one in islice(asyncio.as_completed(asked), 999)]
        gate.open()
        answers = [answer.text for answer in await asyncio.gather(*asked)]
        assert dead.request_count == 4
        assert {one.text for one in others} == {"hello"}
        assert answers.count("back") == 1

    async def test_a_cancelled_probe_gives_the_slot_back(self, reliable, clock):
        gate = Gate()
        dead, model = self.half_open(reliable, clock, stalls(gate, says("back")))
        probe = asyncio.create_task(model.ainvoke("?"))
        await gate.await_reached(60)
        probe.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probe
        gate.open()
        assert (await model.ainvoke("?")).text == "back"
        assert dead.request_count == 5

    def test_several_event_loops_share_it(self, reliable, clock):
        dead = scripted("a", Status(401))
        model = reliable(dead, scripted("b", "hello"))
        asyncio.run(model.ainvoke("?"))
        texts = []
        threads = [
            threading.Thread(
                target=lambda: texts.append(asyncio.run(model.ainvoke("?")).text)
            )
            for _ in range(4)
        ]
        for one in threads:
            one.start()
        for one in threads:
            one.join(60)
        assert texts == ["hello"] * 4
        assert dead.request_count == 1


def test_a_probe_that_has_spoken_gives_back_no_slot_of_others():
    failure = Failure(kind=FailureKind.SERVER_ERROR)
    breaker, health = CircuitBreaker(failures=1, open_for=10), Health()
    first = Route(name="a", max_retries=0, key="a")
    second = Route(name="b", max_retries=0, key="b")
    plan = Plan([Tier((first,)), Tier((second,))])

    def call():
        policy = Policy(breaker=breaker)
        return Call(plan, policy, lambda _: failure, health=health)

    def opens(at):
        request = health.record_request(first, at)
        health.failed(first, failure, request, at, 0.5, breaker, alone=False)

    opens(0)
    early = call()
    spoken = early.what_now(11).attempt
    early.succeeded(spoken, "a stream", 12)
    opens(13)
    probe = call().what_now(40).attempt
    early.abandoned(spoken, 42)
    assert (spoken.admission.probe, probe.admission.probe) == (True, True)
    assert call().what_now(43).attempt.route is second


def test_an_interrupt_while_it_is_told_of_gives_a_probe_back(reliable, clock):
    def interrupts(event):
        if isinstance(event, AttemptStarted) and armed:
            raise KeyboardInterrupt

    armed = []
    first = scripted("a", DEAD, DEAD, DEAD, "well")
    model = reliable(first, scripted("b"), observers=[interrupts])
    model.invoke("Hi")
    clock.time += 40
    armed.append(True)
    with pytest.raises(KeyboardInterrupt):
        model.invoke("Hi")
    armed.clear()
    assert model.invoke("Hi").text == "well"


class TestIsolatingAnUnknownName:
    def test_it_is_said_and_the_known_names_with_it(self, reliable, caplog):
        model = reliable(scripted("gpt-x"), scripted("claude-x"))
        model.invoke("hi")
        model.health.isolate("gtp-x")
        assert "isolated 'gtp-x', but nobody of that name" in caplog.text
        assert "known are: gpt-x" in caplog.text

    def test_a_known_one_and_one_before_any_call_are_fine(self, reliable, caplog):
        model = reliable(scripted("gpt-x"), scripted("claude-x"))
        model.health.isolate("claude-x")
        model.invoke("hi")
        model.health.isolate("gpt-x")
        assert "isolated" not in caplog.text
