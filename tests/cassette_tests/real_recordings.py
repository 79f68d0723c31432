"""Recordings of real providers: reading them, and the clients that ask what they hold.

They lie outside the repository, where `RECORDINGS_DIR` says, and are only read. What
should come of them stands in `test_recordings.py`.
"""

from __future__ import annotations

import importlib
import json
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from cassette_guard import guarded
from cassette_settings import same_llm
from langchain_anthropic import ChatAnthropic
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from vcr import VCR
from vcr.persisters.filesystem import FilesystemPersister
from vcr.serializers import yamlserializer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.language_models import BaseChatModel
    from vcr.cassette import Cassette
    from vcr.request import Request

FOLDER: Final = os.environ.get("RECORDINGS_DIR")
_MATCH_ON: Final = ("method", "scheme", "host", "path", "llm")
"""The query is left out: partner packages say `?beta=true` or not as they like."""


@dataclass(frozen=True)
class Recording:
    """One file, or some consecutive answers of it."""

    name: str
    first: int = 0
    count: int | None = None

    @property
    def interactions(self) -> list[tuple[Request, Any]]:
        """The requests and responses, in order."""
        end = None if self.count is None else self.first + self.count
        return _read(self.name)[self.first : end]

    @property
    def statuses(self) -> list[int]:
        """The HTTP statuses, in order."""
        return [response["status"]["code"] for _, response in self.interactions]

    @property
    def asked(self) -> dict[str, Any]:
        """The body of the first request."""
        return json.loads(self.interactions[0][0].body or b"{}")

    @property
    def url(self) -> str:
        """Where the first request went."""
        return self.interactions[0][0].uri.partition("?")[0]

    def part(self, first: int, count: int) -> Recording:
        """Return some of its answers."""
        return Recording(self.name, first, count)


def all_names() -> list[str]:
    """Return every recording there is, as `provider/what.yaml`."""
    if not FOLDER:
        return []
    root = Path(FOLDER)
    return sorted(str(file.relative_to(root)) for file in root.glob("*/*.yaml"))


@cache
def _read(name: str) -> list[tuple[Request, Any]]:
    requests, responses = FilesystemPersister.load_cassette(
        Path(FOLDER or "", name), yamlserializer
    )
    return list(zip(requests, responses, strict=True))


@contextmanager
def playing(recording: Recording) -> Iterator[Cassette]:
    """Play a recording from its first answer to its last, each once, under guard."""

    class Persister:
        @staticmethod
        def load_cassette(*_: Any, **__: Any) -> tuple[list[Request], list[Any]]:
            requests, responses = zip(*recording.interactions, strict=True)
            return list(requests), list(responses)

    player = VCR(record_mode="none")
    player.register_matcher("llm", same_llm)
    player.register_persister(Persister)
    with (
        player.use_cassette(
            recording.name, match_on=_MATCH_ON, allow_playback_repeats=False
        ) as cassette,
        guarded(cassette),
    ):
        yield cassette


# --- the clients ------------------------------------------------------------------


def client_for(recording: Recording) -> BaseChatModel:
    """Return the real client that asks what was asked.

    It streams, or does not, as the recording did, whichever way it is called.
    """
    streams = _streams(recording)
    mode = {"streaming": True} if streams else {"disable_streaming": True}
    for address, make in _CLIENTS.items():
        if re.search(address, recording.url):
            return make(recording, mode)
    raise NotImplementedError(recording.url)


def _streams(recording: Recording) -> bool:
    asked = bool(recording.asked.get("stream"))
    return asked or bool(re.search(r":streamGenerate|/converse-stream$", recording.url))


def _anthropic(recording: Recording, mode: dict[str, Any]) -> BaseChatModel:
    return ChatAnthropic(
        model=recording.asked["model"], api_key="x", max_tokens=50, **mode
    )


def _openai(recording: Recording, mode: dict[str, Any]) -> BaseChatModel:
    path = "responses" if recording.url.endswith("/responses") else "chat/completions"
    return ChatOpenAI(
        model=recording.asked["model"],
        base_url=recording.url.removesuffix(f"/{path}"),
        api_key="x",
        use_responses_api=path == "responses",
        **mode,
    )


def _azure(recording: Recording, mode: dict[str, Any]) -> BaseChatModel:
    endpoint, _, rest = recording.url.partition("/openai/deployments/")
    return AzureChatOpenAI(
        model=recording.asked["model"],
        azure_endpoint=endpoint,
        azure_deployment=rest.partition("/")[0],
        api_version="2024-10-21",
        api_key="x",
        **mode,
    )


def _gemini(recording: Recording, mode: dict[str, Any]) -> BaseChatModel:
    package = partner("langchain_google_genai")
    version, _, model = recording.url.split("/", 3)[3].partition("/models/")
    return package.ChatGoogleGenerativeAI(
        model=model.partition(":")[0],
        api_version=version,  # google-genai 3 asks v1 where 2 asked v1beta
        google_api_key="x",
        max_retries=1,
        **mode,
    )


def _bedrock(recording: Recording, mode: dict[str, Any]) -> BaseChatModel:
    package = partner("langchain_aws")
    config = importlib.import_module("botocore.config").Config
    mode = {} if mode.get("streaming") else mode
    return package.ChatBedrockConverse(
        model=bedrock_model(recording),
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=config(retries={"total_max_attempts": 1}),
        **mode,
    )


def bedrock_model(recording: Recording) -> str:
    """Return the model of a Bedrock recording: it stands in the path."""
    return recording.url.split("/model/")[1].split("/")[0].replace("%3A", ":")


def _cohere(recording: Recording, mode: dict[str, Any]) -> BaseChatModel:
    package = partner("langchain_cohere")
    return package.ChatCohere(
        model=recording.asked["model"], cohere_api_key="x", **mode
    )


def partner(package: str) -> Any:
    """Return a partner package, or skip the test."""
    return pytest.importorskip(package, reason=f"{package} is not installed")


_CLIENTS: Final = {
    r"api\.anthropic\.com": _anthropic,
    r"\.openai\.azure\.com": _azure,
    r"/(chat/completions|responses)$": _openai,
    r"generativelanguage\.googleapis\.com": _gemini,
    r"bedrock-runtime\.": _bedrock,
    r"api\.cohere\.com": _cohere,
}
