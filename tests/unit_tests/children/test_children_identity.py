"""Two routes are never taken for one, and one route is not taken for two."""

from __future__ import annotations

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import AzureChatOpenAI, ChatOpenAI

from langchain_reliable import Candidate
from langchain_reliable._children.identity import account_key, identity, limits_key

KEY = "sk-a-secret-of-ours"


def openai(**fields):
    return ChatOpenAI(**{"model": "m", "api_key": KEY, **fields})


def azure(**fields):
    at = {"azure_endpoint": "https://x.openai.azure.com", "api_version": "v1"}
    return AzureChatOpenAI(**{"azure_deployment": "m", "api_key": KEY, **at, **fields})


def claude(**fields):
    return ChatAnthropic(**{"model": "m", "api_key": KEY, **fields})


def gemini(**fields):
    return ChatGoogleGenerativeAI(**{"model": "m", "api_key": KEY, **fields})


def key(child, **settings):
    return identity(Candidate(child, **settings), None)


ROUTES = [
    (openai, {"organization": "org"}),
    (openai, {"default_query": {"api-version": "2"}}),
    (openai, {"extra_body": {"provider": {"only": ["west"]}, "temperature": 1}}),
    (openai, {"model_kwargs": {"extra_headers": {"x-route": "west"}}}),
    (azure, {"azure_endpoint": "https://y.openai.azure.com"}),
    (azure, {"api_version": "v2"}),
    (azure, {"azure_ad_token": "of-another-tenant"}),
    (claude, {"betas": ["context-1m"]}),
    (claude, {"inference_geo": "eu"}),
    (claude, {"default_headers": {"anthropic-workspace": "w"}}),
    (gemini, {"location": "europe-west1"}),
    (gemini, {"project": "p"}),
    (gemini, {"client_args": {"proxy": "http://proxy"}}),
]


@pytest.mark.parametrize(("child", "fields"), ROUTES)
def test_what_may_lead_elsewhere_is_another_route(child, fields):
    assert key(child()) == key(child())
    assert key(child(**fields)) == key(child(**fields)) != key(child())


ANSWERS = [
    (openai, {"temperature": 1, "top_p": 0.5, "max_tokens": 9, "seed": 1}),
    (openai, {"reasoning_effort": "low", "verbosity": "low", "stop": ["x"]}),
    (openai, {"extra_body": {"top_k": 3, "min_p": 0.1, "repetition_penalty": 1}}),
    (openai, {"max_retries": 0, "timeout": 3, "streaming": True, "tags": ["x"]}),
    (claude, {"max_tokens": 9, "thinking": {"type": "adaptive"}, "top_k": 3}),
    (gemini, {"max_output_tokens": 9, "thinking_budget": 0, "temperature": 0}),
]


@pytest.mark.parametrize(("child", "fields"), ANSWERS)
def test_what_shapes_the_answer_alone_is_the_same_route(child, fields):
    assert key(child(**fields)) == key(child())
    assert limits_key(Candidate(child(**fields)), None) == limits_key(
        Candidate(child()), None
    )


@pytest.mark.parametrize(
    "said",
    [
        {"service_tier": "flex"},
        {"extra_headers": {"x-tenant": "a"}},
        {"extra_body": {"route": "west"}},
        {"betas": ["context-1m"]},
    ],
)
def test_it_counts_wherever_it_was_said(said):
    bound, own = key(openai().bind(**said)), key(openai(), kwargs=said)
    assert bound == own != key(openai())
    assert key(openai().bind(**said), kwargs=dict.fromkeys(said)) == key(openai())


def test_a_field_and_a_keyword_of_one_name_say_the_same():
    own = key(openai(), kwargs={"service_tier": "flex"})
    assert own == key(openai(service_tier="flex"))


def test_bound_sampling_and_tools_are_no_other_route():
    child = openai()
    assert key(child.bind(temperature=1, tools=[{}], stop=["x"])) == key(child)


def test_what_cannot_be_read_counts_by_object():
    class Odd:
        """Some client of the user's own."""

    one = openai()
    one.extra_body = {"routed_by": Odd()}
    other = openai()
    other.extra_body = {"routed_by": Odd()}
    assert key(one) == key(one) != key(other)


def test_two_classes_of_one_name_are_two():
    def made():
        class Local(ChatOpenAI):
            pass

        return Local(model="m", api_key=KEY)

    assert key(made()) != key(made())


def test_nothing_that_was_read_can_be_read_off():
    child = openai(default_headers={"authorization": "Bearer of-a-tenant"})
    told = repr(key(child, name="eu"))
    assert "eu" in told
    assert KEY not in told
    assert "of-a-tenant" not in told


@pytest.mark.parametrize(
    "fields",
    [{"service_tier": "flex"}, {"default_headers": {"x-route": "west"}}],
)
def test_limits_do_not_hang_on_names_tiers_and_headers(fields):
    one = Candidate(openai(), name="one")
    other = Candidate(openai(**fields), name="other")
    assert limits_key(one, None) == limits_key(other, None)
    assert identity(one, None) != identity(other, None)


def test_limits_and_accounts_hang_on_key_and_endpoint():
    here = Candidate(openai())
    for fields in ({"api_key": "another"}, {"base_url": "http://eu/v1"}):
        there = Candidate(openai(**fields))
        assert limits_key(here, None) != limits_key(there, None)
        assert account_key(here) != account_key(there)
    other_model = Candidate(openai(model="n"))
    assert limits_key(here, None) != limits_key(other_model, None)
    assert limits_key(here, "n") == limits_key(other_model, None)
    assert account_key(here) == account_key(other_model)
