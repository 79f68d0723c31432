"""No cassette holds a key, a person or an organization, and none can get there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from cassette_settings import SETTINGS, SIMULATOR, same_llm
from key_shapes import REDACTED, found_in
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI
from recorded_clients import CASSETTES
from vcr import VCR

from langchain_reliable.testing import error_status, simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

# Put together here, so that no scanner takes this file for a leak.
SECRETS = {
    "openai": "sk-" + "proj-abcDEF123_456",
    "anthropic": "sk-" + "ant-api03-abcDEF",
    "masked": "Incorrect API key provided: sk-" + "****test.",
    "aws": "AKIA" + "IOSFODNN7EXAMPLE",
    "google": "AIza" + "SyA-1234567890abcdef",
    "groq": "gsk" + "_abcdef0123456789",
    "xai": "xai" + "-abcdef0123456789",
    "hugging_face": "hf" + "_abcdefghijkl",
    "github": "ghp" + "_abcdefghijkl",
    "bearer": "Bearer abc.def",
    "jwt": "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxIn0" + ".abc-_",
    "key_in_url": "https://host/path?alt=sse&key=abcdef",
    "e_mail": "somebody@example.com",
    "organization": "in organization org-AbC123",
    "project": "proj_abcdefghijklmnop",
    "workspace": "wrkspc_01abcdefghijk",
    "cookie": "      Set-Cookie:\n      - __cf_bm=abc",
    "organization_header": "      anthropic-organization-id:\n      - 12345678",
}
INNOCENT = ("the task-force asks", "disk-cache", "a.org/page", REDACTED, "organized")

KEY_HEADERS = ("authorization", "x-api-key", "x-goog-api-key")

FILES = sorted(path for path in CASSETTES.rglob("*") if path.is_file())
CASSETTES_FOUND = [file for file in FILES if file.suffix == ".yaml"]


def _load(text: str) -> Any:
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe ones both


def strings_of(value: Any) -> Iterator[str]:
    """Yield every string, as it was before YAML folded it."""
    match value:
        case dict():
            for key, inner in value.items():
                yield from strings_of(key)
                yield from strings_of(inner)
        case list():
            for inner in value:
                yield from strings_of(inner)
        case bytes():
            yield value.decode("latin-1")
        case str():
            yield value


def leaks_of(text: str) -> set[str]:
    """Return what a cassette leaks, looking at the file and at what it means."""
    found = set(found_in(text))
    for string in strings_of(_load(text)):
        found.update(found_in(string))
    return found


def test_no_cassette_holds_a_key():
    leaks = {str(file): leaks_of(file.read_text()) for file in CASSETTES_FOUND}
    assert {file: found for file, found in leaks.items() if found} == {}


def test_nothing_beside_them_does():
    beside = sorted(set(FILES) - set(CASSETTES_FOUND))
    assert [file.name for file in beside] == ["README.md"]
    assert found_in(beside[0].read_text()) == []


def test_what_stands_for_a_key_says_so():
    for file in CASSETTES_FOUND:
        for one in _load(file.read_text())["interactions"]:
            sent = one["request"]["headers"]
            keys = [sent[name] for name in KEY_HEADERS if name in sent]
            needed = not one["request"]["uri"].endswith("/api/chat")  # Ollama's
            assert keys == [[REDACTED]] or not (keys or needed), file


class TestTheScan:
    @pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
    def test_bites(self, secret):
        assert leaks_of(yaml.dump({"body": f"before {secret} after"}))
        assert found_in(secret)

    @pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
    def test_looks_into_binary_bodies(self, secret):
        assert leaks_of(yaml.dump({"body": b"\xff" + secret.encode()}))

    @pytest.mark.parametrize("text", INNOCENT)
    def test_lets_innocent_words_be(self, text):
        assert not found_in(text)

    def test_does_not_repeat_what_it_found(self):
        for secret in SECRETS.values():
            assert not any(secret in said for said in found_in(secret))


class TestTheRecorder:
    @pytest.mark.parametrize("surface", ["invoke", "stream"], indirect=True)
    def test_writes_none_down(self, surface, tmp_path):
        """Keys go out and are echoed, ids come back: nothing of it is stored."""
        file = tmp_path / "cassette.yaml"
        recorder = VCR(record_mode="all")
        recorder.register_matcher("llm", same_llm)
        telling = error_status(
            401,
            message=", ".join(said for said in SECRETS.values() if "\n" not in said),
            headers={
                "set-cookie": "__cf_bm=abc",
                "openai-organization": "org-AbC123",
                "anthropic-organization-id": "12345678-1234",
                "retry-after": "3",
            },
        )
        with simulator() as sim, recorder.use_cassette(str(file), **SETTINGS):
            sim.script("m", telling)
            openai = ChatOpenAI(
                model="m",
                base_url=sim.openai_url,
                api_key=SECRETS["openai"],
                organization="org-AbC123",
                default_headers={"cookie": "session=abc", "api-key": SECRETS["groq"]},
            )
            anthropic = ChatAnthropic(
                model="m", base_url=sim.anthropic_url, api_key=SECRETS["anthropic"]
            )
            for child in (openai, anthropic):
                assert surface(child).error is not None
            keys = [request.key for request in sim.requests]
        assert keys == [SECRETS["openai"], SECRETS["anthropic"]]

        text = file.read_text()
        assert leaks_of(text) == set()
        assert text.count(f"uri: {SIMULATOR}/") == 2
        assert "retry-after" in text
        assert "session=abc" not in text
        assert "12345678" not in text
