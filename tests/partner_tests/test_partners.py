"""What every partner class gets, seen at a server that speaks its API."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from our_threads import wait_for_rest
from partner_classes import KEY, OTHER_KEY
from pydantic import BaseModel

from langchain_reliable import (
    Candidate,
    ReliableChatModel,
    StreamInterrupted,
    rotate_keys,
)
from langchain_reliable.testing import (
    ScriptedChatModel,
    content_then_cut,
    content_then_error,
    empty_body,
    error_status,
    hang_before_headers,
    keep_alives_then_silence,
    malformed_event,
    no_finish,
    overloaded,
    rate_limited,
    reset,
    role_then_cut,
    role_then_error,
    role_then_silence,
    says,
    tool_call,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.messages import AIMessage
    from partner_classes import PartnerClass

    from langchain_reliable.testing import SimulatedRequest, Simulator

    Asked = Callable[[Any, str], AIMessage]

pytestmark = pytest.mark.filterwarnings("ignore")  # the packages' own

SURFACES = ("invoke", "ainvoke", "stream", "astream")
on_each_surface = pytest.mark.parametrize("surface", SURFACES)
WORDS = "one two three four five six seven eight"


def reliable(*children: Any, **settings: Any) -> ReliableChatModel:
    quick = {"initial_backoff": 0, "circuit_breaker": None, "max_retries": 0}
    return ReliableChatModel(models=list(children), **{**quick, **settings})


def backup() -> ScriptedChatModel:
    return ScriptedChatModel(model="backup", script=["from the backup"])


def state(model: Any) -> dict[str, Any]:
    """Return what a model holds; objects by themselves, plain values by value."""
    values = {**model.__dict__, **(model.__pydantic_private__ or {})}
    return {
        name: value if isinstance(value, (str, int, float, bool)) else id(value)
        for name, value in values.items()
    }


# --- accepted -----------------------------------------------------------------------


@pytest.mark.shows("accepted")
@on_each_surface
def test_it_answers_and_stays_as_it_was(
    partner: PartnerClass, sim: Simulator, surface: str, asked: Asked
) -> None:
    child = partner.make(sim)
    child.invoke("hi")  # what it makes at first use is made
    before = state(child)
    assert asked(reliable(child), surface).text == f"Hello from {partner.model}."
    assert state(child) == before


# --- retries ------------------------------------------------------------------------


@pytest.mark.shows("retries off")
@on_each_surface
def test_one_attempt_is_one_request(
    partner: PartnerClass, sim: Simulator, surface: str, asked: Asked
) -> None:
    model = reliable(partner.make(sim), backup())
    for status in (503, 500, 502, 429):
        before = sim.count()
        sim.script(partner.model, error_status(status))
        assert asked(model, surface).text == "from the backup"
        assert sim.count() - before == 1, status


# --- silence ------------------------------------------------------------------------


@pytest.mark.shows("silent socket")
@on_each_surface
def test_a_silent_socket_is_given_up_soon(
    partner: PartnerClass, sim: Simulator, surface: str, asked: Asked
) -> None:
    silent = role_then_silence() if "stream" in surface else hang_before_headers()
    limits = {"attempt_timeout": 0.3, "first_chunk_timeout": 0.3, "idle_timeout": 0.3}
    model = reliable(Candidate(partner.make(sim), **limits), backup())
    for fault in (silent, keep_alives_then_silence(every=0.02)):
        sim.script(partner.model, fault)
        assert asked(model, surface).text == "from the backup"
        sim.wait_closed(timeout=15)
    assert wait_for_rest(15)


@pytest.mark.parametrize("surface", ["stream", "astream"])
def test_nor_is_one_kept_by_pings(
    partner: PartnerClass, sim: Simulator, surface: str, asked: Asked
) -> None:
    sim.script(partner.model, keep_alives_then_silence(every=0.05))
    model = reliable(partner.make(sim), backup(), first_chunk_timeout=0.3)
    assert asked(model, surface).text == "from the backup"
    sim.wait_closed()


# --- healthy ------------------------------------------------------------------------


class Joke(BaseModel):
    """A joke."""

    setup: str
    rating: int


JOKE = {"setup": "knock", "rating": 7}
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "where"}},
            "required": ["city"],
        },
    },
}


@tool
def weather(city: str) -> str:
    """Weather of a city."""
    return city


def in_form(request: SimulatedRequest) -> Any:
    """Answer as the request asks: by calling the tool it has, else in JSON."""
    if not any(name in request.body for name in ("tools", "toolConfig")):
        return says(json.dumps(JOKE))
    if "weather" in json.dumps(request.body):
        return says(calls=[tool_call("weather", city="Rome")])
    return says(calls=[tool_call("Joke", **JOKE)])


def told(message: AIMessage) -> dict[str, Any]:
    """Return what a message says, without ids and moments."""
    calls = [{**call, "id": None} for call in message.tool_calls]
    return {
        "text": message.text,
        "usage": message.usage_metadata,
        "calls": calls,
        "provider": message.response_metadata.get("model_provider"),
        "finish": message.response_metadata.get("finish_reason"),
    }


@pytest.mark.shows("same answer")
@on_each_surface
def test_it_says_and_calls_what_it_does_alone(
    partner: PartnerClass, sim: Simulator, surface: str, asked: Asked
) -> None:
    child = partner.make(sim)
    model = reliable(child)
    sim.script(partner.model, says(WORDS))
    assert told(asked(model, surface)) == told(asked(child, surface))
    if "stream" in surface and not partner.reads_pieces:
        return
    sim.script(partner.model, in_form)
    alone = of_tools(asked, child, surface)
    assert of_tools(asked, model, surface) == alone
    assert alone is None or alone["calls"]


def of_tools(asked: Asked, model: Any, surface: str) -> dict[str, Any] | None:
    """Return what a call of a tool comes to; `None` where a class can't read one."""
    try:
        return told(asked(model.bind_tools([WEATHER]), surface))
    except Exception:  # noqa: BLE001 - ChatPerplexity wants a text beside it
        return None


