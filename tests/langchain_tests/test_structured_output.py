"""Structured output by each child's own best way, with retry and failover."""

from __future__ import annotations

from typing import TypedDict

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.exceptions import ModelRefusalError, OutputParserException
from langchain_core.language_models import FakeListChatModel
from langchain_core.output_parsers import PydanticOutputParser
from langchain_core.runnables import RunnableLambda
from langchain_core.tracers.base import BaseTracer
from pydantic import BaseModel, create_model

from langchain_reliable import AllModelsFailed, Candidate
from langchain_reliable._children.structured_output import OutputSpec
from langchain_reliable.testing import (
    ScriptedChatModel,
    content_then_cut,
    overloaded,
    refuses,
    says,
    tool_call,
)

# `ChatOpenAI` dumps what the SDK parsed, and pydantic says so (langchain-openai 1.7.3).
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")


class Joke(BaseModel):
    """A joke."""

    setup: str
    punchline: str


class JokeDict(TypedDict):
    """A joke."""

    setup: str
    punchline: str


SCHEMA = {**Joke.model_json_schema(), "title": "Joke"}
WHOLE = '{"setup": "why?", "punchline": "because"}'
TOLD = {"setup": "why?", "punchline": "because"}
CALLED = says(calls=[tool_call("Joke", **TOLD)])
MISFIT = says('{"setup": "why?"}')


def asked(surface, model, question="tell me a joke"):
    """Ask on a surface; a stream's last piece is what it came to."""
    if not surface.streams:
        return surface(model, question).message
    pieces = []

    class Collected:
        def stream(self, *args, **kwargs):
            pieces.extend(model.stream(*args, **kwargs))
            return iter(())

        async def astream(self, *args, **kwargs):
            pieces.extend([one async for one in model.astream(*args, **kwargs)])
            for nothing in ():
                yield nothing

    outcome = surface(Collected(), question)
    if not isinstance(outcome.error, IndexError):  # nothing was left to add up
        raise outcome.error
    return pieces[-1] if not isinstance(pieces[-1], dict) else _merged(pieces)


def _merged(pieces):
    whole = {}
    for piece in pieces:
        whole.update(piece)
    return whole


@pytest.mark.parametrize(
    "schema", [Joke, JokeDict, SCHEMA], ids=["class", "typed", "json"]
)
def test_each_child_is_asked_in_its_own_way(surface, reliable, clients, schema):
    clients.sim.script("gpt", overloaded())
    name = schema.__name__ if isinstance(schema, type) else "Joke"
    clients.sim.script("claude", says(calls=[tool_call(name, **TOLD)]))
    first = Candidate(clients.openai("gpt"), max_retries=0)
    model = reliable(first, clients.anthropic("claude"))
    told = asked(surface, model.with_structured_output(schema))
    assert (told.model_dump() if isinstance(told, BaseModel) else told) == TOLD
    by_model = {one.model: one.body for one in clients.sim.requests}
    assert by_model["gpt"]["response_format"]["type"] == "json_schema"
    assert by_model["claude"]["tool_choice"]["name"] == name


def test_the_request_is_the_bare_childs(surface, reliable, clients):
    clients.sim.script("gpt", says(WHOLE))
    child = clients.openai("gpt")
    asked(surface, child.with_structured_output(Joke))
    asked(surface, reliable(child).with_structured_output(Joke))
    bare, ours = (one.body for one in clients.sim.requests)
    assert ours == bare


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_a_method_that_one_child_has_not_is_its_own_best_there(
    reliable, clients, method
):
    clients.sim.script(
        "claude", CALLED if method == "function_calling" else says(WHOLE)
    )
    model = reliable(clients.anthropic("claude")).with_structured_output(
        Joke, method=method
    )
    assert model.invoke("?") == Joke(**TOLD)


@pytest.mark.parametrize(
    ("schema", "settings", "error", "said"),
    [
        (Joke, {"method": "zzz"}, ValueError, "one of function_calling, json_mode, js"),
        ("Joke", {}, TypeError, "of type str, .* write a pydantic class"),
        (Joke(**TOLD), {}, TypeError, "of type Joke"),
    ],
)
def test_a_wish_that_nobody_could_grant_is_refused_when_it_is_made(
    reliable, clients, schema, settings, error, said
):
    model = reliable(clients.openai("gpt"))
    with pytest.raises(error, match=said):
        model.with_structured_output(schema, **settings)


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
def test_a_misfit_is_asked_for_again(reliable, clients, way, run):
    clients.sim.script("gpt", MISFIT, says(WHOLE))
    model = reliable(clients.openai("gpt")).with_structured_output(
        Joke, include_raw=True
    )
    told = run(model.ainvoke("?")) if way == "ainvoke" else model.invoke("?")
    assert told["parsed"] == Joke(**TOLD)
    assert told["parsing_error"] is None
    kinds = told["raw"].response_metadata["reliable"]["attempts"]
    assert [one["kind"] for one in kinds] == ["invalid_output", None]


