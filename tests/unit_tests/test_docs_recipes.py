"""Every recipe runs, with the simulator in the place of its providers."""

from __future__ import annotations

import asyncio
import gc
import re
import types
import warnings
from pathlib import Path

import httpx
import pytest
from langchain_openai.chat_models import _client_utils as caches

from langchain_reliable.testing import (
    content_then_cut,
    content_then_stall,
    error_status,
    role_then_cut,
    says,
    simulator,
    tool_call,
)

RECIPES = Path(__file__).parents[2] / "docs" / "recipes"
PAGES = sorted(page for page in RECIPES.glob("*.md") if page.stem != "index")
GPT, CLAUDE = "gpt-5.4", "claude-sonnet-5"
BLUE = says("Air scatters blue.")
CALLS = says(calls=[tool_call("weather", city="Oslo")])

WORLDS = {
    "chat_product": ({GPT: [role_then_cut()], CLAUDE: [BLUE]}, "Air scatters blue."),
    "chat_page": (
        {GPT: [content_then_cut(BLUE, after=1)], CLAUDE: [says("Because.")]},
        "claude-sonnet-5 answers in its place)\nin the end: Because.",
    ),
    "fastapi_sse": ({}, ""),  # an application: it is asked below
    "agent": (
        {GPT: [CALLS, error_status(503)], CLAUDE: [says("Sunny."), says("A hat.")]},
        "claude-sonnet-5 said: A hat.",
    ),
    "costs": (
        {GPT: [error_status(401)], CLAUDE: [BLUE]},
        "claude-sonnet-5 answered nothing known",
    ),
    "keys_and_regions": ({GPT: [BLUE], CLAUDE: [BLUE]}, "bob "),
    "batch": ({"gpt-5.4-mini": [BLUE]}, "20 answers, 0 to do again"),
    "interrupted": (
        {GPT: [content_then_cut(BLUE, after=1)], CLAUDE: [says("Because.")]},
        "clear gpt-5.4 broke off; asking again\nappend Because.",
    ),
    "processes": (
        {GPT: [error_status(401)], "gpt-5.4-mini": [BLUE]},
        "task 2 by gpt-5.4-mini",
    ),
    "load_balancer": ({GPT: [error_status(503)], CLAUDE: [BLUE]}, "(200, 'Air"),
}
"""What the models reply, and what must be seen."""


@pytest.fixture
def providers(monkeypatch):
    """Put the simulator where the clients look for their providers."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test")
    with simulator() as sim:
        monkeypatch.setenv("OPENAI_API_BASE", sim.openai_url)
        monkeypatch.setenv("ANTHROPIC_API_URL", sim.anthropic_url)
        yield sim
    caches._cached_async_httpx_client.cache_clear()
    with warnings.catch_warnings():  # a program leaves idle connections to its end
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def test_every_recipe_is_listed_and_has_a_world():
    index = (RECIPES / "index.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\((\w+)\.md\)", index)) == {one.stem for one in PAGES}
    assert set(WORLDS) == {one.stem for one in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_recipe_runs(page, providers, request, capsys):
    replies, seen = WORLDS[page.stem]
    if page.stem != "batch":  # there calls wait for each other, not for a moment
        request.getfixturevalue("in_no_time")
    for name, entries in replies.items():
        providers.script(name, *entries)
    blocks = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 1
    exec(compile(blocks[0], page.name, "exec"), {"__name__": "recipe"})  # noqa: S102 - our own page
    assert seen in capsys.readouterr().out


@pytest.fixture
def application(providers, in_no_time):
    pytest.importorskip("fastapi")
    page = (RECIPES / "fastapi_sse.md").read_text("utf-8")
    [program] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    module = types.ModuleType("app")
    exec(compile(program, "app.py", "exec"), module.__dict__)  # noqa: S102 - our own page
    return module


def events_told(application):
    """Ask as a browser does, and return what it is told."""

    async def asked():
        transport = httpx.ASGITransport(application.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as one:
            return await one.get("/chat", params={"question": "?"})

    answer = asyncio.run(asked())
    assert answer.headers["content-type"].startswith("text/event-stream")
    return answer.text.split("\n\n")[:-1]


def test_a_browser_is_told_word_by_word_who_ever_answers(providers, application):
    providers.script(GPT, error_status(503))
    providers.script("gpt-5.4-mini", BLUE)
    *words, last = events_told(application)
    assert words[0].startswith('event: token\ndata: {"text": "Air')
    assert last == "event: done\ndata: {}"


def test_a_browser_is_told_of_an_answer_that_broke_off(providers, application):
    providers.script(GPT, content_then_cut(BLUE, after=1))
    *_, last = events_told(application)
    assert last == (
        'event: interrupted\ndata: {"kind": "connection", "served_by": "gpt-5.4"}'
    )


def test_when_the_browser_leaves_the_provider_is_left_as_well(providers, application):
    providers.script(GPT, content_then_stall(BLUE, after=1))

    async def left():
        heard = asyncio.Event()

        async def receive():
            await heard.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            if message.get("body"):
                heard.set()

        scope = {
            "type": "http",
            "method": "GET",
            "path": "/chat",
            "query_string": b"question=?",
            "headers": [],
        }
        await application.app(scope, receive, send)

    asyncio.run(left())
    providers.wait_closed()
    assert providers.count() == 1
    assert not any(one.failures for one in application.model.health.snapshot())
