"""No secret is shown, no text is long, and neither takes long."""

from __future__ import annotations

import xml.parsers.expat
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_reliable._text.redact import (
    HIDDEN,
    Secrets,
    clip,
    harmless,
    plain_name,
    redact,
    redact_line,
)

LONG = "Ab1" * 16
SECRETS = [
    f"sk-{LONG}",
    f"sk-proj-{LONG}",
    f"sk-ant-api03-{LONG}",
    f"sk-or-v1-{LONG}",
    f"pk_{LONG}",
    f"gsk_{LONG}",
    f"xai-{LONG}",
    f"AIza{LONG}",
    f"ya29.{LONG}",
    f"hf_{LONG}",
    f"nvapi-{LONG}",
    f"pplx-{LONG}",
    f"csk-{LONG}",
    f"r8_{LONG}",
    f"fw_{LONG}",
    f"dapi{'0af' * 12}",
    f"tgp_v1_{LONG}",
    f"ghp_{LONG}",
    f"github_pat_{LONG}",
    f"lsv2_pt_{LONG}",
    "AKIAABCDEFGHIJKLMNOP",
    f"ABSK{LONG}",
    f"bedrock-api-key-{LONG}",
    f"{LONG}JQQJ99BFACHYHv6XJ3w3AAABACOG1234",
    f"abc8Q~{LONG}",
    f"AQ.{LONG}",
    f"GOCSPX-{LONG}",
    f"1//{LONG}",
    f"pcsk_{LONG}",
    f"jina_{LONG}",
    f"vck_{LONG}",
    f"pa-{LONG}",
    f"ghr_{LONG}",
    f"xapp-{LONG}",
    f"SG.{LONG}",
    f"eyJ{LONG}.eyJ{LONG}.{LONG}",
    f"{'0123456789abcdef' * 2}.{LONG}",
    f"-----BEGIN RSA PRIVATE KEY-----\n{LONG}\n{LONG}\n-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret[:12])
def test_keys_are_hidden_by_their_looks(secret):
    shown = redact(f"Incorrect key ({secret}), sorry")
    assert LONG not in shown
    assert secret not in shown
    assert shown.startswith("Incorrect key (")
    assert HIDDEN in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abcdef123456", "Authorization: Bearer [hidden]"),
        ("basic dXNlcjpwYXNz", "basic [hidden]"),
        ("https://x/y?key=abcdefgh123&a=1", "https://x/y?key=[hidden]&a=1"),
        ("https://me:pass@host/x", "https://[hidden]@host/x"),
        ("{'api_key': 'abcdefgh123'}", "{'api_key': '[hidden]'}"),
        ('{"x-api-key": "abcdefgh123"}', '{"x-api-key": "[hidden]"}'),
        ('{\\"token\\":\\"abcdefgh123\\"}', '{\\"token\\":\\"[hidden]\\"}'),
        ("X-Amz-Signature=0123456789ab", "X-Amz-Signature=[hidden]"),
        ("client_secret = abcdefgh123", "client_secret = [hidden]"),
    ],
)
def test_keys_are_hidden_by_their_names(text, shown):
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "Rate limit reached for gpt-5 on tokens per min (TPM): Limit 30000.",
        "model: claude-sonnet-4-5-20250929",
        "see https://platform.openai.com/account/rate-limits",
        "task-force risk-averse desk-bound spa-like",
        "https://example.com/1//2",
        "AQ. is short",
        "max_tokens: 4096 is too large",
        "The keys of the body are wrong",
        "request id 0123456789abcdef0123456789abcdef",
        "",
    ],
)
def test_what_is_no_secret_is_left_alone(text):
    assert redact(text) == text


def test_text_is_put_on_one_line_and_cut():
    assert clip("a\n b\t c", 20) == "a b c"
    assert clip("abcdef", 4) == "abc…"
    assert clip("abc", 0) == "…"
    assert clip("x" * 100, 10) == "…"


def test_a_key_at_the_cut_is_not_shown_by_half():
    for before in range(780, 830):
        text = "word " * (before // 5) + "x" * (before % 5) + f" sk-{LONG}"
        assert "sk-" not in redact_line(text)
    assert LONG[:20] not in redact_line("a " * 10 + f"sk-{LONG} " * 50)


@given(st.text(max_size=3000), st.integers(min_value=1, max_value=300))
def test_any_text_comes_out_short_and_on_one_line(text, limit):
    cleaned = redact_line(text, limit)
    assert len(cleaned) <= limit
    assert len(cleaned.splitlines()) <= 1


@pytest.mark.parametrize(
    "piece", ["sk-", "Bearer ", "eyJ", "key=", "://a", "-----BEGIN ", "'", "\\", "a.0"]
)
def test_long_texts_take_no_longer_than_their_length(piece):
    assert len(redact_line(piece * 400_000)) <= 200


TRICKS = [
    ("\x1b[31mred\x1b[0m", "red"),
    ("\x9b31mred", "red"),
    ("a\x1b]0;title\x07b", "ab"),
    ("a\x1b]8;;https://x\x1b\\b", "ab"),
    ("a\x00b\x7fc", "abc"),
    ("one\r\ntwo\u2028three\x85four\tfive", "one  two three four five"),
    ("\u202eabc\u2066d\u200f", "abcd"),
    ("k\u200be\ufeffy", "key"),
    ("half \ud800", "half \N{REPLACEMENT CHARACTER}"),
    ("\ufffe\uffff", ""),
    ("\N{FAMILY} \N{WOMAN}\u200d\N{GIRL} \u05e9\u05dc\u05d5\u05dd", None),
]


@pytest.mark.parametrize(("text", "shown"), TRICKS)
def test_tricks_are_taken_out_and_all_else_is_left(text, shown):
    assert harmless(text) == (text if shown is None else shown)


@given(st.text(st.characters()))
def test_whatever_comes_out_is_harmless(text):
    shown = harmless(text)
    assert harmless(shown) == shown
    assert len(shown.splitlines()) <= 1
    shown.encode()
    parse(f"<a>{escape(shown)}</a>".encode())


def parse(document):
    parser = xml.parsers.expat.ParserCreate()
    parser.Parse(document, True)  # noqa: FBT003 - its last argument


def test_a_key_with_something_invisible_in_it_is_a_key():
    assert LONG not in redact_line(f"wrong: s\u200bk-{LONG}")


def test_names_are_plain_and_short():
    assert plain_name("gpt-5.4  (eu)") == "gpt-5.4  (eu)"
    assert plain_name("a\r\nWARNING forged\x1b[2J") == "a WARNING forged"
    assert len(plain_name("x " * 500)) <= 100
    assert plain_name("\x00\u202e") == "unnamed"


KEY = "a1b2c3d4e5f60718293a4b5c6d7e8f90"


@pytest.mark.parametrize("text", [KEY, KEY[:22], KEY[9:20], f"x{KEY[:8]}y{KEY[-9:]}"])
def test_a_known_secret_is_hidden_whole_and_in_parts(text):
    shown = Secrets([KEY, "other"]).hide(f"wrong: {text}, sorry")
    assert HIDDEN in shown
    assert not any(KEY[at : at + 8] in shown for at in range(len(KEY) - 7))
    assert shown.startswith("wrong: ")
    assert shown.endswith(", sorry")


def test_what_is_too_short_to_be_a_secret_hides_nothing():
    assert Secrets(["test", ""]).hide("the test failed") == "the test failed"
    assert Secrets([KEY]).hide("ends with 8f90") == "ends with 8f90"