def form_of(model: Any, settings: dict[str, Any]) -> Any:
    """Return what structured output comes to: the form, or that there is none."""
    try:
        answer = model.with_structured_output(Joke, **settings).invoke("a joke")
    except Exception:  # noqa: BLE001 - not every class knows every way
        return None
    return answer


@pytest.mark.shows("same answer")
@on_each_surface
def test_so_it_does_where_it_may_not_stream(
    partner: PartnerClass, sim: Simulator, surface: str, asked: Asked
) -> None:
    child = partner.make(sim, disable_streaming=True)
    assert told(asked(reliable(child), surface)) == told(asked(child, surface))


@pytest.mark.shows("same answer")
def test_tools_that_were_bound_before_are_called(
    partner: PartnerClass, sim: Simulator, asked: Asked
) -> None:
    sim.script(partner.model, in_form)
    bound = partner.make(sim).bind_tools([weather])
    try:
        alone = told(asked(bound, "invoke"))
    except Exception:  # noqa: BLE001 - ChatPerplexity wants a text beside a call
        pytest.skip("it reads no call of a tool")
    for child in (bound, RunnableLambda(lambda messages: messages) | bound):
        assert told(asked(reliable(child), "invoke")) == alone


@pytest.mark.shows("same answer")
def test_it_gives_structured_output_as_it_does_alone(
    partner: PartnerClass, sim: Simulator
) -> None:
    sim.script(partner.model, in_form)
    child = partner.make(sim)
    model = reliable(child)
    for method in (None, "function_calling", "json_mode", "json_schema"):
        settings = {"method": method} if method else {}
        alone, ours = form_of(child, settings), form_of(model, settings)
        # Where the child knows no way, ours is free to find another.
        assert ours == alone or (alone is None and ours in (Joke(**JOKE), JOKE)), method


# --- faults -------------------------------------------------------------------------

KNOWN_ENDS = ("backup", "interrupted", "whole")
BEFORE = {
    "overloaded": overloaded(),
    "reset": reset(),
    "empty body": empty_body(),
    "error": role_then_error(),
    "cut at once": role_then_cut(),
}
AFTER = {
    "cut": content_then_cut(WORDS),
    "error in mid-answer": content_then_error(WORDS),
    "no finish": no_finish(WORDS),
    "malformed": malformed_event(WORDS),
}


def end_of(asked: Asked, model: Any, surface: str) -> str:
    """Return what a faulty first child comes to, in a word."""
    try:
        text = asked(model, surface).text
    except StreamInterrupted as broken:
        part = broken.partial.text.strip()
        is_part = WORDS.startswith(part) and "stream" in surface
        return "interrupted" if is_part else f"interrupted after {part!r}"
    except Exception as error:  # noqa: BLE001 - what came of it is compared
        return repr(error)
    return {"from the backup": "backup", WORDS: "whole"}.get(text, repr(text))


@pytest.mark.shows("faults")
@on_each_surface
def test_half_an_answer_is_never_taken_for_a_whole_one(
    partner: PartnerClass, sim: Simulator, surface: str, asked: Asked
) -> None:
    model = reliable(partner.make(sim), backup())
    ends = {}
    for name in {**BEFORE, **AFTER}.keys() - set(partner.unseen):
        fault = {**BEFORE, **AFTER}[name]
        sim.script(partner.model, fault)
        ends[name] = end_of(asked, model, surface)
    hidden = {name: ends.pop(name) for name in BEFORE}
    assert hidden == dict.fromkeys(BEFORE, "backup")
    assert not {n: end for n, end in ends.items() if end not in KNOWN_ENDS}


# --- keys ---------------------------------------------------------------------------


@pytest.mark.shows("no keys")
def test_a_key_is_nowhere(
    partner: PartnerClass, sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "langchain_reliable")
    sim.script(partner.model, error_status(401, message=f"wrong key: Bearer {KEY}"))
    children = [partner.make(sim), partner.make(sim, OTHER_KEY)]
    model = reliable(*children, observers=[])
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it leaves as
        model.invoke("hi")
    answer = reliable(*children, backup()).invoke("hi")
    ours = [one.getMessage() for one in caplog.records if "reliable" in one.name]
    texts = [str(caught.value), repr(model), repr(answer), *ours]
    texts += [str(one) for one in getattr(caught.value, "attempts", ())]
    assert not [one for one in texts if KEY in one or KEY[8:30] in one]


@pytest.mark.shows("rotate_keys")
def test_its_keys_take_turns(partner: PartnerClass, sim: Simulator) -> None:
    if partner.key is None:
        partner.make(sim)
        pytest.skip("it has no key of this kind")
    sim.script(partner.model, rate_limited(), "with the second")
    group = rotate_keys(partner.make(sim), [KEY, OTHER_KEY])
    assert reliable(group).invoke("hi").text == "with the second"
    assert [request.key for request in sim.requests] == [KEY, OTHER_KEY]
