"""Behavior that a user can see, told once and run on all four surfaces."""

from __future__ import annotations

import traceback

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableLambda

from langchain_reliable import (
    PROPAGATE,
    AllModelsFailed,
    Candidate,
    Failure,
    FailureKind,
    Group,
    ReliableChatModel,
    StreamingUnavailable,
    StreamInterrupted,
    classify,
)
from langchain_reliable.errors import EmptyAnswer
from langchain_reliable.events import Answered, AttemptFailed, Committed, Interrupted
from langchain_reliable.testing import (
    ScriptedChatModel,
    fails,
    refuses,
    says,
    says_nothing,
    streams,
    tool_call,
)

FINISH = AIMessageChunk(content="", response_metadata={"finish_reason": "stop"})


class Status(Exception):
    """A provider's error in its simplest form."""

    def __init__(self, code: int, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"Error code: {code}")
        self.status_code = code
        self.response = type("R", (), {"headers": headers or {}, "status_code": code})()


def scripted(name: str, *script: object, **fields: object) -> ScriptedChatModel:
    return ScriptedChatModel(model=name, script=list(script), **fields)


def test_answers_from_the_first_while_it_can(surface, reliable):
    first, second = scripted("first", "hello there"), scripted("second")
    outcome = surface(reliable(first, second))
    assert outcome.text == "hello there"
    assert outcome.attempts == ["first: answered"]
    assert outcome.trail["failed_over"] is False
    assert second.request_count == 0


def test_moves_on_when_the_first_is_locked_out(surface, reliable):
    model = reliable(scripted("first", Status(401)), scripted("second", "hello"))
    outcome = surface(model)
    assert outcome.text == "hello"
    assert outcome.attempts == ["first: auth", "second: answered"]
    assert outcome.trail["failed_over"] is True
    assert outcome.trail["served_by"] == "second"


def test_retries_with_backoff_and_then_moves_on(surface, reliable, clock):
    first = scripted("first", Status(503))
    outcome = surface(reliable(first, scripted("second", "hello")))
    assert first.request_count == 3
    assert clock.slept == [0.25, 0.5]
    assert outcome.text == "hello"


def test_honors_retry_after(surface, reliable, clock):
    first = scripted("first", Status(429, {"retry-after": "3"}), "hello")
    assert surface(reliable(first)).text == "hello"
    assert clock.slept == [3.0]


def test_one_visible_run_whatever_failed_before(surface, reliable):
    model = reliable(
        scripted("first", fails(Status(500), says("never shown"), after=0)),
        scripted("second", Status(529), says("hello again")),
    )
    outcome = surface(model)
    heard = outcome.heard
    assert (heard.starts, heard.ends, heard.errors) == (1, 1, 0)
    assert outcome.text == "hello again"
    if surface.streams:
        assert "".join(heard.tokens) == "hello again"
    assert list(outcome.usage) == ["second"]


def test_what_was_held_of_a_lost_stream_is_never_seen(surface, reliable):
    lost = scripted("lost", fails(Status(500), says("x", silent=5), after=0))
    good = scripted("good", says("hello", silent=3))
    outcome = surface(reliable(lost, good, max_retries=0))
    assert outcome.text == "hello"
    assert outcome.message.response_metadata["model_name"] == "good"
    assert lost.open_streams == good.open_streams == 0


def test_reports_the_childs_own_usage_and_name(surface, reliable):
    outcome = surface(reliable(scripted("first", Status(401)), scripted("second")))
    assert outcome.message.response_metadata["model_name"] == "second"
    assert outcome.message.usage_metadata["output_tokens"] > 0


def test_a_tool_call_commits(surface, reliable):
    model = scripted("first", says(calls=[tool_call("weather", city="Rome")]))
    outcome = surface(reliable(model))
    [call] = outcome.message.tool_calls
    assert (call["name"], call["args"]) == ("weather", {"city": "Rome"})


def test_a_refusal_is_an_answer(surface, reliable):
    backup = scripted("backup")
    outcome = surface(reliable(scripted("first", refuses("no")), backup))
    assert outcome.attempts == ["first: answered"]
    assert backup.request_count == 0


def test_reasoning_alone_is_one_only_where_it_was_shown(surface, reliable):
    first = scripted("first", says(thinks="hm", chunks=[]))
    outcome = surface(reliable(first, scripted("backup", "hello")))
    if surface.streams:
        assert outcome.attempts == ["first: answered"]
    else:
        assert outcome.attempts == ["first: empty"] * 2 + ["backup: answered"]


