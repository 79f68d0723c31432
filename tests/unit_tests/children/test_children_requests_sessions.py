"""A session of requests sends once and waits no longer, on a view of it."""

from __future__ import annotations

from collections import UserDict
from typing import Any

import pytest
import requests
from langchain_core.language_models import FakeListChatModel
from pydantic import PrivateAttr
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from langchain_reliable._children.clients.requests_sessions import quiet_session
from langchain_reliable._children.sdk_retries import without_sdk_retries
from langchain_reliable.testing import error_status, simulator


class Noting(HTTPAdapter):
    """Notes the time-outs that it is given, and answers nothing."""

    def __init__(self):
        super().__init__()
        self.timeouts = []

    def send(self, request, **settings):
        self.timeouts.append(settings["timeout"])
        return requests.Response()


class Own(requests.Session):
    """With something of its own, which copies of requests leave out."""

    base = "http://nowhere.invalid"

    def __init__(self):
        super().__init__()
        self.tenant = "a"


@pytest.fixture
def session():
    with Own() as one:
        one.mount("http://", Noting())
        yield one


@pytest.mark.parametrize(
    ("own", "given"), [(None, 5.0), (60, 5.0), (2, 2), ((3, 60), (3, 5.0))]
)
def test_it_waits_no_longer(session, own, given):
    quiet_session(session, 5.0).get(session.base, timeout=own)
    assert session.get_adapter("http://").timeouts == [given]


def test_without_a_limit_its_own_timeout_holds(session):
    quiet_session(session, None).get(session.base, timeout=60)
    assert session.get_adapter("http://").timeouts == [60]


def test_all_else_is_shared(session):
    view = quiet_session(session, 5.0)
    assert (view.tenant, view.cookies) == ("a", session.cookies)
    inner = session.get_adapter("https://")
    assert view.get_adapter("https://").poolmanager is inner.poolmanager
    assert session.adapters["https://"] is inner


def test_it_sends_once():
    with simulator() as sim, requests.Session() as session:
        sim.script("m", error_status(503))
        retry = Retry(2, status_forcelist=[503], allowed_methods=None)
        session.mount("http://", HTTPAdapter(max_retries=retry))
        view = quiet_session(session, 5.0)
        body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
        answer = view.post(f"{sim.openai_url}/chat/completions", json=body)
        assert answer.status_code == 503
        assert sim.count("m") == 1
        assert session.get_adapter("http://").max_retries is retry


def test_nothing_else_is_one():
    assert quiet_session(UserDict(), 5.0) is None


def test_a_model_that_keeps_one_lacks_nothing(caplog):
    class Unlisted(FakeListChatModel):
        session: Any = None
        _other: Any = PrivateAttr(default_factory=requests.Session)

    child = Unlisted(responses=["hi"], session=requests.Session())
    made = without_sdk_retries(child, 5.0)
    assert made.session.adapters["https://"]._read_timeout == 5.0
    assert made._other.adapters["https://"]._read_timeout == 5.0
    assert isinstance(child.session.adapters["https://"], HTTPAdapter)
    assert not caplog.messages
