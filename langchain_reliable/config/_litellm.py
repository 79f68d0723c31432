"""LiteLLM's Router in our words.

A `model_name` is a group of its deployments, its fallbacks are the next entries. What
each option becomes is said by the tables; what can't be taken over is refused rather
than dropped, so that a file never means less than it says.
"""

from __future__ import annotations

import difflib
import logging
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast, get_args
from urllib.parse import quote

from langchain_reliable._text.redact import plain_name
from langchain_reliable.candidates import Candidate, Group
from langchain_reliable.config import _table as table
from langchain_reliable.config._checked import (
    check_fields,
    number,
    refused,
    said_at,
    unknown,
)
from langchain_reliable.config._deployment import candidate_from
from langchain_reliable.config._source import filled_in
from langchain_reliable.health_redis import RedisHealth
from langchain_reliable.policies import CircuitBreaker, Order

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

logger = logging.getLogger("langchain_reliable")

_ALIKE: Final = 0.85
"""How alike two keys are, of which one is taken for a misspelling of the other."""

_FALLBACKS: Final = (
    "fallbacks",
    "context_window_fallbacks",
    "content_policy_fallbacks",
)


class _Written(NamedTuple):
    """A file, taken apart.

    Attributes:
        deployments: The entries of `model_list`, by their `model_name`.
        options: The Router's options, wherever they stand.
        variables: Variables of the environment that the file sets.
        left_out: What has no meaning here.
        known: The fields that a model has.
    """

    deployments: dict[str, list[tuple[str, dict[str, Any]]]]
    options: dict[str, Any]
    variables: Mapping[str, Any]
    left_out: list[str]
    known: Collection[str]


def fields_from_litellm(
    values: Mapping[str, Any], group: str | None, *, known: Collection[str]
) -> dict[str, Any]:
    """Return the fields of a model that is written down for LiteLLM's Router.

    Args:
        values: What the file says.
        group: The `model_name` to begin with; by default the first.
        known: The fields that a model has.

    Raises:
        ValueError: Something can't be taken over.
    """
    left_out: list[str] = []
    options = _options(values, left_out)
    written = _Written(
        _deployments(values["model_list"]),
        options,
        _mapping(values.get("environment_variables"), "environment_variables"),
        left_out,
        known,
    )
    first = _resolved(
        written, next(iter(written.deployments)) if group is None else group, "group"
    )
    names = _in_order(written, first)
    models = [entry for name in names for entry in _entries(written, name)]
    fields = {"models": models, **_settings(written, first)}
    if left_out:
        logger.warning(
            "from_config leaves out what has no meaning here: %s", ", ".join(left_out)
        )
    return fields


# --- taking the file apart --------------------------------------------------------


def _options(values: Mapping[str, Any], left_out: list[str]) -> dict[str, Any]:
    """Return the Router's options; they may stand at the top or in two sections."""
    options: dict[str, Any] = {}
    for name, value in values.items():
        if name in table.SECTIONS_REFUSED:
            raise refused(name, table.SECTIONS_REFUSED[name])
        if name in table.SECTIONS_LEFT_OUT:
            left_out.append(name)
        elif name not in table.SECTIONS and name != "model_list":
            _take(options, name, value, name, left_out, also=table.SECTIONS)
    for section in ("litellm_settings", "router_settings"):
        for name, value in _mapping(values.get(section), section).items():
            where = f"{section}.{name}"
            lenient = section == "litellm_settings"
            _take(options, name, value, where, left_out, lenient=lenient)
    return options


def _take(
    options: dict[str, Any],
    name: str,
    value: Any,
    where: str,
    left_out: list[str],
    *,
    lenient: bool = False,
    also: Collection[str] = (),
) -> None:
    """Take an option in, leave it out, or refuse it.

    `litellm_settings` hold what anybody has ever set on LiteLLM's module; there only
    what looks like a misspelt option of the Router is refused.
    """
    mapped = {*table.ROUTER, *table.ROUTER_MAPPED}
    known = {*mapped, *table.ROUTER_LEFT_OUT, *table.ROUTER_REFUSED, *also}
    if name in mapped:
        options[name] = value
    elif name in table.ROUTER_REFUSED:
        if value:
            raise refused(where, table.ROUTER_REFUSED[name])
    elif name in table.ROUTER_LEFT_OUT or (
        lenient and not difflib.get_close_matches(name, known, n=1, cutoff=_ALIKE)
    ):
        left_out.append(plain_name(where))
    else:
        raise ValueError(unknown(where, name, known))


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        msg = f"{where}: write a mapping"
        raise ValueError(msg)
    return value