def test_a_misfit_is_asked_for_once_more_then_the_next(reliable, clients):
    clients.sim.script("claude", says("in prose"))
    clients.sim.script("gpt", says(WHOLE))
    model = reliable(clients.anthropic("claude"), clients.openai("gpt"))
    assert model.with_structured_output(Joke).invoke("?") == Joke(**TOLD)
    assert (clients.sim.count("claude"), clients.sim.count("gpt")) == (2, 1)


def test_the_last_misfit_is_returned_with_its_error(reliable, clients):
    clients.sim.script("gpt", MISFIT)
    clients.sim.script("claude", says(calls=[tool_call("Joke", setup="only")]))
    model = reliable(clients.openai("gpt"), clients.anthropic("claude"))
    told = model.with_structured_output(Joke, include_raw=True).invoke("?")
    assert told["parsed"] is None
    assert told["parsing_error"] is not None
    assert told["raw"].response_metadata["reliable"]["served_by"] == "claude"


def test_if_nothing_fits_it_says_so(reliable, clients):
    clients.sim.script("claude", says(calls=[tool_call("Joke", setup="only")]))
    model = reliable(clients.anthropic("claude")).with_structured_output(Joke)
    with pytest.raises(AllModelsFailed, match="output did not parse"):
        model.invoke("?")


def test_a_verdict_lets_the_parsers_error_leave(reliable, clients):
    clients.sim.script("claude", says(calls=[tool_call("Joke", setup="only")]))
    model = reliable(clients.anthropic("claude"), verdicts={"invalid_output": "raise"})
    with pytest.raises((OutputParserException, ValueError), match="punchline"):
        model.with_structured_output(Joke).invoke("?")


def test_prose_that_nobody_betters_is_none_as_ever(reliable, clients):
    clients.sim.script("claude", says("in prose"))
    model = reliable(clients.anthropic("claude")).with_structured_output(Joke)
    assert model.invoke("?") is None


def test_a_cut_stream_is_survived_when_it_is_held(reliable, clients):
    clients.sim.script("gpt", content_then_cut(says(WHOLE), after=1))
    clients.sim.script("claude", CALLED)
    first = Candidate(clients.openai("gpt"), max_retries=0)
    model = reliable(first, clients.anthropic("claude"), commit_on="complete")
    assert list(model.with_structured_output(Joke).stream("?"))[-1] == Joke(**TOLD)


@pytest.mark.parametrize("include_raw", [False, True])
def test_a_misfit_in_a_held_stream_is_asked_for_again(reliable, clients, include_raw):
    clients.sim.script("claude", says("in prose"), CALLED)
    model = reliable(clients.anthropic("claude"), commit_on="complete")
    view = model.with_structured_output(Joke, include_raw=include_raw)
    pieces = list(view.stream("?"))
    told = _merged(pieces)["parsed"] if include_raw else pieces[-1]
    assert told == Joke(**TOLD)
    assert clients.sim.count("claude") == 2


def test_partial_objects_flow(reliable, clients):
    clients.sim.script("gpt", says(WHOLE))
    model = reliable(clients.openai("gpt")).with_structured_output(JokeDict)
    pieces = list(model.stream("?"))
    assert pieces[-1] == TOLD


def test_in_batches(reliable, clients):
    clients.sim.script("gpt", says(WHOLE))
    model = reliable(clients.openai("gpt")).with_structured_output(Joke)
    assert model.batch(["a", "b"]) == [Joke(**TOLD)] * 2


def test_a_cached_answer_is_read_all_the_same(reliable, clients):
    clients.sim.script("gpt", says(WHOLE))
    model = reliable(clients.openai("gpt"), cache=InMemoryCache())
    view = model.with_structured_output(Joke, method="function_calling")
    clients.sim.script("gpt", CALLED)
    assert view.invoke("?") == view.invoke("?") == Joke(**TOLD)
    assert clients.sim.count("gpt") == 1
    clients.sim.script("gpt", says(WHOLE))
    assert model.with_structured_output(JokeDict).invoke("?") == TOLD


