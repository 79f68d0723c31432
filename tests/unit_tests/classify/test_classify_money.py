"""Money, plans and windows of use: what no retry in this call can mend.

A day, a week, a session and a plan are `quota_exhausted`; a second, a minute and
what is under way at once are `rate_limited`, whatever word the provider uses.
"""

# ruff: noqa: E501 - bodies stand on one line each

from __future__ import annotations

import pytest

from langchain_reliable._classify.interpreter import classify

QUOTA, RATE, AUTH = "quota_exhausted", "rate_limited", "auth"


def error(message, kind=None, code=None, **more):
    return {"error": {"message": message, "type": kind, "code": code, **more}}


ALWAYS_MONEY = [
    ("402 with nothing", {}),
    ("402 with a page", "<html><title>402 Payment Required</title></html>"),
    ("402 that names a rate limit", error("Slow down", "rate_limit_exceeded")),
    ("402 that calls itself a bad request", error("no", "invalid_request_error")),
    (
        "402 that asks for a verified card",
        error("A valid card is needed", "customer_verification_required"),
    ),
    (
        "402 of what is under way",
        error(
            "In flight",
            None,
            402,
            metadata={"limit_source": "openrouter_in_flight_budget"},
        ),
    ),
    (
        "402 of a request that costs too much",
        error(
            "This request requires more credits, or fewer max_tokens. You asked for 32000, but can only afford 900.",
            None,
            402,
        ),
    ),
    ("402 of Copilot", error("You have no quota", None, "quota_exceeded")),
    ("402 of a hub", {"error": "You have used the monthly included credits"}),
    (
        "402 of NVIDIA",
        {
            "status": 402,
            "title": "Payment Required",
            "detail": "Account 'x': cloud credits expired",
        },
    ),
]


@pytest.mark.parametrize(
    "body", [r[1] for r in ALWAYS_MONEY], ids=[r[0] for r in ALWAYS_MONEY]
)
def test_402_is_always_money(answered, body):
    assert classify(answered(402, body)).kind == QUOTA


