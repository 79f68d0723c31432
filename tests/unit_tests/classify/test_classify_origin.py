"""Whose exception it is: what must pass untouched, and what is the child's."""

from __future__ import annotations

import asyncio
import sys
import types
from dataclasses import replace

import openai
import pytest
from langchain_core.tools import ToolException
from langchain_openai import ChatOpenAI
from langgraph.errors import (
    GraphBubbleUp,
    GraphInterrupt,
    GraphRecursionError,
    ParentCommand,
)
from langgraph.types import Command
from pydantic import BaseModel
from vcr.errors import CannotOverwriteExistingCassetteException

from langchain_reliable._classify.interpreter import classify
from langchain_reliable.failures import Failure, FailureKind


class Person(BaseModel):
    age: int


def raised_by(call):
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - any, and all are looked at
        call()
    return caught.value


def unparsable():
    return raised_by(lambda: Person(age="old"))


def rate_limit():
    made = type("RateLimitError", (Exception,), {"__module__": "openai"})()
    made.status_code = 429
    return made


def chained(raised, *, cause=None, context=None):
    raised.__cause__ = cause
    raised.__context__ = context
    return raised


def cassette_miss():
    return CannotOverwriteExistingCassetteException.__new__(
        CannotOverwriteExistingCassetteException
    )


PASSING = [
    ("cancellation", asyncio.CancelledError()),
    ("an interrupt from the keyboard", KeyboardInterrupt()),
    ("the end of a generator", GeneratorExit()),
    ("the end of the program", SystemExit()),
    ("a group with a cancellation in it", BaseExceptionGroup("g", [SystemExit()])),
    ("an interrupt of a graph", GraphInterrupt()),
    ("the bubbling of a graph", GraphBubbleUp()),
    ("a command to a parent", ParentCommand(Command())),
    ("a graph that goes on for ever", GraphRecursionError("x")),
    ("a tool's failure", ToolException("x")),
    ("a wrong type", TypeError("x")),
    ("a missing key", KeyError("x")),
    ("a missing index", IndexError("x")),
    ("a missing attribute", AttributeError("x")),
    ("a failed assertion", AssertionError("x")),
    ("a missing name", NameError("x")),
    ("a missing module", ModuleNotFoundError("x")),
    ("what is not there yet", NotImplementedError("x")),
    ("a division by nothing", ZeroDivisionError("x")),
    ("too deep a recursion", RecursionError("x")),
    ("a model of the user's that does not validate", unparsable()),
    ("a class of the user's with a builtin base", type("Mine", (KeyError,), {})("x")),
    (
        "a bug while handling a rate limit",
        chained(AttributeError("x"), context=rate_limit()),
    ),
    ("a bug made of an unknown error", chained(TypeError("x"), cause=ValueError("y"))),
    ("a test's missing cassette", cassette_miss()),
    (
        "a test's missing cassette, well hidden",
        chained(rate_limit(), cause=chained(ValueError(), context=cassette_miss())),
    ),
    ("a group with a bug in it", ExceptionGroup("g", [rate_limit(), TypeError("x")])),
    (
        "an error made of a cancellation",
        chained(RuntimeError("x"), cause=asyncio.CancelledError()),
    ),
    (
        "an error made of an interrupt of a graph",
        chained(RuntimeError("x"), cause=GraphInterrupt()),
    ),
]


@pytest.mark.parametrize(
    "raised", [row[1] for row in PASSING], ids=[r[0] for r in PASSING]
)
def test_what_is_no_providers_failure_passes(raised):
    assert classify(raised) is None


def test_a_timeout_made_of_a_cancellation_is_a_timeout():
    raised = chained(TimeoutError(), cause=asyncio.CancelledError())
    assert classify(raised).kind == "timeout"


def test_a_mistake_made_on_purpose_of_a_providers_error_is_that_error():
    raised = chained(KeyError("x"), cause=rate_limit())
    assert classify(raised).kind == "rate_limited"


def in_module(name, source, **names):
    """Run a piece of code as if it stood in that module; return what it raises."""
    space = {"__name__": name, **names}
    exec(compile(source, f"<{name}>", "exec"), space)  # noqa: S102 - our own text
    return raised_by(space["run"])


PLACES = [
    ("langchain_openai.chat_models.base", "_create_chat_result", "bad_stream"),
    ("langchain_openai.chat_models.base", "_get_request_payload", "bad_request"),
    ("langchain_openai.chat_models.base", "_stream", "bad_stream"),
    ("langchain_anthropic.chat_models", "_format_messages", "bad_request"),
    ("openai._base_client", "_build_request", "bad_request"),
    ("google.genai.models", "_response_parts", "bad_stream"),
    ("botocore.client", "anything", "unknown"),
    ("langchain_community.chat_models.tongyi", "x_to_dict", "bad_request"),
    ("langchain_core.language_models.chat_models", "_generate", None),
    ("langchain_community.tools.search", "run_", None),
    ("langgraph.pregel", "run_", None),
    ("app.models", "_generate", None),
    ("json.decoder", "decode", None),
]