def _deployments(listed: Any) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    if not isinstance(listed, list) or not listed:
        msg = "model_list: write a list of at least one deployment"
        raise ValueError(msg)
    found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    allowed = ("model_name", "litellm_params", "model_info", "blocked")
    for at, one in enumerate(listed):
        where = f"model_list[{at}]"
        deployment = _mapping(one, where)
        for key in deployment:
            if key not in allowed:
                raise ValueError(unknown(f"{where}.{key}", key, allowed))
        name = deployment.get("model_name")
        if not isinstance(name, str) or not deployment.get("litellm_params"):
            msg = f"{where}: write model_name and litellm_params"
            raise ValueError(msg)
        if not deployment.get("blocked"):
            found.setdefault(name, []).append((where, deployment))
    if not found:
        msg = "model_list: every deployment is blocked; leave one that may be asked"
        raise ValueError(msg)
    return found


# --- who is asked, in which order -------------------------------------------------


def _resolved(written: _Written, name: str, where: str) -> str:
    """Return the group that a name stands for."""
    aliases = _mapping(written.options.get("model_group_alias"), "model_group_alias")
    alias: Any = aliases.get(name, name)
    asked = str(alias.get("model") if isinstance(alias, dict) else alias)
    if asked in written.deployments:
        return asked
    names = {*written.deployments, *aliases}
    close = difflib.get_close_matches(asked, names, n=1)
    say = f"did you mean `{close[0]}`?" if close else f"there is {', '.join(names)}"
    msg = f"{where}: no deployment has the model_name {plain_name(asked)!r}; {say}"
    raise ValueError(msg)


def _in_order(written: _Written, first: str) -> list[str]:
    """Return the groups to ask: the first, and what its fallbacks name."""
    names = [first]
    for option in _FALLBACKS:
        rules = _rules(written, option)
        if option == "fallbacks" and not rules.get(first, rules.get("*")):
            default = written.options.get("default_fallbacks") or []
            if not isinstance(default, list):
                msg = "default_fallbacks: write a list of model_names"
                raise ValueError(msg)
            rules[first] = [
                _resolved(written, one, "default_fallbacks") for one in default
            ]
        names += [name for name in _further(rules, first) if name not in names]
    return names


def _further(rules: Mapping[str, list[str]], name: str) -> list[str]:
    """Return who is asked after a group: its fallbacks, each before its own."""
    found, to_look_at = [name], [*rules.get(name, rules.get("*", []))]
    while to_look_at:
        if (other := to_look_at.pop(0)) not in found:
            found.append(other)
            to_look_at[:0] = rules.get(other, [])
    return found[1:]


def _rules(written: _Written, option: str) -> dict[str, list[str]]:
    """Return a list of `{name: [names]}` as one mapping, all its names looked up."""
    listed = written.options.get(option) or []
    if not isinstance(listed, list):
        msg = f"{option}: write a list of mappings: [{{name: [other]}}]"
        raise ValueError(msg)
    rules: dict[str, list[str]] = {}
    for at, one in enumerate(listed):
        for name, further in _mapping(one, f"{option}[{at}]").items():
            where = f"{option}[{at}]"
            if not isinstance(further, list) or not all(
                isinstance(one, str) for one in further
            ):
                msg = f"{where}.{plain_name(str(name))}: write a list of model_names"
                raise ValueError(msg)
            known = name if name == "*" else _resolved(written, name, where)
            rules[known] = [_resolved(written, other, where) for other in further]
    return rules