BY_CODE = [
    (
        "a limit of the project",
        429,
        error("Reached.", "insufficient_quota", "project_spend_limit_exceeded"),
        QUOTA,
    ),
    (
        "a limit of the organization",
        429,
        error("Reached.", "requests", "organization_spend_limit_exceeded"),
        QUOTA,
    ),
    (
        "a monthly limit of the tier",
        429,
        error("Reached.", None, "organization_usage_limit_exceeded"),
        QUOTA,
    ),
    (
        "no prepaid credit",
        429,
        error("Reached.", None, "credit_balance_exhausted"),
        QUOTA,
    ),
    (
        "a spend limit by 403",
        403,
        {
            "status": 403,
            "title": "Spend Limit Exceeded",
            "code": "spend_limit_exceeded",
        },
        QUOTA,
    ),
    ("a workspace's budget", 400, error("No.", "workspace_budget_exceeded"), QUOTA),
    (
        "a team's budget of a proxy",
        400,
        error("No.", "team_budget_exceeded", "400"),
        QUOTA,
    ),
    (
        "an empty account by 403",
        403,
        {"code": "INSUFFICIENT_BALANCE", "message": "Not now"},
        QUOTA,
    ),
    ("an empty account by 400", 400, error("Not now", "not_enough_balance"), QUOTA),
    (
        "an overdue account",
        403,
        error("Not now", "Forbidden", "AccountOverdueError"),
        QUOTA,
    ),
    (
        "an overdue service",
        403,
        error("Not now", "Forbidden", "OperationDenied.ServiceOverdue"),
        QUOTA,
    ),
    (
        "an account in arrears by 400",
        400,
        {"code": "Arrearage", "message": "Access denied"},
        QUOTA,
    ),
    ("a plan that ended", 403, error("Not now", "subscription_expired"), QUOTA),
    (
        "a subscription that is not paid",
        403,
        error("Not now", None, "subscription_past_due"),
        QUOTA,
    ),
    ("a trial that ended", 403, error("Not now", "trial_expired"), QUOTA),
    (
        "a plan's hours",
        429,
        error("Not now", "rate_limit_exceeded_plan", "coding_plan_hour_quota_exceeded"),
        QUOTA,
    ),
    (
        "a plan's week",
        429,
        error("Not now", None, "coding_plan_week_quota_exceeded"),
        QUOTA,
    ),
    ("a window of a plan beside no word", 429, error("Not now", None, "1316"), QUOTA),
    (
        "a limit of use",
        429,
        error("The limit has been met", "usage_limit_reached", resets_in_seconds=7200),
        QUOTA,
    ),
    (
        "a limit that the user has set",
        429,
        error("paused", "TooManyRequests", "SetLimitExceeded"),
        QUOTA,
    ),
    (
        "an account's quota",
        429,
        error("no", "TooManyRequests", "AccountQuotaExceeded"),
        QUOTA,
    ),
    (
        "a resource pack",
        400,
        {
            "Response": {
                "Error": {
                    "Code": "FailedOperation.ResourcePackExhausted",
                    "Message": "no",
                }
            }
        },
        QUOTA,
    ),
    (
        "a service that stopped for arrears",
        400,
        {
            "Response": {
                "Error": {"Code": "FailedOperation.ServiceStopArrears", "Message": "no"}
            }
        },
        QUOTA,
    ),
    (
        "requests per minute",
        429,
        error("no", "TooManyRequests", "RateLimitExceeded.EndpointRPMExceeded"),
        RATE,
    ),
    (
        "requests per minute of a model",
        429,
        error("no", None, "ModelAccountRpmRateLimitExceeded"),
        RATE,
    ),
    (
        "tokens per minute",
        429,
        error("no", "rate_limit_exceeded", "tpm_rate_limit_exceeded"),
        RATE,
    ),
    (
        "a code of its own for throttling by 403",
        403,
        {"code": "UserRequestsThrottled", "message": "no"},
        RATE,
    ),
    ("too much at once by 400", 400, error("no", "concurrency_limit_exceeded"), RATE),
    (
        "too many requests by 400",
        400,
        {"code": "TooManyRequestsError", "message": "no"},
        RATE,
    ),
]

