"""How long a provider asked to wait, in all the spellings there are."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest

from langchain_reliable._classify.interpreter import classify
from langchain_reliable._classify.retry_after import asked_for, spelled

NOON = 1_795_435_200.0  # Mon, 23 Nov 2026 12:00:00 GMT
DATE = "Mon, 23 Nov 2026 12:00:00 GMT"

HEADERS = [
    ("seconds", {"retry-after": "7"}, 7.0),
    ("seconds with a fraction", {"retry-after": "0.25"}, 0.25),
    ("nothing to wait for", {"retry-after": "0"}, 0.0),
    ("milliseconds", {"retry-after-ms": "1500"}, 1.5),
    ("milliseconds of Azure", {"x-ms-retry-after-ms": "250"}, 0.25),
    ("milliseconds before seconds", {"retry-after-ms": "900", "retry-after": "1"}, 0.9),
    ("a duration", {"retry-after": "2m30s"}, 150.0),
    ("a date", {"retry-after": "Mon, 23 Nov 2026 12:01:30 GMT"}, 90.0),
    (
        "a date, told from the response's own",
        {
            "retry-after": "Mon, 23 Nov 2026 12:01:30 GMT",
            "date": "Mon, 23 Nov 2026 12:01:20 GMT",
        },
        10.0,
    ),
    ("a date in the past", {"retry-after": "Mon, 23 Nov 2026 11:00:00 GMT"}, None),
    ("a date of no calendar", {"retry-after": "Mon, 99 Nov 2026 11:00:00 GMT"}, None),
    ("a negative number", {"retry-after": "-5"}, None),
    ("no number", {"retry-after": "nan"}, None),
    ("an endless number", {"retry-after": "inf"}, None),
    ("an absurd number", {"retry-after": "99999999"}, None),
    ("words", {"retry-after": "soon"}, None),
    ("an empty one", {"retry-after": ""}, None),
    (
        "a second chance after an absurd one",
        {"retry-after-ms": "-1", "retry-after": "3"},
        3.0,
    ),
    (
        "an empty bucket",
        {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"},
        360.0,
    ),
    (
        "a bucket that is not empty",
        {"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "6m0s"},
        None,
    ),
    (
        "the later of two empty buckets",
        {
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "120ms",
            "x-ratelimit-remaining-tokens": "0",
            "x-ratelimit-reset-tokens": "59",
        },
        59.0,
    ),
    (
        "an empty bucket and a Retry-After",
        {
            "retry-after": "2",
            "x-ratelimit-remaining-tokens": "0",
            "x-ratelimit-reset-tokens": "59",
        },
        2.0,
    ),
    (
        "a bucket until a moment of the epoch",
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(NOON + 5)},
        5.0,
    ),
    (
        "a bucket until a moment in milliseconds",
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str((NOON + 5) * 1000)},
        5.0,
    ),
    (
        "a bucket of Anthropic",
        {
            "anthropic-ratelimit-tokens-remaining": "0",
            "anthropic-ratelimit-tokens-reset": "2026-11-23T12:00:08Z",
        },
        8.0,
    ),
    ("a bucket without a reset", {"x-ratelimit-remaining": "0"}, None),
]


@pytest.mark.parametrize(
    ("headers", "wait"), [r[1:] for r in HEADERS], ids=[r[0] for r in HEADERS]
)
def test_headers(headers, wait):
    assert asked_for(headers, (), "", NOON) == pytest.approx(wait)


def test_a_date_cannot_be_read_without_a_clock():
    later = {"retry-after": "Mon, 23 Nov 2026 12:01:30 GMT"}
    assert asked_for(later, (), "", None) is None
    assert asked_for({**later, "date": DATE}, (), "", None) == 90.0
    assert asked_for({**later, "date": "x1"}, (), "", None) is None
    bucket = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(NOON + 5)}
    assert asked_for(bucket, (), "", None) is None


WORDS = [
    ("please try again in 6.91s.", 6.91),
    ("please try again in 20ms.", 0.02),
    ("please try again in 1m2.5s. need more tokens?", 62.5),
    ("please try again in 1h2m3s", 3723.0),
    ("please retry after 60 seconds.", 60.0),
    ("please retry after 1 second", 1.0),
    ("please retry in 48.939935699s.", 48.939935699),
    ("try again in 5 seconds. passed model=x", 5.0),
    ("please wait 41233 seconds before retrying.", 41233.0),
    ("please try again in 2 minutes", 120.0),
    ("try again after 3 hours", 10800.0),
    ("limit resets in 2 days", 172800.0),
    ("retry-after: 30", 30.0),
    ("'retry_after': 2.5", 2.5),
    ("quota will be replenished in 01:02:03.", 3723.0),
    ("quota will be replenished in 2.01:00:00.", 176400.0),
    ("请等待 5 秒", 5.0),
    ("please try again in 5 monkeys", None),
    ("please try again later", None),
    ("took 450 ms on port 443", None),
    ("4096 tokens", None),
    ("please try again in 99999999 days", None),
]


@pytest.mark.parametrize(("text", "wait"), WORDS)
def test_words(text, wait):
    assert asked_for({}, (), text, None) == pytest.approx(wait)


BODIES = [
    ("retrydelay", "48s", 48.0),
    ("retrydelay", "0.5s", 0.5),
    ("retrydelay", {"seconds": 3, "nanos": 5e8}, 3.5),
    ("retrydelay", {"seconds": "3"}, 3.0),
    ("retrydelay", {}, None),
    ("retry_delay", SimpleNamespace(seconds=2, nanos=0), 2.0),
    ("retry_delay", timedelta(milliseconds=250), 0.25),
    ("retry_after", 12, 12.0),
    ("retry_after", "12", 12.0),
    ("retry_after", "soon", None),
    ("retry_after", None, None),
    ("retry_after", True, None),
    ("retry_after", float("nan"), None),
    ("retry_after_ms", 1500, 1.5),
]


@pytest.mark.parametrize(("name", "value", "wait"), BODIES)
def test_bodies(name, value, wait):
    assert asked_for({}, [(name, value)], "", None) == wait


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7m12s", 432.0),
        ("1d", 86_400.0),
        ("", None),
        ("5", None),
        ("5 x", None),
        ("5s and more", None),
        ("5s 3", None),
    ],
)
def test_durations(text, seconds):
    assert spelled(text) == seconds


def test_headers_are_found_wherever_an_sdk_keeps_them(shaped):
    def of(**attributes):
        return classify(shaped("sdk.RateLimitError", **attributes)).retry_after

    later = {"Retry-After": "3"}
    assert of(response=SimpleNamespace(headers=later)) == 3.0
    assert of(headers=later) == 3.0
    assert of(headers=[("Retry-After", b"3")]) == 3.0
    assert of(headers=[("Retry-After", 3)]) == 3.0
    assert of(headers=[("Retry-After", object())]) is None
    assert of(headers=17) is None
    assert of(headers=[7]) is None
    assert of(headers={"Retry-After": ["3", "4"]}) == 3.0
    assert of(litellm_response_headers=later) == 3.0
    assert of(response={"ResponseMetadata": {"HTTPHeaders": later}}) == 3.0
    assert of(response={"ResponseMetadata": {}}) is None
    assert of(body={"error": {"metadata": {"headers": later}}}) == 3.0
    assert of(retry_after=3) == 3.0


def test_the_wait_of_a_cause_counts_where_the_error_itself_says_none(shaped):
    inner = shaped("sdk.RateLimitError", headers={"retry-after": "3"})
    inner.status_code = 429
    outer = shaped("langchain_x.XRateLimitError")
    outer.__cause__ = inner
    failure = classify(outer)
    assert (failure.retry_after, failure.status) == (3.0, 429)


def test_a_date_is_counted_from_the_moment_handed_in(shaped):
    later = {"retry-after": "Mon, 23 Nov 2026 12:00:45 GMT"}
    raised = shaped("sdk.RateLimitError", headers=later)
    assert classify(raised).retry_after is None
    assert classify(raised, NOON).retry_after == 45.0