@pytest.mark.parametrize(("module", "function", "kind"), PLACES)
def test_a_mistake_belongs_to_where_it_was_raised(module, function, kind):
    source = f"def {function}(): {{}}['x']\ndef run(): {function}()"
    failure = classify(in_module(module, source))
    assert (failure and failure.kind) == kind


def test_helpers_between_the_sdk_and_the_mistake_are_looked_through():
    helper = in_module  # the innermost frame stands in a helper
    inner = "def run(): raise KeyError('x')"

    def call():
        raise helper("pydantic.main", inner)

    raised = in_module("openai._models", "def run(): call()", call=None)
    assert classify(raised).kind == "unknown"  # None is not callable

    space = {"__name__": "pydantic.main"}
    exec("def build(): raise KeyError('x')", space)  # noqa: S102 - our own text
    raised = in_module("openai._models", "def run(): build()", build=space["build"])
    assert classify(raised).kind == "unknown"


def test_a_callback_of_the_user_that_an_sdk_called_is_the_users():
    def callback():
        raise KeyError("mine")

    raised = in_module(
        "openai._base_client", "def run(): callback()", callback=callback
    )
    assert classify(raised) is None


def test_a_module_without_a_name_is_known_by_its_file():
    for path, kind in (
        ("/venv/lib/site-packages/openai/_client.py", "unknown"),
        ("/home/me/app.py", None),
    ):
        space = {}
        exec(compile("def run(): {}['x']", path, "exec"), space)  # noqa: S102 - our own text
        space["__name__"] = "__main__"
        failure = classify(raised_by(space["run"]))
        assert (failure and failure.kind) == kind


def test_a_long_traceback_is_looked_at_from_its_end():
    source = "def run(n=300):\n    if n: return run(n - 1)\n    {}['x']"
    assert classify(in_module("openai.long", source)).kind == "unknown"
    assert classify(in_module("app.long", source)) is None


def test_a_traceback_without_end_is_cut():
    raised = KeyError("x")
    depth = sys.getrecursionlimit()
    frame = sys._getframe()
    for _ in range(depth * 6):
        step = types.TracebackType(raised.__traceback__, frame, 0, 1)
        raised.__traceback__ = step
    assert classify(raised) is None


def test_an_sdks_own_class_is_no_mistake_whatever_its_bases():
    own = type("InvalidType", (TypeError,), {"__module__": "google.auth.exceptions"})
    assert classify(own("x")).kind == "unknown"
    own = type("PartnerError", (KeyError,), {"__module__": "langchain_partner.models"})
    assert classify(own("x")).kind == "unknown"


def test_a_client_without_a_key_is_auth_even_as_a_type_error():
    source = (
        "def run(): raise TypeError('Could not resolve authentication method. '\n"
        "    'Expected one of api_key to be set')"
    )
    raised = in_module("anthropic._client", source)
    assert classify(raised).kind == "auth"


def test_a_keyword_the_openai_client_refuses_is_a_bad_request():
    model = ChatOpenAI(model="m", api_key="x", max_retries=0)
    raised = raised_by(lambda: model.invoke("hi", thinking=True))
    assert isinstance(raised, TypeError)
    assert classify(raised).kind == "bad_request"


def test_an_answer_langchain_cannot_read_is_a_bad_stream():
    model = ChatOpenAI(model="m", api_key="x")
    raised = raised_by(lambda: model._create_chat_result({"choices": None}))
    assert isinstance(raised, TypeError)
    assert classify(raised).kind == "bad_stream"


def of_ours(name, **attributes):
    made = type(name, (Exception,), {"__module__": "langchain_reliable.errors"})("x")
    for key, value in attributes.items():
        setattr(made, key, value)
    return made


def test_a_nested_model_says_itself_what_went_wrong():
    last = Failure(kind=FailureKind.RATE_LIMITED, retry_after=4.0)
    attempts = (type("Record", (), {"failure": last})(),)
    said = classify(of_ours("AllModelsFailed", attempts=attempts))
    assert said == replace(last, should_retry=False)  # it has tried again by itself
    assert classify(of_ours("AllModelsFailed", attempts=())).kind == "unknown"
    assert classify(of_ours("AllModelsFailed")).kind == "unknown"
    nothing = (type("Record", (), {"failure": None})(),)
    assert classify(of_ours("AllModelsFailed", attempts=nothing)).kind == "unknown"
    cut = of_ours("StreamInterrupted", kind=FailureKind.CONNECTION)
    assert classify(cut).kind == "connection"
    assert classify(of_ours("StreamInterrupted")).kind == "unknown"


def test_openai_errors_without_an_answer_are_the_providers():
    assert classify(openai.OpenAIError("what")).kind == "unknown"