IN_WORDS = [
    # A window of a plan
    (
        "a week",
        429,
        {
            "error": "you have reached your weekly usage limit, please wait or upgrade to continue"
        },
        QUOTA,
    ),
    (
        "a week, as a plan's window",
        403,
        error(
            "You've reached your weekly (7-day) usage limit. Your quota will reset when the current window ends.",
            "access_terminated_error",
        ),
        QUOTA,
    ),
    (
        "a billing cycle by 403",
        403,
        error(
            "You've reached your usage limit for this billing cycle. Your quota will be refreshed in the next cycle.",
            "permission_error",
        ),
        QUOTA,
    ),
    (
        "a session",
        429,
        {
            "error": "you (somebody) have reached your session usage limit, upgrade for higher limits"
        },
        QUOTA,
    ),
    (
        "a session, shortly",
        429,
        error("You've hit your session limit, resets 1:30pm", "rate_limit_error"),
        QUOTA,
    ),
    (
        "five hours",
        429,
        error(
            "usage limit exceeded, 5-hour usage limit reached for your Token Plan (2056)",
            "rate_limit_error",
            http_code="429",
        ),
        QUOTA,
    ),
    (
        "five hours, shortly",
        429,
        error("5-hour limit reached, resets 6am", "rate_limit_error"),
        QUOTA,
    ),
    (
        "a week or a month",
        429,
        error(
            "[1310][Weekly/Monthly Limit Exhausted. Your limit will reset at 2026-12-01 07:49:08]",
            "rate_limit_error",
            "1310",
        ),
        QUOTA,
    ),
    ("a month", 429, error("Monthly limit of 1000 requests exceeded"), QUOTA),
    (
        "a month, the other way round",
        429,
        error("You have exceeded your monthly request allowance"),
        QUOTA,
    ),
    ("a quota of the month", 403, error("You have used up this month's quota"), QUOTA),
    ("a day", 429, error("You have reached the daily limit of your plan"), QUOTA),
    (
        "today",
        429,
        {
            "errors": {
                "message": "You have exceeded today's quota for model x, please try again tomorrow"
            }
        },
        QUOTA,
    ),
    (
        "a day, by a model",
        429,
        error(
            "Rate limit of 50 per 86400s exceeded for UserByModelByDay. Please wait 3000 seconds before retrying.",
            None,
            "RateLimitReached",
        ),
        QUOTA,
    ),
    (
        "a day, in a bucket's name",
        429,
        error(
            "Tokens per day limit exceeded - too many tokens processed.",
            "too_many_tokens_error",
            "token_quota_exceeded",
        ),
        QUOTA,
    ),
    (
        "an individual's quota",
        429,
        error("Individual quota reached. Ask your administrator to enable overages."),
        QUOTA,
    ),
    (
        "premium requests",
        403,
        error("You have exceeded your premium request allowance"),
        QUOTA,
    ),
    (
        "extra usage",
        429,
        error("Extra usage is required for long context requests.", "rate_limit_error"),
        QUOTA,
    ),
    (
        "credits for extra usage",
        429,
        error(
            "Usage credits are required for long context requests.", "rate_limit_error"
        ),
        QUOTA,
    ),
    (
        "a limit of use until a date",
        400,
        error(
            "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.",
            "invalid_request_error",
        ),
        QUOTA,
    ),
    (
        "a limit of use, in short",
        429,
        error(
            "You've hit your usage limit. Upgrade to Pro or try again in 5 days 22 hours 11 minutes."
        ),
        QUOTA,
    ),
    (
        "a spend cap",
        403,
        error(
            "You hit your spend cap set by the owner of your workspace.",
            "permission_error",
        ),
        QUOTA,
    ),
    (
        "an enforced spend limit",
        429,
        error("Your organization reached its enforced spend limit", "server_error"),
        QUOTA,
    ),
    (
        "in Chinese, a plan's hours",
        429,
        error(
            "已达到 5 小时的使用上限。您的限额将在 2026-08-25 07:41:44 重置。",
            None,
            "1308",
        ),
        QUOTA,
    ),
    ("in Chinese, a week", 429, error("已达到每周使用上限", None, "limit"), QUOTA),
    # Not paid
    (
        "a subscription is needed",
        403,
        {"error": "this model requires a subscription, upgrade for access"},
        QUOTA,
    ),
    (
        "a subscription has expired",
        403,
        error("Your subscription has expired. Please renew it to go on."),
        QUOTA,
    ),
    (
        "a subscription is not active",
        403,
        error("Your subscription is not active"),
        QUOTA,
    ),
    (
        "no active subscription",
        403,
        error("No active subscription found for this account"),
        QUOTA,
    ),
    (
        "a paid plan",
        403,
        error("This endpoint is only available on a paid plan"),
        QUOTA,
    ),
    ("an unpaid bill", 403, error("Access suspended because of an unpaid bill"), QUOTA),
    (
        "a membership",
        403,
        error("Your membership has expired", "access_terminated_error"),
        QUOTA,
    ),
    (
        "a card",
        403,
        error(
            "AI Gateway requires a valid credit card on file to service requests.",
            "verification",
        ),
        QUOTA,
    ),
    (
        "free credits with conditions",
        403,
        error(
            "Free credits temporarily have restricted access. Read how to purchase credits.",
            "restricted",
        ),
        QUOTA,
    ),
    (
        "an arrear behind 400",
        400,
        {
            "code": "x",
            "message": "Access denied, please make sure your account is in good standing.",
        },
        QUOTA,
    ),
    (
        "a new team",
        403,
        {
            "code": "The caller does not have permission to execute the specified operation",
            "error": "Your newly created team doesn't have any credits or licenses yet.",
        },
        QUOTA,
    ),
    (
        "a relay's user",
        403,
        error(
            "user quota is not enough (request id: 1)",
            "v_api_error",
            "insufficient_user_quota",
        ),
        QUOTA,
    ),
    (
        "a balance behind 500",
        500,
        {
            "type": "error",
            "error": {"type": "api_error", "message": "insufficient balance (1008)"},
        },
        QUOTA,
    ),
    (
        "a balance behind 429",
        429,
        error(
            "insufficient balance (1008)", "insufficient_balance_error", http_code="429"
        ),
        QUOTA,
    ),
    (
        "a balance behind a gateway's 502",
        502,
        error(
            "Insufficient balance or no resource package. Please recharge.",
            "AI_APICallError",
            None,
            param={"statusCode": 429},
        ),
        QUOTA,
    ),
    (
        "a suspended account",
        412,
        error(
            "Account x is suspended, possibly due to reaching the monthly spending limit or failure to pay past invoices."
        ),
        QUOTA,
    ),
    (
        "billing of a project",
        403,
        error(
            "This API method requires billing to be enabled.",
            None,
            403,
            status="PERMISSION_DENIED",
        ),
        QUOTA,
    ),
    (
        "a free tier that is used up",
        403,
        error(
            "The free quota has been exhausted. To continue on a paid basis, complete your payment information.",
            "AllocationQuota.FreeTierOnly",
            "AllocationQuota.FreeTierOnly",
        ),
        QUOTA,
    ),
    # Seconds, minutes, and at once
    (
        "per second",
        429,
        {
            "errors": [
                {
                    "code": "consumption_limit_reached",
                    "message": "Consumption limit of 8 requests per second was reached",
                }
            ],
            "status_code": 429,
        },
        RATE,
    ),
    (
        "per second by 403",
        403,
        {
            "errors": [
                {
                    "code": "consumption_limit_reached",
                    "message": "Consumption limit reached: 10 requests per second",
                }
            ],
            "status_code": 403,
        },
        RATE,
    ),
    (
        "consumption without a pace",
        403,
        {
            "errors": [
                {
                    "code": "consumption_limit_reached",
                    "message": "The consumption limit of the plan was reached",
                }
            ],
            "status_code": 403,
        },
        QUOTA,
    ),
    (
        "a quota per minute",
        429,
        error(
            "Quota exceeded for quota metric 'Generate Content API requests per minute' and limit 'per minute for a region'",
            None,
            429,
            status="RESOURCE_EXHAUSTED",
        ),
        RATE,
    ),
    (
        "a quota per minute by 403",
        403,
        error("Quota exceeded for requests per minute", None, "quota_exceeded"),
        RATE,
    ),
    (
        "a service quota per minute",
        400,
        {
            "__type": "ServiceQuotaExceededException",
            "message": "You have exceeded the quota of requests per minute",
        },
        RATE,
    ),
    (
        "a usage limit per minute",
        429,
        error("Usage limit reached: 60 requests/minute for your plan"),
        RATE,
    ),
    (
        "tokens per minute called a quota",
        429,
        error(
            "Tokens per minute limit exceeded - too many tokens processed.",
            "too_many_tokens_error",
            "token_quota_exceeded",
            param="quota",
        ),
        RATE,
    ),
    (
        "concurrency that money would raise",
        429,
        error(
            "Your current concurrency is 40, which exceeds your concurrency limit of 39 based on your remaining balance. Please top up your balance to restore your concurrency."
        ),
        RATE,
    ),
    (
        "concurrency of a plan",
        429,
        error(
            "Concurrency limit exceeded for your plan: 4 of 4 units in use. Upgrade your plan for more."
        ),
        RATE,
    ),
    (
        "sessions at once",
        429,
        {
            "error": {
                "grpcCode": 8,
                "httpCode": 429,
                "message": "sessionsCount.count gauge quota limit exceed: allowed 10 requests",
                "details": [],
            }
        },
        RATE,
    ),
    (
        "an organization's tokens per minute",
        429,
        error(
            "This request would exceed the rate limit for your organization of 20,000 input tokens per minute.",
            "rate_limit_error",
        ),
        RATE,
    ),
    ("a queue of one's own", 429, {"error": "too many concurrent requests"}, RATE),
    (
        "a credit that lets more per minute",
        429,
        error(
            "Rate limit exceeded: free-models-per-min. Add credits for higher limits"
        ),
        RATE,
    ),
    # Behind 403, throttling
    (
        "a secondary limit",
        403,
        {
            "message": "You have exceeded a secondary rate limit. Please wait a few minutes."
        },
        RATE,
    ),
    ("an abuse limit", 403, {"message": "Request was throttled."}, RATE),
]