def test_an_empty_answer_is_tried_once_more_and_then_elsewhere(surface, reliable):
    first = scripted("first", says_nothing())
    outcome = surface(reliable(first, scripted("second", "hello")))
    assert first.request_count == 2
    assert outcome.text == "hello"


def test_an_empty_answer_is_returned_if_nobody_says_more(surface, reliable):
    outcome = surface(reliable(scripted("only", says_nothing())))
    assert outcome.text == ""
    assert outcome.trail["served_by"] == "only"


def test_silence_with_a_reason_is_an_answer(surface, reliable):
    first = scripted("first", says_nothing(finish="content_filter"))
    outcome = surface(reliable(first, scripted("second")))
    assert outcome.attempts == ["first: answered"]
    assert outcome.message.response_metadata["finish_reason"] == "content_filter"


class TestWhenNobodyAnswers:
    def test_a_table_tells_what_was_tried(self, surface, reliable):
        model = reliable(scripted("a", Status(401)), scripted("b", Status(404)))
        outcome = surface(model)
        assert isinstance(outcome.error, AllModelsFailed)
        text = str(outcome.error)
        assert "no model answered (2 attempts on 2 models" in text
        assert "a  attempt 1  moved on  not authorized: 401" in text
        assert "b: check the model's name" in text
        assert outcome.heard.errors == 1

    def test_a_single_attempt_leaves_as_it_came(self, surface, reliable):
        locked = Status(401)
        assert surface(reliable(scripted("a", locked))).error is locked

    def test_the_last_original_is_the_cause(self, surface, reliable):
        one, two = Status(401), Status(404)
        error = surface(reliable(scripted("a", one), scripted("b", two))).error
        assert error.__cause__ is two
        assert [tried.error for tried in error.attempts] == [one, two]

    def test_its_traceback_is_little_longer_than_the_childs_own(
        self, surface, reliable
    ):
        def length(error):
            return len("".join(traceback.format_exception(error)).splitlines())

        bare = surface(scripted("b", Status(404))).error
        model = reliable(scripted("a", *[Status(503)] * 3), scripted("b", Status(404)))
        error = surface(model).error
        assert len(error.attempts) == 4
        assert length(error) <= length(bare) + 40
        assert not error.is_retryable


class TestWhatIsNotAProvidersFailure:
    def test_leaves_at_once(self, surface, reliable):
        bug = KeyError("a bug")
        backup = scripted("backup")
        outcome = surface(reliable(RunnableLambda(_raising(bug)), backup))
        assert outcome.error is bug
        assert backup.request_count == 0

    def test_a_user_may_say_what_is_one(self, surface, reliable):
        def classify(error):
            return FailureKind.SERVER_ERROR if isinstance(error, KeyError) else None

        model = reliable(
            scripted("a", KeyError("mine")), scripted("b", "hello"), classify=classify
        )
        assert surface(model).attempts[0] == "a: server_error"

    def test_a_user_may_let_an_exception_through(self, surface, reliable):
        locked = Status(401)
        model = reliable(
            scripted("a", locked), scripted("b"), classify=lambda error: PROPAGATE
        )
        assert surface(model).error is locked


class TestAfterTheCommit:
    @pytest.mark.parametrize("surface", ["stream", "astream"], indirect=True)
    def test_a_broken_stream_is_an_interruption(self, surface, reliable):
        broken = Status(500)
        child = scripted("a", fails(broken, says("one two three"), after=2))
        backup = scripted("b")
        outcome = surface(reliable(child, backup))
        error = outcome.error
        assert isinstance(error, StreamInterrupted)
        assert error.__cause__ is broken
        assert error.served_by == "a"
        assert error.kind == FailureKind.SERVER_ERROR
        assert error.partial.text == "one two"
        assert not error.is_retryable
        assert backup.request_count == 0
        assert child.open_streams == 0

    @pytest.mark.parametrize("surface", ["stream", "astream"], indirect=True)
    def test_a_bug_in_mid_stream_leaves_as_it_came(self, surface, reliable):
        bug = KeyError("a bug")
        child = scripted("a", fails(bug, says("one two three"), after=2))
        assert surface(reliable(child)).error is bug

    @pytest.mark.parametrize("surface", ["stream", "astream"], indirect=True)
    def test_a_cut_after_the_finish_is_no_failure(self, surface, reliable):
        child = scripted("a", streams("one two", FINISH, Status(500)))
        outcome = surface(reliable(child))
        assert outcome.text == "one two"
        assert outcome.trail["served_by"] == "a"

    @pytest.mark.parametrize("surface", ["invoke", "ainvoke"], indirect=True)
    def test_an_invoke_to_which_nobody_listens_starts_afresh(self, surface, reliable):
        child = scripted("a", fails(Status(500), says("one two"), after=1), "hello")
        assert surface(reliable(child)).text == "hello"