@pytest.mark.parametrize("whose", ["the model's", "the child's"])
def test_a_misfit_is_not_kept(reliable, clients, whose):
    fits, misfit = says(WHOLE), says("in prose")
    clients.sim.script("m", misfit, misfit, fits)
    cache = InMemoryCache()
    own = {"cache": cache} if whose == "the child's" else {}
    of_all = {} if own else {"cache": cache}
    model = reliable(clients.openai("m", **own), max_retries=1, **of_all)
    asked = model.with_structured_output(
        JokeDict, include_raw=True, method="json_schema"
    )
    assert asked.invoke("?")["parsed"] is None
    assert asked.invoke("?")["parsed"] == TOLD
    assert asked.invoke("?")["parsed"] == TOLD
    assert clients.sim.count("m") == 3


def test_two_schemas_of_one_name_share_no_answers(reliable, clients):
    def joke(field):
        fields = {field: (str, ...), "__doc__": "A joke."}
        return create_model("Joke", **fields)

    clients.sim.script("gpt", says('{"one": "x", "other": "y"}'))
    cached = {"cache": InMemoryCache()}
    model = reliable(clients.openai("gpt"), **cached)
    one, other = joke("one"), joke("other")
    assert repr(one) == repr(other)
    for schema in (one, other, one, other, joke("one"), None, None):
        method = "json_mode" if schema is None else "json_schema"
        model.with_structured_output(schema, method=method).invoke("json?")
    # The same form under the same name is the same request.
    assert clients.sim.count("gpt") == 3


def test_what_cannot_be_written_down_shares_no_answers():
    class Odd:
        def __repr__(self):
            return "Odd"

    one, other = (OutputSpec(Odd(), {}, include_raw=False) for _ in range(2))
    assert repr(one) == repr(other)
    assert one.key == one.key != other.key


def test_who_answered_reads_it_though_another_was_asked_since(reliable, clients):
    clients.sim.script("claude", says("in prose"))
    clients.sim.script("gpt", overloaded())
    model = reliable(clients.anthropic("claude"), clients.openai("gpt"), max_retries=0)
    told = model.with_structured_output(Joke, include_raw=True).invoke("?")
    assert told["raw"].text == "in prose"
    assert told["parsed"] is None
    assert told["parsing_error"] is None  # with the other's parser there would be one


REFUSALS = {
    "a refusal of OpenAI": ("gpt", refuses("SECRET"), {}),
    "a filter that let no tool be called": (
        "gpt",
        says("SECRET", finish="content_filter"),
        {"method": "function_calling"},
    ),
    "a refusal of Anthropic": ("claude", refuses("SECRET"), {}),
}


@pytest.fixture(params=REFUSALS.values(), ids=list(REFUSALS))
def declined(request, reliable, clients):
    """A view of a model whose first child declines, and the child's own view."""
    family, answer, settings = request.param
    clients.sim.script(family, *[answer] * 4)
    clients.sim.script("backup", says(WHOLE, calls=[tool_call("Joke", **TOLD)]))
    child = clients.openai("gpt") if family == "gpt" else clients.anthropic("claude")

    def view(*, bare=False, verdicts=None, **more):
        model = reliable(child, clients.openai("backup"), verdicts=verdicts or {})
        one = child if bare else model
        return one.with_structured_output(Joke, **settings, **more)

    return view


@pytest.mark.parametrize("how", ["invoke", "ainvoke"])
def test_a_refusal_leaves_as_it_would_of_the_child(declined, run, how):
    def raised(view):
        with pytest.raises(ModelRefusalError) as caught:
            run(view.ainvoke("?")) if how == "ainvoke" else view.invoke("?")
        return caught.value

    alone, ours = raised(declined(bare=True)), raised(declined())
    assert type(alone) is type(ours)
    assert str(alone) == str(ours)
    assert "content policy" in ours.__notes__[0]
    assert "SECRET" not in ours.__notes__[0]


def test_a_refusal_may_be_told_to_go_on(declined):
    view = declined(verdicts={"content_policy": "next"})
    assert view.invoke("?") == Joke(**TOLD)