ALL = BY_CODE + IN_WORDS


@pytest.mark.parametrize(
    ("status", "body", "kind"), [r[1:] for r in ALL], ids=[r[0] for r in ALL]
)
def test_money_and_pace(answered, status, body, kind):
    assert classify(answered(status, body)).kind == kind


FORBIDDEN = [
    ("with a Retry-After", {"retry-after": "12"}, RATE, 12.0),
    ("with milliseconds", {"retry-after-ms": "1200"}, RATE, 1.2),
    (
        "with an empty bucket",
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9"},
        RATE,
        9.0,
    ),
    (
        "with a bucket that is not empty",
        {"x-ratelimit-remaining": "4", "x-ratelimit-reset": "9"},
        AUTH,
        None,
    ),
    ("with an absurd Retry-After", {"retry-after": "-1"}, AUTH, None),
    ("without one", {}, AUTH, None),
]


@pytest.mark.parametrize(
    ("headers", "kind", "wait"),
    [r[1:] for r in FORBIDDEN],
    ids=[r[0] for r in FORBIDDEN],
)
def test_403_that_asks_to_wait_is_throttling(answered, headers, kind, wait):
    failure = classify(answered(403, {"message": "Forbidden"}, headers))
    assert failure.kind == kind
    assert failure.retry_after == wait