def _entries(written: _Written, name: str) -> list[Candidate | Group]:
    """Return the deployments of a group; those of a later `order` come after it."""
    by_order: dict[float, list[tuple[Candidate, dict[str, Any]]]] = {}
    for where, deployment in written.deployments[name]:
        params = _mapping(deployment["litellm_params"], f"{where}.litellm_params")
        common = _mapping(
            written.options.get("default_litellm_params"), "default_litellm_params"
        )
        merged = filled_in(
            {**common, **params}, f"{where}.litellm_params", written.variables
        )
        info = _mapping(deployment.get("model_info"), f"{where}.model_info")
        most = written.options.get("default_max_parallel_requests")
        candidate = candidate_from(
            merged, info, f"{where}.litellm_params", most, written.left_out
        )
        place = number(merged.get("order") or 1, f"{where}.litellm_params.order")
        by_order.setdefault(place, []).append((candidate, merged))
    return [_group(written, by_order[place]) for place in sorted(by_order)]


def _group(
    written: _Written, members: Sequence[tuple[Candidate, Mapping[str, Any]]]
) -> Candidate | Group:
    strategy = str(written.options.get("routing_strategy") or "simple-shuffle")
    order = table.ORDERS.get(strategy)
    if order is None:
        raise ValueError(
            unknown(f"routing_strategy {strategy}", strategy, table.ORDERS)
        )
    if len(members) == 1:
        return members[0][0]
    if order not in get_args(Order):
        msg = (
            f"routing_strategy: {strategy} needs order={order!r}, which this release "
            "does not have"
        )
        raise ValueError(msg)
    candidates = [candidate for candidate, _ in members]
    if order == "weighted":
        # A simple shuffle goes by the first of these that anybody has.
        given = (
            n for n in ("weight", "rpm", "tpm") if any(p.get(n) for _, p in members)
        )
        if (name := next(given, "weight")) != "weight":
            candidates = [
                one.model_copy(update={"weight": float(params.get(name) or 1)})
                for one, params in members
            ]
    return Group(candidates, order=cast("Order", order))


# --- the whole model --------------------------------------------------------------


def _settings(written: _Written, first: str) -> dict[str, Any]:
    """Return the fields beside `models`."""
    options = filled_in(written.options, "router_settings", written.variables)
    fields = {
        field: options[name]
        for name, field in table.ROUTER.items()
        if options.get(name) is not None
    }
    if (silence := options.get("stream_timeout")) is not None:
        fields |= {"first_chunk_timeout": silence, "idle_timeout": silence}
    if _rules(written, "content_policy_fallbacks").get(first):
        fields["verdicts"] = {"content_policy": "next"}
    if (breaker := _breaker(options)) is not ...:
        fields["circuit_breaker"] = breaker
    if any(options.get(name) for name in ("redis_url", "redis_host")):
        fields["health"] = _shared_health(options)
    check_fields(fields, written.known, "router_settings")
    return fields


def _breaker(options: Mapping[str, Any]) -> Any:
    """Return the circuit breaker; `...` where nothing is said of it."""
    if options.get("disable_cooldowns"):
        return None
    given: dict[str, Any] = {}
    if (fails := options.get("allowed_fails")) is not None:
        given["failures"] = int(number(fails, "allowed_fails")) + 1
    if (span := options.get("cooldown_time")) is not None:
        given["open_for"] = number(span, "cooldown_time")
    with said_at("allowed_fails, cooldown_time"):
        return CircuitBreaker(**given) if given else ...


def _shared_health(options: Mapping[str, Any]) -> Any:
    """Return a health that several processes share.

    Raises:
        ValueError: redis-py is not installed, or this is no address.
    """
    if (url := options.get("redis_url")) is None:
        secret = options.get("redis_password")
        login = f":{quote(str(secret), safe='')}@" if secret else ""
        host, port = options["redis_host"], options.get("redis_port") or 6379
        url = f"redis://{login}{host}:{port}/{options.get('redis_db') or 0}"
    try:
        return RedisHealth(url)
    except (ImportError, TypeError, ValueError) as error:
        msg = f"redis_*: {error}"
        raise ValueError(msg) from error
