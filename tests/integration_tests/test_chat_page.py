"""The recipe's chat page, looked at in a real browser, with simulated providers."""

from __future__ import annotations

import importlib.util
import re
import threading
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import browser
import httpx
import pytest
import pytest_asyncio
import uvicorn
from langchain_core.messages import AIMessage, HumanMessage
from playwright.async_api import expect
from real_clients import noted

from langchain_reliable.testing import (
    Gate,
    content_then_cut,
    content_then_stall,
    overloaded,
    says,
    tool_call,
)

FOLDER = Path(__file__).parents[2] / "docs" / "recipes" / "chat_page"
GPT, CLAUDE = "gpt-5.4", "claude-sonnet-5"
BROKEN = "The sky is blue because of the sea"
WHOLE = "Air scatters blue light more than red."

pytestmark = pytest.mark.asyncio(loop_scope="module")


def recipe():
    """Import the application as it stands in the docs."""
    spec = importlib.util.spec_from_file_location("chat_page", FOLDER / "app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium():
    if browser.PROGRAM is None:
        pytest.skip(browser.GET_IT)
    async with browser.running() as running:
        yield running


@contextmanager
def served(app):
    """Serve an application from a thread of its own; give its address."""
    config = uvicorn.Config(
        app, port=0, log_level="critical", timeout_graceful_shutdown=5
    )
    server = uvicorn.Server(config)
    begun = threading.Event()
    startup = server.startup

    async def noted(*args, **kwargs):
        await startup(*args, **kwargs)
        begun.set()

    server.startup = noted
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert begun.wait(60)
    try:
        [port] = {one.getsockname()[1] for one in server.servers[0].sockets}
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def app(clients, monkeypatch):
    """The recipe's application, at the simulator in the place of the providers."""
    made = noted(monkeypatch, "AsyncClient")

    @asynccontextmanager
    async def lifespan(_):
        yield
        for client in made:  # they belong to the server's loop
            await client.aclose()

    module = recipe()
    models = [clients.openai(GPT), clients.anthropic(CLAUDE)]
    app = module.chat_app(module.chat_agent(models, max_retries=0))
    app.router.lifespan_context = lifespan
    return app


@pytest.fixture
def address(app):
    with served(app) as address:
        yield address


class User:
    """Somebody who looks at the page."""

    def __init__(self, page):
        self.page = page
        self.log = page.get_by_role("log")
        self.answers = self.log.get_by_role("article")
        self.alert = page.get_by_role("alert")
        self.status = page.get_by_role("status")
        self.complaints = []
        page.on("pageerror", lambda error: self.complaints.append(error.message))
        page.on("console", lambda said: self.complaints.append(said.text))

    async def asks(self, question):
        await self.page.get_by_label("Your question").fill(question)
        await self.page.keyboard.press("Enter")

    async def presses(self, name):
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def sees_one_answer(self, words, by=None, of=1):
        """Wait until an answer is there, with these words and no others."""
        await expect(self.page.get_by_role("button", name="Send")).to_be_visible()
        await expect(self.answers).to_have_count(of)
        await expect(self.answers.last.locator(".words")).to_have_text(words)
        if by is not None:
            await expect(self.answers.last.locator(".by")).to_have_text(by)
        await expect(self.alert).to_have_count(0)
        assert self.complaints == []


@pytest_asyncio.fixture(loop_scope="module")
async def visitor(chromium, address):
    """Return what lets another user open the page, with a profile of their own."""
    contexts = []

    async def visitor(**options):
        context = await chromium.new_context(**options)
        contexts.append(context)
        user = User(await context.new_page())
        await user.page.goto(address)
        return user

    yield visitor
    for context in contexts:
        await context.close()


@pytest_asyncio.fixture(loop_scope="module")
async def user(visitor):
    return await visitor()


def waiting_cut(gate, after=3):
    """Break off after some words, when the test says so."""
    return content_then_cut(says(BROKEN, gates={after: gate}), after=after + 1)


async def test_an_answer_is_shown_as_it_comes(user, sim):
    with Gate(limit=60) as gate:
        sim.script(GPT, says(WHOLE, gates={2: gate}))
        await user.asks("Why is the sky blue?")
        await expect(user.answers).to_have_text("Air scatters")
        await expect(user.log).to_contain_text("Why is the sky blue?")
        await expect(user.page.get_by_label("Your question")).to_have_value("")
    await user.sees_one_answer(WHOLE, by=GPT)


async def test_an_answer_that_breaks_off_is_taken_back(user, sim):
    sim.script(CLAUDE, says(WHOLE))
    with Gate(limit=60) as gate:
        sim.script(GPT, waiting_cut(gate))
        await user.asks("Why is the sky blue?")
        await expect(user.answers).to_have_text("The sky is")
    by = f"{CLAUDE}, after another model broke off"
    await user.sees_one_answer(WHOLE, by=by)
    await expect(user.log).not_to_contain_text("The sky is")
    assert (sim.count(GPT), sim.count(CLAUDE)) == (1, 1)


async def test_people_are_told_what_goes_on_meanwhile(user, sim):
    with Gate(limit=60) as gate:
        sim.script(GPT, content_then_cut(says(BROKEN), after=2))
        sim.script(CLAUDE, says(WHOLE, gates={1: gate}))
        await user.asks("Why?")
        await expect(user.status).to_have_text(
            "The answer broke off. Another model writes it anew."
        )
        await expect(user.answers).to_have_text("Air")
    await user.sees_one_answer(WHOLE)
    await expect(user.status).to_have_text("")


async def test_the_agent_goes_on_with_what_was_shown_in_the_end(user, sim):
    sim.script(GPT, content_then_cut(says(BROKEN), after=3), says("And red is left."))
    sim.script(CLAUDE, says(WHOLE))
    await user.asks("Why is the sky blue?")
    await user.sees_one_answer(WHOLE)
    await user.asks("And in the evening?")
    await user.sees_one_answer("And red is left.", by=GPT, of=2)
    said = [one["content"] for one in sim.requests[-1].body["messages"]]
    assert said == ["Why is the sky blue?", WHOLE, "And in the evening?"]


async def test_a_tool_call_that_breaks_off_is_taken_back(user, sim):
    calls = says("Let me look.", calls=[tool_call("weather", city="Oslo")])
    sim.script(GPT, content_then_cut(calls, after=5), overloaded())
    sim.script(CLAUDE, says(calls=[tool_call("weather", city="Rome")]), says(WHOLE))
    await user.asks("What is the weather in Rome?")
    await user.sees_one_answer(WHOLE, of=2)
    await expect(user.log.get_by_text("Using weather")).to_have_count(1)
    await expect(user.log).not_to_contain_text("Let me look.")
    results = sim.requests[-1].body["messages"][-1]["content"]
    assert "Sunny in Rome" in str(results)


async def test_where_nobody_can_answer_the_page_says_so(user, sim):
    sim.script(GPT, overloaded())
    sim.script(CLAUDE, overloaded())
    await user.asks("Why?")
    await expect(user.alert).to_contain_text("No model could answer just now.")
    await expect(user.answers).to_have_count(0)
    sim.script(CLAUDE, says(WHOLE))
    await user.presses("Try again")
    await user.sees_one_answer(WHOLE)
    asked = [one["content"] for one in sim.requests[-1].body["messages"]]
    assert str(asked).count("Why?") == 1


async def test_where_both_break_off_the_half_answer_is_marked(user, sim):
    sim.script(GPT, content_then_cut(says(BROKEN), after=3), says(WHOLE))
    sim.script(CLAUDE, overloaded())
    await user.asks("Why?")
    await expect(user.alert).to_contain_text("The answer broke off")
    await expect(user.answers).to_have_text("The sky is")
    await user.presses("Try again")
    await user.sees_one_answer(WHOLE)


async def test_after_another_question_the_earlier_one_is_not_asked_again(user, sim):
    sim.script(GPT, overloaded(), says(WHOLE))
    sim.script(CLAUDE, overloaded())
    await user.asks("Why?")
    await expect(user.alert).to_contain_text("Try again")
    await user.asks("And why not?")
    await expect(user.answers.locator(".words")).to_have_text(WHOLE)
    await expect(user.page.get_by_role("button", name="Try again")).to_have_count(0)


async def test_what_cannot_be_explained_ends_as_well(user, app, sim):
    sim.script(GPT, says(WHOLE))
    await user.page.route("**/chat", lambda route: route.abort())
    await user.asks("Why?")
    await expect(user.alert).to_contain_text("The server could not be reached.")
    await user.page.unroute("**/chat")
    user.complaints.clear()  # the browser notes that a request has failed
    await user.presses("Try again")
    await user.sees_one_answer(WHOLE)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ('event: failed\ndata: {"retry_after": 11.2}\n\n', "in about 12 seconds"),
        (
            'event: token\ndata: {"id": "1", "te',
            "The connection to the server was lost",
        ),
    ],
    ids=["when to try again", "the server is gone"],
)
async def test_what_else_may_come_of_it(user, told, said):
    await user.page.route("**/chat", lambda route: route.fulfill(body=told))
    await user.asks("Why?")
    await expect(user.alert).to_contain_text(said)
    assert user.complaints == []


