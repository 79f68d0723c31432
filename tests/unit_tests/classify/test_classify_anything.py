"""Whatever comes, `classify` answers, and soon."""

from __future__ import annotations

import timeit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_reliable._classify import interpreter
from langchain_reliable._classify.interpreter import classify
from langchain_reliable.failures import Failure, FailureKind

TEXTS = st.text(max_size=400) | st.sampled_from(
    ["{'code': '", '{"error": {"code": ', "429 ", "try again in 1", "\\\\\\'", "\ud800"]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.binary()
BODIES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["error", "code", "type", "message", "details", "status", "retryDelay"]
            )
            | TEXTS,
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(
    text=TEXTS,
    body=BODIES,
    status=LEAVES,
    headers=st.dictionaries(
        st.sampled_from(["retry-after", "date", "x-ratelimit-reset"]) | TEXTS, LEAVES
    ),
)
def test_any_shape_is_answered(text, body, status, headers):
    raised = type("StrangeError", (Exception,), {})(text, body)
    raised.body, raised.status_code, raised.headers = body, status, headers
    raised.code = raised.details = raised.response = body
    failure = classify(raised, 0.0)
    assert isinstance(failure, Failure)
    assert len(failure.summary) <= 200
    assert failure.retry_after is None or failure.retry_after >= 0


@settings(max_examples=200, deadline=None)
@given(text=TEXTS)
def test_any_text_is_answered(text):
    assert isinstance(classify(RuntimeError(text)), Failure)
    assert classify(TypeError(text)) is None


class Hostile(Exception):
    """Every look at it raises."""

    def __str__(self):
        raise RuntimeError

    def __getattr__(self, name):
        raise RuntimeError

    @property
    def body(self):
        raise RuntimeError


def test_an_exception_that_will_not_be_looked_at_is_unknown():
    assert classify(Hostile()).kind == "unknown"


def test_an_error_of_our_own_hides_nothing(monkeypatch):
    def broken(*_):
        raise ValueError

    monkeypatch.setattr(interpreter, "_classify", broken)
    failure = classify(RuntimeError("x"))
    assert failure == Failure(kind=FailureKind.UNKNOWN, summary="RuntimeError")


PIECES = [
    "a",
    " ",
    "{",
    "\\",
    "'code':",
    "code ",
    "error code: ",
    "try again in 1s ",
    "try again in ",
    "429 ",
    "the model `",
    "1m",
    "<html",
    '{"a":',
    "sk-",
    "`",
    "[",
]


@pytest.mark.parametrize("piece", PIECES)
def test_a_megabyte_takes_no_longer_than_its_length(piece):
    text = piece * (1_000_000 // len(piece))
    for raised in (RuntimeError(text), shaped(text), shaped({"message": text})):
        seconds = timeit.timeit(lambda raised=raised: classify(raised), number=1)
        assert seconds < 10  # linear; anything worse would take minutes


def shaped(body):
    raised = RuntimeError("x")
    raised.status_code, raised.body = 400, body
    return raised


def test_a_deep_body_is_looked_at_only_so_far():
    body = {"code": "insufficient_quota"}
    for _ in range(100_000):
        body = {"error": body}
    assert classify(shaped(body)).kind == "bad_request"
    body = '{"error":' * 100_000
    assert classify(shaped(body)).kind == "bad_request"
    assert classify(shaped([{"x": []}] * 10_000)).kind == "bad_request"
    while isinstance(body, dict):  # taken apart by hand: freeing it would recurse
        body = body.get("error")
