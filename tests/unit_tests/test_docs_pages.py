"""Every page of docs/ runs, and has the same skeleton.

Run this file to draw docs/timeline.svg anew.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from turned_clock import TurnedClock

from langchain_reliable import ReliableChatModel, events, observers
from langchain_reliable.observers import Timeline
from langchain_reliable.testing import ScriptedChatModel, says

DOCS = Path(__file__).parents[2] / "docs"
PICTURE = DOCS / "timeline.svg"
PAGES = sorted(DOCS.glob("*.md"))
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")
SKELETON = [
    "In eight lines",
    "Defaults, and why",
    "Special cases",
    "What it does not do",
]


def text(page):
    return page.read_text(encoding="utf-8")


def blocks_of(page):
    return re.findall(r"```python\n(.*?)```", text(page), flags=re.DOTALL)


GUIDES = [page for page in PAGES if f"## {SKELETON[0]}" in text(page)]
"""The others are tables to look things up, or walks through the code."""
WITH_BLOCKS = [page for page in PAGES if blocks_of(page)]


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=lambda page: page.stem)
def test_the_blocks_of_a_page_run(page, in_no_time, monkeypatch):
    for name in KEYS:
        monkeypatch.setenv(name, "none-needed")
    namespace: dict[str, object] = {}
    for block in blocks_of(page):
        exec(compile(block, page.name, "exec"), namespace)  # noqa: S102 - our own page


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_eight_lines_are_no_more_than_eight(page):
    lines = [line for line in blocks_of(page)[0].splitlines() if line.strip()]
    assert len(lines) - sum("import" in line for line in lines) <= 8


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_a_guide_has_the_skeleton(page):
    assert re.findall(r"^## (.*)$", text(page), flags=re.MULTILINE) == SKELETON
    assert text(page).startswith("# ")


@pytest.mark.parametrize(
    ("page", "target"),
    [
        (page, target)
        for page in DOCS.rglob("*.md")
        for target in re.findall(r"\]\(([^)#h][^)#]*)", text(page))
    ],
    ids=lambda one: one.stem if isinstance(one, Path) else one,
)
def test_links_lead_somewhere(page, target):
    assert (page.parent / target).exists()


def test_every_page_stands_in_the_navigation():
    nav = text(DOCS.parent / "mkdocs.yml").split("\nnav:\n")[1]
    listed = set(re.findall(r"(\S+\.md)$", nav, flags=re.MULTILINE))
    assert listed == {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}


def test_observing_knows_the_shape_of_the_trail():
    model = ReliableChatModel(models=[ScriptedChatModel()])
    trail = model.invoke("?").response_metadata["reliable"]
    page = text(DOCS / "observing.md")
    for name in trail:
        assert f"| `{name}` |" in page
    for name in trail["attempts"][0]:
        assert f"| `attempts[].{name}` |" in page


def test_observing_names_every_observer_and_every_event():
    page = text(DOCS / "observing.md")
    named = [name for name in observers.__all__ if name.endswith(("er", "ine"))]
    made = [
        name
        for name, kind in vars(events).items()
        if isinstance(kind, type)
        and issubclass(kind, events.Event)
        and kind is not events.Event
    ]
    for name in (*named, *made):
        assert f"`{name}" in page or name == "LoggingObserver", name


# --- the picture ------------------------------------------------------------------


def drawn():
    """Draw the call of the page; the clock is turned, so it is always the same."""
    clock = TurnedClock(chance=0.7)

    class Down(ScriptedChatModel):
        def _stream(self, *args, **kwargs):
            if not clock.time:  # the first time it begins, and says nothing
                clock.time += 0.16
                yield ChatGenerationChunk(message=AIMessageChunk(content=""))
            clock.time += 0.31
            raise ConnectionError("reset by peer")

    answer = says("word " * 30, delay=0.42, pause=0.04)
    claude = ScriptedChatModel(model="claude-sonnet-5", script=[answer], clock=clock)
    timeline = Timeline()
    model = ReliableChatModel(
        models=[Down(model="gpt-5.4"), claude],
        max_retries=1,
        first_chunk_timeout=None,  # everything in one thread: nothing else turns it
        idle_timeout=None,
        observers=[timeline],
    )
    model._clock = clock
    list(model.stream("?"))
    return timeline.last.svg


def test_the_picture_is_what_the_code_draws():
    assert text(PICTURE) == drawn(), "run python tests/unit_tests/test_docs_pages.py"
    ET.fromstring(text(PICTURE))  # noqa: S314 - our own


if __name__ == "__main__":
    PICTURE.write_text(drawn(), encoding="utf-8")
