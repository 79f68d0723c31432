"""What other partner packages make of the simulator, where they are installed.

Faults whose look depends on the package's own version are not told apart here: each is
heard as an error, or as an answer without a healthy end.
"""

from __future__ import annotations

import gc
import logging
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import HumanMessage, ToolMessage

from langchain_reliable.testing import (
    Usage,
    content_then_cut,
    content_then_error,
    error_status,
    says,
    simulator,
    tool_call,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langchain_core.language_models import BaseChatModel

    from langchain_reliable.testing import Simulator

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
CLAUDE = "anthropic.claude-3-5-haiku-20241022-v1:0"
ADD = {
    "title": "add",
    "description": "Add",
    "type": "object",
    "properties": {"a": {"type": "integer", "description": "what to add"}},
}
HEALTHY = {"STOP", "stop", "end_turn", "COMPLETE"}


def bedrock(sim: Simulator) -> BaseChatModel:
    partner = pytest.importorskip("langchain_aws")
    config = pytest.importorskip("botocore.config")
    once = config.Config(retries={"total_max_attempts": 1})
    return partner.ChatBedrockConverse(
        model=CLAUDE,
        region_name="us-east-1",
        endpoint_url=sim.bedrock_url,
        aws_access_key_id="AKIATEST",
        aws_secret_access_key="test",
        config=once,
    )


def bedrock_invoke(sim: Simulator) -> BaseChatModel:
    partner = pytest.importorskip("langchain_aws")
    config = pytest.importorskip("botocore.config")
    once = config.Config(retries={"total_max_attempts": 1})
    return partner.ChatBedrock(
        model=CLAUDE,
        region_name="us-east-1",
        endpoint_url=sim.bedrock_url,
        aws_access_key_id="AKIATEST",
        aws_secret_access_key="test",
        config=once,
    )


def cohere(sim: Simulator) -> BaseChatModel:
    partner = pytest.importorskip("langchain_cohere")
    return partner.ChatCohere(
        model="m", cohere_api_key="test", base_url=sim.cohere_url, max_retries=0
    )


def mistral(sim: Simulator) -> BaseChatModel:
    partner = pytest.importorskip("langchain_mistralai")
    return partner.ChatMistralAI(
        model="m", api_key="test", base_url=sim.mistral_url, max_retries=1
    )


def ollama(sim: Simulator) -> BaseChatModel:
    partner = pytest.importorskip("langchain_ollama")
    return partner.ChatOllama(model="m", base_url=sim.ollama_url, reasoning=True)


def openrouter(sim: Simulator) -> BaseChatModel:
    partner = pytest.importorskip("langchain_openrouter")
    return partner.ChatOpenRouter(
        model="m", api_key="test", base_url=sim.openrouter_url
    )


def groq(sim: Simulator) -> BaseChatModel:
    partner = pytest.importorskip("langchain_groq")
    return partner.ChatGroq(model="m", api_key="test", base_url=sim.url, max_retries=0)


def deepseek(sim: Simulator) -> BaseChatModel:
    partner = pytest.importorskip("langchain_deepseek")
    return partner.ChatDeepSeek(
        model="m", api_key="test", api_base=sim.openai_url, max_retries=0
    )


PARTNERS = (
    bedrock,
    bedrock_invoke,
    cohere,
    mistral,
    ollama,
    openrouter,
    groq,
    deepseek,
)
COUNTS_STREAMS = {bedrock, bedrock_invoke, mistral, ollama, openrouter}


@pytest.fixture(autouse=True)
def forgive_open_sockets() -> Iterator[None]:
    """Collect what the clients leave open: none of them can be closed."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(params=PARTNERS, ids=lambda build: build.__name__)
def build(request: pytest.FixtureRequest) -> Callable[[Simulator], BaseChatModel]:
    return request.param


@pytest.fixture
def model(build: Any, sim: Simulator, caplog: pytest.LogCaptureFixture) -> Any:
    caplog.set_level(logging.CRITICAL)
    return build(sim)


@pytest.fixture
def script(build: Any, sim: Simulator) -> Callable[..., None]:
    name = CLAUDE if build in (bedrock, bedrock_invoke) else "m"
    return lambda *replies: sim.script(name, *replies)


def finish(message: Any) -> Any:
    meta = message.response_metadata
    names = ("finish_reason", "stop_reason", "stopReason", "done_reason")
    return next((meta[name] for name in names if meta.get(name)), None)


def streamed(model: BaseChatModel) -> Any:
    first, *rest = model.stream("Hi")
    return sum(rest, first)


def test_a_whole_answer_with_its_usage(model, script):
    script(says("one two", usage=Usage(input_tokens=7, output_tokens=3)))
    message = model.invoke("Hi")
    assert message.text == "one two"
    assert finish(message) in HEALTHY
    usage = message.usage_metadata
    assert (usage["input_tokens"], usage["output_tokens"]) == (7, 3)


def test_a_stream(model, script, build):
    script(says("one two three", usage=Usage(input_tokens=7, output_tokens=3)))
    message = streamed(model)
    assert message.text == "one two three"
    assert finish(message) in HEALTHY
    if build in COUNTS_STREAMS:
        assert message.usage_metadata["output_tokens"] == 3


def test_tool_calls(model, script, build):
    script(says(calls=[tool_call("add", a=1)]))
    tools = model.bind_tools([ADD])
    messages = [tools.invoke("Hi")]
    if build is not cohere:  # leaves streamed calls without their ids and names
        messages.append(streamed(tools))
    for message in messages:
        (call,) = message.tool_calls
        assert (call["name"], call["args"]) == ("add", {"a": 1})


@pytest.mark.parametrize("status", [400, 401, 404])
def test_an_error_reaches_the_client_at_once(model, script, sim, status):
    script(error_status(status, message="short and stout"))
    for ask in (model.invoke, lambda words: list(model.stream(words))):
        with pytest.raises(Exception, match="short and stout"):
            ask("Hi")
    assert sim.count() == 2


def test_a_cut_stream_is_an_error_after_its_first_words(model, script):
    script(content_then_cut("one two three"))
    heard = []
    with pytest.raises(Exception, match=r"closed|prematurely|incomplete|Connection"):
        heard.extend(chunk.text for chunk in model.stream("Hi"))
    assert "".join(map(str, heard)) == "one two"


def test_an_error_inside_a_stream_is_no_healthy_end(model, script):
    script(content_then_error("one two three"))
    heard: list[Any] = []
    try:
        heard.extend(model.stream("Hi"))
    except Exception:  # noqa: BLE001 - each package has its own
        assert "".join(str(chunk.text) for chunk in heard) == "one two"
    else:
        assert finish(sum(heard[1:], heard[0])) not in HEALTHY


def test_strict_rules_read_what_bedrocks_client_sends_back():
    with simulator(strict=True) as strict:
        calls = [tool_call("add", a=1), tool_call("add", a=2)]
        strict.script(CLAUDE, says("so", thinks="hm", calls=calls), "done")
        tools = bedrock(strict).bind_tools([ADD])
        called = streamed(tools)
        results = [ToolMessage("3", tool_call_id=c["id"]) for c in called.tool_calls]
        assert tools.invoke([HumanMessage("Hi"), called, *results]).text == "done"
