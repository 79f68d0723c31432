"""LangChain's own standard suites: every class of tests in three settings.

Bare, wrapped alone, and wrapped after a child that never answers: what the bare model
passes at the simulator, the wrapped one passes too, and nothing else is left out.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar

import httpx
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests
from obliging import obliges

from langchain_reliable import ReliableChatModel
from langchain_reliable.testing import simulator

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

NOBODY = "http://127.0.0.1:1/v1"
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAA"
    "AABJRU5ErkJggg=="
)


class Alone(ReliableChatModel):
    """Takes what the suite gives to a chat model, and hands it to its only child."""

    bare: ClassVar[type[BaseChatModel]] = ChatOpenAI

    def __init__(self, **params: Any) -> None:
        super().__init__(models=[self.bare(**params)])

    @classmethod
    def is_lc_serializable(cls) -> bool:
        return False  # what it takes is not what it holds


class AfterADeadOne(Alone):
    """The same after a child that never answers."""

    def __init__(self, **params: Any) -> None:
        down = self.bare(**{**params, "base_url": NOBODY})
        models = [down, self.bare(**params)]
        ReliableChatModel.__init__(self, models=models, initial_backoff=0)


class AloneAnthropic(Alone):
    bare = ChatAnthropic


class AnthropicAfterADeadOne(AfterADeadOne):
    bare = ChatAnthropic


class TestUnits(ChatModelUnitTests):
    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return Alone

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "gpt-x", "api_key": "sk-test"}


class TestUnitsAfterADeadOne(TestUnits):
    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return AfterADeadOne


# --- over the wire ----------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.filterwarnings("ignore:Received a Pydantic BaseModel V1 schema")
@pytest.mark.filterwarnings("ignore:OpenAI may require a filename")
class OverTheWire(ChatModelIntegrationTests):
    """The integration suite at the simulator, which refuses what the APIs refuse."""

    model_class: type[BaseChatModel]

    @pytest.fixture(autouse=True)
    def at_the_simulator(self, request, monkeypatch):
        signed = "anthropic_inputs" in request.node.name  # by the real API
        with simulator(strict=not signed) as sim:
            for name in ("gpt", "other", "claude-x"):
                sim.script(name, obliges)
            self.sim = sim
            monkeypatch.setattr(httpx, "get", _downloaded)
            monkeypatch.setenv("LANGCHAIN_TESTS_USER_AGENT", "nobody")
            yield

    @pytest.fixture(autouse=True)
    async def in_the_loop_of_the_test(self, at_end_of_loop):
        yield
        for finish in at_end_of_loop:
            await finish()

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return self.model_class

    supports_image_inputs = True
    supports_image_urls = True
    supports_pdf_inputs = True
    supports_anthropic_inputs = True
    model_override_value = "other"

    def invoke_with_cache_read_input(self, *, stream=False):
        model = self.chat_model_class(**self.chat_model_params)
        if not stream:
            return model.invoke("?")
        first, *chunks = model.stream("?")
        return sum(chunks, first)

    invoke_with_cache_creation_input = invoke_with_cache_read_input
    invoke_with_reasoning_output = invoke_with_cache_read_input


class OpenAI(OverTheWire):
    supports_json_mode = True
    supports_audio_inputs = True
    supported_usage_metadata_details: ClassVar = {
        way: ["reasoning_output", "cache_read_input"] for way in ("invoke", "stream")
    }

    @property
    def chat_model_params(self):
        return {
            "model": "gpt",
            "base_url": self.sim.openai_url,
            "api_key": "sk-test",
            "stream_usage": True,
        }


class TestBareOpenAI(OpenAI):
    model_class = ChatOpenAI


class TestOpenAIAlone(OpenAI):
    model_class = Alone


class TestOpenAIAfterADeadOne(OpenAI):
    model_class = AfterADeadOne


class Anthropic(OverTheWire):
    supports_image_tool_message = True
    supports_pdf_tool_message = True
    supported_usage_metadata_details: ClassVar = {
        way: ["cache_read_input", "cache_creation_input"]
        for way in ("invoke", "stream")
    }

    @property
    def chat_model_params(self):
        return {
            "model": "claude-x",
            "base_url": self.sim.anthropic_url,
            "api_key": "sk-ant-test",
        }


class TestBareAnthropic(Anthropic):
    model_class = ChatAnthropic


class TestAnthropicAlone(Anthropic):
    model_class = AloneAnthropic


class TestAnthropicAfterADeadOne(Anthropic):
    model_class = AnthropicAfterADeadOne


def _downloaded(url, **_):
    """What the suite would fetch from the web: what is in it, no test reads."""
    return httpx.Response(200, content=PIXEL, request=httpx.Request("GET", url))
