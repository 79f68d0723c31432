"""Asking each candidate for one short answer, and saying what is wrong with whom.

Each is asked through a copy of the model with that candidate alone, so that retries,
health and the caller's objects are not touched.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from langchain_core.runnables.config import var_child_runnable_config

from langchain_reliable._children.partners import partner_of
from langchain_reliable._children.prepare import bare_model
from langchain_reliable._text.kinds import words_for
from langchain_reliable._text.redact import redact_line
from langchain_reliable.chat_models._check_report import CandidateCheck, CheckReport
from langchain_reliable.chat_models._secrets import key_variables, secrets_of
from langchain_reliable.chat_models._validation import checked_seconds
from langchain_reliable.events import (
    Answered,
    AttemptFailed,
    AttemptStarted,
    Committed,
    Interrupted,
)
from langchain_reliable.failures import FailureKind
from langchain_reliable.health import Health
from langchain_reliable.observers._logging import unheard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextvars import Context

    from langchain_reliable.candidates import Candidate
    from langchain_reliable.chat_models._langchain import LangChainInterface
    from langchain_reliable.events import Event
    from langchain_reliable.failures import Failure

_QUESTION: Final = "Reply with one word: OK"


# --- asking -----------------------------------------------------------------------


def check(model: LangChainInterface, timeout: float = 30.0) -> CheckReport:
    """Ask each candidate for one short answer, side by side in threads.

    Args:
        model: Whose candidates to ask.
        timeout: Seconds that each may take.
    """
    probes = list(_probes(model, checked_seconds(timeout)))
    with ThreadPoolExecutor(len(probes), "langchain_reliable_check") as pool:
        jobs = [pool.submit(_by_itself().run, probe.run) for probe in probes]
        return CheckReport(tuple(job.result() for job in jobs))


async def acheck(model: LangChainInterface, timeout: float = 30.0) -> CheckReport:  # noqa: ASYNC109 - each candidate's own
    """Ask each candidate for one short answer; the twin of `check`, in tasks."""
    probes = list(_probes(model, checked_seconds(timeout)))
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(probe.arun(), context=_by_itself()) for probe in probes
        ]
    return CheckReport(tuple(task.result() for task in tasks))


def _by_itself() -> Context:
    """Return a context in which a call is nobody's: not in a trace, not in the log."""
    context = copy_context()
    context.run(var_child_runnable_config.set, None)
    context.run(unheard.set, True)  # noqa: FBT003 - the value of a variable
    return context


def _probes(model: LangChainInterface, timeout: float) -> Iterator[_Probe]:
    for route in model._router.plan().routes:
        yield _Probe(model, route.candidate, route.name, route.asked_for, timeout)


class _Probe:
    """One candidate and the one question to it."""

    def __init__(
        self,
        model: LangChainInterface,
        candidate: Candidate,
        name: str,
        asked_for: str | None,
        timeout: float,
    ) -> None:
        self._name = name
        self._candidate = candidate
        self._timeout = timeout
        self._kwargs: dict[str, Any] = {"model": asked_for} if asked_for else {}
        self._began = self._ended = 0.0
        self._first_chunk: float | None = None
        self._failure: Failure | None = None
        self._model = model.model_copy(update=self._settings())

    def _settings(self) -> dict[str, Any]:
        return {
            "models": (self._candidate,),
            "model_fallbacks": {},
            "max_attempts": 1,
            "total_timeout": self._timeout,
            "circuit_breaker": None,
            "health": Health(),
            "retry_budget": None,
            "observers": (self._hear,),
            "callbacks": None,
            "cache": False,
        }

    def run(self) -> CandidateCheck:
        """Ask, and return what came of it."""
        try:
            for _ in self._model.stream(_QUESTION, **self._kwargs):
                pass
        except Exception as error:  # noqa: BLE001 - reported
            return self._fails(error)
        return self._works()

    async def arun(self) -> CandidateCheck:
        """Ask, and return what came of it; the twin of `run`."""
        try:
            async for _ in self._model.astream(_QUESTION, **self._kwargs):
                pass
        except Exception as error:  # noqa: BLE001 - reported
            return self._fails(error)
        return self._works()

    def _hear(self, event: Event) -> None:
        match event:
            case AttemptStarted(at=at):
                self._began = at
            case Committed(attempt=tried):
                self._first_chunk = tried.seconds
            case AttemptFailed(attempt=tried):
                self._failure = tried.failure
            case Interrupted(failure=failure):
                self._failure = failure
            case Answered(at=at):
                self._ended = at
            case _:
                pass

    def _works(self) -> CandidateCheck:
        if self._failure is not None:  # an empty answer: better than none, but no word
            return self._fails(None)
        return CandidateCheck(
            name=self._name,
            works=True,
            first_chunk=self._first_chunk,
            seconds=self._ended - self._began,
        )

    def _fails(self, error: Exception | None) -> CandidateCheck:
        failure = self._failure
        summary = failure.summary if failure else f"{type(error).__name__}: {error}"
        return CandidateCheck(
            name=self._name,
            works=False,
            first_chunk=self._first_chunk,
            failure=failure,
            advice=self._without_keys(self._advice(failure)) if failure else "",
            detail=self._without_keys(redact_line(summary)),
        )

    def _advice(self, failure: Failure) -> str:
        child = bare_model(self._candidate)
        match failure.kind:
            case FailureKind.AUTH:
                name = " or ".join(key_variables(child)) or "the key"
                return f"the key is missing, wrong or not allowed: look at {name}"
            case FailureKind.CONNECTION:
                where = _endpoint(child)
                return f"no way to {where}: look at network, base URL and proxy"
            case FailureKind.TIMEOUT:
                where = _endpoint(child)
                return f"no answer in {self._timeout:g} s: look at the way to {where}"
            case kind:
                return words_for(kind).checked

    def _without_keys(self, text: str) -> str:
        return secrets_of(self._candidate).hide(text)


def _endpoint(child: object) -> str:
    """Return where a child calls, without path, user and password."""
    client = getattr(child, "root_client", None)  # OpenAI's knows the environment's
    urls = [getattr(client, "base_url", None)]
    urls += [getattr(child, name, None) for name in partner_of(child).endpoint_fields]
    return next(filter(None, map(_host, filter(None, urls))), "the provider")


def _host(url: object) -> str:
    try:
        parts = urlsplit(str(url))
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    return f"{parts.hostname}{port}" if parts.hostname else ""