class Whole(BaseChatModel):
    """A chat model that cannot stream."""

    answer: str = "all at once"

    @property
    def _llm_type(self):
        return "whole"

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        message = AIMessage(content=self.answer)
        return ChatResult(generations=[ChatGeneration(message=message)])


class TestChildrenOfAllSorts:
    def test_one_that_cannot_stream_answers_in_one_chunk(self, surface, reliable):
        outcome = surface(reliable(Whole()))
        assert outcome.text == "all at once"
        assert [chunk.content for chunk in outcome.chunks] in ([], ["all at once"])

    def test_a_binding_keeps_its_keywords(self, surface, reliable):
        child = scripted("a")
        surface(reliable(child.bind(temperature=0.5, top_p=1)), temperature=0.7)
        [asked] = child.requests
        assert {**asked.kwargs, "temperature": 0.7, "top_p": 1} == asked.kwargs

    def test_a_candidates_keywords_are_its_own(self, surface, reliable):
        one, two = scripted("a", Status(401)), scripted("b")
        surface(reliable(Candidate(one, kwargs={"thinking": True}), two), seed=1)
        assert one.requests[0].kwargs["thinking"] is True
        assert two.requests[0].kwargs["seed"] == 1
        assert "thinking" not in two.requests[0].kwargs

    def test_stop_words_reach_the_child(self, surface, reliable):
        child = scripted("a")
        surface(reliable(child), stop=["END"])
        assert child.requests[0].stop == ("END",)

    def test_any_runnable_that_returns_a_message(self, surface, reliable):
        child = RunnableLambda(lambda _: "pre") | scripted("inner", "hello")
        outcome = surface(reliable(child))
        assert outcome.text == "hello"
        assert (outcome.heard.starts, outcome.heard.ends) == (1, 1)

    def test_a_runnable_that_returns_text(self, surface, reliable):
        assert surface(reliable(RunnableLambda(lambda _: "hello"))).text == "hello"

    def test_a_runnable_that_returns_something_else_is_told_so(self, surface, reliable):
        outcome = surface(reliable(RunnableLambda(lambda _: 3)))
        assert "has to end with a chat model" in str(outcome.error)

    def test_a_reliable_model_in_a_reliable_model(self, surface, reliable):
        inner = reliable(scripted("a", Status(401)), scripted("b", Status(401)))
        outcome = surface(reliable(inner, scripted("c", "hello")))
        assert outcome.text == "hello"
        assert outcome.attempts[0] == "a | b: auth"

    def test_tools_are_bound_by_each_childs_own_method(self, surface, reliable):
        def weather(city: str) -> str:
            """Tell the weather."""

        one, two = scripted("a", Status(401)), scripted("b")
        bound = reliable(one, two).bind_tools([weather], tool_choice="any")
        surface(bound)
        for child in (one, two):
            assert child.bindings[0].tools == (weather,)
            asked = child.requests[0].kwargs
            assert asked["tools"][0]["function"]["name"] == "weather"
        assert bound.kwargs["tools"][0]["function"]["name"] == "weather"

    def test_a_child_that_cannot_bind_is_passed_over(self, surface, reliable):
        outcome = surface(reliable(Whole(), scripted("b", "hello")).bind_tools([_tool]))
        assert outcome.text == "hello"
        assert outcome.attempts == ["Whole: bad_request", "b: answered"]


def _tool(x: int) -> int:
    """Double."""
    return 2 * x


