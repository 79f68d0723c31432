"""What health shows of load, speed and limits; and waiting until one is idle."""

from __future__ import annotations

import gc
import json
import os
import threading
from collections.abc import Generator

import pytest

from langchain_reliable import Candidate, Group, Health
from langchain_reliable.testing import ScriptedChatModel, fails, says


def child(name, *script, **fields):
    return ScriptedChatModel(
        model=name, script=list(script) or [says(f"from {name}")], **fields
    )


@pytest.fixture
def health(clock):
    made = Health()
    made._clock = clock
    return made


def row(health, name):
    [found] = [one for one in health.as_dict()["candidates"] if one["name"] == name]
    return found


@pytest.mark.parametrize("limits", [{}, {"rpm": 600}], ids=["plain", "limited"])
def test_shows_what_is_in_flight_and_how_fast_it_is(reliable, clock, health, limits):
    a = child("a", says("from a", delay=2.0), clock=clock)
    model = reliable(Candidate(a, **limits), health=health)
    stream = model.stream("hello?")
    next(stream)
    other = model.stream("hello?")
    next(other)
    assert row(health, "a")["in_flight"] == 2
    list(stream)
    del other
    gc.collect()
    model.invoke("hello?")
    told = row(health, "a")
    assert (told["in_flight"], told["first_word"], told["whole_answer"]) == (0, 2, 2)
    assert json.dumps(health.as_dict())


def test_a_table_has_the_columns_that_say_something(reliable, clock, health):
    a = child("a", says("from a", delay=0.5), clock=clock)
    model = reliable(Candidate(a, rpm=10, max_parallel_requests=2), health=health)
    stream = model.stream("hello?")
    next(stream)
    head, told = str(health).splitlines()
    assert head.split("  ")[0] == "candidate"
    assert " ".join(told.split()) == (
        "a closed 1 0.50 s rpm 92%, max_parallel_requests 50%"
    )
    assert "rpm 92%" in health._repr_html_()
    assert "whole answer" not in head
    stream.close()
    assert "max_parallel_requests 0%" in str(health)


@pytest.mark.parametrize("end", [list, Generator.close], ids=["ends", "is closed"])
@pytest.mark.parametrize("limits", [{}, {"rpm": 600}], ids=["plain", "limited"])
def test_drains(reliable, clock, health, limits, end, run):
    model = reliable(
        Candidate(child("a"), name="a", **limits), child("b"), health=health
    )
    stream = model.stream("hello?")
    next(stream)
    began = clock.time
    assert health.drain("a", timeout=3.0) is False
    assert clock.time == pytest.approx(began + 3.0)
    assert run(health.adrain("a", timeout=1.0)) is False
    assert model.invoke("hello?").text == "from b"
    end(stream)
    assert health.drain("a", timeout=3.0) is True
    assert run(health.adrain("a")) is True
    health.reset("a")
    assert model.invoke("hello?").text == "from a"


def test_whatever_ends_an_attempt_ends_what_is_in_flight(surface, reliable, health):
    bug = child("a", fails(ConnectionError("reset")), fails(KeyError("bug")), "well")
    model = reliable(bug, child("b"), max_retries=0, health=health)
    for _ in range(3):
        surface(model)
    assert [one["in_flight"] for one in health.as_dict()["candidates"]] == [0, 0]


def test_one_health_knows_the_load_of_all_its_models(reliable, health):
    a, b = child("a"), child("b")
    plain = reliable(Candidate(a, name="a"), health=health)
    group = Group([Candidate(a, name="a"), Candidate(b, name="b")], order="least_busy")
    model = reliable(group, health=health)
    streams = [plain.stream("hello?") for _ in range(2)]
    for stream in streams:
        next(stream)
    assert {model.invoke("hello?").text for _ in range(3)} == {"from b"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_begins_with_nothing_in_flight(reliable, health):
    limited = Candidate(child("a"), max_parallel_requests=1, name="a")
    model = reliable(limited, child("b"), health=health)
    stream = model.stream("hello?")
    next(stream)
    is_held, forked = threading.Event(), threading.Event()

    def hold():
        with health.book._lock:  # by a thread that does not exist in the child
            is_held.set()
            forked.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    is_held.wait()
    if (process := os.fork()) == 0:
        asked = [model.invoke("hello?").text for _ in range(2)]
        stream.close()
        os._exit(asked != ["from a", "from a"])
    forked.set()
    holder.join()
    _, status = os.waitpid(process, 0)
    stream.close()
    assert status == 0
