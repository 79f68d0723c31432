"""Classes that nobody listed, over httpx and over requests, managed by their fields."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import requests
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from our_threads import wait_for_rest
from pydantic import PrivateAttr
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from langchain_reliable import ReliableChatModel
from langchain_reliable._children import sdk_retries
from langchain_reliable.testing import (
    ScriptedChatModel,
    error_status,
    hang_after_headers,
    hang_before_headers,
    keep_alives_then_silence,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.messages import BaseMessage

    from langchain_reliable.testing import Simulator

pytestmark = pytest.mark.filterwarnings("ignore")
LIMITS = {"attempt_timeout": 0.3}


class OverHttp(BaseChatModel):
    """What the two have in common; it retries as many do, in a loop of its own."""

    url: str
    model: str = "m"
    max_retries: int = 2

    @property
    def _llm_type(self) -> str:
        return "over-http"

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Any:
        body = {"model": self.model, "messages": [{"role": "user", "content": "hi"}]}
        for left in range(self.max_retries, -1, -1):
            response = self._post(f"{self.url}/chat/completions", body)
            if response.status_code < 500 or not left:
                break
        response.raise_for_status()
        text = response.json()["choices"][0]["message"]["content"]
        return ChatResult(generations=[ChatGeneration(message=AIMessage(text))])

    def _post(self, url: str, body: dict[str, Any]) -> Any:
        raise NotImplementedError


class OverHttpx(OverHttp):
    _http: httpx.Client = PrivateAttr(default_factory=lambda: httpx.Client(timeout=60))

    def _post(self, url: str, body: dict[str, Any]) -> Any:
        return self._http.post(url, json=body)


class OverRequests(OverHttp):
    timeout: float = 60.0

    def _post(self, url: str, body: dict[str, Any]) -> Any:
        return requests.post(url, json=body, timeout=self.timeout)


class OverSession(OverHttp):
    """Its session repeats what fails by itself, too."""

    _session: requests.Session = PrivateAttr(default_factory=requests.Session)

    def model_post_init(self, context: Any) -> None:
        retry = Retry(2, status_forcelist=[503], allowed_methods=None)
        self._session.mount("http://", HTTPAdapter(max_retries=retry))

    def _post(self, url: str, body: dict[str, Any]) -> Any:
        return self._session.post(url, json=body)


class OverRequestsForEver(OverHttp):
    def _post(self, url: str, body: dict[str, Any]) -> Any:
        return requests.post(url, json=body)  # noqa: S113 - that is what it is about


class StreamsForEver(OverRequestsForEver):
    def _stream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Any:
        body = {"model": self.model, "messages": [{"role": "user", "content": "hi"}]}
        url, body = f"{self.url}/chat/completions", {**body, "stream": True}
        with requests.post(url, json=body, stream=True) as response:  # noqa: S113
            response.raise_for_status()
            for line in response.iter_lines():
                if line.startswith(b"data: {"):
                    [choice] = json.loads(line[6:])["choices"] or [{"delta": {}}]
                    text = choice["delta"].get("content") or ""
                    yield ChatGenerationChunk(message=AIMessageChunk(text))


@pytest.fixture(
    params=[OverHttpx, OverRequests, OverSession], ids=lambda one: one.__name__
)
def make(request: pytest.FixtureRequest, sim: Simulator) -> Callable[[], OverHttp]:
    return lambda: request.param(url=sim.openai_url)


def reliable(child: OverHttp, **settings: Any) -> ReliableChatModel:
    backup = ScriptedChatModel(model="backup", script=["from the backup"])
    settings = {"max_retries": 0, "circuit_breaker": None, **settings}
    return ReliableChatModel(models=[child, backup], **settings)


SURFACES = pytest.mark.parametrize(
    "surface", ["invoke", "ainvoke", "stream", "astream"]
)


@SURFACES
def test_one_attempt_is_one_request(make, sim, surface, asked):
    sim.script("m", error_status(503))
    child = make()
    assert asked(reliable(child), surface).text == "from the backup"
    assert sim.count("m") == 1
    assert child.max_retries == 2


@SURFACES
def test_a_silent_socket_is_given_up_soon(make, sim, surface, asked, caplog):
    sim.script("m", hang_before_headers())
    assert asked(reliable(make(), **LIMITS), surface).text == "from the backup"
    sim.wait_closed(timeout=15)
    assert not [one for one in caplog.messages if "managed" in one]


ENDLESS = {
    "silent": hang_before_headers(),
    "silent after headers": hang_after_headers(),
    "pings": keep_alives_then_silence(every=0.02),
}


@SURFACES
@pytest.mark.parametrize("fault", ENDLESS.values(), ids=ENDLESS)
@pytest.mark.parametrize("cls", [OverRequestsForEver, StreamsForEver, OverSession])
def test_what_never_ends_is_ended(cls, fault, sim, surface, asked):
    """Thread, socket and request, though its client would wait for ever."""
    sim.script("m", fault)
    limits = {**LIMITS, "first_chunk_timeout": 0.3, "idle_timeout": 0.3}
    model = reliable(cls(url=sim.openai_url), **limits)
    assert asked(model, surface).text == "from the backup"
    sim.wait_closed(timeout=15)
    assert wait_for_rest(15)


def test_a_connection_that_has_answered_serves_the_next_call(sim, asked):
    model = reliable(OverSession(url=sim.openai_url), attempt_timeout=30)
    for surface in ("invoke", "ainvoke", "invoke"):
        assert asked(model, surface).text == "Hello from m."
    assert sim.open_connections == 1
    sim.script("m", hang_before_headers())
    assert asked(reliable(model.models[0], **LIMITS), "invoke").text != "Hello from m."
    sim.script("m", "again")
    assert asked(model, "invoke").text == "again"


def test_who_waits_for_ever_is_told(sim, caplog, monkeypatch):
    monkeypatch.setattr(sdk_retries, "_warned", sdk_retries.LogOnce())
    child = OverRequestsForEver(url=sim.openai_url)
    with caplog.at_level(logging.WARNING, "langchain_reliable"):
        assert reliable(child, **LIMITS).invoke("hi").text == "Hello from m."
        reliable(child, **LIMITS).invoke("hi")
    [said] = [one for one in caplog.messages if "managed" in one]
    assert said.startswith("OverRequestsForEver")
    assert "give it a time-out of its own" in said


def test_twelve_hung_calls_keep_nobody_from_the_backup(sim, make, asked):
    sim.script("m", hang_before_headers())
    model = reliable(make(), **LIMITS)
    answers = asked(AllAtOnce(model, 12), "ainvoke")
    assert [one.text for one in answers] == ["from the backup"] * 12
    sim.wait_closed(timeout=15)


class AllAtOnce:
    """Asks a model many times at once."""

    def __init__(self, model: Any, times: int) -> None:
        self._model, self._times = model, times

    async def ainvoke(self, prompt: str) -> Any:
        return await self._model.abatch([prompt] * self._times)
