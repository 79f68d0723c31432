"""More ways to ask for a wait: drafts of headers, bodies, and what gRPC carries."""

from __future__ import annotations

import pytest

from langchain_reliable._classify.interpreter import classify
from langchain_reliable._classify.retry_after import asked_for

NOON = 1_795_435_200.0  # Mon, 23 Nov 2026 12:00:00 GMT

DRAFTS = [
    ("the draft's fields", {"ratelimit-remaining": "0", "ratelimit-reset": "12"}, 12.0),
    ("a reset without a rest", {"ratelimit-reset": "12"}, 12.0),
    ("a reset of x without a rest", {"x-ratelimit-reset": "12"}, 12.0),
    (
        "a reset of x at a moment",
        {"x-ratelimit-reset": str(NOON + 30)},
        30.0,
    ),
    ("a reset after", {"x-ratelimit-reset-after": "5.5"}, 5.5),
    ("a reset with hyphens", {"x-rate-limit-reset": "6"}, 6.0),
    (
        "a rest with hyphens",
        {"x-rate-limit-remaining": "0", "x-rate-limit-reset": "6"},
        6.0,
    ),
    ("a rest left", {"ratelimit-remaining": "3", "ratelimit-reset": "12"}, None),
    ("one field", {"ratelimit": "limit=100, remaining=0, reset=50"}, 50.0),
    ("one field with a rest", {"ratelimit": "limit=100, remaining=7, reset=50"}, None),
    ("one field of today", {"ratelimit": '"default";r=0;t=30'}, 30.0),
    ("one field of today with a rest", {"ratelimit": '"default";r=4;t=30'}, None),
    ("one field of today without a rest", {"ratelimit": '"default";t=30'}, 30.0),
    (
        "two policies",
        {"ratelimit": '"burst";r=5;t=1, "hour";r=0;t=900'},
        900.0,
    ),
    ("a policy only", {"ratelimit-policy": '"default";q=100;w=60'}, None),
    ("nonsense", {"ratelimit": "t=, r=x", "ratelimit-reset": "soon"}, None),
    ("a negative one", {"ratelimit": '"default";r=0;t=-30'}, None),
    (
        "Retry-After before them",
        {"retry-after": "2", "ratelimit": '"default";r=0;t=30'},
        2.0,
    ),
    ("a push back of gRPC", {"grpc-retry-pushback-ms": "1500"}, 1.5),
    ("a push back that says never", {"grpc-retry-pushback-ms": "-1"}, None),
]


@pytest.mark.parametrize(
    ("headers", "wait"), [r[1:] for r in DRAFTS], ids=[r[0] for r in DRAFTS]
)
def test_headers(headers, wait):
    assert asked_for(headers, (), "", NOON) == pytest.approx(wait)


BODIES = [
    ("Hugging Face", {"error": "Model x is loading", "estimated_time": 20.5}, 20.5),
    ("an absurd estimate", {"error": "loading", "estimated_time": 9e9}, None),
    ("a window in seconds", {"error": {"resets_in_seconds": 7200}}, 7200.0),
    ("a window at a moment", {"error": {"resets_at": NOON + 60}}, 60.0),
    ("a window at a date", {"error": {"reset_at": "2026-11-23T12:00:20Z"}}, 20.0),
    ("a window in the past", {"error": {"resets_at": NOON - 60}}, None),
    ("milliseconds", {"error": {"retryAfterMs": 1500}}, 1.5),
    ("camels", {"error": {"retryAfter": "3s"}}, 3.0),
    ("nothing", {"error": {"resets_at": None, "estimated_time": "soon"}}, None),
    ("NaN", {"error": {"retry_after": float("nan")}}, None),
    ("a truth", {"error": {"retry_after": True}}, None),
    (
        "headers that a gateway hands on",
        {
            "error": {
                "metadata": {
                    "headers": {
                        "X-RateLimit-Remaining": "0",
                        "X-RateLimit-Reset": str(int((NOON + 9) * 1000)),
                    }
                }
            }
        },
        9.0,
    ),
    (
        "RetryInfo",
        {
            "error": {
                "details": [
                    {
                        "@type": "type.googleapis.com/google.rpc.RetryInfo",
                        "retryDelay": "37s",
                    }
                ]
            }
        },
        37.0,
    ),
]