async def test_a_reader_who_leaves_ends_the_providers_stream(visitor, sim):
    user = await visitor()
    sim.script(GPT, content_then_stall(says(BROKEN), after=3))
    await user.asks("Why?")
    await expect(user.answers).to_have_text("The sky is")
    assert sim.open_streams == 1
    await user.page.close()
    await sim.await_closed(20)
    assert sim.abandoned == 1
    assert sim.count(CLAUDE) == 0


async def test_stop_ends_the_providers_stream_and_the_chat_goes_on(user, sim):
    sim.script(GPT, content_then_stall(says(BROKEN), after=3), says(WHOLE))
    await user.asks("Why?")
    await expect(user.answers).to_have_text("The sky is")
    await user.presses("Stop")
    await expect(user.alert).to_contain_text("You stopped the answer.")
    await sim.await_closed(20)
    await user.presses("Try again")
    await user.sees_one_answer(WHOLE)


async def test_a_new_chat_knows_nothing_of_the_one_that_was_left(user, sim):
    sim.script(GPT, content_then_stall(says(BROKEN), after=3), says(WHOLE))
    await user.asks("Why?")
    await expect(user.answers).to_have_text("The sky is")
    await user.presses("New chat")
    await expect(user.answers).to_have_count(0)
    await sim.await_closed(20)
    await user.asks("And now?")
    await user.sees_one_answer(WHOLE)
    assert [one["content"] for one in sim.requests[-1].body["messages"]] == ["And now?"]


