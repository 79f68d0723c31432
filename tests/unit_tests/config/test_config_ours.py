"""Our dialect of a configuration: the constructor's fields, written down."""

from __future__ import annotations

import json

import pytest

from langchain_reliable import Group, ReliableChatModel
from langchain_reliable.testing import simulator

KEY = "sk-" + "test-not-a-key"


@pytest.fixture(autouse=True)
def _a_key(monkeypatch):
    monkeypatch.setenv("OUR_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def written(tmp_path, text, name="models.yaml"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_a_file_is_the_fields_of_the_constructor(tmp_path):
    with simulator() as sim:
        path = written(
            tmp_path,
            f"""
            models:
              - model: openai:gpt-main
                name: main
                max_retries: 0
                params: {{base_url: {sim.openai_url}, api_key: os.environ/OUR_KEY}}
              - members:
                  - model: openai:gpt-a
                    params: {{base_url: {sim.openai_url}}}
                  - model: openai:gpt-b
                    params: {{base_url: {sim.openai_url}}}
                order: round_robin
            max_last_wait: 3
            circuit_breaker: {{failures: 7}}
            """,
        )
        model = ReliableChatModel.from_config(path, max_retries=1)
        assert model.invoke("?").response_metadata["reliable"]["served_by"] == "main"
        assert sim.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert model.models[0].max_retries == 0
    assert isinstance(model.models[1], Group)
    assert model.models[1].order == "round_robin"
    assert (model.max_retries, model.max_last_wait) == (1, 3)
    assert model.circuit_breaker.failures == 7


def test_json_and_mappings_are_read_alike(tmp_path):
    config = {"models": ["openai:gpt-a", ["openai:gpt-b", "openai:gpt-c"]]}
    path = written(tmp_path, json.dumps(config), "models.json")
    models = [ReliableChatModel.from_config(one) for one in (config, path, str(path))]
    assert {model.model_name for model in models} == {"gpt-a | gpt-b | gpt-c"}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"modells": []}, "has `models` .ours. or `model_list`"),
        ({"models": "openai:gpt"}, "models: write a list"),
        ({"models": ["openai:a"], "max_retrys": 1}, "did you mean `max_retries`"),
        ({"models": [{"name": "a"}]}, r'models\[0\]: write model: "provider:model"'),
        (
            {"models": [{"model": "openai:a", "nam": "x"}]},
            r"models\[0\].nam is unknown; did you mean `name`",
        ),
        (
            {"models": [{"members": ["openai:a"], "ordr": "x"}]},
            r"models\[0\].ordr is unknown; did you mean `order`",
        ),
        (
            {"models": [{"model": "openai:a", "max_retries": -1}]},
            r"models\[0\]: max_retries: Input should be greater",
        ),
        (
            {"models": [{"model": "openai:a", "params": {"api_key": "os.environ/NO"}}]},
            r"models\[0\].params.api_key: the environment variable NO is not set",
        ),
        ({"models": ["openai:a"], "accept": "x"}, r"from_config\(..., accept=...\)"),
        ({"models": [1]}, r'models\[0\]: write "provider:model"'),
        ({"models": ["openai:a"], "max_retries": -1}, "^max_retries: Input should be"),
        (
            {"models": ["openai:a"], "circuit_breaker": {"failures": 0}},
            "^circuit_breaker.failures: Input should be",
        ),
        ({"models": []}, "`models` is empty"),
        (
            {"models": [{"members": ["openai:a"], "order": "fastestt"}]},
            r"^models\[0\]: order: Input should be 'ordered'",
        ),
        (
            {"models": [{"members": [{"members": ["openai:a"]}]}]},
            r"^models\[0\]: members: got a value of type Group",
        ),
        (
            {"models": [{"model": "openai:a", "params": {"base_ulr": "x"}}]},
            r"models\[0\].params.base_ulr is unknown; did you mean `base_url`",
        ),
        (
            {"models": [{"model": "openai:a", "params": {"api_key": "${MY_KEY}"}}]},
            "api_key: write os.environ/MY_KEY for the variable MY_KEY",
        ),
    ],
)
def test_what_is_wrong_ends_in_one_clear_line(config, said):
    with pytest.raises(ValueError, match=said) as raised:
        ReliableChatModel.from_config(config)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a", "holds no mapping"),
        ("a: [", "is no YAML"),
        ("a: !!python/name:os", "is no"),
        ("models: ['openai:a']\nmodels: ['openai:b']", "models stands twice"),
        ("models:\n- {model: 'openai:a', model: 'openai:b'}", "model stands twice"),
        ("models: &all [*all]", "something in it holds itself"),
    ],
)
def test_a_file_that_is_none(tmp_path, text, said):
    with pytest.raises(ValueError, match=said):
        ReliableChatModel.from_config(written(tmp_path, text))


def test_bytes_are_no_text(tmp_path):
    path = tmp_path / "models.yaml"
    path.write_bytes(b"models: \xff")
    with pytest.raises(ValueError, match=r"models.yaml is no text in UTF-8"):
        ReliableChatModel.from_config(path)


def test_json_says_nothing_twice(tmp_path):
    path = tmp_path / "models.json"
    path.write_text('{"models": ["openai:a"], "models": ["openai:b"]}')
    with pytest.raises(ValueError, match="models stands twice"):
        ReliableChatModel.from_config(path)


def test_a_part_may_be_merged_into_others_and_changed(tmp_path):
    text = """
models:
- &first {model: 'openai:a', name: first, params: {api_key: none}}
- {<<: *first, model: 'openai:b', name: second}
"""
    made = ReliableChatModel.from_config(written(tmp_path, text))
    assert [one.name for one in made.models] == ["first", "second"]
    assert made.models[1].model.model_name == "b"


def test_the_text_of_a_file_is_no_path():
    with pytest.raises(ValueError, match="not its text"):
        ReliableChatModel.from_config("models:\n- openai:a")
    with pytest.raises(TypeError, match="not a value of type int"):
        ReliableChatModel.from_config(3)


def test_a_group_to_begin_with_is_litellms():
    with pytest.raises(ValueError, match="group= is for files with a `model_list`"):
        ReliableChatModel.from_config({"models": ["openai:a"]}, "a")


def test_code_is_passed_in_python():
    model = ReliableChatModel.from_config({"models": ["openai:a"]}, accept=bool)
    assert model.accept is bool


def test_no_key_is_told_of():
    config = {
        "models": [
            {"model": "openai:a", "params": {"api_key": KEY, "temperature": "x"}}
        ]
    }
    with pytest.raises(ValueError, match="temperature") as raised:
        ReliableChatModel.from_config(config)
    assert KEY not in str(raised.value)