def test_403_that_names_the_key_is_no_throttling_whatever_the_headers(answered):
    body = error("Invalid API key", "authentication_error", "invalid_api_key")
    assert classify(answered(403, body, {"retry-after": "12"})).kind == AUTH
    body = error("Your plan's monthly limit was reached")
    assert classify(answered(403, body, {"retry-after": "12"})).kind == QUOTA


def test_401_with_a_retry_after_is_auth(answered):
    assert (
        classify(answered(401, {"message": "no"}, {"retry-after": "12"})).kind == AUTH
    )


MORE = [
    (
        "an outstanding balance",
        403,
        error("Your account has an outstanding balance"),
        QUOTA,
    ),
    ("a cancelled subscription", 403, error("Your subscription was cancelled"), QUOTA),
    ("a plan's limit", 403, error("Plan limit reached: 500 requests"), QUOTA),
    ("a weekly cap", 429, error("You have used your weekly cap"), QUOTA),
    ("a day of tokens", 429, error("Daily token limit exceeded"), QUOTA),
    (
        "a usage quota with a pace",
        429,
        error("Usage quota exceeded for requests per-minute"),
        RATE,
    ),
    (
        "limits of plans that are only mentioned",
        429,
        error("Rate limit exceeded, see your plan limits"),
        RATE,
    ),
    (
        "a code of a quota of tokens",
        429,
        {"code": "EXCEED_TOKEN_QUOTA_LIMIT", "message": "no"},
        QUOTA,
    ),
    (
        "a plan that ended, in Chinese",
        403,
        error("GLM Coding Plan 套餐已到期"),
        QUOTA,
    ),
]


@pytest.mark.parametrize(
    ("status", "body", "kind"), [r[1:] for r in MORE], ids=[r[0] for r in MORE]
)
def test_more_of_money_and_pace(answered, status, body, kind):
    assert classify(answered(status, body)).kind == kind
