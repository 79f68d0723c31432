"""Cassettes: where they lie, who stands behind them, and the guard."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from cassette_guard import guarded
from cassette_settings import SETTINGS, same_llm
from recorded_clients import CASSETTES, LIVE_KEYS, Provider

from langchain_reliable.testing import simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vcr import VCR
    from vcr.cassette import Cassette


def pytest_configure(config: pytest.Config) -> None:
    for marker in (
        "can_be_live: live providers can be made to show this",
        "plays_in_part: the test leaves some of its cassette unplayed",
    ):
        config.addinivalue_line("markers", marker)


def pytest_recording_configure(config: pytest.Config, vcr: VCR) -> None:
    vcr.register_matcher("llm", same_llm)


# --- the guard --------------------------------------------------------------------


@pytest.fixture(autouse=True)
def guard(
    request: pytest.FixtureRequest, vcr: Cassette | None, record_mode: str
) -> Iterator[None]:
    """Fail a test that made other requests than its cassette holds."""
    in_part = request.node.get_closest_marker("plays_in_part") is not None
    with guarded(vcr, to_the_end=record_mode == "none" and not in_part):
        yield


# --- what is played, and where it lies --------------------------------------------


@pytest.fixture
def vcr_config() -> dict[str, Any]:
    return SETTINGS


@pytest.fixture(scope="module")
def vcr_cassette_dir() -> str:
    return str(CASSETTES)


@pytest.fixture
def default_cassette_name(request: pytest.FixtureRequest) -> str:
    """Name a cassette for its story: `simulator/<test>/<family>-<surface>`."""
    if "source" not in request.fixturenames:
        return request.node.name
    told = request.node.callspec.params
    story = _story(request.node.originalname)
    return f"{told['source']}/{story}/{told['family']}-{told['surface']}"


@pytest.fixture
def provider(source: str, pytestconfig: pytest.Config) -> Iterator[Provider]:
    if source == "live" or not _records(pytestconfig):
        yield Provider(source, sim=None)
        return
    with simulator() as sim:
        yield Provider(source, sim)


# --- who is recorded --------------------------------------------------------------


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "source" in metafunc.fixturenames:
        metafunc.parametrize("source", _sources(metafunc.definition))


def _sources(test: pytest.Function) -> list[str]:
    """Return who shall be recorded, or whose recordings there are to replay."""
    can_be_live = test.get_closest_marker("can_be_live") is not None
    if _records(test.config):
        wanted = os.environ.get("RECORD_FROM", "simulator")
        if wanted not in ("simulator", "live"):
            msg = f'RECORD_FROM is {wanted!r}: write "simulator" or "live"'
            raise pytest.UsageError(msg)
        return [wanted] if can_be_live or wanted == "simulator" else []
    recorded = CASSETTES / "live" / _story(test.originalname)
    return ["simulator", *(["live"] if can_be_live and recorded.is_dir() else [])]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what can't be recorded before its old cassette is thrown away for it."""
    missing = [key for key in LIVE_KEYS.values() if not os.environ.get(key)]
    for item in items:
        told = getattr(getattr(item, "callspec", None), "params", {})
        if told.get("source") == "live" and missing and _records(item.config):
            item.add_marker(pytest.mark.skip(f"{' and '.join(missing)} not set"))


def _records(config: pytest.Config) -> bool:
    return config.getoption("--record-mode") not in (None, "none")


def _story(test: str) -> str:
    return test.removeprefix("test_")
