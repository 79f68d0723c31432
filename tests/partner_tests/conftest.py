"""A simulator for partner classes, and a table of what was seen of each."""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import warnings
from functools import reduce
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from partner_classes import PARTNER_CLASSES
from partner_table import written
from real_clients import CACHES

from langchain_reliable.testing import simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langchain_core.messages import AIMessage
    from partner_classes import PartnerClass

    from langchain_reliable.testing import Simulator

_seen: dict[tuple[str, str], set[str]] = {}
"""Class and property to the outcomes of its tests."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--partners-table", help="write what was seen to this file")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "shows(what): a column of docs/partners.md")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = (yield).get_result()
    mark = item.get_closest_marker("shows")
    if mark is None or (report.when != "call" and report.passed):
        return
    partner = item.callspec.params["partner"]
    _seen.setdefault((partner.name, mark.args[0]), set()).add(report.outcome)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if path := session.config.getoption("--partners-table"):
        today = dt.datetime.now(dt.UTC).date()
        Path(path).write_text(written(PARTNER_CLASSES, _seen, today))


@pytest.fixture(params=PARTNER_CLASSES, ids=lambda one: one.name)
def partner(request: pytest.FixtureRequest) -> PartnerClass:
    return request.param


@pytest.fixture
def asked() -> Iterator[Callable[[Any, str], AIMessage]]:
    """Ask on a surface, all in one loop; the chunks of a stream are added up."""

    async def streamed(model: Any) -> list[Any]:
        return [chunk async for chunk in model.astream("hi")]

    def ask(model: Any, surface: str) -> AIMessage:
        match surface:
            case "invoke":
                return model.invoke("hi")
            case "ainvoke":
                return runner.run(model.ainvoke("hi"))
            case "stream":
                return reduce(add, model.stream("hi"))
            case _:
                return reduce(add, runner.run(streamed(model)))

    with asyncio.Runner() as runner:
        yield ask


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with simulator() as running:
        yield running


@pytest.fixture(autouse=True, scope="module")
def leave_nothing_to_others() -> Iterator[None]:
    """Collect what the clients leave open: most of them can't be closed."""
    yield
    for cached in CACHES:
        cached.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()
