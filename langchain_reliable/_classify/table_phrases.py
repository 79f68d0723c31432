"""What the text of an error says: the last resort, and the tie-breaker.

Facts only, a row per meaning with the place it comes from. Texts are compared in
lower case; `*` stands for anything between two parts, `~` for a few words between
them. A phrase is long enough not to stand in a sentence about something else, and
never a bare number.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from langchain_reliable.failures import FailureKind as Kind


class Row(NamedTuple):
    """Phrases with one meaning.

    Attributes:
        kind: What they mean.
        among: The kinds found by status, type or not at all (`unknown`) between which
            text may decide. No other is ever overruled.
        whole: Phrases, any one of which is enough.
        parted: The same for phrases with a `*` in them, cut at it.
        near: The same for phrases with a `~` in them, cut at it.
        source: Where they were seen.
        over_codes: Whether they hold against an exact error code as well.
    """

    kind: Kind
    among: frozenset[Kind]
    whole: tuple[str, ...]
    parted: tuple[tuple[str, ...], ...]
    near: tuple[tuple[str, ...], ...]
    source: str
    over_codes: bool = False


def _row(
    kind: Kind,
    among: frozenset[Kind],
    phrases: tuple[str, ...],
    source: str,
    *,
    over_codes: bool = False,
) -> Row:
    whole = tuple(one for one in phrases if "*" not in one and "~" not in one)
    parted = tuple(tuple(one.split("*")) for one in phrases if "*" in one)
    near = tuple(tuple(one.split("~")) for one in phrases if "~" in one)
    return Row(kind, among, whole, parted, near, source, over_codes)


_FEW_WORDS: Final = 40
"""Characters."""

_NOTHING: Final = frozenset({Kind.UNKNOWN})
_RATE: Final = frozenset({Kind.RATE_LIMITED})
_REQUEST: Final = frozenset({Kind.BAD_REQUEST, Kind.UNKNOWN})
_REFUSED: Final = frozenset(
    {Kind.BAD_REQUEST, Kind.AUTH, Kind.MODEL_NOT_FOUND, Kind.UNKNOWN}
)
_TOO_LONG: Final = frozenset(
    {Kind.BAD_REQUEST, Kind.AUTH, Kind.SERVER_ERROR, Kind.UNKNOWN}
)

# Traps: the same status or code with another meaning.
_TRAPS: Final = (
    _row(
        Kind.CONTEXT_OVERFLOW,
        frozenset({Kind.BAD_REQUEST, Kind.RATE_LIMITED, Kind.UNKNOWN}),
        ("request body too large for *max size: *tokens",),
        "GitHub Models, 413",
        over_codes=True,
    ),
    _row(
        Kind.BAD_REQUEST,
        frozenset({Kind.RATE_LIMITED, Kind.QUOTA_EXHAUSTED, Kind.UNKNOWN}),
        (
            "request too large for ",
            "request is too large",
            "the input or output tokens must be reduced in order to run",
            "request exceeds your rate limit and will never",
            "single request~exceeds",
            "this request alone",
            "tokens per request",
            "per-request token limit",
            "message larger than max",
        ),
        "recording openai_chat/error_429_request_too_large_tpm; Groq 413; gRPC: one "
        "request larger than the limit can never succeed",
        over_codes=True,
    ),
    _row(
        Kind.QUOTA_EXHAUSTED,
        _RATE,
        (
            "perday",
            "bymodelbyday",
            "free-models-per-day",
            "limit: 0, model",
            "limit: 0\n",
            "tokens per day, please wait",
            "tokens per day limit exceeded",
            "requests per day limit exceeded",
            "free allocated quota exceeded",
            "free tier of the model has been exhausted",
            "api calls / month",
            "calls per month",
            "daily request limit reached",
            "daily free allocation",
            "已达今日调用次数",
        ),
        "Gemini `quotaId`; GitHub Models; OpenRouter; Bedrock; Cerebras; DashScope; "
        "Cohere trial keys; Qianfan; Cloudflare",
        over_codes=True,
    ),
    _row(
        Kind.RATE_LIMITED,
        frozenset({Kind.QUOTA_EXHAUSTED}),
        (
            "exceeded your current quota*aliyun.com",
            "exceeded your current quota*alibabacloud.com",
            "exceeded your current request*aliyun.com",
            "allocated quota exceeded, please increase",
        ),
        "DashScope calls tokens per minute `insufficient_quota`",
        over_codes=True,
    ),
    _row(
        Kind.SERVER_ERROR,
        frozenset({Kind.AUTH, Kind.BAD_REQUEST, Kind.RATE_LIMITED}),
        (
            "flex tier capacity",
            "engine is currently overloaded",
            "degraded function cannot be invoked",
            "capacity temporarily exceeded",
        ),
        "Groq 498; Moonshot 429; NVIDIA NIM 400; Cloudflare 429",
    ),
    _row(
        Kind.CONNECTION,
        frozenset({Kind.SERVER_ERROR}),
        ("failed to connect to all addresses", "name resolution failed"),
        "gRPC UNAVAILABLE",
    ),
    _row(
        Kind.CONTENT_POLICY,
        frozenset({Kind.AUTH}),
        ("blocked output", "blocked input"),
        "Cohere 498",
    ),
    _row(
        Kind.BAD_STREAM,
        frozenset({Kind.SERVER_ERROR}),
        ("empty or invalid response from llm endpoint",),
        "LiteLLM, which makes a 500 of a 200 that it cannot parse",
    ),
    _row(
        Kind.CONTENT_POLICY,
        frozenset({Kind.SERVER_ERROR}),
        ("blocked due to security configurations",),
        "Cloudflare AI Gateway 424",
    ),
)

# What a quota is: a pace passes by itself, a day or an empty purse does not.
_PACE: Final = (
    _row(
        Kind.RATE_LIMITED,
        frozenset({Kind.QUOTA_EXHAUSTED}),
        ("concurrency limit", "concurrent requests", "concurrent session"),
        "DeepSeek, Featherless: as many at once as the balance or the plan allows",
        over_codes=True,
    ),
    _row(
        Kind.QUOTA_EXHAUSTED,
        frozenset({Kind.QUOTA_EXHAUSTED}),
        (
            "per day",
            "perday",
            "per week",
            "per month",
            "/ month",
            "/month",
            "/day",
            "daily",
            "weekly",
            "monthly",
            "insufficient balance",
            "insufficient credit",
            "insufficient funds",
            "out of credits",
            "no credits",
        ),
        "longer than a pace, whatever else is said",
        over_codes=True,
    ),
    _row(
        Kind.RATE_LIMITED,
        frozenset({Kind.QUOTA_EXHAUSTED}),
        (
            "per minute",
            "per second",
            "per min ",
            "per-min",
            "/minute",
            "/second",
            "/min ",
            "per-minute",
            "per-second",
            "tokens per min",
            "requests per 1s",
            "per 60 seconds",
            "per 60s",
            "/sec",
            "req/s",
            "requests/s",
            "tokens/s",
            "(tpm)",
            "(rpm)",
            "tpm limit",
            "rpm limit",
        ),
        "Google 403, AWS, watsonx: a pace that is called a quota or a consumption",
        over_codes=True,
    ),
)

_MONEY: Final = (
    _row(
        Kind.QUOTA_EXHAUSTED,
        _RATE,
        ("prepayment credits are depleted", "monthly spending cap"),
        "Gemini 429, whose code is that of a rate limit",
        over_codes=True,
    ),
    _row(
        Kind.QUOTA_EXHAUSTED,
        frozenset({Kind.SERVER_ERROR}),
        ("insufficient balance", "balance is insufficient", "enforced spend limit"),
        "MiniMax 500; gateways that make a 5xx of another's money",
    ),
    _row(
        Kind.QUOTA_EXHAUSTED,
        _REFUSED | _RATE,
        (
            "weekly~limit",
            "weekly~quota",
            "weekly~cap",
            "7-day~limit",
            "this week's",
            "monthly~limit",
            "monthly~allowance",
            "monthly~cap",
            "month's quota",
            "daily~limit",
            "daily~quota",
            "daily~cap",
            "today's quota",
            "usage cap",
            "usage quota",
            "plan limit reached",
            "plan limit exceeded",
            "plan limit has been",
            "plan's limit has been",
            "limit of your plan",
            "limit for your plan",
            "limit~billing cycle",
            "limit~billing period",
            "quota~billing",
            "session limit",
            "session usage limit",
            "hour limit reached",
            "hour usage limit",
            "hit your usage limit",
            "exceeded your usage limit",
            "usage limit for",
            "usage limit exceeded",
            "usage limit has been",
            "individual quota",
            "request allowance",
            "extra usage is required",
            "usage credits are required",
            "spend cap",
            "使用上限",
            "套餐已到期",
        ),
        "Ollama, Kimi, Z.ai, MiniMax, Anthropic, Copilot, Codex: windows and plans",
    ),
    _row(
        Kind.QUOTA_EXHAUSTED,
        _REFUSED | _RATE,
        (
            "requires a subscription",
            "subscription has expired",
            "subscription expired",
            "subscription is not active",
            "subscription is inactive",
            "no active subscription",
            "active subscription is required",
            "membership has expired",
            "trial has expired",
            "trial has ended",
            "unpaid bill",
            "past due",
            "past-due",
            "outstanding balance",
            "outstanding invoice",
            "payment is overdue",
            "non-payment",
            "subscription~cancel",
            "subscription~lapsed",
            "subscription~unpaid",
            "credit card on file",
            "free credits~restricted",
            "free quota has been exhausted",
        ),
        "Ollama, Kimi, Vercel, DashScope: a plan that is missing or was not paid",
    ),
    _row(
        Kind.QUOTA_EXHAUSTED,
        _REFUSED,
        ("on a paid plan", "requires a paid plan", "upgrade to a paid"),
        "gateways; beside a 429 it only says how to get more",
    ),
    _row(
        Kind.QUOTA_EXHAUSTED,
        _REFUSED | _RATE,
        (
            "credit balance is too low",
            "insufficient balance",
            "insufficient account balance",
            "balance is insufficient",
            "balance insufficient",
            "insufficient credit",
            "insufficient funds",
            "insufficient quota",
            "insufficient_quota",
            "not enough credit",
            "not enough balance",
            "requires more credits",
            "out of credits",
            "no credits",
            "no remaining credits",
            "credits expired",
            "credits have expired",
            "exhausted your credits",
            "used all available credits",
            "all available credits",
            "doesn't have any credits",
            "does not have any credits",
            "does not have enough credits",
            "run out of credits",
            "depleted your monthly",
            "credits are depleted",
            "monthly included credits",
            "monthly spending limit",
            "spending limit reached",
            "spending limit exceeded",
            "spend limit",
            "spending cap",
            "usage limit for this",
            "usage limit reached",
            "reached your usage limit",
            "monthly usage limit",
            "key limit exceeded",
            "reached your specified api usage limits",
            "credit limit exceeded",
            "credit limit reached",
            "exceeded your current quota, please check your plan",
            "exceeded current quota",
            "exceeded your monthly quota",
            "monthly quota",
            "out of call volume quota",
            "billing hard limit",
            "billing is not enabled",
            "billing not enabled",
            "requires billing to be enabled",
            "enable billing on",
            "billing account for",
            "billing account is",
            "billing details",
            "check your billing",
            "account is not active, please check",
            "account is in arrears",
            "account is overdue",
            "make sure your account is in good standing",
            "overdue payment",
            "unpaid invoice",
            "failure to pay past invoices",
            "payment required",
            "payment method is required",
            "add a payment method to continue",
            "invalid_payment_instrument",
            "valid payment instrument",
            "budget has been exceeded",
            "exceededbudget",
            "over budget",
            "please recharge",
            "please top up",
            "top up your account",
            "purchase more credits",
            "buy more credits",
            "paid plan is required",
            "token_quota_reached",
            "saldo insuficiente",
            "solde insuffisant",
            "guthaben",
            "余额不足",
            "欠费",
            "请充值",
            "额度不足",
            "额度已用完",
            "資源包",
            "资源包",
            "残高が不足",
            "잔액이 부족",
            "недостаточно средств",
        ),
        "Anthropic 400, DeepSeek 402, xAI 403 and 429, OpenRouter, Fireworks 412, "
        "Hugging Face, Azure API Management, Zhipu, SiliconFlow, LiteLLM 400",
    ),
)

_THROTTLED: Final = (
    _row(
        Kind.RATE_LIMITED,
        frozenset({Kind.AUTH, Kind.UNKNOWN}),
        (
            "rate limit exceeded",
            "rate limit is exceeded",
            "rate limit reached",
            "rate limit has been",
            "rate limit hit",
            "exceeded the rate limit",
            "exceeded your rate limit",
            "exceed your rate limit",
            "exceeds the rate limit",
            "exceeded rate limit",
            "rate limit error",
            "secondary rate limit",
            "ratelimiterror",
            "rate_limit_exceeded",
            "rate_limit_error",
            "rate-limited",
            "rate limited",
            "rate exceeded",
            "ratelimitexceeded",
            "too many requests",
            "too many concurrent requests",
            "qps request limit reached",
            "request was throttled",
            "requests are being throttled",
            "throttlingexception",
            "throttling",
            "quota exceeded for",
            "quota exceeded. please try again",
            "resource has been exhausted",
            "resource exhausted",
            "resource_exhausted",
            "no deployments available for selected model, try again in",
            "请求过于频繁",
            "频率过高",
            "并发数过高",
            "速率限制",
            "限流",
            "レート制限",
        ),
        "Google 403 rateLimitExceeded; AWS; LiteLLM router; texts without a status",
    ),
)

_KEYS: Final = (
    _row(
        Kind.AUTH,
        frozenset({Kind.BAD_REQUEST, Kind.UNKNOWN, Kind.CONNECTION}),
        (
            "incorrect api key",
            "invalid api key",
            "invalid api_key",
            "invalid x-api-key",
            "invalid_api_key",
            "api key not valid",
            "api key not found",
            "api key could not be found",
            "api key expired",
            "api key is invalid",
            "api key is missing",
            "api key has expired",
            "api key must be set",
            "api key~revoked",
            "api key~disabled",
            "api key~deactivated",
            "api key~blocked",
            "api key~deleted",
            "api key~leaked",
            "api key~belongs to a user that",
            "organization has been disabled",
            "organization has been deactivated",
            "organization is disabled",
            "account has been disabled",
            "account has been deactivated",
            "account is disabled",
            "account has been suspended",
            "account has been closed",
            "account has been terminated",
            "account has been banned",
            "organization has been suspended",
            "workspace has been disabled",
            "workspace has been archived",
            "owner of this api key",
            "owner of the api key",
            "api key~no longer active",
            "api key~not active",
            "api key~inactive",
            "api key~suspended",
            "key has been revoked",
            "key has been disabled",
            "token has been revoked",
            "no longer a member",
            "must be a member of an organization",
            "not a member of the organization",
            "not a member of this organization",
            "project~has been archived",
            "access token invalid",
            "access token is invalid",
            "login fail",
            "invalid api token",
            "invalid api-key",
            "invalid apikey",
            "invalid authentication",
            "invalid credentials",
            "invalid access token",
            "authentication failed",
            "authenticationerror:",
            "authentication_error",
            "authentication fails",
            "no api key provided",
            "no api key",
            "missing api key",
            "missing authentication",
            "missing credentials",
            "no auth credentials found",
            "did not find *_api_key, please add an environment variable",
            "the api_key client option must be set",
            "could not resolve authentication method",
            "no api_key or authorization",
            "no api key or authorization",
            "could not automatically determine credentials",
            "default credentials were not found",
            "unable to locate credentials",
            "could not load credentials",
            "the security token included in the request is",
            "illegal header value",
            "invalid header value",
            "in header value",
            "codec can't encode *ordinal not in range",
            "error_code: 401",
            "unauthorized",
            "密钥无效",
            "无效的令牌",
            "身份验证失败",
            "令牌已过期",
            "apikey无效",
        ),
        "Gemini 400, xAI 400, openai and anthropic clients without a key; "
        "httpx: a key with a line break surfaces as a connection error",
    ),
)

_PROXY: Final = (
    _row(
        Kind.AUTH,
        frozenset({Kind.CONNECTION}),
        ("407 proxy authentication required",),
        "httpx.ProxyError",
    ),
    _row(
        Kind.AUTH,
        _RATE,
        ("access was terminated", "account has been deactivated"),
        "OpenAI 429",
    ),
)

_LENGTH: Final = (
    _row(
        Kind.BAD_REQUEST,
        _REQUEST,
        (
            "maximum allowed number of output tokens",
            "the maximum value for `max_tokens`",
            "supports at most *completion tokens",
            "supports at most *output tokens",
            "maxoutputtokens",
            "max_output_tokens value",
            "exceeds the model limit of *for max_tokens",
            "max_tokens*cannot exceed",
            "max_tokens*must be less than or equal to",
            "max_tokens*exceeds the model's maximum output",
            "invalid max_tokens value",
            "invalid 'max_tokens'",
            "maximum tokens you requested exceeds the model limit",
            "could not finish the message because max_tokens",
            "surrogates not allowed",
        ),
        "Anthropic, OpenAI, Groq, Bedrock, Databricks, DeepSeek: the answer's length "
        "asked for, not the prompt's",
    ),
    _row(
        Kind.CONTEXT_OVERFLOW,
        _TOO_LONG,
        (
            "prompt tokens~exceed",
            "input tokens~exceed",
            "input length~exceed",
            "prompt token count~exceed",
            "token count~exceeds the model",
            "request contains~exceeds",
            "input contains~exceeds",
            "exceed~context window",
            "exceed~context length",
            "exceed~context limit",
            "too long for the context",
            "less than the context length",
            "the context limit is",
            "exceed n_ctx",
            "exceed model maximum",
            "exceeds model maximum",
            "input tokens~more than",
            "input tokens~supports at most",
            "exceeds max_model_len",
            "inputs must have less than",
            "exceeds maximum input tokens",
            "exceeds the maximum input",
            "prompt is too long",
            "prompt too long",
            "prompt is longer than",
            "prompt exceeds",
            "prompt contains *tokens*too large for model",
            "too large for model with",
            "input is too long",
            "input too long",
            "input length and `max_tokens` exceed context limit",
            "exceed context limit",
            "exceeds context limit",
            "maximum context length",
            "maximum context size",
            "max context length",
            "model's context length",
            "model's context window",
            "context length exceeded",
            "context_length_exceeded",
            "contextwindowexceedederror",
            "context length is only",
            "exceeded this model context window limit",
            "context length of only",
            "longer than the model's context",
            "exceed the model's context",
            "exceeds the model's context",
            "exceeds the context window",
            "exceeds context window",
            "exceeds the context length",
            "exceeded the context window",
            "context window exceeded",
            "context window exceeds limit",
            "context window is full",
            "context window of this model",
            "context size has been exceeded",
            "exceeds the available context size",
            "exceeds available context size",
            "exceeded max context length",
            "greater than the context length",
            "larger than the context",
            "input tokens exceed the configured limit",
            "input tokens exceeded",
            "input token count*exceeds the maximum",
            "exceeds the maximum number of tokens allowed",
            "exceeds the maximum number of input tokens",
            "exceeds maximum length",
            "number of input tokens*cannot exceed the total tokens limit",
            "number of input tokens*exceed",
            "`inputs` must have less than",
            "`inputs` tokens + `max_new_tokens` must be",
            "inputs tokens + max_new_tokens must be",
            "tokens + `max_new_tokens` must be <=",
            "max_new_tokens` must be <=",
            "maximum prompt length is",
            "exceeded model token limit",
            "exceeds the limit of *tokens in the prompt",
            "please reduce the length of the messages",
            "reduce the length of the input prompt",
            "reduce the length of either one",
            "please reduce your prompt",
            "too many tokens: ",
            "too many input tokens",
            "total number of tokens in the prompt cannot exceed",
            "number of tokens in the prompt exceeds",
            "total tokens of image and text exceed max message tokens",
            "range of input length should be",
            "input length should be",
            "input length exceeds",
            "prompt length exceeds",
            "prompt_tokens*must be less than max_seq_len",
            "must be less than max_seq_len",
            "max_seq_len exceeded",
            "tokens in request more than max tokens allowed",
            "expected maxlength:",
            "too many total text bytes",
            "exceeds the model's maximum context",
            "maximum input length",
            "maximum number of input tokens",
            "input validation error: `inputs`",
            "input exceeds the maximum",
            "longer than the maximum model length",
            "decoder prompt*is longer than the maximum",
            "prompt 超长",
            "prompt超长",
            "输入过长",
            "输入长度超过",
            "超出最大长度",
            "超过最大长度",
            "上下文长度",
        ),
        "OpenAI, Anthropic, Gemini, Bedrock, Mistral, Cohere, Groq, Together 403, xAI, "
        "Moonshot, DashScope, SiliconFlow, vLLM, TGI, llama.cpp, Ollama, watsonx",
    ),
)

_POLICY: Final = (
    _row(
        Kind.CONTENT_POLICY,
        frozenset({Kind.BAD_REQUEST, Kind.AUTH, Kind.UNKNOWN}),
        (
            "content management policy",
            "content filtering policy",
            "blocked by content filter",
            "blocked by the content filter",
            "content_filter",
            "'filtered': true",
            '"filtered": true',
            "contentpolicyviolationerror",
            "responsibleaipolicyviolation",
            "violating our usage policy",
            "violates our usage polic",
            "violate our usage polic",
            "violates usage guidelines",
            "violated our usage",
            "violation of our usage policy",
            "violates our content policy",
            "content policy violation",
            "limited access to this content for safety reasons",
            "result of our safety system",
            "rejected by the safety system",
            "rejected by our safety",
            "flagged as potentially",
            "your input was flagged",
            "was flagged for",
            "flagged by moderation",
            "blocked by our moderation",
            "response was blocked",
            "prompt was blocked",
            "blocked due to safety",
            "blocked for safety",
            "safety_check_type",
            "prohibited content",
            "prohibited_content",
            "considered high risk",
            "content exists risk",
            "inappropriate content",
            "sensitive content",
            "potentially unsafe or sensitive",
            "unsafe content",
            "guardrail intervened",
            "violated guardrail",
            "不安全或敏感",
            "敏感内容",
            "敏感词",
            "违规内容",
            "内容安全",
        ),
        "OpenAI, Azure, Anthropic, Bedrock, OpenRouter 403, xAI 403, Moonshot, "
        "DeepSeek, DashScope, Zhipu",
    ),
)

_MODELS: Final = (
    _row(
        Kind.MODEL_NOT_FOUND,
        _REQUEST,
        (
            "model_not_found",
            "model not found",
            "model not exist",
            "model does not exist",
            "model is not found",
            "model *does not exist or you do not have access",
            "the model `*` does not exist",
            "the model '*' does not exist",
            "requested model '*' does not exist",
            "requested model *is not available",
            "model '*' not found, try pulling it first",
            'model "*" not found, try pulling it first',
            "model '*' not found",
            'model "*" not found',
            "model `*` not found",
            "model: * not found",
            "models/*is not found for api version",
            "publisher model *not found",
            "is not a valid model",
            "not a valid model id",
            "provided model identifier is invalid",
            "on-demand throughput isn*supported",
            "has been decommissioned",
            "model has been deprecated",
            "model is deprecated",
            "reached the end of its life",
            "reached end of life",
            "has been retired",
            "is no longer available",
            "unknown model",
            "unsupported model",
            "invalid model",
            "no such model",
            "no endpoints found for",
            "model *is not supported by any provider",
            "模型不存在",
            "模型已下线",
        ),
        "OpenAI Responses 400, DeepSeek, Mistral, OpenRouter, Perplexity, Bedrock, "
        "SiliconFlow, Ollama",
    ),
)

_GATEWAYS: Final = (
    _row(
        Kind.BAD_REQUEST,
        frozenset({Kind.MODEL_NOT_FOUND}),
        (
            "invalid url",
            "cannot post ",
            "404 page not found",
            "unrecognized request url",
            "unknown request url",
            "route not found",
            "no route matched",
            "no route found",
            "path not found",
            "endpoint not found",
            "the requested url was not found",
            "<html",
            "<!doctype",
        ),
        "a 404 of a gateway or a wrong base URL, which says nothing of the model",
    ),
)

_LAST_RESORT: Final = (
    _row(
        Kind.BAD_STREAM,
        _NOTHING,
        (
            "no generations found in stream",
            "no generation chunks were returned",
            "received empty stream",
            "incomplete chunked read",
            "failed to parse stream",
            "stream ended without",
            "unexpected end of stream",
            "stream finished without",
            "finish_reason: error",
            "expecting value: line",
            "expected value at line",
            "expecting property name enclosed",
            "eof while parsing",
            "is not valid json",
        ),
        "langchain_core chat_models; json, jiter",
    ),
    _row(
        Kind.TIMEOUT,
        _NOTHING,
        (
            "request timed out",
            "timed out",
            "read timeout",
            "connect timeout",
            "connection timeout",
            "request timeout",
            "deadline exceeded",
            "deadline_exceeded",
            "timeout exceeded",
            "timeouterror",
            "gateway timeout",
            "gateway time-out",
            "a timeout occurred",
            "请求超时",
        ),
        "texts without a status",
    ),
    _row(
        Kind.SERVER_ERROR,
        _NOTHING,
        (
            "overloaded",
            "service unavailable",
            "temporarily unavailable",
            "currently unavailable",
            "internal server error",
            "internal error",
            "bad gateway",
            "server had an error",
            "error occurred while processing your request",
            "at capacity",
            "out of capacity",
            "no capacity",
            "is currently loading",
            "no healthy upstream",
            "服务器繁忙",
            "服务繁忙",
            "系统繁忙",
            "访问量过大",
        ),
        "texts without a status; OpenAI errors inside a stream",
    ),
    _row(
        Kind.CONNECTION,
        _NOTHING,
        (
            "connection error",
            "connection refused",
            "connection reset",
            "connection aborted",
            "connection closed",
            "connection was closed",
            "connection broken",
            "peer closed connection",
            "server disconnected",
            "failed to connect",
            "failed to establish a new connection",
            "name or service not known",
            "nodename nor servname",
            "temporary failure in name resolution",
            "no route to host",
            "network is unreachable",
            "network is disabled",
            "all connection attempts failed",
            "certificate verify failed",
            "broken pipe",
            "upstream connect error",
            "event loop is closed",
        ),
        "texts without a status; a pooled connection that outlived its event loop",
    ),
)

ROWS: Final = (
    *_TRAPS,
    *_PACE,
    *_MONEY,
    *_PROXY,
    *_LENGTH,
    *_POLICY,
    *_THROTTLED,
    *_KEYS,
    *_MODELS,
    *_GATEWAYS,
    *_LAST_RESORT,
)


_BY_KIND: Final = {
    kind: tuple(row for row in ROWS if kind in row.among) for kind in Kind
}
_BY_KIND_OF_CODE: Final = {
    kind: tuple(row for row in rows if row.over_codes)
    for kind, rows in _BY_KIND.items()
}


def decide(kind: Kind, text: str, *, exact: bool) -> Kind | None:
    """Return the kind that the text makes of `kind`, if it says anything of it.

    Args:
        kind: What status, type or code say.
        text: The text in lower case.
        exact: Whether `kind` comes from an exact code.
    """
    for row in (_BY_KIND_OF_CODE if exact else _BY_KIND)[kind]:
        for phrase in row.whole:  # a plain loop: half the time of `any`
            if phrase in text:
                return row.kind
        for parts in row.parted:
            if _in_order(text, parts):
                return row.kind
        for parts in row.near:
            if parts[0] in text and _close_together(text, parts):
                return row.kind
    return None


def _close_together(text: str, parts: tuple[str, ...]) -> bool:
    """Say whether the parts follow each other with but a few words between them."""
    first, *others = parts
    start = text.find(first)
    while start >= 0:
        end = start + len(first)
        for part in others:
            found = text.find(part, end, end + _FEW_WORDS + len(part))
            if found < 0:
                break
            end = found + len(part)
        else:
            return True
        start = text.find(first, start + 1)
    return False


def _in_order(text: str, parts: tuple[str, ...]) -> bool:
    """Say whether all parts stand in the text, one after the other."""
    start = 0
    for part in parts:
        found = text.find(part, start)
        if found < 0:
            return False
        start = found + len(part)
    return True