class TestOrder:
    def test_a_nested_list_is_a_group(self, surface, reliable, clock):
        one, two = scripted("m", Status(503)), scripted("m", "hello")
        outcome = surface(reliable([one, two], scripted("c")))
        assert outcome.attempts == ["m: server_error", "m #2: answered"]
        assert outcome.trail["failed_over"] is False
        assert clock.slept == []

    def test_round_robin_asks_each_in_turn(self, surface, reliable):
        group = Group(
            [scripted("a", "1"), scripted("b", "2"), scripted("c", "3")],
            order="round_robin",
        )
        model = reliable(group)
        assert [surface(model).text for _ in range(4)] == ["1", "2", "3", "1"]

    def test_weights_are_shares(self, surface, reliable):
        group = Group(
            [Candidate(scripted("a", "1"), weight=3), scripted("b", "2")],
            order="weighted",
        )
        model = reliable(group)
        assert sorted(surface(model).text for _ in range(8)) == ["1"] * 6 + ["2"] * 2

    def test_model_fallbacks_ask_all_providers_first(self, surface, reliable):
        one, two = scripted("big", Status(404)), scripted("big", Status(404))
        model = reliable(one, two, model_fallbacks={"big": ["small"]})
        outcome = surface(model)
        asked = [
            (tried.candidate, tried.failure.kind) for tried in outcome.error.attempts
        ]
        assert [name for name, _ in asked] == ["big", "big #2", "small", "small #2"]
        assert [request.model for request in one.requests] == ["big", "small"]

    def test_a_call_time_model_goes_to_who_names_it(self, surface, reliable):
        one, two = scripted("a", Status(404)), scripted("b", "hello")
        model = reliable(Candidate(one, models=["a-pro"]), two)
        outcome = surface(model, model="a-pro")
        assert outcome.attempts == ["a-pro: model_not_found", "b: answered"]
        assert one.requests[0].model == "a-pro"

    def test_a_call_time_model_that_nobody_names_goes_to_all(self, surface, reliable):
        one, two = scripted("a", Status(404)), scripted("b", "hello")
        outcome = surface(reliable(one, two), model="other")
        assert outcome.attempts == ["other: model_not_found", "other #2: answered"]
        assert two.requests[0].model == "other"


class TestObservers:
    def test_hear_the_call(self, surface, reliable):
        heard = []
        model = reliable(
            scripted("a", Status(401)), scripted("b"), observers=[heard.append]
        )
        surface(model)
        kinds = [type(event) for event in heard]
        assert kinds.index(AttemptFailed) < kinds.index(Committed)
        assert kinds[-1] is Answered
        assert len({event.call for event in heard}) == 1

    def test_one_that_raises_is_reported_once_and_harms_nobody(
        self, surface, reliable, caplog
    ):
        class Clumsy:
            def __call__(self, event):
                raise RuntimeError("clumsy")

        model = reliable(scripted("a"), observers=[Clumsy()])
        assert surface(model).text
        assert surface(model).text
        assert sum("an observer" in line for line in caplog.messages) == 1

    @pytest.mark.parametrize("surface", ["stream", "astream"], indirect=True)
    def test_hear_of_an_interruption(self, surface, reliable, caplog):
        heard = []
        child = scripted("a", fails(Status(500), says("one two"), after=1))
        surface(reliable(child, observers=[heard.append]))
        assert isinstance(heard[-1], Interrupted)
        assert any("a broke off in mid-answer" in line for line in caplog.messages)


def test_the_log_has_a_line_for_each_retry_and_failover(surface, reliable, caplog):
    caplog.set_level("INFO", "langchain_reliable")
    model = reliable(scripted("a", Status(503), Status(401)), scripted("b"))
    surface(model)
    assert caplog.messages == [
        (
            "a attempt 1 failed after 0.00 s: server error: 503: Error code: 503; "
            "retrying in 0.25 s"
        ),
        (
            "a attempt 2 failed after 0.00 s: not authorized: 401: Error code: 401 "
            "(check the API key and what it may do); switching to b"
        ),
    ]
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]


def _raising(error):
    def run(_):
        raise error

    return run


def test_batch_keeps_order_and_isolation(reliable):
    class Picky(Whole):
        def _generate(self, messages, stop=None, run_manager=None, **kwargs):
            if messages[0].text == "bad":
                raise Status(401)
            return super()._generate(messages)

    model = ReliableChatModel(models=[Picky()])
    answers = model.batch(["good", "bad", "good"], return_exceptions=True)
    assert [type(one) for one in answers] == [AIMessage, Status, AIMessage]


class TestRequireStreaming:
    @pytest.mark.parametrize("surface", ["stream", "astream"], indirect=True)
    def test_who_cannot_stream_is_skipped(self, surface, reliable):
        model = reliable(Whole(), scripted("b", "hello"), require_streaming=True)
        assert surface(model).attempts == ["b: answered"]

    @pytest.mark.parametrize("surface", ["stream", "astream"], indirect=True)
    def test_if_nobody_can_it_says_so_at_once(self, surface, reliable):
        error = surface(reliable(Whole(), require_streaming=True)).error
        assert isinstance(error, StreamingUnavailable)
        assert "none of these can stream: Whole" in str(error)

    @pytest.mark.parametrize("surface", ["stream", "astream"], indirect=True)
    def test_and_if_streaming_is_disabled(self, surface, reliable):
        model = reliable(scripted("a"), require_streaming=True, disable_streaming=True)
        assert isinstance(surface(model).error, StreamingUnavailable)

    @pytest.mark.parametrize("surface", ["invoke", "ainvoke"], indirect=True)
    def test_a_whole_answer_needs_no_stream(self, surface, reliable):
        assert surface(reliable(Whole(), require_streaming=True)).text == "all at once"