def test_a_refusal_beside_its_message_is_an_answer(declined, clients):
    told = declined(include_raw=True).invoke("?")
    assert isinstance(told["parsing_error"], ModelRefusalError)
    assert told["raw"].response_metadata["reliable"]["failed_over"] is False
    assert len(clients.sim.requests) == 1


class Tree(BaseTracer):
    """Hears what a tracer is told: runs, and the runs within."""

    def __init__(self):
        super().__init__()
        self.roots = []

    def _persist_run(self, run):
        self.roots.append(run)

    @property
    def steps(self):
        [root] = self.roots
        return [(one.run_type, one.outputs) for one in root.child_runs]


@pytest.mark.parametrize("family", ["gpt", "claude"])
def test_tracers_see_the_model_and_then_the_parser(surface, reliable, clients, family):
    clients.sim.script(family, says(WHOLE) if family == "gpt" else CALLED)
    child = clients.openai("gpt") if family == "gpt" else clients.anthropic("claude")
    seen = []
    for model in (child, reliable(child)):
        tree = Tree()
        view = model.with_structured_output(Joke).with_config(callbacks=[tree])
        assert asked(surface, view) == Joke(**TOLD)
        seen.append([(kind, outputs.keys()) for kind, outputs in tree.steps])
        assert tree.steps[-1][1] == {"output": Joke(**TOLD)}
    assert seen[0] == seen[1]
    assert seen[1][0][0] == "llm"
    assert len(seen[1]) >= 2  # langchain-openai 1.7.4 looks for a refusal in between


def test_a_child_that_cannot_is_passed_over(reliable, clients):
    clients.sim.script("gpt", says(WHOLE))
    cannot = FakeListChatModel(responses=["no forms here"])
    model = reliable(cannot, clients.openai("gpt")).with_structured_output(Joke)
    assert model.invoke("?") == Joke(**TOLD)


def test_a_child_whose_form_cannot_be_taken_apart_is_passed_over(reliable, clients):
    class Opaque(ScriptedChatModel):
        def with_structured_output(self, *args, **kwargs):
            return RunnableLambda(lambda _: Joke(**TOLD))

    clients.sim.script("gpt", says(WHOLE))
    model = reliable(Opaque(), clients.openai("gpt")).with_structured_output(
        Joke, include_raw=True
    )
    told = model.invoke("?")
    assert told["parsed"] == Joke(**TOLD)
    assert told["raw"].response_metadata["reliable"]["served_by"] == "gpt"


def test_if_none_can_the_first_error_surfaces(reliable):
    cannot = FakeListChatModel(responses=["no forms here"])
    with pytest.raises(NotImplementedError):
        reliable(cannot, cannot).with_structured_output(Joke).invoke("?")


def test_under_a_token_listener_the_answer_is_read_too(reliable, clients, run):
    clients.sim.script("gpt", says(WHOLE))
    model = reliable(clients.openai("gpt")).with_structured_output(Joke)

    async def node(_):
        return await model.ainvoke("?")

    async def go():
        around = RunnableLambda(node)
        return [one async for one in around.astream_events("", version="v2")]

    events = run(go())
    assert events[-1]["data"]["output"] == Joke(**TOLD)
    starts = [one for one in events if one["event"] == "on_chat_model_start"]
    assert len(starts) == 1


class KnowsNoRaw(ScriptedChatModel):
    """As `ChatCohere` (0.6.0): what it does not know is sent to its API."""

    def with_structured_output(self, schema, *, method="json_mode", **kwargs):
        return self.bind(**kwargs) | PydanticOutputParser(pydantic_object=schema)


@pytest.mark.parametrize("include_raw", [False, True], ids=["parsed", "raw"])
def test_keywords_of_ours_reach_nobody_who_has_no_use_for_them(reliable, include_raw):
    child = KnowsNoRaw(script=[says(WHOLE)])
    model = reliable(child).with_structured_output(Joke, include_raw=include_raw)
    answer = model.invoke("tell me a joke")
    assert "include_raw" not in child.requests[0].kwargs
    if include_raw:
        assert (answer["raw"].text, answer["parsing_error"]) == (WHOLE, None)
        answer = answer["parsed"]
    assert answer == Joke(**TOLD)


def test_who_knows_no_raw_may_misread_it_too(reliable):
    child = KnowsNoRaw(script=[MISFIT])
    model = reliable(child, max_retries=0)
    answer = model.with_structured_output(Joke, include_raw=True).invoke("a joke")
    assert answer["parsed"] is None
    assert isinstance(answer["parsing_error"], OutputParserException)