@pytest.mark.parametrize(
    ("body", "wait"), [r[1:] for r in BODIES], ids=[r[0] for r in BODIES]
)
def test_bodies(shaped, body, wait):
    raised = shaped("openai.RateLimitError", "no", status_code=429, body=body)
    assert classify(raised, now=NOON).retry_after == pytest.approx(wait)


WORDS = [
    ("please wait 38 seconds before retrying.", 38.0),
    ("the limit will reset in 2 hours", 7200.0),
    ("try again in 5 days 22 hours 11 minutes.", 511_860.0),
    ("quota resets after 30s", 30.0),
    ("retry your request in 4 seconds", 4.0),
    ("available in 12 seconds", 12.0),
    ("please retry after 26 seconds.", 26.0),
    ("your quota will reset after 1h30m0s.", 5400.0),
    ("retry-after: 7", 7.0),
    ("it took 7 seconds", None),
    ("the answer waits for nobody", None),
]


@pytest.mark.parametrize(("text", "wait"), WORDS)
def test_words(text, wait):
    assert asked_for({}, (), text, NOON) == pytest.approx(wait)


def field(number, payload):
    """Write a field of a protobuf message: bytes, or a number."""
    if isinstance(payload, int):
        return bytes([number << 3]) + varint(payload)
    return bytes([number << 3 | 2]) + varint(len(payload)) + payload


def varint(number):
    parts = []
    while True:
        number, low = number >> 7, number & 127
        parts.append(low | (128 if number else 0))
        if not number:
            return bytes(parts)


DURATION = field(1, 300) + field(2, 500_000_000)
RETRY_INFO = field(1, DURATION)
WIDE = bytes([2 << 3 | 1]) + b"8 bytes." + bytes([3 << 3 | 5]) + b"four"
TYPE = b"type.googleapis.com/google.rpc.RetryInfo"
OTHER = field(1, b"type.googleapis.com/google.rpc.Help") + field(2, b"x" * 300)
STATUS = (
    field(1, 8)
    + field(2, b"no")
    + field(3, OTHER)
    + field(3, field(1, TYPE) + field(2, RETRY_INFO))
)

GRPC = [
    ("RetryInfo by itself", [("google.rpc.retryinfo-bin", RETRY_INFO)], 300.5),
    ("RetryInfo among the details", [("grpc-status-details-bin", STATUS)], 300.5),
    ("details without one", [("grpc-status-details-bin", field(3, OTHER))], None),
    ("details cut short", [("grpc-status-details-bin", STATUS[:-6])], None),
    ("details of nonsense", [("grpc-status-details-bin", TYPE + b"\xff\xff")], None),
    ("no details", [("grpc-status-details-bin", b"")], None),
    ("a type that no detail has", [("x-bin", field(2, TYPE))], None),
    ("a delay that is no number", [("x-bin", field(1, field(1, b"soon")))], None),
    ("a delay that is none", [("x-bin", field(1, 7))], None),
    ("fields of other widths", [("x-bin", WIDE + RETRY_INFO)], 300.5),
    ("a number without end", [("x-bin", b"\xff" * 12)], None),
    ("no bytes", [("x-bin", "text")], None),
    ("a push back", [("grpc-retry-pushback-ms", "250")], 0.25),
]


@pytest.mark.parametrize(
    ("metadata", "wait"), [r[1:] for r in GRPC], ids=[r[0] for r in GRPC]
)
def test_grpc(shaped, metadata, wait):
    raised = shaped(
        "grpc._channel._InactiveRpcError",
        "no",
        code=lambda: type("Code", (), {"name": "RESOURCE_EXHAUSTED"}),
        trailing_metadata=lambda: metadata,
    )
    failure = classify(raised, now=NOON)
    assert failure.kind == "rate_limited"
    assert failure.retry_after == pytest.approx(wait)
