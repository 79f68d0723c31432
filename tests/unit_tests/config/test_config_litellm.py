"""LiteLLM's Router in our words: examples as its documentation has them, asked."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_reliable import Group, ReliableChatModel
from langchain_reliable.candidates import Candidate
from langchain_reliable.config import _table as table
from langchain_reliable.testing import error_status, says, simulator

KEY = "sk-" + "test-not-a-key"


@pytest.fixture(autouse=True)
def _keys(monkeypatch):
    for name in ("KEY_A", "KEY_B", "AZURE_KEY", "CLAUDE_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, f"{KEY}-{name}")


@pytest.fixture
def sim():
    with simulator() as running:
        yield running


def served_by(model, **kwargs):
    return model.invoke("?", **kwargs).response_metadata["reliable"]["served_by"]


def deployment(name, model="openai/gpt-a", info=None, **params):
    entry = {"model_name": name, "litellm_params": {"model": model, **params}}
    return {**entry, "model_info": info} if info else entry


def config(*deployments, **options):
    return {"model_list": list(deployments), **options}


# --- examples -------------------------------------------------------------------------

THREE = """
model_list:
  - model_name: chat
    litellm_params:
      model: azure/eu-gpt
      api_base: {sim.url}
      api_version: 2025-01-01
      api_key: os.environ/AZURE_KEY
      timeout: 30
      weight: 3
    model_info: {{id: azure-eu, max_input_tokens: 100000}}
  - model_name: chat
    litellm_params: {{model: openai/gpt-a, api_base: {sim.openai_url}, api_key: os.environ/KEY_A}}
    model_info: {{id: key-a}}
  - model_name: chat
    litellm_params: {{model: openai/gpt-a, api_base: {sim.openai_url}, api_key: os.environ/KEY_B}}
    model_info: {{id: key-b}}
  - model_name: claude
    litellm_params: {{model: anthropic/claude, api_base: {sim.anthropic_url}, api_key: os.environ/CLAUDE_KEY, stream_timeout: 20}}
router_settings:
  routing_strategy: simple-shuffle
  num_retries: 0
  timeout: 60
  stream_timeout: 10
  allowed_fails: 1
  cooldown_time: 40
  retry_after: 0
  fallbacks: [{{chat: [claude]}}]
  enable_pre_call_checks: true
litellm_settings:
  drop_params: true
  success_callback: [langfuse]
general_settings:
  master_key: os.environ/MASTER
