"""What others write (errors, names) comes out plain, wherever it is shown."""

from __future__ import annotations

import json
import logging
import xml.dom.minidom

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableLambda
from pydantic import SecretStr

from langchain_reliable import (
    Candidate,
    CustomEventObserver,
    ReliableChatModel,
    StreamInterrupted,
)
from langchain_reliable.observers import Timeline
from langchain_reliable.testing import ScriptedChatModel, fails

TRICKS = "a\x1b[31mred\x1b]0;title\x07 b\x9b31m c\x00 d\u202eabc\r\nforged\u2028line"
KEY = "a1b2c3d4e5f60718293a4b5c6d7e8f90"
SAID = f"{TRICKS} {KEY} and {KEY[:22]} and <b>&"


class Down(Exception):
    status_code = 500


class Keyed(ScriptedChatModel):
    api_key: SecretStr = SecretStr(KEY)


class Listener(BaseCallbackHandler):
    def __init__(self):
        self.heard = []

    def on_custom_event(self, name, data, **_):
        self.heard.append(data)


def keyed(name, *script):
    return Keyed(model=name, script=list(script))


def watch(text):
    """Assert that a text neither steers what shows it nor tells the key."""
    steers = [one for one in "\x1b\x07\x9b\x00\u202e\u2028\r" if one in text]
    assert not steers, text
    assert "\nforged" not in text
    assert not any(KEY[at : at + 9] in text for at in range(24)), text


NAMES = pytest.mark.parametrize("name", [None, TRICKS], ids=["plain", "tricky name"])


@NAMES
def test_a_call_that_nobody_answers(reliable, surface, caplog, name):
    timeline = Timeline()
    children = [keyed(one, Down(SAID)) for one in "ab"]
    named = [Candidate(one, **({"name": name} if name else {})) for one in children]
    model = reliable(*named, max_retries=0, observers=[timeline])
    with caplog.at_level(logging.DEBUG):
        error = surface(model).error
    for text in (
        str(error),
        caplog.text,
        error.attempts[0].failure.summary,
        error.attempts[0].candidate,
        str(model.health),
        repr(model.health),
        model.health._repr_html_(),
        model._repr_html_(),
        repr(model),
        str(timeline.last),
        timeline.last.svg,
        timeline.last._repr_html_(),
        str(model.check(5)),
        model.check(5)._repr_html_(),
    ):
        watch(text)
    xml.dom.minidom.parseString(timeline.last.svg)  # noqa: S318 - our own
    assert KEY in str(error.attempts[0].error)  # the provider's own: as it came


@NAMES
def test_an_error_that_leaves_as_it_came_has_a_plain_note(reliable, surface, name):
    candidate = Candidate(keyed("a", Down(SAID)), **({"name": name} if name else {}))
    error = surface(reliable(candidate, max_retries=0)).error
    assert str(error) == SAID
    watch("\n".join(error.__notes__))


@NAMES
def test_the_trail_of_an_answer(reliable, surface, name):
    candidate = Candidate(keyed("a", Down(SAID)), **({"name": name} if name else {}))
    model = reliable(candidate, keyed("b", "hello"), max_retries=0)
    trail = surface(model).message.response_metadata["reliable"]
    watch(json.dumps(trail, ensure_ascii=False))


@NAMES
def test_custom_events(reliable, name):
    named = {"name": name} if name else {}
    model = reliable(
        Candidate(keyed("a", Down(SAID)), **named),
        keyed("b", "hello"),
        observers=[CustomEventObserver()],
        max_retries=0,
    )
    listener = Listener()
    chain = RunnableLambda(lambda asked: asked) | model
    chain.invoke("hi", {"callbacks": [listener]})
    assert listener.heard
    watch(json.dumps(listener.heard, ensure_ascii=False))


def test_a_model_name_out_of_a_call(reliable, surface, caplog):
    timeline = Timeline()
    children = [keyed(one, Down("x")) for one in "ab"]
    model = reliable(*children, max_retries=0, observers=[timeline])
    with caplog.at_level(logging.DEBUG):
        error = surface(model, model=TRICKS).error
    texts = [str(error), caplog.text, str(model.health), str(timeline.last)]
    for text in [*texts, timeline.last.svg, timeline.last._repr_html_()]:
        watch(text)


def test_a_stream_that_breaks_after_its_first_word(reliable):
    child = keyed("a", fails(Down(SAID), after=2))
    model = reliable(Candidate(child, name=TRICKS))
    with pytest.raises(StreamInterrupted) as caught:
        list(model.stream("hi"))
    watch(str(caught.value))
    watch(caught.value.served_by)


def test_two_names_that_look_alike_are_told_apart():
    children = [Candidate(keyed("a"), name=f"a{one}") for one in ("", "\x00", "\u202e")]
    model = ReliableChatModel(models=children)
    assert model.model_name == "a | a #2 | a #3"
