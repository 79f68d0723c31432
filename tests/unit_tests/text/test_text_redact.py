"""No secret is shown, no text is long, and neither takes long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_reliable._text.redact import HIDDEN, clip, redact, redact_line

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
        "task-force risk-averse desk-bound",
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