"""  # noqa: E501 - as people write it


@pytest.fixture
def three(tmp_path, sim):
    path = tmp_path / "config.yaml"
    path.write_text(THREE.format(sim=sim))
    return path


def test_three_deployments_two_keys_fallbacks_cooldowns_and_a_strategy(three, sim):
    model = ReliableChatModel.from_config(three)
    group, claude = model.models
    assert isinstance(group, Group)
    assert group.order == "weighted"
    assert [one.name for one in group.members] == ["azure-eu", "key-a", "key-b"]
    assert [one.weight for one in group.members] == [3, 1, 1]
    assert group.members[0].context_window == 100_000
    assert group.members[0].answer_timeout == 30
    assert group.members[0].model.openai_api_version == "2025-01-01"
    assert isinstance(claude, Candidate)
    assert claude.first_chunk_timeout == claude.idle_timeout == 20
    assert model.max_retries == 0
    assert model.initial_backoff == 0
    assert model.answer_timeout == 60
    assert model.first_chunk_timeout == model.idle_timeout == 10
    assert model.circuit_breaker.failures == 2
    assert model.circuit_breaker.open_for == 40


def test_it_answers_and_fails_over_at_the_simulator(three, sim):
    model = ReliableChatModel.from_config(three)
    assert {served_by(model) for _ in range(5)} == {"azure-eu", "key-a", "key-b"}
    for name in ("gpt-a", "eu-gpt"):
        sim.script(name, error_status(503))
    assert served_by(model) == "claude"
    keys = {one.headers.get("authorization") for one in sim.requests}
    assert keys >= {f"Bearer {KEY}-KEY_A", f"Bearer {KEY}-KEY_B"}


def test_one_warning_lists_what_was_left_out(three, caplog):
    caplog.set_level(logging.WARNING, logger="langchain_reliable")
    ReliableChatModel.from_config(three)
    (told,) = [one.getMessage() for one in caplog.records if "leaves out" in one.msg]
    for name in (
        "general_settings",
        "litellm_settings.drop_params",
        "success_callback",
    ):
        assert name in told
    assert "MASTER" not in told


def test_another_group_may_be_asked_first(three):
    model = ReliableChatModel.from_config(three, "claude")
    assert len(model.models) == 1
    assert served_by(model) == "claude"


def test_python_has_the_last_word(three):
    assert ReliableChatModel.from_config(three, max_retries=4).max_retries == 4


def test_a_later_order_is_asked_after_an_earlier_one(sim):
    url = {"api_base": sim.openai_url}
    first = deployment("chat", "openai/gpt-a", order=1, **url)
    later = deployment("chat", "openai/gpt-b", order=2, **url)
    model = ReliableChatModel.from_config(config(later, first))
    assert model.model_name == "gpt-a | gpt-b"


def test_fallbacks_of_all_kinds_are_the_next_entries(sim):
    url = {"api_base": sim.openai_url}
    names = "chat", "other", "large", "mild", "last"
    model = ReliableChatModel.from_config(
        config(
            *(deployment(name, f"openai/{name}", **url) for name in names),
            router_settings={
                "fallbacks": [{"chat": ["other"]}],
                "context_window_fallbacks": [{"chat": ["large"]}],
                "content_policy_fallbacks": [{"chat": ["mild"]}],
                "default_fallbacks": ["last"],
                "model_group_alias": {"gpt": "last"},
            },
        )
    )
    assert model.model_name == "chat | other | large | mild"
    assert model.verdicts == {"content_policy": "next"}


def test_default_fallbacks_and_aliases(sim):
    url = {"api_base": sim.openai_url}
    written = config(
        deployment("chat", "openai/chat", **url),
        deployment("last", "openai/last", **url),
        default_fallbacks=["gpt"],
        model_group_alias={"gpt": {"model": "last", "hidden": True}},
    )
    assert ReliableChatModel.from_config(written).model_name == "chat | last"
    assert ReliableChatModel.from_config(written, "gpt").model_name == "last"


def test_a_fallback_has_fallbacks_of_its_own():
    four = [deployment(name, f"openai/{name}") for name in "abcd"]
    rules = [{"a": ["b", "d"]}, {"b": ["c"]}, {"c": ["a"]}]
    model = ReliableChatModel.from_config(config(*four, fallbacks=rules))
    assert model.model_name == "a | b | c | d"


def test_a_variable_that_the_file_sets_may_be_another_one(monkeypatch, sim):
    monkeypatch.setenv("THE_REAL_KEY", KEY)
    chat = deployment("chat", api_base=sim.openai_url, api_key="os.environ/ALIAS")
    variables = {"ALIAS": "os.environ/THE_REAL_KEY"}
    written = config(chat, environment_variables=variables)
    ReliableChatModel.from_config(written).invoke("?")
    assert sim.requests[-1].headers["authorization"] == f"Bearer {KEY}"


def test_no_cooldowns():
    written = config(deployment("chat"), disable_cooldowns=True)
    assert ReliableChatModel.from_config(written).circuit_breaker is None


def test_a_shuffle_goes_by_requests_a_minute_if_no_weight_is_given():
    if "rpm" not in Candidate.model_fields:
        pytest.skip("this release has no limits")
    many = deployment("chat", rpm=900), deployment("chat", "openai/b", rpm=100)
    (group,) = ReliableChatModel.from_config(config(*many)).models
    assert [one.weight for one in group.members] == [900, 100]


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("openai/gpt-a", "ChatOpenAI"),
        ("gpt-a", "ChatOpenAI"),
        ("openai/responses/gpt-a", "ChatOpenAI"),
        ("anthropic/claude", "ChatAnthropic"),
        ("gemini/gemini-a", "ChatGoogleGenerativeAI"),
        ("hosted_vllm/llama", "ChatOpenAI"),
        ("openai/org/llama", "ChatOpenAI"),
    ],
)
def test_a_prefix_is_a_class_of_langchain(model, kind, sim):
    base = {"api_base": sim.openai_url, "api_key": KEY, "temperature": 0.5}
    (only,) = ReliableChatModel.from_config(
        config(deployment("chat", model, **base, max_tokens=7))
    ).models
    assert type(only.model).__name__ == kind
    assert only.model.temperature == 0.5


def test_a_model_of_vllm_is_asked_without_a_key(sim):
    base = {"api_base": sim.openai_url}
    written = config(deployment("chat", "hosted_vllm/llama", **base))
    assert served_by(ReliableChatModel.from_config(written)) == "llama"


# --- what can't be taken over ---------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            config(deployment("chat", api_bass="x")),
            r"litellm_params.api_bass is unknown; did you mean `api_base`",
        ),
        (
            config(deployment("chat", api_key="os.environ/NOT_THERE")),
            r"litellm_params.api_key: the environment variable NOT_THERE is not set",
        ),
        (config(deployment("chat", "replicate/llama")), "pass the model itself"),
        (config(deployment("chat", "azure/gpt")), "azure needs api_base"),
        (
            config(deployment("chat"), fallbacks=[{"chat": ["claud"]}]),
            r"fallbacks\[0\]: no deployment has the model_name 'claud'",
        ),
        (config(deployment("chat"), num_retrys=2), "did you mean `num_retries`"),
        (
            config(deployment("chat"), litellm_settings={"num_retrys": 2}),
            "did you mean `num_retries`",
        ),
        (
            config(deployment("chat"), routing_strategy="least-bussy"),
            "did you mean `least-busy`",
        ),
        (
            config(deployment("chat"), retry_policy={"TimeoutErrorRetries": 3}),
            "retry_policy can't be taken over; write verdicts",
        ),
        (
            config(deployment("chat", mock_response="hi")),
            "use langchain_reliable.testing",
        ),
        (config(deployment("chat", "anthropic/c", seed=1)), "anthropic takes no seed"),
        (config(), "at least one deployment"),
        ({"model_list": [{"model_name": "a"}]}, "write model_name and litellm_params"),
        ({"model_list": [{"modelname": "a"}]}, "did you mean `model_name`"),
        (config(deployment("chat"), include=["b.yaml"]), "put it all into one file"),
        (config(deployment("chat", "openai/*")), "names no model"),
        (config(deployment("chat", "openai/")), "names no model"),
        (
            config({**deployment("chat"), "blocked": True}),
            "every deployment is blocked",
        ),
        (
            config(deployment("chat"), fallbacks=[{"chat": [{"model": "openai/a"}]}]),
            r"fallbacks\[0\].chat: write a list of model_names",
        ),
        (
            config(deployment("chat"), routr_settings={}),
            "did you mean `router_settings`",
        ),
        (
            config(deployment("chat"), cooldown_time=-1),
            "^allowed_fails, cooldown_time: open_for: Input should be greater",
        ),
    ],
)
def test_it_is_refused_in_one_clear_line(written, said):
    with pytest.raises(ValueError, match=said) as raised:
        ReliableChatModel.from_config(written)
    assert "\n" not in str(raised.value)


def test_a_group_that_is_not_there_says_which_are():
    with pytest.raises(ValueError, match="did you mean `chat`"):
        ReliableChatModel.from_config(config(deployment("chat")), "chta")


# --- every key ------------------------------------------------------------------------

ROUTER_KEYS = """
    assistants_config search_tools guardrail_list redis_url redis_host redis_port
    redis_password redis_db cache_responses cache_kwargs caching_groups client_ttl
    polling_interval default_priority num_retries max_fallbacks timeout stream_timeout
    default_litellm_params default_max_parallel_requests set_verbose debug_level
    default_fallbacks fallbacks context_window_fallbacks content_policy_fallbacks
    model_group_alias enable_pre_call_checks enable_tag_filtering
    tag_filtering_match_any tag_routing_prefix plugins retry_after retry_policy
    model_group_retry_policy allowed_fails allowed_fails_policy cooldown_time
    disable_cooldowns fallback_on_unsupported_params routing_strategy
    optional_pre_call_checks routing_strategy_args routing_groups
    provider_budget_config alerting_config router_general_settings
    deployment_affinity_ttl_seconds model_group_affinity_config
    ignore_invalid_deployments enable_health_check_routing
    health_check_staleness_threshold health_check_ignore_transient_errors
    background_health_check_model_groups enable_weighted_failover
    enable_mid_stream_fallback_continuation fallback_access_check
    fallback_budget_check auto_router_capability_limit
    session_affinity_repin_on_failover