async def test_two_users_at_once_see_their_own_answers(visitor, sim):
    first, second = await visitor(), await visitor()
    with Gate(limit=60) as gate:
        sim.script(GPT, waiting_cut(gate))
        sim.script(
            CLAUDE,
            lambda request: says(f"You asked: {request.body['messages'][-1]}"),
        )
        for user, question in ((first, "one?"), (second, "two?")):
            await user.asks(question)
            await expect(user.answers).to_have_text("The sky is")
    for user, own, other in ((first, "one?", "two?"), (second, "two?", "one?")):
        await expect(user.answers.locator(".by")).to_be_visible()
        await expect(user.answers).to_have_count(1)
        await expect(user.answers).to_contain_text(own)
        await expect(user.log).not_to_contain_text(other)
        await expect(user.log).not_to_contain_text("The sky is")


async def test_what_a_model_says_is_text(user, sim):
    html = "<img src=x onerror=alert(1)> & <b>bold</b>"
    sim.script(GPT, says(html))
    await user.asks("<i>Why?</i>")
    await user.sees_one_answer(html)
    await expect(user.log.locator("img, b, i")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_fits_a_phone_in_light_and_dark(visitor, sim, scheme):
    size = {"width": 320, "height": 568}
    user = await visitor(viewport=size, color_scheme=scheme, has_touch=True)
    sim.script(GPT, says(f"{WHOLE} {'unbroken' * 40} {WHOLE * 20}"))
    await user.asks("A long question " * 12)
    await expect(user.answers.locator(".by")).to_be_in_viewport()  # it is scrolled to
    every = "[...document.querySelectorAll('*')]"
    ends = await user.page.evaluate(
        f"{every}.map(e => e.getBoundingClientRect().right)"
    )
    assert max(ends) <= size["width"]
    send = await user.page.get_by_role("button", name="Send").bounding_box()
    assert min(send["width"], send["height"]) >= 44
    ground = "getComputedStyle(document.body).backgroundColor"
    numbers = re.findall(r"\d+", await user.page.evaluate(ground))
    assert (int(numbers[0]) > 127) == (scheme == "light")


async def test_a_tool_call_that_nobody_waited_for_is_forgotten(clients, sim):
    """Whoever leaves while a tool is at work may ask something else."""
    module, client = recipe(), clients.openai(GPT)
    agent = module.chat_agent([client])
    thread = {"configurable": {"thread_id": "1"}}
    call = {"name": "weather", "args": {"city": "Oslo"}, "id": "1"}
    left = [HumanMessage("Why?"), AIMessage("", tool_calls=[call])]
    await agent.aupdate_state(thread, {"messages": left}, as_node="model")
    sim.script(GPT, says(WHOLE))
    events = [one async for one in module.answer(agent, "1", "And now?")]
    assert events[-1].startswith("event: done")
    asked = [one["content"] for one in sim.requests[-1].body["messages"]]
    assert asked == ["Why?", "And now?"]
    await client.root_async_client.close()


async def test_nonsense_is_refused(address):
    async with httpx.AsyncClient(base_url=address) as client:
        for body in (b"", b"[]", b'{"thread": "x", "question": "?"}'):
            assert (await client.post("/chat", content=body)).status_code == 422
        assert (await client.get("/app.py")).status_code == 404
