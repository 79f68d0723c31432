"""One deployment of LiteLLM's Router, as a candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from langchain_reliable._text.redact import plain_name
from langchain_reliable.candidates import Candidate, opened_by_name
from langchain_reliable.config import _table as table
from langchain_reliable.config._checked import (
    candidate_of,
    check_fields,
    number,
    refused,
    unknown,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_PER_MILLION: Final = 1_000_000


def candidate_from(
    params: Mapping[str, Any],
    info: Mapping[str, Any],
    where: str,
    most: int | None,
    left_out: list[str],
) -> Candidate:
    """Return a deployment as a candidate.

    Args:
        params: Its `litellm_params`.
        info: Its `model_info`.
        where: Where it stands, for people.
        most: Requests that may be in flight, unless it says so itself.
        left_out: Takes note of what has no meaning here.

    Raises:
        ValueError: Something can't be taken over.
    """
    prefix, model = _provider(params, where)
    provider = table.PROVIDERS[prefix]
    settings = {**provider.fixed}
    own: dict[str, Any] = {}
    for name, value in params.items():
        if value is None or name in table.DEPLOYMENT_MAPPED:
            continue
        if name in provider.params:
            settings[provider.params[name]] = value
        elif name in table.DEPLOYMENT:
            own[table.DEPLOYMENT[name]] = value
        elif name in table.DEPLOYMENT_REFUSED:
            raise refused(f"{where}.{name}", table.DEPLOYMENT_REFUSED[name])
        elif name in table.DEPLOYMENT_LEFT_OUT:
            left_out.append(plain_name(f"{where}.{name}"))
        else:
            raise ValueError(_foreign(name, where, prefix))
    for name in provider.needs:
        if provider.params[name] not in settings:
            msg = f"{where}: {prefix} needs {name}"
            raise ValueError(msg)
    own |= _said_elsewhere(info, params, where)
    if most is not None:
        own.setdefault("max_parallel_requests", most)
    check_fields(own, Candidate.model_fields, where)
    opened = _opened(provider, model, settings, where)
    return candidate_of(opened, own, where)


def _provider(params: Mapping[str, Any], where: str) -> tuple[str, str]:
    """Return the provider of a model by LiteLLM's prefix, and the model's own name."""
    name = params.get("model")
    if not isinstance(name, str) or not name.strip():
        msg = f"{where}.model: write provider/model, such as openai/gpt-5.4"
        raise ValueError(msg)
    prefix, slash, model = name.partition("/")
    if given := params.get("custom_llm_provider"):
        prefix, model = str(given), model if slash and prefix == given else name
    elif not slash:
        bare = (one for one in table.BARE_NAMES if name.startswith(one))
        prefix, model = table.BARE_NAMES.get(next(bare, ""), ""), name
    prefix = table.OTHER_PREFIXES.get(prefix, prefix)
    if prefix == "vertex_ai" and model.startswith("claude"):
        prefix = "vertex_ai/claude"
    if prefix == "bedrock":
        model = model.removeprefix("converse/")
    if not model.strip() or "*" in name:
        msg = (
            f"{where}.model: {plain_name(name)!r} names no model; write one deployment "
            "for each, such as openai/gpt-5.4"
        )
        raise ValueError(msg)
    if prefix not in table.PROVIDERS:
        msg = (
            f"{where}.model: LangChain's class for {plain_name(name)!r} is not known "
            "here; pass the model itself: ReliableChatModel(models=[...])"
        )
        raise ValueError(msg)
    return prefix, model


def _foreign(name: str, where: str, prefix: str) -> str:
    everywhere = {one for each in table.PROVIDERS.values() for one in each.params}
    if name in everywhere:
        return f"{plain_name(where)}.{name}: {prefix} takes no {name} in LangChain"
    known = {
        *table.PROVIDERS[prefix].params,
        *table.DEPLOYMENT,
        *table.DEPLOYMENT_MAPPED,
        *table.DEPLOYMENT_REFUSED,
        *table.DEPLOYMENT_LEFT_OUT,
    }
    return unknown(f"{where}.{name}", name, known)


def _said_elsewhere(
    info: Mapping[str, Any], params: Mapping[str, Any], where: str
) -> dict[str, Any]:
    """Return what `model_info` says, the limits of a stream, price and budget."""
    found: dict[str, Any] = {
        field: str(info[name]) if name == "id" else info[name]
        for name, field in table.MODEL_INFO.items()
        if info.get(name) is not None
    }
    # LiteLLM bounds each silence of a stream alike.
    if (silence := params.get("stream_timeout")) is not None:
        found |= {"first_chunk_timeout": silence, "idle_timeout": silence}
    costs = [
        number(params[name], f"{where}.{name}") * _PER_MILLION
        for name in ("input_cost_per_token", "output_cost_per_token")
        if params.get(name) is not None
    ]
    if len(costs) == 1:
        msg = f"{where}: write both input_cost_per_token and output_cost_per_token"
        raise ValueError(msg)
    if costs:
        found["price"] = tuple(costs)
    if (most := params.get("max_budget")) is not None:
        per = _WINDOWS.get(str(params.get("budget_duration")))
        if per is None:
            msg = (
                f"{where}.budget_duration: write 1d or 1mo; there are no other windows"
            )
            raise ValueError(msg)
        found["budget"] = {"usd": most, "per": per}
    return found


_WINDOWS: Final = {"1d": "day", "24h": "day", "1mo": "month", "30d": "month"}


def _opened(
    provider: table.Provider, model: str, settings: Mapping[str, Any], where: str
) -> Any:
    if provider.name in ("openai", "azure_openai") and model.startswith("responses/"):
        model = model.removeprefix("responses/")
        settings = {**settings, "use_responses_api": True}
    if provider.name == "azure_openai":
        settings = {**settings, "azure_deployment": model}
    try:
        return opened_by_name(f"{provider.name}:{model}", **settings)
    except ValueError as error:
        msg = f"{where}: {error}"
        raise ValueError(msg) from None