""".split()  # noqa: SIM905 - the arguments of LiteLLM's Router, 1.110.2
PARAMS_KEYS = """
    custom_llm_provider tpm rpm itpm otpm tpd rpd order weight max_parallel_requests
    api_key api_base api_version timeout stream_timeout max_retries organization
    configurable_clientside_auth_params drop_params use_in_pass_through
    litellm_credential_name region_name vertex_project vertex_location
    aws_access_key_id aws_secret_access_key aws_region_name input_cost_per_token
    output_cost_per_token num_retries mock_response tags tag_regex max_budget
    budget_duration keepalive_seconds cooldown_time tenant_id client_id temperature
    top_p seed stop max_tokens extra_headers extra_body made_up
""".split()  # noqa: SIM905 - as above
VALUES = st.sampled_from([0, 1, 5, True, "x", [], ["x"], {}, {"a": 1}, "1d"])


@pytest.mark.parametrize("key", [one for one in ROUTER_KEYS if one])
def test_every_option_of_the_router_is_known(key):
    assert key in {
        *table.ROUTER,
        *table.ROUTER_MAPPED,
        *table.ROUTER_LEFT_OUT,
        *table.ROUTER_REFUSED,
    }


@given(key=st.sampled_from(PARAMS_KEYS), value=VALUES)
@settings(max_examples=150, deadline=None)
def test_any_value_of_a_deployment_makes_a_model_or_one_clear_error(key, value):
    made_or_refused(config(deployment("chat", **{"api_key": KEY, key: value})))


@given(key=st.sampled_from(ROUTER_KEYS), value=VALUES)
@settings(max_examples=150, deadline=None)
def test_any_value_of_the_router_makes_a_model_or_one_clear_error(key, value):
    two = deployment("chat", api_key=KEY), deployment("chat", "openai/b", api_key=KEY)
    made_or_refused(config(*two, router_settings={key: value}))


def made_or_refused(written):
    try:
        return ReliableChatModel.from_config(written)
    except ValueError as error:
        assert KEY not in str(error)  # noqa: PT017 - whether it raises is open
        return str(error)


@pytest.mark.parametrize("key", PARAMS_KEYS)
def test_no_setting_of_a_deployment_is_dropped_in_silence(key, caplog):
    caplog.set_level(logging.WARNING, logger="langchain_reliable")
    (plain,) = made_or_refused(config(deployment("chat"))).models
    made = made_or_refused(config(deployment("chat", **{key: "1"})))
    if isinstance(made, str):
        assert "litellm_params" in made
        return
    (candidate,) = made.models
    told = any(key in one.getMessage() for one in caplog.records)
    same = candidate.model == plain.model
    same = same and candidate.model_fields_set == plain.model_fields_set
    assert told or not same or key == "order"  # of one, it is the first


def test_says_is_what_the_simulator_says(sim):
    sim.script("gpt-a", says("bonjour"))
    written = config(deployment("chat", api_base=sim.openai_url))
    assert ReliableChatModel.from_config(written).invoke("?").text == "bonjour"


def test_redis_is_a_health_that_processes_share():
    pytest.importorskip("redis")
    where = {"redis_host": "h", "redis_port": 7, "redis_password": "p@ss"}
    for shared in (where, {"redis_url": "redis://h:7/0"}):
        made = ReliableChatModel.from_config(config(deployment("chat"), **shared))
        assert type(made.health).__name__ == "RedisHealth"
        assert "p@ss" not in repr(made.health)


def test_the_page_names_every_option():
    page = (Path(__file__).parents[3] / "docs" / "coming_from_litellm.md").read_text()
    options = {
        *ROUTER_KEYS,
        *table.DEPLOYMENT,
        *table.DEPLOYMENT_MAPPED,
        *table.DEPLOYMENT_LEFT_OUT,
        *table.DEPLOYMENT_REFUSED,
        *table.ORDERS,
        *table.PROVIDERS,
        *table.OTHER_PREFIXES,
        *(name for each in table.PROVIDERS.values() for name in each.params),
    }
    assert not [one for one in sorted(options) if f"`{one}`" not in page]