class TestClassifying:
    @pytest.mark.parametrize("kind", ["auth", FailureKind.AUTH])
    def test_a_user_may_answer_with_a_kind(self, surface, reliable, kind):
        model = reliable(
            scripted("a", Status(503)), scripted("b", "hello"), classify=lambda _: kind
        )
        assert surface(model).attempts == ["a: auth", "b: answered"]

    def test_a_user_may_answer_with_a_failure(self, surface, reliable, clock):
        failure = Failure(kind=FailureKind.RATE_LIMITED, retry_after=3.0)
        model = reliable(scripted("a", Status(400), "hi"), classify=lambda _: failure)
        assert surface(model).text == "hi"
        assert clock.slept == [3.0]

    def test_what_we_say_ourselves_is_classified_too(self):
        assert classify(EmptyAnswer(None)).kind is FailureKind.EMPTY


def test_a_prompt_too_long_is_not_sent_to_a_window_known_to_be_no_larger(
    surface, reliable
):
    small = scripted("small", Status(400))
    also = Candidate(scripted("also", "no"), context_window=1000)
    large = scripted("large", "hello")
    model = reliable(
        Candidate(small, context_window=1000),
        also,
        large,
        classify=lambda _: FailureKind.CONTEXT_OVERFLOW,
    )
    assert surface(model).attempts == ["small: context_overflow", "large: answered"]


@pytest.mark.parametrize("finish", ["stop", None])
def test_an_empty_answer_may_be_accepted_if_it_is_finished(surface, reliable, finish):
    first = ScriptedChatModel(model="first", script=[says("", finish=finish)])
    second = ScriptedChatModel(model="second", script=["Hi."])
    outcome = surface(reliable(first, second, on_empty="accept", max_retries=0))
    cut = finish is None and surface.streams
    assert outcome.text == ("Hi." if cut else "")
    assert second.request_count == cut


@pytest.mark.parametrize("count", [2, 5, 12])
def test_max_attempts_leaves_one_for_everybody(surface, reliable, count):
    dead = [
        ScriptedChatModel(model=f"dead {at}", script=[ConnectionError("no")])
        for at in range(count - 1)
    ]
    healthy = ScriptedChatModel(model="healthy", script=["Hi."])
    model = reliable(*dead, healthy, max_attempts=max(count, 6))
    assert surface(model).text == "Hi."
    assert sum(one.request_count for one in (*dead, healthy)) <= max(count, 6)


def test_the_keys_of_one_provider_leave_an_attempt_for_the_next(surface, reliable):
    keys = [ScriptedChatModel(model=f"{at}", script=[Status(503)]) for at in range(4)]
    outcome = surface(reliable(keys, ScriptedChatModel(model="next", script=["Hi."])))
    assert outcome.text == "Hi."


def test_a_nested_model_is_not_asked_for_its_retries_again(surface, reliable):
    child = ScriptedChatModel(model="inner", script=[ConnectionError("no")])
    outer = reliable(reliable(child), ScriptedChatModel(script=["Hi."]))
    assert surface(outer).text == "Hi."
    assert child.request_count == 3


class Complains(BaseCallbackHandler):
    raise_error = True

    def __init__(self, at):
        self.at = at

    def _complain(self, at):
        if at == self.at:
            raise RuntimeError("not in my shift")

    def on_chat_model_start(self, *args, **kwargs):
        self._complain("start")

    def on_llm_new_token(self, *args, **kwargs):
        self._complain("token")

    def on_llm_end(self, *args, **kwargs):
        self._complain("end")


@pytest.mark.parametrize("at", ["start", "token", "end"])
def test_a_listener_of_a_child_that_raises_is_no_failure_of_it(surface, reliable, at):
    child = ScriptedChatModel(model="a", script=["Hi."], callbacks=[Complains(at)])
    other = ScriptedChatModel(model="b", script=["Hi from b."])
    outcome = surface(reliable(child, other))
    if surface.streams or at != "token":
        assert str(outcome.error) == "not in my shift"
    assert other.request_count == 0


def test_what_a_child_does_to_its_list_is_its_own_business(surface, reliable):
    seen = []

    def edits(messages):
        seen.append([one.text for one in messages])
        messages.clear()
        raise ConnectionError

    first, second = RunnableLambda(edits), scripted("second", "hello")
    assert surface(reliable(first, second, max_retries=1)).text == "hello"
    seen.append([one.text for one in second.requests[0].messages])
    assert seen == [seen[0]] * 3
    assert seen[0]
